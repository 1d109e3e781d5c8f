//! A whole rpm host, made here: packages built, signed with a test key and installed into a scratch root by Debian's rpm
//! tools, then altered as intruders alter hosts. What `rpm -V` says of the same root stands beside our answer.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;
#[path = "common/rpm_forms.rs"]
mod rpm_forms;
#[path = "common/rpm_host.rs"]
mod rpm_host;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use common::mimic::{self, Part, trial};
use common::report::Scan;
use rpm_host::{Host, Key};
use sshproof::formats::base64;
use sshproof::formats::rpm::tag;
use sshproof::formats::rpm::version::Evr;
use sshproof::manifest::{Order, build};
use sshproof::model::manifest::Manifest;
use sshproof::model::report::{LinkKind, Report, Trust};
use sshproof::model::{Check, Severity, Subject, Timestamp, Verdict};
use sshproof::observe::Request;
use sshproof::own::state::State;
use sshproof::policy::Policy;
use sshproof::render::{Format, Style, render};
use sshproof::scan;

const PARTS: &[Part] = &[
    Part::Root,
    Part::Program("rpmbuild"),
    Part::Program("rpmsign"),
    Part::Program("rpm"),
    Part::Program("gpg"),
    Part::Program("sqlite3"),
    Part::Program("setcap"),
    Part::File("/usr/sbin/sshd"),
];

const LIVE: &[Part] = &[Part::Packages, Part::Namespaces];

/// As the first argument: scan the host that we are in, as [`scan_inside`] says.
const INSIDE: &str = "scan-inside";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(INSIDE) {
        scan_inside(&arguments.next().unwrap());
        return ExitCode::SUCCESS;
    }
    mimic::run(vec![
        trial("clean_is_vendor_signed", PARTS, clean),
        trial("without_the_key_nothing_is_proved", PARTS, key_missing),
        trial("altered_file", PARTS, altered_file),
        trial("altered_and_stripped_record_that_rpm_accepts", PARTS, stripped),
        trial("altered_record_with_its_signature_left", PARTS, bad_signature),
        trial("signed_by_a_stranger", PARTS, stranger),
        trial("signed_by_a_key_that_is_not_for_the_base", PARTS, not_base),
        trial("unsigned_values_hide_signed_ones", PARTS, shadowed),
        trial("a_planted_header_does_not_outweigh_the_signed_one", PARTS, planted),
        trial("an_index_without_the_owner", PARTS, index_without_owner),
        trial("keys_that_the_site_pins", PARTS, site_keys),
        trial("a_version_that_was_rolled_back", PARTS, rolled_back),
        trial("a_manifest_carries_the_signatures_of_a_database_that_is_gone", PARTS, manifest),
        trial("versions_are_ordered_as_rpm_orders_them", PARTS, versions),
        trial("databases_of_the_other_forms", PARTS, other_forms),
        trial("verdicts_are_those_of_rpm_verify", PARTS, as_rpm_verify),
        trial("an_upgrade_is_told_from_a_file_that_nobody_signed", &[PARTS, LIVE].concat(), upgraded),
    ])
}

fn clean() {
    let host = Host::build(Key::vendor());
    let report = host.scan();
    assert_eq!(findings(&report), BTreeMap::new());
    assert_eq!(verdict(&report), Verdict::Pass, "{:#?}", report.results);
    assert_eq!(report.trust_floor, Some(Trust::VendorSigned));
    let sshd = report.files.iter().find(|file| file.path.as_bytes() == b"/usr/sbin/sshd").unwrap();
    assert_eq!(sshd.trust, Trust::VendorSigned);
    assert!(sshd.package.as_deref().unwrap().starts_with("openssh-server-9.2p1-1.noarch"), "{:?}", sshd.package);
    let signature = sshd.chain.iter().find(|link| link.link == LinkKind::Signature).unwrap();
    assert!(signature.ok && signature.by.contains(&host.key.fingerprint), "{signature:?}");
    assert_eq!(host.rpm_verify(), BTreeMap::new());
    // What an operator reads of it.
    let text = String::from_utf8(render(&report, Format::Human, Style::PLAIN).unwrap()).unwrap();
    let text = text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let chain = format!("signed by Test Distribution <keys@example.org> (key {}, SHA-", host.key.fingerprint);
    assert!(text.contains(&chain), "{text}");
    assert!(text.contains("trust floor vendor-signed (the distributor's signatures)"), "{text}");
}

