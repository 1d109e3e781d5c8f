//! Matches the content rules of every family against the bytes of one file, in one pass.
//!
//! Seven fixed bytes of each string and pattern are searched for, all at once; where they are found, the whole pattern, its
//! bounds and its sections are verified. Shorter ones are searched for only in a file in which everything else of their rule
//! was found: they stand in half of all programs. What an ELF part asks for is answered by the view of the same bytes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::family::{Content, Family, Group, Kind, Need, Part, Specificity};
use super::hit::{Hit, Place, Trait};
use super::pattern::{ATOM, Masked};
use super::scope;
use super::search::{Search, Word};
use crate::formats::elf::Elf;
use crate::model::text;

/// Most places recorded of one hit.
pub const MAX_PLACES: usize = 16;
/// Most hits recorded of one file: more than the shipped rules are; a site's own set may be larger.
pub const MAX_HITS: usize = 512;
/// Largest file, in bytes, that a `printable` rule looks at: logs of stolen credentials are small.
pub const PRINTABLE_LIMIT: usize = 1 << 20;
/// Most bytes of a place that are recorded.
const MAX_EXCERPT: usize = 64;

/// The content rules of all families, ready to match.
#[derive(Debug)]
pub struct Engine {
    search: Search,
    /// Word → the patterns found by it.
    by_word: Vec<Vec<Probe>>,
    patterns: Vec<Pattern>,
    /// How everything is searched for, once that was necessary.
    thorough: OnceLock<Thorough>,
    slots: Vec<Slot>,
    /// Distinct lists of section names.
    scopes: Vec<Vec<String>>,
    /// Slots of each group that is bounded by a distance.
    windows: Vec<Window>,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    family: String,
    indicator: String,
    specificity: Specificity,
    content: Content,
    /// First slot of each group; the byte parts of a group have consecutive slots, in their order.
    first_slots: Vec<usize>,
    /// Whether one of its slots is short.
    short: bool,
}

/// Where a byte part may stand.
#[derive(Debug)]
struct Slot {
    scope: Option<usize>,
    whole: bool,
    window: Option<usize>,
    /// Whether one of its spellings, or of its neighbours' in the same window, is too short for the search.
    short: bool,
}

#[derive(Debug)]
struct Window {
    slots: Range<usize>,
    width: usize,
}

/// One spelling of a byte part.
#[derive(Debug)]
struct Pattern {
    slot: usize,
    bytes: Masked,
}

/// A pattern by some of its bytes.
#[derive(Debug)]
struct Probe {
    pattern: usize,
    /// How far they stand after its start.
    before: usize,
}

/// The search for every pattern, the short ones too.
#[derive(Debug)]
struct Thorough {
    automaton: AhoCorasick,
    /// Atom → the patterns found by it.
    by_atom: Vec<Vec<Probe>>,
}

impl Thorough {
    fn new(patterns: &[Pattern]) -> Self {
        let atoms: Index<ATOM> = patterns.iter().enumerate().map(|(at, pattern)| (at, pattern.bytes.atom())).collect();
        // A panic here costs the file its answer and is told; an automaton left out would be taken for a clean file.
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&atoms.keys)
            .expect("literals of four bytes fit an automaton");
        Self { automaton, by_atom: atoms.probes }
    }
}

/// Patterns by fixed bytes of theirs.
struct Index<const LENGTH: usize> {
    keys: Vec<[u8; LENGTH]>,
    /// Key → the patterns found by it.
    probes: Vec<Vec<Probe>>,
}

impl<const LENGTH: usize> FromIterator<(usize, (usize, [u8; LENGTH]))> for Index<LENGTH> {
    fn from_iter<I: IntoIterator<Item = (usize, (usize, [u8; LENGTH]))>>(patterns: I) -> Self {
        let mut by_key: BTreeMap<[u8; LENGTH], Vec<Probe>> = BTreeMap::new();
        for (pattern, (before, key)) in patterns {
            by_key.entry(key).or_default().push(Probe { pattern, before });
        }
        let (keys, probes) = by_key.into_iter().unzip();
        Self { keys, probes }
    }
}

