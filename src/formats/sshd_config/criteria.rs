//! The criteria of a Match line (`match_cfg_line`, servconf.c).

use super::dialect::Dialect;
use super::lex::{Rest, Word};
use super::value::{self, Refusal};
use super::{address, pattern};

/// One criterion. All criteria of a line must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// `All`: every connection.
    All,
    /// `User`: patterns for the name that the client typed.
    User(Vec<u8>),
    /// `Group`: patterns for the names of the account's groups.
    Group(Vec<u8>),
    /// `Host`: patterns for the host name, which is the address as text unless `UseDNS yes`.
    Host(Vec<u8>),
    /// `Address`: where the connection comes from.
    Address(Vec<address::Item>),
    /// `LocalAddress`: the address that it came to.
    LocalAddress(Vec<address::Item>),
    /// `LocalPort`: the port that it came to.
    LocalPort(u16),
    /// `RDomain`: patterns for the routing domain.
    RDomain(Vec<u8>),
    /// `Invalid-User`: the account does not exist (9.9).
    InvalidUser,
    /// `Version`: patterns for sshd's own version, and whether they match it (10.0).
    Version(bool),
}

impl Criterion {
    /// Whether no value at all can satisfy it: its list holds negated patterns only.
    #[must_use]
    pub fn is_void(&self) -> bool {
        match self {
            Self::User(list) | Self::Group(list) | Self::Host(list) | Self::RDomain(list) => {
                pattern::items(list).0.iter().all(|item| item.negated)
            }
            Self::Address(items) | Self::LocalAddress(items) => items.iter().all(|item| item.negated),
            Self::Version(matches) => !matches,
            Self::All | Self::LocalPort(_) | Self::InvalidUser => false,
        }
    }
}

/// The criteria of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Criteria(pub Vec<Criterion>);

impl Criteria {
    /// What sshd concludes without a connection, while it reads the file for the first time: only `Match all` applies,
    /// and a line of nothing but matching `Version` criteria.
    #[must_use]
    pub fn without_connection(&self) -> bool {
        self.0.iter().all(|criterion| matches!(criterion, Criterion::All | Criterion::Version(true)))
    }
}

/// The criteria in what follows `Match`: `rest` uncut for releases before 9.9, `args` cut as for other keywords since.
///
/// # Errors
///
/// What sshd refuses about them.
pub fn parse(mut rest: Rest, args: &[Word], dialect: Dialect) -> Result<Criteria, Refusal> {
    let end = rest.at;
    let mut args = args.iter();
    let split = dialect.at_least(9, 9);
    let mut next = || if split { args.next().cloned() } else { rest.strdelim() };
    let mut criteria = Vec::new();
    while let Some(mut name) = next() {
        if name.text.is_empty() && !split {
            break;
        }
        if name.text.first() == Some(&b'#') {
            return finish(criteria, end);
        }
        let lower = name.text.to_ascii_lowercase();
        if lower == b"all" {
            let tail = next().filter(|word| !word.text.is_empty() && word.text.first() != Some(&b'#'));
            if !criteria.is_empty() || tail.is_some() {
                return Err(Refusal {
                    at: name.at,
                    message: "`all` cannot be combined with other Match criteria".to_owned(),
                });
            }
            return Ok(Criteria(vec![Criterion::All]));
        }
        if lower == b"invalid-user" && split {
            criteria.push(Criterion::InvalidUser);
            continue;
        }
        let inline = name.text.iter().position(|byte| *byte == b'=').filter(|_| split);
        let argument = match inline {
            Some(equals) => {
                let at = name.at.saturating_add(equals).saturating_add(1);
                let text = name.text.get(equals.saturating_add(1)..).unwrap_or_default().to_vec();
                name.text.truncate(equals);
                Some(Word { text, at })
            }
            None => next(),
        };
        let shown = crate::model::text::escape(&name.text);
        let Some(argument) = argument.filter(|word| !word.text.is_empty() && word.text.first() != Some(&b'#')) else {
            return Err(Refusal {
                at: name.at,
                message: format!("the argument of Match criterion `{shown}` is missing"),
            });
        };
        criteria.push(criterion(&name, argument, dialect)?);
    }
    if !rest.is_empty() && !split {
        return Err(Refusal { at: rest.at, message: "extra arguments at end of line".to_owned() });
    }
    finish(criteria, end)
}

