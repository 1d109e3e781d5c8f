//! Package systems whose records this version cannot read: found, named, and never taken for "nobody owns it".

use super::Asked;
use super::out::{Out, path};
use crate::facts::package::{Database, PackageSystem, Reading};

/// Where each system keeps its database.
const PLACES: &[(&str, PackageSystem)] = &[
    ("/lib/apk/db/installed", PackageSystem::Apk),
    ("/usr/lib/apk/db/installed", PackageSystem::Apk),
    ("/var/lib/pacman/local", PackageSystem::Pacman),
    ("/var/db/pkg/local.sqlite", PackageSystem::FreeBsdPkg),
    ("/var/db/pkg", PackageSystem::Portage),
    ("/nix/var/nix/db/db.sqlite", PackageSystem::Nix),
    ("/var/guix/db/db.sqlite", PackageSystem::Guix),
    ("/var/db/xbps", PackageSystem::Xbps),
    ("/var/pkg/publisher", PackageSystem::Ips),
    ("/var/lib/pkgtools/packages", PackageSystem::Slackware),
    ("/var/log/packages", PackageSystem::Slackware),
    ("/usr/lib/opkg/status", PackageSystem::Opkg),
];

/// Notes each of them that is there, once.
pub(super) fn observe(asked: &Asked<'_>, out: &mut Out) {
    for (place, system) in PLACES {
        let place = path(place);
        // FreeBSD's pkg and Portage share a directory; pkg's file was asked for first.
        let known = |database: &Database| {
            database.system == *system
                || (*system == PackageSystem::Portage && database.system == PackageSystem::FreeBsdPkg)
        };
        if !out.facts.systems.iter().any(known) && asked.root.stat(&place).is_ok() {
            out.facts.systems.push(Database { system: *system, place, reading: Reading::Unsupported });
        }
    }
}
