//! Reads pam.d(5) and pam.conf(5) text the way Linux-PAM does: lines, tokens, controls. Follows no include: see
//! `login::pam::stack`.
//!
//! The rules are those of Linux-PAM 1.5.2 (`pam_handlers.c`: `_pam_assemble_line`, `_pam_parse_conf_file`; `pam_misc.c`:
//! `_pam_StrTok`, `_pam_parse_control`) with Debian's `@include`, tried against the library. Where later versions read a
//! line otherwise, the line carries a [`Oddity`].

/// What an entry belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Type {
    /// Who is it?
    Auth,
    /// May he?
    Account,
    /// Changing of secrets.
    Password,
    /// Before and after.
    Session,
}

/// What libpam does on a return code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// The code changes nothing.
    Ignore,
    /// The code becomes the stack's, unless something failed before.
    Ok,
    /// The same, and the level ends.
    Done,
    /// The stack fails.
    Bad,
    /// The same, and the level ends.
    Die,
    /// The state at the beginning of the level comes back.
    Reset,
    /// So many entries are skipped.
    Jump(u32),
}

/// Return codes that have a name, in numerical order (`_pam_types.h`, `pam_tokens.h` of 1.5.2; `conv_again` and
/// `incomplete` are 30 and 31).
pub const RETURN_CODES: [&str; 32] = [
    "success",
    "open_err",
    "symbol_err",
    "service_err",
    "system_err",
    "buf_err",
    "perm_denied",
    "auth_err",
    "cred_insufficient",
    "authinfo_unavail",
    "user_unknown",
    "maxtries",
    "new_authtok_reqd",
    "acct_expired",
    "session_err",
    "cred_unavail",
    "cred_expired",
    "cred_err",
    "no_module_data",
    "conv_err",
    "authtok_err",
    "authtok_recover_err",
    "authtok_lock_busy",
    "authtok_disable_aging",
    "try_again",
    "ignore",
    "abort",
    "authtok_expired",
    "module_unknown",
    "bad_item",
    "conv_again",
    "incomplete",
];

/// A return code: an index into [`RETURN_CODES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReturnCode(u8);

impl ReturnCode {
    /// `PAM_SUCCESS`.
    pub const SUCCESS: Self = Self(0);
    /// `PAM_PERM_DENIED`, what libpam answers for entries that must fail.
    pub const PERM_DENIED: Self = Self(6);
    /// `PAM_IGNORE`.
    pub const IGNORE: Self = Self(25);
    /// `PAM_ABORT`.
    pub const ABORT: Self = Self(26);
    /// `PAM_CRED_ERR`.
    pub const CRED_ERR: Self = Self(17);
    /// `PAM_MODULE_UNKNOWN`.
    pub const MODULE_UNKNOWN: Self = Self(28);

    /// The code with this number.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        (usize::from(number) < RETURN_CODES.len()).then_some(Self(number))
    }

    /// The code with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let at = RETURN_CODES.iter().position(|known| *known == name)?;
        u8::try_from(at).ok().map(Self)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        RETURN_CODES.get(usize::from(self.0)).copied().unwrap_or("incomplete")
    }

    /// All codes a module may answer with; `incomplete` is none, it suspends the stack.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..31).map(Self)
    }
}

/// What to do on each return code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actions([Action; RETURN_CODES.len()]);

impl Actions {
    /// The action on `code`.
    #[must_use]
    pub fn on(&self, code: ReturnCode) -> Action {
        self.0.get(usize::from(code.0)).copied().unwrap_or(Action::Bad)
    }

    /// Whether any code brings back the state at the beginning of the level.
    #[must_use]
    pub fn may_reset(&self) -> bool {
        self.0.contains(&Action::Reset)
    }

    /// The same action on every code.
    #[must_use]
    pub const fn all(action: Action) -> Self {
        Self([action; RETURN_CODES.len()])
    }
}

/// The second field of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "a stack has some dozen entries; a box would not make them clearer")]
pub enum Control {
    /// A module with what its answers mean.
    Module(Actions),
    /// The entries of one type of another file, spliced in.
    Include,
    /// The same, as a level of its own.
    Substack,
    /// There is none; libpam makes an entry that must fail of it.
    Missing,
}

/// One logical line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it begins, counted from 1.
    pub number: u32,
    /// Its text without comment, continuation lines joined, spaces at the ends trimmed.
    pub text: Vec<u8>,
    /// pam.conf(5) only: the service it is for.
    pub service: Option<Vec<u8>>,
    /// What it says.
    pub entry: Entry,
    /// What is odd about it.
    pub oddities: Vec<Oddity>,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "a stack has some dozen entries; a box would not make them clearer")]
