//! Signatures of distributors over the headers of foreign rpm databases, checked against the distributors' own key files;
//! damage anywhere in what is signed, or in the signature, is noticed.

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

use std::process::ExitCode;

use common::mimic::{self, Part, corpora, trial};
use rpm_database::blobs;
use sshproof::formats::rpm::header::Header;
use sshproof::formats::rpm::{signature, tag};
use sshproof::knowledge::VendorKeys;
use sshproof::model::Timestamp;
use sshproof::trust::keyring::Keyring;
use sshproof::trust::vendor::{Doubt, Pins, Question, Release, vouches};
use sshproof::trust::{Checked, Hash, Outcome};

fn main() -> ExitCode {
    mimic::run(vec![
        trial("key_files_with_prose_and_several_blocks_are_read_whole", &[Part::Corpora], key_files),
        trial("every_foreign_header_verifies_and_is_vouched_for", &[Part::Corpora], foreign_headers),
        trial("one_bit_in_region_trailer_or_signature_fails", &[Part::Corpora], one_bit),
    ])
}

/// The databases, with the release that each is of and how many of its headers are signed.
const DATABASES: [(&str, &str, &str, usize, Hash); 3] = [
    ("centos6.Packages", "centos", "6", 3, Hash::Sha1),
    ("sle.Packages.db", "sles", "15", 3, Hash::Sha256),
    ("fedora33.rpmdb.sqlite", "fedora", "33", 9, Hash::Sha256),
];

fn keyring() -> Keyring {
    let mut keyring = Keyring::default();
    for entry in std::fs::read_dir(corpora().unwrap().join("keys")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(keyring.add(&name, &std::fs::read(&path).unwrap()), 0, "{name}");
    }
    keyring
}

/// As many certificates as the files have blocks; the same when everything stands in one file with prose between.
fn key_files() {
    let keyring = keyring();
    let mut all = b"Keys of several distributors.\n-----BEGIN nothing\n".to_vec();
    let mut blocks = 0;
    for entry in std::fs::read_dir(corpora().unwrap().join("keys")).unwrap() {
        let text = std::fs::read(entry.unwrap().path()).unwrap();
        blocks += String::from_utf8_lossy(&text).matches("-----BEGIN PGP PUBLIC").count();
        all.extend_from_slice(b"\nThe next file, with words before its block:\n");
        all.extend_from_slice(&text);
    }
    assert!(blocks >= 10, "{blocks} blocks");
    assert!(keyring.certificates().len() >= blocks);
    let mut one = Keyring::default();
    assert_eq!(one.add("all", &all), 0);
    assert_eq!(one.certificates().len(), keyring.certificates().len());
}

fn foreign_headers() {
    let (keyring, keys) = (keyring(), VendorKeys::embedded());
    for (database, id, major, count, hash) in DATABASES {
        let release = Release { id: id.to_owned(), major: major.to_owned() };
        let mut signed = 0;
        let mut spent = std::time::Duration::ZERO;
        for blob in blobs(database) {
            let header = Header::parse(&blob).unwrap();
            let name = header.string(tag::NAME).unwrap().escape_ascii().to_string();
            let start = std::time::Instant::now();
            let found = signatures(&keyring, &header);
            spent += start.elapsed();
            if name == "gpg-pubkey" {
                assert_eq!(found, []);
                continue;
            }
            signed += 1;
            assert!(matches!(found[0].outcome, Outcome::Good(_)), "{database}: {name}: {found:?}");
            assert_eq!(found[0].hash, hash, "{name}");
            let pins = Pins { vendor: &keys, site: &[] };
            let ask = |release, package| {
                vouches(&found, &pins, &Question { package, release: Some(release), at: Timestamp(0) })
            };
            let voucher = ask(&release, name.as_str());
            assert!(voucher.is_ok(), "{database}: {name}: {voucher:?} {found:?}");
            // The same signature counts for nothing elsewhere.
            let other = Release { id: "rocky".to_owned(), major: "9".to_owned() };
            let doubt = ask(&other, "openssh-server").unwrap_err();
            assert!(matches!(doubt, Doubt::NotBase(_) | Doubt::Refused(_)), "{doubt:?}");
        }
        assert_eq!(signed, count, "{database}");
        println!("{database}: {signed} of {signed} headers verified, {} µs each", spent.as_micros() / signed as u128);
    }
}

/// Every 97th bit of what is signed, each bit of the trailer, and every 13th bit of the signature.
fn one_bit() {
    let keyring = keyring();
    for (database, ..) in DATABASES {
        let blob = blobs(database).into_iter().min_by_key(Vec::len).unwrap();
        let header = Header::parse(&blob).unwrap();
        let signed = header.signed();
        let packets = signature::packets(&header).unwrap();
        let is_good = |signed: &[u8], packets: &[u8]| {
            keyring.check(signed, packets).iter().any(|checked| matches!(checked.outcome, Outcome::Good(_)))
        };
        assert!(is_good(&signed, &packets[0]), "{database}");
        let trailer = (signed.len() - 16) * 8..signed.len() * 8;
        for bit in (0..signed.len() * 8).step_by(97).chain(trailer) {
            let mut bent = signed.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_good(&bent, &packets[0]), "{database}: bit {bit} of the region");
        }
        let bits = (0..packets[0].len() * 8).step_by(3);
        let survivors: Vec<usize> = bits
            .filter(|bit| {
                let mut bent = packets[0].clone();
                bent[bit / 8] ^= 1 << (bit % 8);
                is_good(&signed, &bent)
            })
            .map(|bit| bit / 8)
            .collect();
        // A packet of version 4 holds the key's id unhashed, a hint that its hashed fingerprint makes superfluous, and four
        // bytes on the number of bits of the number that is the signature: these may change without harm, nothing else.
        let window = survivors.last().map_or(0, |last| last - survivors[0] + 1);
        assert!(window <= 14, "{database}: bytes {survivors:?} of the signature may change");
    }
}

fn signatures(keyring: &Keyring, header: &Header<'_>) -> Vec<Checked> {
    let signed = header.signed();
    signature::packets(header).unwrap().iter().flat_map(|packets| keyring.check(&signed, packets)).collect()
}
