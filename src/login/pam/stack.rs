//! Assembles the stack of one service and management group from the files of a root, as libpam does when an application
//! calls `pam_start` (Linux-PAM 1.5.2, `pam_handlers.c`: `_pam_init_handlers`, `_pam_load_conf_file`).

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::formats::os_release;
use crate::formats::pam::{self, Actions, Control, Entry, File, Line, Type};
use crate::model::{FileKind, RootedPath, text};

use super::{Files, Group, Problem, Seen};

/// Directories of service files, in the order libpam looks. The first two are in every build; the others in those
/// configured with that vendor directory (SUSE, Fedora).
pub const DIRECTORIES: [&str; 4] = ["/etc/pam.d", "/usr/lib/pam.d", "/usr/etc/pam.d", "/usr/share/pam.d"];

/// How many of [`DIRECTORIES`] every build of libpam knows.
const CERTAIN_DIRECTORIES: usize = 2;

/// Substacks nest less deep than this (`PAM_SUBSTACK_MAX_LEVEL`); since 1.6 includes do so too.
pub const MAX_DEPTH: usize = 16;

/// Entries of all types read for one service; more are not followed.
const MAX_ENTRIES: usize = 20_000;

/// Bytes read for one service, a file counted each time it is included; more are not followed.
const MAX_BYTES: usize = 64 << 20;

/// Problems told apart.
const MAX_PROBLEMS: usize = 100;

/// An entry of an assembled stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handler {
    /// What it does.
    pub kind: HandlerKind,
    /// Its level: 0, and one more in each substack.
    pub level: usize,
    /// What its return codes mean.
    pub actions: Actions,
    /// Where it stands.
    pub place: Place,
}

/// What a handler does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandlerKind {
    /// Calls a module.
    Module {
        /// As written: a file name in the module directory, or an absolute path.
        module: Vec<u8>,
        /// Its arguments.
        arguments: Vec<Vec<u8>>,
    },
    /// Fails, whatever its control says.
    MustFail,
    /// Marks where a substack begins; returns nothing.
    Substack,
}

/// A line of configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file.
    pub path: RootedPath,
    /// Counted from 1.
    pub line: u32,
    /// Its text, escaped.
    pub text: Arc<str>,
}

/// The stack of one service and group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// Its entries. None: libpam answers `perm_denied`.
    pub handlers: Vec<Handler>,
    /// Why `pam_start` or `pam_authenticate` fails before any entry is run; nobody logs in through PAM then.
    pub refused: Option<String>,
    /// What was odd.
    pub problems: Vec<Problem>,
    /// Files that were asked for and nobody has looked at.
    pub unasked: BTreeSet<RootedPath>,
    /// Files that it was read from.
    pub read: BTreeSet<RootedPath>,
}

/// Assembles the stack of `service`, as the application names it, for `group`.
#[must_use]
pub fn assemble(service: &[u8], group: Group, files: &dyn Files) -> Stack {
    // pam_start(3) takes the last component of a path and lower-cases it.
    let service = service.rsplit(|b| *b == b'/').next().unwrap_or_default().to_ascii_lowercase();
    let kind = match group {
        Group::Auth => Type::Auth,
        Group::Account => Type::Account,
        Group::Password => Type::Password,
        Group::Session => Type::Session,
    };
    let mut reader = Reader {
        files,
        kind,
        service: service.clone(),
        out: Stack::default(),
        own: Vec::new(),
        other: Vec::new(),
        entries: 0,
        bytes: 0,
        parsed: BTreeMap::new(),
        include_all: OnceCell::new(),
    };
    let refused = reader.load_all();
    let Reader { mut out, own, other, .. } = reader;
    match refused {
        Err(Refused(reason)) => out.refused = Some(reason),
        // Each group falls back to `other` by itself.
        Ok(()) => out.handlers = if own.is_empty() { other } else { own },
    }
    out
}

/// The whole configuration is refused.
struct Refused(String);

struct Reader<'a> {
    files: &'a dyn Files,
    kind: Type,
    service: Vec<u8>,
    out: Stack,
    own: Vec<Handler>,
    other: Vec<Handler>,
    entries: usize,
    bytes: usize,
    /// Files that were read: distributions include one for each type of entry.
    parsed: BTreeMap<RootedPath, Rc<File>>,
    /// Whether this root's libpam knows `@include`, once somebody asked.
    include_all: OnceCell<bool>,
}

