//! What the dynamic loader had to write into the words of every module: the rule for each word, computed from the files.

use goblin::elf::section_header::SHN_ABS;

use super::lookup::{Budget, Wanted, find};
use super::machine::{self, Kind};
use super::scope::{Module, Scopes};
use super::tables::{Entry, SymbolEntry, Tables};

/// Entries of hash chains looked at for one list of modules; a login's 44 need some 100,000.
const LOOKUPS: u64 = 50_000_000;
/// `STB_LOCAL`, `STB_WEAK`, `STB_GNU_UNIQUE`.
const LOCAL: u8 = 0;
const WEAK: u8 = 2;
const UNIQUE: u8 = 10;
/// `STT_GNU_IFUNC`.
const IFUNC: u8 = 10;
/// `STV_INTERNAL`, `STV_HIDDEN`, `STV_PROTECTED`.
const INTERNAL: u8 = 1;
const HIDDEN: u8 = 2;
const PROTECTED: u8 = 3;

/// A place in a module, or an absolute value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The module whose bias is added; `None` for an absolute value.
    pub module: Option<u32>,
    /// Address in the file, or the value.
    pub value: u64,
}

/// A symbol found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The module that defines it.
    pub module: usize,
    /// Its index there.
    pub symbol: u32,
}

/// What a word may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// This.
    Exactly(Place),
    /// One of these. The first is what a loader that binds everything at start writes.
    OneOf(Box<[Place]>),
    /// What a resolver function returned.
    Resolved(Box<Resolved>),
    /// A small number: of a module, or a distance in thread-local storage.
    TlsNumber,
    /// A function of the loader itself.
    LoaderCode,
    /// Anything but code: the argument of a thread-local descriptor.
    Argument,
    /// No definition of this strong symbol is in scope.
    Unresolved,
}

impl Rule {
    /// The first place it names.
    fn likely(&self) -> Option<Place> {
        match self {
            Self::Exactly(place) => Some(*place),
            Self::OneOf(places) => places.first().copied(),
            Self::Resolved(_) | Self::TlsNumber | Self::LoaderCode | Self::Argument | Self::Unresolved => None,
        }
    }
}

/// The result of a resolver function: code of the module that defines it, or of the kernel's vdso.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The resolver.
    pub resolver: Place,
    /// The symbol's name; empty for one without.
    pub name: Vec<u8>,
    /// Whether it may be nothing.
    pub may_be_null: bool,
    /// Also good: the word before the first call.
    pub unbound: Option<Place>,
}

/// A relocation with its rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Address of the word in its module.
    pub address: u64,
    /// Index of the symbol in its module; 0 for none.
    pub symbol: u32,
    /// What it may hold.
    pub rule: Rule,
}

/// What a watched word holds unless something is special about it, so that most words are compared by one addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Likely {
    /// 0, or one more than the number of the module whose bias is added; `u32::MAX` where only the rule can tell.
    pub base: u32,
    /// Which of the module's slots it is; `u32::MAX` for a word that no relocation names.
    pub slot: u32,
    /// Address in the file, or the value.
    pub value: u64,
}

impl Likely {
    fn new(place: Option<Place>, slot: Option<usize>) -> Self {
        let number = |number: Option<usize>| number.and_then(|number| u32::try_from(number).ok()).unwrap_or(u32::MAX);
        let base = match place {
            Some(Place { module: None, .. }) => 0,
            Some(Place { module: Some(module), .. }) => module.saturating_add(1),
            None => u32::MAX,
        };
        Self { base, slot: number(slot), value: place.map_or(0, |place| place.value) }
    }
}

