//! Values that have no bearing on who may log in. They are checked all the same, because sshd refuses the whole
//! configuration for a bad one, and a proof about a file that sshd never read would be worth nothing.
//!
//! Follows the cases of `process_server_config_line_depth` (servconf.c, OpenSSH 8.4 to 10.3; 10.6 by trial) and what they call: `sscanf`,
//! `scan_scaled`, `parse_ipqos`, `hpdelim`, `permitopen_port`, `parse_timeout`.

use super::dialect::Dialect;
use super::lex::Word;
use super::value::{self, Refusal};
use super::{address, suite};

/// What a keyword takes that says nothing about logins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// Ciphers, MACs or key exchanges.
    Suite(suite::Suite),
    /// One word out of these, in any case. The last line wins.
    Last(&'static [&'static str]),
    /// One word.
    Word,
    /// The rest of the line without a carriage return.
    Addendum,
    /// Words, or `none` alone.
    Verbosity,
    /// `pattern=time` words, or `none` alone.
    Timeouts,
    /// A name, and a command unless the line is in a block that does not match.
    Subsystem,
    /// `begin:rate:full` or one number.
    MaxStartups,
    /// A number or `none`.
    Limit,
    /// Bits of IPv4 addresses, and of IPv6 addresses.
    NetBlock,
    /// `name:value` words, or `yes` or `no` alone.
    Penalties,
    /// A list of addresses and networks.
    Networks,
    /// One or two classes of service.
    Service,
    /// An amount of data and perhaps a time.
    Rekey,
    /// `host:port` words, or `any` or `none`.
    Opens,
    /// The same, or a port alone.
    Listens,
    /// An octal number up to 0777.
    Mask,
    /// Where sockets of agents are made: `user:PATH`, `shared:/PATH` or `none`.
    AgentSocket,
    /// Read by the evaluator, not as a value.
    Structure,
}

/// Checks the arguments of one line as [`value::parse`] does.
///
/// # Errors
///
/// What sshd refuses about it.
pub fn parse(other: Other, args: &[Word], rest: &[u8], at: usize, dialect: Dialect) -> Result<Vec<Vec<u8>>, Refusal> {
    let refuse = |at: usize, message: &str| Err(Refusal { at, message: message.to_owned() });
    if matches!(other, Other::Structure) {
        return Ok(Vec::new());
    }
    if other == Other::Addendum {
        let text = rest.trim_ascii_start();
        return if text.contains(&b'\r') { refuse(at, "a carriage return in it") } else { Ok(vec![text.to_vec()]) };
    }
    // Since 9.8 a list must not be empty.
    if args.is_empty() && !dialect.at_least(9, 8) && matches!(other, Other::Verbosity | Other::Timeouts) {
        return Ok(Vec::new());
    }
    let Some(first) = args.first().filter(|word| !word.text.is_empty()) else {
        return refuse(at, "the argument is missing");
    };
    let text = first.text.as_slice();
    let valid = |valid: bool| match valid {
        true => Ok(1),
        false => {
            Err(Refusal { at: first.at, message: format!("invalid value `{}`", crate::model::text::escape(text)) })
        }
    };
    let used = match other {
        Other::Structure | Other::Addendum | Other::Word => 1,
        Other::Suite(suite) => {
            if let Some(name) = suite::unknown(suite, text, dialect) {
                return refuse(first.at, &format!("unknown algorithm `{}`", crate::model::text::escape(name)));
            }
            1
        }
        Other::Last(words) => valid(words.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes())))?,
        Other::Verbosity | Other::Timeouts => {
            for (index, word) in args.iter().enumerate() {
                if word.text.eq_ignore_ascii_case(b"none") {
                    if index > 0 || args.len() > 1 {
                        return refuse(word.at, "`none` must appear alone");
                    }
                } else if word.text.is_empty() || other == Other::Timeouts && !is_timeout(&word.text, dialect) {
                    return refuse(word.at, "an invalid value");
                }
            }
            args.len()
        }
        // Whether the command is missing is for those to say who know whether the line counts.
        Other::Subsystem => args.len(),
        Other::MaxStartups => valid(is_max_startups(text, dialect))?,
        Other::Limit => valid(text == b"none" || value::integer(text).is_some())?,
        Other::NetBlock => valid(match numbers(text).as_slice() {
            [four] => (0..=32).contains(four),
            [four, six, ..] => (0..=32).contains(four) && (0..=128).contains(six),
            [] => false,
        })?,
        Other::Penalties => {
            for (index, word) in args.iter().enumerate() {
                let alone = word.text.eq_ignore_ascii_case(b"no") || word.text.eq_ignore_ascii_case(b"yes");
                if alone && index.saturating_add(1) < args.len() || !alone && !is_penalty(&word.text, dialect) {
                    return refuse(word.at, "an invalid value");
                }
            }
            args.len()
        }
        Other::Networks => match address::parse_list(text) {
            Ok(_) => 1,
            Err(message) => return refuse(first.at, &message),
        },
        // A quoted last word left an empty one behind it, which is no class of service.
        Other::Service if args.len() == 1 && rest.ends_with(b"\"") && !dialect.at_least(8, 7) => {
            return refuse(first.at, "the second value is empty");
        }
        Other::Service => {
            for word in args.iter().take(2) {
                if !is_service(&word.text, dialect) {
                    return refuse(word.at, "an invalid value");
                }
            }
            args.len().min(2)
        }
        Other::Rekey => {
            if text != b"default" && scaled(text).is_none_or(|amount| amount != 0 && amount < 16) {
                return refuse(first.at, "an invalid amount of data");
            }
            // A quoted last word left an empty rest where sshd looked for no rest at all.
            if args.len() == 1 && rest.ends_with(b"\"") && !dialect.at_least(8, 7) {
                return refuse(first.at, "missing time value");
            }
            match args.get(1) {
                Some(word) if word.text != b"none" && value::time(&word.text, dialect).is_none() => {
                    return refuse(word.at, "invalid time value");
                }
                _ => args.len().min(2),
            }
        }
        Other::Opens | Other::Listens => opens(args, other == Other::Listens, dialect)?,
        Other::AgentSocket => valid(is_agent_socket(text))?,
        Other::Mask => valid(octal(text).is_some_and(|mask| mask <= 0o777))?,
    };
    if let Some(extra) = args.get(used) {
        return refuse(extra.at, "extra arguments at end of line");
    }
    Ok(args.iter().map(|word| word.text.clone()).collect())
}

