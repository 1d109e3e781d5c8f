//! One package file as a manifest holds it.

use crate::formats::deb::{self, MAX_CONTENT};
use crate::formats::deb822;
use crate::formats::rpm::files::{CONFIG, GHOST, files};
use crate::formats::rpm::header::Header;
use crate::formats::rpm::{self, tag};
use crate::formats::tar::{Kind, Member};
use crate::model::manifest::{File, Package};
use crate::model::text::escape;
use crate::model::{Algorithm, Digest, RootedPath};

/// Bytes of `control.tar` unpacked.
const MAX_CONTROL: u64 = 64 << 20;

/// What was read.
pub(super) struct Read {
    pub(super) package: Package,
    /// The header with the distributor's signatures, of rpm.
    pub(super) header: Option<Vec<u8>>,
}

/// The package in `bytes`.
pub(super) fn read(bytes: &[u8]) -> Result<Read, String> {
    let sha256 = Digest::of(Algorithm::Sha256, bytes);
    if let Some(header) = rpm::package::header(bytes) {
        return rpm(&header, sha256).map(|package| Read { package, header: Some(header) });
    }
    deb(bytes, sha256).map(|package| Read { package, header: None })
}

fn deb(bytes: &[u8], sha256: Digest) -> Result<Package, String> {
    let deb = deb::parse(bytes).map_err(|problem| problem.to_string())?;
    let control = deb::members(deb.control, MAX_CONTROL, &|_| true).map_err(|problem| problem.to_string())?;
    let text = |wanted: &[u8]| {
        let is_wanted = |member: &&Member| member.name.strip_prefix(b"./").unwrap_or(&member.name) == wanted;
        control.iter().find(is_wanted).and_then(|member| member.content.clone()).unwrap_or_default()
    };
    let (stanza, conffiles, postinst) = (text(b"control"), text(b"conffiles"), text(b"postinst"));
    let fields = deb822::stanzas(&stanza).next().ok_or("it has no control file")?;
    let field = |name: &str| fields.get(name.as_bytes()).map(escape).ok_or(format!("its control file lacks `{name}`"));
    let data = deb::members(deb.data, MAX_CONTENT, &|_| false).map_err(|problem| problem.to_string())?;
    let path = |name: &[u8]| RootedPath::root().join(name);
    let digest = |member: &Member| match &member.kind {
        Kind::Regular(digest, _) => Some(*digest),
        Kind::HardLink(target) => data.iter().find_map(|other| match &other.kind {
            Kind::Regular(digest, _) if other.name == *target => Some(*digest),
            _ => None,
        }),
        _ => None,
    };
    let files = data.iter().filter_map(|member| {
        let (path, digest) = (path(&member.name)?, digest(member)?);
        let config = conffiles.split(|byte| *byte == b'\n').any(|line| line.trim_ascii() == path.as_bytes());
        // What the package's own script sets later, as in `observe::packages::archive`.
        let compares = !config && memchr::memmem::find(&postinst, path.as_bytes()).is_none();
        Some(File {
            digest: Some(digest),
            mode: compares.then_some(member.mode),
            user: compares.then(|| escape(&member.user)),
            group: compares.then(|| escape(&member.group)),
            config,
            path,
        })
    });
    Ok(Package {
        name: field("Package")?,
        version: field("Version")?,
        architecture: field("Architecture")?,
        sha256,
        files: files.collect(),
    })
}

fn rpm(header: &[u8], sha256: Digest) -> Result<Package, String> {
    let header = Header::parse(header).map_err(|problem| problem.to_string())?;
    let text = |tag| header.string(tag).map(escape).unwrap_or_default();
    let epoch = header.number(tag::EPOCH).map(|epoch| format!("{epoch}:")).unwrap_or_default();
    let listed = files(&header, &|_| true).map_err(|problem| problem.to_string())?;
    let listed = listed.into_iter().filter(|file| file.digest.is_some() && file.flags & GHOST == 0);
    let files = listed.map(|file| File {
        path: file.path,
        digest: file.digest,
        mode: file.mode.map(|mode| mode & 0o7777),
        user: file.user.as_deref().map(escape),
        group: file.group.as_deref().map(escape),
        config: file.flags & CONFIG != 0,
    });
    Ok(Package {
        name: text(tag::NAME),
        version: format!("{epoch}{}-{}", text(tag::VERSION), text(tag::RELEASE)),
        architecture: text(tag::ARCH),
        sha256,
        files: files.collect(),
    })
}
