//! NSS modules: what nsswitch.conf(5) makes libc load to look up accounts, groups and hosts.
//!
//! A source `sss` is `libnss_sss.so.2`, searched like a library that libc needs (glibc, nss/nss_module.c). A source without
//! a file is passed over by libc, so it is no gap. `files` and `dns` live inside libc since 2.34; a file of that name, where
//! there is one, still belongs to the surface. musl has no modules.

use std::collections::BTreeSet;

use super::closure::Resolver;
use super::loader::{Known, text};
use super::search::Resolution;
use crate::facts::{Look, ObservationGap, Role, RootFacts, Want};
use crate::formats::nsswitch;
use crate::model::text::escape;
use crate::model::{Check, Gap, RootedPath, Subject};

/// The databases that libc itself asks (nsswitch.conf(5)); others (`sudoers`, `automount`) belong to other programs.
const DATABASES: [&[u8]; 18] = [
    b"aliases",
    b"ethers",
    b"group",
    b"group_compat",
    b"gshadow",
    b"gshadow_compat",
    b"hosts",
    b"initgroups",
    b"netgroup",
    b"networks",
    b"passwd",
    b"passwd_compat",
    b"protocols",
    b"publickey",
    b"rpc",
    b"services",
    b"shadow",
    b"shadow_compat",
];

/// Sources of databases that the file does not name (nss/nss_database.c, defaults; `compat` and `nis` before 2.33).
const DEFAULTS: [&[u8]; 4] = [b"files", b"dns", b"compat", b"nis"];

/// The configuration, and the modules that it names.
#[must_use]
pub fn wants(root: &RootFacts) -> Vec<Want> {
    let Some(path) = RootedPath::new("/etc/nsswitch.conf") else { return Vec::new() };
    let mut sources: BTreeSet<Vec<u8>> = DEFAULTS.iter().map(|source| source.to_vec()).collect();
    match text(&root.files, &path, Role::SystemConfig) {
        Known::Pending(want) => return vec![want],
        Known::Absent | Known::Lost(_) => {}
        Known::Here(text) => sources.extend(services(text)),
    }
    let mut wants = BTreeSet::new();
    for (server, _) in root.files.with_role(Role::Server) {
        match Resolver::of(root, server) {
            Ok(resolver) => sources.iter().for_each(|source| module(&resolver, source, &mut wants)),
            Err(Resolution::Pending(pending)) => wants.extend(pending),
            Err(_) => {}
        }
    }
    wants.into_iter().collect()
}

/// What could not be read of the configuration, once nothing new is wanted.
#[must_use]
pub fn gaps(root: &RootFacts) -> Vec<ObservationGap> {
    let Some(path) = RootedPath::new("/etc/nsswitch.conf") else { return Vec::new() };
    let subject = Subject::file(&path);
    let gap =
        |reason: String| ObservationGap { check: Check::Provenance, gap: Gap::mandatory(subject.clone(), reason) };
    match text(&root.files, &path, Role::SystemConfig) {
        Known::Pending(_) | Known::Absent => Vec::new(),
        Known::Lost(reason) => vec![gap(format!("its modules are unknown: {reason}"))],
        Known::Here(text) => {
            let (_, problems) = nsswitch::parse(text);
            let lines = problems.iter().map(|line| gap(format!("line {line} cannot be read: a bracket is not closed")));
            let paths = services(text).into_iter().filter(|service| service.contains(&b'/'));
            lines.chain(paths.map(|service| gap(format!("the source `{}` holds a slash", escape(&service))))).collect()
        }
    }
}

fn services(text: &[u8]) -> BTreeSet<Vec<u8>> {
    let (databases, _) = nsswitch::parse(text);
    databases
        .into_iter()
        .filter(|database| DATABASES.contains(&database.name))
        .flat_map(|database| database.services)
        .map(<[u8]>::to_vec)
        .collect()
}

/// The module of `source`, as a server would find it.
fn module(server: &Resolver<'_>, source: &[u8], wants: &mut BTreeSet<Want>) {
    if source.contains(&b'/') {
        return;
    }
    match server.resolve(&[b"libnss_", source, b".so.2"].concat()) {
        Resolution::Pending(pending) => wants.extend(pending),
        Resolution::Found { paths, .. } => {
            wants.extend(paths.into_iter().map(|path| Want { path, role: Role::NssModule, look: Look::Binary }));
        }
        Resolution::Missing(_) | Resolution::Unknown(_) => {}
    }
}
