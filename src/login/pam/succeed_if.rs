//! pam_succeed_if(8): a list of comparisons that must all hold (Linux-PAM 1.5.2, `pam_succeed_if.c`: `evaluate`).

use std::borrow::Cow;
use std::net::IpAddr;

use crate::model::text::escape;

use super::condition::{Account, Answer, Connection, Remote};
use super::glob;

/// The comparisons, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SucceedIf(Vec<Comparison>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Comparison {
    left: Left,
    operator: Operator,
    right: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    User,
    Uid,
    Gid,
    Shell,
    Home,
    Rhost,
    Service,
    /// `ruser`, `tty`: what sshd puts there is not decided here.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Number(Order),
    Text { equal: bool },
    Glob { matches: bool },
    List { inside: bool },
    Group { member: bool },
    Netgroup,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

/// Words that are options wherever they stand. `use_uid` asks about the caller, which is root, and is refused here.
const OPTIONS: [&[u8]; 5] = [b"debug", b"quiet", b"quiet_fail", b"quiet_success", b"audit"];

impl SucceedIf {
    /// The comparisons in a module's arguments, or why they are malformed or not decided, as a clause.
    ///
    /// # Errors
    ///
    /// An unknown attribute or operator, a number where none stands, `use_uid`.
    pub fn parse(arguments: &[Vec<u8>]) -> Result<Self, String> {
        let words: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).filter(|word| !OPTIONS.contains(word)).collect();
        if words.contains(&&b"use_uid"[..]) {
            return Err("`use_uid` asks about the server itself".to_owned());
        }
        words
            .chunks(3)
            .map(|chunk| match chunk {
                [left, operator, right] => Comparison::parse(left, operator, right),
                rest => Err(format!("`{}` is no whole comparison", escape(&rest.join(&b' ')))),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether it may depend on where a connection comes from.
    #[must_use]
    pub fn asks_for_remote(&self) -> bool {
        self.0.iter().any(|comparison| matches!(comparison.left, Left::Rhost | Left::Other))
    }

    /// Whether it may depend on how the name was typed.
    #[must_use]
    pub fn asks_for_name(&self) -> bool {
        let named = |one: &Comparison| one.left == Left::User && !matches!(one.operator, Operator::Group { .. });
        self.0.iter().any(named)
    }

    /// The names of groups that it asks for.
    pub fn group_names(&self) -> impl Iterator<Item = &[u8]> {
        let of_groups = self.0.iter().filter(|one| matches!(one.operator, Operator::Group { .. }));
        of_groups.flat_map(|one| one.right.split(|byte| *byte == b':'))
    }

    /// Whether all of them hold.
    #[must_use]
    pub fn answer(&self, connection: &Connection<'_>) -> Answer {
        self.0.iter().map(|comparison| comparison.answer(connection)).fold(Answer::Yes, Answer::and)
    }

    /// Addresses that it tells apart.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.0
            .iter()
            .filter(|comparison| comparison.left == Left::Rhost)
            .flat_map(|comparison| comparison.right.split(|b| *b == b':'))
            .filter_map(|text| std::str::from_utf8(text).ok()?.parse().ok())
    }
}

impl Comparison {
    fn parse(left: &[u8], operator: &[u8], right: &[u8]) -> Result<Self, String> {
        let left = match left.to_ascii_lowercase().as_slice() {
            b"user" => Left::User,
            b"uid" => Left::Uid,
            b"gid" => Left::Gid,
            b"shell" => Left::Shell,
            b"home" | b"dir" | b"homedir" => Left::Home,
            b"rhost" => Left::Rhost,
            b"service" => Left::Service,
            b"ruser" | b"tty" => Left::Other,
            _ => return Err(format!("`{}` is no attribute", escape(left))),
        };
        let operator = match operator.to_ascii_lowercase().as_slice() {
            b"<" | b"lt" => Operator::Number(Order::Less),
            b"<=" | b"le" => Operator::Number(Order::LessOrEqual),
            b"eq" => Operator::Number(Order::Equal),
            b"ne" => Operator::Number(Order::NotEqual),
            b">=" | b"ge" => Operator::Number(Order::GreaterOrEqual),
            b">" | b"gt" => Operator::Number(Order::Greater),
            b"=" => Operator::Text { equal: true },
            b"!=" => Operator::Text { equal: false },
            b"=~" => Operator::Glob { matches: true },
            b"!~" => Operator::Glob { matches: false },
            b"in" => Operator::List { inside: true },
            b"notin" => Operator::List { inside: false },
            b"ingroup" => Operator::Group { member: true },
            b"notingroup" => Operator::Group { member: false },
            b"innetgr" | b"notinnetgr" => Operator::Netgroup,
            _ => return Err(format!("`{}` is no operator", escape(operator))),
        };
        let numeric = matches!(left, Left::Uid | Left::Gid);
        if matches!(operator, Operator::Number(_)) && (!numeric || number(right).is_none()) {
            return Err(format!("`{}` is compared as a number", escape(right)));
        }
        Ok(Self { left, operator, right: right.to_vec() })
    }

