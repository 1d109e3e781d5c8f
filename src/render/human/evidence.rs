//! Evidence as labelled lines: what was expected and who says so, what was found and where.

use crate::model::Evidence;

/// Pairs of a label and its text.
pub fn lines(evidence: &Evidence) -> Vec<(&'static str, String)> {
    match evidence {
        Evidence::Digest { algorithm, expected, actual, source } => vec![
            ("expected", format!("{algorithm} {expected}, says {source}")),
            ("found", format!("{algorithm} {actual}")),
        ],
        Evidence::Line { path, line, text } => vec![("line", format!("{path}:{line}   {}", spaced(text).trim()))],
        Evidence::Bytes { path, offset, hex, indicator } => {
            vec![("bytes", format!("{path} at offset {offset:#x}: {hex} (indicator `{indicator}`)"))]
        }
        Evidence::Symbol { path, name, detail } => vec![("symbol", format!("{path}: `{name}` {detail}"))],
        Evidence::Mapping { pid, range, path, detail } => {
            let path = if path.is_empty() { "anonymous memory" } else { path };
            vec![("mapping", format!("pid {pid}, {range} {path}: {detail}"))]
        }
        Evidence::Metadata { path, property, expected, actual } => {
            vec![("expected", format!("{property} {expected}")), ("found", format!("{property} {actual} of {path}"))]
        }
        Evidence::Counterexample { user, from, methods } => {
            vec![("example", format!("{user} from {from} by `{}` alone", methods.join(",")))]
        }
        Evidence::Fact { about, value } => vec![("seen", format!("{about}: {value}"))],
    }
}

/// A configuration line with its tabs, which are escaped like every control character, shown as the blanks they are.
pub fn spaced(line: &str) -> String {
    line.replace("\\x09", " ")
}
