//! The weighing and the gaps, on facts made by hand. Families' own fixtures stand in `tests/backdoor.rs`.

use std::collections::BTreeMap;

use super::*;
use crate::facts::package::{Database, Package, PackageSystem, Reading, Record, RecordKind};
use crate::facts::process::{MappedContent, Mapping};
use crate::facts::{FileFacts, FileState, KernelFacts, Look, ProcessFacts, Role, RootFacts, SCHEMA};
use crate::knowledge::{Hit, load};
use crate::model::report::Usage;
use crate::model::{FileKind, Gap, Meta, RootedPath, Severity, Timestamp, Verdict};

const HEAD: &str = "id = 'fam'\ntitle = 'Fam'\nyear = 2020\nremediation = 'Reinstall.'\nevades = 'e'\nattack = ['T1554']\n\
    [[source]]\nid = 's'\nref = 'the report'\nlicence = 'l'\n";

fn indicator(table: &str, id: &str, specificity: &str, body: &str) -> String {
    format!("[[{table}]]\nid = '{id}'\ntitle = 'title {id}'\nspecificity = '{specificity}'\nsource = 's'\n{body}\n")
}

fn knowledge(indicators: &[String]) -> Knowledge {
    let text = format!("{HEAD}{}", indicators.concat());
    Knowledge::new("2026-11-22", vec![load::load("fam.toml", text.as_bytes()).unwrap()])
}

fn path(text: &str) -> RootedPath {
    RootedPath::new(text).unwrap()
}

fn meta(kind: FileKind) -> Meta {
    Meta { kind, mode: 0o644, uid: 0, gid: 0, size: 9, nlink: 1, mtime: 0, ctime: 0, dev: 1, ino: 1 }
}

fn file(look: Look, hits: Option<Vec<Hit>>) -> FileFacts {
    let mut file = FileFacts::new(FileState::Present(meta(FileKind::Regular)));
    file.roles.insert(Role::Indicator);
    file.looks.insert(look);
    file.hits = hits;
    file
}

fn facts(knowledge: &Knowledge, files: Vec<(&str, FileFacts)>) -> Facts {
    let mut root = RootFacts { live: true, ..RootFacts::default() };
    root.files.files = files.into_iter().map(|(name, file)| (path(name), file)).collect();
    root.packages.systems =
        vec![Database { system: PackageSystem::Dpkg, place: path("/var/lib/dpkg"), reading: Reading::Whole }];
    root.packages.records = root.files.files.keys().map(|path| (path.clone(), Vec::new())).collect();
    Facts {
        schema: SCHEMA.to_owned(),
        observer: String::new(),
        knowledge: "2026-11-22".to_owned(),
        byte_rules: knowledge.byte_rules().to_owned(),
        observed_at: Timestamp::parse("2026-12-22").unwrap(),
        duration_ms: 0,
        usage: Usage::default(),
        kernel: Some(KernelFacts { abstract_sockets: Some(Vec::new()), ..KernelFacts::default() }),
        roots: vec![root],
        remember: crate::facts::Remember::default(),
    }
}

fn hit(indicator: &str, specificity: Specificity) -> Hit {
    Hit { family: "fam".into(), indicator: indicator.into(), specificity, places: Vec::new(), traits: Vec::new() }
}

/// Code, severity and subject of each finding.
fn summary(result: &CheckResult) -> Vec<(String, Severity, String)> {
    let one = |finding: &Finding| (finding.code.to_string(), finding.severity, finding.subject.to_string());
    result.findings.iter().map(one).collect()
}

fn names(specificities: &[(&str, &str)]) -> Knowledge {
    let paths: Vec<String> = specificities
        .iter()
        .map(|(id, specificity)| indicator("path", id, specificity, &format!("paths = ['/tmp/{id}']")))
        .collect();
    knowledge(&paths)
}

