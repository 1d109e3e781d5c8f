//! ELF files.

use serde::{Deserialize, Serialize};

/// What an ELF file says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElfRecord {}
