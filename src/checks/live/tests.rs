use super::*;
use crate::facts::history::{HistoryFacts, KeptVersion};
use crate::facts::package::{Package, PackageSystem, Seal, Sealed};
use crate::facts::process::{MappedContent, Mapping};
use crate::facts::{FileFacts, FileState, Role, RootFacts};
use crate::model::{Algorithm, Digest, FileKind, Meta, RootedPath, Severity, Timestamp, Verdict};
use crate::trust::checked::{Binding, Signer};
use crate::trust::{Checked, Hash, Outcome};

fn digest(content: &str) -> Digest {
    Digest::of(Algorithm::Sha256, content.as_bytes())
}

fn file(role: Role, content: &str) -> FileFacts {
    let meta = Meta {
        kind: FileKind::Regular,
        mode: 0o755,
        uid: 0,
        gid: 0,
        size: 1,
        nlink: 1,
        mtime: 0,
        ctime: 0,
        dev: 1,
        ino: 1,
    };
    let mut file = FileFacts::new(FileState::Present(meta));
    file.roles.insert(role);
    file.digests.push(digest(content));
    file
}

fn mapping(path: &str, content: Option<MappedContent>) -> Mapping {
    Mapping {
        start: 0x1000,
        end: 0x2000,
        permissions: "r-xp".to_owned(),
        offset: 0,
        path: path.to_owned(),
        deleted: false,
        entry: false,
        in_place: None,
        content,
    }
}

fn same(path: &str) -> Mapping {
    mapping(path, Some(MappedContent::SameInode(RootedPath::new(path).unwrap())))
}

fn other(path: &str, content: &str, deleted: bool) -> Mapping {
    let content = MappedContent::Other { sha256: digest(content), hits: None, unlinked: deleted };
    Mapping { deleted, ..mapping(path, Some(content)) }
}

fn process(mappings: Vec<Mapping>) -> ProcessFacts {
    ProcessFacts {
        pid: 7,
        starttime: 9,
        uid: 0,
        server: "sshd [::]:22".to_owned(),
        listener: true,
        exe: Some("/usr/sbin/sshd".to_owned()),
        mappings,
        pages: Some(crate::facts::pages::PageFacts::default()),
        binding: Some(crate::facts::binding::BindingFacts::default()),
        ..ProcessFacts::default()
    }
}

/// A host with sshd, a library and a file of no role in it, and this process.
fn facts(process: ProcessFacts) -> Facts {
    let mut root = RootFacts { path: "/".to_owned(), live: true, ..RootFacts::default() };
    for (path, role, content) in [
        ("/usr/sbin/sshd", Role::Server, "sshd"),
        ("/usr/lib/libz.so.1.3", Role::Library, "libz"),
        ("/tmp/indicator", Role::Indicator, "indicator"),
    ] {
        root.files.files.insert(RootedPath::new(path).unwrap(), file(role, content));
    }
    root.processes.push(process);
    Facts {
        schema: crate::facts::SCHEMA.to_owned(),
        observer: String::new(),
        knowledge: String::new(),
        byte_rules: String::new(),
        observed_at: Timestamp::parse("2026-11-22").unwrap(),
        duration_ms: 0,
        usage: crate::model::report::Usage::default(),
        kernel: None,
        roots: vec![root],
        remember: crate::facts::Remember::default(),
    }
}

fn judged(facts: &Facts) -> CheckResult {
    super::check(facts, &Knowledge::new("2026-01-01", Vec::new()), &Policy::default())
}

fn check(process: ProcessFacts, codes: &[&str], verdict: Verdict) {
    let result = judged(&facts(process));
    let found: Vec<&str> = result.findings.iter().map(|finding| finding.code.id()).collect();
    assert_eq!((found.as_slice(), result.verdict()), (codes, verdict), "{result:#?}");
}

#[test]
fn what_belongs_is_silent() {
    let mut mappings = vec![same("/usr/sbin/sshd"), same("/usr/lib/libz.so.1.3"), mapping("[vdso]", None)];
    mappings.push(other("/elsewhere/libz.so", "libz", false));
    check(process(mappings), &[], Verdict::Pass);
}

#[test]
fn what_does_not_belong_is_named() {
    check(process(vec![other("/tmp/x.so", "x", false)]), &["live/foreign-mapping"], Verdict::Fail);
    check(process(vec![other("/tmp/x.so", "x", true)]), &["live/foreign-mapping"], Verdict::Fail);
    check(process(vec![other("/usr/lib/libz.so.1.3", "x", false)]), &["live/foreign-mapping"], Verdict::Fail);
    check(process(vec![same("/tmp/indicator")]), &["live/foreign-mapping"], Verdict::Fail);
    check(process(vec![other("/memfd:x", "x", true)]), &["live/memory-file"], Verdict::Fail);
    check(process(vec![other("/SYSV00000000", "x", true)]), &["live/memory-file"], Verdict::Fail);
    check(process(vec![mapping("", None)]), &["live/anonymous-code"], Verdict::Fail);
    check(process(vec![mapping("[heap]", None)]), &["live/anonymous-code"], Verdict::Fail);
    check(process(vec![mapping("[uprobes]", None)]), &["live/probed"], Verdict::Fail);
    check(process(vec![mapping("[uprobes-trampoline]", None)]), &["live/probed"], Verdict::Fail);
    let elsewhere = Mapping { in_place: Some(false), ..same("/usr/lib/libz.so.1.3") };
    check(process(vec![elsewhere]), &["live/misplaced-code"], Verdict::Fail);
    let writable = Mapping { permissions: "rwxp".to_owned(), ..same("/usr/sbin/sshd") };
    check(process(vec![writable]), &["live/writable-mapping"], Verdict::Fail);
}

