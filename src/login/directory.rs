//! What is known of a directory whose accounts are listed: how it takes names, and what is lost while it does not answer.
//!
//! sshd compares `Match User` with the name as it was typed (`server_match_user`, auth.c), NSS decides whose name that is; and a
//! group whose name NSS cannot find is passed over (`ga_init`, groupaccess.c). So an account has other shapes than its own: the
//! same with its name typed differently, and the same without some or all of the directory's groups.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::alike::Questions;
use super::classes::names;
use super::explore::User;
use super::factor::{Guard, GuardKind};
use super::methods::Stacks;
use super::pam;
use crate::formats::sshd_config::pattern;

/// A directory whose accounts and groups are all among those of the world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// How it takes names; `None` if nobody has said.
    pub spelling: Option<Spelling>,
    /// Groups that nobody but the directory names.
    pub groups: BTreeSet<Vec<u8>>,
    /// Accounts and groups of the host's own files, where only the directory says that the one is in the other.
    pub memberships: BTreeSet<(Vec<u8>, Vec<u8>)>,
    /// Accounts of the host's own files that stand behind one of the directory's of the same name, by that name: they come
    /// forward while the directory does not answer.
    pub behind: BTreeMap<Vec<u8>, pam::Account>,
}

/// Which other names the directory takes for an account's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spelling {
    /// Whether it makes no difference between capital and small letters.
    pub any_case: bool,
    /// Further forms with `%n` for the name: `%n@example.org`.
    pub forms: Vec<Vec<u8>>,
}

impl Directory {
    /// Whether `account` may be found without `group` while the directory does not answer.
    fn may_lose(&self, account: &[u8], group: &Vec<u8>) -> bool {
        self.groups.contains(group)
            || (!self.memberships.is_empty() && self.memberships.contains(&(account.to_vec(), group.clone())))
    }
}

impl Spelling {
    /// Whether every account has just the one name.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        !self.any_case && self.forms.is_empty()
    }
}

/// Accounts in a shape that is not their own.
pub(super) struct Shape {
    /// One of them, by its number among all users.
    pub(super) base: usize,
    /// All of them, by number.
    pub(super) members: Vec<usize>,
    /// The name as it is typed; `None` for its own.
    typed: Option<Vec<u8>>,
    /// The account as NSS shows it, when that is not all.
    seen: Option<Rc<pam::Account>>,
    /// Why not.
    why: &'static str,
}

/// What of an account may be lost, as far as questions tell: the answers of the groups that stay, and of those that may go.
type Groups = (BTreeSet<Vec<bool>>, BTreeSet<Vec<bool>>);

/// More groups than this that are told apart and may be missing, each by itself, are not followed.
const MAX_LOST: usize = 4;

