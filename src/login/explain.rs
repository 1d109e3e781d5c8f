//! A way in, in words: who, from where, by which methods, decided by which lines, and how to see it for oneself.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::classes::addresses::MAPPED;
use super::prove::{Server, Violation, Witness};
use super::sshd::{Config, Origin};
use crate::formats::sshd_config::address::Range;
use crate::model::report::Counterexample;
use crate::model::text::escape;

/// The way as the report shows it; `fix` says what closes it.
#[must_use]
pub fn counterexample(violation: &Violation, server: &Server, config: &Config, fix: String) -> Counterexample {
    let evidence = &violation.way.evidence;
    let factors = if evidence.atoms.is_empty() {
        vec!["nothing at all".to_owned()]
    } else {
        evidence.atoms.iter().map(ToString::to_string).collect()
    };
    Counterexample {
        user: escape(&violation.witness.user),
        from: violation.witness.from.clone(),
        methods: violation.way.methods.clone(),
        factors,
        region: region(violation),
        decided_by: decided_by(violation, config),
        fix,
        replay: replay(violation, server),
    }
}

/// Everybody who can take the way, in words.
#[must_use]
pub fn region(violation: &Violation) -> String {
    format!("{}, {}{}", who(violation), from(violation), when(violation))
}

/// The accounts.
pub(super) fn who(violation: &Violation) -> String {
    let names: Vec<String> = violation.users.iter().take(SHOWN).map(|name| format!("`{}`", escape(name))).collect();
    let more = violation.users.len().saturating_sub(names.len());
    let who = match (violation.users.len(), violation.others) {
        (0, true) => "any account of a directory that is not listed here".to_owned(),
        (n, _) if n == violation.accounts => "any account".to_owned(),
        (1, _) => format!("account {}", names.join("")),
        (n, _) if n + 1 == violation.accounts && !violation.users.contains(b"root".as_slice()) => {
            "any account but `root`".to_owned()
        }
        _ if more == 0 => format!("accounts {}", names.join(", ")),
        (n, _) => format!("{n} of {} accounts, among them {}", violation.accounts, names.join(", ")),
    };
    let others = if violation.others && !violation.users.is_empty() { ", and accounts of a directory," } else { "" };
    format!("{who}{others}")
}

/// The conditions, after a comma; nothing where there are none.
pub(super) fn when(violation: &Violation) -> String {
    let guards = &violation.way.evidence.guards;
    let clauses = |holds: bool, between: &str| {
        let clauses: Vec<&str> =
            guards.iter().filter(|guard| guard.holds == holds).map(|guard| &*guard.condition).collect();
        (!clauses.is_empty()).then(|| clauses.join(between))
    };
    let provided = clauses(true, " and that ").map(|clauses| format!(", provided that {clauses}"));
    let unless = clauses(false, " or ").map(|clauses| format!(", unless {clauses}"));
    provided.unwrap_or_default() + &unless.unwrap_or_default()
}

/// Most names and networks written out.
const SHOWN: usize = 4;

/// The networks.
pub(super) fn from(violation: &Violation) -> String {
    if violation.from.len() == violation.classes {
        return "from anywhere".to_owned();
    }
    let (whole, parts): (Vec<_>, Vec<_>) = violation.from.iter().partition(|class| class.whole);
    let ranges = joined(whole.iter().map(|class| class.range));
    let mut networks: Vec<String> = ranges.iter().flat_map(|range| cidrs(*range)).collect();
    let others: Vec<String> = if parts.is_empty() {
        rest(&ranges).into_iter().filter(|range| !is_mapped(*range)).flat_map(cidrs).collect()
    } else {
        Vec::new()
    };
    if networks.len() > SHOWN && !others.is_empty() && others.len() <= SHOWN {
        return format!("from anywhere but {}", others.join(", "));
    }
    networks.extend(parts.iter().map(|class| format!("some addresses such as {}", class.witness)));
    if networks.len() > SHOWN {
        let more = networks.len() - SHOWN;
        networks.truncate(SHOWN);
        format!("from {} and {more} more networks", networks.join(", "))
    } else {
        format!("from {}", networks.join(", "))
    }
}

