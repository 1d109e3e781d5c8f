//! Libraries that /etc/ld.so.preload puts into every program.

use crate::facts::{FileState, RootFacts, preload};
use crate::model::{CheckResult, Confidence, Evidence, Finding, Gap, RootedPath, Severity, Subject, code, text};
use crate::policy::Policy;

/// One finding for each library named; informational where the site declared it.
pub fn check(root: &RootFacts, policy: &Policy, result: &mut CheckResult) {
    let Some(path) = RootedPath::new(preload::PATH) else { return };
    let Some(file) = root.files.get(&path) else { return };
    match &file.state {
        FileState::Missing => return,
        FileState::Unknown(why) => {
            result.gap(Gap::mandatory(Subject::file(&path), format!("it could not be read: {why}")));
            return;
        }
        FileState::Present(_) => {}
    }
    let Some(bytes) = file.text_bytes() else {
        let why = file.problem.as_deref().unwrap_or("its content was not kept");
        result.gap(Gap::mandatory(Subject::file(&path), format!("it could not be read: {why}")));
        return;
    };
    for name in preload::libraries(root) {
        let shown = text::escape(&name);
        let declared = RootedPath::new(&name).is_some_and(|library| policy.declared_preloads.contains(&library));
        let line = bytes.split(|b| *b == b'\n').position(|line| contains(line, &name)).unwrap_or(0);
        let evidence = Evidence::Line {
            path: path.clone(),
            line: u32::try_from(line).unwrap_or(0).saturating_add(1),
            text: shown.clone(),
        };
        let finding = if declared {
            let message = format!("`{shown}` is loaded into every program, as the site declares");
            Finding::new(code::PRELOAD, Subject::file(&path), message, evidence).with_severity(Severity::Informational)
        } else {
            let message = format!("`{shown}` is loaded into every program that starts, sshd included");
            Finding::new(code::PRELOAD, Subject::file(&path), message, evidence).with_confidence(Confidence::Medium)
        };
        result.findings.push(finding);
    }
}

fn contains(line: &[u8], name: &[u8]) -> bool {
    line.windows(name.len().max(1)).any(|window| window == name)
}
