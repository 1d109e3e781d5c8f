//! The signed chain on the distribution's own repository, as apt brings it: sshd proved from `InRelease`; each link altered;
//! what the state directory keeps, forged.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use libtest_mimic::Trial;
use sshproof::checks::trust;
use sshproof::facts::{Role, RootFacts};
use sshproof::formats::compressed;
use sshproof::model::report::{LinkKind, Trust};
use sshproof::model::{Algorithm, Digest, Evidence, Finding, RootedPath, Severity};
use sshproof::observe::packages::Aids;
use sshproof::own::state::{self, State};
use sshproof::policy::Policy;

use crate::common::mimic::{Part, trial};
use crate::common::root::{Root, repository};
use crate::look::{judge, look_with, standings};

const SSHD: &str = "/usr/sbin/sshd";
const MODULE: &str = "/usr/lib/x86_64-linux-gnu/security/pam_unix.so";
const HELPER: &str = "/usr/sbin/unix_chkpwd";

pub fn trials() -> Vec<Trial> {
    vec![trial("archive_of_the_distribution", &[Part::Repository, Part::Program("gpg")], archive_of_the_distribution)]
}

/// One root and one archive for all: each step puts back what it altered.
fn archive_of_the_distribution() {
    let root = Root::stock();
    let dir = tempfile::tempdir().unwrap();
    let archive = Archive::new(dir.path());
    proves_sshd(&root, &archive);
    names_the_link_that_was_altered(&root, &archive);
    names_a_file_that_no_package_ships(&root, &archive);
    counts_nothing_that_a_stranger_signed(&root, &archive);
    keeps_evidence_and_believes_none_of_it(&root, &archive, dir.path());
    reads_what_apt_keeps(&root, &archive);
}

/// The lists and the packages of the repository in a directory of ours.
struct Archive {
    dir: PathBuf,
}

impl Archive {
    fn new(scratch: &Path) -> Self {
        let dir = scratch.join("archive");
        fs::create_dir(&dir).unwrap();
        for entry in fs::read_dir(repository().as_ref().unwrap()).unwrap().map(|entry| entry.unwrap()) {
            fs::copy(entry.path(), dir.join(entry.file_name())).unwrap();
        }
        Self { dir }
    }

    /// The one file whose name holds `part`.
    fn file(&self, part: &str) -> PathBuf {
        let names = fs::read_dir(&self.dir).unwrap().map(|entry| entry.unwrap().path());
        let mut found: Vec<PathBuf> = names.filter(|path| path.to_str().unwrap().contains(part)).collect();
        found.sort_by_key(|path| fs::metadata(path).unwrap().len());
        found.pop().unwrap_or_else(|| panic!("no file with {part}"))
    }

    /// The list and the index that lead to openssh-server.
    fn suite(&self) -> (PathBuf, PathBuf) {
        let digest = Digest::of(Algorithm::Sha256, &fs::read(self.file("openssh-server_")).unwrap()).hex();
        let names = fs::read_dir(&self.dir).unwrap().map(|entry| entry.unwrap().path());
        let index = names
            .filter(|path| path.to_str().unwrap().contains("_Packages"))
            .find(|path| memchr::memmem::find(&plain(path), digest.as_bytes()).is_some());
        let index = index.unwrap();
        let name = index.to_str().unwrap();
        let suite = name.split("_main_binary").next().unwrap();
        (PathBuf::from(format!("{suite}_InRelease")), index)
    }
}

fn plain(path: &Path) -> Vec<u8> {
    let mut content = Vec::new();
    let read = compressed::read(&fs::read(path).unwrap(), 1 << 30, &mut |piece| {
        content.extend_from_slice(piece);
        true
    });
    read.unwrap();
    content
}

fn look(root: &Root, aids: Aids<'_>) -> (RootFacts, sshproof::facts::KeptArchive) {
    let question = |path: &str, role| (RootedPath::new(path).unwrap(), BTreeSet::from([role]));
    let keyrings = [&[keyring()], aids.keyrings].concat();
    let aids = Aids { keyrings: &keyrings, ..aids };
    let questions = [question(SSHD, Role::Server), question(MODULE, Role::PamModule), question(HELPER, Role::Helper)];
    look_with(root.path(), &questions, aids)
}

/// A root without apt has no keys of the archive.
fn keyring() -> (String, Vec<u8>) {
    ("keyring".to_owned(), fs::read("/usr/share/keyrings/debian-archive-keyring.gpg").unwrap())
}

