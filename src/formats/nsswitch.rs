//! nsswitch.conf(5): which sources answer for accounts, groups and hosts.
//!
//! The grammar is glibc's nss/nss_database.c, `process_line`, and nss/nss_action_parse.c.

/// One line: a database and its sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database<'a> {
    /// Counted from 1.
    pub line: u32,
    /// `passwd`, `hosts` …
    pub name: &'a [u8],
    /// Its sources in order: `files`, `sss` …; all are loaded, whatever the reactions say.
    pub services: Vec<&'a [u8]>,
    /// The reactions that choose between them, without their brackets: `NOTFOUND=return`.
    pub reactions: Vec<&'a [u8]>,
}

/// The databases of a file, and the lines that glibc cannot read: from such a line's error on it ignores the file and uses
/// its defaults.
#[must_use]
pub fn parse(text: &[u8]) -> (Vec<Database<'_>>, Vec<u32>) {
    let (mut databases, mut problems) = (Vec::new(), Vec::new());
    for (number, line) in (1_u32..).zip(text.split(|byte| *byte == b'\n')) {
        let line = line.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii();
        let end = line.iter().position(|byte| *byte == b':' || byte.is_ascii_whitespace()).unwrap_or(line.len());
        let (name, rest) = line.split_at(end);
        if line.is_empty() || name.is_empty() {
            continue;
        }
        let rest = rest.trim_ascii_start();
        let (services, reactions, complete) = services(rest.strip_prefix(b":").unwrap_or(rest));
        if !complete {
            problems.push(number);
        }
        databases.push(Database { line: number, name, services, reactions });
    }
    (databases, problems)
}

/// The sources of one line, its reactions, and whether every bracket closes.
fn services(mut rest: &[u8]) -> (Vec<&[u8]>, Vec<&[u8]>, bool) {
    let (mut services, mut reactions) = (Vec::new(), Vec::new());
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return (services, reactions, true);
        }
        if rest.starts_with(b"[") {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else {
                return (services, reactions, false);
            };
            reactions.push(rest.get(1..end).unwrap_or_default().trim_ascii());
            rest = rest.get(end..).and_then(|rest| rest.get(1..)).unwrap_or_default();
            continue;
        }
        let end = rest.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'[').unwrap_or(rest.len());
        let (service, after) = rest.split_at(end);
        services.push(service);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases() {
        let check = |text: &str, expected: &[(&str, &[&str])], problems: &[u32]| {
            let (databases, found) = parse(text.as_bytes());
            let got: Vec<(&[u8], Vec<&[u8]>)> = databases.into_iter().map(|d| (d.name, d.services)).collect();
            let expected: Vec<(&[u8], Vec<&[u8]>)> = expected
                .iter()
                .map(|(name, services)| (name.as_bytes(), services.iter().map(|s| s.as_bytes()).collect()))
                .collect();
            assert_eq!(got, expected, "{text}");
            assert_eq!(found, problems, "{text}");
        };
        check("passwd: files systemd sss\n", &[("passwd", &["files", "systemd", "sss"])], &[]);
        check(
            "# x\n\nhosts:files mdns4_minimal [NOTFOUND=return] dns # y",
            &[("hosts", &["files", "mdns4_minimal", "dns"])],
            &[],
        );
        check("hosts : files[!UNAVAIL=return]dns", &[("hosts", &["files", "dns"])], &[]);
        let line = parse(b"group: files [SUCCESS=merge] sss [ NOTFOUND=return ] ldap").0.remove(0);
        assert_eq!(line.reactions, [&b"SUCCESS=merge"[..], b"NOTFOUND=return"]);
        check("group files\n", &[("group", &["files"])], &[]);
        check("shadow:\n", &[("shadow", &[])], &[]);
        check("hosts: files [NOTFOUND=return dns\n", &[("hosts", &["files"])], &[1]);
    }
}