/// How a file came to be read.
#[derive(Clone, Copy)]
struct Scope<'a> {
    /// The service that its entries are for.
    service: &'a [u8],
    /// Only entries of this type.
    only: Option<Type>,
    depth: usize,
    level: usize,
}

impl<'a> Reader<'a> {
    fn load_all(&mut self) -> Result<(), Refused> {
        if DIRECTORIES.iter().any(|dir| self.is_directory(dir)) {
            let service = self.service.clone();
            let own = self.load_service(&service)?;
            if !own {
                self.note_unread_conf();
            }
            let other = self.load_service(b"other")?;
            if own || other {
                Ok(())
            } else {
                Err(Refused(format!("no PAM configuration for `{}` nor for `other`", text::escape(&service))))
            }
        } else {
            self.load_conf()
        }
    }

    fn is_directory(&mut self, dir: &str) -> bool {
        let Some(path) = RootedPath::new(dir) else { return false };
        match self.files.inode(&path) {
            Ok(meta) => meta.is_some_and(|meta| meta.kind == FileKind::Directory),
            Err(reason) => {
                self.out.unasked.insert(path.clone());
                self.problem(path, 0, format!("whether it is a directory could not be told: {reason}"), true);
                false
            }
        }
    }

    /// Loads `name` as a service of its own; whether there was a file.
    fn load_service(&mut self, name: &[u8]) -> Result<bool, Refused> {
        let Some((path, bytes)) = self.open(name, None) else { return Ok(false) };
        let file = self.parse(&path, bytes);
        self.read_file(&path, &file, Scope { service: name, only: None, depth: 0, level: 0 })?;
        Ok(true)
    }

    /// pam.conf(5): used only if no directory of service files exists.
    fn load_conf(&mut self) -> Result<(), Refused> {
        let Some((path, bytes)) = self.open(b"/etc/pam.conf", None) else {
            return Err(Refused("there is neither a directory of PAM service files nor `/etc/pam.conf`".to_owned()));
        };
        let file = pam::parse_conf(bytes);
        self.read_file(&path, &file, Scope { service: b"", only: None, depth: 0, level: 0 })
    }

    /// A libpam built to read both looks into pam.conf for a service that has no file.
    fn note_unread_conf(&mut self) {
        let Some(path) = RootedPath::new("/etc/pam.conf") else { return };
        let Seen::Text(bytes) = self.files.text(&path) else { return };
        let line = pam::parse_conf(bytes)
            .lines
            .into_iter()
            .find(|line| line.service.as_ref().is_some_and(|service| service.eq_ignore_ascii_case(&self.service)));
        if let Some(line) = line {
            let text = "whether `pam.conf` is read beside a directory of service files depends on how libpam was built";
            self.problem(path, line.number, text.to_owned(), true);
        }
    }

    /// The file that libpam opens for `name`; `None` if there is none. `from` is the line that includes it.
    fn open(&mut self, name: &[u8], from: Option<&Place>) -> Option<(RootedPath, &'a [u8])> {
        let candidates: Vec<RootedPath> = if name.first() == Some(&b'/') {
            RootedPath::new(name).into_iter().collect()
        } else {
            DIRECTORIES.iter().filter_map(|dir| RootedPath::new(dir)?.join(name)).collect()
        };
        if name.split(|b| *b == b'/').any(|part| part == b"..") {
            let place = from.map(|place| (place.path.clone(), place.line));
            let (path, line) = place.or_else(|| Some((candidates.first()?.clone(), 0)))?;
            self.problem(path, line, "where `..` leads depends on links".to_owned(), true);
        }
        for (index, path) in candidates.into_iter().enumerate() {
            match self.files.text(&path) {
                Seen::Missing => {}
                Seen::Unasked => {
                    self.out.unasked.insert(path.clone());
                    self.problem(path, 0, "it was not looked at".to_owned(), true);
                }
                Seen::Opaque(reason) => {
                    self.problem(path, 0, format!("it could not be read: {reason}"), true);
                    return None;
                }
                Seen::Text(bytes) => {
                    if name.first() != Some(&b'/') && index >= CERTAIN_DIRECTORIES {
                        let text = "whether libpam looks into this directory depends on how it was built";
                        self.problem(path.clone(), 0, text.to_owned(), true);
                    }
                    self.bytes = self.bytes.saturating_add(bytes.len());
                    if self.bytes > MAX_BYTES {
                        self.problem(path, 0, format!("more than {MAX_BYTES} bytes of PAM text are not read"), true);
                        return None;
                    }
                    self.out.read.insert(path.clone());
                    return Some((path, bytes));
                }
            }
        }
        None
    }