/// The same host without the key file: the pinned key is named, and the answer is that there is none.
fn key_missing() {
    let host = Host::build(Key::vendor());
    std::fs::remove_dir_all(host.root.join("etc/pki")).unwrap();
    let report = host.scan();
    assert_eq!(findings(&report), BTreeMap::new());
    assert_eq!(verdict(&report), Verdict::Inconclusive);
    assert_eq!(report.trust_floor, Some(Trust::LocalStrong));
    // With the operator's keyring it is as before.
    let report = host.scan_with(vec![("brought".to_owned(), host.key.public.clone())]);
    assert_eq!((verdict(&report), report.trust_floor), (Verdict::Pass, Some(Trust::VendorSigned)));
}

fn altered_file() {
    let host = Host::build(Key::vendor());
    host.alter("usr/sbin/sshd");
    expect(&host.scan(), &[("/usr/sbin/sshd", "provenance/digest-mismatch")]);
}

/// Digest of the altered server put into the record, signatures and digests of the header removed: rpm says nothing.
fn stripped() {
    let host = Host::build(Key::vendor());
    let digest = host.alter("usr/sbin/sshd");
    host.rewrite("openssh-server", |header| {
        header.replace_digest("/usr/sbin/sshd", &digest);
        header.dribbles.retain(|(tag, ..)| !SIGNATURE_TAGS.contains(tag));
    });
    assert_eq!(host.rpm_verify().get("/usr/sbin/sshd"), None, "rpm -V notices nothing");
    let report = host.scan();
    expect(&report, &[("openssh-server-9.2p1-1.noarch", "provenance/signature-stripped")]);
    assert_eq!(report.trust_floor, Some(Trust::LocalStrong));
}

/// Images often lose their database. A manifest made before, of the image or of its package files, proves the same, with the
/// distributor's signatures that each host checks, whoever signed the manifest or nobody.
fn manifest() {
    let host = Host::build(Key::vendor());
    let knowledge = || rpm_host::knowing(vec![rpm_host::pin("testos", &host.key.fingerprint, true)]);
    let now = Timestamp(1_800_000_000);
    let order = |root, packages| Order {
        label: "image".to_owned(),
        expires: Timestamp(4_000_000_000),
        packages,
        root,
        overlays: Vec::new(),
        node_files: Vec::new(),
        keyrings: Vec::new(),
    };
    let packages = host.package_files();
    assert!(packages.len() >= 2, "{packages:?}");
    let of_image = build(&order(Some(host.root.clone()), Vec::new()), &knowledge(), now).unwrap();
    let of_packages = build(&order(None, packages), &knowledge(), now).unwrap();
    assert!(of_image.headers.len() >= 2 && of_packages.headers.len() >= 2);
    assert!(of_packages.packages.iter().any(|package| package.name == "openssh-server"));
    std::fs::remove_dir_all(host.root.join("var/lib/rpm")).unwrap();
    let scan = |manifest: &Manifest| {
        let manifests = vec![("/manifest.json".to_owned(), manifest.clone())];
        let request = Request { root: host.root.clone(), manifests, ..Request::default() };
        let wanted = [Check::Provenance].into();
        scan::scan(&request, &wanted, &knowledge(), &Policy::default(), None, &mut |_| {}).unwrap().1
    };
    for manifest in [&of_image, &of_packages] {
        let report = scan(manifest);
        assert_eq!(report.trust_floor, Some(Trust::VendorSigned), "{:#?}", findings(&report));
        let codes: Vec<_> = findings(&report).into_values().collect();
        assert_eq!(codes, ["provenance/manifest-untrusted"], "nobody has signed the manifest itself");
    }
    // The distributor's word is checked, not believed: one bit of a header, and the site's own record is all that is left.
    let mut bent = of_packages.clone();
    for header in &mut bent.headers {
        let mut bytes = base64::decode(header.as_bytes()).unwrap();
        let at = bytes.windows(7).position(|window| window == b"openssh").unwrap_or(bytes.len() / 2);
        bytes[at] ^= 1;
        *header = base64::encode_unpadded(&bytes);
    }
    assert!(scan(&bent).trust_floor > Some(Trust::SiteSigned));
    host.alter("usr/sbin/sshd");
    let report = scan(&of_packages);
    assert!(findings(&report).values().any(|code| *code == "provenance/digest-mismatch"), "{:?}", findings(&report));
}

