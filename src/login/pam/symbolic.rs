//! Walks a stack along every branch at once and keeps the smallest sets of evidence that lead to success.
//!
//! Breadth first over the dispatcher's state and what lies in `PAM_AUTHTOK`; jumps lead forward only, so each state is
//! settled when it is taken. The client chooses what it types; conditions that no answer settles become guards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::formats::pam::{Action, ReturnCode};
use crate::knowledge::pam_models::Asks;
use crate::login::factor::{Atom, Evidence, Guard, GuardKind, Kind, Step, Ways};

use super::Mode;
use super::condition::{Answer, Condition};
use super::dispatch::{Impression, State};
use super::instance::Alternative;
use super::stack::{Handler, HandlerKind};

/// States kept at once; more end in doubt.
const MAX_STATES: usize = 50_000;

/// What the client has typed, or types everywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Typed {
    /// The account's password.
    Password,
    /// This one-time code.
    Code(Arc<str>),
    /// The password with this one-time code behind it.
    PasswordAndCode(Arc<str>),
    /// Something else.
    Garbage,
}

/// One place in the walk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Node {
    state: State,
    authtok: Option<Typed>,
    /// A module that is not modelled has run. Such ways are kept apart from the others, which would otherwise stand for
    /// them, and carry no evidence.
    discredited: bool,
}

/// A stack with what its handlers may answer.
pub(super) struct Walk<'a> {
    handlers: &'a [Handler],
    alternatives: &'a [Vec<Alternative>],
    conditions: &'a [Condition],
    answers: &'a [Answer],
    mode: Mode,
    /// What it may make sense to type.
    strings: Vec<Typed>,
    /// Those that make a difference in `PAM_AUTHTOK`, because a module may take them from there.
    left_behind: BTreeSet<Typed>,
    /// The place after the last handler that may reset its level; 0 if none does.
    last_reset: usize,
}

impl<'a> Walk<'a> {
    /// A walk over `handlers`, whose alternatives stand under the same index.
    pub fn new(
        handlers: &'a [Handler],
        alternatives: &'a [Vec<Alternative>],
        conditions: &'a [Condition],
        answers: &'a [Answer],
        mode: Mode,
    ) -> Self {
        let mut strings = BTreeSet::from([Typed::Password, Typed::Garbage]);
        let mut left_behind = strings.clone();
        for alternative in alternatives.iter().flatten() {
            let Some(atom) = alternative.shows.as_ref().filter(|atom| atom.kind != Kind::Knowledge) else { continue };
            let code = Typed::Code(atom.identity.clone());
            let behind = Typed::PasswordAndCode(atom.identity.clone());
            match alternative.asks {
                Asks::AuthtokCodeAtEnd => left_behind.extend([code.clone(), behind.clone()]),
                Asks::Authtok | Asks::AuthtokOnly => left_behind.extend([code.clone()]),
                Asks::Nothing | Asks::Hidden | Asks::Visible | Asks::CodeAtEnd => {}
            }
            strings.extend([code, behind]);
        }
        let resets = handlers.iter().rposition(|handler| handler.actions.may_reset());
        let last_reset = resets.map_or(0, |at| at.saturating_add(1));
        let strings = strings.into_iter().collect();
        Self { handlers, alternatives, conditions, answers, mode, strings, left_behind, last_reset }
    }

    /// Every minimal way to success.
    pub fn run(&self) -> Ways {
        match self.mode {
            Mode::KeyboardInteractive | Mode::AccountOnly => self.from(None),
            // One string, chosen before the first prompt.
            Mode::PasswordBlind => {
                self.strings.iter().map(|typed| self.from(Some(typed))).fold(Ways::none(), Ways::union)
            }
        }
    }

    fn from(&self, blind: Option<&Typed>) -> Ways {
        let start = Node { state: State::start().settle(self.handlers), authtok: None, discredited: false };
        let mut open = BTreeMap::from([(start, Ways::free())]);
        let mut success = Ways::none();
        while let Some((node, ways)) = open.pop_first() {
            let Some(handler) = self.handlers.get(node.state.next) else {
                if node.state.result() == ReturnCode::SUCCESS {
                    success = success.union(ways);
                }
                continue;
            };
            if open.len() > MAX_STATES {
                return Ways::one(Evidence {
                    guards: [Guard::when(GuardKind::Unmodelled, "the PAM stack branches too often to be followed")]
                        .into(),
                    ..Evidence::default()
                });
            }
            if handler.kind == HandlerKind::MustFail {
                let code = ReturnCode::PERM_DENIED;
                self.advance(&mut open, &node, &node.clone(), code, &ways, None);
                continue;
            }
            for alternative in self.alternatives.get(node.state.next).into_iter().flatten() {
                let Some(guards) = self.guards(alternative) else { continue };
                let guarded = guards.iter().fold(ways.clone(), |ways, guard| ways.guarded(guard));
                if guarded.is_empty() {
                    continue;
                }
                let discredited = node.discredited || alternative.discredits;
                // A module that is not modelled may have answered every prompt of those after it.
                let left = if discredited {
                    vec![node.authtok.clone()]
                } else {
                    self.conversations(alternative, blind, node.authtok.as_ref())
                };
                for authtok in left {
                    let after = Node { authtok, discredited, ..node.clone() };
                    for code in &alternative.codes {
                        self.advance(&mut open, &node, &after, *code, &guarded, alternative.shows.as_ref());
                    }
                }
            }
        }
        success
    }

