//! Joins what is said of containers with what is said of their host, so that each name tells whose it is: a file of a container
//! is called by the path at which the host finds it, `/proc/PID/root/…`.

use crate::facts::container::Container;
use crate::model::report::{self, Report};
use crate::model::{CheckResult, Evidence, Finding, RootedPath, Subject};

/// Adds the report of `container` to that of its host. What speaks of the host as a whole and was said already is not
/// repeated.
pub fn join(host: &mut Report, of: Report, container: &Container) {
    for result in of.results {
        if let Some(known) = host.results.iter_mut().find(|known| known.check == result.check) {
            add(known, result, container);
        }
    }
    (host.verdict, host.classes) = report::verdicts(&host.results);
    host.trust_floor = host.trust_floor.max(of.trust_floor);
    host.servers.extend(of.servers.into_iter().map(|mut server| {
        server.binary = path(container, &server.binary);
        server.config = server.config.map(|config| path(container, &config));
        server
    }));
    host.files.extend(of.files.into_iter().map(|mut file| {
        file.path = path(container, &file.path);
        file.package = file.package.map(|package| package_name(container, &package));
        file
    }));
    host.login.extend(of.login);
    host.capsules.extend(of.capsules);
}

fn add(known: &mut CheckResult, result: CheckResult, container: &Container) {
    known.examined = known.examined.saturating_add(result.examined);
    let said = |finding: &Finding| {
        let same = |known: &Finding| known.code == finding.code && known.message == finding.message;
        finding.subject == Subject::Host && known.findings.iter().any(same)
    };
    let new: Vec<Finding> = result.findings.into_iter().filter(|finding| !said(finding)).collect();
    known.findings.extend(new.into_iter().map(|finding| named(finding, container)));
    for mut gap in result.gaps {
        if gap.subject == Subject::Host && known.gaps.contains(&gap) {
            continue;
        }
        if !tells_by_itself(&gap.subject) {
            gap.reason = format!("in container `{}`: {}", container.name, gap.reason);
        }
        gap.subject = subject(container, gap.subject);
        known.gap(gap);
    }
}

fn named(mut finding: Finding, container: &Container) -> Finding {
    if !tells_by_itself(&finding.subject) {
        finding.message = format!("in container `{}`: {}", container.name, finding.message);
    }
    finding.subject = subject(container, finding.subject);
    for piece in &mut finding.evidence {
        match piece {
            Evidence::Line { path: at, .. }
            | Evidence::Bytes { path: at, .. }
            | Evidence::Symbol { path: at, .. }
            | Evidence::Metadata { path: at, .. } => *at = path(container, at),
            Evidence::Digest { .. }
            | Evidence::Mapping { .. }
            | Evidence::Counterexample { .. }
            | Evidence::Fact { .. } => {}
        }
    }
    finding
}

/// Processes have one number on the host, and labels of servers name their container.
const fn tells_by_itself(subject: &Subject) -> bool {
    matches!(
        subject,
        Subject::Process { .. } | Subject::Mapping { .. } | Subject::Login { .. } | Subject::Server { .. }
    )
}

fn subject(container: &Container, subject: Subject) -> Subject {
    match subject {
        Subject::File { path: at } => Subject::File { path: path(container, &at) },
        Subject::Package { name } => Subject::Package { name: package_name(container, &name) },
        other => other,
    }
}

fn package_name(container: &Container, name: &str) -> String {
    format!("{name} (container {})", container.name)
}

fn path(container: &Container, inside: &RootedPath) -> RootedPath {
    let whole = [container.root().as_bytes(), inside.as_bytes()].concat();
    RootedPath::new(&whole).unwrap_or_else(|| inside.clone())
}
