//! Builds `Facts` from a host or an image. Touches the machine, knows no policy, judges nothing.

pub mod packages;
pub mod wants;
