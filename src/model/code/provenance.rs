//! Codes of the check `provenance`.

use super::codes;

codes! { PROVENANCE; }
