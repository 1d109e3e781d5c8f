//! Codes of the check `hygiene`.

use super::codes;

codes! { HYGIENE; }
