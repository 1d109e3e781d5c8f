//! What a keyword's arguments mean: the words that sshd would keep, or why it refuses them.
//!
//! Follows the cases of `process_server_config_line_depth` (servconf.c, OpenSSH 9.2) and the parsers it calls: `convtime`,
//! `atoi_err`, `sshkey_names_valid2`, `auth2_methods_valid`.

use std::net::IpAddr;

use super::dialect::Dialect;
use super::keyword::{Keyword, Kind};
use super::lex::Word;
use super::{address, key_algorithm, other};

/// Why sshd refuses a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Offset of the offending word in the line's content, in bytes.
    pub at: usize,
    /// What is wrong, a clause.
    pub message: String,
}

/// The words that sshd keeps of the line `keyword args…`. `rest` is what follows the keyword, as written.
///
/// # Errors
///
/// What sshd refuses about it.
pub fn parse(
    keyword: &Keyword,
    args: &[Word],
    rest: &[u8],
    at: usize,
    dialect: Dialect,
) -> Result<Vec<Vec<u8>>, Refusal> {
    let refuse = |at: usize, message: String| Err(Refusal { at, message });
    let first = || match args.first() {
        Some(word) if !word.text.is_empty() => Ok(word),
        _ => Err(Refusal { at, message: "the argument is missing".to_owned() }),
    };
    let end = |used: usize| match args.get(used) {
        Some(word) => {
            Err(Refusal { at: word.at, message: format!("extra argument `{}` at end of line", show(&word.text)) })
        }
        None => Ok(()),
    };
    let verbatim = || {
        let start = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
        rest.get(start..).unwrap_or_default().to_vec()
    };
    let each = |valid: &dyn Fn(&[u8]) -> Result<(), String>| {
        for word in args {
            valid(&word.text).map_err(|message| Refusal { at: word.at, message })?;
        }
        Ok(args.iter().map(|word| word.text.clone()).collect::<Vec<_>>())
    };
    match keyword.kind {
        Kind::Ignored => Ok(args.iter().map(|word| word.text.clone()).collect()),
        Kind::Other(kind) => other::parse(kind, args, rest, at, dialect),
        Kind::Exactly(words) => {
            let word = first()?;
            if !words.iter().any(|known| known.as_bytes() == word.text) {
                return refuse(word.at, format!("unsupported option `{}`", show(&word.text)));
            }
            end(1)?;
            Ok(vec![word.text.clone()])
        }
        Kind::Choice(choices) => {
            let word = first()?;
            let Some((_, value)) = choices.iter().find(|(name, _)| word.text.eq_ignore_ascii_case(name.as_bytes()))
            else {
                return refuse(word.at, format!("unsupported option `{}`", show(&word.text)));
            };
            end(1)?;
            Ok(vec![value.as_bytes().to_vec()])
        }
        Kind::Time | Kind::TimeOrNone => {
            let word = first()?;
            if keyword.kind == Kind::TimeOrNone && word.text.eq_ignore_ascii_case(b"none") {
                end(1)?;
                return Ok(vec![b"none".to_vec()]);
            }
            let Some(seconds) = time(&word.text, dialect) else {
                return refuse(word.at, "invalid time value".to_owned());
            };
            end(1)?;
            Ok(vec![seconds.to_string().into_bytes()])
        }
        Kind::Integer => {
            let word = first()?;
            let Some(number) = integer(&word.text) else { return refuse(word.at, "invalid integer value".to_owned()) };
            end(1)?;
            Ok(vec![number.to_string().into_bytes()])
        }
        Kind::Word if keyword.name == "rdomain" => {
            refuse(at, "setting RDomain is not supported on this platform".to_owned())
        }
        Kind::Word | Kind::Path | Kind::HostKey => {
            let word = first()?;
            end(1)?;
            Ok(vec![if keyword.kind == Kind::Word { word.text.clone() } else { absolute(&word.text) }])
        }
        Kind::Rest => Ok(vec![verbatim()]),
        Kind::Command => {
            let command = verbatim();
            // Before 8.7 only lines that counted were looked at: see `doubt`.
            if !is_command(&command) && dialect.at_least(8, 7) {
                return refuse(at, "the command must be an absolute path".to_owned());
            }
            Ok(vec![command])
        }
        Kind::KeyAlgorithms | Kind::SignatureAlgorithms => {
            let word = first()?;
            let names = match word.text.split_first() {
                Some((b'-', _)) => None,
                Some((b'+' | b'^', names)) => Some(names),
                _ => Some(word.text.as_slice()),
            };
            if names.is_some_and(|names| !key_algorithm::are_valid(names, keyword.kind, dialect)) {
                return refuse(word.at, format!("bad key types `{}`", show(&word.text)));
            }
            end(1)?;
            Ok(vec![word.text.clone()])
        }
        Kind::Users | Kind::Groups | Kind::Files | Kind::Environment | Kind::SetEnvironment
            if args.is_empty() && dialect.at_least(9, 8) =>
        {
            refuse(at, "the argument is missing".to_owned())
        }
        Kind::Users => each(&|text| {
            if text.is_empty() {
                return Err("an empty pattern".to_owned());
            }
            match user_and_hosts(text, dialect) {
                (_, Some(hosts)) => address::parse_list(hosts).map(|_| ()),
                (_, None) => Ok(()),
            }
        }),
        Kind::Files if dialect.at_least(10, 3) && args.len() > 1 && args.iter().any(Word::is_none) => {
            refuse(at, "`none` must appear alone".to_owned())
        }
        Kind::Groups | Kind::Files => {
            each(&|text| if text.is_empty() { Err("an empty argument".to_owned()) } else { Ok(()) })
        }
        Kind::Environment => each(&|text| {
            if text.is_empty() || text.contains(&b'=') { Err("an invalid environment name".to_owned()) } else { Ok(()) }
        }),
        Kind::SetEnvironment => each(&|text| {
            if text.contains(&b'=') { Ok(()) } else { Err("an invalid environment setting".to_owned()) }
        })
        .map(without_repeated_names),
        Kind::Methods => {
            if args.is_empty() {
                return refuse(at, "no AuthenticationMethods specified".to_owned());
            }
            each(&|text| if text == b"any" { Ok(()) } else { methods_valid(text, dialect) })
        }
        Kind::PubkeyOptions => {
            let (mut touch, mut verify, mut queries) = (false, false, None);
            for word in args {
                let text = word.text.to_ascii_lowercase();
                match text.as_slice() {
                    b"none" => {}
                    b"touch-required" => touch = true,
                    b"verify-required" => verify = true,
                    _ => match text.strip_prefix(b"max-pk-ok:").filter(|_| dialect.at_least(10, 6)) {
                        Some(number) => match integer(number).filter(|number| *number <= MAX_KEY_QUERIES) {
                            Some(number) => queries = Some(number),
                            None => return refuse(word.at, "bad max-pk-ok value".to_owned()),
                        },
                        None => return refuse(word.at, format!("unsupported option `{}`", show(&word.text))),
                    },
                }
            }
            let flags = [(touch, "touch-required"), (verify, "verify-required"), (!touch && !verify, "none")];
            let flags = flags.iter().filter(|(set, _)| *set).map(|(_, name)| name.as_bytes().to_vec());
            Ok(flags.chain(queries.map(|number| format!("max-pk-ok:{number}").into_bytes())).collect())
        }
        Kind::Port => {
            let word = first()?;
            end(1)?;
            match port(&word.text) {
                Some(number) if number > 0 => Ok(vec![number.to_string().into_bytes()]),
                _ if other::is_port(&word.text) => Ok(vec![word.text.clone()]),
                _ => refuse(word.at, "badly formatted port number".to_owned()),
            }
        }
        Kind::Listen => {
            let word = first()?;
            if let Some(extra) = args.get(1) {
                return refuse(
                    extra.at,
                    "bad ListenAddress syntax, or a routing domain, which Linux has not".to_owned(),
                );
            }
            // A quoted last word left an empty rest where sshd looked for no rest at all.
            if rest.ends_with(b"\"") && !dialect.at_least(8, 7) {
                return refuse(word.at, "bad ListenAddress syntax".to_owned());
            }
            let (_, port) = listen(&word.text)
                .ok_or_else(|| Refusal { at: word.at, message: "bad address:port usage".to_owned() })?;
            if port.is_some_and(|port| !other::is_port(port)) {
                return refuse(word.at, "bad port number".to_owned());
            }
            Ok(vec![word.text.clone()])
        }
    }
}

