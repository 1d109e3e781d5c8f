//! Signatures and certificates made by GnuPG, good ones and ones that must not count: the mathematics holds in each, the
//! policy tells them apart.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::path::Path;
use std::process::{Command, ExitCode};

use common::mimic::{self, Part, program, trial};
use sshproof::knowledge::VendorKeys;
use sshproof::knowledge::vendor_keys::VendorKey;
use sshproof::model::Timestamp;
use sshproof::trust::keyring::Keyring;
use sshproof::trust::vendor::{Doubt, Pins, Question, Release, Voucher, vouches};
use sshproof::trust::{Checked, Outcome};

const PARTS: &[Part] = &[Part::Program("gpg"), Part::Program("gpgconf")];

fn main() -> ExitCode {
    mimic::run(vec![
        trial("keys_of_all_kinds_vouch", PARTS, kinds),
        trial("a_subkey_for_signing_vouches", PARTS, subkey),
        trial("an_expired_key_does_not", PARTS, expired),
        trial("a_revoked_key_does_not", PARTS, revoked),
        trial("a_retired_key_does_for_what_it_signed_before", PARTS, retired),
        trial("a_key_that_nobody_pinned_does_not", PARTS, unpinned),
        trial("sha1_and_md5_do_not", PARTS, weak_hashes),
        trial("a_subkey_of_another_certificate_does_not", PARTS, borrowed_subkey),
        trial("a_certification_is_no_signature_over_a_document", PARTS, certification),
        trial("later_blocks_of_a_key_file_are_read", PARTS, several_blocks),
    ])
}

const DOCUMENT: &[u8] = b"what is signed\n";
/// Moments at which keys are made, expire and sign: 2020, 2021, 2022, 2023.
const MADE: &str = "20200101T000000";
const LATER: &str = "20210101T000000";
const MUCH_LATER: &str = "20220101T000000";

fn kinds() {
    for kind in ["rsa2048", "rsa4096", "dsa2048", "ed25519", "nistp256", "nistp384"] {
        let gpg = Gpg::new(kind, "sign");
        let voucher = judge(&gpg.certificate(), &gpg.sign(LATER, &[]), &gpg.fingerprint()).unwrap();
        assert_eq!(voucher.certificate(), gpg.fingerprint(), "{kind}");
        let mut bent = gpg.sign(LATER, &[]);
        let last = bent.len() - 3;
        bent[last] ^= 4;
        assert!(matches!(judge(&gpg.certificate(), &bent, &gpg.fingerprint()), Err(Doubt::Bad(_))), "{kind}");
    }
}

fn subkey() {
    let gpg = with_subkey();
    let checked = check(&gpg.certificate(), &gpg.sign(LATER, &[]));
    let Outcome::Good(signer) = &checked[0].outcome else { panic!("{checked:?}") };
    assert_eq!(signer.certificate, gpg.fingerprint());
    assert_ne!(signer.key, signer.certificate, "the subkey signed");
    assert!(judge(&gpg.certificate(), &gpg.sign(LATER, &[]), &gpg.fingerprint()).is_ok());
    let refused = judge(&gpg.certificate_without_subkeys(), &gpg.sign(LATER, &[]), &gpg.fingerprint());
    assert!(matches!(refused, Err(Doubt::Stranger(_))), "{refused:?}");
}

fn expired() {
    let gpg = Gpg::new("ed25519", "sign");
    let (early, late) = (gpg.sign(MADE, &[]), gpg.sign(MUCH_LATER, &[]));
    gpg.run(LATER, &["--quick-set-expire", &gpg.fingerprint(), "1d"]);
    assert!(judge(&gpg.certificate(), &early, &gpg.fingerprint()).is_ok(), "it was valid when it signed");
    refused(judge(&gpg.certificate(), &late, &gpg.fingerprint()), "expired");
}

/// The certificate of revocation that GnuPG lays ready gives no reason: nothing that the key signed counts any longer.
fn revoked() {
    let gpg = Gpg::new("ed25519", "sign");
    let signature = gpg.sign(LATER, &[]);
    let file = gpg.home.path().join(format!("openpgp-revocs.d/{}.rev", gpg.fingerprint()));
    let text = std::fs::read_to_string(&file).unwrap().replace("\n:-----BEGIN", "\n-----BEGIN");
    std::fs::write(&file, text).unwrap();
    gpg.run(MUCH_LATER, &["--import", file.to_str().unwrap()]);
    refused(judge(&gpg.certificate(), &signature, &gpg.fingerprint()), "revoked");
}