/// All slots of all modules, those of each module by their address.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// By module, in the order of their addresses, each address once.
    pub slots: Vec<Vec<Slot>>,
    /// By module, one for each of its watched words in their order.
    pub likely: Vec<Vec<Likely>>,
    /// By module, how many of its watched words are bound to symbols.
    pub symbols: Vec<u64>,
    /// Where modules define, or stand for, a function that the loader takes over from the program (glibc elf/dl-minimal.c,
    /// `__rtld_malloc_init_real`; elf/dl-mutex.c, `__rtld_mutex_init`).
    pub taken_over: Vec<Place>,
    /// What could not be computed, one sentence each.
    pub problems: Vec<String>,
}

/// Computes the slots that lie in watched words of each module.
#[must_use]
pub fn plan(modules: &[Module<'_>], scopes: &Scopes) -> Plan {
    let mut binder = Binder { modules, scopes, budget: Budget::new(LOOKUPS) };
    let mut plan = Plan::default();
    for (index, module) in modules.iter().enumerate() {
        let mut slots: Vec<Slot> = Vec::new();
        if let Some(tables) = module.tables {
            if let Some(problem) = &tables.problem {
                plan.problems.push(format!("`{}`: {problem}", name_of(module)));
            }
            for entry in tables.relocations.iter().filter(|entry| is_watched(tables, entry.address)) {
                match binder.slot(index, tables, entry) {
                    Ok(found) => slots.extend(found),
                    Err(kind) => {
                        let problem = format!("`{}`: relocations of type {kind} are not known", name_of(module));
                        if !plan.problems.contains(&problem) {
                            plan.problems.push(problem);
                        }
                    }
                }
            }
        }
        // Of several relocations of one word the last counts.
        slots.reverse();
        slots.sort_by_key(|slot| slot.address);
        slots.dedup_by_key(|slot| slot.address);
        let (likely, symbols) = module.tables.map(|tables| likely(index, tables, &slots)).unwrap_or_default();
        plan.slots.push(slots);
        plan.likely.push(likely);
        plan.symbols.push(symbols);
        plan.taken_over.extend(module.tables.into_iter().flat_map(|tables| taken_over(index, tables)));
    }
    if binder.budget.is_spent() {
        plan.problems.push("the hash tables of its files are endless".to_owned());
    }
    plan
}

/// What each watched word of module `index` holds: as a slot says, or the file's own word, with the bias added where
/// `DT_RELR` names it. And how many of them are bound to symbols.
fn likely(index: usize, tables: &Tables, slots: &[Slot]) -> (Vec<Likely>, u64) {
    let mut slots = slots.iter().enumerate().peekable();
    let mut relative = tables.relr.iter().copied().peekable();
    let mut symbols = 0_u64;
    let mut all = Vec::with_capacity(tables.watched.iter().map(|words| words.words.len()).sum());
    for words in &tables.watched {
        for (at, file) in (0_u64..).zip(&words.words) {
            let address = words.address.saturating_add(at.saturating_mul(8));
            while slots.next_if(|(_, slot)| slot.address < address).is_some() {}
            while relative.next_if(|place| *place < address).is_some() {}
            all.push(match slots.peek().filter(|(_, slot)| slot.address == address) {
                Some((number, slot)) => {
                    symbols = symbols.saturating_add(u64::from(slot.symbol != 0));
                    Likely::new(slot.rule.likely(), Some(*number))
                }
                None if relative.peek() == Some(&address) => Likely::new(Some(place_in(index, *file)), None),
                None => Likely::new(Some(Place { module: None, value: *file }), None),
            });
        }
    }
    (all, symbols)
}

fn taken_over(index: usize, tables: &Tables) -> impl Iterator<Item = Place> {
    let wanted: [&[u8]; 6] =
        [b"malloc", b"calloc", b"realloc", b"free", b"pthread_mutex_lock", b"pthread_mutex_unlock"];
    let is_one = move |symbol: &&SymbolEntry| {
        symbol.value != 0 && tables.name(symbol.name).is_some_and(|name| wanted.contains(&name))
    };
    tables.symbols.iter().filter(is_one).map(move |symbol| place_in(index, symbol.value))
}

fn name_of(module: &Module<'_>) -> String {
    crate::model::text::escape(module.names.first().map(Vec::as_slice).unwrap_or_default())
}

fn is_watched(tables: &Tables, address: u64) -> bool {
    tables.watched.iter().any(|words| {
        let size = u64::try_from(words.words.len()).unwrap_or(0).saturating_mul(8);
        words.address <= address && address < words.address.saturating_add(size)
    })
}

/// Looks symbols up for relocations.
#[derive(Debug)]
pub struct Binder<'a> {
    modules: &'a [Module<'a>],
    scopes: &'a Scopes,
    budget: Budget,
}