pub enum Entry {
    /// Debian's `@include FILE`: every entry of another file. Without a file name libpam crashes.
    IncludeAll(Option<Vec<u8>>),
    /// An ordinary entry.
    Ordinary {
        /// A leading `-`: a missing module is not logged. It does not change the outcome.
        quiet: bool,
        /// Its type; absent if it is missing or none of the four: an entry that must fail, of the type that was asked
        /// for, else `auth`.
        kind: Option<Type>,
        /// Its control.
        control: Control,
        /// The module or file; absent if there is none.
        target: Option<Vec<u8>>,
        /// The module's arguments.
        arguments: Vec<Vec<u8>>,
    },
}

/// What makes a line hard to read for libpam or for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// The type is none of the four.
    IllegalType(Vec<u8>),
    /// The control is neither a word nor a list that libpam understands, so that every answer fails the stack.
    BadControl(Vec<u8>),
    /// Longer than [`LONGEST_LINE`]: split by libpam before 1.6, kept whole since.
    Long,
    /// A NUL ends the line early.
    Nul,
    /// A blank line or a comment interrupts a continued line: skipped by libpam before 1.6.
    InterruptedContinuation,
    /// A jump so far that libpam's arithmetic overflows, and may come out as another action.
    Overflow,
}

impl Oddity {
    /// Whether versions of libpam differ on it, so that the outcome cannot be told.
    #[must_use]
    pub const fn is_undecidable(&self) -> bool {
        matches!(self, Self::Long | Self::Nul | Self::InterruptedContinuation | Self::Overflow)
    }

    /// It in one clause.
    #[must_use]
    pub fn describe(&self) -> String {
        use crate::model::text::escape;
        match self {
            Self::IllegalType(word) => format!("`{}` is no management group, so the entry always fails", escape(word)),
            Self::BadControl(word) => {
                format!("libpam does not understand the control `{}`, so the entry always fails", escape(word))
            }
            Self::Long => format!("a line longer than {LONGEST_LINE} bytes is split by some versions of libpam"),
            Self::Nul => "a NUL byte cuts the line short".to_owned(),
            Self::Overflow => "a jump is so far that libpam's arithmetic overflows".to_owned(),
            Self::InterruptedContinuation => {
                "a blank line or comment after a continued line is read differently by versions of libpam".to_owned()
            }
        }
    }
}

/// The text of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// Its lines, in order.
    pub lines: Vec<Line>,
    /// Whether the last line is continued and nothing follows: libpam refuses the file after the lines before.
    pub incomplete: bool,
    /// What is odd about lines that say nothing, with their numbers.
    pub oddities: Vec<(u32, Oddity)>,
}

/// Longest physical or joined line, in bytes, that every version of libpam reads as one (`BUF_SIZE` of 1.5.2).
pub const LONGEST_LINE: usize = 1022;

/// A file of a pam.d directory.
#[must_use]
pub fn parse(bytes: &[u8]) -> File {
    parse_file(bytes, false)
}

/// pam.conf(5), whose lines begin with the service.
#[must_use]
pub fn parse_conf(bytes: &[u8]) -> File {
    parse_file(bytes, true)
}

fn parse_file(bytes: &[u8], with_service: bool) -> File {
    let mut file = File::default();
    let mut joined: Option<Joined> = None;
    for (index, physical) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        let number = u32::try_from(index.saturating_add(1)).unwrap_or(u32::MAX);
        let mut oddities = Vec::new();
        if physical.len() > LONGEST_LINE {
            oddities.push(Oddity::Long);
        }
        let visible = match physical.iter().position(|b| *b == 0) {
            Some(at) => {
                oddities.push(Oddity::Nul);
                physical.get(..at).unwrap_or_default()
            }
            None => physical,
        };
        let start = visible.iter().position(|b| !is_blank(*b)).unwrap_or(visible.len());
        let content = visible.get(start..).unwrap_or_default();
        if content.is_empty() || content.first() == Some(&b'#') {
            match &mut joined {
                Some(line) => {
                    oddities.push(Oddity::InterruptedContinuation);
                    line.oddities.append(&mut oddities);
                }
                None => file.oddities.extend(oddities.into_iter().map(|oddity| (number, oddity))),
            }
            continue;
        }
        let comment = content.iter().position(|b| *b == b'#');
        let (text, continued) = match comment {
            Some(at) => (content.get(..at).unwrap_or_default(), false),
            None => {
                let end = content.iter().rposition(|b| !is_blank(*b)).unwrap_or(0);
                match content.get(end) {
                    Some(b'\\') => (content.get(..end).unwrap_or_default(), true),
                    _ => (content, false),
                }
            }
        };
        let line = joined.get_or_insert_with(|| Joined { number, text: Vec::new(), oddities: Vec::new() });
        line.text.extend_from_slice(text);
        line.oddities.append(&mut oddities);
        if line.text.len() > LONGEST_LINE && !line.oddities.contains(&Oddity::Long) {
            line.oddities.push(Oddity::Long);
        }
        if continued {
            line.text.push(b' ');
        } else if let Some(line) = joined.take() {
            file.lines.extend(parse_line(line, with_service));
        }
    }
    file.incomplete = joined.is_some();
    file
}

