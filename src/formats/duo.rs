//! pam_duo.conf: whether Duo lets users pass when something is broken, and whom it leaves out. Its keys are secrets:
//! [`redact`] removes them before anything is kept.

/// What decides a login in pam_duo.conf (duo_unix, `lib/duo.c`: `duo_common_ini_handler`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DuoConf {
    /// `ikey`, `skey` and `host` are all given.
    pub complete: bool,
    /// `failmode = secure`; the default is `safe`, which lets users pass.
    pub fails_closed: bool,
    /// `groups`, if given: only their members are asked.
    pub groups: Option<Vec<u8>>,
    /// Lines that are no comment, section or known setting: the module lets users pass on a configuration it cannot parse,
    /// if failmode is safe.
    pub unknown: Vec<u32>,
}

/// Settings that do not decide who must approve.
const PLAIN: [&str; 13] = [
    "pushinfo",
    "http_proxy",
    "https_timeout",
    "autopush",
    "prompts",
    "accept_env_factor",
    "fallback_local_ip",
    "cafile",
    "send_gecos",
    "gecos_delim",
    "gecos_username_pos",
    "noverify",
    "motd",
];

/// What a removed secret leaves behind: that there was one.
const REMOVED: &[u8] = b"removed";

/// Reads the file, redacted or not.
#[must_use]
pub fn parse(bytes: &[u8]) -> DuoConf {
    let mut conf = DuoConf::default();
    let mut given = [false; 3];
    for (number, line) in (1_u32..).zip(bytes.split(|b| *b == b'\n')) {
        let Some((key, value)) = setting(line) else {
            let line = line.trim_ascii();
            if !line.is_empty() && !matches!(line.first(), Some(b'#' | b';' | b'[')) {
                conf.unknown.push(number);
            }
            continue;
        };
        let key = key.to_ascii_lowercase();
        match key.as_slice() {
            b"ikey" | b"skey" | b"host" => {
                for (slot, name) in given.iter_mut().zip([&b"ikey"[..], b"skey", b"host"]) {
                    *slot |= key == name && !value.is_empty();
                }
            }
            b"failmode" => conf.fails_closed = value.eq_ignore_ascii_case(b"secure"),
            b"groups" | b"group" => conf.groups = Some(value.to_vec()),
            key if PLAIN.iter().any(|plain| plain.as_bytes() == key) => {}
            _ => conf.unknown.push(number),
        }
    }
    conf.complete = given.iter().all(|given| *given);
    conf
}

/// The file without the values of `ikey` and `skey` and without comments, line by line.
#[must_use]
pub fn redact(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let end = if line.ends_with(b"\n") { &b"\n"[..] } else { b"" };
        match setting(line.trim_ascii_end()) {
            Some((key, value)) if [&b"ikey"[..], b"skey"].iter().any(|secret| key.eq_ignore_ascii_case(secret)) => {
                out.extend_from_slice(key);
                out.extend_from_slice(b" = ");
                out.extend_from_slice(if value.is_empty() { b"" } else { REMOVED });
            }
            Some((key, value)) => out.extend([key, b" = ", value].concat()),
            // A comment or a line that is no setting may hold a key that was set aside.
            None if line.trim_ascii().is_empty() => {}
            None => out.extend_from_slice(if line.trim_ascii_start().starts_with(b"[") { b"[duo]" } else { b"#" }),
        }
        out.extend_from_slice(end);
    }
    out
}

fn setting(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.trim_ascii();
    if matches!(line.first(), None | Some(b'#' | b';' | b'[')) {
        return None;
    }
    let at = line.iter().position(|b| matches!(b, b'=' | b':'))?;
    let (key, value) = line.split_at_checked(at)?;
    Some((key.trim_ascii(), value.get(1..)?.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"[duo]\n; old skey = deadbeef\nikey = DIABCDEF\nskey=s3cr3t\nhost = api.example\nfailmode = secure\ngroups = *,!staff\n";

    #[test]
    fn secrets_go_and_meaning_stays() {
        let redacted = redact(FILE);
        let text = String::from_utf8(redacted.clone()).unwrap();
        for secret in ["DIABCDEF", "s3cr3t", "deadbeef"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert_eq!(parse(&redacted), parse(FILE));
        assert_eq!(
            parse(FILE),
            DuoConf { complete: true, fails_closed: true, groups: Some(b"*,!staff".to_vec()), unknown: vec![] }
        );
    }

    #[test]
    fn what_is_missing_fails_open() {
        let check = |text: &str, complete: bool, fails_closed: bool| {
            let conf = parse(text.as_bytes());
            assert_eq!((conf.complete, conf.fails_closed), (complete, fails_closed), "{text}");
        };
        check("", false, false);
        check("ikey=a\nskey=b\nhost=c\n", true, false);
        check("ikey=a\nskey=\nhost=c\nfailmode=secure\n", false, true);
        check("ikey=a\nskey=b\nhost=c\nfailmode=safe", true, false);
        assert_eq!(parse(b"colour = red\nnonsense\n").unknown, [1, 2]);
    }
}