/// The other shapes of the users of each of `kinds`, as many as anything tells apart. What is not followed is told in
/// `unknowns`.
pub(super) fn shapes(
    kinds: &[Vec<&User<'_>>],
    directory: &Directory,
    questions: &Questions<'_>,
    stacks: &[&Stacks],
    unknowns: &mut BTreeSet<String>,
) -> Vec<Shape> {
    let groups = GroupQuestions::new(questions, stacks);
    let exact = Spelling::default();
    let by_name = questions.tells_names() || stacks.iter().any(|stacks| stacks.asks_for_name());
    let spelling = match &directory.spelling {
        Some(spelling) => spelling,
        None => {
            if by_name {
                unknowns.insert(UNDECLARED.to_owned());
            }
            &exact
        }
    };
    if !spelling.is_exact() && stacks.iter().any(|stacks| stacks.asks_for_name()) {
        unknowns.insert(PAM_NAMES.to_owned());
    }
    let mut speller = Speller::new(questions, spelling);
    let mut found = Vec::new();
    for kind in kinds {
        // All of a kind answer alike.
        let own = kind.first().map(|user| questions.of_name(&user.name)).unwrap_or_default();
        let mut parts: BTreeMap<&Groups, Part<'_, '_>> = BTreeMap::new();
        let mut known: BTreeMap<&[Vec<u8>], Groups> = BTreeMap::new();
        for user in kind {
            if let Some(account) = user.account {
                known.entry(&account.groups).or_insert_with(|| groups.of(account, directory));
            }
        }
        // Of accounts in groups of both kinds, membership is asked of each by itself.
        let each: Vec<Groups> = if directory.memberships.is_empty() {
            Vec::new()
        } else {
            kind.iter().map(|user| user.account.map(|one| groups.of(one, directory)).unwrap_or_default()).collect()
        };
        for (at, user) in kind.iter().enumerate() {
            let Some(account) = user.account else { continue };
            let Some(key) = each.get(at).or_else(|| known.get(account.groups.as_slice())) else { continue };
            let part = parts.entry(key).or_insert_with(|| Part { members: Vec::new(), aliases: BTreeMap::new() });
            part.members.push(user);
            if let Some(behind) = directory.behind.get(&account.name) {
                let seen = Some(Rc::new(behind.clone()));
                found.push(Shape { base: user.number, members: vec![user.number], typed: None, seen, why: HIDDEN });
            }
            let asked_first = directory.behind.contains_key(&account.name);
            let of_directory = (!account.local || asked_first) && !spelling.is_exact();
            if of_directory && part.add(user, &own, &mut speller).is_none() {
                unknowns.insert(TOO_MANY.to_owned());
            }
        }
        for (key, part) in parts {
            part.shapes(key, &groups, directory, unknowns, &mut found);
        }
    }
    found
}

const UNDECLARED: &str = "which other forms of a name the directory takes the accounts snapshot does not say, and the name as \
                          typed decides";
const TOO_MANY: &str = "the patterns of `Match User` combine in too many ways with other spellings of names";
const PAM_NAMES: &str = "a line of PAM asks for the name as typed, and the directory takes it in other forms too";
const MISTYPED: &str = "the name is typed in another form that the directory takes";
const LOST: &str = "some of the account's groups cannot be looked up";
const HIDDEN: &str = "the directory does not answer, so that the account of `/etc/passwd` takes the place of its own";

/// Users of one kind who may lose the same.
struct Part<'a, 'b> {
    members: Vec<&'b User<'a>>,
    /// By the answers of the typed name.
    aliases: BTreeMap<Vec<bool>, (Vec<u8>, Vec<&'b User<'a>>)>,
}

impl<'a, 'b> Part<'a, 'b> {
    /// Notes the other names that the directory takes for `user`'s, where sshd tells them from its own, which answers `own`. `None` if there are
    /// too many to follow.
    fn add(&mut self, user: &'b User<'a>, own: &[bool], speller: &mut Speller<'_>) -> Option<()> {
        for form in speller.forms(&user.name) {
            for answers in speller.answers(&form)? {
                if answers == own {
                    continue;
                }
                if let Some((_, members)) = self.aliases.get_mut(&answers) {
                    if !members.last().is_some_and(|last| std::ptr::eq(*last, user)) {
                        members.push(user);
                    }
                    continue;
                }
                let name = speller.names(&form)?.into_iter().find(|name| speller.questions.of_name(name) == answers);
                self.aliases.insert(answers, (name?, vec![user]));
            }
        }
        Some(())
    }

    fn shapes(
        self,
        (_, lost): &Groups,
        groups: &GroupQuestions,
        directory: &Directory,
        unknowns: &mut BTreeSet<String>,
        found: &mut Vec<Shape>,
    ) {
        if lost.len() > MAX_LOST {
            unknowns.insert(format!(
                "an account has more than {MAX_LOST} kinds of groups of a directory that lines tell apart"
            ));
        }
        let lost: Vec<&Vec<bool>> = lost.iter().take(MAX_LOST).collect();
        let typed = self.aliases.into_values().map(|(name, members)| (Some(name), members));
        for (name, members) in std::iter::once((None, self.members)).chain(typed) {
            let Some(base) = members.first().copied() else { continue };
            let Some(account) = base.account else { continue };
            for gone in 0..1_usize << lost.len() {
                if gone == 0 && name.is_none() {
                    continue;
                }
                let is_gone = |group: &Vec<u8>| {
                    let at = lost.iter().position(|one| **one == groups.signs(group));
                    directory.may_lose(&account.name, group) && at.is_some_and(|at| gone >> at & 1 == 1)
                };
                let seen = (gone != 0).then(|| {
                    let groups = account.groups.iter().filter(|group| !is_gone(group)).cloned().collect();
                    Rc::new(pam::Account { groups, ..account.clone() })
                });
                let members = members.iter().map(|user| user.number).collect();
                found.push(Shape { base: base.number, members, typed: name.clone(), seen, why: LOST });
            }
        }
    }
}

impl Shape {
    /// `user` in this shape.
    pub(super) fn of<'a>(&self, user: &User<'a>) -> User<'a> {
        let mut guards = Vec::new();
        guards.extend(self.typed.is_some().then(|| Guard::when(GuardKind::Connection, MISTYPED)));
        guards.extend(self.seen.is_some().then(|| Guard::when(GuardKind::FailOpen, self.why)));
        let name = self.typed.clone().map_or_else(|| user.name.clone(), Cow::Owned);
        User { number: user.number, name, account: user.account, groups: user.groups, seen: self.seen.clone(), guards }
    }
}