/// Why it cannot be told from the configuration alone whether sshd takes a value: it asks the resolver, services(5) or
/// passwd(5) while it reads.
#[must_use]
pub fn doubt(keyword: &Keyword, words: &[Vec<u8>]) -> Option<String> {
    match keyword.kind {
        Kind::Other(kind) => other::doubt(kind, words),
        Kind::Port => {
            other::service_name(words.first()?).filter(|_| port(words.first().map_or(b"", Vec::as_slice)).is_none())
        }
        Kind::Listen => {
            let word = words.first()?;
            let (host, port) = listen(word)?;
            if let Some(doubt) = port.and_then(other::service_name) {
                return Some(doubt);
            }
            let numeric = std::str::from_utf8(host).is_ok_and(|host| host.parse::<IpAddr>().is_ok());
            (!numeric).then(|| format!("whether `{}` is an address is found out by sshd when it starts", show(word)))
        }
        Kind::Files => tilde(words),
        // Debian builds the same release with and without.
        Kind::Ignored if matches!(keyword.name, "gssapiauthentication" | "kerberosauthentication") => {
            let on = words.iter().any(|word| !word.eq_ignore_ascii_case(b"no"));
            let what = "counts where sshd is the package's that has GSSAPI and Kerberos compiled in";
            on.then(|| format!("`{}` {what}, which its version does not tell", keyword.name))
        }
        Kind::Command if !is_command(words.first()?) => {
            Some(format!("`{}` is refused by sshd if the line counts", show(words.first()?)))
        }
        _ if keyword.name == "authorizedprincipalsfile" => tilde(words),
        _ => None,
    }
}