#[test]
fn replaced_is_not_accused() {
    check(process(vec![other("/usr/sbin/sshd", "sshd", true)]), &["live/reinstalled"], Verdict::Pass);
    check(process(vec![other("/usr/sbin/sshd", "old", true)]), &["live/restart-needed"], Verdict::Fail);
    check(process(vec![other("/usr/lib/libz.so.1.2", "old", true)]), &["live/restart-needed"], Verdict::Fail);
    let result = judged(&facts(process(vec![other("/usr/sbin/sshd", "old", true)])));
    assert!(result.gaps.iter().any(|gap| gap.mandatory && gap.reason.contains("signed history")), "{result:#?}");
    assert_eq!(result.findings[0].class, crate::model::Class::Hygiene);
}

#[test]
fn a_deleted_program_is_named() {
    let gone = Mapping { entry: true, ..other("/opt/gone", "gone", true) };
    let mut process = process(vec![gone]);
    process.exe = Some("/opt/gone".to_owned());
    check(process, &["live/deleted-executable"], Verdict::Fail);
}

#[test]
fn tracer_and_disguise() {
    let mut traced = process(vec![same("/usr/sbin/sshd")]);
    traced.tracer = 4;
    check(traced, &["live/traced"], Verdict::Fail);
    let mut disguised = process(vec![Mapping { entry: true, ..same("/usr/sbin/sshd") }]);
    disguised.exe = Some("/usr/bin/sleep".to_owned());
    check(disguised, &["live/executable-disguised"], Verdict::Fail);
}

#[test]
fn what_was_not_seen_is_never_clean() {
    let unread = mapping("/usr/sbin/sshd", Some(MappedContent::Unreadable("permission denied".to_owned())));
    check(process(vec![unread]), &[], Verdict::Inconclusive);
    let mut denied = process(Vec::new());
    denied.problem = Some("its memory map cannot be read: permission denied".to_owned());
    check(denied, &[], Verdict::Inconclusive);
    let mut gone = process(Vec::new());
    gone.gone = true;
    check(gone, &[], Verdict::NotApplicable);
}

#[test]
fn an_image_has_no_processes() {
    let mut facts = facts(process(vec![other("/tmp/x.so", "x", false)]));
    facts.roots[0].live = false;
    assert_eq!(judged(&facts).verdict(), Verdict::NotApplicable);
}

const DAY: u64 = 86_400;

/// A version of the server's package whose file held `content`, kept since that many days before the observation, signed by
/// the owner of this key on that day.
fn version(version: &str, content: &str, days: u64, key: &str) -> KeptVersion {
    let now = Timestamp::parse("2026-11-22").unwrap().0;
    let signer = Signer {
        certificate: key.to_owned(),
        key: key.to_owned(),
        user_id: "Distributor".to_owned(),
        created: Timestamp(1),
        expires: None,
        revoked: None,
        binding: Binding::Primary,
        found_in: "/etc/pki/rpm-gpg/KEY".to_owned(),
    };
    let signature = Checked {
        version: 4,
        hash: Hash::Sha256,
        created: Some(Timestamp(now - 100 * DAY)),
        issuer: key.to_owned(),
        outcome: Outcome::Good(Box::new(signer)),
    };
    let seal = Seal {
        what: Sealed::RpmHeader,
        digest: digest(version),
        signatures: vec![signature],
        shadowed: Vec::new(),
        through: Vec::new(),
    };
    KeptVersion {
        package: Package {
            system: PackageSystem::Rpm,
            name: "openssh-server".to_owned(),
            version: version.to_owned(),
            architecture: "x86_64".to_owned(),
            status: String::new(),
            seal: Some(seal),
            source: String::new(),
            manifest: None,
            demands: Vec::new(),
        },
        is_installed: false,
        installed_at: Some(Timestamp(now - days * DAY)),
        since: Timestamp(now - days * DAY),
        files: [(RootedPath::new("/usr/sbin/sshd").unwrap(), digest(content))].into(),
    }
}

/// Fedora's key for release 33, which is pinned, and somebody's.
const PINNED: &str = "963A2BEB02009608FE67EA4249FD77499570FF31";
const STRANGER: &str = "0123456789ABCDEF0123456789ABCDEF01234567";