/// Why nobody can tell from the line alone whether sshd takes it: it asks the resolver or services(5).
#[must_use]
pub fn doubt(other: Other, words: &[Vec<u8>]) -> Option<String> {
    match other {
        Other::Suite(suite) => suite::doubt(suite, words.first()?),
        Other::Opens | Other::Listens => words.iter().find_map(|word| {
            let port = split_host(word).map_or(word.as_slice(), |(_, port)| port);
            (!matches!(port, b"*" | b"any" | b"none")).then(|| service_name(port)).flatten()
        }),
        _ => None,
    }
}

/// What to say of a port that is given as a name other than `ssh`.
#[must_use]
pub fn service_name(port: &[u8]) -> Option<String> {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.+/".contains(byte);
    let is_name = port.first().is_some_and(u8::is_ascii_alphabetic) && port.iter().all(letter);
    (is_name && port != b"ssh")
        .then(|| format!("the port `{}` is looked up in services(5) by sshd", crate::model::text::escape(port)))
}

/// Whether a port is one to sshd, as far as can be told (`a2port`): names are taken for granted, see [`service_name`].
#[must_use]
pub fn is_port(text: &[u8]) -> bool {
    value::port(text).is_some_and(|port| port > 0) || service_name(text).is_some()
}

/// Host and port of `host:port`, `host/port` or `[host]:port` (`hpdelim`); `None` where there is no port.
#[must_use]
pub fn split_host(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = match text.first() {
        Some(b'[') => text.iter().position(|byte| *byte == b']')?.checked_add(1)?,
        _ => text.iter().position(|byte| matches!(byte, b':' | b'/'))?,
    };
    matches!(text.get(end), Some(b':' | b'/')).then(|| {
        let (host, port) = text.split_at_checked(end).unwrap_or_default();
        (host, port.get(1..).unwrap_or_default())
    })
}

/// How many words belong to a PermitOpen or PermitListen.
fn opens(args: &[Word], listen: bool, dialect: Dialect) -> Result<usize, Refusal> {
    let list = dialect.at_least(9, 8);
    for (index, word) in args.iter().enumerate() {
        let text = word.text.as_slice();
        if matches!(text, b"any" | b"none") && (list || index == 0) {
            if index > 0 {
                return Err(Refusal { at: word.at, message: "it must appear alone".to_owned() });
            }
            if !list {
                return Ok(1);
            }
            continue;
        }
        // Before 9.8 an empty word ended the list, and what followed was not looked at.
        if text.is_empty() && !list {
            return Ok(index.saturating_add(1));
        }
        let port = match split_host(text) {
            Some((_, port)) => port,
            None if listen && !text.contains(&b':') => text,
            None => return Err(Refusal { at: word.at, message: "the port is missing".to_owned() }),
        };
        if port != b"*" && !is_port(port) {
            return Err(Refusal { at: word.at, message: "a bad port number".to_owned() });
        }
    }
    Ok(args.len())
}