#[test]
fn a_family_is_named_only_on_decisive_facts_and_weaker_ones_add_up() {
    let all = [("a", "weak"), ("b", "moderate"), ("c", "moderate"), ("d", "strong"), ("e", "decisive")];
    let known = names(&all);
    let check = |present: &[&str], expected: &[(&str, Severity, Confidence)]| {
        let present: Vec<String> = present.iter().map(|name| format!("/tmp/{name}")).collect();
        let files = present.iter().map(|name| (name.as_str(), file(Look::Binary, Some(Vec::new())))).collect();
        let result = check(&facts(&known, files), &known, &Policy::default());
        let seen: Vec<_> = result.findings.iter().map(|f| (f.code.id(), f.severity, f.confidence)).collect();
        assert_eq!(seen, expected, "{present:?}");
        result
    };
    use Confidence::{High, Low, Medium};
    check(&[], &[]);
    check(&["a"], &[]);
    check(&["b"], &[("backdoor/trace", Severity::Informational, Low)]);
    check(&["b", "a"], &[("backdoor/trace", Severity::Informational, Low)]);
    let both = check(&["b", "c"], &[("backdoor/suspected", Severity::High, Low)]);
    assert!(both.findings[0].message.contains("50 points: title b (moderate 25); title c (moderate 25)"));
    assert_eq!(both.findings[0].evidence.len(), 2);
    check(&["d"], &[("backdoor/suspected", Severity::High, Low)]);
    check(&["b", "c", "d"], &[("backdoor/suspected", Severity::High, Medium)]);
    let named = check(&["a", "e"], &[("backdoor/fam", Severity::Critical, High)]);
    let finding = &named.findings[0];
    assert_eq!(finding.message, "`/tmp/e` bears the mark of Fam: title e");
    assert_eq!((finding.evidence.len(), finding.remediation.as_str()), (2, "Reinstall."));
    assert_eq!(finding.references, ["the report", "ATT&CK T1554"]);
    assert_eq!((named.examined, named.verdict()), (1, Verdict::Fail));
}

#[test]
fn every_decisive_subject_has_its_finding() {
    let known = knowledge(&[indicator("content", "c", "decisive", "group = [{ strings = ['abcd'] }]")]);
    let found = || file(Look::Binary, Some(vec![hit("c", Specificity::Decisive)]));
    let result = check(&facts(&known, vec![("/a", found()), ("/b", found())]), &known, &Policy::default());
    let subjects: Vec<String> = summary(&result).into_iter().map(|(_, _, subject)| subject).collect();
    assert_eq!(subjects, ["/a", "/b"]);
}

#[test]
fn a_path_fires_only_under_all_of_its_conditions() {
    let body = "paths = ['/tmp/x']\ntype = 'file'\nmode = 0o4000\nuid = 0\nmax-size = 10\ncontent = ['text']";
    let known = knowledge(&[
        indicator("content", "text", "auxiliary", "elf = false\ngroup = [{ strings = ['abcd'] }]"),
        indicator("path", "p", "decisive", body),
    ]);
    let check = |change: &dyn Fn(&mut FileFacts), expected: bool| {
        let mut file = file(Look::Binary, Some(vec![hit("text", Specificity::Auxiliary)]));
        file.state = FileState::Present(Meta { mode: 0o4755, ..meta(FileKind::Regular) });
        change(&mut file);
        let result = check(&facts(&known, vec![("/tmp/x", file)]), &known, &Policy::default());
        assert_eq!(!result.findings.is_empty(), expected, "{:?}", result.findings);
    };
    let with = |change: fn(&mut Meta)| {
        move |file: &mut FileFacts| {
            if let FileState::Present(meta) = &mut file.state {
                change(meta);
            }
        }
    };
    check(&|_| {}, true);
    check(&with(|meta| meta.kind = FileKind::Directory), false);
    check(&with(|meta| meta.mode = 0o755), false);
    check(&with(|meta| meta.uid = 1), false);
    check(&with(|meta| meta.size = 11), false);
    check(&|file| file.hits = Some(Vec::new()), false);
    check(&|file| file.hits = Some(vec![hit("other", Specificity::Auxiliary)]), false);
    check(&|file| file.state = FileState::Missing, false);
}

