//! Which rights we have to look at processes: where one is missing, that explains what could not be seen.

use crate::facts::RootFacts;
use crate::formats::proc::status;
use crate::host::process::Proc;
use crate::model::{Check, Gap, Subject};

/// Largest `status`.
const MAX_STATUS: usize = 64 << 10;

/// Tells the capabilities that we lack: without one, what is seen of processes may be the smaller part, and an answer that
/// needs luck (files that still lie where they were mapped from, a server of our own uid) is none.
pub fn observe(proc: &Proc, facts: &mut RootFacts) {
    let own = proc.read("self/status", MAX_STATUS).ok().and_then(|bytes| status::parse(&bytes));
    let lacks = own.map(|own| own.lacks()).unwrap_or_default();
    if !lacks.is_empty() {
        let reason = format!(
            "sshproof runs without {}, which it needs to look at every process and all that it executes",
            lacks.join(", ")
        );
        facts.gap(Check::Live, Gap::mandatory(Subject::Host, reason));
    }
}
