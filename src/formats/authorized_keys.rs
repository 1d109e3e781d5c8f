//! authorized_keys(5): whether an account trusts a key of its own to certify others. The keys themselves are of no interest,
//! and [`redact`] removes them before anything is kept. Also the files of public keys of authorities, which are not secret.

use std::collections::BTreeSet;

use super::base64;
use crate::model::{Algorithm, Digest};

/// Key types that a line may begin with, or have after its options (`sshkey_type_from_name`, OpenSSH 9.2; ssh-keygen(1)).
const KEY_TYPES: [&[u8]; 9] = [
    b"ssh-ed25519",
    b"ssh-rsa",
    b"ssh-dss",
    b"ecdsa-sha2-nistp256",
    b"ecdsa-sha2-nistp384",
    b"ecdsa-sha2-nistp521",
    b"sk-ssh-ed25519@openssh.com",
    b"sk-ecdsa-sha2-nistp256@openssh.com",
    b"ssh-xmss@openssh.com",
];

/// What a line that trusts an authority becomes, and any other.
const AUTHORITY: &[u8] = b"cert-authority ssh-ed25519 removed";
const REMOVED: &[u8] = b"#";

/// Whether a line of the file trusts its key to sign certificates: the option `cert-authority`, in any case of letters
/// (sshd(8), AUTHORIZED_KEYS FILE FORMAT).
#[must_use]
pub fn trusts_an_authority(bytes: &[u8]) -> bool {
    bytes.split(|b| *b == b'\n').any(|line| {
        let Some((options, rest)) = options(line.trim_ascii()) else { return false };
        let named = split(options, b',').any(|option| option.eq_ignore_ascii_case(b"cert-authority"));
        let mut words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        named && words.next().is_some_and(|word| KEY_TYPES.contains(&word)) && words.next().is_some()
    })
}

/// The file with nothing left but which of its lines trust an authority.
#[must_use]
pub fn redact(bytes: &[u8]) -> Vec<u8> {
    let keep = |line: &[u8]| if trusts_an_authority(line) { AUTHORITY } else { REMOVED };
    bytes.split(|b| *b == b'\n').map(keep).collect::<Vec<_>>().join(&b'\n')
}

/// What a line of a file of public keys becomes that is neither a key nor a comment.
const NO_KEY: &[u8] = b"?";

/// The file of public keys (sshd_config(5), TrustedUserCAKeys) with nothing left but its keys: whatever else stands there, a
/// secret perhaps that somebody named by mistake, is not kept.
#[must_use]
pub fn public_keys(bytes: &[u8]) -> Vec<u8> {
    let keep = |line: &[u8]| match public_key(line) {
        Some((kind, text, _)) => [kind, text].join(&b' '),
        None if line.is_empty() || line.starts_with(b"#") => Vec::new(),
        None => NO_KEY.to_vec(),
    };
    bytes.split(|b| *b == b'\n').map(|line| keep(line.trim_ascii())).collect::<Vec<_>>().join(&b'\n')
}

/// The fingerprints of a file of public keys, `SHA256:` and base64 as ssh-keygen(1) `-l` prints them. `None` if a line is
/// neither a key nor a comment: sshd passes over it, but then what it trusts was not all read.
#[must_use]
pub fn fingerprints(bytes: &[u8]) -> Option<BTreeSet<String>> {
    let lines = bytes.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
        .map(|line| {
            let digest = Digest::of(Algorithm::Sha256, &public_key(line)?.2);
            Some(format!("SHA256:{}", base64::encode_unpadded(digest.bytes())))
        })
        .collect()
}

/// Type, text and bytes of the key on a line; the type within the bytes must be the one before them (`sshkey_read`).
fn public_key(line: &[u8]) -> Option<(&[u8], &[u8], Vec<u8>)> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let kind = words.next().filter(|word| KEY_TYPES.contains(word))?;
    let text = words.next()?;
    let bytes = base64::decode(text)?;
    let named = bytes.get(4..)?.get(..kind.len())?;
    let length = u32::try_from(kind.len()).ok()?.to_be_bytes();
    (bytes.starts_with(&length) && named == kind).then_some((kind, text, bytes))
}

/// The options before the key, and what follows them; `None` for a line that has none.
fn options(line: &[u8]) -> Option<(&[u8], &[u8])> {
    if line.is_empty() || line.starts_with(b"#") {
        return None;
    }
    let first = split(line, b' ').next()?;
    // Options end at the first blank or tab outside quotes.
    let first = split(first, b'\t').next()?;
    let rest = line.get(first.len()..)?;
    (!KEY_TYPES.contains(&first)).then_some((first, rest))
}

/// The parts of `text` between separators that stand outside double quotes; `\"` is no quote (`opt_dequote`, misc.c).
fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |byte| {
        let ends = *byte == separator && !quoted;
        quoted ^= *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_found_whatever_stands_around_them() {
        let check = |text: &str, expected: bool| {
            assert_eq!(trusts_an_authority(text.as_bytes()), expected, "{text}");
            let redacted = redact(text.as_bytes());
            assert_eq!(trusts_an_authority(&redacted), expected, "{text}");
            assert!(!String::from_utf8(redacted).unwrap().contains("AAAA"), "{text}");
        };
        check("", false);
        check("ssh-ed25519 AAAA cert-authority", false);
        check("cert-authority ssh-ed25519 AAAA comment", true);
        check("\t CERT-Authority\tssh-rsa AAAA", true);
        check("# cert-authority ssh-rsa AAAA", false);
        check("restrict,cert-authority,principals=\"a,b\" ssh-rsa AAAA", true);
        check("command=\"echo cert-authority , \\\" ,cert-authority\" ssh-rsa AAAA", false);
        check("from=\"10.0.0.0/8\",cert-authority ecdsa-sha2-nistp256 AAAA\n", true);
        check("cert-authority nonsense AAAA", false);
        check("ssh-rsa AAAA a\nno-pty ssh-rsa AAAA b\ncert-authority ssh-rsa AAAA c", true);
    }

    #[test]
    fn fingerprints_are_those_of_ssh_keygen() {
        // An invented key, and what `ssh-keygen -l` says of it.
        const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKK";
        const PRINT: &str = "SHA256:yAVrWwEmN5Z92SZa8kjJ2fjIA0k1RPopE/0KZd4BDOI";
        let check = |text: &str, expected: Option<&[&str]>| {
            let found = fingerprints(text.as_bytes());
            let expected = expected.map(|prints| prints.iter().map(|print| (*print).to_owned()).collect());
            assert_eq!(found, expected, "{text}");
            assert_eq!(fingerprints(&public_keys(text.as_bytes())), expected, "what is kept says the same: {text}");
        };
        check("# the authority\n\n", Some(&[]));
        check(&format!("{KEY} the centre\r\n"), Some(&[PRINT]));
        check(&format!("{KEY}\n{KEY} again\nroot:$6$secret:1::"), None);
        check(&format!("cert-authority {KEY}"), None);
        check(&KEY.replace("ssh-ed25519", "ssh-rsa"), None);
        assert!(!public_keys(b"root:$6$secret:1::").windows(6).any(|part| part == b"secret"));
    }
}