fn trust_of(facts: &RootFacts, path: &str) -> Trust {
    let standings = standings(facts);
    trust::trust(&standings, &trust::judge(facts, &standings, &RootedPath::new(path).unwrap()).unwrap())
}

/// Codes above informational.
fn codes(facts: &RootFacts) -> Vec<String> {
    let findings = judge(facts, &Policy::default()).findings;
    let loud = findings.into_iter().filter(|finding| finding.severity > Severity::Informational);
    loud.map(|finding| finding.code.id().to_owned()).collect()
}

fn has(codes: &[String], code: &str) -> bool {
    codes.iter().any(|one| one == code)
}

/// With the archive, by what stands in its directory now.
fn with(root: &Root, archive: &Archive) -> RootFacts {
    look(root, Aids { archives: std::slice::from_ref(&archive.dir), ..Aids::default() }).0
}

fn proves_sshd(root: &Root, archive: &Archive) {
    let alone = look(root, Aids::default()).0;
    assert_eq!(trust_of(&alone, SSHD), Trust::LocalWeak);
    let begin = Instant::now();
    let facts = with(root, archive);
    let took = begin.elapsed();
    let result = judge(&facts, &Policy::default());
    assert!(codes(&facts).is_empty(), "{:#?}", result.findings);
    for path in [SSHD, MODULE, HELPER] {
        assert_eq!(trust_of(&facts, path), Trust::VendorSigned, "{path}: {:#?}", result.gaps);
    }
    let standings = standings(&facts);
    let chain = trust::chain(&standings, &trust::judge(&facts, &standings, &RootedPath::new(SSHD).unwrap()).unwrap());
    let kinds: Vec<LinkKind> = chain.iter().map(|link| link.link).collect();
    let archives = [LinkKind::Archive; 3];
    assert_eq!(kinds, [&[LinkKind::Signature], archives.as_slice(), &[LinkKind::Record, LinkKind::Digest]].concat());
    assert!(chain.iter().all(|link| link.ok), "{chain:?}");
    assert!(chain[0].by.contains("Debian"), "{chain:?}");
    println!("sshd and two more packages proved from InRelease in {} ms (debug build)", took.as_millis());
    for link in chain {
        println!("  {:?} {}", link.link, link.by);
    }
    // Unlike dpkg's database the package knows modes.
    let helper = root.join(HELPER);
    let mode = fs::metadata(&helper).unwrap().permissions();
    fs::set_permissions(&helper, std::os::unix::fs::PermissionsExt::from_mode(0o4755)).unwrap();
    assert_eq!(codes(&with(root, archive)), ["provenance/mode-differs"]);
    fs::set_permissions(&helper, mode).unwrap();
}