fn retired() {
    let gpg = Gpg::new("ed25519", "sign");
    let (early, late) = (gpg.sign(MADE, &[]), gpg.sign(MUCH_LATER, &[]));
    let answers = gpg.home.path().join("answers");
    std::fs::write(&answers, "y\n3\n\ny\n").unwrap();
    let fd = std::fs::File::open(&answers).unwrap();
    let revocation = gpg.home.path().join("revocation");
    let mut command = gpg.command(LATER);
    command.args([
        "--command-fd",
        "0",
        "--yes",
        "--output",
        revocation.to_str().unwrap(),
        "--gen-revoke",
        &gpg.fingerprint(),
    ]);
    command.stdin(fd);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    gpg.run(LATER, &["--import", revocation.to_str().unwrap()]);
    assert!(judge(&gpg.certificate(), &early, &gpg.fingerprint()).is_ok());
    refused(judge(&gpg.certificate(), &late, &gpg.fingerprint()), "revoked");
}

fn unpinned() {
    let (gpg, other) = (Gpg::new("ed25519", "sign"), Gpg::new("ed25519", "sign"));
    let both = [gpg.certificate(), other.certificate()].concat();
    let answer = judge(&both, &other.sign(LATER, &[]), &gpg.fingerprint());
    assert!(matches!(answer, Err(Doubt::NotBase(_))), "{answer:?}");
    assert!(judge(&both, &gpg.sign(LATER, &[]), &gpg.fingerprint()).is_ok());
}

fn weak_hashes() {
    let gpg = Gpg::new("rsa2048", "sign");
    for hash in ["SHA1", "MD5", "RIPEMD160"] {
        let signature =
            gpg.sign(LATER, &["--allow-weak-digest-algos", "--allow-weak-key-signatures", "--digest-algo", hash]);
        assert!(matches!(check(&gpg.certificate(), &signature)[0].outcome, Outcome::Good(_)), "{hash} holds");
        refused(judge(&gpg.certificate(), &signature, &gpg.fingerprint()), "no longer holds");
    }
}

/// Somebody's subkey, with the binding that his own primary key made, sewn to the pinned certificate.
fn borrowed_subkey() {
    let (pinned, thief) = (with_subkey(), with_subkey());
    let signature = thief.sign(LATER, &[]);
    let theirs = packets(&thief.certificate());
    let sub = theirs.iter().position(|(tag, _)| *tag == 14).unwrap();
    let sewn: Vec<u8> =
        [pinned.certificate(), theirs[sub..].iter().flat_map(|(_, bytes)| bytes.clone()).collect()].concat();
    let checked = check(&sewn, &signature);
    assert!(matches!(checked[0].outcome, Outcome::Good(_)), "the mathematics holds: {checked:?}");
    refused(judge(&sewn, &signature, &pinned.fingerprint()), "does not bind");
    // The pinned certificate itself suffers nothing by it.
    assert!(judge(&sewn, &pinned.sign(LATER, &[]), &pinned.fingerprint()).is_ok());
}

fn certification() {
    let gpg = Gpg::new("ed25519", "sign");
    let all = packets(&gpg.certificate());
    let (_, own) = all.iter().find(|(tag, _)| *tag == 2).unwrap();
    let answer = judge(&gpg.certificate(), own, &gpg.fingerprint());
    assert!(matches!(answer, Err(Doubt::Bad(_))), "{answer:?}");
    // What is no signature at all, or none of OpenPGP.
    for bytes in [&b""[..], b"\x00", b"no signature", &gpg.certificate()] {
        let answer = judge(&gpg.certificate(), bytes, &gpg.fingerprint());
        assert!(matches!(answer, Err(Doubt::Bad(_))), "{answer:?}");
    }
}

fn several_blocks() {
    let keys = [Gpg::new("ed25519", "sign"), Gpg::new("rsa2048", "sign"), Gpg::new("ed25519", "sign")];
    let mut file = b"The following public keys are used to sign packages.\n-----BEGIN\n\n".to_vec();
    for gpg in &keys {
        file.extend(gpg.run(LATER, &["--armor", "--export"]));
        file.extend_from_slice(b"And another one:\n");
    }
    for gpg in &keys {
        assert!(judge(&file, &gpg.sign(LATER, &[]), &gpg.fingerprint()).is_ok());
    }
}