struct Joined {
    number: u32,
    text: Vec<u8>,
    oddities: Vec<Oddity>,
}

/// What the tokeniser takes for space; a carriage return is none.
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n')
}

fn parse_line(joined: Joined, with_service: bool) -> Option<Line> {
    let Joined { number, text, mut oddities } = joined;
    let mut tokens = Tokens(&text);
    let service = if with_service { Some(tokens.next()?) } else { None };
    let mut word = tokens.next();
    if word.is_none() && service.is_none() {
        return None;
    }
    let quiet = word.as_ref().is_some_and(|word| word.first() == Some(&b'-'));
    if quiet {
        word = word.and_then(|word| word.get(1..).map(<[u8]>::to_vec));
    }
    let trimmed = text.trim_ascii().to_vec();
    if word.as_ref().is_some_and(|word| word.eq_ignore_ascii_case(b"@include")) {
        let entry = Entry::IncludeAll(tokens.next());
        return Some(Line { number, text: trimmed, service, entry, oddities });
    }
    let kind = word.as_deref().and_then(type_named);
    if kind.is_none() {
        oddities.push(Oddity::IllegalType(word.unwrap_or_default()));
    }
    let control = match tokens.next() {
        None => Control::Missing,
        Some(word) => {
            let (control, understood) = parse_control(&word);
            if !understood && word.split(|b| !b.is_ascii_digit()).any(|digits| digits.len() > 9) {
                oddities.push(Oddity::Overflow);
            }
            if !understood {
                oddities.push(Oddity::BadControl(word));
            }
            control
        }
    };
    let target = tokens.next();
    let entry = Entry::Ordinary { quiet, kind, control, target, arguments: tokens.collect() };
    Some(Line { number, text: trimmed, service, entry, oddities })
}

fn type_named(word: &[u8]) -> Option<Type> {
    [
        (&b"auth"[..], Type::Auth),
        (b"session", Type::Session),
        (b"account", Type::Account),
        (b"password", Type::Password),
    ]
    .into_iter()
    .find(|(name, _)| word.eq_ignore_ascii_case(name))
    .map(|(_, kind)| kind)
}

/// Tokens between blanks; `[...]` is one, without its brackets, and `\]` in it stands for `]`.
struct Tokens<'a>(&'a [u8]);

impl Iterator for Tokens<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let start = self.0.iter().position(|b| !is_blank(*b))?;
        let rest = self.0.get(start..)?;
        let Some(inner) = rest.strip_prefix(b"[") else {
            let end = rest.iter().position(|b| is_blank(*b)).unwrap_or(rest.len());
            let (token, after) = rest.split_at_checked(end)?;
            self.0 = after.get(1..).unwrap_or_default();
            return Some(token.to_vec());
        };
        let mut token = Vec::new();
        let mut left = inner;
        loop {
            match left {
                [] => break,
                [b']', after @ ..] => {
                    left = after;
                    break;
                }
                [b'\\', b']', after @ ..] => {
                    token.push(b']');
                    left = after;
                }
                [byte, after @ ..] => {
                    token.push(*byte);
                    left = after;
                }
            }
        }
        self.0 = left;
        Some(token)
    }
}