/// Each link in turn: the list, the index, the package, the file.
fn names_the_link_that_was_altered(root: &Root, archive: &Archive) {
    let (list, index) = archive.suite();
    let package = archive.file("openssh-server_");
    let altered = |path: &Path, alter: &dyn Fn(&mut Vec<u8>)| {
        let before = fs::read(path).unwrap();
        let mut bytes = before.clone();
        alter(&mut bytes);
        assert_ne!(bytes, before);
        fs::write(path, bytes).unwrap();
        let facts = with(root, archive);
        fs::write(path, before).unwrap();
        (codes(&facts), trust_of(&facts, SSHD))
    };
    let flip = |bytes: &mut Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    };
    let label = |bytes: &mut Vec<u8>| {
        let at = memchr::memmem::find(bytes, b"Label: Debian").unwrap();
        bytes[at + 7] = b'd';
    };
    let (found, worth) = altered(&list, &label);
    assert!(has(&found, "provenance/archive-signature"), "{found:?}");
    assert_eq!(worth, Trust::LocalWeak);
    let strip = |bytes: &mut Vec<u8>| *bytes = sshproof::formats::apt::clearsign::parse(bytes).unwrap().text;
    assert!(has(&altered(&list, &strip).0, "provenance/archive-signature"));
    // Told, and no reason to fail: apt may have been interrupted.
    let told = |alter: &dyn Fn(&mut Vec<u8>)| {
        let before = fs::read(&index).unwrap();
        let mut bytes = before.clone();
        alter(&mut bytes);
        fs::write(&index, bytes).unwrap();
        let facts = with(root, archive);
        fs::write(&index, before).unwrap();
        let findings = judge(&facts, &Policy::default()).findings;
        assert!(codes(&facts).is_empty(), "{:?}", codes(&facts));
        let is_it = |finding: &Finding| finding.code.id() == "provenance/archive-index-altered";
        assert_eq!((findings.iter().filter(|one| is_it(one)).count(), trust_of(&facts, SSHD)), (1, Trust::LocalWeak));
    };
    told(&flip);
    let (found, worth) = altered(&package, &flip);
    assert_eq!(found, ["provenance/archive-package-altered"]);
    assert_eq!(worth, Trust::LocalWeak);

    // An index that names another package, as it should be but for its digest.
    let other = plain(&index);
    let digest = Digest::of(Algorithm::Sha256, &fs::read(&package).unwrap()).hex();
    let at = memchr::memmem::find(&other, digest.as_bytes()).unwrap();
    let forge = |bytes: &mut Vec<u8>| {
        *bytes = other.clone();
        bytes[at..at + 64].fill(b'0');
    };
    told(&forge);

    // The file, and dpkg's digest of it with it: `dpkg --verify` finds nothing.
    let sums = root.join("/var/lib/dpkg/info/openssh-server.md5sums");
    let (sshd, before) = (fs::read(root.join(SSHD)).unwrap(), fs::read_to_string(&sums).unwrap());
    root.flip(SSHD, sshd.len() / 2);
    let md5 = |bytes: &[u8]| Digest::of(Algorithm::Md5, bytes).hex();
    fs::write(&sums, before.replace(&md5(&sshd), &md5(&fs::read(root.join(SSHD)).unwrap()))).unwrap();
    assert!(codes(&look(root, Aids::default()).0).is_empty());
    let facts = with(root, archive);
    assert_eq!(codes(&facts), ["provenance/digest-mismatch"]);
    let finding =
        judge(&facts, &Policy::default()).findings.into_iter().find(|f| f.code.id().ends_with("mismatch")).unwrap();
    let by_package =
        |evidence: &Evidence| matches!(evidence, Evidence::Digest { source, .. } if source.contains("openssh-server_"));
    assert!(finding.evidence.iter().any(by_package), "{finding:#?}");
    root.flip(SSHD, sshd.len() / 2);
    fs::write(&sums, before).unwrap();
}

/// A program of nobody's that dpkg's database was made to own.
fn names_a_file_that_no_package_ships(root: &Root, archive: &Archive) {
    let (list, sums) =
        ["list", "md5sums"].map(|end| root.join(&format!("/var/lib/dpkg/info/openssh-server.{end}"))).into();
    let before = (fs::read_to_string(&list).unwrap(), fs::read_to_string(&sums).unwrap());
    let module = RootedPath::new("/usr/sbin/sshd-helper").unwrap();
    fs::write(root.path().join("usr/sbin/sshd-helper"), "evil").unwrap();
    fs::write(&list, format!("{}{module}\n", before.0)).unwrap();
    let digest = Digest::of(Algorithm::Md5, b"evil").hex();
    fs::write(&sums, format!("{}{digest}  usr/sbin/sshd-helper\n", before.1)).unwrap();
    let questions = [(module, BTreeSet::from([Role::Helper]))];
    let aids = Aids { archives: std::slice::from_ref(&archive.dir), keyrings: &[keyring()], ..Aids::default() };
    assert!(codes(&look_with(root.path(), &questions, Aids::default()).0).is_empty());
    assert_eq!(codes(&look_with(root.path(), &questions, aids).0), ["provenance/unshipped-file"]);
    fs::write(list, before.0).unwrap();
    fs::write(sums, before.1).unwrap();
    fs::remove_file(root.path().join("usr/sbin/sshd-helper")).unwrap();
}

