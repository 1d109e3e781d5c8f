//! Parsers: bytes in, values out. None opens a file; all input may have been written by the attacker we look for.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

pub mod accounts;
pub mod apt;
pub mod authorized_keys;
pub mod base64;
pub mod bpf;
pub mod capability;
pub mod compressed;
pub mod deb;
pub mod deb822;
pub mod dpkg;
pub mod duo;
pub mod elf;
pub mod envfile;
pub mod ldcache;
pub mod ldconf;
pub mod ldif;
pub mod lines;
pub mod nsswitch;
pub mod os_release;
pub mod packet_diag;
pub mod pam;
pub mod problem;
pub mod proc;
pub mod program;
pub mod rpm;
pub mod sshd_args;
pub mod sshd_config;
pub mod tar;
pub mod unit;
