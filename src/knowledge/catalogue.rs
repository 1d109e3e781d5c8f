//! The families as a document (`docs/known-backdoors.md`): what each is known by, where its fixtures are, what evades it. No
//! value that is searched for is shown.

use std::fmt::Write as _;

use super::family::{Content, Family, Group, Indicator, Kind, Need, Part, PathRule, PathType, Specificity};
use crate::model::{Algorithm, Digest};

/// The document, in Markdown.
#[must_use]
pub fn catalogue(date: &str, families: &[Family]) -> String {
    let mut out = format!(
        "# Known backdoors\n\n\
         {} families, knowledge of {date}. Made from `signatures/` by `SSHPROOF_UPDATE=1 cargo test --test backdoor`; a test \
         fails when it is not up to date. The language and the weights are explained in [signatures.md](signatures.md). \
         Values are not shown, so that this page is not taken for what it describes; `sshproof signatures list ID` shows \
         them.\n\n\
         | family | since | decisive | strong | weaker | not looked for |\n|---|---|---|---|---|---|\n",
        families.len()
    );
    for family in families {
        let count = |wanted: &dyn Fn(&Indicator) -> bool| family.indicators.iter().filter(|i| wanted(i)).count();
        let observed = |indicator: &Indicator| !matches!(indicator.kind, Kind::Unobserved(_));
        let decisive = count(&|i| observed(i) && i.specificity == Specificity::Decisive);
        let strong = count(&|i| observed(i) && i.specificity == Specificity::Strong);
        let weaker = count(&|i| observed(i) && matches!(i.specificity, Specificity::Moderate | Specificity::Weak));
        let unobserved = count(&|i| !observed(i));
        let _ = writeln!(
            out,
            "| [{}](#{}) | {} | {decisive} | {strong} | {weaker} | {unobserved} |",
            family.id, family.id, family.year
        );
    }
    for family in families {
        out.push('\n');
        out.push_str(&section(family));
    }
    out
}

fn section(family: &Family) -> String {
    let mut out = format!(
        "## {}\n\n{} ({}). ATT&CK: {}. Fixtures: [`tests/backdoor/families/{}.toml`](../tests/backdoor/families/{}.toml).\n\n\
         | indicator | weight | what it is | looks for | source |\n|---|---|---|---|---|\n",
        family.id,
        family.title,
        family.year,
        family.attack.join(", "),
        family.id,
        family.id
    );
    for indicator in &family.indicators {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            indicator.id,
            indicator.specificity,
            indicator.title,
            describe(&indicator.kind),
            indicator.source
        );
    }
    let sources: Vec<String> = family
        .sources
        .iter()
        .map(|source| format!("{}: {} ({})", source.id, source.reference, source.licence))
        .collect();
    let _ = write!(out, "\nEvades it: {}\n\nSources: {}.\n", family.evades, sources.join("; "));
    out
}

/// What an indicator looks for, in words and numbers, without the values.
#[must_use]
pub fn describe(kind: &Kind) -> String {
    match kind {
        Kind::Digest(digests) => {
            let of =
                |algorithm: Algorithm| digests.iter().filter(|digest| Digest::algorithm(digest) == algorithm).count();
            let known =
                [Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256].map(|algorithm| (algorithm, of(algorithm)));
            let some = known.iter().filter(|(_, count)| *count > 0);
            let words: Vec<String> = some.map(|(algorithm, count)| format!("{count} {algorithm}")).collect();
            format!("{} of whole files", words.join(", "))
        }
        Kind::Content(content) => content_words(content),
        Kind::Path(rule) => path_words(rule),
        Kind::Socket(names) => format!("{} abstract sockets", names.len()),
        Kind::Mapping(names) => format!("{} file names mapped by an SSH server", names.len()),
        Kind::Package(rule) => format!("{} packages, versions {}", rule.names.len(), rule.upstream.join(", ")),
        Kind::Unobserved(rule) => format!("not looked for: needs {}", rule.needs.name()),
    }
}

fn content_words(content: &Content) -> String {
    let mut words: Vec<String> = content.groups.iter().map(group_words).collect();
    if content.subtract != 0 {
        words.push(format!("each byte less {}", content.subtract));
    }
    if content.printable {
        words.push("the whole file printable".to_owned());
    }
    if content.elf {
        words.push("in an ELF file".to_owned());
    }
    words.join("; ")
}

fn group_words(group: &Group) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for part in &group.parts {
        let kind = match part {
            Part::Bytes(spellings) if spellings.len() > 1 => "pattern",
            Part::Bytes(_) => "byte string",
            Part::Import(_) => "import",
            Part::Export(_) => "export",
            Part::Soname(_) => "soname",
            Part::NeededOutside(_) => "foreign DT_NEEDED",
            Part::InitArrayAbove(_) => "size of DT_INIT_ARRAY",
            Part::CtorsAbove(_) => "size of .ctors",
        };
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => kinds.push((kind, 1)),
        }
    }
    let parts: Vec<String> = kinds
        .iter()
        .map(|(kind, count)| if *count == 1 { format!("1 {kind}") } else { format!("{count} {kind}s") })
        .collect();
    let parts = parts.join(", ");
    let mut words = match group.need {
        Need::All => parts,
        Need::None => format!("none of {parts}"),
        Need::AtLeast(n) => format!("{n} of {parts}"),
    };
    if group.whole {
        words.push_str(", whole");
    }
    if let Some(width) = group.within {
        let _ = write!(words, ", within {width} bytes");
    }
    if !group.sections.is_empty() {
        let _ = write!(words, ", in {}", group.sections.join(" or "));
    }
    words
}

fn path_words(rule: &PathRule) -> String {
    let mut words = vec![match rule.places.len() {
        1 => "1 path".to_owned(),
        count => format!("{count} paths"),
    }];
    words.push(if rule.unowned { "known to belong to no package" } else { "of no package" }.to_owned());
    match rule.file_type {
        Some(PathType::File) => words.push("a file".to_owned()),
        Some(PathType::Directory) => words.push("a directory".to_owned()),
        None => {}
    }
    if rule.mode != 0 {
        words.push(format!("mode has {:04o}", rule.mode));
    }
    words.extend(rule.uid.map(|uid| format!("owner {uid}")));
    words.extend(rule.max_size.map(|size| format!("at most {size} bytes")));
    if !rule.content.is_empty() {
        words.push(format!("content as {}", rule.content.join(" or ")));
    }
    words.join(", ")
}
