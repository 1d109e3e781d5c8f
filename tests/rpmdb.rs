//! Foreign rpm databases: every header in them is read, and is what its own digests say; damage is noticed, never followed.
//! Databases made by SQLite itself: read without it, and read as it reads them.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;
#[path = "common/rpm_database.rs"]
mod rpm_database;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, ExitCode};

use common::mimic::{self, Part, corpora, trial};
use rpm_database::{packages_bdb, packages_ndb, packages_sqlite, part};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use sshproof::formats::rpm::files::{self, File};
use sshproof::formats::rpm::header::Header;
use sshproof::formats::rpm::{DatabaseProblem, sqlite, tag};
use sshproof::model::text::hex;

fn main() -> ExitCode {
    mimic::run(vec![
        trial("centos_6_berkeley_db", &[Part::Corpora], || {
            check(&corpus("centos6.Packages"), packages_bdb, 3, Digests::Sha1);
        }),
        trial("sle_ndb", &[Part::Corpora], || check(&corpus("sle.Packages.db"), packages_ndb, 3, Digests::Both)),
        trial("fedora_33_sqlite", &[Part::Corpora], || {
            check(&corpus("fedora33.rpmdb.sqlite"), packages_sqlite, 9, Digests::Both);
        }),
        trial("one_bit_anywhere_in_a_signed_header_is_noticed", &[Part::Corpora], one_bit_is_noticed),
        trial("damaged_databases_end_the_walk", &[Part::Corpora], damaged_databases),
        trial("sqlite_reads_the_same", &[Part::Program("sqlite3")], sqlite_reads_the_same),
        trial(
            "sqlite_refuses_or_reads_the_same_of_mutants",
            &[Part::Corpora, Part::Program("sqlite3")],
            sqlite_mutants,
        ),
        trial("sqlite_finds_packages_through_the_index", &[Part::Corpora], sqlite_hints),
        trial("sqlite_finds_rows_as_sqlite_does", &[Part::Program("sqlite3")], sqlite_rows),
        trial("sqlite_log_is_laid_over_the_file", &[Part::Program("sqlite3")], sqlite_log),
    ])
}

type Walk = fn(&[u8]) -> Result<Vec<Vec<u8>>, DatabaseProblem>;

/// Which digests of the region a database's packages carry; the older ones only SHA-1.
#[derive(PartialEq, Eq)]
enum Digests {
    Sha1,
    Both,
}

/// Every package of the database is read; its signed bytes have the digests that were recorded beside them; a signature
/// over them is there; its files make sense.
fn check(bytes: &[u8], walk: Walk, count: usize, digests: Digests) {
    let blobs = walk(bytes).unwrap();
    let mut signed = 0;
    for blob in &blobs {
        let header = Header::parse(blob).unwrap();
        let name = header.string(tag::NAME).unwrap();
        if name == b"gpg-pubkey" {
            continue;
        }
        signed += 1;
        let label = name.escape_ascii().to_string();
        let region = header.signed();
        let recorded =
            |tag| header.dribble_strings(tag).map(|mut all| String::from_utf8(all.next().unwrap().to_vec()).unwrap());
        assert_eq!(recorded(tag::SHA1_HEADER), Some(hex(&Sha1::digest(&region))), "{label}");
        match digests {
            Digests::Both => {
                assert_eq!(recorded(tag::SHA256_HEADER), Some(hex(&Sha256::digest(&region))), "{label}");
            }
            Digests::Sha1 => assert_eq!(recorded(tag::SHA256_HEADER), None, "{label}"),
        }
        let signature = header.dribble_bytes(tag::RSA_HEADER).or_else(|| header.dribble_bytes(tag::DSA_HEADER));
        // An OpenPGP packet of the old or the new form with tag 2 (RFC 9580, section 4.2).
        let first = signature.unwrap_or_else(|| panic!("{label} is not signed"))[0];
        assert!(first & 0xfc == 0x88 || first == 0xc2, "{label}: {first:#x}");
        assert_eq!(header.shadowed().count(), 0, "{label}");
        let files = files::files(&header, &|_| true).unwrap();
        assert!(files.iter().all(is_sensible), "{label}: {files:#?}");
    }
    assert_eq!(signed, count);
}

