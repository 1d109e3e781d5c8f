//! The signed chain of Debian's packages: `InRelease`, signed by the archive's key, names each index by digest; the index
//! names each package file by digest; the package file holds the files that dpkg unpacked.
//!
//! dpkg itself keeps nothing signed. But apt leaves lists and packages on the host, an operator may have a mirror, and the
//! state directory keeps what was proved once; each is read anew and believed in nothing. Whose signature counts is not
//! decided here.

mod chain;
mod place;
mod records;

use std::collections::BTreeMap;

use super::Asked;
use super::out::Out;
use crate::facts::package::PackageSystem;
use crate::host::root::Root;
use crate::own;
use chain::Chain;
use place::Place;

/// A package that is wanted: its name, version and architecture, escaped.
type Wanted = (String, String, String);

/// Proves the packages of dpkg that own code among the files asked for, as far as an archive is at hand.
pub(super) fn observe(asked: &Asked<'_>, out: &mut Out) {
    let mut wanted = wanted(asked, out);
    if wanted.is_empty() {
        return;
    }
    let state = asked.aids.state.map(own::state::archive).filter(|dir| own::config::is_dir(dir));
    let mut roots = Vec::new();
    for directory in asked.aids.archives.iter().chain(&state) {
        match Root::open(directory, false) {
            Ok(root) => roots.push((root, directory.as_path())),
            Err(error) => {
                let reason = format!("the archive in {} cannot be opened: {error}", directory.display());
                out.gap(crate::model::Subject::Host, reason);
            }
        }
    }
    let given =
        roots.iter().map(|(root, directory)| Place::given(root, directory, state.as_deref() == Some(directory)));
    let own = (!asked.aids.without_own_archive).then(|| Place::of_apt(asked.root));
    let mut chain = Chain::new(asked);
    for place in given.chain(own) {
        chain.follow(&place, &mut wanted, out);
    }
    chain.finish(&mut wanted, out);
}

/// The packages whose records speak of code, with their keys.
fn wanted(asked: &Asked<'_>, out: &Out) -> BTreeMap<Wanted, String> {
    let records = out.facts.records.iter().filter(|(path, _)| asked.is_code(path));
    let mut wanted = BTreeMap::new();
    for key in records.flat_map(|(_, records)| records).map(|record| &record.package) {
        let Some(package) = out.facts.packages.get(key) else { continue };
        let is_dpkg = matches!(package.system, PackageSystem::Dpkg | PackageSystem::DpkgStatusD);
        if is_dpkg && package.seal.is_none() {
            let name = (package.name.clone(), package.version.clone(), package.architecture.clone());
            wanted.insert(name, key.clone());
        }
    }
    wanted
}
