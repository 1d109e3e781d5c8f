//! Pure functions from facts, knowledge and policy to findings: one file, or folder, per question.

pub mod anomaly;
pub mod backdoor;
pub mod connection;
pub mod hygiene;
pub mod inspect;
pub mod live;
pub mod login;
pub mod provenance;
pub mod standing;
pub mod trust;