/// The numbers of `sscanf("%d:%d:%d")`, at most three.
fn numbers(text: &[u8]) -> Vec<i32> {
    let mut found = Vec::new();
    let mut rest = text;
    while found.len() < 3 {
        rest = rest.trim_ascii_start();
        let sign = usize::from(matches!(rest.first(), Some(b'+' | b'-')));
        let digits = rest.iter().skip(sign).take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            break;
        }
        let (number, tail) = rest.split_at_checked(sign.saturating_add(digits)).unwrap_or_default();
        let number = std::str::from_utf8(number).unwrap_or_default();
        let clamped = if number.starts_with('-') { i64::MIN } else { i64::MAX };
        // glibc reads a long and keeps its low half.
        let wide = number.parse::<i64>().unwrap_or(clamped);
        let low = wide.to_le_bytes();
        found.push(low.first_chunk().copied().map(i32::from_le_bytes).unwrap_or_default());
        match tail.split_first() {
            Some((b':', tail)) => rest = tail,
            _ => break,
        }
    }
    found
}

fn is_max_startups(text: &[u8], dialect: Dialect) -> bool {
    // Up to 8.4 nobody minded a negative number.
    let positive = |number: &i32| *number > 0 || !dialect.at_least(8, 5);
    match numbers(text).as_slice() {
        [begin, rate, full] => begin <= full && (1..=100).contains(rate) && positive(begin) && positive(full),
        [begin] => positive(begin),
        _ => false,
    }
}

fn is_timeout(text: &[u8], dialect: Dialect) -> bool {
    let Some(sign) = text.iter().position(|byte| *byte == b'=') else { return false };
    let time = text.get(sign.saturating_add(1)..).unwrap_or_default();
    // With fractions came times beyond the largest integer.
    let valid =
        if dialect.at_least(10, 6) { value::seconds(time).is_some() } else { value::time(time, dialect).is_some() };
    sign > 0 && valid
}

fn is_agent_socket(text: &[u8]) -> bool {
    let path = |prefix: &str| text.strip_prefix(prefix.as_bytes());
    path("user:").is_some_and(|path| !path.is_empty())
        || path("shared:").is_some_and(|path| path.first() == Some(&b'/'))
        || text.eq_ignore_ascii_case(b"none")
}

fn is_penalty(text: &[u8], dialect: Dialect) -> bool {
    const TIMES: [&[u8]; 8] =
        [b"crash:", b"authfail:", b"noauth:", b"grace-exceeded:", b"refuseconnection:", b"max:", b"min:", INVALID_USER];
    /// Since 10.3.
    const INVALID_USER: &[u8] = b"invaliduser:";
    const NUMBERS: [&[u8]; 2] = [b"max-sources4:", b"max-sources6:"];
    const WORDS: [&[u8]; 4] =
        [b"overflow:deny-all", b"overflow:permissive", b"overflow6:deny-all", b"overflow6:permissive"];
    let new = dialect.at_least(10, 3);
    let is_time = |time: &[u8]| if new { value::seconds(time).is_some() } else { value::time(time, dialect).is_some() };
    TIMES.iter().filter(|name| **name != INVALID_USER || new).any(|name| text.strip_prefix(*name).is_some_and(is_time))
        || NUMBERS.iter().any(|name| text.strip_prefix(*name).is_some_and(|n| value::integer(n).is_some()))
        || WORDS.contains(&text)
}

fn is_service(text: &[u8], dialect: Dialect) -> bool {
    const NAMES: [&str; 27] = [
        "none",
        "af11",
        "af12",
        "af13",
        "af21",
        "af22",
        "af23",
        "af31",
        "af32",
        "af33",
        "af41",
        "af42",
        "af43",
        "cs0",
        "cs1",
        "cs2",
        "cs3",
        "cs4",
        "cs5",
        "cs6",
        "cs7",
        "ef",
        "le",
        "va",
        "lowdelay",
        "throughput",
        "reliability",
    ];
    let known =
        |name: &&str| (**name != *"va" || dialect.at_least(10, 1)) && text.eq_ignore_ascii_case(name.as_bytes());
    if NAMES.iter().any(known) {
        return true;
    }
    if dialect.at_least(10, 0) {
        return value::integer(text).is_some_and(|number| number <= 255);
    }
    // `strtol` with base 0.
    let text = text.trim_ascii_start();
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let number = match text {
        [b'0', b'x' | b'X', hex @ ..] if !hex.is_empty() => digits(hex, 16),
        [b'0', ..] => digits(text, 8),
        _ => digits(text, 10),
    };
    number.is_some_and(|number| number <= 255)
        || matches!(text.strip_prefix(b"-"), Some(zero) if digits(zero, 8) == Some(0))
}

/// A number of digits only.
fn digits(text: &[u8], base: u32) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    text.bytes().all(|byte| byte.is_ascii_alphanumeric()).then(|| u64::from_str_radix(text, base).ok()).flatten()
}

