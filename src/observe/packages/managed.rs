//! Configuration that no package lists because a tool writes it from a package's template: ucf(1) keeps Debian's
//! `sshd_config`, pam-auth-update(8) writes `/etc/pam.d/common-*`.

use super::Asked;
use super::out::{Out, path};
use crate::facts::FileFacts;
use crate::facts::package::{Manager, Record, RecordKind};
use crate::formats::dpkg::{pam_auth_update, ucf};
use crate::model::{Algorithm, Digest, RootedPath};

/// A file with the template it is made from and the digests of its earlier versions.
struct Template {
    file: &'static str,
    template: &'static str,
    history: &'static str,
}

/// Templates of files that ucf keeps. ucf itself records only the digest of the version that was offered last.
const UCF: &[Template] = &[Template {
    file: "/etc/ssh/sshd_config",
    template: "/usr/share/openssh/sshd_config",
    history: "/usr/share/openssh/sshd_config.md5sum",
}];

/// Templates of pam-auth-update.
const PAM: &[Template] = &[
    pam("/etc/pam.d/common-account", "/usr/share/pam/common-account", "/usr/share/pam/common-account.md5sums"),
    pam("/etc/pam.d/common-auth", "/usr/share/pam/common-auth", "/usr/share/pam/common-auth.md5sums"),
    pam("/etc/pam.d/common-password", "/usr/share/pam/common-password", "/usr/share/pam/common-password.md5sums"),
    pam("/etc/pam.d/common-session", "/usr/share/pam/common-session", "/usr/share/pam/common-session.md5sums"),
    pam(
        "/etc/pam.d/common-session-noninteractive",
        "/usr/share/pam/common-session-noninteractive",
        "/usr/share/pam/common-session-noninteractive.md5sums",
    ),
];

const fn pam(file: &'static str, template: &'static str, history: &'static str) -> Template {
    Template { file, template, history }
}

/// Records which of the files asked for are kept by these tools.
pub(super) fn observe(asked: &Asked<'_>, out: &mut Out) {
    let unowned: Vec<RootedPath> =
        out.facts.records.iter().filter(|(_, records)| records.is_empty()).map(|(path, _)| path.clone()).collect();
    if unowned.iter().any(|path| path.is_beneath(&super::out::path("/etc"))) {
        observe_ucf(asked, &unowned, out);
        observe_pam(asked, &unowned, out);
    }
}

fn observe_ucf(asked: &Asked<'_>, unowned: &[RootedPath], out: &mut Out) {
    let hashfile = path("/var/lib/ucf/hashfile");
    let registry = path("/var/lib/ucf/registry");
    let Some(hashes) = out.read(asked.root, &hashfile) else { return };
    let (hashes, problems) = ucf::parse_hashfile(hashes.bytes());
    out.problems(&hashfile, &problems);
    let owners = out.read(asked.root, &registry).map(|owners| {
        let (owners, problems) = ucf::parse_registry(owners.bytes());
        out.problems(&registry, &problems);
        owners
    });
    for (recorded_path, digest) in hashes {
        let real = asked.aliases.normalise(&recorded_path);
        if !unowned.contains(&real) {
            continue;
        }
        let package = owners.iter().flatten().find(|(path, _)| *path == recorded_path).map(|(_, package)| package);
        let mut known = Vec::new();
        for template in UCF.iter().filter(|template| path(template.file) == recorded_path) {
            known.extend(out.read(asked.root, &path(template.template)).map(|file| md5_of(file.bytes())));
            let history = out.read(asked.root, &path(template.history));
            known.extend(history.iter().flat_map(|file| ucf::history(file.bytes())).take(MAX_HISTORY));
        }
        let record = Record {
            package: package.cloned().unwrap_or_default(),
            source: hashfile.clone(),
            recorded_path,
            digest: Some(digest),
            kind: RecordKind::Managed { by: Manager::Ucf, known, compared: None },
            attributes: None,
        };
        out.facts.records.entry(real).or_default().push(record);
    }
}

fn observe_pam(asked: &Asked<'_>, unowned: &[RootedPath], out: &mut Out) {
    for template in PAM {
        let file = path(template.file);
        let Some(facts) = asked.files.get(&file).filter(|_| unowned.contains(&file)) else { continue };
        let source = path(template.template);
        let Some(original) = out.read(asked.root, &source) else { continue };
        let mut known = Vec::new();
        let history = out.read(asked.root, &path(template.history));
        known.extend(history.iter().flat_map(|file| ucf::history(file.bytes())).take(MAX_HISTORY));
        let record = Record {
            package: "libpam-runtime".to_owned(),
            source,
            recorded_path: file.clone(),
            digest: pam_auth_update::without_blocks(original.bytes()).map(|kept| md5_of(&kept)),
            kind: RecordKind::Managed { by: Manager::PamAuthUpdate, known, compared: compared(facts) },
            attributes: None,
        };
        out.facts.records.entry(file).or_default().push(record);
    }
}

fn compared(facts: &FileFacts) -> Option<Digest> {
    pam_auth_update::without_blocks(facts.text_bytes()?).map(|kept| md5_of(&kept))
}

/// Digests of earlier versions kept; OpenSSH's file lists 90.
const MAX_HISTORY: usize = 1000;

fn md5_of(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Md5, bytes)
}