/// What tells groups apart by their names.
struct GroupQuestions {
    globs: Vec<Vec<u8>>,
    names: BTreeSet<Vec<u8>>,
}

impl GroupQuestions {
    fn new(questions: &Questions<'_>, stacks: &[&Stacks]) -> Self {
        let names = stacks.iter().flat_map(|stacks| stacks.group_names()).map(<[u8]>::to_vec).collect();
        Self { globs: questions.group_globs(), names }
    }

    /// What a group of this name answers to each of them.
    fn signs(&self, group: &Vec<u8>) -> Vec<bool> {
        let globs = self.globs.iter().map(|glob| pattern::matches(group, glob));
        globs.chain(self.names.iter().map(|name| name == group)).collect()
    }

    fn of_account(&self, account: &pam::Account, directory: &Directory, lost: bool) -> BTreeSet<Vec<bool>> {
        let groups = account.groups.iter().filter(|group| directory.may_lose(&account.name, group) == lost);
        groups.map(|group| self.signs(group)).collect()
    }

    /// What stays of an account's groups, and what may be missing.
    fn of(&self, account: &pam::Account, directory: &Directory) -> Groups {
        (self.of_account(account, directory, false), self.of_account(account, directory, true))
    }
}

/// Finds what other spellings of a name answer to the lists of `Match User`.
struct Speller<'a> {
    questions: &'a Questions<'a>,
    spelling: &'a Spelling,
    globs: Vec<Vec<u8>>,
    /// The same in small letters.
    small: Vec<Vec<u8>>,
    /// Whether each of them is a whole name, or the beginning of one and `*`: then what spellings answer depends on nothing but
    /// which of them the name satisfies in small letters.
    plain: bool,
    /// By those: the answers.
    known: BTreeMap<Vec<usize>, Vec<Vec<bool>>>,
}

impl<'a> Speller<'a> {
    fn new(questions: &'a Questions<'a>, spelling: &'a Spelling) -> Self {
        let globs = questions.name_globs();
        let is_plain = |glob: &Vec<u8>| {
            let begins = glob.strip_suffix(b"*").unwrap_or(glob);
            begins.is_ascii() && !begins.iter().any(|byte| matches!(byte, b'*' | b'?'))
        };
        let (small, plain) = (globs.iter().map(|glob| glob.to_ascii_lowercase()).collect(), globs.iter().all(is_plain));
        Self { questions, spelling, globs, small, plain, known: BTreeMap::new() }
    }