/// Tags over which rpm checks a header: signatures and digests.
const SIGNATURE_TAGS: &[u32] =
    &[tag::DSA_HEADER, tag::RSA_HEADER, tag::SHA1_HEADER, tag::SHA256_HEADER, 259, 261, 262, 257];

fn bad_signature() {
    let host = Host::build(Key::vendor());
    let digest = host.alter("usr/sbin/sshd");
    host.rewrite("openssh-server", |header| {
        header.replace_digest("/usr/sbin/sshd", &digest);
        // With the digests gone rpm has nothing left to compare but the signature, for which it needs a key.
        header.dribbles.retain(|(tag, ..)| ![tag::SHA1_HEADER, tag::SHA256_HEADER].contains(tag));
    });
    expect(&host.scan(), &[("openssh-server-9.2p1-1.noarch", "provenance/signature-bad")]);
}

/// Installed with the package manager's own tools, its key even laid beside the vendor's.
fn stranger() {
    let host = Host::build_with(Key::vendor(), &Key::new("Nobody <nobody@example.org>"));
    expect(&host.scan(), &[("openssh-server-9.2p1-1.noarch", "provenance/base-package-signer")]);
}

fn not_base() {
    let extra = Key::new("Additional packages <extra@example.org>");
    let host = Host::build_with(Key::vendor(), &extra);
    let report = host.scan_pinning(&[(&host.key, true), (&extra, false)]);
    expect(&report, &[("openssh-server-9.2p1-1.noarch", "provenance/base-package-signer")]);
    // Were it for the base, it would vouch.
    let report = host.scan_pinning(&[(&host.key, true), (&extra, true)]);
    assert_eq!((verdict(&report), report.trust_floor), (Verdict::Pass, Some(Trust::VendorSigned)));
}

/// A second, unsigned array of digests: the signed one is compared.
fn shadowed() {
    let host = Host::build(Key::vendor());
    let digest = host.alter("usr/sbin/sshd");
    host.rewrite("openssh-server", |header| {
        let mut forged = header.clone();
        forged.replace_digest("/usr/sbin/sshd", &digest);
        let digests = forged.region_entry(tag::FILE_DIGESTS);
        header.dribbles.push(digests);
    });
    expect(
        &host.scan(),
        &[
            ("/usr/sbin/sshd", "provenance/digest-mismatch"),
            ("openssh-server-9.2p1-1.noarch", "provenance/header-shadowed"),
        ],
    );
}

/// A second header of the same name, version and architecture that records the altered server, beside the genuine one: it
/// has no part in that one's signature, and what nobody signed does not outweigh what the distributor did.
fn planted() {
    // Before and after the genuine one in the order of reading.
    plant_at(1000);
    plant_at(0);
}

fn plant_at(number: u32) {
    let host = Host::build(Key::vendor());
    let digest = host.alter("usr/sbin/sshd");
    host.plant("openssh-server", number, |header| {
        header.replace_digest("/usr/sbin/sshd", &digest);
        header.dribbles.retain(|(tag, ..)| !SIGNATURE_TAGS.contains(tag));
    });
    let found = findings(&host.scan());
    assert_eq!(found.get("/usr/sbin/sshd").map(String::as_str), Some("provenance/digest-mismatch"), "{found:?}");
    let stripped = found.iter().filter(|(_, code)| *code == "provenance/signature-stripped").count();
    assert_eq!((stripped, found.len()), (1, 2), "{found:?}");
}

