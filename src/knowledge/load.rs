//! Reads the file of one family (docs/signatures.md). Every problem names file, line and column.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use toml::Spanned;

use super::encoding;
use super::family::{
    Content, Family, Group, Indicator, Kind, Need, Observation, PackageRule, Part, PathRule, PathType, PlacePattern,
    Source, Specificity, Unobserved,
};
use super::pattern::{self, Masked};
use crate::model::{Algorithm, Digest, text};

/// Why a file of a family was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// Name of the file as given.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong, without a full stop.
    pub message: String,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", text::escape(self.file.as_bytes()), self.line, self.column, self.message)
    }
}

impl std::error::Error for LoadError {}

/// The family that the bytes of `file` describe.
///
/// # Errors
/// Everything that is wrong with it; of a file that is no TOML, the first mistake.
pub fn load(file: &str, bytes: &[u8]) -> Result<Family, Vec<LoadError>> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let valid = String::from_utf8_lossy(valid);
            return Err(vec![place(file, &valid, valid.len(), "not UTF-8".to_owned())]);
        }
    };
    let raw: RawFamily = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        vec![place(file, text, at, error.message().replace('\n', ", "))]
    })?;
    let mut problems = Problems { file, text, found: Vec::new() };
    let family = raw.build(&mut problems);
    if problems.found.is_empty() { Ok(family) } else { Err(problems.found) }
}

fn place(file: &str, text: &str, at: usize, message: String) -> LoadError {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
    LoadError {
        file: file.to_owned(),
        line: before.matches('\n').count().saturating_add(1),
        column: before.get(line_start..).unwrap_or_default().chars().count().saturating_add(1),
        message,
    }
}

struct Problems<'a> {
    file: &'a str,
    text: &'a str,
    found: Vec<LoadError>,
}

impl Problems<'_> {
    fn add<T>(&mut self, at: &Spanned<T>, message: impl Into<String>) {
        self.found.push(place(self.file, self.text, at.span().start, message.into()));
    }

    fn decoded(&mut self, stored: &Spanned<String>) -> Vec<u8> {
        encoding::decode(stored.get_ref()).unwrap_or_else(|| {
            self.add(stored, "encoded value is not hexadecimal");
            Vec::new()
        })
    }

    fn all_decoded(&mut self, stored: &[Spanned<String>]) -> Vec<Vec<u8>> {
        stored.iter().map(|value| self.decoded(value)).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFamily {
    id: Spanned<String>,
    title: String,
    year: u16,
    #[serde(default)]
    attack: Vec<Spanned<String>>,
    remediation: String,
    evades: String,
    #[serde(rename = "source")]
    sources: Vec<Source>,
    #[serde(default)]
    digest: Vec<RawDigest>,
    #[serde(default)]
    content: Vec<RawContent>,
    #[serde(default)]
    path: Vec<RawPath>,
    #[serde(default)]
    socket: Vec<RawNames>,
    #[serde(default)]
    mapping: Vec<RawNames>,
    #[serde(default)]
    package: Vec<RawPackage>,
    #[serde(default)]
    unobserved: Vec<RawUnobserved>,
}

/// The head that every indicator has; serde's `flatten` would lose the places of its values.
macro_rules! raw {
    ($name:ident { $($body:tt)* }) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        struct $name {
            id: Spanned<String>,
            title: String,
            specificity: Specificity,
            source: Spanned<String>,
            $($body)*
        }

        impl $name {
            fn head(&self) -> Head<'_> {
                Head { id: &self.id, title: &self.title, specificity: self.specificity, source: &self.source }
            }
        }
    };
}

struct Head<'a> {
    id: &'a Spanned<String>,
    title: &'a str,
    specificity: Specificity,
    source: &'a Spanned<String>,
}

raw!(RawDigest {
    #[serde(default)]
    md5: Vec<Spanned<String>>,
    #[serde(default)]
    sha1: Vec<Spanned<String>>,
    #[serde(default)]
    sha256: Vec<Spanned<String>>,
});