    /// The guards that an alternative stands under; `None` if a settled condition rules it out.
    fn guards(&self, alternative: &Alternative) -> Option<Vec<Guard>> {
        let mut guards = Vec::new();
        for (number, wanted) in &alternative.when {
            let condition = self.conditions.get(*number)?;
            let kind = match self.answers.get(*number).copied().unwrap_or(Answer::Unknown) {
                Answer::Yes if *wanted => continue,
                Answer::No if !*wanted => continue,
                Answer::Yes | Answer::No => return None,
                Answer::Open => condition.kind,
                Answer::Unknown => GuardKind::Unmodelled,
            };
            guards.push(Guard { kind, condition: condition.clause.clone(), holds: *wanted });
        }
        Some(guards)
    }

    /// What may lie in `PAM_AUTHTOK` after the module got, or did not get, what the alternative takes. Empty: the
    /// alternative cannot happen.
    fn conversations(
        &self,
        alternative: &Alternative,
        blind: Option<&Typed>,
        before: Option<&Typed>,
    ) -> Vec<Option<Typed>> {
        let kept = before.cloned();
        let shows = alternative.shows.as_ref();
        // What the client may type at a prompt without echo.
        let typed: Vec<Typed> = match (self.mode, blind) {
            (Mode::AccountOnly, _) => Vec::new(),
            (_, Some(string)) => vec![string.clone()],
            (_, None) => self.strings.clone(),
        };
        let fits = |typed: &Typed| shows.is_none_or(|atom| is(typed, atom));
        let code_behind = |typed: &Typed| shows.is_none_or(|atom| ends_in(typed, atom));
        match alternative.asks {
            Asks::Nothing => vec![kept],
            // A module that cannot prompt fails, so evidence is never shown; a failure may still be answered.
            Asks::Visible if self.mode == Mode::KeyboardInteractive || shows.is_none() => vec![kept],
            Asks::Visible => Vec::new(),
            Asks::Hidden if shows.is_none() || typed.iter().any(fits) => vec![kept],
            Asks::Hidden => Vec::new(),
            Asks::AuthtokOnly => match before {
                Some(before) if fits(before) => vec![kept],
                None if shows.is_none() => vec![kept],
                _ => Vec::new(),
            },
            Asks::Authtok => match before {
                Some(before) if fits(before) => vec![kept],
                Some(_) => Vec::new(),
                None if typed.is_empty() && shows.is_none() => vec![None],
                None => typed
                    .into_iter()
                    .filter(fits)
                    .filter(|typed| blind.is_some() || self.left_behind.contains(typed))
                    .map(Some)
                    .collect(),
            },
            Asks::CodeAtEnd if typed.is_empty() && shows.is_none() => vec![kept],
            Asks::CodeAtEnd => {
                typed.iter().filter(|typed| code_behind(typed)).map(|typed| Some(rest_of(typed))).collect()
            }
            Asks::AuthtokCodeAtEnd => match before {
                Some(before) if code_behind(before) => vec![Some(rest_of(before))],
                None if shows.is_none() => vec![kept],
                _ => Vec::new(),
            },
        }
    }

    /// From `node`, whose handler returns `code`, with what else `after` says of the place reached.
    fn advance(
        &self,
        open: &mut BTreeMap<Node, Ways>,
        node: &Node,
        after: &Node,
        code: ReturnCode,
        ways: &Ways,
        shows: Option<&Atom>,
    ) {
        let Some(handler) = self.handlers.get(node.state.next) else { return };
        let state = node.state.step(self.handlers, code).settle(self.handlers);
        // What has failed stays failed unless a handler resets its level.
        if state.impression == Impression::Negative && state.next >= self.last_reset {
            return;
        }
        let shows = shows.filter(|_| !after.discredited);
        let step = Arc::new(describe(handler, code, shows));
        let slot = open.entry(Node { state, ..after.clone() }).or_default();
        for way in ways.iter() {
            let mut way = way.clone();
            if after.discredited {
                way.atoms.clear();
            }
            way.atoms.extend(shows.cloned());
            way.trace.push(step.clone());
            slot.insert(way);
        }
    }
}

/// Whether `typed` is exactly the secret that `atom` stands for. An opaque server may ask for any of them.
fn is(typed: &Typed, atom: &Atom) -> bool {
    match (atom.kind, typed) {
        (Kind::Knowledge, Typed::Password) => true,
        (Kind::Opaque, typed) => *typed != Typed::Garbage,
        (_, Typed::Code(code)) => *code == atom.identity,
        _ => false,
    }
}

/// Whether `typed` ends in the code that `atom` stands for.
fn ends_in(typed: &Typed, atom: &Atom) -> bool {
    match typed {
        Typed::Code(code) | Typed::PasswordAndCode(code) => *code == atom.identity,
        Typed::Password | Typed::Garbage => false,
    }
}

/// What is left when a code has been taken off the end.
fn rest_of(typed: &Typed) -> Typed {
    match typed {
        Typed::PasswordAndCode(_) => Typed::Password,
        _ => Typed::Garbage,
    }
}

fn describe(handler: &Handler, code: ReturnCode, shows: Option<&Atom>) -> Step {
    let effect = match handler.actions.on(code) {
        Action::Ignore => "ignored".to_owned(),
        Action::Ok => "counts".to_owned(),
        Action::Done => "counts and ends this level".to_owned(),
        Action::Bad => "fails the stack".to_owned(),
        Action::Die => "fails the stack and ends this level".to_owned(),
        Action::Reset => "resets this level".to_owned(),
        Action::Jump(count) => format!("jumps over {count}"),
    };
    let what = match shows {
        Some(atom) => format!("{} with {atom}: {effect}", code.name()),
        None => format!("{}: {effect}", code.name()),
    };
    Step {
        path: handler.place.path.clone(),
        line: handler.place.line,
        text: handler.place.text.clone(),
        what: what.into(),
    }
}
