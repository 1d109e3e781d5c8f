//! One file as a list of lines, each with its keyword, value and place.

use super::criteria::{self, Criteria};
use super::dialect::Dialect;
use super::keyword::{Keyword, Kind, Scope};
use super::lex::{self, Rest, Word};
use super::other::Other;
use super::value;

/// A line that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Counted from 1.
    pub number: u32,
    /// Column of its first byte, counted from 1.
    pub column: u32,
    /// As written, without surrounding white space.
    pub text: Vec<u8>,
    /// What it says.
    pub body: Body,
}

/// What a line says.
#[derive(Clone, Debug)]
pub enum Body {
    /// `keyword value`.
    Setting {
        /// Which keyword.
        keyword: &'static Keyword,
        /// Where it may stand under the name it has here.
        scope: Scope,
        /// The words that sshd would keep.
        words: Vec<Vec<u8>>,
    },
    /// `Match …`.
    Match(Criteria),
    /// `Include …`: the patterns.
    Include(Vec<Vec<u8>>),
    /// sshd refuses it.
    Fault(Fault),
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Setting { keyword: a, words: x, .. }, Self::Setting { keyword: b, words: y, .. }) => {
                a.name == b.name && x == y
            }
            (Self::Match(a), Self::Match(b)) => a == b,
            (Self::Include(a), Self::Include(b)) => a == b,
            (Self::Fault(a), Self::Fault(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Body {}

/// Why sshd refuses a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Column of the offending word, counted from 1.
    pub column: u32,
    /// What is wrong, a clause.
    pub message: String,
}

/// The lines of a file. Empty lines and comments are left out; so are lines whose keyword has a quote that is never
/// closed, which sshd skips without a word.
#[must_use]
pub fn parse(bytes: &[u8], dialect: Dialect) -> Vec<Line> {
    lex::lines(bytes, dialect).into_iter().filter_map(|raw| line(&raw, dialect)).collect()
}

/// The value of a `-o` option of the command line, which is read as a line of its own.
#[must_use]
pub fn option(text: &[u8], dialect: Dialect) -> Option<Line> {
    let content = text.iter().skip_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).copied().collect();
    line(&lex::RawLine { number: 0, indent: 0, content }, dialect)
}

fn line(raw: &lex::RawLine, dialect: Dialect) -> Option<Line> {
    let mut rest = Rest::new(&raw.content);
    let mut name = rest.strdelim()?;
    if name.text.is_empty() {
        name = rest.strdelim()?;
    }
    if name.text.is_empty() || name.text.first() == Some(&b'#') {
        return None;
    }
    let column = |at: usize| raw.indent.saturating_add(u32::try_from(at).unwrap_or(u32::MAX)).saturating_add(1);
    let body = body(&name, rest, dialect)
        .unwrap_or_else(|refusal| Body::Fault(Fault { column: column(refusal.at), message: refusal.message }));
    Some(Line { number: raw.number, column: column(0), text: raw.content.clone(), body })
}

fn body(name: &Word, rest: Rest, dialect: Dialect) -> Result<Body, value::Refusal> {
    let shown = crate::model::text::escape(&name.text);
    let refuse = |at: usize, message: String| Err(value::Refusal { at, message });
    // Before 8.7 each keyword looked for its own arguments, and lists did not mind if there were none.
    let list =
        |kind| matches!(kind, Kind::Users | Kind::Groups | Kind::Environment | Kind::SetEnvironment | Kind::Files);
    let found = Keyword::find(&name.text, dialect);
    let may_be_empty = !dialect.at_least(8, 7) && found.is_some_and(|(keyword, _)| list(keyword.kind));
    if rest.is_empty() && !may_be_empty {
        return refuse(name.at, format!("no argument after keyword `{shown}`"));
    }
    let Some((keyword, scope)) = found else {
        return refuse(name.at, format!("`{shown}` is no keyword of {dialect}"));
    };
    let text = rest.text.clone().unwrap_or_default();
    let args = arguments(keyword, &text, rest.at, dialect)
        .map_err(|message| value::Refusal { at: rest.at, message: message.to_owned() })?;
    match keyword.name {
        "match" => criteria::parse(rest, &args, dialect).map(Body::Match),
        "include" => match args.iter().find(|word| word.text.is_empty()) {
            Some(empty) => refuse(empty.at, "Include has an empty argument".to_owned()),
            None if args.is_empty() => refuse(rest.at, "Include needs a file name".to_owned()),
            None => Ok(Body::Include(args.into_iter().map(|word| word.text).collect())),
        },
        _ => {
            let words = value::parse(keyword, &args, &text, rest.at, dialect)?;
            Ok(Body::Setting { keyword, scope, words })
        }
    }
}

