//! The smallest edit that closes a way in: candidates in order of size, each tried by the same prover.

mod candidates;
mod pam_lines;

use candidates::candidates;

use super::explore::Known;
use super::pam::{Files, Seen};
use super::prove::{self, Outcome, Server, Violation, World};
use super::sshd::{Config, Origin};
use super::standing::{Shortfall, Standing};
use super::tree::{Names, Tree};
use crate::model::report::Proof;
use crate::model::text::escape;
use crate::model::{Meta, RootedPath};
use crate::policy::LoginPolicy;
use std::borrow::Cow;
use std::rc::Rc;

/// One edit of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The file.
    pub path: RootedPath,
    /// The line that is replaced, or before which text is inserted; counted from 1.
    pub line: u32,
    /// What is done.
    pub change: Change,
}

/// What an edit does to a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// New lines before it.
    Insert(Vec<String>),
    /// Another text in its place.
    Replace(String),
    /// It goes.
    Delete,
}

/// Looks for edits of one server's files. Each edit is tried once, however many ways it is a candidate for.
pub struct Search<'a> {
    server: &'a Server,
    world: World<'a>,
    policy: &'a LoginPolicy,
    config: &'a Config,
    /// Of the tree as it is: an edit of sshd's own files changes none of it.
    known: Known,
    tried: Vec<(Edit, Option<Rc<Outcome>>)>,
}

impl<'a> Search<'a> {
    /// `known` is what the proof left that found the ways.
    #[must_use]
    pub const fn new(
        server: &'a Server,
        world: World<'a>,
        policy: &'a LoginPolicy,
        config: &'a Config,
        known: Known,
    ) -> Self {
        Self { server, world, policy, config, known, tried: Vec::new() }
    }

    /// The first candidate that the prover accepts, in words; or that none was found.
    #[must_use]
    pub fn smallest(&mut self, violation: &Violation) -> String {
        let mut closes = None;
        for edit in candidates(violation, self.server, self.config, self.world.tree) {
            let Some(after) = self.after(&edit) else { continue };
            if !self.is_of_sshd(&edit) && !leaves_open(violation, &after) {
                continue;
            }
            if matches!(after.proof, Proof::Proved | Proof::ProvedWithExemptions) && !after.closed {
                return format!("{edit}  (proved with this line)");
            }
            if closes.is_none() && after.refusals.is_empty() && is_gone(violation, &after) && !after.closed {
                closes = Some(edit);
                // Of a dialect that was never compared nothing is ever proved, so no other edit would be.
                if !self.config.dialect.is_compared() {
                    break;
                }
            }
        }
        match closes {
            Some(edit) => format!("{edit}  (closes this way in; what else is reported stays)"),
            None => format!("no single line was found that closes it: {}", self.advice(violation)),
        }
    }

    /// What to do where no single edit does it.
    fn advice(&self, violation: &Violation) -> String {
        let option = violation.origins.iter().find_map(|(_, origin)| match origin {
            Origin::Option(number) => self.server.options.get(*number),
            Origin::Default | Origin::Line { .. } => None,
        });
        if let Some(option) = option {
            return format!("take `-o {}` off the command that starts sshd", escape(option));
        }
        match &violation.standing {
            Standing::Short(Shortfall { resistance: Some((_, true)), .. }) => {
                "accept security keys only, with `PubkeyAcceptedAlgorithms \
                 sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com` and `publickey` in every list of \
                 AuthenticationMethods"
            }
            Standing::Short(Shortfall { resistance: Some(_), .. }) => {
                "see that every list of AuthenticationMethods that holds for them asks for `publickey`"
            }
            _ => {
                "demand a second method with AuthenticationMethods and see that each method of the list asks for a \
                 factor of its own"
            }
        }
        .to_owned()
    }

    /// Whether it edits a file of sshd's own.
    fn is_of_sshd(&self, edit: &Edit) -> bool {
        self.config.files.iter().any(|file| file.path == edit.path)
    }

    /// What can be shown with the edit made; `None` where the file is not known.
    fn after(&mut self, edit: &Edit) -> Option<Rc<Outcome>> {
        if let Some((_, known)) = self.tried.iter().find(|(tried, _)| tried == edit) {
            return known.clone();
        }
        let after = Edited::new(self.world.tree, edit).and_then(|tree| {
            let world = World { tree: &tree, ..self.world };
            let config = prove::config(self.server, world)?;
            let own = self.is_of_sshd(edit);
            let mut fresh = Known::default();
            let known = if own { &mut self.known } else { &mut fresh };
            Some(Rc::new(prove::prove_with(self.server, Some(&config), world, self.policy, known)))
        });
        self.tried.push((edit.clone(), after.clone()));
        after
    }
}

/// Whether the methods let anybody in any more: a stack that nobody can pass closes every way.
fn leaves_open(violation: &Violation, after: &Outcome) -> bool {
    after.paths.iter().any(|path| path.way.methods == violation.way.methods)
}

/// Whether the way, as seen by its witness, no longer falls short.
fn is_gone(violation: &Violation, after: &Outcome) -> bool {
    !after.violations.iter().any(|other| {
        other.way.methods == violation.way.methods
            && other.way.evidence.atoms == violation.way.evidence.atoms
            && other.users.contains(&violation.witness.user)
    })
}

impl std::fmt::Display for Edit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (path, line) = (&self.path, self.line);
        match &self.change {
            Change::Insert(lines) => write!(f, "{path}: before line {line}, add `{}`", lines.join("` and `")),
            Change::Replace(text) => write!(f, "{path}:{line}: write `{text}` instead"),
            Change::Delete => write!(f, "{path}:{line}: remove this line"),
        }
    }
}

/// A tree with one file edited.
struct Edited<'a> {
    base: &'a dyn Tree,
    path: RootedPath,
    text: Vec<u8>,
}

impl<'a> Edited<'a> {
    /// `None` if the file is not known.
    fn new(base: &'a dyn Tree, edit: &Edit) -> Option<Self> {
        let Seen::Text(text) = base.text(&edit.path) else { return None };
        let mut lines: Vec<Cow<'_, [u8]>> = text.split(|byte| *byte == b'\n').map(Cow::Borrowed).collect();
        let at = usize::try_from(edit.line).ok()?.checked_sub(1)?.min(lines.len());
        match &edit.change {
            Change::Insert(new) => {
                lines.splice(at..at, new.iter().map(|line| Cow::Owned(line.clone().into_bytes())));
            }
            Change::Replace(new) => *lines.get_mut(at)? = Cow::Owned(new.clone().into_bytes()),
            Change::Delete => {
                *lines.get_mut(at)? = Cow::Borrowed(b"");
            }
        }
        let text = lines.join(&b'\n');
        Some(Self { base, path: edit.path.clone(), text })
    }
}

impl Files for Edited<'_> {
    fn text(&self, path: &RootedPath) -> Seen<'_> {
        if *path == self.path { Seen::Text(&self.text) } else { self.base.text(path) }
    }

    fn public_keys(&self, path: &RootedPath) -> Seen<'_> {
        if *path == self.path { Seen::Text(&self.text) } else { self.base.public_keys(path) }
    }

    fn inode(&self, path: &RootedPath) -> Result<Option<Meta>, String> {
        self.base.inode(path)
    }
}

impl Tree for Edited<'_> {
    fn names(&self, path: &RootedPath) -> Names {
        self.base.names(path)
    }
}