#[test]
fn what_a_package_owns_is_no_trace() {
    let known = knowledge(&[
        indicator("path", "p", "decisive", "paths = ['/tmp/p']"),
        indicator("path", "q", "decisive", "paths = ['/tmp/q']\nunowned = true"),
    ]);
    let check = |change: &dyn Fn(&mut RootFacts), expected: &[&str]| {
        let present = || file(Look::Binary, Some(Vec::new()));
        let mut facts = facts(&known, vec![("/tmp/p", present()), ("/tmp/q", present())]);
        change(&mut facts.roots[0]);
        let result = check(&facts, &known, &Policy::default());
        let subjects: Vec<String> = summary(&result).into_iter().map(|(_, _, subject)| subject).collect();
        assert_eq!(subjects, expected);
    };
    check(&|_| {}, &["/tmp/p", "/tmp/q"]);
    let owned = |root: &mut RootFacts| {
        let record = Record {
            package: "x".into(),
            source: path("/var/lib/dpkg/info/x.md5sums"),
            recorded_path: path("/tmp/p"),
            digest: None,
            kind: RecordKind::File,
            attributes: None,
        };
        root.packages.records.insert(path("/tmp/p"), vec![record]);
    };
    check(&owned, &["/tmp/q"]);
    check(&|root| root.packages.systems.clear(), &["/tmp/p"]);
    check(&|root| root.packages.records.clear(), &["/tmp/p"]);
}

#[test]
fn sockets_packages_mappings_and_digests_are_looked_at() {
    let known = knowledge(&[
        indicator("socket", "s", "decisive", "names = ['run/x']"),
        indicator("package", "v", "decisive", "names = ['liblzma5']\nupstream = ['5.6.1']"),
        indicator("digest", "d", "decisive", "sha1 = ['00112233445566778899aabbccddeeff00112233']"),
    ]);
    let mut facts = facts(&known, vec![("/bin/x", file(Look::Binary, Some(Vec::new())))]);
    let policy = Policy::default();
    assert!(check(&facts, &known, &policy).findings.is_empty());
    facts.kernel.as_mut().unwrap().abstract_sockets = Some(vec!["run/x".into(), "run/x2".into()]);
    let package = Package {
        system: PackageSystem::Dpkg,
        name: "liblzma5".into(),
        seal: None,
        source: String::new(),
        manifest: None,
        demands: Vec::new(),
        version: "5.6.1-1".into(),
        architecture: "amd64".into(),
        status: "install ok installed".into(),
    };
    facts.roots[0].packages.packages = BTreeMap::from([("liblzma5:amd64".to_owned(), package)]);
    let digest =
        crate::model::Digest::from_hex(crate::model::Algorithm::Sha1, "00112233445566778899aabbccddeeff00112233");
    facts.roots[0].files.files.get_mut(&path("/bin/x")).unwrap().digests = vec![digest.unwrap()];
    let result = check(&facts, &known, &policy);
    let mut subjects: Vec<String> = summary(&result).into_iter().map(|(_, _, subject)| subject).collect();
    subjects.sort();
    assert_eq!(subjects, ["/bin/x", "host", "package liblzma5:amd64"]);
    // An image has no sockets of its own: those of the machine it is looked at from say nothing about it.
    facts.roots[0].live = false;
    assert_eq!(check(&facts, &known, &policy).findings.len(), 2);
}

#[test]
fn what_a_process_executes_without_a_path_is_matched_too() {
    let known = knowledge(&[
        indicator("content", "c", "decisive", "group = [{ strings = ['abcd'] }]"),
        indicator("digest", "d", "decisive", &format!("sha256 = ['{}']", "7".repeat(64))),
    ]);
    let check = |hits: Option<Vec<Hit>>, digest: char, expected: &[&str]| {
        let sha256 = crate::model::Digest::from_hex(crate::model::Algorithm::Sha256, &String::from(digest).repeat(64));
        let content = MappedContent::Other { sha256: sha256.unwrap(), hits, unlinked: true };
        let mapping = Mapping {
            start: 4096,
            end: 8192,
            permissions: "r-xp".into(),
            offset: 0,
            path: "/usr/sbin/sshd".into(),
            deleted: true,
            entry: true,
            in_place: None,
            content: Some(content),
        };
        let process = ProcessFacts {
            pid: 7,
            starttime: 1,
            uid: 0,
            server: "[::]:22".into(),
            listener: true,
            exe: None,
            mappings: vec![mapping],
            ..ProcessFacts::default()
        };
        let mut facts = facts(&known, vec![]);
        facts.roots[0].processes = vec![process];
        let result = check(&facts, &known, &Policy::default());
        let messages: Vec<&str> = result.findings.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(messages, expected);
    };
    check(Some(Vec::new()), '0', &[]);
    check(Some(vec![hit("c", Specificity::Decisive)]), '0', &["`process 7` bears the mark of Fam: title c"]);
    check(None, '7', &["`process 7` bears the mark of Fam: title d"]);
}