/// A control and whether libpam understands it; if not, every answer is `bad`.
fn parse_control(word: &[u8]) -> (Control, bool) {
    use Action::{Bad, Die, Done, Ignore, Ok};
    let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
    let simple = |success: Action, ignore: Option<Action>, default: Action| {
        let mut table = [None; RETURN_CODES.len()];
        set(&mut table, "success", success);
        set(&mut table, "new_authtok_reqd", success);
        if let Some(action) = ignore {
            set(&mut table, "ignore", action);
        }
        (Control::Module(Actions(table.map(|action| action.unwrap_or(default)))), true)
    };
    if is(b"required") {
        simple(Ok, Some(Ignore), Bad)
    } else if is(b"requisite") {
        simple(Ok, Some(Ignore), Die)
    } else if is(b"optional") {
        simple(Ok, None, Ignore)
    } else if is(b"sufficient") {
        simple(Done, None, Ignore)
    } else if is(b"include") {
        (Control::Include, true)
    } else if is(b"substack") {
        (Control::Substack, true)
    } else {
        match parse_actions(word) {
            Some(actions) => (Control::Module(actions), true),
            None => (Control::Module(Actions::all(Bad)), false),
        }
    }
}

fn set(table: &mut [Option<Action>; RETURN_CODES.len()], name: &str, action: Action) {
    if let Some(code) = ReturnCode::named(name)
        && let Some(slot) = table.get_mut(usize::from(code.0))
    {
        *slot = Some(action);
    }
}

/// `return=action …`. Names match as prefixes and need no space between pairs, as in `_pam_parse_control`.
fn parse_actions(word: &[u8]) -> Option<Actions> {
    let mut table: [Option<Action>; RETURN_CODES.len()] = [None; RETURN_CODES.len()];
    let mut rest = skip_space(word);
    while !rest.is_empty() {
        let code = RETURN_CODES.iter().position(|name| rest.starts_with(name.as_bytes()));
        let name = match code {
            Some(at) => RETURN_CODES.get(at).copied()?,
            None if rest.starts_with(b"default") => "default",
            None => return None,
        };
        rest = skip_space(skip_space(rest.get(name.len()..)?).strip_prefix(b"=")?);
        let (action, after) = parse_action(rest)?;
        match code {
            Some(at) => *table.get_mut(at)? = Some(action),
            None => table.iter_mut().filter(|slot| slot.is_none()).for_each(|slot| *slot = Some(action)),
        }
        rest = skip_space(after);
    }
    Some(Actions(table.map(|action| action.unwrap_or(Action::Bad))))
}

/// Skips what C's `isspace` calls space.
fn skip_space(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|b| !matches!(b, b' ' | b'\t'..=b'\r')).unwrap_or(text.len());
    text.get(start..).unwrap_or_default()
}