raw!(RawContent {
    #[serde(default = "yes")]
    elf: bool,
    #[serde(default)]
    subtract: u8,
    #[serde(default)]
    printable: bool,
    #[serde(default)]
    group: Vec<RawGroup>,
});

raw!(RawPath {
    #[serde(default)]
    paths: Vec<Spanned<String>>,
    #[serde(default)]
    names: Vec<Spanned<String>>,
    #[serde(default)]
    dirs: Vec<Spanned<String>>,
    #[serde(default)]
    unowned: bool,
    #[serde(rename = "type")]
    file_type: Option<PathType>,
    #[serde(default)]
    mode: u32,
    uid: Option<u32>,
    max_size: Option<u64>,
    #[serde(default)]
    content: Vec<Spanned<String>>,
});

raw!(RawNames { names: Vec<Spanned<String>>, });

raw!(RawPackage {
    names: Vec<String>,
    upstream: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
});

raw!(RawUnobserved {
    needs: Observation,
    #[serde(default)]
    values: Vec<Spanned<String>>,
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawGroup {
    #[serde(default = "all")]
    need: Spanned<RawNeed>,
    #[serde(default)]
    sections: Vec<String>,
    #[serde(default)]
    whole: bool,
    within: Option<u64>,
    #[serde(default)]
    strings: Vec<Spanned<String>>,
    #[serde(default)]
    bytes: Vec<Spanned<String>>,
    #[serde(default)]
    imports: Vec<String>,
    #[serde(default)]
    exports: Vec<Spanned<String>>,
    soname: Option<Vec<String>>,
    needed_outside: Option<Vec<String>>,
    init_array_above: Option<u64>,
    ctors_above: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawNeed {
    Word(String),
    Number(usize),
}

const fn yes() -> bool {
    true
}

fn all() -> Spanned<RawNeed> {
    Spanned::new(0..0, RawNeed::Word("all".to_owned()))
}

impl RawFamily {
    fn build(self, problems: &mut Problems<'_>) -> Family {
        if !is_kebab_case(self.id.get_ref()) {
            problems.add(&self.id, format!("`{}` is not kebab-case", self.id.get_ref()));
        }
        for id in &self.attack {
            if !is_technique(id.get_ref()) {
                problems.add(id, format!("`{}` is no ATT&CK technique id", id.get_ref()));
            }
        }
        let sources: BTreeSet<String> = self.sources.iter().map(|source| source.id.clone()).collect();
        let mut shelf = Shelf { sources, seen: BTreeSet::new(), indicators: Vec::new() };
        for raw in &self.digest {
            let kind = raw.build(problems);
            shelf.put(&raw.head(), kind, problems);
        }
        for raw in &self.content {
            let kind = raw.build(problems);
            shelf.put(&raw.head(), kind, problems);
        }
        for raw in &self.path {
            let kind = raw.build(&shelf, problems);
            shelf.put(&raw.head(), kind, problems);
        }
        for raw in &self.socket {
            let names = problems.all_decoded(&raw.names);
            shelf.put(&raw.head(), Kind::Socket(names), problems);
        }
        for raw in &self.mapping {
            let names = problems.all_decoded(&raw.names);
            shelf.put(&raw.head(), Kind::Mapping(names), problems);
        }
        for raw in &self.package {
            let rule =
                PackageRule { names: raw.names.clone(), upstream: raw.upstream.clone(), except: raw.except.clone() };
            shelf.put(&raw.head(), Kind::Package(rule), problems);
        }
        for raw in &self.unobserved {
            let values = problems.all_decoded(&raw.values);
            shelf.put(&raw.head(), Kind::Unobserved(Unobserved { needs: raw.needs, values }), problems);
        }
        if shelf.indicators.is_empty() {
            problems.add(&self.id, "the family has no indicator");
        }
        Family {
            id: self.id.into_inner(),
            title: self.title,
            year: self.year,
            attack: self.attack.into_iter().map(Spanned::into_inner).collect(),
            remediation: self.remediation,
            evades: self.evades,
            sources: self.sources,
            indicators: shelf.indicators,
        }
    }
}

/// The indicators read so far, and what those still to come may name.
struct Shelf {
    sources: BTreeSet<String>,
    seen: BTreeSet<String>,
    indicators: Vec<Indicator>,
}

impl Shelf {
    fn put(&mut self, head: &Head<'_>, kind: Kind, problems: &mut Problems<'_>) {
        let id = head.id.get_ref();
        if !is_kebab_case(id) {
            problems.add(head.id, format!("`{id}` is not kebab-case"));
        }
        if !self.seen.insert(id.clone()) {
            problems.add(head.id, format!("the family has two indicators `{id}`"));
        }
        if !self.sources.contains(head.source.get_ref()) {
            problems.add(head.source, format!("the family has no source `{}`", head.source.get_ref()));
        }
        if head.specificity == Specificity::Auxiliary && !matches!(kind, Kind::Content(_)) {
            problems.add(head.id, "only a content indicator can be auxiliary");
        }
        self.indicators.push(Indicator {
            id: id.clone(),
            title: head.title.to_owned(),
            specificity: head.specificity,
            source: head.source.get_ref().clone(),
            kind,
        });
    }
}

impl RawDigest {
    fn build(&self, problems: &mut Problems<'_>) -> Kind {
        let mut digests = Vec::new();
        for (algorithm, values) in
            [(Algorithm::Md5, &self.md5), (Algorithm::Sha1, &self.sha1), (Algorithm::Sha256, &self.sha256)]
        {
            for value in values {
                match Digest::from_hex(algorithm, value.get_ref()) {
                    Some(digest) => digests.push(digest),
                    None => problems.add(value, format!("not the hexadecimal of a {algorithm} digest")),
                }
            }
        }
        if digests.is_empty() {
            problems.add(&self.id, "no digest");
        }
        Kind::Digest(digests)
    }
}

impl RawContent {
    fn build(&self, problems: &mut Problems<'_>) -> Kind {
        let groups: Vec<Group> = self.group.iter().map(|group| group.build(self, problems)).collect();
        if groups.iter().all(|group| group.need == Need::None) {
            problems.add(&self.id, "no group demands that something be there");
        }
        // Sections and ELF parts are found in ELF files only: `elf` would be a condition without effect.
        Kind::Content(Content {
            elf: self.elf && !groups.iter().any(demands_elf),
            subtract: self.subtract,
            printable: self.printable,
            groups,
        })
    }
}

/// Whether the group can hold in ELF files only.
fn demands_elf(group: &Group) -> bool {
    let elf_parts = group.parts.iter().filter(|part| !matches!(part, Part::Bytes(_))).count();
    match group.need {
        Need::None => false,
        Need::All => !group.sections.is_empty() || elf_parts > 0,
        Need::AtLeast(n) => !group.sections.is_empty() || group.parts.len().saturating_sub(elf_parts) < n,
    }
}

impl RawGroup {
    fn build(&self, content: &RawContent, problems: &mut Problems<'_>) -> Group {
        let parts = self.parts(content.subtract, problems);
        let looks_at_elf = !self.sections.is_empty() || parts.iter().any(|part| !matches!(part, Part::Bytes(_)));
        if looks_at_elf && !content.elf {
            problems.add(&content.id, "a group looks at ELF structure, so `elf` must be true");
        }
        let need = match self.need.get_ref() {
            RawNeed::Word(word) if word == "all" => Need::All,
            RawNeed::Word(word) if word == "any" => Need::AtLeast(1),
            RawNeed::Word(word) if word == "none" => Need::None,
            RawNeed::Number(n) if (1..=parts.len()).contains(n) => Need::AtLeast(*n),
            RawNeed::Number(n) => {
                problems.add(&self.need, format!("{n} of {} parts cannot be needed", parts.len()));
                Need::All
            }
            RawNeed::Word(_) => {
                problems.add(&self.need, "expected `all`, `any`, `none` or a number");
                Need::All
            }
        };
        if parts.is_empty() {
            problems.add(&content.id, "a group has no part");
        }
        if self.within.is_some() && (need != Need::All || parts.iter().any(|part| !matches!(part, Part::Bytes(_)))) {
            problems.add(&content.id, "`within` goes with strings and bytes of which all are needed");
        }
        Group { need, sections: self.sections.clone(), whole: self.whole, within: self.within, parts }
    }

    fn parts(&self, subtract: u8, problems: &mut Problems<'_>) -> Vec<Part> {
        // What is searched for in the file as it is, is the wanted byte plus what would be subtracted from the file's.
        let shift = |masked: Masked| masked.map(|byte| byte.wrapping_add(subtract));
        let mut parts = Vec::new();
        for stored in &self.strings {
            let bytes = problems.decoded(stored);
            match Masked::literal(&bytes) {
                Ok(masked) => parts.push(Part::Bytes(vec![shift(masked)])),
                Err(error) => problems.add(stored, error.to_string()),
            }
        }
        for stored in &self.bytes {
            let decoded = problems.decoded(stored);
            match std::str::from_utf8(&decoded).ok().map(pattern::parse) {
                Some(Ok(spellings)) => parts.push(Part::Bytes(spellings.into_iter().map(shift).collect())),
                Some(Err(error)) => problems.add(stored, error.to_string()),
                None => problems.add(stored, "the pattern is not UTF-8"),
            }
        }
        parts.extend(self.imports.iter().cloned().map(Part::Import));
        for stored in &self.exports {
            let decoded = problems.decoded(stored);
            match String::from_utf8(decoded) {
                Ok(name) => parts.push(Part::Export(name)),
                Err(_) => problems.add(stored, "the name is not UTF-8"),
            }
        }
        parts.extend(self.soname.clone().map(Part::Soname));
        parts.extend(self.needed_outside.clone().map(Part::NeededOutside));
        parts.extend(self.init_array_above.map(Part::InitArrayAbove));
        parts.extend(self.ctors_above.map(Part::CtorsAbove));
        parts
    }
}

impl RawPath {
    fn build(&self, shelf: &Shelf, problems: &mut Problems<'_>) -> Kind {
        let mut places = Vec::new();
        for stored in &self.paths {
            let path = problems.decoded(stored);
            match PlacePattern::new(&path) {
                Some(place) => places.push(place),
                None => problems.add(stored, "not an absolute path with `*` in its last component at most"),
            }
        }
        for dir in &self.dirs {
            for name in &self.names {
                let path = [problems.decoded(dir).as_slice(), problems.decoded(name).as_slice()].join(&b'/');
                match PlacePattern::new(&path) {
                    Some(place) => places.push(place),
                    None => problems.add(name, "not a file name in an absolute directory"),
                }
            }
        }
        if places.is_empty() {
            problems.add(&self.id, "no path: give `paths`, or `names` and `dirs`");
        }
        for id in &self.content {
            let known = shelf.indicators.iter().any(|i| i.id == *id.get_ref() && matches!(i.kind, Kind::Content(_)));
            if !known {
                problems.add(id, format!("the family has no content indicator `{}`", id.get_ref()));
            }
        }
        Kind::Path(PathRule {
            places,
            unowned: self.unowned,
            file_type: self.file_type,
            mode: self.mode,
            uid: self.uid,
            max_size: self.max_size,
            content: self.content.iter().map(|id| id.get_ref().clone()).collect(),
        })
    }
}

fn is_kebab_case(id: &str) -> bool {
    !id.is_empty()
        && id
            .split('-')
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
}

fn is_technique(id: &str) -> bool {
    let digits = |text: &str, n: usize| text.len() == n && text.bytes().all(|byte| byte.is_ascii_digit());
    id.strip_prefix('T').is_some_and(|rest| match rest.split_once('.') {
        Some((technique, part)) => digits(technique, 4) && digits(part, 3),
        None => digits(rest, 4),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "id = \"f\"\ntitle = \"t\"\nyear = 2020\nremediation = \"r\"\nevades = \"e\"\n\
                        [[source]]\nid = \"s\"\nref = \"r\"\nlicence = \"l\"\n";
    const PLACE: &str = "id = \"i\"\ntitle = \"t\"\nspecificity = \"strong\"\nsource = \"s\"\n";

    /// A family of one indicator; `expected` is the line (after the head's), the column and the beginning of the message.
    fn check(table: &str, body: &str, expected: (usize, usize, &str)) {
        let text = format!("{HEAD}[[{table}]]\n{PLACE}{body}");
        let errors = load("x.toml", text.as_bytes()).unwrap_err();
        let error = &errors[0];
        let line = error.line.saturating_sub(HEAD.lines().count() + PLACE.lines().count() + 1);
        assert_eq!((line, error.column), (expected.0, expected.1), "{error}");
        assert!(error.message.starts_with(expected.2), "{error}");
        assert!(error.to_string().starts_with("x.toml:"), "{error}");
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        check("digest", "md5 = [\"00\"]", (1, 8, "not the hexadecimal of a md5 digest"));
        check("digest", "sha1 = []", (0, 6, "no digest"));
        check("content", "group = [{ bytes = [\"1122g3\"] }]", (1, 21, "unexpected character at offset 4"));
        check("content", "group = [{ strings = [\"ab\"] }]", (1, 23, "no 4 fixed bytes"));
        check("content", "group = [{ strings = [\"x:0\"] }]", (1, 23, "encoded value is not hexadecimal"));
        check("content", "group = [{ strings = [\"abcd\"], need = 2 }]", (1, 39, "2 of 1 parts"));
        check("content", "group = [{ strings = [\"abcd\"], need = \"most\" }]", (1, 39, "expected `all`"));
        check("content", "group = [{ strings = [\"abcd\"], need = \"none\" }]", (0, 6, "no group demands"));
        check("content", "elf = false\ngroup = [{ imports = [\"abcd\"] }]", (0, 6, "a group looks at ELF"));
        check("content", "group = [{ need = \"any\", within = 9, strings = [\"abcd\"] }]", (0, 6, "`within` goes"));
        check("content", "colour = 1", (1, 1, "unknown field `colour`"));
        check("path", "paths = [\"tmp/x\"]", (1, 10, "not an absolute path"));
        check("path", "names = [\"x\"]", (0, 6, "no path"));
        check("path", "paths = [\"/x\"]\ncontent = [\"gone\"]", (2, 12, "the family has no content indicator `gone`"));
        check("unobserved", "needs = \"dreams\"", (1, 9, "unknown variant `dreams`"));
    }

    #[test]
    fn heads_are_checked() {
        let check = |text: String, message: &str| {
            let errors = load("x.toml", text.as_bytes()).unwrap_err();
            assert!(errors.iter().any(|error| error.message.contains(message)), "{message}: {errors:?}");
        };
        let digest = "[[digest]]\nid = \"i\"\ntitle = \"t\"\nspecificity = \"strong\"\nsource = \"s\"\nmd5 = [\"00000000000000000000000000000000\"]\n";
        assert!(load("x.toml", format!("{HEAD}{digest}").as_bytes()).is_ok());
        check(format!("{HEAD}{digest}{digest}"), "two indicators `i`");
        check(format!("{HEAD}{digest}").replace("source = \"s\"", "source = \"u\""), "no source `u`");
        check(format!("{HEAD}{digest}").replace("id = \"f\"", "id = \"F\""), "`F` is not kebab-case");
        check(format!("attack = [\"T15\"]\n{HEAD}{digest}"), "`T15` is no ATT&CK technique");
        check(format!("{HEAD}{digest}").replace("\"strong\"", "\"auxiliary\""), "only a content indicator");
        check(HEAD.to_owned(), "no indicator");
        let error = load("x.toml", b"id = \"a\xff").unwrap_err();
        assert_eq!((error[0].line, error[0].column, error[0].message.as_str()), (1, 8, "not UTF-8"));
        assert!(load("x.toml", b"id = ").is_err());
    }

    proptest! {
        #[test]
        fn no_file_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = load("x.toml", &bytes);
        }

        #[test]
        fn no_mutated_family_panics(at in 0usize..4000, byte in any::<u8>(), cut in 0usize..4000) {
            let (name, text) = super::super::embedded::FAMILIES[0];
            let mut bytes = text.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            bytes.truncate(cut.max(1));
            let _ = load(name, &bytes);
        }
    }
}