#[test]
fn what_was_not_looked_at_is_a_gap() {
    let known = knowledge(&[
        indicator("path", "g", "weak", "paths = ['/tmp/x*']"),
        indicator("content", "c", "decisive", "group = [{ strings = ['abcd'] }]"),
        indicator("unobserved", "u", "strong", "needs = 'kernel-symbols'"),
        indicator("digest", "d", "decisive", "sha1 = ['00112233445566778899aabbccddeeff00112233']"),
    ]);
    let unobserved = "1 indicators of 1 families were not looked for, they need: kernel symbols (1)";
    let check = |files: Vec<(&str, FileFacts)>, change: &dyn Fn(&mut Facts), expected: &[(&str, &str, bool)]| {
        let mut facts = facts(&known, files);
        change(&mut facts);
        let result = check(&facts, &known, &Policy::default());
        let seen: Vec<(String, &str, bool)> = result
            .gaps
            .iter()
            .map(|Gap { subject, reason, mandatory }| (subject.to_string(), reason.as_str(), *mandatory))
            .collect();
        let seen: Vec<_> =
            seen.iter().map(|(subject, reason, mandatory)| (subject.as_str(), *reason, *mandatory)).collect();
        let mut all = expected.to_vec();
        all.push(("host", unobserved, false));
        assert_eq!(seen, all);
    };
    check(vec![], &|_| {}, &[]);
    check(vec![("/sbin/sshd", file(Look::Binary, Some(Vec::new())))], &|_| {}, &[]);
    let mut unread = file(Look::Binary, None);
    unread.problem = Some("permission denied".into());
    let not_applied = "byte rules could not be applied: permission denied";
    check(vec![("/sbin/sshd", unread)], &|_| {}, &[("/sbin/sshd", not_applied, true)]);
    let mut unknown = file(Look::Binary, None);
    unknown.state = FileState::Unknown("permission denied".into());
    check(vec![("/root/x", unknown)], &|_| {}, &[("/root/x", "could not be looked at: permission denied", true)]);
    let mut dir = file(Look::Binary, None);
    dir.state = FileState::Present(meta(FileKind::Directory));
    check(vec![("/var/lib", dir.clone())], &|_| {}, &[]);
    check(vec![("/tmp", dir)], &|_| {}, &[("/tmp", "could not be listed: its names were not read", true)]);
    let mut digested = file(Look::Binary, Some(Vec::new()));
    digested.digests = vec![crate::model::Digest::Md5([0; 16])];
    let untaken = "sha1 was not taken of 1 files: published sha1 digests were not compared";
    check(vec![("/a", digested)], &|_| {}, &[("host", untaken, false)]);
    let other =
        "files were matched with the byte rules of 2020-01-01, not with those of 2026-11-22: scan again to apply these";
    check(
        vec![],
        &|facts| (facts.byte_rules, facts.knowledge) = ("0".into(), "2020-01-01".into()),
        &[("host", other, true)],
    );
    let sockets = "names of abstract UNIX sockets could not be read: control sockets were not looked for";
    check(vec![], &|facts| facts.kernel = None, &[("host", sockets, true)]);
    check(vec![], &|facts| (facts.kernel, facts.roots[0].live) = (None, false), &[]);
}

#[test]
fn old_knowledge_is_a_finding_only_if_policy_says_so() {
    let known = names(&[("a", "weak")]);
    let check = |days: Option<u32>, expected: &[&str]| {
        let policy = Policy { knowledge_max_age_days: days, ..Policy::default() };
        let result = check(&facts(&known, vec![]), &known, &policy);
        let codes: Vec<&str> = result.findings.iter().map(|finding| finding.code.id()).collect();
        assert_eq!(codes, expected);
    };
    check(None, &[]);
    check(Some(30), &[]);
    check(Some(29), &["coverage/knowledge-old"]);
}
