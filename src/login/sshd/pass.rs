//! One pass of sshd over its configuration.
//!
//! sshd reads its configuration twice (comment before `match_cfg_line_group`, servconf.c): when it starts, global lines
//! count and Match blocks are only checked; when a client has named its user, only lines of matching blocks count. This
//! is that reader, once, with a function that says which blocks match.

use std::collections::BTreeMap;

use super::config::{Config, Origin, Problem};
use crate::formats::sshd_config::keyword::Kind;
use crate::formats::sshd_config::other::Other;
use crate::formats::sshd_config::{Body, Criteria, Keyword, Scope};

/// A value: its words, each with the line it comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setting {
    /// The words, as sshd keeps them.
    pub words: Vec<Vec<u8>>,
    /// For accumulating keywords one for each word, otherwise exactly one.
    pub origins: Vec<Origin>,
}

/// Values by keyword.
pub type Settings = BTreeMap<&'static str, Setting>;

/// Which blocks match: a block by its line, and its criteria.
pub type Decide<'a> = dyn Fn(Origin, &Criteria) -> bool + 'a;

/// What a pass found.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The values it set.
    pub settings: Settings,
    /// Why sshd gives up; empty if it does not. In order of appearance, none after the first fatal one.
    pub refusals: Vec<Problem>,
    /// The Match lines whose condition was asked for and held, in order.
    pub entered: Vec<Origin>,
}

/// The pass at start: global lines, and `Match all`.
#[must_use]
pub fn first(config: &Config) -> Outcome {
    let mut pass = Pass { config, decide: None, outcome: Outcome::default(), steps: 0, stop: false };
    for (index, line) in config.options.iter().enumerate() {
        let origin = Origin::Option(index);
        match &line.body {
            Body::Setting { keyword, words, .. } => pass.set(keyword, words, origin, true),
            Body::Fault(fault) => pass.refuse(config.problem(origin, Some(fault.column), fault.message.as_str()), true),
            Body::Match(_) | Body::Include(_) => {
                let problem = config.problem(origin, None, "not supported as a command-line option");
                pass.refuse(problem, true);
            }
        }
    }
    if !config.ports.is_empty() {
        let words: Vec<Vec<u8>> = config.ports.iter().map(|port| port.to_string().into_bytes()).collect();
        let origins = vec![Origin::Default; words.len()];
        pass.outcome.settings.insert("port", Setting { words, origins });
    }
    pass.file(0, Inherited::default(), &mut true, 0);
    pass.outcome
}

/// The pass for a connection: lines of blocks that `decide` says match.
#[must_use]
pub fn second(config: &Config, decide: &Decide<'_>) -> Outcome {
    let mut pass = Pass { config, decide: Some(decide), outcome: Outcome::default(), steps: 0, stop: false };
    pass.file(0, Inherited { match_only: true, never: false }, &mut false, 0);
    pass.outcome
}

/// What a file inherits from the place it is included at.
#[derive(Clone, Copy, Debug, Default)]
struct Inherited {
    /// No Match line was seen yet in the second pass, so nothing is active but blocks may become so
    /// (`SSHCFG_MATCH_ONLY`).
    match_only: bool,
    /// It is included inside a block that does not match: nothing in it can (`SSHCFG_NEVERMATCH`).
    never: bool,
}

struct Pass<'a> {
    config: &'a Config,
    decide: Option<&'a Decide<'a>>,
    outcome: Outcome,
    steps: usize,
    stop: bool,
}

