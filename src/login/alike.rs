//! Accounts that neither sshd's configuration nor PAM can tell apart: one of each kind is enough to look at.
//!
//! Fifty thousand accounts are some dozen kinds. What tells them apart is gathered from the text: Match lines about users
//! and groups, patterns of AllowUsers and its like, conditions of the PAM stacks, and uid 0.

use std::collections::BTreeMap;

use super::authority;
use super::explore::User;
use super::methods::Stacks;
use super::pam::{Answer, Files, Remote};
use super::sshd::Config;
use crate::formats::sshd_config::{Body, Criterion, pattern, value};

/// What a configuration asks of an account.
pub struct Questions<'a> {
    users: Vec<&'a [u8]>,
    groups: Vec<&'a [u8]>,
    /// Patterns of which one word each is matched.
    names: Vec<&'a [u8]>,
    group_names: Vec<&'a [u8]>,
    /// Where authorized keys are looked for, if a list asks for more than one.
    key_files: Vec<&'a [u8]>,
}

/// What an account answers to all of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Answers {
    listed: bool,
    groups: bool,
    superuser: bool,
    matches: Vec<bool>,
    pam: Vec<Answer>,
    authorities: Vec<Answer>,
}

impl<'a> Questions<'a> {
    /// Those of every line, whether it counts or not.
    #[must_use]
    pub fn of(config: &'a Config) -> Self {
        let mut questions = Self {
            users: Vec::new(),
            groups: Vec::new(),
            names: Vec::new(),
            group_names: Vec::new(),
            key_files: authority::key_files(config),
        };
        for line in config.files.iter().flat_map(|file| &file.lines).chain(&config.options) {
            match &line.body {
                Body::Match(criteria) => {
                    for criterion in &criteria.0 {
                        match criterion {
                            Criterion::User(list) => questions.users.push(list),
                            Criterion::Group(list) => questions.groups.push(list),
                            _ => {}
                        }
                    }
                }
                Body::Setting { keyword, words, .. } => match keyword.name {
                    "allowusers" | "denyusers" => {
                        questions.names.extend(words.iter().map(|word| value::user_and_hosts(word, config.dialect).0));
                    }
                    "allowgroups" | "denygroups" => questions.group_names.extend(words.iter().map(Vec::as_slice)),
                    _ => {}
                },
                Body::Include(_) | Body::Fault(_) => {}
            }
        }
        questions
    }

    /// The users by kind, each kind in their order, kinds in the order of their first.
    #[must_use]
    pub fn sort<'b>(
        &self,
        users: &'b [User<'a>],
        stacks: &[&Stacks],
        remotes: &[Remote],
        files: &dyn Files,
    ) -> Vec<Vec<&'b User<'a>>> {
        let mut kinds: Vec<Vec<&User<'a>>> = Vec::new();
        let mut known: BTreeMap<Answers, usize> = BTreeMap::new();
        for user in users {
            let at = *known.entry(self.answers(user, stacks, remotes, files)).or_insert(kinds.len());
            match kinds.get_mut(at) {
                Some(kind) => kind.push(user),
                None => kinds.push(vec![user]),
            }
        }
        kinds
    }

    fn answers(&self, user: &User<'_>, stacks: &[&Stacks], remotes: &[Remote], files: &dyn Files) -> Answers {
        let groups = user.account.filter(|_| user.groups).map_or(&[][..], |account| account.groups.as_slice());
        let is_yes = |answer| answer == pattern::Answer::Yes;
        let users = self.users.iter().map(|list| is_yes(pattern::list(&user.name, list)));
        let in_groups = self.groups.iter().map(|list| pattern::groups(groups.iter().map(Vec::as_slice), list));
        let names = self.names.iter().map(|glob| pattern::matches(&user.name, glob));
        let named = self.group_names.iter().map(|glob| groups.iter().any(|group| pattern::matches(group, glob)));
        Answers {
            listed: user.account.is_some(),
            groups: !groups.is_empty(),
            superuser: user.account.is_some_and(|account| account.uid == 0),
            matches: users.chain(in_groups).chain(names).chain(named).collect(),
            pam: stacks.iter().flat_map(|stacks| stacks.answers(user.account, remotes, files)).collect(),
            authorities: self
                .key_files
                .iter()
                .map(|template| authority::is_trusted(std::iter::once(*template), user.account, files))
                .collect(),
        }
    }
}
