//! What units, drop-ins and the files they name do to the environment and the commands of a service.

use crate::facts::{Role, RootFacts};
use crate::model::{CheckResult, Evidence, Finding, RootedPath, Severity, Subject, code, text};
use crate::policy::Policy;

/// Variables that make the loader map libraries of somebody's choice (ld.so(8)).
const LOADER: [&str; 3] = ["LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH"];

/// Looks through every line of every file that starts a server. Comments are skipped; a line is judged for itself, since
/// whichever directive of systemd's it continues, an assignment to one of these variables has no harmless reading there.
pub fn check(root: &RootFacts, policy: &Policy, result: &mut CheckResult) {
    for (path, file) in root.files.with_role(Role::Unit) {
        let Some(bytes) = file.text_bytes() else { continue };
        let mut overrides = None;
        for (number, line) in (1..).zip(bytes.split(|b| *b == b'\n')) {
            let line = line.trim_ascii();
            if matches!(line.first(), None | Some(b'#' | b';')) {
                continue;
            }
            let evidence = Evidence::Line { path: path.clone(), line: number, text: text::escape(line) };
            for variable in LOADER {
                if let Some(value) = assigned(line, variable.as_bytes()) {
                    result.findings.push(preload(path, variable, &value, policy, evidence.clone()));
                }
            }
            if is_drop_in(path) && line.starts_with(b"Exec") && line.contains(&b'=') {
                overrides.get_or_insert(evidence);
            }
        }
        if let Some(evidence) = overrides {
            let message = format!("the drop-in `{path}` changes which commands the service runs");
            result.findings.push(Finding::new(code::UNIT_OVERRIDE, Subject::file(path), message, evidence));
        }
    }
}

/// What `line` assigns to `variable`, if it assigns something.
fn assigned(line: &[u8], variable: &[u8]) -> Option<Vec<u8>> {
    let at = line.windows(variable.len() + 1).position(|part| part.strip_prefix(variable) == Some(b"="))?;
    // Part of a longer name is another variable.
    let before = at.checked_sub(1).and_then(|at| line.get(at));
    if before.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_') {
        return None;
    }
    let value = line.get(at + variable.len() + 1..)?;
    let value: Vec<u8> = value
        .iter()
        .copied()
        .skip_while(|b| matches!(b, b'"' | b'\''))
        .take_while(|b| !b.is_ascii_whitespace() && !matches!(b, b'"' | b'\''))
        .collect();
    (!value.is_empty()).then_some(value)
}

fn preload(path: &RootedPath, variable: &str, value: &[u8], policy: &Policy, evidence: Evidence) -> Finding {
    let shown = text::escape(value);
    let declared = variable == "LD_PRELOAD"
        && value
            .split(|b| *b == b':')
            .all(|name| RootedPath::new(name).is_some_and(|library| policy.declared_preloads.contains(&library)));
    let message = format!("`{path}` starts a server with `{variable}={shown}`");
    let finding = Finding::new(code::UNIT_PRELOAD, Subject::file(path), message, evidence);
    match (declared, variable) {
        (true, _) => finding.with_severity(Severity::Informational),
        (false, "LD_LIBRARY_PATH") => finding.with_severity(Severity::Medium),
        (false, _) => finding,
    }
}

/// `NAME.TYPE.d/*.conf` (systemd.unit(5)).
fn is_drop_in(path: &RootedPath) -> bool {
    path.file_name().ends_with(b".conf") && path.parent().is_some_and(|dir| dir.file_name().ends_with(b".d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_found_wherever_they_stand() {
        let check = |line: &str, expected: Option<&str>| {
            let found = assigned(line.as_bytes(), b"LD_PRELOAD").map(|value| String::from_utf8(value).unwrap());
            assert_eq!(found.as_deref(), expected, "{line}");
        };
        check("Environment=LD_PRELOAD=/lib/x.so", Some("/lib/x.so"));
        check("Environment=\"A=b\" \"LD_PRELOAD=/lib/x.so\" C=d", Some("/lib/x.so"));
        check("ExecStart=/usr/bin/env LD_PRELOAD='/lib/x.so' /usr/sbin/sshd -D", Some("/lib/x.so"));
        check("LD_PRELOAD=\"/lib/x.so /lib/y.so\"", Some("/lib/x.so"));
        check("export LD_PRELOAD=/lib/x.so", Some("/lib/x.so"));
        check("LD_PRELOAD=", None);
        check("OLD_PRELOAD=/lib/x.so", None);
        check("PassEnvironment=LD_PRELOAD", None);
    }
}
