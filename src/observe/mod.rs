//! Builds `Facts` from a host or an image. Touches the machine, knows no policy, judges nothing.

pub mod wants;
