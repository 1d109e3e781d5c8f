//! Accounts that neither sshd's configuration nor PAM can tell apart: one of each kind is enough to look at.
//!
//! Fifty thousand accounts are some dozen kinds. What tells them apart is gathered from the text: Match lines about users
//! and groups, patterns of AllowUsers and its like, regions of the policy, conditions of the PAM stacks, whether its own keys may certify others,
//! and uid 0.

use std::collections::{BTreeMap, BTreeSet};

use super::authority;
use super::explore::User;
use super::methods::Stacks;
use super::pam::{Answer, Files, Remote};
use super::sshd::Config;
use crate::formats::sshd_config::{Body, Criterion, pattern, value};
use crate::policy::LoginPolicy;

/// What a configuration asks of an account.
pub struct Questions<'a> {
    users: Vec<&'a [u8]>,
    groups: Vec<&'a [u8]>,
    /// Patterns of which one word each is matched.
    names: Vec<&'a [u8]>,
    group_names: Vec<&'a [u8]>,
    /// Where authorized keys are looked for, if a list asks for more than one.
    key_files: Vec<&'a [u8]>,
    /// What policy says of some and not of others.
    policy: &'a LoginPolicy,
}

impl<'a> Questions<'a> {
    /// Those of every line, whether it counts or not.
    #[must_use]
    pub fn of(config: &'a Config, policy: &'a LoginPolicy) -> Self {
        let mut questions = Self {
            users: Vec::new(),
            groups: Vec::new(),
            names: Vec::new(),
            group_names: Vec::new(),
            key_files: authority::key_files(config),
            policy,
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

    /// All of them but the policy's.
    #[must_use]
    pub fn patterns(&self) -> Vec<Vec<Vec<u8>>> {
        let lists = [&self.users, &self.groups, &self.names, &self.group_names, &self.key_files];
        lists.map(|list| list.iter().map(|pattern| pattern.to_vec()).collect()).to_vec()
    }

    /// Whether a Match line asks for the name as typed, and not for any.
    #[must_use]
    pub fn tells_names(&self) -> bool {
        !self.name_globs().is_empty()
    }

    /// Every pattern of `Match User` that not all names match.
    #[must_use]
    pub fn name_globs(&self) -> Vec<Vec<u8>> {
        globs(&self.users)
    }

    /// Every pattern of groups.
    #[must_use]
    pub fn group_globs(&self) -> Vec<Vec<u8>> {
        globs(&self.groups).into_iter().chain(self.group_names.iter().map(|glob| glob.to_vec())).collect()
    }

    /// What a typed name answers to each `Match User`.
    #[must_use]
    pub fn of_name(&self, name: &[u8]) -> Vec<bool> {
        self.users.iter().map(|list| pattern::list(name, list) == pattern::Answer::Yes).collect()
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
        let mut known: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        // Most accounts share their groups with others.
        let mut groups = GroupAnswers { questions: self, known: BTreeMap::new() };
        let mut answers = Vec::new();
        for user in users {
            answers.clear();
            self.answers(user, stacks, remotes, files, &mut groups, &mut answers);
            let at = known.get(&answers).copied().unwrap_or_else(|| {
                known.insert(answers.clone(), kinds.len());
                kinds.push(Vec::new());
                kinds.len() - 1
            });
            if let Some(kind) = kinds.get_mut(at) {
                kind.push(user);
            }
        }
        kinds
    }

    /// What a user answers to all of it, a byte an answer: as many for each.
    fn answers<'u>(
        &self,
        user: &'u User<'_>,
        stacks: &[&Stacks],
        remotes: &[Remote],
        files: &dyn Files,
        known_groups: &mut GroupAnswers<'_, '_, 'u>,
        answers: &mut Vec<u8>,
    ) {
        let groups = user.account.filter(|_| user.groups).map_or(&[][..], |account| account.groups.as_slice());
        let is_yes = |answer| answer == pattern::Answer::Yes;
        answers.push(user.account.is_some().into());
        answers.push((!groups.is_empty()).into());
        answers.push(user.account.is_some_and(|account| account.uid == 0).into());
        answers.extend(self.users.iter().map(|list| u8::from(is_yes(pattern::list(&user.name, list)))));
        answers.extend(self.names.iter().map(|glob| u8::from(pattern::matches(&user.name, glob))));
        answers.extend(known_groups.of(groups));
        let listed = user.account.map_or(&[][..], |account| account.groups.as_slice());
        answers.extend(self.policy.regions().map(|region| u8::from(region.names(&user.name, listed))));
        for stacks in stacks {
            answers.extend(stacks.answers(user.account, remotes, files).map(byte));
        }
        let trusted = |template: &&[u8]| authority::is_trusted(std::iter::once(*template), user.account, files);
        answers.extend(self.key_files.iter().map(trusted).map(byte));
    }
}

/// The patterns of lists, each once, but for those that match everything.
fn globs(lists: &[&[u8]]) -> Vec<Vec<u8>> {
    let items = lists.iter().flat_map(|list| pattern::items(list).0);
    let telling = items.map(|item| item.pattern).filter(|glob| glob.iter().any(|byte| *byte != b'*'));
    telling.collect::<BTreeSet<_>>().into_iter().collect()
}

const fn byte(answer: Answer) -> u8 {
    match answer {
        Answer::Yes => b'y',
        Answer::No => b'n',
        Answer::Open => b'o',
        Answer::Unknown => b'u',
    }
}

/// What sets of groups answer, each set asked once.
struct GroupAnswers<'q, 'a, 'u> {
    questions: &'q Questions<'a>,
    known: BTreeMap<&'u [Vec<u8>], Vec<u8>>,
}

impl<'u> GroupAnswers<'_, '_, 'u> {
    fn of(&mut self, groups: &'u [Vec<u8>]) -> &[u8] {
        let questions = self.questions;
        self.known.entry(groups).or_insert_with(|| {
            let in_groups = questions.groups.iter().map(|list| pattern::groups(groups.iter().map(Vec::as_slice), list));
            let named =
                questions.group_names.iter().map(|glob| groups.iter().any(|group| pattern::matches(group, glob)));
            in_groups.chain(named).map(u8::from).collect()
        })
    }
}