/// What was found of one file so far.
struct Found {
    /// By slot: the first place; of a slot with a window, the first place at which the window held.
    places: Vec<Option<Range<usize>>>,
    /// By slot with a window: the latest place.
    latest: Vec<Option<Range<usize>>>,
    /// By scope: the ranges of the file, once asked for.
    ranges: Vec<Option<Vec<Range<usize>>>>,
}

impl Engine {
    /// Compiles the content rules of `families`.
    #[must_use]
    pub fn new(families: &[Family]) -> Self {
        let mut draft = Draft::default();
        for family in families {
            for indicator in &family.indicators {
                if let Kind::Content(content) = &indicator.kind {
                    let first = draft.slots.len();
                    let first_slots = content.groups.iter().map(|group| draft.add(group)).collect();
                    draft.rules.push(Rule {
                        family: family.id.clone(),
                        indicator: indicator.id.clone(),
                        specificity: indicator.specificity,
                        content: content.clone(),
                        first_slots,
                        short: draft.slots.iter().skip(first).any(|slot| slot.short),
                    });
                }
            }
        }
        let words: Index<{ size_of::<Word>() }> =
            draft.patterns.iter().enumerate().filter_map(|(at, pattern)| Some((at, pattern.bytes.word()?))).collect();
        Self {
            search: Search::new(&words.keys),
            by_word: words.probes,
            patterns: draft.patterns,
            thorough: OnceLock::new(),
            slots: draft.slots,
            scopes: draft.scopes,
            windows: draft.windows,
            rules: draft.rules,
        }
    }

    /// Number of content rules.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.rules.len()
    }

    /// Bytes of memory that its search takes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.search.memory()
    }

    /// Every rule that the file matches, in the order of the families; at most [`MAX_HITS`].
    #[must_use]
    pub fn match_bytes(&self, bytes: &[u8], elf: Option<&Elf<'_>>) -> Vec<Hit> {
        let mut found = self.nothing_found();
        self.search.all(bytes, |word, at| {
            self.verify_each(self.by_word.get(word), at, bytes, elf, &mut found);
        });
        if self.rules.iter().any(|rule| rule.short && rule.may_hit(elf, &found, Some(&self.slots))) {
            let thorough = self.thorough.get_or_init(|| Thorough::new(&self.patterns));
            found = self.nothing_found();
            for at in thorough.automaton.find_overlapping_iter(bytes) {
                let probes = thorough.by_atom.get(at.pattern().as_usize());
                self.verify_each(probes, at.start(), bytes, elf, &mut found);
            }
        }
        let hits = self.rules.iter().filter_map(|rule| rule.hit(bytes, elf, &found));
        hits.take(MAX_HITS).collect()
    }

    fn nothing_found(&self) -> Found {
        Found {
            places: vec![None; self.slots.len()],
            latest: vec![None; self.slots.len()],
            ranges: vec![None; self.scopes.len()],
        }
    }

    /// Verifies the patterns some bytes of which were found at `at`.
    fn verify_each(
        &self,
        probes: Option<&Vec<Probe>>,
        at: usize,
        bytes: &[u8],
        elf: Option<&Elf<'_>>,
        found: &mut Found,
    ) {
        for probe in probes.into_iter().flatten() {
            if let (Some(pattern), Some(start)) = (self.patterns.get(probe.pattern), at.checked_sub(probe.before)) {
                self.verify(pattern, start, bytes, elf, found);
            }
        }
    }

    fn verify(&self, pattern: &Pattern, start: usize, bytes: &[u8], elf: Option<&Elf<'_>>, found: &mut Found) {
        let Some(slot) = self.slots.get(pattern.slot) else { return };
        if found.places.get(pattern.slot).is_none_or(Option::is_some) || !pattern.bytes.stands_at(bytes, start) {
            return;
        }
        let place = start..start.saturating_add(pattern.bytes.len());
        let bounds = match slot.scope {
            None => Some(0..bytes.len()),
            Some(scope) => {
                let Some(ranges) = found.ranges.get_mut(scope) else { return };
                let names = self.scopes.get(scope).map_or(&[][..], Vec::as_slice);
                let ranges = ranges.get_or_insert_with(|| elf.map(|elf| scope::ranges(elf, names)).unwrap_or_default());
                ranges.iter().find(|range| range.start <= place.start && place.end <= range.end).cloned()
            }
        };
        let Some(bounds) = bounds else { return };
        if slot.whole && !is_whole(bytes, &place, &bounds) {
            return;
        }
        match slot.window.and_then(|window| self.windows.get(window)) {
            None => {
                if let Some(first) = found.places.get_mut(pattern.slot) {
                    *first = Some(place);
                }
            }
            Some(window) => {
                if let Some(latest) = found.latest.get_mut(pattern.slot) {
                    *latest = Some(place.clone());
                }
                // Words come in the order of the file, so each part's latest place is the best candidate.
                let near = |other: &Option<Range<usize>>| {
                    other.as_ref().is_some_and(|other| other.start.abs_diff(place.start) <= window.width)
                };
                let all = found.latest.get(window.slots.clone()).is_some_and(|all| all.iter().all(near));
                if all {
                    for slot in window.slots.clone() {
                        let latest = found.latest.get(slot).cloned().flatten();
                        if let Some(first) = found.places.get_mut(slot) {
                            *first = latest;
                        }
                    }
                }
            }
        }
    }
}