/// A process started ten days ago runs `old`; the server's file was replaced three days ago: codes, severities, verdict, and
/// what all of it says.
fn with_history(versions: Vec<KeptVersion>, policy: &Policy) -> (Vec<(String, Severity)>, Verdict, String) {
    let mut facts = facts(process(vec![other("/usr/sbin/sshd", "old", true)]));
    let now = facts.observed_at.0;
    let root = &mut facts.roots[0];
    root.os_release = [("ID", "fedora"), ("VERSION_ID", "33")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    root.processes[0].starttime = 20 * DAY * 100;
    let path = RootedPath::new("/usr/sbin/sshd").unwrap();
    let file = root.files.files.get_mut(&path).unwrap();
    if let FileState::Present(meta) = &mut file.state {
        meta.ctime = i64::try_from(now - 3 * DAY).unwrap();
    }
    root.history = Some(HistoryFacts {
        booted: Timestamp(now - 30 * DAY),
        ticks: 100,
        versions,
        digests: std::collections::BTreeMap::new(),
        problems: Vec::new(),
    });
    let result = super::check(&facts, &Knowledge::new("2026-01-01", Vec::new()), policy);
    let found = result.findings.iter().map(|finding| (finding.code.id().to_owned(), finding.severity)).collect();
    (found, result.verdict(), format!("{result:#?}"))
}

#[test]
fn signed_history_tells_an_upgrade_from_an_attack() {
    let check = |versions: Vec<KeptVersion>, code: &str, severity, verdict, words: &str| {
        let (found, judged, all) = with_history(versions, &Policy::default());
        assert_eq!(found, [(code.to_owned(), severity)], "{all}");
        assert_eq!(judged, verdict, "{all}");
        assert!(all.contains(words), "{words}: {all}");
    };
    let (needed, unsigned) = ("live/restart-needed", "live/unsigned-code");
    let old = || version("9.2-1", "old", 50, PINNED);
    let new = || version("9.2-2", "sshd", 2, PINNED);
    let signed = "that of openssh-server 9.2-1, signed by Distributor";
    check(vec![old(), new()], needed, Severity::Informational, Verdict::Pass, signed);
    // An earlier one than that, with which the process cannot have been started, proves as much.
    check(vec![version("9.2-1", "old", 1, PINNED)], needed, Severity::Informational, Verdict::Pass, signed);
    let installed = |version: KeptVersion| KeptVersion { is_installed: true, ..version };
    let another = || version("9.2-0", "older", 50, PINNED);
    let lasting = || installed(version("9.2-2", "sshd", 50, PINNED));
    check(vec![another(), lasting()], unsigned, Severity::Critical, Verdict::Fail, "9.2-0");
    // A version may have come and gone between two scans.
    let meanwhile = "another version of its package may have been installed";
    check(vec![another(), installed(new())], needed, Severity::Low, Verdict::Fail, meanwhile);
    check(
        vec![another(), KeptVersion { is_installed: false, ..lasting() }],
        needed,
        Severity::Low,
        Verdict::Fail,
        meanwhile,
    );
    check(vec![new()], needed, Severity::Low, Verdict::Fail, meanwhile);
    // Kept before it was installed: a clock was wrong.
    let later = |version: KeptVersion| KeptVersion { installed_at: Some(Timestamp(version.since.0 + 1)), ..version };
    check(vec![another(), later(lasting())], needed, Severity::Low, Verdict::Fail, meanwhile);
    check(
        vec![another(), KeptVersion { installed_at: None, ..lasting() }],
        needed,
        Severity::Low,
        Verdict::Fail,
        meanwhile,
    );
    check(vec![], needed, Severity::Low, Verdict::Fail, "no signed metadata");
    // Whoever can write into the state directory cannot sign.
    let forged = version("9.2-1", "old", 50, STRANGER);
    check(vec![forged], needed, Severity::Low, Verdict::Fail, "no signed metadata");
    let forged = version("9.2-1", "other", 50, STRANGER);
    check(vec![forged], needed, Severity::Low, Verdict::Fail, "no signed metadata");
    // A record of a kind that was not computed neither clears nor accuses.
    let mut other_kind = version("9.2-0", "older", 50, PINNED);
    other_kind.files.values_mut().for_each(|digest| *digest = Digest::of(Algorithm::Sha512, b"older"));
    check(vec![other_kind], needed, Severity::Low, Verdict::Fail, "could not be computed");
}

#[test]
fn the_policy_says_how_long_a_restart_may_wait() {
    let severity = |days| {
        let policy = Policy { restart_within_days: days, ..Policy::default() };
        with_history(vec![version("9.2-1", "old", 50, PINNED)], &policy).0[0].1
    };
    assert_eq!(severity(None), Severity::Informational);
    assert_eq!(severity(Some(3)), Severity::Informational);
    assert_eq!(severity(Some(2)), Severity::Low);
    assert_eq!(severity(Some(0)), Severity::Low);
}
