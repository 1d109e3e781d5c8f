//! The last link of a chain: from the file of a server to the processes that execute it.

use crate::facts::{ProcessFacts, RootFacts, ServerFacts};
use crate::model::report::{Compared, Link, LinkKind};
use crate::model::{CheckResult, RootedPath, Subject};

/// For the executable of each running server, whether its processes were seen to execute what was looked at. `result` is
/// this check's answer; a process that it accuses, or could not judge, breaks the link.
#[must_use]
pub fn links(root: &RootFacts, result: &CheckResult) -> Vec<(RootedPath, Link)> {
    let mut links = Vec::new();
    for server in root.servers.iter().filter(|server| !server.pids.is_empty()) {
        let Some(path) = root.files.canonical(&server.binary) else { continue };
        let of = |pids: &mut dyn Iterator<Item = &i32>| {
            let pids: Vec<String> = pids.map(ToString::to_string).collect();
            (!pids.is_empty()).then(|| format!("pid {}", pids.join(", ")))
        };
        let accused = |pid: &&i32| result.findings.iter().any(|finding| is_about(&finding.subject, **pid));
        let unseen = |pid: &&i32| result.gaps.iter().any(|gap| gap.mandatory && is_about(&gap.subject, **pid));
        let link = |by: String, ok| Link { link: LinkKind::Memory, by, ok };
        let link = if let Some(pids) = of(&mut server.pids.iter().filter(accused)) {
            link(format!("{pids} of `{}` executes something else", server.label), false)
        } else if let Some(pids) = of(&mut server.pids.iter().filter(unseen)) {
            link(format!("{pids} of `{}` could not be judged", server.label), false)
        } else {
            link(of(&mut server.pids.iter()).unwrap_or_default(), true)
        };
        links.push((path.clone(), link));
    }
    links
}

/// How much of the processes of `server` was compared; `None` if none was seen whole.
#[must_use]
pub fn compared(root: &RootFacts, server: &ServerFacts) -> Option<Compared> {
    let whole = |process: &&ProcessFacts| {
        process.server == server.label && !process.gone && process.problem.is_none() && process.pages.is_some()
    };
    let mut all = Compared::default();
    for process in root.processes.iter().filter(whole) {
        all.processes = all.processes.saturating_add(1);
        all.pages = all.pages.saturating_add(process.pages.as_ref().map_or(0, |pages| pages.examined));
        all.slots = all.slots.saturating_add(process.binding.as_ref().map_or(0, |binding| binding.words));
    }
    (all.processes > 0).then_some(all)
}

fn is_about(subject: &Subject, wanted: i32) -> bool {
    matches!(subject, Subject::Process { pid, .. } | Subject::Mapping { pid, .. } if *pid == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::binding::BindingFacts;
    use crate::facts::pages::PageFacts;
    use crate::facts::server::{Implementation, StartedBy};
    use crate::facts::{FileFacts, FileState};
    use crate::model::{Check, Evidence, Finding, Gap, code};

    fn server() -> ServerFacts {
        ServerFacts {
            label: "sshd *:22".to_owned(),
            started_by: StartedBy::CommandLine,
            pids: vec![7, 8],
            ..ServerFacts::new(Implementation::OpenSsh, RootedPath::new("/usr/sbin/sshd").unwrap())
        }
    }

    #[test]
    fn what_was_compared_is_counted_of_processes_that_were_seen_whole() {
        let process = |pid, label: &str, gone| ProcessFacts {
            pid,
            server: label.to_owned(),
            gone,
            pages: Some(PageFacts { examined: 30, ..PageFacts::default() }),
            binding: Some(BindingFacts { words: 200, ..BindingFacts::default() }),
            ..ProcessFacts::default()
        };
        let processes = vec![
            process(7, "sshd *:22", false),
            process(8, "sshd *:22", false),
            process(9, "sshd *:22", true),
            process(10, "sshd *:2222", false),
        ];
        let mut root = RootFacts { processes, ..RootFacts::default() };
        assert_eq!(compared(&root, &server()), Some(Compared { processes: 2, pages: 60, slots: 400 }));
        root.processes.truncate(0);
        assert_eq!(compared(&root, &server()), None);
    }

    #[test]
    fn a_link_holds_unless_one_of_its_processes_is_accused_or_unseen() {
        let mut root = RootFacts { servers: vec![server()], ..RootFacts::default() };
        root.files.files.insert(RootedPath::new("/usr/sbin/sshd").unwrap(), FileFacts::new(FileState::Missing));
        let check = |result: &CheckResult, by: &str, ok| {
            assert_eq!(links(&root, result)[0].1, Link { link: LinkKind::Memory, by: by.to_owned(), ok });
        };
        let mut result = CheckResult::new(Check::Live);
        check(&result, "pid 7, 8", true);
        result.gap(Gap::mandatory(Subject::Process { pid: 8, starttime: 1 }, "x"));
        check(&result, "pid 8 of `sshd *:22` could not be judged", false);
        let subject = Subject::Mapping { pid: 7, start: 1, path: String::new() };
        let evidence = Evidence::Fact { about: "a".to_owned(), value: "b".to_owned() };
        result.findings.push(Finding::new(code::TRACED, subject, "m", evidence));
        check(&result, "pid 7 of `sshd *:22` executes something else", false);
    }
}
