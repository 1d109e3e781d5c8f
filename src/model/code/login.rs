//! Codes of the check `login`.

use super::codes;

codes! { LOGIN; }
