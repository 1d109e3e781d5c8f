//! What must be looked at next: pure functions over what is known so far.

pub mod knowledge;