fn with_subkey() -> Gpg {
    let gpg = Gpg::new("ed25519", "cert");
    gpg.run(MADE, &["--batch", "--passphrase", "", "--quick-add-key", &gpg.fingerprint(), "ed25519", "sign", "never"]);
    gpg
}

fn check(key_file: &[u8], signature: &[u8]) -> Vec<Checked> {
    let mut keyring = Keyring::default();
    assert_eq!(keyring.add("keys", key_file), 0);
    assert!(!keyring.certificates().is_empty());
    keyring.check(DOCUMENT, signature)
}

/// Whether the signature vouches for a base package where this key is pinned.
fn judge(key_file: &[u8], signature: &[u8], pinned: &str) -> Result<Voucher, Doubt> {
    let pin = VendorKey {
        distro: "testos".to_owned(),
        fingerprint: pinned.to_owned(),
        algorithm: String::new(),
        created: Timestamp(0),
        expires: None,
        user_id: "Test".to_owned(),
        file: "made by the test".to_owned(),
        signing_subkeys: Vec::new(),
        base: true,
        revoked: None,
    };
    let keys = VendorKeys { keys: vec![pin], ..VendorKeys::embedded() };
    let release = Release { id: "testos".to_owned(), major: "9".to_owned() };
    let question = Question { package: "openssh-server", release: Some(&release), at: Timestamp(0) };
    vouches(&check(key_file, signature), &Pins { vendor: &keys, site: &[] }, &question)
}

fn refused(answer: Result<Voucher, Doubt>, word: &str) {
    let Err(Doubt::Refused(why)) = &answer else { panic!("{answer:?}") };
    assert!(why.contains(word), "{why}");
}

/// The packets of a certificate, each with its tag (RFC 9580, section 4.2).
fn packets(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut packets = Vec::new();
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        let (tag, head, length) = if first & 0x40 == 0 {
            let size = 1 << (first & 3);
            (first >> 2 & 15, 1 + size, rest[1..=size].iter().fold(0, |value, byte| value << 8 | usize::from(*byte)))
        } else {
            match rest[1] {
                short @ 0..192 => (first & 63, 2, usize::from(short)),
                long => (first & 63, 3, ((usize::from(long) - 192) << 8) + usize::from(rest[2]) + 192),
            }
        };
        packets.push((tag, rest[..head + length].to_vec()));
        rest = &rest[head + length..];
    }
    packets
}

/// GnuPG with a home of its own and one key in it.
struct Gpg {
    home: tempfile::TempDir,
}

impl Gpg {
    fn new(kind: &str, usage: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let gpg = Self { home };
        let user = "Test <test@example.org>";
        gpg.run(MADE, &["--batch", "--passphrase", "", "--quick-generate-key", user, kind, usage, "never"]);
        gpg
    }

    fn command(&self, at: &str) -> Command {
        let mut command = Command::new(program("gpg").unwrap());
        command.arg("--homedir").arg(self.home.path()).args(["--faked-system-time", at, "--no-tty", "--quiet"]);
        command
    }

    fn run(&self, at: &str, args: &[&str]) -> Vec<u8> {
        let output = self.command(at).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn fingerprint(&self) -> String {
        let listing = String::from_utf8(self.run(MUCH_LATER, &["--with-colons", "--list-keys"])).unwrap();
        listing.lines().find(|line| line.starts_with("fpr:")).unwrap().split(':').nth(9).unwrap().to_owned()
    }

    fn certificate(&self) -> Vec<u8> {
        self.run(MUCH_LATER, &["--export"])
    }

    fn certificate_without_subkeys(&self) -> Vec<u8> {
        let all = packets(&self.certificate());
        all.into_iter().take_while(|(tag, _)| *tag != 14).flat_map(|(_, bytes)| bytes).collect()
    }

    /// A binary signature over the document, made at this moment.
    fn sign(&self, at: &str, options: &[&str]) -> Vec<u8> {
        let document = self.home.path().join("document");
        write(&document, DOCUMENT);
        let args = ["--batch", "--pinentry-mode", "loopback", "--passphrase", "", "--detach-sign", "--output", "-"];
        self.run(at, &[options, &args, &[document.to_str().unwrap()]].concat())
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.home.path()).args(["--kill", "gpg-agent"]).status();
    }
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}