fn is_command(text: &[u8]) -> bool {
    text.first() == Some(&b'/') || text.eq_ignore_ascii_case(b"none")
}

/// `~name` is the home of an account; sshd gives up where there is none (`tilde_expand_filename`).
fn tilde(words: &[Vec<u8>]) -> Option<String> {
    let word = words.iter().find(|word| word.first() == Some(&b'~'))?;
    Some(format!("`{}` depends on the home directory that sshd finds for it", show(word)))
}

/// Host and port of a `ListenAddress`; `None` where sshd cannot tell them apart (`hpdelim`, `cleanhostname`).
#[must_use]
pub fn listen(text: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let colons = text.iter().filter(|byte| **byte == b':').count();
    if colons >= 2 && !text.contains(&b'[') {
        return Some((text, None));
    }
    let (host, port) = match other::split_host(text) {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    if port.is_none()
        && host.first() == Some(&b'[')
        && host.iter().position(|byte| *byte == b']')?.saturating_add(1) != host.len()
    {
        return None;
    }
    Some((host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host), port))
}

/// The two parts of `user@host-list` (`match_user`, match.c): cut at the first `@` before 9.9, at the last one since.
#[must_use]
pub fn user_and_hosts(pattern: &[u8], dialect: Dialect) -> (&[u8], Option<&[u8]>) {
    let sign = |byte: &u8| *byte == b'@';
    let at = if dialect.at_least(9, 9) { pattern.iter().rposition(sign) } else { pattern.iter().position(sign) };
    match at.and_then(|at| pattern.split_at_checked(at)) {
        Some((user, hosts)) => (user, hosts.get(1..)),
        None => (pattern, None),
    }
}

/// Of several settings of one variable in a line, the first counts (`lookup_setenv_in_list`).
fn without_repeated_names(words: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let name = |word: &[u8]| word.split(|byte| *byte == b'=').next().map(<[u8]>::to_vec).unwrap_or_default();
    let mut seen = std::collections::BTreeSet::new();
    words.into_iter().filter(|word| seen.insert(name(word))).collect()
}

