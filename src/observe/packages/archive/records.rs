//! What a package file says of the files asked for, as records beside dpkg's own.

use std::collections::BTreeMap;

use super::super::Asked;
use super::super::out::Out;
use crate::facts::package::{Attributes, BrokenLink, Record, RecordKind};
use crate::formats::deb::{self, DebProblem, MAX_CONTENT};
use crate::formats::tar::{Kind, Member};
use crate::model::text::escape;
use crate::model::{Digest, RootedPath};

/// Bytes of `control.tar` unpacked.
const MAX_CONTROL: u64 = 64 << 20;

/// Writes down, for each file that dpkg's database gives to the package with this key, what the package file in `bytes` says
/// of it; `source` is its path. Returns the files that it does not ship at all.
///
/// # Errors
/// If it cannot be read to its end; then nothing was written.
pub(super) fn write(
    asked: &Asked<'_>,
    key: &str,
    source: &RootedPath,
    bytes: &[u8],
    out: &mut Out,
) -> Result<Vec<BrokenLink>, DebProblem> {
    let deb = deb::parse(bytes)?;
    let is_script = |name: &[u8]| name.ends_with(b"/postinst") || name == b"postinst";
    let control = deb::members(deb.control, MAX_CONTROL, &is_script)?;
    let postinst = control.into_iter().find_map(|member| member.content).unwrap_or_default();
    let data = deb::members(deb.data, MAX_CONTENT, &|_| false)?;
    let normal = |name: &[u8]| Some(asked.aliases.normalise(&RootedPath::root().join(name)?));
    let members: BTreeMap<RootedPath, &Member> =
        data.iter().filter_map(|member| Some((normal(&member.name)?, member))).collect();
    let digest = |member: &Member| match &member.kind {
        Kind::Regular(digest, _) => Some(*digest),
        Kind::HardLink(target) => match members.get(&normal(target)?).map(|first| &first.kind) {
            Some(Kind::Regular(digest, _)) => Some(*digest),
            _ => None,
        },
        Kind::Symlink(_) | Kind::Directory | Kind::Other => None,
    };
    let mut foreign = Vec::new();
    for (path, records) in &mut out.facts.records {
        let own = records.iter().find(|record| record.package == key).cloned();
        let Some(own) = own.filter(|own| matches!(own.kind, RecordKind::File | RecordKind::Conffile)) else { continue };
        let Some(member) = members.get(&asked.aliases.normalise(&own.recorded_path)) else {
            // Of configuration older versions leave files behind.
            if own.kind == RecordKind::File && own.digest.is_some() {
                let (package, file) = (key.to_owned(), path.clone());
                foreign.push(BrokenLink::Member { path: source.clone(), package, file });
            }
            continue;
        };
        if let Some(digest) = digest(member) {
            records.push(record(&own, source, digest, member, &postinst));
        }
    }
    Ok(foreign)
}

fn record(own: &Record, source: &RootedPath, digest: Digest, member: &Member, postinst: &[u8]) -> Record {
    // Groups without a fixed number (`_ssh` of ssh-agent) and capabilities come by the package's own script, which names the
    // file then.
    let is_set_later = memchr::memmem::find(postinst, own.recorded_path.as_bytes()).is_some();
    let unless_set = |text: String| Some(text).filter(|_| !is_set_later);
    let attributes = Attributes {
        mode: Some(member.mode).filter(|_| !is_set_later),
        user: unless_set(escape(&member.user)),
        group: unless_set(escape(&member.group)),
        capabilities: unless_set(String::new()),
        ..Attributes::default()
    };
    let is_code = own.kind == RecordKind::File;
    Record {
        source: source.clone(),
        digest: Some(digest),
        attributes: is_code.then(|| Box::new(attributes)),
        ..own.clone()
    }
}
