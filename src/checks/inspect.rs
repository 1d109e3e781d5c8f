//! What can be said of a file by itself, wherever it came from: its structure and the indicators in its content.
//! Who owns it, what it belongs to and who runs it, this does not ask.

use serde::Serialize;

use super::{anomaly, backdoor};
use crate::facts::{Facts, FileFacts, FileState};
use crate::knowledge::Knowledge;
use crate::model::{Finding, Gap, RootedPath, Subject};
use crate::policy::Policy;

/// One file with what was found in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inspected {
    /// Where, links resolved.
    pub path: RootedPath,
    /// What was seen of it.
    pub facts: FileFacts,
    /// What knowledge and rules say about it.
    pub findings: Vec<Finding>,
    /// What could not be seen of it.
    pub gaps: Vec<Gap>,
}

/// Judges every file in `facts`, which hold nothing else.
#[must_use]
pub fn check(facts: &Facts, knowledge: &Knowledge) -> Vec<Inspected> {
    let indicators = backdoor::check(facts, knowledge, &Policy::default());
    let files = facts.roots.iter().flat_map(|root| &root.files.files);
    files.map(|(path, file)| one(path, file, &indicators.findings)).collect()
}

fn one(path: &RootedPath, file: &FileFacts, indicators: &[Finding]) -> Inspected {
    let subject = Subject::file(path);
    let mut gaps = Vec::new();
    let mut findings: Vec<Finding> = indicators.iter().filter(|finding| finding.subject == subject).cloned().collect();
    match &file.state {
        FileState::Present(_) => {
            let structure = anomaly::of_file(path, file);
            findings.extend(structure.findings);
            gaps.extend(structure.gaps);
        }
        FileState::Missing => gaps.push(Gap::mandatory(subject, "there is no such file")),
        FileState::Unknown(why) => gaps.push(Gap::mandatory(subject, why.clone())),
    }
    Inspected { path: path.clone(), facts: file.clone(), findings, gaps }
}
