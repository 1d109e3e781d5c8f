//! Alternatives on the way to files looked at: a path that leads through `/etc/alternatives`.

use super::Asked;
use super::out::{Out, path};
use crate::facts::package::Alternative;
use crate::formats::dpkg::alternatives::{Group, parse};
use crate::model::RootedPath;
use crate::model::text::escape;

/// Records the alternative behind each path that was asked for and is one.
pub(super) fn observe(asked: &Asked<'_>, out: &mut Out) {
    let links = path("/etc/alternatives");
    for (question, target) in &asked.files.links {
        let Some(name) = alternative_name(asked, question, &links) else { continue };
        let found = find_group(asked, question, &name, out);
        let (source, group, link) = match found {
            Some((source, group, link)) => (Some(source), group, link),
            None => (None, Group::default(), Vec::new()),
        };
        let choices = group
            .targets(&link)
            .map(|choice| asked.root.canonical(choice).unwrap_or_else(|_| asked.aliases.normalise(choice)))
            .collect();
        let alternative =
            Alternative { name: escape(&name), target: target.clone(), source, automatic: group.automatic, choices };
        out.facts.alternatives.insert(question.clone(), alternative);
    }
}

/// The name under `/etc/alternatives` that `question` is a link to.
fn alternative_name(asked: &Asked<'_>, question: &RootedPath, links: &RootedPath) -> Option<Vec<u8>> {
    let directory = asked.root.canonical(&question.parent()?).ok()?;
    let target = asked.root.read_link(&directory.join(question.file_name())?).ok()??;
    let target = directory.join(&target)?;
    (target.parent()? == *links).then(|| target.file_name().to_vec())
}

/// The group that holds the link `name`: usually the file of that name; for slaves some other file.
fn find_group(
    asked: &Asked<'_>,
    question: &RootedPath,
    name: &[u8],
    out: &mut Out,
) -> Option<(RootedPath, Group, Vec<u8>)> {
    let place = path("/var/lib/dpkg/alternatives");
    let mut names = out.list(asked.root, &place)?;
    names.sort_by_key(|candidate| candidate != name);
    for candidate in names {
        let source = place.join(&candidate)?;
        let Some(snapshot) = out.read(asked.root, &source) else { continue };
        let (group, problems) = parse(snapshot.bytes());
        let normal = asked.aliases.normalise(question);
        let link = group
            .links
            .iter()
            .find(|link| asked.aliases.normalise(&link.path) == normal && (link.name == name || candidate == name));
        if let Some(link) = link.cloned() {
            out.problems(&source, &problems);
            return Some((source, group, link.name));
        }
    }
    None
}