/// Whether NUL bytes, or the bounds, stand before and after `place`.
fn is_whole(bytes: &[u8], place: &Range<usize>, bounds: &Range<usize>) -> bool {
    let before = place.start == bounds.start
        || place.start.checked_sub(1).and_then(|at| bytes.get(at)).is_some_and(|byte| *byte == 0);
    let after = place.end == bounds.end || bytes.get(place.end) == Some(&0);
    before && after
}

impl Rule {
    /// Whether it matches, should everything that was not asked yet be there: what the symbols say and, with `short`, what
    /// only the thorough search finds.
    fn may_hit(&self, elf: Option<&Elf<'_>>, found: &Found, short: Option<&[Slot]>) -> bool {
        let is_open = |slot: usize| short.is_some_and(|slots| slots.get(slot).is_some_and(|slot| slot.short));
        let is_found = |slot: usize| found.places.get(slot).is_some_and(Option::is_some);
        let groups = self.content.groups.iter().zip(&self.first_slots);
        let mut each = groups.map(|(group, first)| {
            let byte_parts = group.parts.iter().filter(|part| matches!(part, Part::Bytes(_))).count();
            let slots = *first..first.saturating_add(byte_parts);
            let open = slots.clone().filter(|slot| is_open(*slot)).count();
            let seen = slots.filter(|slot| !is_open(*slot) && is_found(*slot)).count();
            let at_most = seen.saturating_add(open).saturating_add(group.parts.len().saturating_sub(byte_parts));
            match group.need {
                Need::All => at_most == group.parts.len(),
                Need::None => seen == 0,
                Need::AtLeast(n) => at_most >= n,
            }
        });
        (elf.is_some() || !self.content.elf) && each.all(|may| may)
    }

    fn hit(&self, bytes: &[u8], elf: Option<&Elf<'_>>, found: &Found) -> Option<Hit> {
        let content = &self.content;
        // The symbols are searched only where the bytes agree.
        if !self.may_hit(elf, found, None) {
            return None;
        }
        let mut places = Vec::new();
        let mut traits = Vec::new();
        for (group, first) in content.groups.iter().zip(&self.first_slots) {
            if !holds(group, *first, elf, found, &mut places, &mut traits) {
                return None;
            }
        }
        if content.printable && !is_printable(bytes, content.subtract) {
            return None;
        }
        let shown = |place: Range<usize>| Place {
            offset: u64::try_from(place.start).unwrap_or(u64::MAX),
            length: u64::try_from(place.len()).unwrap_or(u64::MAX),
            hex: match bytes.get(place) {
                // Bytes under a cipher belong to a log of stolen credentials: facts never hold secrets.
                Some(excerpt) if content.subtract == 0 => text::hex(excerpt.get(..MAX_EXCERPT).unwrap_or(excerpt)),
                _ => String::new(),
            },
        };
        Some(Hit {
            family: self.family.clone(),
            indicator: self.indicator.clone(),
            specificity: self.specificity,
            places: places.into_iter().take(MAX_PLACES).map(shown).collect(),
            traits,
        })
    }
}

