//! Roots made of real packages: our verdict on every packaged file against `dpkg --verify`'s, and two hundred changes of
//! one bit.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use sshproof::checks::trust::{self, Judgement};
use sshproof::facts::{Role, RootFacts};
use sshproof::model::{Algorithm, Digest, Evidence, RootedPath, Severity, Subject};
use sshproof::policy::Policy;

use crate::common::mimic::{Part, trial};
use crate::common::root::Root;
use crate::look::{judge, look, standings};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("real_clean_root_passes", &[Part::Packages], clean_root_passes),
        trial("real_verdicts_equal_dpkg_verify", &[Part::Packages, Part::Program("dpkg")], verdicts_equal_dpkg_verify),
        trial("real_two_hundred_bits", &[Part::Packages], two_hundred_bits),
    ]
}

/// A root as the distribution's packages leave it: no finding above informational, every file of code has its record.
fn clean_root_passes() {
    let root = Root::stock();
    let facts = look(root.path(), &as_roles(&surface(&root)));
    let result = judge(&facts, &Policy::default());
    let loud: Vec<_> = result.findings.iter().filter(|f| f.severity > Severity::Informational).collect();
    assert!(loud.is_empty(), "{loud:#?}");
    assert!(result.gaps.iter().all(|gap| !gap.mandatory), "{:#?}", result.gaps);
    assert!(result.examined > 100, "only {} files examined", result.examined);
    assert_eq!(trust::floor(&facts, &standings(&facts)), Some(sshproof::model::report::Trust::LocalWeak));
    let said = |path: &str| trust::judge(&facts, &standings(&facts), &RootedPath::new(path).unwrap()).unwrap();
    // What no package lists, the tools beside dpkg explain.
    assert!(matches!(said("/etc/ssh/sshd_config"), Judgement::Matches(_)), "{:?}", said("/etc/ssh/sshd_config"));
    for name in ["common-auth", "common-account", "common-session"] {
        let path = format!("/etc/pam.d/{name}");
        assert!(matches!(said(&path), Judgement::Generated(_)), "{path}: {:?}", said(&path));
    }
}

/// Every file that a package of the root records, with changes planted here and there: dpkg and we name the same files.
fn verdicts_equal_dpkg_verify() {
    let root = Root::stock();
    let packaged = packaged(&root);
    assert!(packaged.len() > 3000, "only {} packaged files", packaged.len());
    let mut random = Random(0x5eed);
    let mut planted: BTreeMap<&str, usize> = BTreeMap::new();
    let mut bent = BTreeSet::new();
    for n in 0..120 {
        let inside = &packaged[random.below(packaged.len())];
        let at = root.join(inside);
        if !at.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
            continue;
        }
        let change = ["flip", "append", "truncate", "remove", "mode", "touch", "link"][n % 7];
        let bytes = fs::read(&at).unwrap();
        match change {
            "flip" if !bytes.is_empty() => root.flip(inside, random.below(bytes.len())),
            "append" => fs::write(&at, [bytes.as_slice(), b"\n"].concat()).unwrap(),
            "truncate" => fs::write(&at, b"").unwrap(),
            "remove" => fs::remove_file(&at).unwrap(),
            "mode" => fs::set_permissions(&at, fs::Permissions::from_mode(0o4777)).unwrap(),
            "touch" => fs::write(&at, &bytes).unwrap(),
            "link" => {
                // Relative, so that it means the same to dpkg, which looks from outside.
                let copy = format!("moved-aside-{n}");
                fs::rename(&at, at.with_file_name(&copy)).unwrap();
                symlink(copy, &at).unwrap();
                bent.insert(inside.clone());
            }
            _ => continue,
        }
        *planted.entry(change).or_default() += 1;
    }
    assert_eq!(planted.len(), 7, "{planted:?}");

    let questions: Vec<_> = packaged.iter().map(|path| (rooted(path), BTreeSet::from([Role::Library]))).collect();
    let facts = look(root.path(), &questions);
    let standings = standings(&facts);
    let mut ours = BTreeSet::new();
    for path in &packaged {
        let asked = rooted(path);
        let real = facts.files.canonical(&asked).unwrap();
        let word = match trust::judge(&facts, &standings, real).unwrap() {
            Judgement::Matches(_) => continue,
            Judgement::Differs { .. } => "differs",
            Judgement::Changed { .. } => "changed",
            Judgement::Gone(_) => "missing",
            Judgement::Unowned if bent.contains(path) => {
                // A difference in words only: to dpkg a link in a file's place differs from the file; to us what the link
                // leads to is a file that no package owns.
                assert!(is_gone_from(&facts, &asked));
                if path.starts_with("/etc/") { "changed" } else { "differs" }
            }
            other => panic!("{path}: {other:?}"),
        };
        ours.insert(format!("{word} {path}"));
    }
    assert_eq!(ours, dpkg_verify(root.path()), "left: ours, right: dpkg's");
    assert!(ours.len() > 60, "only {} differences", ours.len());

    // Where a directory stands in a file's place dpkg gives up, and says nothing of the files that come after it.
    let replaced = packaged.iter().find(|path| path.starts_with("/usr/bin/")).unwrap();
    let at = root.join(replaced);
    fs::remove_file(&at).unwrap();
    fs::create_dir(&at).unwrap();
    let facts = look(root.path(), &[(rooted(replaced), BTreeSet::from([Role::Client]))]);
    let gaps = judge(&facts, &Policy::default()).gaps;
    let reason = "is a directory, a regular file is recorded";
    assert!(gaps.iter().any(|gap| gap.mandatory && gap.reason == reason), "{gaps:?}");
}