fn finish(criteria: Vec<Criterion>, at: usize) -> Result<Criteria, Refusal> {
    if criteria.is_empty() {
        return Err(Refusal { at, message: "Match needs at least one criterion".to_owned() });
    }
    Ok(Criteria(criteria))
}

fn criterion(name: &Word, argument: Word, dialect: Dialect) -> Result<Criterion, Refusal> {
    let addresses = |text: &[u8]| address::parse_list(text).map_err(|message| Refusal { at: argument.at, message });
    Ok(match name.text.to_ascii_lowercase().as_slice() {
        b"user" => Criterion::User(argument.text),
        b"group" => Criterion::Group(argument.text),
        b"host" => Criterion::Host(argument.text),
        b"rdomain" => Criterion::RDomain(argument.text),
        b"address" => Criterion::Address(addresses(&argument.text)?),
        b"localaddress" => Criterion::LocalAddress(addresses(&argument.text)?),
        b"localport" => match value::port(&argument.text) {
            Some(port) => Criterion::LocalPort(port),
            None => return Err(Refusal { at: argument.at, message: "invalid LocalPort".to_owned() }),
        },
        b"version" if dialect.at_least(10, 0) => {
            Criterion::Version(pattern::list(&dialect.banner(), &argument.text) == pattern::Answer::Yes)
        }
        _ => {
            let shown = crate::model::text::escape(&name.text);
            return Err(Refusal { at: name.at, message: format!("unsupported Match criterion `{shown}`") });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::dialect::{Distribution, Version};
    use super::super::lex;
    use super::*;

    const NEW: Dialect = Dialect::new(Version(9, 9), Distribution::Upstream);

    fn criteria(text: &str, dialect: Dialect) -> Result<Criteria, String> {
        let args = lex::argv_split(text.as_bytes(), 0).unwrap();
        parse(Rest::new(text.as_bytes()), &args, dialect).map_err(|refusal| refusal.message)
    }

    #[test]
    fn quoting_changed_with_9_9() {
        let user = |text: &str| Ok(Criteria(vec![Criterion::User(text.into())]));
        assert_eq!(criteria("User 'alice'", Dialect::DEBIAN_12), user("'alice'"));
        assert_eq!(criteria("User 'alice'", NEW), user("alice"));
        assert_eq!(criteria("User=alice", Dialect::DEBIAN_12), user("alice"));
        assert_eq!(criteria("User=alice", NEW), user("alice"));
        assert_eq!(criteria("User \"alice, bob\" # both", Dialect::DEBIAN_12), user("alice, bob"));
        assert_eq!(criteria("user alice Invalid-User", NEW).unwrap().0.len(), 2);
    }

    #[test]
    fn refused_lines() {
        let check = |text: &str, part: &str| {
            let error = criteria(text, Dialect::DEBIAN_12).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        };
        check("User alice, bob", "missing");
        check("Final all", "unsupported");
        check("all user a", "combined");
        check("User a all", "combined");
        check("Address 10.0.0.1/8", "mask");
        check("LocalPort x", "LocalPort");
        check("# nothing", "at least one");
        check("Invalid-User x", "unsupported");
    }

    #[test]
    fn versions_are_compared_with_the_whole_banner() {
        let dialect = Dialect::from_banner("OpenSSH_10.0p2 Debian-7+deb13u4").unwrap();
        let check = |text: &str, expected: bool| {
            assert_eq!(criteria(text, dialect), Ok(Criteria(vec![Criterion::Version(expected)])), "{text}");
        };
        check("Version OpenSSH_10*", true);
        check("Version OpenSSH_10.0p2", false);
        check("Version *Debian*,!*deb12*", true);
    }

    #[test]
    fn lists_of_negations_are_void() {
        let void = |text: &str| criteria(text, Dialect::DEBIAN_12).unwrap().0[0].is_void();
        assert!(void("User !root"));
        assert!(void("Address !10.0.0.0/8"));
        assert!(!void("User *,!root"));
    }
}