/// A list that names a forged index, signed by a key of the intruder's that lies among the host's.
fn counts_nothing_that_a_stranger_signed(root: &Root, archive: &Archive) {
    let (list, _) = archive.suite();
    let text = sshproof::formats::apt::clearsign::parse(&fs::read(&list).unwrap()).unwrap().text;
    let before = fs::read(&list).unwrap();
    let home = tempfile::tempdir().unwrap();
    let gpg = |args: &[&str]| {
        let mut command = Command::new("gpg");
        let done = command.args(["--batch", "--quiet", "--homedir"]).arg(home.path()).args(args).stderr(Stdio::null());
        let output = done.output().unwrap();
        assert!(output.status.success(), "{args:?}");
        output.stdout
    };
    gpg(&[
        "--passphrase",
        "",
        "--quick-generate-key",
        "Debian Archive <archive@debian.example>",
        "ed25519",
        "sign",
        "never",
    ]);
    let plain = home.path().join("Release");
    fs::write(&plain, text).unwrap();
    fs::write(&list, gpg(&["--output", "-", "--clearsign", plain.to_str().unwrap()])).unwrap();
    let key = gpg(&["--armor", "--export"]);
    let keyrings = [("planted".to_owned(), key)];
    let aids = Aids { archives: std::slice::from_ref(&archive.dir), keyrings: &keyrings, ..Aids::default() };
    let facts = look(root, aids).0;
    // The list that leads to the package is a stranger's, whatever else is right.
    assert!(has(&codes(&facts), "provenance/archive-signature"), "{:?}", codes(&facts));
    assert_eq!(trust_of(&facts, SSHD), Trust::LocalStrong);
    fs::write(&list, before).unwrap();
    let _ = Command::new("gpgconf").args(["--kill", "all", "--homedir"]).arg(home.path()).status();
}

/// What a scan leaves in the state directory proves the same later, alone; and nothing once it was altered, though all
/// digests in it were made to fit.
fn keeps_evidence_and_believes_none_of_it(root: &Root, archive: &Archive, scratch: &Path) {
    let dir = scratch.join("state");
    let aids = Aids { archives: std::slice::from_ref(&archive.dir), state: Some(&dir), ..Aids::default() };
    let kept = look(root, aids).1;
    assert!(kept.new.len() >= 4, "{:?}", kept.used);
    let state = State::open(&dir).unwrap();
    state.keep_archive(&kept.used, &kept.new).unwrap();
    let alone = Aids { state: Some(&dir), ..Aids::default() };
    let (facts, again) = look(root, alone);
    assert_eq!(trust_of(&facts, SSHD), Trust::VendorSigned);
    assert_eq!((&again.used, again.new.len()), (&kept.used, 0), "it is there already");

    // The intruder's sshd in the package, the package in the index, the index in the list; the signature he cannot make.
    let name = |part: &str| kept.used.iter().find(|name| name.contains(part)).unwrap();
    let place = state::archive(&dir);
    let package = place.join(name("openssh-server_"));
    let honest = fs::read(&package).unwrap();
    let forged = [honest.as_slice(), b"\n"].concat();
    let hex = |bytes: &[u8]| Digest::of(Algorithm::Sha256, bytes).hex();
    let release_of = |name: &str| name.split('_').next().unwrap().to_owned();
    let indices = kept.used.iter().filter(|name| name.contains("Packages"));
    let holds = |index: &&String| memchr::memmem::find(&plain(&place.join(index)), hex(&honest).as_bytes()).is_some();
    let index = indices.into_iter().find(holds).unwrap();
    let old = plain(&place.join(index));
    let new = String::from_utf8(old.clone()).unwrap().replace(&hex(&honest), &hex(&forged));
    let new = new.replace(&format!("Size: {}\n", honest.len()), &format!("Size: {}\n", forged.len()));
    let list = place.join(format!("{}_InRelease", release_of(index)));
    let text = fs::read_to_string(&list).unwrap();
    let replaced = text
        .replace(&hex(&old), &hex(new.as_bytes()))
        .replace(&format!(" {} ", old.len()), &format!(" {} ", new.len()));
    fs::write(&package, forged).unwrap();
    fs::remove_file(place.join(index)).unwrap();
    fs::write(place.join(index.trim_end_matches(".lz4")), new).unwrap();
    fs::write(&list, replaced).unwrap();
    let facts = look(root, alone).0;
    assert_eq!(codes(&facts), ["provenance/archive-signature"]);
    assert_eq!(trust_of(&facts, SSHD), Trust::LocalWeak);
}

/// The same from where apt leaves it, without being told.
fn reads_what_apt_keeps(root: &Root, archive: &Archive) {
    let (lists, pool) = (root.path().join("var/lib/apt/lists"), root.path().join("var/cache/apt/archives"));
    fs::create_dir_all(&lists).unwrap();
    fs::create_dir_all(&pool).unwrap();
    for entry in fs::read_dir(&archive.dir).unwrap().map(|entry| entry.unwrap()) {
        let to = if entry.file_name().to_str().unwrap().ends_with(".deb") { &pool } else { &lists };
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    assert_eq!(trust_of(&look(root, Aids::default()).0, SSHD), Trust::VendorSigned);
    assert_eq!(trust_of(&look(root, Aids { without_own_archive: true, ..Aids::default() }).0, SSHD), Trust::LocalWeak);
}