fn is_gone_from(facts: &RootFacts, asked: &RootedPath) -> bool {
    facts.files.links.get(asked).is_some_and(|real| real.file_name().starts_with(b"moved-aside"))
}

/// What `dpkg --verify` names, in our words. The host's dpkg looks into the root from outside, for what was planted may
/// be in the root's own dpkg or C library.
fn dpkg_verify(root: &Path) -> BTreeSet<String> {
    let output = Command::new("dpkg").arg(format!("--root={}", root.display())).arg("--verify").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut said = BTreeSet::new();
    for line in text.lines() {
        // `??5?????? c /path` or `missing     /path`: nine columns, a blank, the kind, a blank, the path; an explanation
        // in parentheses may follow a path that could not be read.
        let (state, rest) = line.split_at(9);
        let path = rest[rest.find('/').unwrap()..].split(" (").next().unwrap();
        let conffile = rest.trim_start().starts_with("c ");
        let word = match (state.trim(), conffile) {
            ("missing", _) => "missing",
            (_, true) => "changed",
            (_, false) => "differs",
        };
        said.insert(format!("{word} {path}"));
    }
    said
}

/// One bit in each file of the surface, again and again until two hundred are done: each is found, and the finding names
/// the file, both digests, the package and the file that holds the record.
fn two_hundred_bits() {
    let root = Root::stock();
    let surface = surface(&root);
    let mut random = Random(0xb17);
    let mut done = 0;
    while done < 200 {
        let mut changed = BTreeMap::new();
        for (inside, _) in &surface {
            let at = root.join(inside);
            let before = fs::read(&at).unwrap();
            if before.is_empty() || !packaged_code(inside) {
                continue;
            }
            let mut after = before.clone();
            let at_byte = random.below(after.len());
            after[at_byte] ^= 1 << random.below(8);
            fs::write(&at, &after).unwrap();
            changed.insert(canonical(&root, inside), (at, before, after));
        }
        let facts = look(root.path(), &as_roles(&surface));
        let result = judge(&facts, &Policy::default());
        for (path, (_, before, after)) in &changed {
            let subject = Subject::file(path);
            let found: Vec<_> = result
                .findings
                .iter()
                .filter(|f| f.subject == subject && f.severity > Severity::Informational)
                .collect();
            let [finding] = found.as_slice() else { panic!("{path}: {found:#?}") };
            assert_eq!(finding.code.id(), "provenance/digest-mismatch");
            let record = &facts.packages.records[path][0];
            let package = &facts.packages.packages[&record.package];
            assert!(finding.message.contains(&format!("`{path}`")), "{}", finding.message);
            assert!(
                finding.message.contains(&format!("`{} {}`", record.package, package.version)),
                "{}",
                finding.message
            );
            let info = format!("/var/lib/dpkg/info/{}.md5sums", record.package);
            let evidence = Evidence::Digest {
                algorithm: Algorithm::Md5,
                expected: Digest::of(Algorithm::Md5, before).hex(),
                actual: Digest::of(Algorithm::Md5, after).hex(),
                source: info,
            };
            assert_eq!(finding.evidence[0], evidence);
            let sha256 = Digest::of(Algorithm::Sha256, after).hex();
            assert!(matches!(&finding.evidence[1], Evidence::Fact { value, .. } if *value == sha256));
        }
        let high = result.findings.iter().filter(|f| f.code.id() == "provenance/digest-mismatch").count();
        assert_eq!(high, changed.len(), "no file is named that was not changed");
        done += changed.len();
        for (at, before, _) in changed.values() {
            fs::write(at, before).unwrap();
        }
    }
}