/// The index no longer names the server's owner, or names another package: all headers are read.
fn index_without_owner() {
    let host = Host::build(Key::vendor());
    host.sqlite("DELETE FROM Basenames WHERE key = 'sshd';");
    let report = host.scan();
    assert_eq!((verdict(&report), report.trust_floor), (Verdict::Pass, Some(Trust::VendorSigned)));
    host.sqlite("DROP TABLE Basenames;");
    let report = host.scan();
    assert_eq!((verdict(&report), report.trust_floor), (Verdict::Pass, Some(Trust::VendorSigned)));
}

/// Content, modes, owners and absence of files of the surface, one file each: what rpm says of a file is what we say.
fn as_rpm_verify() {
    let third = Key::new("Third party <third@example.org>");
    let host = Host::build_with_third(Key::vendor(), &third);
    let library = |name: &str| {
        let mut all = host.libraries.iter().map(|path| path.to_str().unwrap());
        all.find(|path| path.contains(name)).unwrap_or_else(|| panic!("{name}: {:?}", host.libraries)).to_owned()
    };
    host.alter("usr/sbin/sshd");
    host.alter(&library("libcrypto"));
    std::fs::set_permissions(host.root.join(library("libpam.so")), PermissionsExt::from_mode(0o4755)).unwrap();
    std::os::unix::fs::chown(host.root.join(library("libaudit.so")), Some(7), Some(8)).unwrap();
    std::fs::write(host.root.join("etc/ssh/sshd_config"), "PermitRootLogin no\nUsePAM yes\n").unwrap();
    std::fs::set_permissions(host.root.join(library("libz.so")), PermissionsExt::from_mode(0o700)).unwrap();
    let setcap = |arguments: &[&str], file: &Path| {
        assert!(Command::new("setcap").args(arguments).arg(host.root.join(file)).status().unwrap().success());
    };
    setcap(&["cap_setuid,cap_net_raw+ep"], Path::new(&library("libgssapi")));
    setcap(&["-r"], Path::new("usr/lib/x86_64-linux-gnu/security/pam_duo.so"));
    let theirs = host.rpm_verify();
    assert!(theirs.len() >= 8, "{theirs:?}");
    let report = host.scan_pinning(&[(&host.key, true), (&third, false)]);
    let surface: BTreeSet<String> = report.files.iter().map(|file| file.path.to_string()).collect();
    assert!(surface.len() > 15, "{surface:?}");
    let mut ours: BTreeMap<String, BTreeSet<char>> = BTreeMap::new();
    for finding in provenance(&report) {
        let Subject::File { path, .. } = &finding.subject else { continue };
        let letter = match finding.code.id() {
            "provenance/digest-mismatch" | "provenance/config-changed" => '5',
            "provenance/mode-differs" => 'M',
            "provenance/owner-differs" if finding.message.starts_with("owner") => 'U',
            "provenance/owner-differs" => 'G',
            "provenance/missing-file" => 'm',
            "provenance/capabilities-differ" => 'P',
            _ => continue,
        };
        ours.entry(path.to_string()).or_default().insert(letter);
    }
    // rpm compares sizes and times besides, and files that no login depends on.
    let theirs: BTreeMap<String, BTreeSet<char>> = theirs
        .into_iter()
        .filter(|(path, _)| surface.contains(path))
        .map(|(path, letters)| {
            (path, letters.into_iter().filter(|letter| "5MUGmP".contains(*letter)).collect::<BTreeSet<_>>())
        })
        .filter(|(_, letters)| !letters.is_empty())
        .collect();
    assert_eq!(ours, theirs);
    println!("{} files judged alike, {} of them altered", surface.len(), theirs.len());
}