/// Whether enough of the group's parts are there; adds what was seen of them.
fn holds(
    group: &Group,
    first_slot: usize,
    elf: Option<&Elf<'_>>,
    found: &Found,
    places: &mut Vec<Range<usize>>,
    traits: &mut Vec<Trait>,
) -> bool {
    let mut slot = first_slot;
    let mut count = 0usize;
    for part in &group.parts {
        let seen = if matches!(part, Part::Bytes(_)) {
            let place = found.places.get(slot).cloned().flatten();
            slot = slot.saturating_add(1);
            place.map(|place| places.push(place)).is_some()
        } else {
            elf.and_then(|elf| trait_of(part, elf)).map(|seen| traits.push(seen)).is_some()
        };
        count = count.saturating_add(usize::from(seen));
    }
    match group.need {
        Need::All => count == group.parts.len(),
        Need::None => count == 0,
        Need::AtLeast(n) => count >= n,
    }
}

/// What the file shows of an ELF part, if it is there.
fn trait_of(part: &Part, elf: &Elf<'_>) -> Option<Trait> {
    let named = |name: &[u8], detail: &str| Trait { name: text::escape(name), detail: detail.to_owned() };
    match part {
        Part::Bytes(_) => None,
        Part::Import(name) => elf.imports().find(|own| *own == name.as_bytes()).map(|own| named(own, "imported")),
        Part::Export(name) => elf.exports().find(|own| *own == name.as_bytes()).map(|own| named(own, "exported")),
        Part::Soname(names) => {
            let soname = scope::soname(elf)?;
            names.iter().any(|name| name.as_bytes() == soname).then(|| named(soname, "DT_SONAME"))
        }
        Part::NeededOutside(known) => scope::needed(elf)
            .find(|needed| !known.iter().any(|known| is_known(needed, known)))
            .map(|needed| named(needed, "DT_NEEDED, which the genuine library has not")),
        Part::InitArrayAbove(pointers) => {
            let size = scope::init_array_size(elf);
            (size > pointers.saturating_mul(scope::pointer(elf)))
                .then(|| named(b"DT_INIT_ARRAYSZ", &format!("{size} bytes")))
        }
        Part::CtorsAbove(pointers) => {
            let size = scope::section_size(elf, ".ctors");
            (size > pointers.saturating_mul(scope::pointer(elf))).then(|| named(b".ctors", &format!("{size} bytes")))
        }
    }
}

fn is_known(needed: &[u8], known: &str) -> bool {
    match known.strip_suffix('*') {
        Some(prefix) => needed.starts_with(prefix.as_bytes()),
        None => needed == known.as_bytes(),
    }
}

fn is_printable(bytes: &[u8], subtract: u8) -> bool {
    bytes.len() <= PRINTABLE_LIMIT
        && bytes.iter().all(|byte| matches!(byte.wrapping_sub(subtract), b'\t' | b'\n' | b'\r' | b' '..=b'~'))
}

#[derive(Default)]
struct Draft {
    patterns: Vec<Pattern>,
    slots: Vec<Slot>,
    scopes: Vec<Vec<String>>,
    windows: Vec<Window>,
    rules: Vec<Rule>,
}

