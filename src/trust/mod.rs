//! Who stands behind a record: OpenPGP signatures of distributors, and the node's own signatures over what it ships. Gets
//! bytes as arguments, reads nothing.
//!
//! A distributor's signature takes two steps that never mix. [`keyring::Keyring::check`] does the mathematics and says what it
//! found: a [`Checked`] for each signature, a fact that can be stored. [`vendor::vouches`] is policy: pure, repeatable with
//! newer pins, the only maker of a [`vendor::Voucher`]. Whatever else is signed (an archive's `InRelease`, a manifest of the
//! site) takes the same two steps with other bytes.

pub mod accounts;
pub mod canonical;
pub mod certificate;
pub mod chain;
pub mod checked;
pub mod continuity;
pub mod keyring;
pub mod manifest;
pub mod vendor;

pub use checked::{Binding, Checked, Hash, Outcome, Revocation, Signer};
