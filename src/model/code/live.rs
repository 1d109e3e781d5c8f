//! Codes of the check `live`.

use super::codes;

codes! { LIVE; }