/// What `strtol` makes of the octal number at the beginning.
fn octal(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start();
    let (text, negative) = match text.split_first() {
        Some((b'-', tail)) => (tail, true),
        Some((b'+', tail)) => (tail, false),
        _ => (text, false),
    };
    let length = text.iter().take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    let number = std::str::from_utf8(text.get(..length)?).ok()?;
    let number = u64::from_str_radix(number, 8).or(if length > 0 { Ok(u64::MAX) } else { Err(()) }).ok()?;
    (!negative || number == 0).then_some(number)
}

/// An amount with a unit (`scan_scaled`, fmt_scaled.c); a fraction counts only with a unit.
fn scaled(text: &[u8]) -> Option<i128> {
    const UNITS: &[u8] = b"BKMGTPE";
    let text = text.trim_ascii_start();
    let (text, sign) = match text.split_first() {
        Some((b'-', tail)) => (tail, -1),
        Some((b'+', tail)) => (tail, 1),
        _ => (text, 1),
    };
    let length = text.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let (number, unit) = text.split_at_checked(length)?;
    let mut parts = number.splitn(2, |byte| *byte == b'.');
    let (whole, fraction) = (parts.next()?, parts.next().unwrap_or_default());
    if whole.len() > 20 || fraction.contains(&b'.') {
        return None;
    }
    let decimal = |text: &[u8]| if text.is_empty() { Some(0) } else { std::str::from_utf8(text).ok()?.parse().ok() };
    let whole: i128 = decimal(whole).filter(|whole: &i128| *whole <= i128::from(i64::MAX))?;
    let Some((unit, after)) = unit.split_first() else { return whole.checked_mul(sign) };
    let power = UNITS.iter().position(|known| known.eq_ignore_ascii_case(unit))?;
    if after.first().is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let scale = 1024_i128.checked_pow(u32::try_from(power).ok()?)?;
    let fraction = fraction.get(..fraction.len().min(15))?;
    let part = decimal(fraction)?
        .checked_mul(scale)?
        .checked_div(10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?)?;
    let whole = whole.checked_mul(scale).filter(|whole| *whole <= i128::from(i64::MAX))?;
    whole.checked_add(part)?.checked_mul(sign)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::sshd_config::{Keyword, lex};

    fn check(name: &str, args: &str, expected: bool) {
        let dialect = Dialect::DEBIAN_12;
        let (keyword, _) = Keyword::find(name.as_bytes(), dialect).unwrap();
        let words = lex::argv_split(args.as_bytes(), 0).unwrap();
        let value = value::parse(keyword, &words, args.as_bytes(), 0, dialect);
        assert_eq!(value.is_ok(), expected, "{name} {args}: {value:?}");
    }

    #[test]
    fn values() {
        for (name, args, expected) in [
            ("MaxStartups", "10:30:100", true),
            ("MaxStartups", "10:30", false),
            ("MaxStartups", "100:30:10", false),
            ("MaxStartups", "0", false),
            ("IPQoS", "af21 cs1", true),
            ("IPQoS", "0x10", true),
            ("IPQoS", "256", false),
            ("IPQoS", "af21 cs1 x", false),
            ("RekeyLimit", "1G 1h", true),
            ("RekeyLimit", "default none", true),
            ("RekeyLimit", "15", false),
            ("RekeyLimit", "1.5K", true),
            ("RekeyLimit", "1KB", false),
            ("PermitOpen", "a:1 [::1]:*", true),
            ("PermitOpen", "a", false),
            ("PermitListen", "8080 localhost:1", true),
            ("PermitTunnel", "YES", false),
            ("StreamLocalBindMask", "0177", true),
            ("StreamLocalBindMask", "9", false),
            ("PerSourceNetBlockSize", "24:64", true),
            ("PerSourceNetBlockSize", "33", false),
            ("ChannelTimeout", "session:*=5m", true),
            ("ChannelTimeout", "session", false),
            ("Ciphers", "aes256-ctr,chacha20-poly1305@openssh.com", true),
            ("Ciphers", "arcfour", false),
            ("MACs", "+hmac-md5", true),
            ("KexAlgorithms", "-diffie*", true),
            ("KexAlgorithms", "mlkem768x25519-sha256", false),
            ("VersionAddendum", "none # x", true),
            ("SyslogFacility", "authpriv", true),
            ("FingerprintHash", "sha3", false),
            ("Subsystem", "sftp /usr/lib/openssh/sftp-server -f AUTHPRIV", true),
        ] {
            check(name, args, expected);
        }
    }

    #[test]
    fn names_of_services_are_doubted() {
        let check = |other, word: &str, expected: bool| {
            assert_eq!(doubt(other, &[word.as_bytes().to_vec()]).is_some(), expected, "{word}");
        };
        check(Other::Opens, "a:http", true);
        check(Other::Opens, "a:80", false);
        check(Other::Listens, "8080", false);
        check(Other::Opens, "any", false);
    }
}