impl Draft {
    /// Makes slots for the byte parts of `group`; gives the first.
    fn add(&mut self, group: &Group) -> usize {
        let first = self.slots.len();
        let scope = (!group.sections.is_empty()).then(|| {
            self.scopes.iter().position(|known| *known == group.sections).unwrap_or_else(|| {
                self.scopes.push(group.sections.clone());
                self.scopes.len().saturating_sub(1)
            })
        });
        let window = group.within.map(|_| self.windows.len());
        for part in &group.parts {
            let Part::Bytes(spellings) = part else { continue };
            let slot = self.slots.len();
            let short = spellings.iter().any(|spelling| spelling.word().is_none());
            self.patterns.extend(spellings.iter().map(|bytes| Pattern { slot, bytes: bytes.clone() }));
            self.slots.push(Slot { scope, whole: group.whole, window, short });
        }
        if let Some(width) = group.within {
            let width = usize::try_from(width).unwrap_or(usize::MAX);
            let slots = self.slots.get_mut(first..).unwrap_or_default();
            let short = slots.iter().any(|slot| slot.short);
            slots.iter_mut().for_each(|slot| slot.short = short);
            self.windows.push(Window { slots: first..self.slots.len(), width });
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::knowledge::embedded::FAMILIES;
    use crate::knowledge::load;

    fn embedded() -> Engine {
        let families: Vec<Family> =
            FAMILIES.iter().map(|(name, text)| load::load(name, text.as_bytes()).unwrap()).collect();
        Engine::new(&families)
    }

    /// Every spelling of every rule's byte parts, one after the other: whatever is verified is verified here.
    fn everything(engine: &Engine) -> Vec<u8> {
        let mut bytes = Vec::new();
        for Pattern { bytes: pattern, .. } in &engine.patterns {
            let start = bytes.len();
            bytes.extend((0..pattern.len()).map(|_| 0u8));
            let (before, atom) = pattern.atom();
            bytes[start + before..][..atom.len()].copy_from_slice(&atom);
            if let Some((before, word)) = pattern.word() {
                bytes[start + before..][..word.len()].copy_from_slice(&word);
            }
        }
        bytes
    }

    #[test]
    fn a_file_full_of_beginnings_costs_no_more_than_its_length() {
        let engine = embedded();
        let bytes = everything(&engine).repeat(20);
        let mut verified = 0;
        engine.search.all(&bytes, |word, _| verified += engine.by_word[word].len());
        assert!(verified < bytes.len(), "{verified} verifications for {} bytes", bytes.len());
        assert!(engine.match_bytes(&bytes, None).len() <= MAX_HITS);
    }

    #[test]
    fn places_are_bounded_and_credentials_are_not_kept() {
        let text = "id = 'f'\ntitle = 't'\nyear = 2020\nremediation = 'r'\nevades = 'e'\n\
            [[source]]\nid = 's'\nref = 'r'\nlicence = 'l'\n\
            [[content]]\nid = 'many'\ntitle = 't'\nspecificity = 'weak'\nsource = 's'\nelf = false\n\
            group = [{ strings = ["
            .to_owned()
            + &(0..40).map(|n| format!("'{n:04}'")).collect::<Vec<_>>().join(", ")
            + "] }]\n[[content]]\nid = 'secret'\ntitle = 't'\nspecificity = 'weak'\nsource = 's'\nelf = false\nsubtract = 1\n\
               group = [{ strings = ['abcd'] }]\n";
        let engine = Engine::new(&[load::load("f.toml", text.as_bytes()).unwrap()]);
        let bytes: String = (0..40).map(|n| format!("{n:04}")).collect::<String>() + "bcde";
        let hits = engine.match_bytes(bytes.as_bytes(), None);
        assert_eq!(hits.len(), 2);
        assert_eq!((hits[0].places.len(), hits[0].places[1].hex.as_str()), (MAX_PLACES, "30303031"));
        assert_eq!((hits[1].places[0].offset, hits[1].places[0].hex.as_str()), (160, ""));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn no_bytes_panic(at in any::<usize>(), noise in proptest::collection::vec(any::<u8>(), 0..64), cut in any::<usize>()) {
            thread_local!(static ENGINE: (Engine, Vec<u8>) = {
                let engine = embedded();
                let program = std::env::current_exe().unwrap();
                #[allow(clippy::disallowed_methods, reason = "the test reads itself")]
                let mut bytes = std::fs::read(program).unwrap();
                bytes.truncate(1 << 16);
                bytes.extend(everything(&engine));
                (engine, bytes)
            });
            ENGINE.with(|(engine, bytes)| {
                let mut bytes = bytes.clone();
                let at = at % (bytes.len() - noise.len());
                bytes[at..at + noise.len()].copy_from_slice(&noise);
                bytes.truncate(cut % bytes.len() + 1);
                let elf = Elf::parse(&bytes).ok();
                let _ = engine.match_bytes(&bytes, elf.as_ref());
            });
        }
    }
}
