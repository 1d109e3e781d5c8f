//! What PAM asks of one connection: from configuration text to the smallest sets of evidence.
//!
//! [`compile`] assembles the stack of a service once; [`Program::answers`] settles its conditions for one connection;
//! [`Program::run`] walks it. Connections with equal answers share one run, so a caller with many accounts groups them
//! by answers. What is not modelled becomes a guard of kind `Unmodelled`: it can only ever make a verdict `unknown`.

pub mod access;
pub mod condition;
pub mod dispatch;
pub mod files;
pub mod glob;
pub mod instance;
pub mod listfile;
pub mod modules;
mod setcred;
pub mod stack;
pub mod succeed_if;
mod symbolic;

use std::collections::BTreeSet;
use std::net::IpAddr;

pub use condition::{Account, Answer, Condition, Connection, Remote};
pub use files::{Files, Seen};

use crate::knowledge::pam_models::PamModels;
use crate::login::factor::{Evidence, Guard, GuardKind, Ways};
use crate::model::RootedPath;
use condition::Test;
use instance::{Alternative, Binder};
use stack::{Handler, HandlerKind};

/// Which of the four management groups of pam.conf(5) is run; sshd decides a login by the first two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// `auth`: `pam_authenticate`.
    Auth,
    /// `account`: `pam_acct_mgmt`.
    Account,
    /// `password`: `pam_chauthtok`. Assembled for its modules' sake, not run.
    Password,
    /// `session`: `pam_open_session`. Assembled for its modules' sake, not run.
    Session,
}

/// How the server answers a module's prompts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Method `password`: one string, given in advance, answers every prompt without echo; a prompt with echo fails
    /// (auth-pam.c, `sshpam_passwd_conv`).
    PasswordBlind,
    /// Method `keyboard-interactive`: the client sees and answers every prompt.
    KeyboardInteractive,
    /// After a method that is not PAM's: no prompt is answered.
    AccountOnly,
}

/// Something in the stack that libpam or we could not make sense of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub path: RootedPath,
    /// Counted from 1; 0 for the file as a whole.
    pub line: u32,
    /// One sentence.
    pub text: String,
    /// Whether the outcome cannot be told because of it. Otherwise libpam's own behaviour is known and followed.
    pub undecidable: bool,
}

/// A stack ready to be run.
#[derive(Clone, Debug)]
pub struct Program {
    /// What the outcome depends on besides the stack itself; the index is the condition's number.
    pub conditions: Vec<Condition>,
    /// What was odd.
    pub problems: Vec<Problem>,
    /// Why libpam refuses the configuration as a whole; nobody logs in through PAM then.
    pub refused: Option<String>,
    /// Text files that were asked for and nobody has looked at: the observer reads them and compiles again.
    pub unasked: BTreeSet<RootedPath>,
    /// The same of files that hold secrets beside what is asked of them.
    pub unasked_secret: BTreeSet<RootedPath>,
    /// Files that the stack was read from.
    pub read: BTreeSet<RootedPath>,
    handlers: Vec<Handler>,
    alternatives: Vec<Vec<Alternative>>,
}

/// Assembles the stack of `service` for `group` from the configuration in `files`, with the built-in models.
#[must_use]
pub fn compile(service: &[u8], group: Group, files: &dyn Files) -> Program {
    compile_with(service, group, files, PamModels::builtin())
}

/// The same with other models.
#[must_use]
pub fn compile_with(service: &[u8], group: Group, files: &dyn Files, models: &PamModels) -> Program {
    let mut stack = stack::assemble(service, group, files);
    let mut binder = Binder {
        models,
        files,
        group,
        conditions: Vec::new(),
        problems: Vec::new(),
        unasked: BTreeSet::new(),
        unasked_secret: BTreeSet::new(),
    };
    let alternatives = stack.handlers.iter().map(|handler| binder.bind(handler)).collect();
    stack.problems.append(&mut binder.problems);
    stack.unasked.extend(binder.unasked);
    Program {
        conditions: binder.conditions,
        problems: stack.problems,
        refused: stack.refused,
        unasked: stack.unasked,
        unasked_secret: binder.unasked_secret,
        read: stack.read,
        handlers: stack.handlers,
        alternatives,
    }
}

impl Program {
    /// What `connection` answers to each of the conditions.
    #[must_use]
    pub fn answers(&self, connection: &Connection<'_>, files: &dyn Files) -> Vec<Answer> {
        self.conditions.iter().map(|condition| condition.answer(connection, files)).collect()
    }

    /// Every minimal way to success. A way with a guard of kind `Unmodelled` may not exist: no proof may rest on it, and
    /// no refutation.
    #[must_use]
    pub fn run(&self, mode: Mode, answers: &[Answer]) -> Ways {
        if let Some(problem) = self.problems.iter().find(|problem| problem.undecidable) {
            let place = match problem.line {
                0 => problem.path.to_string(),
                line => format!("{}:{line}", problem.path),
            };
            let clause = format!("{place}: {}", problem.text);
            let guards = [Guard::when(GuardKind::Unmodelled, &clause)].into();
            return Ways::one(Evidence { guards, ..Evidence::default() });
        }
        if self.refused.is_some() {
            return Ways::none();
        }
        symbolic::Walk::new(&self.handlers, &self.alternatives, &self.conditions, answers, mode).run()
    }

    /// Whether `pam_setcred` succeeds where nothing was authenticated in the same process. Meant for the stack of `auth`.
    #[must_use]
    pub fn grants_credentials(&self) -> bool {
        setcred::succeeds(&self.handlers, &self.alternatives)
    }

    /// The modules that the stack calls, as written.
    pub fn modules(&self) -> impl Iterator<Item = &[u8]> {
        self.handlers.iter().filter_map(|handler| match &handler.kind {
            HandlerKind::Module { module, .. } => Some(module.as_slice()),
            HandlerKind::MustFail | HandlerKind::Substack => None,
        })
    }

    /// First and last address of every network that the stack tells apart: classes of connections must not straddle
    /// their borders, or the answer stays open.
    #[must_use]
    pub fn networks(&self) -> Vec<(IpAddr, IpAddr)> {
        let mut networks = Vec::new();
        for condition in &self.conditions {
            match &condition.test {
                Test::Access(table) => networks.extend(table.networks()),
                Test::SucceedIf(comparisons) => networks.extend(comparisons.addresses().map(|one| (one, one))),
                _ => {}
            }
        }
        networks
    }

    /// The files whose existence decides whether `account` is enrolled.
    #[must_use]
    pub fn enrolment_files(&self, account: &Account) -> Vec<RootedPath> {
        self.conditions
            .iter()
            .filter_map(|condition| match &condition.test {
                Test::EnrolmentFile(templates) => Some(condition::enrolment_paths(templates, account)),
                _ => None,
            })
            .flatten()
            .collect()
    }
}
