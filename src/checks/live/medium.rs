//! Judges what the files of servers hold on their medium.

use crate::facts::RootFacts;
use crate::facts::medium::{Differing, MediumFacts};
use crate::model::code::CACHE_DIFFERS;
use crate::model::{CheckResult, Evidence, Finding, Gap, RootedPath, Subject, text};

/// Adds what the comparison shows, if it was made (`--deep`, or a state directory).
pub fn judge(root: &RootFacts, result: &mut CheckResult) {
    let Some(MediumFacts { earlier, differing, cached_only, problems, .. }) = &root.medium else { return };
    if *earlier > 0 {
        let reason = format!(
            "{earlier} of the files that servers execute were compared with their medium by an earlier scan of this boot and have \
             not changed since; `--deep` compares them all again"
        );
        result.gap(Gap::noted(Subject::Host, reason));
    }
    result.findings.extend(differing.iter().map(differs));
    for problem in problems {
        result.gap(Gap::mandatory(Subject::Host, format!("not compared with its medium: {problem}")));
    }
    if let Some(first) = cached_only.first() {
        let reason = format!(
            "{} of the files that servers execute, `{first}` among them, lie on a file system that cannot be read past the \
             page cache (in memory, or compressed) or on another machine's, and were not compared with a medium",
            cached_only.len()
        );
        result.gap(Gap::noted(Subject::Host, reason));
    }
}

fn differs(file: &Differing) -> Finding {
    let Differing { path, cached, medium, offset } = file;
    let subject = text::unescape(path).and_then(RootedPath::new).map_or(Subject::Host, |path| Subject::File { path });
    let message = format!(
        "SSH servers execute `{path}` as the page cache holds it; its medium holds something else from offset {offset:#x} on"
    );
    let evidence = Evidence::Digest {
        algorithm: cached.algorithm(),
        expected: cached.hex(),
        actual: medium.hex(),
        source: "the page cache, against the medium".to_owned(),
    };
    Finding::new(CACHE_DIFFERS, subject, message, evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Algorithm, Check, Digest, Verdict};

    fn check(medium: Option<MediumFacts>, codes: &[&str], verdict: Verdict) {
        let root = RootFacts { medium, ..RootFacts::default() };
        let mut result = CheckResult::new(Check::Live);
        judge(&root, &mut result);
        result.examined = 1;
        let found: Vec<&str> = result.findings.iter().map(|finding| finding.code.id()).collect();
        assert_eq!((found.as_slice(), result.verdict()), (codes, verdict), "{result:#?}");
    }

    #[test]
    fn what_differs_is_named_and_what_cannot_be_read_is_no_fault() {
        check(None, &[], Verdict::Pass);
        check(Some(MediumFacts { same: 28, ..MediumFacts::default() }), &[], Verdict::Pass);
        let sha256 = |text: &str| Digest::of(Algorithm::Sha256, text.as_bytes());
        let differing =
            Differing { path: "/usr/sbin/sshd".to_owned(), cached: sha256("a"), medium: sha256("b"), offset: 7 };
        let facts = MediumFacts { differing: vec![differing], ..MediumFacts::default() };
        check(Some(facts), &["live/cache-differs-from-medium"], Verdict::Fail);
        let facts = MediumFacts { cached_only: vec!["/usr/sbin/sshd".to_owned()], ..MediumFacts::default() };
        check(Some(facts), &[], Verdict::Pass);
        let facts = MediumFacts { problems: vec!["x".to_owned()], ..MediumFacts::default() };
        check(Some(facts), &[], Verdict::Inconclusive);
    }
}
