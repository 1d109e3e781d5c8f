//! Codes of the check `anomaly`.

use super::codes;

codes! { ANOMALY; }
