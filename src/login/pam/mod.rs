//! What PAM asks of one connection: from configuration text to the smallest sets of evidence.
//!
//! [`compile`] assembles the stack of a service once; [`Program::answers`] settles its conditions for one connection;
//! [`Program::run`] walks it. Connections with equal answers share one run, so a caller with many accounts groups them
//! by answers. What is not modelled becomes a guard of kind `Unmodelled`: it can only ever make a verdict `unknown`.

pub mod condition;
pub mod files;

pub use condition::{Account, Answer, Condition, Connection};
pub use files::{Files, Seen};

use crate::login::factor::{Evidence, Guard, GuardKind, Ways};
use crate::model::RootedPath;

/// Which of the four management groups of pam.conf(5) is run; sshd decides a login by these two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// `auth`: `pam_authenticate`.
    Auth,
    /// `account`: `pam_acct_mgmt`.
    Account,
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
}

/// Assembles the stack of `service` for `group` from the configuration in `files`.
#[must_use]
pub fn compile(service: &[u8], group: Group, files: &dyn Files) -> Program {
    let _ = (service, group, files);
    Program { conditions: Vec::new(), problems: Vec::new() }
}

impl Program {
    /// What `connection` answers to each of the conditions.
    #[must_use]
    pub fn answers(&self, connection: &Connection<'_>, files: &dyn Files) -> Vec<Answer> {
        let _ = (connection, files);
        self.conditions.iter().map(|_| Answer::Unknown).collect()
    }

    /// Every minimal way to success.
    #[must_use]
    pub fn run(&self, mode: Mode, answers: &[Answer]) -> Ways {
        let _ = (mode, answers);
        Ways::one(Evidence {
            guards: [Guard::when(GuardKind::Unmodelled, "the PAM stack lets the user in")].into(),
            ..Evidence::default()
        })
    }
}