impl Pass<'_> {
    fn refuse(&mut self, problem: Problem, fatal: bool) {
        self.outcome.refusals.push(problem);
        self.stop |= fatal;
    }

    fn file(&mut self, file: usize, mut inherited: Inherited, active: &mut bool, depth: usize) {
        let config = self.config;
        let Some(source) = config.files.get(file) else { return };
        if depth > MAX_DEPTH {
            let problem = config.problem(Origin::Line { file, line: 0 }, None, "too many recursive Includes");
            return self.refuse(problem, true);
        }
        for (index, line) in source.lines.iter().enumerate() {
            if self.stop {
                return;
            }
            let origin = Origin::Line { file, line: index };
            self.steps += 1;
            if self.steps > MAX_STEPS {
                let message = format!("more than {MAX_STEPS} lines are read");
                let problem = Problem { refused: false, ..config.problem(origin, None, message) };
                return self.refuse(problem, true);
            }
            match &line.body {
                Body::Fault(fault) => {
                    if self.decide.is_none() {
                        self.refuse(config.problem(origin, Some(fault.column), fault.message.as_str()), false);
                    }
                }
                Body::Setting { keyword, scope, words } => {
                    if !*active && *scope == Scope::Global {
                        if self.decide.is_none() {
                            let message = format!("`{}` is not allowed within a Match block", keyword.name);
                            self.refuse(config.problem(origin, None, message), true);
                        }
                        continue;
                    }
                    self.set(keyword, words, origin, *active);
                }
                Body::Include(_) => {
                    let before = *active;
                    let child = Inherited { match_only: inherited.match_only, never: !inherited.match_only && !before };
                    for target in source.includes.get(&index).into_iter().flatten() {
                        self.file(*target, child, active, depth + 1);
                        *active = before;
                    }
                }
                Body::Match(criteria) => {
                    *active = !inherited.never
                        && match self.decide {
                            None => criteria.without_connection(),
                            Some(decide) => decide(origin, criteria),
                        };
                    if *active && self.decide.is_some() {
                        self.outcome.entered.push(origin);
                    }
                    inherited.match_only = false;
                }
            }
        }
    }

    fn set(&mut self, keyword: &'static Keyword, words: &[Vec<u8>], origin: Origin, active: bool) {
        if keyword.kind == Kind::Methods {
            return self.set_methods(words, origin, active);
        }
        // Since 10.4 the command is asked for in any block.
        let subsystem = keyword.kind == Kind::Other(Other::Subsystem);
        if subsystem && self.config.dialect.at_least(10, 4) && words.get(1).is_none_or(Vec::is_empty) {
            return self.refuse(self.config.problem(origin, None, "the subsystem's command is missing"), true);
        }
        if !active || keyword.kind == Kind::Ignored {
            return;
        }
        if subsystem {
            return self.set_subsystem(words, origin);
        }
        let settings = &mut self.outcome.settings;
        match keyword.kind {
            Kind::Port if !self.config.ports.is_empty() => {}
            Kind::Port if settings.get(keyword.name).is_some_and(|ports| ports.words.len() >= MAX_PORTS) => {
                self.refuse(self.config.problem(origin, None, "too many ports"), true);
            }
            Kind::Users | Kind::Groups | Kind::Environment | Kind::Port | Kind::Listen | Kind::HostKey => {
                if words.is_empty() {
                    return;
                }
                let setting =
                    settings.entry(keyword.name).or_insert_with(|| Setting { words: Vec::new(), origins: Vec::new() });
                setting.words.extend(words.iter().cloned());
                setting.origins.extend(words.iter().map(|_| origin));
            }
            // `none` is assigned without asking whether a line came before.
            Kind::TimeOrNone if words.iter().any(|word| word == b"none") => {
                settings.insert(keyword.name, Setting { words: words.to_vec(), origins: vec![origin] });
            }
            // From 8.7 to 9.3 both commands asked whether AuthorizedKeysCommand was set (bugzilla 3574).
            Kind::Command if self.config.dialect.at_least(8, 7) && !self.config.dialect.at_least(9, 4) => {
                if !settings.contains_key("authorizedkeyscommand") {
                    settings.insert(keyword.name, Setting { words: words.to_vec(), origins: vec![origin] });
                }
            }
            Kind::Files | Kind::SetEnvironment if words.is_empty() => {}
            _ => {
                settings
                    .entry(keyword.name)
                    .or_insert_with(|| Setting { words: words.to_vec(), origins: vec![origin] });
            }
        }
    }

    /// `Subsystem`: up to 9.4 a second one of the same name is an error, since 9.5 the first one wins. None of them says who
    /// may log in, so their names are all that is kept.
    fn set_subsystem(&mut self, words: &[Vec<u8>], origin: Origin) {
        let known = self.outcome.settings.get("subsystem");
        let [name, command, ..] = words else {
            return self.refuse(self.config.problem(origin, None, "the subsystem's command is missing"), true);
        };
        let twice = known.is_some_and(|setting| setting.words.contains(name));
        if !self.config.dialect.at_least(9, 5) {
            if known.is_some_and(|setting| setting.words.len() >= MAX_SUBSYSTEMS) {
                return self.refuse(self.config.problem(origin, None, "too many subsystems defined"), true);
            }
            if twice {
                return self.refuse(self.config.problem(origin, None, "the subsystem is already defined"), true);
            }
        }
        if twice {
            return;
        }
        if command.is_empty() {
            return self.refuse(self.config.problem(origin, None, "the subsystem's command is missing"), true);
        }
        let setting = self
            .outcome
            .settings
            .entry("subsystem")
            .or_insert_with(|| Setting { words: Vec::new(), origins: Vec::new() });
        setting.words.push(name.clone());
        setting.origins.push(origin);
    }

    /// `AuthenticationMethods`: the first line wins; `any` must be alone. Before 9.8 "alone" looked at what had been kept
    /// so far, even of another line and inside a block that does not match.
    fn set_methods(&mut self, words: &[Vec<u8>], origin: Origin, active: bool) {
        let strict = self.config.dialect.at_least(9, 8);
        let kept = self.outcome.settings.get("authenticationmethods").map_or(0, |setting| setting.words.len());
        // Before 8.7 a line behind one that counted was not looked at.
        if kept > 0 && !self.config.dialect.at_least(8, 7) {
            return;
        }
        let keep = kept == 0 && active;
        let mut any = false;
        for (index, word) in words.iter().enumerate() {
            let before = if strict { index } else { kept + if keep { index } else { 0 } };
            let alone = if word == b"any" { before == 0 } else { !any };
            any |= word == b"any";
            if !alone {
                let message = "`any` must appear alone in AuthenticationMethods";
                return self.refuse(self.config.problem(origin, None, message), true);
            }
        }
        if keep {
            let setting = Setting { words: words.to_vec(), origins: vec![origin] };
            self.outcome.settings.insert("authenticationmethods", setting);
        }
    }
}

/// `MAX_SUBSYSTEMS`.
const MAX_SUBSYSTEMS: usize = 256;

/// `MAX_PORTS`.
const MAX_PORTS: usize = 256;

/// `SERVCONF_MAX_DEPTH`.
const MAX_DEPTH: usize = 16;

/// Most lines read in one pass, included files counted each time.
const MAX_STEPS: usize = 200_000;