/// As well signed as the one that was there; the server's package demands a later one.
fn rolled_back() {
    let third = Key::new("Third party <third@example.org>");
    let host = Host::build_with_third(Key::vendor(), &third);
    std::fs::write(host.root.join("etc/pki/rpm-gpg/third"), &third.public).unwrap();
    let newer = host.blobs().into_iter().find(|blob| memchr::memmem::find(blob, b"libz.so").is_some()).unwrap();
    host.roll_back();
    let report = host.scan_pinning(&[(&host.key, true), (&third, false)]);
    let found = findings(&report);
    assert_eq!(
        found.get("glibc-9.1p1-1.noarch").map(String::as_str),
        Some("provenance/version-rolled-back"),
        "{found:?}"
    );
    let finding = provenance(&report).find(|finding| finding.code.id() == "provenance/version-rolled-back").unwrap();
    assert_eq!(finding.evidence.len(), 1, "{finding:?}");
    assert!(format!("{:?}", finding.evidence).contains("glibc >= 9.2p1"), "{finding:?}");
    // The third package is of the server's source, and later.
    let mixed = provenance(&report).filter(|finding| finding.code.id() == "provenance/mixed-versions");
    let mixed: Vec<String> = mixed.map(|finding| finding.subject.to_string()).collect();
    assert_eq!(mixed, ["package openssh-server-9.2p1-1.noarch"]);
    assert_eq!(found.len(), 1, "{found:?}");
    // The newer record laid beside the older one satisfies the demand, and wants another library than the one that is there.
    host.plant_beside("glibc", 1000, &newer);
    let report = host.scan_pinning(&[(&host.key, true), (&third, false)]);
    let finding = provenance(&report).find(|finding| finding.code.id() == "provenance/version-rolled-back").unwrap();
    assert!(format!("{:?}", finding.evidence).contains("is as 9.1p1-1 has it, not as 9.2p1-1 does"), "{finding:?}");
}

/// Random versions of the characters that matter, and real ones.
fn versions() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |limit: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random >> 33).unwrap() % limit
    };
    let parts = ["0", "1", "9", "10", "01", "a", "b", "rc", "p1", ".", ".", "_", "~", "^", "+", "el9"];
    let mut pairs = Vec::new();
    for round in 0..4000 {
        let mut version = |least: usize| (0..least + below(5)).map(|_| parts[below(parts.len())]).collect::<String>();
        let mut one = version(1);
        let mut two = version(1);
        if round % 8 == 0 {
            // The same in other words.
            two = one.replace('.', "_").replace("1", "01");
        }
        let (r1, r2, epoch) = (version(1), version(1), version(0));
        if r1.len() % 2 == 0 {
            one = format!("{one}-{r1}");
            two = format!("{two}-{r2}");
        }
        if epoch.len() == 1 {
            one = format!("{}:{one}", epoch.len());
        }
        pairs.push((one, two));
    }
    let list: String = pairs.iter().map(|(one, two)| format!("{one} {two}\n")).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), list).unwrap();
    let lua = format!(
        "%{{lua: for l in io.lines('{}') do local at = l:find(' ', 1, true); print(rpm.vercmp(l:sub(1, at - 1), \
         l:sub(at + 1)) .. '\\n') end}}",
        file.path().display()
    );
    let output = Command::new("rpm").args(["--eval", &lua]).output().unwrap();
    let answers: Vec<i32> =
        String::from_utf8(output.stdout).unwrap().split_ascii_whitespace().map(|word| word.parse().unwrap()).collect();
    assert_eq!(answers.len(), pairs.len(), "{}", String::from_utf8_lossy(&output.stderr));
    for ((one, two), theirs) in pairs.iter().zip(&answers) {
        let ours = Evr::parse(one.as_bytes()).compare(&Evr::parse(two.as_bytes()));
        assert_eq!(ours as i32, *theirs, "{one} {two}");
    }
    assert!([-1, 0, 1].iter().all(|answer| answers.iter().filter(|other| *other == answer).count() > 50));
}