/// Packages whose files decide logins.
const PACKAGES: &[&str] = &[
    "openssh-server",
    "openssh-client",
    "openssh-sftp-server",
    "libc6",
    "libpam0g",
    "libpam-modules",
    "libpam-modules-bin",
    "libpam-runtime",
    "libpam-systemd",
    "libssl3",
    "libkrb5-3",
    "libk5crypto3",
    "libkrb5support0",
    "libgssapi-krb5-2",
    "libcom-err2",
    "libkeyutils1",
    "libselinux1",
    "libaudit1",
    "libwrap0",
    "libcrypt1",
    "zlib1g",
    "libsystemd0",
    "liblzma5",
    "libzstd1",
    "liblz4-1",
    "libcap2",
    "libcap-ng0",
    "libgcrypt20",
    "libgpg-error0",
    "libpcre2-8-0",
    "libnsl2",
    "libtirpc3",
    "libedit2",
    "libtinfo6",
    "libbsd0",
    "libmd0",
    "libcbor0.8",
    "libfido2-1",
    "libudev1",
];

/// Programs, libraries and modules of those packages, and the configuration that dpkg does not list.
fn surface(root: &Root) -> Vec<(String, Role)> {
    let mut files = Vec::new();
    for package in PACKAGES {
        for (path, _) in sums(root).iter().filter(|(_, of)| of.split(':').next() == Some(package)) {
            let role = if path.contains("/security/") {
                Role::PamModule
            } else if path.contains("/libnss_") {
                Role::NssModule
            } else if path.contains("/sbin/sshd") {
                Role::Server
            } else if path.contains("/bin/") || path.contains("/sbin/") || path.starts_with("/usr/lib/openssh/") {
                Role::Client
            } else if path.contains(".so") {
                Role::Library
            } else {
                continue;
            };
            files.push((path.clone(), role));
        }
    }
    for path in ["/etc/ssh/sshd_config", "/etc/pam.d/sshd"] {
        files.push((path.to_owned(), Role::SshdConfig));
    }
    for name in ["common-auth", "common-account", "common-session", "other"] {
        files.push((format!("/etc/pam.d/{name}"), Role::PamConfig));
    }
    assert!(files.len() > 100, "only {} files", files.len());
    files
}

fn packaged_code(inside: &str) -> bool {
    !inside.starts_with("/etc/")
}

fn as_roles(files: &[(String, Role)]) -> Vec<(RootedPath, BTreeSet<Role>)> {
    files.iter().map(|(path, role)| (rooted(path), BTreeSet::from([*role]))).collect()
}

/// Every path with a digest in the root's database, by a reader of its own: `md5sums` files and dpkg's own word for
/// configuration files.
fn packaged(root: &Root) -> Vec<String> {
    let mut paths: BTreeSet<String> = sums(root).into_iter().map(|(path, _)| path).collect();
    let conffiles = root.chroot(&["dpkg-query", "-W", "-f", "${Conffiles}\n"]);
    paths.extend(conffiles.lines().filter_map(|line| Some(line.trim().split_once(' ')?.0.to_owned())));
    paths.into_iter().collect()
}

/// Path and package of each line of the root's `md5sums` files.
fn sums(root: &Root) -> Vec<(String, String)> {
    let mut sums = Vec::new();
    for entry in fs::read_dir(root.join("/var/lib/dpkg/info")).unwrap() {
        let file = entry.unwrap().path();
        let Some(package) = file.file_name().unwrap().to_str().unwrap().strip_suffix(".md5sums") else { continue };
        let text = fs::read_to_string(&file).unwrap();
        sums.extend(text.lines().map(|line| (format!("/{}", &line[34..]), package.to_owned())));
    }
    sums.sort();
    sums
}

fn canonical(root: &Root, inside: &str) -> RootedPath {
    let on_disk: PathBuf = root.join(inside);
    let inside = on_disk.strip_prefix(root.path()).unwrap();
    RootedPath::new([b"/", inside.as_os_str().as_bytes()].concat()).unwrap()
}

fn rooted(path: &str) -> RootedPath {
    RootedPath::new(path).unwrap()
}

/// Marsaglia's xorshift64: the same changes in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }
}