/// A file name as `derelativise_path` keeps it: `none` in lower case, a relative one beneath `/`, where service managers
/// start sshd.
fn absolute(text: &[u8]) -> Vec<u8> {
    match text.first() {
        _ if text.eq_ignore_ascii_case(b"none") => b"none".to_vec(),
        Some(b'/' | b'~') => text.to_vec(),
        // `%s/%s` of that directory and the name.
        _ => [b"//", text].concat(),
    }
}

/// A time in whole seconds: numbers, each with an optional unit (`convtime`). Up to 9.2 each was read by strtol(3), which
/// passes over white space and a sign. Since 10.3 a number may have a fraction (`convtime_double`), which is dropped from
/// the sum.
#[must_use]
pub fn time(text: &[u8], dialect: Dialect) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    if dialect.at_least(10, 3) {
        // Whole numbers of this size are exact.
        return seconds(text).filter(|total| *total <= f64::from(MAX_INT)).map(|total| total as u32);
    }
    let lenient = !dialect.at_least(9, 3);
    let mut total = 0_u32;
    let mut rest = text;
    while !rest.is_empty() {
        if lenient {
            let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
            rest = rest.get(blanks..).unwrap_or_default();
            rest = rest.strip_prefix(b"+").unwrap_or(rest);
            // Only zero is no less than zero.
            if let Some(zero) = rest.strip_prefix(b"-")
                && zero.first() == Some(&b'0')
                && !zero.get(1).is_some_and(u8::is_ascii_digit)
            {
                rest = zero;
            }
        }
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, tail) = rest.split_at_checked(digits)?;
        let number: u32 = std::str::from_utf8(number).ok()?.parse().ok().filter(|n| *n <= MAX_INT)?;
        let (unit, tail) = match tail.split_first() {
            None => (1, tail),
            Some((b's' | b'S', tail)) => (1, tail),
            Some((b'm' | b'M', tail)) => (60, tail),
            Some((b'h' | b'H', tail)) => (3600, tail),
            Some((b'd' | b'D', tail)) => (86_400, tail),
            Some((b'w' | b'W', tail)) => (604_800, tail),
            Some(_) => return None,
        };
        total = number.checked_mul(unit).and_then(|n| n.checked_add(total)).filter(|n| *n <= MAX_INT)?;
        rest = tail;
    }
    Some(total)
}

