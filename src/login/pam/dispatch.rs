//! Walks a stack as libpam does: from the modules' return codes to the application's result.
//!
//! The rules are those of `_pam_dispatch_aux` (Linux-PAM 1.5.2, `pam_dispatch.c`), one step at a time, so that the
//! symbolic run uses the very function that is compared with the library (`tests/login_pam_libpam.rs`).
//! `pam_setcred` replays the codes frozen by `pam_authenticate` and can only add failures; it is not run here.

use crate::formats::pam::{Action, ReturnCode};

use super::stack::{Handler, HandlerKind};

/// What the stack looks like so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Impression {
    /// Nothing has counted yet.
    Undefined,
    /// Something succeeded and nothing failed.
    Positive,
    /// Something failed.
    Negative,
}

/// The state between two entries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// Index of the next handler; the stack ends at its length.
    pub next: usize,
    /// Impression so far.
    pub impression: Impression,
    /// What the application would be told now.
    pub status: ReturnCode,
    /// Level of the handler before.
    level: usize,
    /// Impression and status on entering each level, outermost first.
    saved: Vec<(Impression, ReturnCode)>,
}

impl State {
    /// Before the first handler.
    #[must_use]
    pub fn start() -> Self {
        let (impression, status) = (Impression::Undefined, ReturnCode::PERM_DENIED);
        Self { next: 0, impression, status, level: 0, saved: vec![(impression, status)] }
    }

    /// Passes over markers of substacks and saves the state where a level begins: afterwards `next` is a handler that
    /// returns a code, or the end.
    #[must_use]
    pub fn settle(mut self, handlers: &[Handler]) -> Self {
        while let Some(handler) = handlers.get(self.next) {
            if self.level < handler.level {
                self.saved.resize(handler.level.saturating_add(1), (self.impression, self.status));
                if let Some(slot) = self.saved.get_mut(handler.level) {
                    *slot = (self.impression, self.status);
                }
            }
            self.level = handler.level;
            if !matches!(handler.kind, HandlerKind::Substack) {
                break;
            }
            self.next = self.next.saturating_add(1);
        }
        // What was saved on levels that were left is never read again: dropping it lets equal states be equal.
        self.saved.truncate(self.level.saturating_add(1));
        self
    }

    /// The state after the handler at `next` has returned `code`. `self` must be settled.
    #[must_use]
    pub fn step(&self, handlers: &[Handler], code: ReturnCode) -> Self {
        let mut after = self.clone();
        let Some(handler) = handlers.get(self.next) else { return after };
        let mut at = self.next;
        let positive_or_open = self.impression == Impression::Undefined
            || (self.impression == Impression::Positive && self.status == ReturnCode::SUCCESS);
        match handler.actions.on(code) {
            Action::Ignore => {}
            Action::Reset => {
                if let Some((impression, status)) = self.saved.get(self.level) {
                    (after.impression, after.status) = (*impression, *status);
                }
            }
            action @ (Action::Ok | Action::Done) => {
                if positive_or_open {
                    (after.impression, after.status) = (Impression::Positive, code);
                }
                if action == Action::Done && after.impression == Impression::Positive {
                    at = end_of_level(handlers, at, self.level);
                }
            }
            action @ (Action::Bad | Action::Die) => {
                if self.impression != Impression::Negative {
                    after.impression = Impression::Negative;
                    after.status = if code == ReturnCode::IGNORE { ReturnCode::PERM_DENIED } else { code };
                }
                if action == Action::Die {
                    at = end_of_level(handlers, at, self.level);
                }
            }
            Action::Jump(count) => match jump(handlers, at, self.level, count) {
                Ok(landed) => at = landed,
                Err(stopped) => {
                    at = stopped;
                    (after.impression, after.status) = (Impression::Negative, ReturnCode::PERM_DENIED);
                }
            },
        }
        after.next = at.saturating_add(1);
        after
    }

    /// What the application is told at the end: success needs a positive impression.
    #[must_use]
    pub fn result(&self) -> ReturnCode {
        if self.status == ReturnCode::SUCCESS && self.impression != Impression::Positive {
            ReturnCode::PERM_DENIED
        } else {
            self.status
        }
    }
}

/// Index of the last handler of the level that holds `at`.
fn end_of_level(handlers: &[Handler], mut at: usize, level: usize) -> usize {
    while handlers.get(at.saturating_add(1)).is_some_and(|next| next.level >= level) {
        at = at.saturating_add(1);
    }
    at
}

/// Index of the last handler that a jump over `count` entries skips; a substack counts as one. `Err` if there are fewer.
fn jump(handlers: &[Handler], mut at: usize, level: usize, mut count: u32) -> Result<usize, usize> {
    let next_level = |at: usize| handlers.get(at.saturating_add(1)).map(|next| next.level);
    while count > 0 && next_level(at).is_some_and(|next| next >= level) {
        loop {
            at = at.saturating_add(1);
            if next_level(at).is_none_or(|next| next <= level) {
                break;
            }
        }
        count = count.saturating_sub(1);
    }
    if count == 0 { Ok(at) } else { Err(at) }
}

/// The result of a whole stack whose handlers return what `code_of` says (it is asked only for those that are reached,
/// and not for entries that must fail).
pub fn run(handlers: &[Handler], mut code_of: impl FnMut(usize, &Handler) -> ReturnCode) -> ReturnCode {
    let mut state = State::start().settle(handlers);
    while let Some(handler) = handlers.get(state.next) {
        let code = match handler.kind {
            HandlerKind::MustFail => ReturnCode::PERM_DENIED,
            _ => code_of(state.next, handler),
        };
        state = state.step(handlers, code).settle(handlers);
    }
    state.result()
}