/// The same packages in rpm's own form and in Berkeley DB's, of either byte order: clean, with an altered file, with an
/// altered and stripped record.
fn other_forms() {
    type Write = fn(&[Vec<u8>]) -> Vec<u8>;
    let host = Host::build(Key::vendor());
    let clean = host.blobs();
    let digest = {
        let path = host.root.join("usr/sbin/sshd");
        let kept = std::fs::read(&path).unwrap();
        let digest = host.alter("usr/sbin/sshd");
        host.rewrite("openssh-server", |header| {
            header.replace_digest("/usr/sbin/sshd", &digest);
            header.dribbles.retain(|(tag, ..)| !SIGNATURE_TAGS.contains(tag));
        });
        std::fs::write(path, kept).unwrap();
        digest
    };
    let stripped = host.blobs();
    assert_ne!(clean, stripped);
    let forms: [(&str, Write); 3] = [
        ("Packages.db", rpm_forms::ndb),
        ("Packages", |blobs| rpm_forms::bdb(blobs, false)),
        ("Packages", |blobs| rpm_forms::bdb(blobs, true)),
    ];
    let genuine = std::fs::read(host.root.join("usr/sbin/sshd")).unwrap();
    for (nth, (file, write)) in forms.into_iter().enumerate() {
        host.replace_database(file, &write(&clean));
        if nth == 1 {
            let listed = host.rpm_reads_bdb();
            assert!(
                listed.contains(&"openssh-server-9.2p1-1.noarch".to_owned()) && listed.len() == clean.len(),
                "{listed:?}"
            );
        }
        std::fs::write(host.root.join("usr/sbin/sshd"), &genuine).unwrap();
        let report = host.scan();
        assert_eq!((verdict(&report), report.trust_floor), (Verdict::Pass, Some(Trust::VendorSigned)), "{file} {nth}");
        assert_eq!(host.alter("usr/sbin/sshd"), digest);
        expect(&host.scan(), &[("/usr/sbin/sshd", "provenance/digest-mismatch")]);
        host.replace_database(file, &write(&stripped));
        expect(&host.scan(), &[("openssh-server-9.2p1-1.noarch", "provenance/signature-stripped")]);
    }
}