/// Regular files have digests unless they are ghosts, links have targets.
fn is_sensible(file: &File) -> bool {
    match file.mode.unwrap() & 0o170_000 {
        0o100_000 => file.digest.is_some() || file.flags & files::GHOST != 0,
        0o120_000 => file.digest.is_none() && file.link.is_some(),
        _ => file.digest.is_none() && file.link.is_none(),
    }
}

/// A flipped bit in the region either makes the header unreadable or changes what is signed; none goes unnoticed.
fn one_bit_is_noticed() {
    let blobs = packages_sqlite(&corpus("fedora33.rpmdb.sqlite")).unwrap();
    let (mut refused, mut changed) = (0, 0);
    for blob in &blobs {
        let signed = Header::parse(blob).unwrap().signed();
        // What is signed of a blob stands in it in two pieces: entries, data. The region's length is what both share.
        let entries = usize::try_from(u32::from_be_bytes(signed[8..12].try_into().unwrap())).unwrap() * 16;
        let all_entries = usize::try_from(u32::from_be_bytes(blob[..4].try_into().unwrap())).unwrap() * 16;
        let data = signed.len() - 16 - entries;
        let places = (8..8 + entries).chain(8 + all_entries..8 + all_entries + data);
        for place in places.step_by(7) {
            let mut bent = blob.clone();
            bent[place] ^= 1 << (place % 8);
            match Header::parse(&bent) {
                Err(_) => refused += 1,
                Ok(header) => {
                    assert_ne!(header.signed(), signed, "byte {place}");
                    changed += 1;
                }
            }
        }
    }
    assert!(refused > 100 && changed > 1000, "{refused} refused, {changed} changed");
}

/// Bytes overwritten all over each database: the walk ends, with an answer or a problem, and never gives a blob that is
/// larger than the file.
fn damaged_databases() {
    let databases: [(&str, Walk); 3] = [
        ("centos6.Packages", packages_bdb),
        ("sle.Packages.db", packages_ndb),
        ("fedora33.rpmdb.sqlite", packages_sqlite),
    ];
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let (mut past_the_magic, mut rounds) = (0, 0);
    for (name, walk) in databases {
        let bytes = corpus(name);
        for _ in 0..400 {
            let mut bent = bytes.clone();
            for _ in 0..8 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                // Half of the damage goes to the beginnings of pages, where structure is.
                let at = usize::try_from(random >> 20).unwrap() % bent.len();
                let at = if random & 1 == 0 { at & !0xfff | at & 0x3f } else { at };
                bent[at] = random.to_le_bytes()[1];
            }
            if random & 6 == 0 {
                bent.truncate(usize::try_from(random >> 24).unwrap() % bent.len());
            }
            rounds += 1;
            let mut largest = 0;
            let outcome = walk(&bent).inspect(|blobs| {
                for blob in blobs {
                    largest = largest.max(blob.len());
                    if let Ok(header) = Header::parse(blob) {
                        let _ = (files::files(&header, &|_| true), header.signed());
                    }
                }
            });
            assert!(largest <= bent.len());
            past_the_magic += usize::from(outcome.is_ok() || outcome.is_err_and(|problem| problem.offset > 0));
        }
    }
    assert!(past_the_magic * 2 > rounds, "{past_the_magic} of {rounds} got past the first page's magic");
}

/// A table with blobs of every size around the borders at which SQLite moves them to other pages, at two page sizes.
fn sqlite_reads_the_same() {
    for page_size in [512, 4096] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rpmdb.sqlite");
        ask(&path, &format!("PRAGMA page_size = {page_size}; {SCHEMA}"));
        let sizes: BTreeSet<usize> =
            (0..40).chain(400..520).chain(4000..4100).chain([20_000, 100_000, 1_000_000]).collect();
        let rows: Vec<String> =
            sizes.iter().map(|size| format!("INSERT INTO Packages(blob) VALUES (randomblob({size}));")).collect();
        ask(&path, &format!("BEGIN; {} COMMIT; DELETE FROM Packages WHERE hnum % 7 = 0;", rows.concat()));
        same(&path);
    }
}