/// The arguments of a line: since 8.7 with shell-like quoting, before by the same rule as keywords.
fn arguments(keyword: &Keyword, text: &[u8], at: usize, dialect: Dialect) -> Result<Vec<Word>, &'static str> {
    if dialect.at_least(8, 7) {
        return lex::argv_split(text, at).ok_or("a quote is not closed");
    }
    // These take the rest as it stands, or do not look at it.
    if matches!(keyword.kind, Kind::Ignored | Kind::Rest | Kind::Command | Kind::Other(Other::Addendum)) {
        return Ok(Vec::new());
    }
    let mut rest = Rest { text: Some(text.to_vec()), at };
    let mut next = || if keyword.kind == Kind::SetEnvironment { rest.strdelimw() } else { rest.strdelim() };
    let mut words = Vec::new();
    while let Some(word) = next() {
        if word.text.is_empty() {
            // An empty word ends the list, and then nothing may follow but behind file names.
            if keyword.kind != Kind::Files && next().is_some_and(|word| !word.text.is_empty()) {
                return Err("garbage at end of line");
            }
            break;
        }
        words.push(word);
    }
    Ok(words)
}

/// Whether a line may stand inside a Match block.
#[must_use]
pub fn allowed_in_match(body: &Body) -> bool {
    match body {
        Body::Setting { scope, .. } => *scope == Scope::Match,
        Body::Match(_) | Body::Include(_) | Body::Fault(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let lines = parse(text.as_bytes(), Dialect::DEBIAN_12);
        let seen: Vec<String> = lines
            .iter()
            .map(|line| {
                let body = match &line.body {
                    Body::Setting { keyword, words, .. } => {
                        let words: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
                        format!("{} {}", keyword.name, words.join("|"))
                    }
                    Body::Match(criteria) => format!("match {}", criteria.0.len()),
                    Body::Include(patterns) => format!("include {}", patterns.len()),
                    Body::Fault(fault) => format!("fault {}: {}", fault.column, fault.message),
                };
                format!("{}:{} {body}", line.number, line.column)
            })
            .collect();
        assert_eq!(seen, expected, "{text}");
    }

    #[test]
    fn lines() {
        check("# c\n\n  UsePAM=yes # on\n", &["3:3 usepam yes"]);
        check("AllowUsers a 'b c'\nMatch User x\n", &["1:1 allowusers a|b c", "2:1 match 1"]);
        check("Include a b", &["1:1 include 2"]);
        check("\"Port\" 22", &["1:1 port 22"]);
        check("Password\"Authentication no", &[]);
    }

    #[test]
    fn faults_have_a_place() {
        check("UsePam maybe", &["1:1 fault 8: unsupported option `maybe`"]);
        check("  Nonsense 1", &["1:3 fault 3: `Nonsense` is no keyword of OpenSSH 9.2 (Debian)"]);
        check("UsePAM", &["1:1 fault 1: no argument after keyword `UsePAM`"]);
        check("Banner 'x", &["1:1 fault 8: a quote is not closed"]);
        check("UsePAM no\0\nPort 22", &["1:1 fault 8: unsupported option `noPort`"]);
    }
}
