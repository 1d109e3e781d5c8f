//! Judges how the loader has bound a process: words that lead elsewhere, and a list that does not match what is mapped.

use std::collections::BTreeMap;

use crate::facts::ProcessFacts;
use crate::facts::binding::Redirected;
use crate::model::code::{HIDDEN_MODULE, RELOCATION_REDIRECTED, RELRO_WRITABLE};
use crate::model::{CheckResult, Evidence, Finding, Gap, Subject};

/// Words that stand in one finding.
const MAX_EVIDENCE: usize = 8;

/// Adds what the bindings of `process` show. A process without facts of them, and each part that is missing, is a mandatory
/// gap.
pub fn judge(process: &ProcessFacts, result: &mut CheckResult) {
    let subject = Subject::Process { pid: process.pid, starttime: process.starttime };
    let (pid, server) = (process.pid, &process.server);
    let Some(binding) = &process.binding else {
        result.gap(Gap::mandatory(subject, "the words that its loader relocated were not compared with its rules"));
        return;
    };
    for problem in &binding.problems {
        result.gap(Gap::mandatory(subject.clone(), format!("a process of `{server}`: {problem}")));
    }
    let unknown = binding.redirected.iter().filter(|word| !word.known);
    if let Some(first) = unknown.clone().next() {
        let reason = format!(
            "{} words of a process of `{server}` are bound to symbols that no file in scope defines, `{}` of `{}` among them",
            unknown.count(),
            first.symbol,
            first.path
        );
        result.gap(Gap::mandatory(subject.clone(), reason));
    }
    let mut by_file: BTreeMap<&str, Vec<&Redirected>> = BTreeMap::new();
    for word in binding.redirected.iter().filter(|word| word.known) {
        by_file.entry(&word.path).or_default().push(word);
    }
    for (path, words) in by_file {
        result.findings.extend(redirected(process, path, &words, binding.more));
    }
    for path in &binding.unprotected {
        let message = format!("process {pid} of `{server}` can write to what should be read-only in `{path}` by now");
        let evidence = fact(pid, "maps", format!("the relocated part of `{path}` is writable"));
        result.findings.push(Finding::new(RELRO_WRITABLE, subject.clone(), message, evidence));
    }
    let unlisted = binding.unlisted.iter().map(|path| format!("code of `{path}`, which its loader has not loaded"));
    let unmapped = binding
        .unmapped
        .iter()
        .map(|address| format!("a file in its loader's list (at {address:#x}) that is not mapped"));
    for what in unlisted.chain(unmapped) {
        let message = format!("process {pid} of `{server}` has {what}");
        let evidence = fact(pid, "maps, against the list at DT_DEBUG", what);
        result.findings.push(Finding::new(HIDDEN_MODULE, subject.clone(), message, evidence));
    }
}

fn fact(pid: i32, of: &str, value: String) -> Evidence {
    Evidence::Fact { about: format!("/proc/{pid}/{of}"), value }
}

fn redirected(process: &ProcessFacts, path: &str, words: &[&Redirected], more: u64) -> Option<Finding> {
    let first = words.first()?;
    let what = named(first);
    let others = match u64::try_from(words.len()).unwrap_or(u64::MAX).saturating_add(more) {
        0 | 1 => String::new(),
        all => format!(", and {} more words are wrong", all.saturating_sub(1)),
    };
    let message = format!(
        "process {} of `{}`: {what} in `{path}` leads to {}{}{others}",
        process.pid,
        process.server,
        first.leads_to,
        should(first)
    );
    let mut evidence = words.iter().take(MAX_EVIDENCE).map(|word| Evidence::Mapping {
        pid: process.pid,
        range: format!("{:x}", word.address),
        path: path.to_owned(),
        detail: format!("{} holds {:#x}, {}{}", named(word), word.actual, word.leads_to, should(word)),
    });
    let subject = Subject::Mapping { pid: process.pid, start: first.address, path: path.to_owned() };
    let finding = Finding::new(RELOCATION_REDIRECTED, subject, message, evidence.next()?);
    Some(evidence.fold(finding, Finding::and))
}

fn named(word: &Redirected) -> String {
    if word.symbol.is_empty() { "a relocated word".to_owned() } else { format!("`{}`", word.symbol) }
}

fn should(word: &Redirected) -> String {
    match word.expected.as_slice() {
        [] => ", where no loader would have led it".to_owned(),
        expected => format!(" and should lead to {}", expected.join(" or ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::binding::BindingFacts;
    use crate::model::{Check, Verdict};

    fn word(symbol: &str, known: bool) -> Redirected {
        Redirected {
            path: "/usr/sbin/sshd".to_owned(),
            address: 0x5000,
            symbol: symbol.to_owned(),
            actual: 0x7000,
            leads_to: "`/usr/lib/liblzma.so.5`+0x1000".to_owned(),
            expected: vec!["`/usr/lib/libcrypto.so.3`+0x2000 (`RSA_public_decrypt`)".to_owned()],
            known,
        }
    }

    fn check(binding: Option<BindingFacts>, codes: &[&str], verdict: Verdict) -> CheckResult {
        let process = ProcessFacts { pid: 7, binding, ..ProcessFacts::default() };
        let mut result = CheckResult::new(Check::Live);
        judge(&process, &mut result);
        result.examined = 1;
        let found: Vec<&str> = result.findings.iter().map(|finding| finding.code.id()).collect();
        assert_eq!((found.as_slice(), result.verdict()), (codes, verdict), "{result:#?}");
        result
    }

    #[test]
    fn words_that_lead_elsewhere_are_named() {
        let facts = |redirected| Some(BindingFacts { redirected, ..BindingFacts::default() });
        check(facts(Vec::new()), &[], Verdict::Pass);
        let result = check(
            facts(vec![word("RSA_public_decrypt@OPENSSL_3.0.0", true)]),
            &["live/relocation-redirected"],
            Verdict::Fail,
        );
        let message = &result.findings[0].message;
        for part in [
            "RSA_public_decrypt@OPENSSL_3.0.0",
            "leads to `/usr/lib/liblzma.so.5`+0x1000",
            "should lead to `/usr/lib/libcrypto",
        ] {
            assert!(message.contains(part), "{message}");
        }
        check(facts(vec![word("a", true), word("b", true)]), &["live/relocation-redirected"], Verdict::Fail);
        check(facts(vec![word("a", false)]), &[], Verdict::Inconclusive);
    }

    #[test]
    fn the_loaders_list_and_protection_count() {
        let unlisted = BindingFacts { unlisted: vec!["/usr/lib/libz.so.1".to_owned()], ..BindingFacts::default() };
        check(Some(unlisted), &["live/hidden-module"], Verdict::Fail);
        let unmapped = BindingFacts { unmapped: vec![0x7000], ..BindingFacts::default() };
        check(Some(unmapped), &["live/hidden-module"], Verdict::Fail);
        let writable = BindingFacts { unprotected: vec!["/usr/sbin/sshd".to_owned()], ..BindingFacts::default() };
        check(Some(writable), &["live/relro-writable"], Verdict::Fail);
    }

    #[test]
    fn what_was_not_compared_is_never_clean() {
        check(None, &[], Verdict::Inconclusive);
        let problem = BindingFacts { problems: vec!["another machine".to_owned()], ..BindingFacts::default() };
        check(Some(problem), &[], Verdict::Inconclusive);
    }
}
