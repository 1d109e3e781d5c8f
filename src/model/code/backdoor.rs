//! Codes of the check `backdoor`.

use super::codes;

codes! { BACKDOOR; }
