//! One event as a syslog message (RFC 5424), bare for RELP or in an octet-counted frame (RFC 6587, section 3.4.1; RFC 5425,
//! section 4.3).
//!
//! Names of structured data are lower case, since rsyslog's mmpstrucdata makes them so, and the node's name stands there
//! too, since a relay may put its own into the header.

use crate::model::Severity;
use crate::model::event::{Body, Event};

/// The frame that carries `encoded`, the event in some vocabulary.
#[must_use]
pub fn frame(event: &Event, encoded: &str, facility: u8, enterprise: u32) -> Vec<u8> {
    let message = message(event, encoded, facility, enterprise);
    let mut frame = format!("{} ", message.len()).into_bytes();
    frame.extend_from_slice(message.as_bytes());
    frame
}

/// The message that carries `encoded`. Without a byte order mark: rsyslog would keep it, and who reads JSON stumbles over it.
#[must_use]
pub fn message(event: &Event, encoded: &str, facility: u8, enterprise: u32) -> String {
    let priority = u32::from(facility).saturating_mul(8).saturating_add(severity(&event.body));
    format!(
        "<{priority}>1 {} {} sshproof - {} {} {encoded}",
        event.time,
        header(&event.node.name, 255),
        event.body.name(),
        structured(event, enterprise),
    )
}

/// The severity as journald wants it.
#[must_use]
pub const fn priority(body: &Body) -> &'static str {
    match severity(body) {
        2 => "2",
        3 => "3",
        4 => "4",
        5 => "5",
        _ => "6",
    }
}

/// Severities of RFC 5424, table 2.
const fn severity(body: &Body) -> u32 {
    match body {
        Body::Finding(finding) => match finding.severity {
            Severity::Critical => 2,
            Severity::High => 3,
            Severity::Medium => 4,
            Severity::Low => 5,
            Severity::Informational => 6,
        },
        Body::State(_) => 6,
        Body::Spool(lost) if lost.findings => 3,
        Body::Spool(_) => 4,
    }
}

/// Printable ASCII without blanks, as header fields are; `-` if nothing is left.
fn header(text: &str, longest: usize) -> String {
    let kept: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

fn structured(event: &Event, enterprise: u32) -> String {
    let mut element = format!("[sshproof@{enterprise}");
    let mut put = |name: &str, value: &str| {
        element.push_str(&format!(" {name}=\"{}\"", escaped(value)));
    };
    put("node", &event.node.name);
    put("epoch", &event.chain.epoch.to_string());
    put("seq", &event.chain.seq.to_string());
    put("id", &event.id);
    match &event.body {
        Body::Finding(finding) => {
            put("code", finding.code.id());
            put("class", finding.class.name());
            put("severity", finding.severity.name());
            put("status", finding.status.name());
            put("uid", &finding.uid);
        }
        Body::State(state) => put("verdict", state.verdict.name()),
        Body::Spool(lost) => put("reason", lost.reason.name()),
    }
    element.push(']');
    element
}

/// `"`, `\` and `]` with a backslash before them (section 6.3.3).
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_as_the_rfc_says() {
        assert_eq!(escaped(r#"a"b\c]d"#), r#"a\"b\\c\]d"#);
        assert_eq!(header("n\u{e9} 1", 255), "n1");
        assert_eq!(header("\u{e9}", 255), "-");
        assert_eq!(header("abc", 2), "ab");
    }
}