/// The same addresses in as few intervals as possible, those of IPv4 first.
fn joined(ranges: impl Iterator<Item = Range>) -> Vec<Range> {
    let mut ranges: Vec<Range> = ranges.collect();
    ranges.sort();
    let mut out: Vec<Range> = Vec::new();
    for range in ranges {
        match (out.last_mut(), range) {
            (Some(Range::V4(_, end)), Range::V4(first, last)) if end.checked_add(1) == Some(first) => *end = last,
            (Some(Range::V6(_, end)), Range::V6(first, last)) if end.checked_add(1) == Some(first) => *end = last,
            _ => out.push(range),
        }
    }
    out
}

/// Whether no connection comes from there (`classes::addresses`).
fn is_mapped(range: Range) -> bool {
    matches!(range, Range::V6(first, last) if MAPPED.0 <= first && last <= MAPPED.1)
}

/// All other addresses. `ranges` are disjoint and in order.
fn rest(ranges: &[Range]) -> Vec<Range> {
    let mut out = Vec::new();
    let (mut next4, mut next6) = (Some(0_u32), Some(0_u128));
    for range in ranges {
        match *range {
            Range::V4(first, last) => {
                out.extend(next4.filter(|next| *next < first).map(|next| Range::V4(next, first - 1)));
                next4 = last.checked_add(1);
            }
            Range::V6(first, last) => {
                out.extend(next6.filter(|next| *next < first).map(|next| Range::V6(next, first - 1)));
                next6 = last.checked_add(1);
            }
        }
    }
    out.extend(next4.map(|next| Range::V4(next, u32::MAX)));
    out.extend(next6.map(|next| Range::V6(next, u128::MAX)));
    out.sort();
    out
}

/// The networks that make up an interval.
fn cidrs(range: Range) -> Vec<String> {
    let (mut first, last, bits) = match range {
        Range::V4(first, last) => (u128::from(first), u128::from(last), 32),
        Range::V6(first, last) => (first, last, 128),
    };
    let show = |first: u128, length: u32| match range {
        Range::V4(..) => format!("{}/{length}", Ipv4Addr::from(u32::try_from(first).unwrap_or(u32::MAX))),
        Range::V6(..) => format!("{}/{length}", Ipv6Addr::from(first)),
    };
    let mut out = Vec::new();
    loop {
        // The largest block that begins here and does not reach beyond the end.
        let mut size = first.trailing_zeros().min(bits);
        while size > 0 && (size == 128 && last != u128::MAX || size < 128 && first | ((1 << size) - 1) > last) {
            size -= 1;
        }
        out.push(show(first, bits - size));
        let end = if size == 128 { u128::MAX } else { first | ((1 << size) - 1) };
        if end >= last {
            return out;
        }
        first = end + 1;
    }
}

/// Each deciding directive and PAM step as `file:line: text`.
#[must_use]
pub fn decided_by(violation: &Violation, config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |line: String| {
        if !lines.contains(&line) {
            lines.push(line);
        }
    };
    for block in violation.blocks.iter().filter(|block| in_block(violation, config, **block)) {
        if let Some((Some(path), line)) = config.line(*block) {
            add(format!("{path}:{}: `{}`", line.number, escape(&line.text)));
        }
    }
    for ((keyword, origin), value) in violation.origins.iter().zip(&violation.values) {
        let place = config.place(*origin);
        match config.line(*origin) {
            Some((_, line)) => add(format!("{place}: `{}`", escape(&line.text))),
            None => add(format!("{place}: `{} {value}`", spelling(keyword))),
        }
    }
    for step in &violation.way.evidence.trace {
        add(format!("{}:{}: `{}`: {}", step.path, step.line, step.text, step.what));
    }
    lines
}

/// Whether a block's own lines decide: the last block before a deciding line in the same file.
fn in_block(violation: &Violation, config: &Config, block: Origin) -> bool {
    violation.origins.iter().any(|(_, origin)| enclosing(config, *origin) == Some(block))
}

