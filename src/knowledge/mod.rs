//! What is known: `signatures/` compiled, pinned keys, models of PAM modules.

use serde::{Deserialize, Serialize};

/// A byte rule that matched a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// Id of the family.
    pub family: String,
}
