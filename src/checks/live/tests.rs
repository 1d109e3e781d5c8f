use super::*;
use crate::facts::process::{MappedContent, Mapping};
use crate::facts::{FileFacts, FileState, Role};
use crate::model::{Algorithm, Digest, FileKind, Meta, RootedPath, Timestamp, Verdict};

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
    }
}

fn check(process: ProcessFacts, codes: &[&str], verdict: Verdict) {
    let result = super::check(&facts(process));
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
    let result = super::check(&facts(process(vec![other("/usr/sbin/sshd", "old", true)])));
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
    assert_eq!(super::check(&facts).verdict(), Verdict::NotApplicable);
}