/// The Match line whose block holds a line of the same file.
#[must_use]
pub fn enclosing(config: &Config, origin: Origin) -> Option<Origin> {
    let Origin::Line { file, line } = origin else { return None };
    let source = config.files.get(file)?;
    let lines = source.lines.get(..line)?;
    let at = lines.iter().rposition(|line| matches!(line.body, crate::formats::sshd_config::Body::Match(_)))?;
    Some(Origin::Line { file, line: at })
}

/// A keyword as the man page writes it.
#[must_use]
pub fn spelling(keyword: &str) -> &str {
    match keyword {
        "authenticationmethods" => "AuthenticationMethods",
        "passwordauthentication" => "PasswordAuthentication",
        "kbdinteractiveauthentication" => "KbdInteractiveAuthentication",
        "pubkeyauthentication" => "PubkeyAuthentication",
        "hostbasedauthentication" => "HostbasedAuthentication",
        "gssapiauthentication" => "GSSAPIAuthentication",
        "gssapikeyexchange" => "GSSAPIKeyExchange",
        "kerberosauthentication" => "KerberosAuthentication",
        "permitrootlogin" => "PermitRootLogin",
        "permitemptypasswords" => "PermitEmptyPasswords",
        "usepam" => "UsePAM",
        "forcecommand" => "ForceCommand",
        "trustedusercakeys" => "TrustedUserCAKeys",
        other => other,
    }
}

/// The command that makes sshd itself show what holds for the witness.
fn replay(violation: &Violation, server: &Server) -> String {
    let witness = &violation.witness;
    let options: String = server.options.iter().map(|option| format!(" -o {}", quoted(option))).collect();
    let user = String::from_utf8_lossy(&witness.user).into_owned();
    let to = witness.to.as_ref().map(|to| format!(",laddr={to}")).unwrap_or_default();
    let (from, port) = (&witness.from, witness.port);
    let specification = format!("user={user},host={from},addr={from}{to},lport={port}");
    format!("sshd -T -f {}{options} -C {}", quoted(server.config.as_bytes()), quoted(specification.as_bytes()))
}

/// A command that tries the login itself: what a server holds in its memory no command of its shows.
#[must_use]
pub fn attempt(violation: &Violation) -> String {
    let Witness { user, port, .. } = &violation.witness;
    format!("ssh -v -p {port} -l {} localhost", quoted(user))
}

/// A word for the shell.
fn quoted(word: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-=,:@+".contains(byte);
    if word.iter().all(plain) {
        return String::from_utf8_lossy(word).into_owned();
    }
    format!("'{}'", escape(word).replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_written_as_networks() {
        let check = |first: &str, last: &str, expected: &[&str]| {
            let number = |text: &str| u32::from(text.parse::<Ipv4Addr>().unwrap());
            assert_eq!(cidrs(Range::V4(number(first), number(last))), expected);
        };
        check("0.0.0.0", "255.255.255.255", &["0.0.0.0/0"]);
        check("10.0.0.0", "10.255.255.255", &["10.0.0.0/8"]);
        check("10.0.0.1", "10.0.0.4", &["10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/32"]);
        assert_eq!(cidrs(Range::V6(0, u128::MAX)), ["::/0"]);
    }

    #[test]
    fn intervals_are_joined_and_turned_over() {
        let parts = [Range::V4(10, 19), Range::V6(0, u128::MAX), Range::V4(0, 9), Range::V4(30, u32::MAX)];
        let whole = joined(parts.into_iter());
        assert_eq!(whole, [Range::V4(0, 19), Range::V4(30, u32::MAX), Range::V6(0, u128::MAX)]);
        assert_eq!(rest(&whole), [Range::V4(20, 29)]);
        assert_eq!(rest(&[]), [Range::V4(0, u32::MAX), Range::V6(0, u128::MAX)]);
        assert_eq!(rest(&[Range::V6(5, 9)]), [Range::V4(0, u32::MAX), Range::V6(0, 4), Range::V6(10, u128::MAX)]);
    }
}