    fn parse(&mut self, path: &RootedPath, bytes: &[u8]) -> Rc<File> {
        if let Some(known) = self.parsed.get(path) {
            return Rc::clone(known);
        }
        let file = Rc::new(pam::parse(bytes));
        self.parsed.insert(path.clone(), Rc::clone(&file));
        file
    }

    fn read_file(&mut self, path: &RootedPath, file: &File, scope: Scope<'_>) -> Result<(), Refused> {
        for (number, oddity) in &file.oddities {
            self.problem(path.clone(), *number, oddity.describe(), oddity.is_undecidable());
        }
        for line in &file.lines {
            self.entries = self.entries.saturating_add(1);
            if self.entries > MAX_ENTRIES {
                if self.entries == MAX_ENTRIES.saturating_add(1) {
                    let text = format!("more than {MAX_ENTRIES} entries are not followed");
                    self.problem(path.clone(), line.number, text, true);
                }
                return Ok(());
            }
            let service = line.service.as_deref().unwrap_or(scope.service);
            let other = service.eq_ignore_ascii_case(b"other");
            if other || service.eq_ignore_ascii_case(&self.service) {
                self.read_line(path, line, Scope { service, ..scope }, other)?;
            }
        }
        if file.incomplete {
            let line = file.lines.last().map_or(1, |line| line.number.saturating_add(1));
            self.problem(path.clone(), line, "the last line is continued and nothing follows".to_owned(), false);
            return Err(Refused(format!("libpam refuses `{path}`, whose last line is continued and nothing follows")));
        }
        Ok(())
    }

    fn read_line(&mut self, path: &RootedPath, line: &Line, scope: Scope<'_>, other: bool) -> Result<(), Refused> {
        for oddity in &line.oddities {
            self.problem(path.clone(), line.number, oddity.describe(), oddity.is_undecidable());
        }
        if let Entry::Ordinary { kind: Some(kind), control: Control::Module(_), target: Some(_), .. } = &line.entry
            && *kind != self.kind
        {
            return Ok(());
        }
        let place = Place { path: path.clone(), line: line.number, text: text::escape(&line.text).into() };
        match &line.entry {
            Entry::IncludeAll(target) => {
                if !*self.include_all.get_or_init(|| reads_include_all(self.files)) {
                    let text = "`@include` is Debian's: what this libpam makes of it is not known";
                    self.problem(path.clone(), line.number, text.to_owned(), true);
                }
                let included = self.include(&place, target.as_deref(), scope);
                match (included, scope.only) {
                    (Ok(()), _) => Ok(()),
                    // The entry that must fail takes the type that was asked for, and in Debian's libpam the actions
                    // of the line before: seen with 1.5.2. Without a type, libpam gives up.
                    (Err(Refused(_)), Some(kind)) => {
                        let text = "Debian's libpam treats a missing `@include` within an `include` as the line before";
                        self.problem(place.path.clone(), place.line, text.to_owned(), true);
                        self.push(
                            kind,
                            other,
                            scope.level,
                            HandlerKind::MustFail,
                            Actions::all(pam::Action::Bad),
                            place,
                        );
                        Ok(())
                    }
                    (Err(refused), None) => Err(refused),
                }
            }
            Entry::Ordinary { kind, control, target, arguments, .. } => {
                let kind = kind.unwrap_or_else(|| scope.only.unwrap_or(Type::Auth));
                if scope.only.is_some_and(|only| only != kind) {
                    return Ok(());
                }
                let illegal = !line_has_type(&line.entry);
                let must_fail = |actions| (HandlerKind::MustFail, actions);
                let bad = Actions::all(pam::Action::Bad);
                let (handler, actions) = match (control, target) {
                    (Control::Include | Control::Substack, target) => {
                        let substack = *control == Control::Substack;
                        if substack {
                            self.push(kind, other, scope.level, HandlerKind::Substack, bad.clone(), place.clone());
                        }
                        let level = scope.level.saturating_add(usize::from(substack));
                        let inner = Scope { only: Some(kind), level, ..scope };
                        match self.include(&place, target.as_deref(), inner) {
                            Ok(()) => return Ok(()),
                            Err(Refused(_)) => must_fail(bad),
                        }
                    }
                    (Control::Missing, _) => must_fail(bad),
                    (Control::Module(actions), None) => {
                        self.problem(
                            place.path.clone(),
                            place.line,
                            "no module is named, so the entry always fails".to_owned(),
                            false,
                        );
                        must_fail(actions.clone())
                    }
                    (Control::Module(actions), Some(_)) if illegal => must_fail(actions.clone()),
                    (Control::Module(actions), Some(module)) => {
                        let module = HandlerKind::Module { module: module.clone(), arguments: arguments.clone() };
                        (module, actions.clone())
                    }
                };
                self.push(kind, other, scope.level, handler, actions, place);
                Ok(())
            }
        }
    }