/// A thousand databases with bytes overwritten: where both answer, the answers are the same, byte for byte. Where SQLite
/// refuses, so do we, except that it understands the whole schema before it reads a row (`in prepare`) and we look at three
/// names in it only. We may be stricter (a page in two places).
fn sqlite_mutants() {
    let bytes = corpus("fedora33.rpmdb.sqlite");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rpmdb.sqlite");
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let (mut same, mut both_refuse, mut stricter, mut schema) = (0, 0, 0, 0);
    let mut laxer = Vec::new();
    for round in 0..1000 {
        let mut bent = bytes.clone();
        for _ in 0..=round % 4 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            // Mostly the first bytes of pages, and the pointers after them: the schema and the tables' trees.
            let page = usize::try_from(random >> 40).unwrap() % (bent.len() / 4096);
            let page = if random & 3 == 0 { page % 3 } else { page };
            let at = page * 4096 + usize::try_from(random >> 8).unwrap() % if random & 4 == 0 { 4096 } else { 64 };
            bent[at] = random.to_le_bytes()[7];
        }
        std::fs::write(&path, &bent).unwrap();
        let theirs = Command::new("sqlite3")
            .arg(format!("file:{}?mode=ro&immutable=1", path.display()))
            .arg("SELECT hex(blob) FROM Packages NOT INDEXED ORDER BY rowid;")
            .output()
            .unwrap();
        let text = String::from_utf8(theirs.stdout).unwrap();
        let error = String::from_utf8_lossy(&theirs.stderr).trim().to_owned();
        let theirs = (theirs.status.success() && theirs.stderr.is_empty())
            .then(|| text.lines().map(|line| sshproof::model::text::unhex(line).unwrap()).collect::<Vec<_>>());
        match (packages_sqlite(&bent), theirs) {
            (Ok(ours), Some(theirs)) => {
                assert!(ours == theirs, "round {round}: {} and {} blobs", ours.len(), theirs.len());
                same += 1;
            }
            (Err(_), None) => both_refuse += 1,
            (Err(_), Some(_)) => stricter += 1,
            (Ok(_), None) if error.contains("in prepare") && error.contains("malformed") => schema += 1,
            (Ok(_), None) => laxer.push((round, error)),
        }
    }
    println!(
        "{same} the same, {both_refuse} refused by both, {stricter} by us alone, {schema} by SQLite for its schema"
    );
    assert!(schema < 50, "{schema}");
    assert_eq!(laxer, [], "SQLite refuses these rounds, we do not");
    assert!(same > 300 && both_refuse > 100);
}

/// Every file of every package is found by its name, and what the index says is what the headers say.
fn sqlite_hints() {
    let bytes = corpus("fedora33.rpmdb.sqlite");
    let read = |offset, length| part(&bytes, offset, length);
    let mut database = sqlite::Database::open(&read, None).unwrap();
    let mut expected: BTreeMap<Vec<u8>, BTreeSet<u64>> = BTreeMap::new();
    let mut packages = 0;
    for number in 1..100 {
        let Some(blob) = database.package(number).unwrap() else { continue };
        packages += 1;
        let header = Header::parse(&blob).unwrap();
        for file in files::files(&header, &|_| true).unwrap() {
            expected.entry(file.path.file_name().to_vec()).or_default().insert(number);
        }
    }
    assert!(packages >= 9 && expected.len() > 100, "{packages} packages, {} names", expected.len());
    for (name, numbers) in &expected {
        let hints = database.hints(name).unwrap().unwrap();
        assert_eq!(hints, numbers.iter().copied().collect::<Vec<_>>(), "{}", name.escape_ascii());
    }
    assert_eq!(database.hints(b"no such file").unwrap(), Some(Vec::new()));
}