    fn answer(&self, connection: &Connection<'_>) -> Answer {
        match self.left {
            Left::Service => self.of_text(connection.service),
            Left::Rhost => match connection.remote {
                Remote::Range(low, high) if low == high => self.of_text(low.to_string().as_bytes()),
                remote => self.of_addresses(remote),
            },
            Left::Other => Answer::Open,
            _ => connection.account.map_or(Answer::Open, |account| self.of_account(account)),
        }
    }

    fn of_account(&self, account: &Account) -> Answer {
        let text: Cow<'_, [u8]> = match self.left {
            Left::User => Cow::Borrowed(&account.name),
            Left::Uid => Cow::Owned(account.uid.to_string().into_bytes()),
            Left::Gid => Cow::Owned(account.gid.to_string().into_bytes()),
            Left::Shell => Cow::Borrowed(&account.shell),
            _ => Cow::Borrowed(&account.home),
        };
        match self.operator {
            Operator::Group { member } => {
                let inside =
                    self.right.split(|b| *b == b':').map(|group| account.in_group(group)).fold(Answer::No, Answer::or);
                if member { inside } else { inside.negated() }
            }
            _ => self.of_text(&text),
        }
    }

    fn of_text(&self, text: &[u8]) -> Answer {
        match self.operator {
            Operator::Text { equal } => Answer::from((text == self.right) == equal),
            Operator::Glob { matches } => Answer::from(glob::matches(&self.right, text) == matches),
            Operator::List { inside } => {
                Answer::from(self.right.split(|b| *b == b':').any(|one| one == text) == inside)
            }
            Operator::Number(order) => match (number(text), number(&self.right)) {
                (Some(left), Some(right)) => Answer::from(match order {
                    Order::Less => left < right,
                    Order::LessOrEqual => left <= right,
                    Order::Equal => left == right,
                    Order::NotEqual => left != right,
                    Order::GreaterOrEqual => left >= right,
                    Order::Greater => left > right,
                }),
                _ => Answer::Unknown,
            },
            Operator::Group { .. } | Operator::Netgroup => Answer::Open,
        }
    }

    /// For a whole interval: an address outside it decides; one inside leaves it open.
    fn of_addresses(&self, remote: Remote) -> Answer {
        let address = std::str::from_utf8(&self.right).ok().and_then(|text| text.parse::<IpAddr>().ok());
        match (self.operator, address) {
            (Operator::Text { equal }, Some(address)) if remote.within(address, address) == Answer::No => {
                Answer::from(!equal)
            }
            _ => Answer::Open,
        }
    }
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &str, expected: Answer) {
        let account = Account {
            name: b"svc-backup".to_vec(),
            uid: 1500,
            gid: 100,
            groups: vec![b"users".to_vec(), b"nomfa".to_vec()],
            groups_complete: true,
            home: b"/home/svc-backup".to_vec(),
            shell: b"/bin/sh".to_vec(),
            local: true,
        };
        let connection = Connection {
            account: Some(&account),
            remote: Remote::Range("10.0.0.0".parse().unwrap(), "10.0.0.255".parse().unwrap()),
            service: b"sshd",
            empty_passwords_permitted: false,
            key_shown: false,
        };
        let words: Vec<Vec<u8>> = arguments.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        assert_eq!(SucceedIf::parse(&words).unwrap().answer(&connection), expected, "{arguments}");
    }

    #[test]
    fn comparisons() {
        check("user = svc-backup", Answer::Yes);
        check("quiet user =~ svc-*", Answer::Yes);
        check("user !~ svc-*", Answer::No);
        check("user in a:svc-backup", Answer::Yes);
        check("user ingroup nomfa quiet", Answer::Yes);
        check("user notingroup wheel:nomfa", Answer::No);
        check("uid >= 1000 uid < 1500", Answer::No);
        check("uid ge 1000 gid eq 100", Answer::Yes);
        check("service = sshd", Answer::Yes);
        check("rhost = 10.0.1.1", Answer::No);
        check("rhost = 10.0.0.7", Answer::Open);
        check("rhost =~ 10.*", Answer::Open);
        check("user innetgr x", Answer::Open);
        check("shell notin /bin/sh:/bin/bash", Answer::No);
    }

    #[test]
    fn malformed() {
        for text in ["user", "user is x", "colour = red", "uid > many", "user lt 5", "use_uid uid = 0"] {
            let words: Vec<Vec<u8>> = text.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            assert!(SucceedIf::parse(&words).is_err(), "{text}");
        }
    }
}
