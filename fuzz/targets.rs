//! What is thrown at the readers of package databases, keys and signatures: one function a reader, any bytes in.
//!
//! `tests/mutants.rs` drives them with damaged copies of their seeds. Each is of the form that libFuzzer's `fuzz_target!`
//! wants but for its answer: whether the bytes got past the reader's first check (a magic, a length, a first line), so that the
//! driver can say how deep it came.

use std::cell::OnceCell;

use sshproof::formats::capability::FileCapabilities;
use sshproof::formats::dpkg::{alternatives, diversions, list, md5sums, pam_auth_update, statoverride, status, ucf};
use sshproof::formats::problem::Problems;
use sshproof::formats::rpm::header::{Header, HeaderProblem};
use sshproof::formats::rpm::version::Evr;
use sshproof::formats::rpm::{DatabaseProblem, bdb, files, ndb, requires, signature, sqlite};
use sshproof::formats::{base64, deb822};
use sshproof::model::RootedPath;
use sshproof::trust::keyring::Keyring;

/// A reader.
pub struct Target {
    pub name: &'static str,
    pub fuzz: fn(&[u8]) -> bool,
    /// How many of a thousand mutants are its.
    pub share: usize,
}

pub const TARGETS: &[Target] = &[
    Target { name: "rpm header", fuzz: header, share: 320 },
    Target { name: "rpm database, SQLite", fuzz: sqlite_database, share: 150 },
    Target { name: "rpm database, SQLite's log", fuzz: sqlite_log, share: 50 },
    Target { name: "rpm database, ndb", fuzz: ndb_database, share: 100 },
    Target { name: "rpm database, Berkeley DB", fuzz: bdb_database, share: 100 },
    Target { name: "rpm versions", fuzz: versions, share: 15 },
    Target { name: "OpenPGP keys", fuzz: keys, share: 5 },
    Target { name: "OpenPGP signatures", fuzz: signatures, share: 5 },
    Target { name: "base64", fuzz: decode, share: 15 },
    Target { name: "capabilities on disk", fuzz: capability_attribute, share: 20 },
    Target { name: "capabilities in words", fuzz: capability_text, share: 20 },
    Target { name: "dpkg status", fuzz: dpkg_status, share: 25 },
    Target { name: "dpkg md5sums", fuzz: dpkg_md5sums, share: 25 },
    Target { name: "dpkg list", fuzz: dpkg_list, share: 25 },
    Target { name: "dpkg diversions", fuzz: dpkg_diversions, share: 25 },
    Target { name: "dpkg statoverride", fuzz: dpkg_statoverride, share: 25 },
    Target { name: "dpkg alternatives", fuzz: dpkg_alternatives, share: 25 },
    Target { name: "ucf", fuzz: dpkg_ucf, share: 25 },
    Target { name: "pam-auth-update", fuzz: dpkg_pam_auth_update, share: 25 },
];

fn header(data: &[u8]) -> bool {
    match Header::parse(data) {
        Err(problem) => !matches!(problem, HeaderProblem::Length | HeaderProblem::TooLarge | HeaderProblem::NoRegion),
        Ok(header) => {
            let _ = (files::files(&header, &|_| true), requires::demands(&header), signature::packets(&header));
            let _ = (header.signed(), header.shadowed().count());
            true
        }
    }
}

/// Walks a database, and reads each header in it.
fn walk(read: impl FnOnce(&mut dyn FnMut(Vec<u8>) -> bool) -> Result<(), DatabaseProblem>) -> bool {
    let walked = read(&mut |blob| {
        header(&blob);
        true
    });
    walked.is_ok() || walked.is_err_and(|problem| problem.offset > 0)
}

fn part(data: &[u8], offset: u64, length: usize) -> Option<Vec<u8>> {
    let start = usize::try_from(offset).ok()?;
    Some(data.get(start..start.checked_add(length)?)?.to_vec())
}

fn sqlite_database(data: &[u8]) -> bool {
    let read = |offset, length| part(data, offset, length);
    if let Ok(mut database) = sqlite::Database::open(&read, None) {
        let _ = (database.hints(b"sshd"), database.hints(b""), database.package(2));
    }
    walk(|each| sqlite::packages(&read, None, each))
}

/// The database's length in eight bytes, the database, its log.
fn sqlite_log(data: &[u8]) -> bool {
    let (length, rest) = data.split_at(data.len().min(8));
    let length = length.try_into().map_or(0, u64::from_be_bytes);
    let (file, log) = rest.split_at(usize::try_from(length).unwrap_or(0).min(rest.len()));
    let (file, log) = (|offset, length| part(file, offset, length), |offset, length| part(log, offset, length));
    walk(|each| sqlite::packages(&file, Some(&log), each))
}