impl<'a> Binder<'a> {
    /// A binder for these modules.
    #[must_use]
    pub const fn new(modules: &'a [Module<'a>], scopes: &'a Scopes) -> Self {
        Self { modules, scopes, budget: Budget::new(LOOKUPS) }
    }

    /// The definitions that the symbol at `index` of `module` may be bound to, the likeliest first: one, unless it is not
    /// known with which others the module was loaded. None if there is none in scope.
    pub fn definitions(&mut self, module: usize, tables: &Tables, index: u32, kind: Kind) -> Vec<Definition> {
        let Some(symbol) = tables.symbol(index) else { return Vec::new() };
        let own = Definition { module, symbol: index };
        if symbol.binding() == LOCAL || matches!(symbol.visibility(), INTERNAL | HIDDEN) {
            return vec![own];
        }
        let Some(name) = tables.name(symbol.name) else { return Vec::new() };
        let wanted = Wanted::new(name, tables.version(index), kind.skips_undefined());
        let mut found: Vec<Definition> = Vec::new();
        if tables.symbolic {
            found.extend(self.first(&[module], &wanted));
        }
        if found.is_empty() {
            // What is copied into the program comes from elsewhere (`ELF_RTYPE_CLASS_COPY`).
            let global = self.scopes.global.get(usize::from(kind == Kind::Copy)..);
            found.extend(self.first(global.unwrap_or_default(), &wanted));
        }
        if found.is_empty() {
            for group in self.scopes.local.get(&module).into_iter().flatten() {
                let definition = self.first(group, &wanted);
                found.extend(definition.filter(|definition| !found.contains(definition)));
            }
        }
        // A protected symbol that its own file defines is bound there, if anywhere.
        if symbol.visibility() == PROTECTED && !symbol.is_undefined() && !found.is_empty() {
            return vec![own];
        }
        if found.iter().any(|definition| self.symbol(*definition).is_some_and(|symbol| symbol.binding() == UNIQUE)) {
            // The first of that name that any file was bound to stands for all, whatever its version (`do_lookup_unique`).
            let wanted = wanted.of_any_version();
            let everywhere = (0..self.modules.len()).filter_map(|module| self.first(&[module], &wanted));
            let more: Vec<Definition> = everywhere.collect();
            found.extend(more.into_iter().filter(|definition| !found.contains(definition)).collect::<Vec<_>>());
        }
        found
    }

    fn first(&mut self, scope: &[usize], wanted: &Wanted<'_>) -> Option<Definition> {
        scope.iter().find_map(|module| {
            let tables = self.modules.get(*module)?.tables?;
            Some(Definition { module: *module, symbol: find(tables, wanted, &mut self.budget)? })
        })
    }

    fn symbol(&self, definition: Definition) -> Option<&'a SymbolEntry> {
        self.modules.get(definition.module)?.tables?.symbol(definition.symbol)
    }

    fn slot(&mut self, module: usize, tables: &Tables, entry: &Entry) -> Result<Vec<Slot>, u32> {
        let kind = machine::kind(tables.machine, entry.kind).ok_or(entry.kind)?;
        let slot = |rule| vec![Slot { address: entry.address, symbol: entry.symbol, rule }];
        Ok(match kind {
            Kind::None | Kind::Copy => Vec::new(),
            Kind::Relative => slot(Rule::Exactly(place_in(module, entry.addend))),
            Kind::Indirect => slot(Rule::Resolved(Box::new(Resolved {
                resolver: place_in(module, entry.addend),
                name: Vec::new(),
                may_be_null: true,
                unbound: unbound(module, tables, entry),
            }))),
            Kind::TlsModule | Kind::TlsOffset => slot(Rule::TlsNumber),
            Kind::TlsDescriptor => {
                let mut both = slot(Rule::LoaderCode);
                let address = entry.address.saturating_add(8);
                both.push(Slot { address, symbol: entry.symbol, rule: Rule::Argument });
                both
            }
            Kind::Size => {
                let found = self.definitions(module, tables, entry.symbol, kind);
                let sizes = found.iter().filter_map(|definition| Some(self.symbol(*definition)?.size));
                let place = |size: u64| Place { module: None, value: size.wrapping_add(entry.addend) };
                let sizes: Vec<Place> = sizes.map(place).collect();
                slot(one_of(sizes))
            }
            Kind::Symbol | Kind::GlobalData | Kind::JumpSlot => {
                let unbound = unbound(module, tables, entry).filter(|_| kind == Kind::JumpSlot);
                slot(self.address(module, tables, entry, kind, unbound))
            }
        })
    }

    /// The rule for a word that holds a symbol's address.
    fn address(&mut self, module: usize, tables: &Tables, entry: &Entry, kind: Kind, unbound: Option<Place>) -> Rule {
        let found = self.definitions(module, tables, entry.symbol, kind);
        let addend = machine::addend(tables.machine, kind, entry.addend);
        let weak = tables.symbol(entry.symbol).is_none_or(|symbol| symbol.binding() == WEAK);
        if found.is_empty() {
            // A call that was never made is not bound, or the process would have ended.
            let nothing = weak.then_some(Place { module: None, value: addend });
            return one_of(nothing.into_iter().chain(unbound).collect());
        }
        let indirect = found.iter().find_map(|definition| {
            let symbol = self.symbol(*definition).filter(|symbol| symbol.kind() == IFUNC && !symbol.is_undefined())?;
            Some((definition.module, symbol.value))
        });
        if let Some((defining, resolver)) = indirect {
            return Rule::Resolved(Box::new(Resolved {
                resolver: place_in(defining, resolver),
                name: tables
                    .symbol(entry.symbol)
                    .and_then(|symbol| tables.name(symbol.name))
                    .unwrap_or_default()
                    .to_vec(),
                may_be_null: false,
                unbound,
            }));
        }
        let place = |definition: &Definition| {
            let symbol = self.symbol(*definition)?;
            let absolute = u32::from(symbol.section) == SHN_ABS;
            let value = symbol.value.wrapping_add(addend);
            Some(if absolute { Place { module: None, value } } else { place_in(definition.module, value) })
        };
        one_of(found.iter().filter_map(place).chain(unbound).collect())
    }
}

/// Of a slot for calls that may be filled late: what stands there until the first call, the file's own word with the bias
/// added (`elf_machine_lazy_rel` of glibc).
fn unbound(module: usize, tables: &Tables, entry: &Entry) -> Option<Place> {
    if tables.binds_now || !entry.call {
        return None;
    }
    let words = tables.watched.iter().rfind(|words| words.address <= entry.address)?;
    let index = usize::try_from(entry.address.checked_sub(words.address)?.checked_div(8)?).ok()?;
    Some(place_in(module, *words.words.get(index)?))
}

fn place_in(module: usize, value: u64) -> Place {
    Place { module: u32::try_from(module).ok(), value }
}

fn one_of(places: Vec<Place>) -> Rule {
    match places.as_slice() {
        [] => Rule::Unresolved,
        [place] => Rule::Exactly(*place),
        _ => Rule::OneOf(places.into()),
    }
}