    /// The name, and the other forms of it.
    fn forms(&self, name: &[u8]) -> Vec<Vec<u8>> {
        let forms = self.spelling.forms.iter().map(|form| filled(form, name));
        std::iter::once(name.to_vec()).chain(forms).collect()
    }

    /// The spellings of one form, one for each combination of patterns that some of them satisfy. `None` if there are too many.
    fn names(&self, form: &[u8]) -> Option<Vec<Vec<u8>>> {
        if self.spelling.any_case { names::spellings(form, &self.globs) } else { Some(vec![form.to_vec()]) }
    }

    /// What they answer, each answer once.
    fn answers(&mut self, form: &[u8]) -> Option<Vec<Vec<bool>>> {
        if !self.spelling.any_case {
            return Some(vec![self.questions.of_name(form)]);
        }
        let lower = form.to_ascii_lowercase();
        let near = self.small.iter().enumerate().filter(|(_, glob)| pattern::matches(&lower, glob));
        let near: Vec<usize> = near.map(|(at, _)| at).collect();
        if let Some(known) = self.known.get(&near) {
            return Some(known.clone());
        }
        let names = self.names(form)?;
        let answers: BTreeSet<Vec<bool>> = names.iter().map(|name| self.questions.of_name(name)).collect();
        let answers: Vec<Vec<bool>> = answers.into_iter().collect();
        if self.plain {
            self.known.insert(near, answers.clone());
        }
        Some(answers)
    }
}

/// A form with `name` in place of `%n`.
fn filled(form: &[u8], name: &[u8]) -> Vec<u8> {
    match form.windows(2).position(|two| two == b"%n") {
        Some(at) => [form.get(..at).unwrap_or_default(), name, form.get(at + 2..).unwrap_or_default()].concat(),
        None => form.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::sshd_config::Dialect;
    use crate::login::sshd::Config;
    use crate::login::tree::Texts;
    use crate::model::RootedPath;
    use crate::policy::LoginPolicy;

    #[test]
    fn forms_are_filled_and_spelt() {
        assert_eq!(filled(b"%n@example.org", b"eve"), b"eve@example.org");
        assert_eq!(filled(b"EXAMPLE\\%n", b"eve"), b"EXAMPLE\\eve");
        let config = |text: &str| {
            let path = RootedPath::new("/etc/ssh/sshd_config").unwrap();
            let tree = Texts(BTreeMap::from([(path.clone(), text.as_bytes().to_vec())]));
            Config::load(&path, &[], &[], Dialect::DEBIAN_12, &tree)
        };
        let policy = LoginPolicy::default();
        let check = |text: &str, any_case: bool, forms: &[&str], name: &str, expected: usize| {
            let config = config(text);
            let questions = Questions::of(&config, &policy);
            let forms = forms.iter().map(|form| form.as_bytes().to_vec()).collect();
            let spelling = Spelling { any_case, forms };
            let mut speller = Speller::new(&questions, &spelling);
            // What is remembered is what is found anew.
            for name in [name, name] {
                let mut found = BTreeSet::new();
                for form in speller.forms(name.as_bytes()) {
                    found.extend(speller.answers(&form).unwrap());
                    assert_eq!(speller.answers(&form), Speller::new(&questions, &spelling).answers(&form));
                }
                assert_eq!(found.len(), expected, "{text} {name} {found:?}");
            }
        };
        check("Match User eve\n", false, &[], "eve", 1);
        check("Match User eve\n", true, &[], "eve", 2);
        check("Match User eve\n", true, &[], "evelyn", 1);
        check("Match User eve*\nMatch User evelyn\n", true, &[], "evelyn", 3);
        check("Match User *yn\nMatch User E*\n", true, &[], "evelyn", 4);
        check("Match User *@example.org\n", false, &["%n@example.org"], "eve", 2);
        check("Match User X\\*\n", true, &["x\\%n"], "eve", 2);
    }
}