/// The program itself, with a key pinned for an in-house distribution and one for a third party's package; and with pins that
/// do not reach.
fn site_keys() {
    let third = Key::new("Third party <third@example.org>");
    let host = Host::build_with_third(Key::vendor(), &third);
    let pin = |key: &Key, name: &str, more: &str, until: &str| {
        let fingerprint = &key.fingerprint;
        format!(
            "[[key]]\nfingerprint = '{fingerprint}'\nfile = '{name}.asc'\n{more}\nowner = 'ops'\nreason = 'it is ours'\n\
             expires = '{until}'\n"
        )
    };
    let keys = [&host.key, &third].map(|key| String::from_utf8(key.public.clone()).unwrap());
    let scan = |house: &str, duo: &str| {
        let files = [("house.toml", house), ("duo.toml", duo), ("house.asc", &keys[0]), ("duo.asc", &keys[1])];
        let dir = host.trust_dir(&files);
        Scan::image(&host.root, &["--check", "provenance", "--trust-dir", dir.to_str().unwrap()])
    };
    let loud = |scan: &Scan| {
        let findings = scan.findings("provenance").into_iter();
        let loud = findings.map(|finding| {
            let about = finding["subject"]["name"].as_str().unwrap_or("host").split('-').next().unwrap().to_owned();
            format!("{about} {}", finding["code"].as_str().unwrap().trim_start_matches("provenance/"))
        });
        loud.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    let (ever, over) = ("2099-12-31", "2026-01-01");
    let whole = pin(&host.key, "house", "packages = ['*']\ndistribution = 'testos'", ever);
    let duo = pin(&third, "duo", "packages = ['duo_*']", ever);

    let said = scan(&whole, &duo);
    assert_eq!(
        (said.code, said.verdict("provenance"), loud(&said)),
        (0, "pass", vec![]),
        "{:#}",
        said.result("provenance")
    );
    assert_eq!(said.report["trust_floor"], "site-signed");
    let told = said.result("provenance")["findings"].as_array().unwrap();
    let told: Vec<&str> =
        told.iter().filter(|f| f["code"] == "provenance/site-signed").map(|f| f["message"].as_str().unwrap()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|message| message.contains("(ops until 2099-12-31): it is ours")), "{told:?}");

    let check = |house: &str, duo: &str, verdict: &str, expected: &[&str]| {
        let said = scan(house, duo);
        assert_eq!(loud(&said), expected, "{:#}", said.result("provenance"));
        assert_eq!(said.verdict("provenance"), verdict);
        said
    };
    // Nothing pinned, of a distribution that nobody knows: no answer.
    check("key = []", "key = []", "inconclusive", &[]);
    check(&whole, "key = []", "fail", &["duo_unix signer-unknown"]);
    check(
        &whole,
        &pin(&third, "duo", "packages = ['duo-*', 'pam_duo']", ever),
        "fail",
        &["duo_unix signer-out-of-scope"],
    );
    check(&whole, &pin(&third, "duo", "packages = ['duo_*']", over), "fail", &["host pin-ended"]);
    check(
        &pin(&host.key, "house", "packages = ['*']\ndistribution = 'testos'", over),
        &duo,
        "fail",
        &["host pin-ended"],
    );
    // Whatever names a scope has, it does not reach the base.
    let scoped = pin(&host.key, "house", "packages = ['glibc*', 'openssh*']", ever);
    check(&scoped, &duo, "fail", &["glibc base-package-signer", "openssh base-package-signer"]);
    // Nor does a pin for a distributor's system; what is wrong with it is said.
    let said =
        check(&pin(&host.key, "house", "packages = ['*']\ndistribution = 'rhel'", ever), &duo, "inconclusive", &[]);
    assert!(said.stderr.contains("house.toml:1: `rhel` is signed by its distributor"), "{}", said.stderr);
    // Policy can demand more.
    let files = [("house.toml", whole.as_str()), ("duo.toml", &duo), ("house.asc", &keys[0]), ("duo.asc", &keys[1])];
    let dir = host.trust_dir(&files);
    let policy = dir.join("policy");
    std::fs::write(&policy, "minimum-trust = 'vendor-signed'").unwrap();
    let arguments =
        ["--trust-dir", dir.to_str().unwrap(), "--config", policy.to_str().unwrap(), "--check", "provenance"];
    assert_eq!(loud(&Scan::image(&host.root, &arguments)), ["host trust-below-policy"]);
}

fn provenance(report: &Report) -> impl Iterator<Item = &sshproof::model::Finding> {
    report.results.iter().filter(|result| result.check == Check::Provenance).flat_map(|result| &result.findings)
}

fn verdict(report: &Report) -> Verdict {
    report.results.iter().find(|result| result.check == Check::Provenance).unwrap().verdict()
}

/// Subject and code of every finding above informational.
fn findings(report: &Report) -> BTreeMap<String, String> {
    let alarms = provenance(report).filter(|finding| finding.severity > Severity::Informational);
    let subject = |subject: &Subject| match subject {
        Subject::File { path, .. } => path.to_string(),
        Subject::Package { name } => name.clone(),
        other => other.to_string(),
    };
    alarms.map(|finding| (subject(&finding.subject), finding.code.id().to_owned())).collect()
}

fn expect(report: &Report, expected: &[(&str, &str)]) {
    let expected: BTreeMap<String, String> =
        expected.iter().map(|(subject, code)| ((*subject).to_owned(), (*code).to_owned())).collect();
    assert_eq!(findings(report), expected);
    assert_eq!(verdict(report), Verdict::Fail);
}

/// Where the state lies within the host.
const STATE: &str = "/var/lib/sshproof";