/// A time in seconds, of any size, as it is read since 10.3 (`convtime_double`): seconds may have a fraction, and stand
/// once.
#[must_use]
pub fn seconds(text: &[u8]) -> Option<f64> {
    let mut rest = text;
    let mut total = 0.0;
    let mut seen_seconds = false;
    while !rest.is_empty() {
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        let (number, tail) = rest.split_at_checked(length)?;
        let digits = std::str::from_utf8(number).ok()?;
        let value: f64 = digits.parse().ok().filter(|value: &f64| value.is_finite())?;
        // strtod(3) calls what is too small for it an error.
        if value < f64::MIN_POSITIVE && digits.bytes().any(|byte| matches!(byte, b'1'..=b'9')) {
            return None;
        }
        let (unit, tail) = match tail.split_first() {
            None | Some((b's' | b'S', _)) if seen_seconds => return None,
            None => (1.0, tail),
            Some((b's' | b'S', tail)) => (1.0, tail),
            Some((b'm' | b'M', tail)) => (60.0, tail),
            Some((b'h' | b'H', tail)) => (3600.0, tail),
            Some((b'd' | b'D', tail)) => (86_400.0, tail),
            Some((b'w' | b'W', tail)) => (604_800.0, tail),
            Some(_) => return None,
        };
        let of_seconds = unit == 1.0;
        seen_seconds |= of_seconds;
        if number.contains(&b'.') && !(of_seconds && number.last().is_some_and(u8::is_ascii_digit)) {
            return None;
        }
        total += value * unit;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

/// A number from 0 to 2147483647, as strtonum(3) reads it: leading white space and `+` are fine.
#[must_use]
pub fn integer(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u32 = digits.parse().ok().filter(|n| *n <= MAX_INT)?;
    (number == 0 || !text.starts_with('-')).then_some(number)
}

/// A port: a number up to 65535, or `ssh` (`a2port`). sshd looks names up in services(5); we know that one only.
#[must_use]
pub fn port(text: &[u8]) -> Option<u16> {
    if text == b"ssh" {
        return Some(22);
    }
    integer(text).and_then(|number| u16::try_from(number).ok())
}

/// Whether each list of methods holds only methods that this sshd knows (`auth2_methods_valid`).
///
/// # Errors
///
/// The method that it does not know.
pub fn methods_valid(list: &[u8], dialect: Dialect) -> Result<(), String> {
    for method in list.split(|byte| *byte == b',') {
        let name = method.split(|byte| *byte == b':').next().unwrap_or_default();
        // Patched in by Debian, and perhaps by whoever else built an sshd that announces itself as upstream's does.
        let patched_in = name == b"gssapi-keyex" && dialect.has_gssapi();
        let left_out = name == b"gssapi-with-mic" && !dialect.has_gssapi();
        if !patched_in && (left_out || !METHODS.iter().any(|known| known.as_bytes() == name)) {
            return Err(format!("unknown authentication method `{}`", show(name)));
        }
    }
    Ok(())
}

/// The authentication methods of OpenSSH (RFC 4252, RFC 4256, RFC 4462).
pub const METHODS: [&str; 6] =
    ["none", "publickey", "gssapi-with-mic", "password", "keyboard-interactive", "hostbased"];

/// Most queries for a key that `PubkeyAuthOptions max-pk-ok:` takes (10.6).
const MAX_KEY_QUERIES: u32 = 255;

/// `INT_MAX`.
const MAX_INT: u32 = 0x7fff_ffff;

fn show(text: &[u8]) -> String {
    crate::model::text::escape(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::sshd_config::lex;

    fn check(name: &str, args: &str, expected: Result<&str, &str>) {
        let dialect = Dialect::DEBIAN_12;
        let (keyword, _) = Keyword::find(name.as_bytes(), dialect).unwrap();
        let words = lex::argv_split(args.as_bytes(), 0).unwrap();
        let value = parse(keyword, &words, args.as_bytes(), 0, dialect)
            .map(|words| words.iter().map(|word| show(word)).collect::<Vec<_>>().join(" "))
            .map_err(|refusal| refusal.message);
        match expected {
            Ok(expected) => assert_eq!(value.as_deref(), Ok(expected), "{name} {args}"),
            Err(part) => {
                assert!(value.clone().is_err_and(|message| message.contains(part)), "{name} {args}: {value:?}")
            }
        }
    }

    #[test]
    fn values() {
        check("PermitRootLogin", "Prohibit-Password", Ok("without-password"));
        check("PermitRootLogin", "true", Err("unsupported option `true`"));
        check("UsePAM", "yes no", Err("extra argument `no`"));
        check("LoginGraceTime", "1m30", Ok("90"));
        check("LoginGraceTime", "m", Err("invalid time"));
        check("MaxAuthTries", "-1", Err("integer"));
        check("AuthenticationMethods", "publickey,password any", Ok("publickey,password any"));
        check("AuthenticationMethods", "publickey,", Err("unknown authentication method ``"));
        check(
            "AuthenticationMethods",
            "keyboard-interactive:pam gssapi-keyex",
            Ok("keyboard-interactive:pam gssapi-keyex"),
        );
        check("AllowUsers", "a@10.0.0.1/8", Err("mask"));
        check("ForceCommand", " echo 'a b' # c", Ok("echo 'a b' # c"));
        check("AuthorizedKeysCommand", "bin/x", Err("absolute"));
        check("PubkeyAuthOptions", "verify-required touch-required", Ok("touch-required verify-required"));
        check("PubkeyAcceptedAlgorithms", "nonsense", Err("bad key types"));
        check("Port", "0", Err("port"));
        check("RDomain", "none", Err("platform"));
    }
}