fn parse_action(rest: &[u8]) -> Option<(Action, &[u8])> {
    let named = [
        (&b"ignore"[..], Action::Ignore),
        (b"ok", Action::Ok),
        (b"done", Action::Done),
        (b"bad", Action::Bad),
        (b"die", Action::Die),
        (b"reset", Action::Reset),
    ];
    if let Some((name, action)) = named.into_iter().find(|(name, _)| rest.starts_with(name)) {
        return Some((action, rest.get(name.len()..)?));
    }
    let digits = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
    let (number, after) = rest.split_at_checked(digits)?;
    // Nine digits fit the `int` that libpam computes with; its overflow beyond is told as `Oddity::Overflow`.
    let jump: u32 = std::str::from_utf8(number).ok().filter(|number| number.len() < 10)?.parse().ok()?;
    (jump > 0).then_some((Action::Jump(jump), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lossy(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// A line as `number type control target args !oddities`, with the actions that differ from the default.
    fn show(line: &Line) -> String {
        let mut out = format!("{}", line.number);
        match &line.entry {
            Entry::IncludeAll(target) => out += &format!(" @include {:?}", target.as_deref().map(lossy)),
            Entry::Ordinary { quiet, kind, control, target, arguments } => {
                out +=
                    &kind.map_or_else(|| " ?".to_owned(), |kind| format!(" {}{kind:?}", if *quiet { "-" } else { "" }));
                match control {
                    Control::Module(actions) => {
                        let bad = actions.on(ReturnCode::named("conv_again").unwrap());
                        out += &format!(" [{bad:?}");
                        for code in ReturnCode::all().filter(|code| actions.on(*code) != bad) {
                            out += &format!(" {}={:?}", code.name(), actions.on(code));
                        }
                        out += "]";
                    }
                    other => out += &format!(" {other:?}"),
                }
                if let Some(target) = target {
                    out += &format!(" {}", lossy(target));
                }
                for argument in arguments {
                    out += &format!(" <{}>", lossy(argument));
                }
            }
        }
        for oddity in &line.oddities {
            out += &format!(" !{oddity:?}");
        }
        out
    }

    fn check(text: &[u8], expected: &[&str]) {
        let shown: Vec<String> = parse(text).lines.iter().map(show).collect();
        assert_eq!(shown, expected, "{}", lossy(text));
    }

    #[test]
    fn ordinary_lines() {
        check(
            b"# c\n\nauth\trequired pam_unix.so nullok  try_first_pass # x\n-Session OPTIONAL /a/b.so\n@include common-auth\n",
            &[
                "3 Auth [Bad success=Ok new_authtok_reqd=Ok ignore=Ignore] pam_unix.so <nullok> <try_first_pass>",
                "4 -Session [Ignore success=Ok new_authtok_reqd=Ok] /a/b.so",
                "5 @include Some(\"common-auth\")",
            ],
        );
        check(b"auth substack x", &["1 Auth Substack x"]);
        check(b"account include", &["1 Account Include"]);
        check(b"auth", &["1 Auth Missing"]);
    }

    #[test]
    fn controls() {
        check(b"auth [success=1 default=ignore] p", &["1 Auth [Ignore success=Jump(1)] p"]);
        check(b"auth [ default=die success = ok ] p", &["1 Auth [Die success=Ok] p"]);
        check(b"auth [success=okdefault=ignore] p", &["1 Auth [Ignore success=Ok] p"]);
        check(b"auth [default=ignore success=done default=die] p", &["1 Auth [Ignore success=Done] p"]);
        check(b"auth [] p", &["1 Auth [Bad] p"]);
        check(
            b"auth [success=ok p q",
            &["1 Auth [Bad] !BadControl([115, 117, 99, 99, 101, 115, 115, 61, 111, 107, 32, 112, 32, 113])"],
        );
        check(b"auth [success=0] p", &["1 Auth [Bad] p !BadControl([115, 117, 99, 99, 101, 115, 115, 61, 48])"]);
        check(b"auth requried p", &["1 Auth [Bad] p !BadControl([114, 101, 113, 117, 114, 105, 101, 100])"]);
        assert!(parse(b"auth [success=4294967295] p").lines[0].oddities.contains(&Oddity::Overflow));
    }

    #[test]
    fn brackets_in_arguments() {
        check(b"auth optional p [a b \\] c] d]", &["1 Auth [Ignore success=Ok new_authtok_reqd=Ok] p <a b ] c> <d]>"]);
    }

    #[test]
    fn continuation() {
        check(
            b"auth \\\n required\\ \n p\nauth x",
            &["1 Auth [Bad success=Ok new_authtok_reqd=Ok ignore=Ignore] p", "4 Auth [Bad] !BadControl([120])"],
        );
        check(b"auth optional p # c \\\nauth", &["1 Auth [Ignore success=Ok new_authtok_reqd=Ok] p", "2 Auth Missing"]);
        check(
            b"auth optional \\\n#x\np",
            &["1 Auth [Ignore success=Ok new_authtok_reqd=Ok] p !InterruptedContinuation"],
        );
        assert!(parse(b"auth required p\nauth required \\\n").incomplete);
    }

    #[test]
    fn hostile_bytes() {
        check(b"auth optional p\0q\n", &["1 Auth [Ignore success=Ok new_authtok_reqd=Ok] p !Nul"]);
        check(b"\xff\xfe optional p", &["1 ? [Ignore success=Ok new_authtok_reqd=Ok] p !IllegalType([255, 254])"]);
        check(b"auth optional p\r\n", &["1 Auth [Ignore success=Ok new_authtok_reqd=Ok] p\r"]);
        assert_eq!(parse(&[&b"#"[..], &[b'x'; 2000], b"\n"].concat()).oddities, [(1, Oddity::Long)]);
        let mut long = b"auth optional p ".to_vec();
        long.resize(1100, b'x');
        assert_eq!(parse(&long).lines[0].oddities, [Oddity::Long]);
        let many: Vec<u8> = b"auth required pam_unix.so\n".iter().copied().cycle().take(10 << 20).collect();
        assert_eq!(parse(&many).lines.len(), (10 << 20) / 26 + 1);
    }

    #[test]
    fn pam_conf_lines_name_their_service() {
        let file = parse_conf(b"sshd auth required p\nOTHER\n");
        assert_eq!(file.lines[0].service.as_deref(), Some(&b"sshd"[..]));
        assert_eq!(show(&file.lines[1]), "2 ? Missing !IllegalType([])");
    }
}