fn ndb_database(data: &[u8]) -> bool {
    let _ = ndb::generation(&|offset, length| part(data, offset, length));
    walk(|each| ndb::packages(&|offset, length| part(data, offset, length), each))
}

fn bdb_database(data: &[u8]) -> bool {
    walk(|each| bdb::packages(&|offset, length| part(data, offset, length), each))
}

fn versions(data: &[u8]) -> bool {
    let (one, two) = data.split_at(data.iter().position(|byte| *byte == b' ').unwrap_or(data.len() / 2));
    let (one, two) = (Evr::parse(one), Evr::parse(two));
    assert_eq!(one.compare(&two), two.compare(&one).reverse(), "{}", data.escape_ascii());
    true
}

thread_local! {
    /// A genuine signature: signed bytes, packets, the key file that it is by.
    static GENUINE: OnceCell<(Vec<u8>, Vec<u8>, Vec<u8>)> = const { OnceCell::new() };
    static KEYRING: OnceCell<Keyring> = const { OnceCell::new() };
}

/// Sets what keys and signatures are held against: signed bytes, the packets of a signature over them, its key file.
pub fn set_genuine(genuine: (Vec<u8>, Vec<u8>, Vec<u8>)) {
    GENUINE.with(|cell| cell.set(genuine).unwrap());
}

/// Whether these bytes could begin an OpenPGP packet (RFC 9580, section 4.2).
fn is_packet(data: &[u8]) -> bool {
    data.first().is_some_and(|first| first & 0x80 != 0)
}

/// A key file against a genuine signature: where the key itself is still whole, all that it says of itself is verified.
fn keys(data: &[u8]) -> bool {
    let mut keyring = Keyring::default();
    keyring.add("fuzz", data);
    for certificate in keyring.certificates() {
        let _ = (certificate.fingerprint(), certificate.key_ids().count());
    }
    GENUINE.with(|genuine| genuine.get().map(|(signed, packets, _)| keyring.check(signed, packets)));
    is_packet(data)
}

fn signatures(data: &[u8]) -> bool {
    GENUINE.with(|genuine| {
        let (signed, _, key) = genuine.get().unwrap();
        KEYRING.with(|keyring| {
            let keyring = keyring.get_or_init(|| {
                let mut keyring = Keyring::default();
                keyring.add("genuine", key);
                keyring
            });
            let _ = keyring.check(signed, data);
        });
    });
    is_packet(data)
}

fn decode(data: &[u8]) -> bool {
    base64::decode(data).is_some()
}

fn capability_attribute(data: &[u8]) -> bool {
    FileCapabilities::from_attribute(data).map(|found| found.to_string()).is_some()
}

/// What is understood says the same when it is written and read again.
fn capability_text(data: &[u8]) -> bool {
    let found = FileCapabilities::from_text(data);
    if let Some(found) = found.filter(|found| !found.is_empty()) {
        let again = FileCapabilities::from_text(found.to_string().as_bytes());
        assert_eq!(again, Some(found), "{}", data.escape_ascii());
    }
    found.is_some()
}

fn dpkg_status(data: &[u8]) -> bool {
    let (entries, _) = status::parse(data);
    for entry in &entries {
        let _ = (entry.state(), entry.conffiles());
    }
    deb822::stanzas(data).for_each(|stanza| drop(stanza.fields(&mut Problems::default())));
    !entries.is_empty()
}

fn dpkg_md5sums(data: &[u8]) -> bool {
    let (sums, _) = md5sums::parse(data);
    sums.iter().filter(|sum| sum.digest().is_some()).count() > 0
}

fn dpkg_list(data: &[u8]) -> bool {
    let wanted: Vec<RootedPath> = ["/usr/sbin/sshd", "/etc/x"].iter().filter_map(RootedPath::new).collect();
    !list::Wanted::new(&wanted).find(data).is_empty()
}

fn dpkg_diversions(data: &[u8]) -> bool {
    !diversions::parse(data).0.is_empty()
}

fn dpkg_statoverride(data: &[u8]) -> bool {
    !statoverride::parse(data).0.is_empty()
}

fn dpkg_alternatives(data: &[u8]) -> bool {
    let (group, _) = alternatives::parse(data);
    let _ = group.targets(b"awk").count();
    !group.links.is_empty()
}

fn dpkg_ucf(data: &[u8]) -> bool {
    let counts = (ucf::parse_hashfile(data).0.len(), ucf::parse_registry(data).0.len(), ucf::history(data).count());
    counts != (0, 0, 0)
}

fn dpkg_pam_auth_update(data: &[u8]) -> bool {
    pam_auth_update::without_blocks(data).is_some()
}
