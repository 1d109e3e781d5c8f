//! sshd_config(5), as the sshd of one version and distribution reads it: lines, keywords, values, Match criteria and
//! patterns. Includes, order and scope are the evaluator's: see `login::sshd`.

pub mod address;
pub mod criteria;
pub mod dialect;
pub mod key_algorithm;
pub mod keyword;
pub mod lex;
pub mod line;
pub mod other;
pub mod pattern;
pub mod suite;
pub mod value;

pub use criteria::{Criteria, Criterion};
pub use dialect::{Dialect, Distribution, Version};
pub use keyword::{Keyword, Scope};
pub use line::{Body, Fault, Line, parse};