    fn include(&mut self, place: &Place, target: Option<&[u8]>, scope: Scope<'_>) -> Result<(), Refused> {
        let depth = scope.depth.saturating_add(1);
        let refuse = |reader: &mut Self, text: String, undecidable: bool| {
            reader.problem(place.path.clone(), place.line, text.clone(), undecidable);
            Err(Refused(text))
        };
        let Some(target) = target else {
            return refuse(self, "no file is named: libpam refuses it or crashes".to_owned(), false);
        };
        if scope.level >= MAX_DEPTH {
            return refuse(self, format!("substacks nest {MAX_DEPTH} deep, so the entry always fails"), false);
        }
        if depth >= MAX_DEPTH {
            let text = format!("includes nest {MAX_DEPTH} deep, perhaps in a loop: versions of libpam differ");
            return refuse(self, text, true);
        }
        match self.open(target, Some(place)) {
            Some((path, bytes)) => {
                let file = self.parse(&path, bytes);
                self.read_file(&path, &file, Scope { depth, ..scope })
            }
            None => {
                refuse(self, format!("`{}` cannot be opened, so the entry always fails", text::escape(target)), false)
            }
        }
    }

    fn push(&mut self, kind: Type, other: bool, level: usize, handler: HandlerKind, actions: Actions, place: Place) {
        if kind != self.kind {
            return;
        }
        let handler = Handler { kind: handler, level, actions, place };
        if other { self.other.push(handler) } else { self.own.push(handler) }
    }

    fn problem(&mut self, path: RootedPath, line: u32, text: String, undecidable: bool) {
        let problem = Problem { path, line, text, undecidable };
        if self.out.problems.len() < MAX_PROBLEMS && !self.out.problems.contains(&problem) {
            self.out.problems.push(problem);
        } else if self.out.problems.len() == MAX_PROBLEMS {
            let text = "there are more problems than are told".to_owned();
            self.out.problems.push(Problem { text, undecidable: true, ..problem });
        }
    }
}

/// Whether this root's libpam knows `@include`: not if os-release(5) names a distribution outside Debian's family.
fn reads_include_all(files: &dyn Files) -> bool {
    let Some(path) = RootedPath::new("/etc/os-release") else { return true };
    let Seen::Text(bytes) = files.text(&path) else { return true };
    let release = os_release::parse(bytes);
    let family = ["ID", "ID_LIKE"].iter().filter_map(|key| release.get(*key));
    let words: Vec<&str> = family.flat_map(|value| value.split(' ')).collect();
    words.is_empty() || words.iter().any(|word| ["debian", "ubuntu"].contains(word))
}

fn line_has_type(entry: &Entry) -> bool {
    matches!(entry, Entry::Ordinary { kind: Some(_), .. })
}
