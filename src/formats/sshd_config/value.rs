//! What a keyword's arguments mean: the words that sshd would keep, or why it refuses them.
//!
//! Follows the cases of `process_server_config_line_depth` (servconf.c, OpenSSH 9.2) and the parsers it calls: `convtime`,
//! `atoi_err`, `sshkey_names_valid2`, `auth2_methods_valid`.

use super::dialect::{Dialect, Distribution};
use super::keyword::{Keyword, Kind};
use super::lex::Word;
use super::{address, pattern};

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
        Kind::Ignored => Ok(Vec::new()),
        Kind::Unchecked => Ok(args.iter().map(|word| word.text.clone()).collect()),
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
            let Some(seconds) = time(&word.text) else { return refuse(word.at, "invalid time value".to_owned()) };
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
            if command.first() != Some(&b'/') && !command.eq_ignore_ascii_case(b"none") {
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
            if names.is_some_and(|names| !key_names_valid(names)) {
                return refuse(word.at, format!("bad key types `{}`", show(&word.text)));
            }
            end(1)?;
            Ok(vec![word.text.clone()])
        }
        Kind::OtherAlgorithms => {
            let word = first()?;
            end(1)?;
            Ok(vec![word.text.clone()])
        }
        Kind::Users => each(&|text| {
            if text.is_empty() {
                return Err("an empty pattern".to_owned());
            }
            match text.iter().rposition(|byte| *byte == b'@') {
                Some(sign) => address::parse_list(text.get(sign.saturating_add(1)..).unwrap_or_default()).map(|_| ()),
                None => Ok(()),
            }
        }),
        Kind::Groups | Kind::Files => {
            each(&|text| if text.is_empty() { Err("an empty argument".to_owned()) } else { Ok(()) })
        }
        Kind::Environment => each(&|text| {
            if text.is_empty() || text.contains(&b'=') { Err("an invalid environment name".to_owned()) } else { Ok(()) }
        }),
        Kind::SetEnvironment => each(&|text| {
            if text.contains(&b'=') { Ok(()) } else { Err("an invalid environment setting".to_owned()) }
        }),
        Kind::Methods => {
            if args.is_empty() {
                return refuse(at, "no AuthenticationMethods specified".to_owned());
            }
            each(&|text| if text == b"any" { Ok(()) } else { methods_valid(text, dialect) })
        }
        Kind::PubkeyOptions => {
            let (mut touch, mut verify) = (false, false);
            for word in args {
                match word.text.to_ascii_lowercase().as_slice() {
                    b"none" => {}
                    b"touch-required" => touch = true,
                    b"verify-required" => verify = true,
                    _ => return refuse(word.at, format!("unsupported option `{}`", show(&word.text))),
                }
            }
            Ok(match (touch, verify) {
                (false, false) => vec![b"none".to_vec()],
                (true, false) => vec![b"touch-required".to_vec()],
                (false, true) => vec![b"verify-required".to_vec()],
                (true, true) => vec![b"touch-required".to_vec(), b"verify-required".to_vec()],
            })
        }
        Kind::Port => {
            let word = first()?;
            match port(&word.text) {
                Some(number) if number > 0 => {
                    end(1)?;
                    Ok(vec![number.to_string().into_bytes()])
                }
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
            Ok(vec![word.text.clone()])
        }
    }
}

/// A file name as `derelativise_path` keeps it: `none` in lower case, a relative one beneath `/`, where service managers
/// start sshd.
fn absolute(text: &[u8]) -> Vec<u8> {
    match text.first() {
        _ if text.eq_ignore_ascii_case(b"none") => b"none".to_vec(),
        Some(b'/' | b'~') => text.to_vec(),
        _ => [b"/", text].concat(),
    }
}

/// A time in seconds: numbers, each with an optional unit (`convtime`).
#[must_use]
pub fn time(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    let mut total = 0_u32;
    let mut rest = text;
    while !rest.is_empty() {
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
        let patched_in = name == b"gssapi-keyex" && dialect.distribution == Distribution::Debian;
        if !patched_in && !METHODS.iter().any(|known| known.as_bytes() == name) {
            return Err(format!("unknown authentication method `{}`", show(name)));
        }
    }
    Ok(())
}

/// The authentication methods of OpenSSH (RFC 4252, RFC 4256, RFC 4462).
pub const METHODS: [&str; 6] =
    ["none", "publickey", "gssapi-with-mic", "password", "keyboard-interactive", "hostbased"];

/// Every key algorithm by its name, in the order of `ssh -Q key-sig`, and whether it names a signature of a plain key.
pub const KEY_ALGORITHMS: [(&str, bool); 19] = [
    ("ssh-ed25519", true),
    ("ssh-ed25519-cert-v01@openssh.com", false),
    ("sk-ssh-ed25519@openssh.com", true),
    ("sk-ssh-ed25519-cert-v01@openssh.com", false),
    ("ecdsa-sha2-nistp256", true),
    ("ecdsa-sha2-nistp256-cert-v01@openssh.com", false),
    ("ecdsa-sha2-nistp384", true),
    ("ecdsa-sha2-nistp384-cert-v01@openssh.com", false),
    ("ecdsa-sha2-nistp521", true),
    ("ecdsa-sha2-nistp521-cert-v01@openssh.com", false),
    ("sk-ecdsa-sha2-nistp256@openssh.com", true),
    ("sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", false),
    ("webauthn-sk-ecdsa-sha2-nistp256@openssh.com", true),
    ("ssh-dss", true),
    ("ssh-dss-cert-v01@openssh.com", false),
    ("ssh-rsa", true),
    ("ssh-rsa-cert-v01@openssh.com", false),
    ("rsa-sha2-256", true),
    ("rsa-sha2-512", true),
];