/// An index of three levels, names that many rows share, names that fill more than a page.
fn sqlite_rows() {
    for page_size in [512, 4096] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rpmdb.sqlite");
        let long = "x".repeat(5000);
        let fill = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
             INSERT INTO Basenames SELECT CASE WHEN i % 10 = 0 THEN 'shared' WHEN i % 5000 = 1 THEN '{long}' || i \
             ELSE 'file' || (i * 7919 % 6007) END, i % 97, i FROM n; DELETE FROM Basenames WHERE idx % 13 = 0;"
        );
        ask(&path, &format!("PRAGMA page_size = {page_size}; {SCHEMA} {fill}"));
        let bytes = std::fs::read(&path).unwrap();
        let read = |offset, length| part(&bytes, offset, length);
        let mut database = sqlite::Database::open(&read, None).unwrap();
        let names = ask(&path, "SELECT key, group_concat(hnum) FROM Basenames GROUP BY key;");
        assert!(names.lines().count() > 5000);
        for line in names.lines() {
            let (name, numbers) = line.split_once('|').unwrap();
            let expected: BTreeSet<u64> = numbers.split(',').map(|number| number.parse().unwrap()).collect();
            let hints = database.hints(name.as_bytes()).unwrap().unwrap();
            assert_eq!(hints, expected.into_iter().collect::<Vec<_>>(), "{name}");
        }
        for name in ["", "file", "file0", "sharec", "sharee", "zzz"] {
            let in_sqlite = names.lines().any(|line| line.split_once('|').unwrap().0 == name);
            assert_eq!(!database.hints(name.as_bytes()).unwrap().unwrap().is_empty(), in_sqlite, "{name}");
        }
    }
}

/// What was committed and not checkpointed stands in the log alone; a torn last frame is not part of it.
fn sqlite_log() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rpmdb.sqlite");
    ask(&path, &format!("PRAGMA journal_mode = WAL; {SCHEMA} INSERT INTO Packages(blob) VALUES (randomblob(9000));"));
    // The copy is taken by the shell command inside the session: when the session ends, SQLite empties the log.
    let copy = dir.path().join("copy.sqlite");
    let (from, to) = (path.display(), copy.display());
    let insert = "INSERT INTO Packages(blob) VALUES (randomblob(30000)); DELETE FROM Packages WHERE hnum = 1;";
    ask(
        &path,
        &format!(
            "PRAGMA wal_autocheckpoint = 0;\n{insert}\n.shell cp {from} {to}\n.shell cp {from}-wal {to}-wal\nSELECT 1;"
        ),
    );
    let log_path = dir.path().join("copy.sqlite-wal");
    let mut log = std::fs::read(&log_path).unwrap();
    let bytes = std::fs::read(&copy).unwrap();
    assert!(log.len() > 30_000, "the log has {} bytes", log.len());
    let without = packages_sqlite(&bytes).unwrap();
    let with = packages_with_log(&bytes, &log).unwrap();
    assert_ne!(without, with);
    assert_eq!(with.iter().map(Vec::len).collect::<Vec<_>>(), [30_000]);
    assert_eq!(with, oracle(&copy));
    // One bit in the last frame: its transaction was never committed.
    let last = log.len() - 100;
    log[last] ^= 1;
    assert_ne!(packages_with_log(&bytes, &log).ok(), Some(with));
}

const SCHEMA: &str = "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL); \
    CREATE TABLE 'Basenames' (key 'TEXT' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL); \
    CREATE INDEX 'Basenames_key_idx' ON 'Basenames'(key ASC);";

fn same(path: &Path) {
    let blobs = packages_sqlite(&std::fs::read(path).unwrap()).unwrap();
    assert!(blobs.len() > 100);
    assert_eq!(blobs, oracle(path));
}

fn ask(path: &Path, sql: &str) -> String {
    use std::io::Write as _;
    let mut child = Command::new("sqlite3")
        .arg(path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{sql}");
    String::from_utf8(output.stdout).unwrap()
}

/// The blobs as SQLite's own shell reads them.
fn oracle(path: &Path) -> Vec<Vec<u8>> {
    let text = ask(path, "SELECT hex(blob) FROM Packages ORDER BY hnum;");
    text.lines().map(|line| sshproof::model::text::unhex(line).unwrap()).collect()
}

fn corpus(name: &str) -> Vec<u8> {
    std::fs::read(corpora().unwrap().join("rpmdb").join(name)).unwrap()
}

fn packages_with_log(bytes: &[u8], log: &[u8]) -> Result<Vec<Vec<u8>>, DatabaseProblem> {
    let mut blobs = Vec::new();
    let log = |offset, length| part(log, offset, length);
    sqlite::packages(&|offset, length| part(bytes, offset, length), Some(&log), &mut |blob| {
        blobs.push(blob);
        true
    })?;
    Ok(blobs)
}