/// A running server whose package is upgraded, and one that was started from a file that nobody signed and that was put back.
fn upgraded() {
    let key = Key::vendor();
    let root = common::login::two_factor();
    root.write("/etc/pki/rpm-gpg/RPM-GPG-KEY", &key.public);
    let dir = tempfile::tempdir().unwrap();
    let sshd = std::fs::read(root.join("/usr/sbin/sshd")).unwrap();
    // What follows the last section is nothing to the loader.
    let grown = |by: &[u8]| [sshd.as_slice(), by].concat();
    let package = |release: &'static str, content: &[u8]| {
        let files = dir.path().join(release);
        std::fs::create_dir_all(files.join("usr/sbin")).unwrap();
        std::fs::write(files.join("usr/sbin/sshd"), content).unwrap();
        std::fs::set_permissions(files.join("usr/sbin/sshd"), std::fs::Permissions::from_mode(0o755)).unwrap();
        // SHA-512: the digest that is at hand is another one.
        let build = rpm_host::Build { release, algorithm: 10, ..rpm_host::Build::of("openssh-server") };
        rpm_host::package(dir.path(), &build, &files, &key)
    };
    let [first, second] = [package("1", &sshd), package("2", &grown(b"2"))];
    let install = |how: &str, package: &std::path::Path, root: &std::path::Path| {
        rpm_host::run(rpm_host::rpm(root).args([how, "--nodeps", "--noscripts", "--force"]).arg(package));
    };
    install("-i", &first, root.path());
    let host = common::namespace::Host::boot_with(root, &std::env::current_exe().unwrap());
    let scan = || -> Vec<(String, String, String)> {
        let report = host.must(&[common::namespace::SSHPROOF, INSIDE, &key.fingerprint]);
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        let live = report["results"].as_array().unwrap().iter().find(|result| result["check"] == "live").unwrap();
        let gaps = live["gaps"].as_array().unwrap();
        assert!(gaps.iter().all(|gap| gap["mandatory"] == false), "{gaps:?}");
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let findings = live["findings"].as_array().unwrap().iter();
        findings.map(|found| (text(&found["code"]), text(&found["severity"]), text(&found["message"]))).collect()
    };
    assert_eq!(scan(), []);
    // The kernel's clock and ours may differ by a second.
    std::thread::sleep(std::time::Duration::from_secs(2));
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    install("-U", &second, host.root().path());
    let [(code, severity, message)] = scan().try_into().unwrap();
    assert_eq!((code.as_str(), severity.as_str()), ("live/restart-needed", "informational"), "{message}");
    for version in ["openssh-server 9.2p1-1, signed by", "installed is openssh-server 9.2p1-2"] {
        assert!(message.contains(version), "{message}");
    }
    let put = |content: &[u8]| {
        host.root().write("/usr/sbin/sshd.new", content);
        host.root().chmod("/usr/sbin/sshd.new", 0o755);
        std::fs::rename(host.root().join("/usr/sbin/sshd.new"), host.root().join("/usr/sbin/sshd")).unwrap();
    };
    put(&grown(b"3"));
    let pid = host.start_sshd(2222, &[], &["/usr/sbin/sshd", "-p", "2222", "-o", "PidFile=none"]);
    put(&grown(b"2"));
    let mut findings = scan();
    findings.sort();
    let codes: Vec<(&str, &str)> =
        findings.iter().map(|(code, severity, _)| (code.as_str(), severity.as_str())).collect();
    assert_eq!(codes, [("live/restart-needed", "informational"), ("live/unsigned-code", "critical")], "{findings:?}");
    assert!(findings[1].2.contains(&format!("process {pid} of")), "{findings:?}");
}

/// Scans the host that we are in with this key pinned, as with `--spool`, and prints the report as JSON.
fn scan_inside(fingerprint: &str) {
    let request = Request { root: "/".into(), state: Some(STATE.into()), ..Request::default() };
    let knowledge = rpm_host::knowing(vec![rpm_host::pin("debian", fingerprint, true)]);
    let (facts, report) =
        scan::scan(&request, &[Check::Live].into(), &knowledge, &Policy::default(), None, &mut |_| {}).unwrap();
    let state = State::open(STATE.as_ref()).unwrap();
    state.keep_evidence(&facts.remember.evidence, facts.observed_at).unwrap();
    println!("{}", serde_json::to_string(&report).unwrap());
}