/// The two that stand between their certificates in sshd's own table.
const RSA_CERTIFICATES: [&str; 2] = ["rsa-sha2-256-cert-v01@openssh.com", "rsa-sha2-512-cert-v01@openssh.com"];

/// `SSH_DEFAULT_PUBKEY…` (myproposal.h, `KEX_DEFAULT_PK_ALG`): keys and certificates accepted without a line saying so.
const DEFAULT_KEYS: &[&str] = &[
    "ssh-ed25519-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "sk-ssh-ed25519-cert-v01@openssh.com",
    "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com",
    "rsa-sha2-256-cert-v01@openssh.com",
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// `SSH_ALLOWED_CA_SIGALGS` (myproposal.h).
const DEFAULT_SIGNATURES: &[&str] = &[
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// Every algorithm that a list of this kind may name, in sshd's own order.
fn all_algorithms(kind: Kind) -> Vec<&'static str> {
    let mut all = Vec::new();
    for (name, plain) in KEY_ALGORITHMS {
        if plain || kind == Kind::KeyAlgorithms {
            all.push(name);
        }
        for certificate in RSA_CERTIFICATES {
            if kind == Kind::KeyAlgorithms && certificate.strip_suffix("-cert-v01@openssh.com") == Some(name) {
                all.push(certificate);
            }
        }
    }
    all
}

/// The names that a value of this kind stands for, `+`, `-`, `^` and wildcards resolved (`kex_assemble_names`); an empty
/// value stands for the default. `None`: nothing is left, which sshd refuses.
#[must_use]
pub fn algorithms(kind: Kind, value: &[u8]) -> Option<Vec<String>> {
    let default = if kind == Kind::KeyAlgorithms { DEFAULT_KEYS } else { DEFAULT_SIGNATURES };
    let default: Vec<String> = default.iter().map(|name| (*name).to_owned()).collect();
    let value = String::from_utf8_lossy(value).into_owned();
    let split = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
    let wanted = if value.is_empty() {
        return Some(default);
    } else if let Some(more) = value.strip_prefix('+') {
        [default, split(more)].concat()
    } else if let Some(less) = value.strip_prefix('-') {
        let left: Vec<String> = default
            .into_iter()
            .filter(|name| pattern::list(name.as_bytes(), less.as_bytes()) == pattern::Answer::No)
            .collect();
        return Some(left);
    } else if let Some(head) = value.strip_prefix('^') {
        [split(head), default].concat()
    } else {
        split(&value)
    };
    let all = all_algorithms(kind);
    let mut names: Vec<String> = Vec::new();
    for glob in wanted {
        if glob.starts_with('!') {
            return None;
        }
        for name in &all {
            if pattern::matches(name.as_bytes(), glob.as_bytes()) && !names.iter().any(|known| known == name) {
                names.push((*name).to_owned());
            }
        }
    }
    (!names.is_empty()).then_some(names)
}

/// Whether each name is an algorithm, a short name of a plain key, or a pattern that matches one
/// (`sshkey_names_valid2`).
fn key_names_valid(names: &[u8]) -> bool {
    const SHORT: [&str; 6] = ["ED25519", "ED25519-SK", "ECDSA", "ECDSA-SK", "DSA", "RSA"];
    if names.is_empty() {
        return false;
    }
    let all = all_algorithms(Kind::KeyAlgorithms);
    names.split(|byte| *byte == b',').take_while(|name| !name.is_empty()).all(|name| {
        SHORT.iter().any(|short| name.eq_ignore_ascii_case(short.as_bytes()))
            || all.iter().any(|known| pattern::list(known.as_bytes(), name) != pattern::Answer::No)
    })
}

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

    #[test]
    fn algorithm_lists_are_resolved() {
        let check = |value: &str, expected: Option<&str>| {
            let names = algorithms(Kind::KeyAlgorithms, value.as_bytes()).map(|names| names.join(","));
            assert_eq!(names.as_deref(), expected, "{value}");
        };
        check(
            "sk-*",
            Some(
                "sk-ssh-ed25519@openssh.com,sk-ssh-ed25519-cert-v01@openssh.com,\
            sk-ecdsa-sha2-nistp256@openssh.com,sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
            ),
        );
        check("RSA", None);
        assert_eq!(algorithms(Kind::KeyAlgorithms, b"-*").unwrap().len(), 0);
        assert_eq!(algorithms(Kind::KeyAlgorithms, b"+ssh-rsa").unwrap().len(), 17);
        assert_eq!(algorithms(Kind::KeyAlgorithms, b"^ssh-rsa").unwrap()[0], "ssh-rsa");
    }
}
