//! One handler with its module's model: what it may answer here, with these arguments and these files.

use std::collections::BTreeSet;

use crate::formats::{duo, pam::ReturnCode};
use crate::knowledge::pam_models::{
    Asks, AtomKind, ConditionKind, ConditionModel, Literal, ModuleModel, Outcome, PamModels, TestModel,
};
use crate::login::factor::{Atom, GuardKind, Kind};
use crate::model::{RootedPath, text::escape};

use super::access::{AccessTable, Separators};
use super::condition::{Answer, Condition, Test};
use super::files::{Files, Seen};
use super::listfile::ListFile;
use super::modules::{self, Found};
use super::stack::{Handler, HandlerKind};
use super::succeed_if::SucceedIf;
use super::{Group, Problem};

/// What a handler may answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// Conditions by number, each with whether it must hold.
    pub when: Vec<(usize, bool)>,
    /// The codes, of which the module (or the client, by what it types) picks one.
    pub codes: Vec<ReturnCode>,
    /// What was shown.
    pub shows: Option<Atom>,
    /// How it was asked for.
    pub asks: Asks,
    /// Nobody knows what the module does besides answering: it may hand a password to those after it, or change the
    /// conversation. No evidence of the same stack counts then.
    pub discredits: bool,
}

/// Binds the handlers of one stack, one after the other; gathers conditions, problems and files asked for.
pub struct Binder<'a> {
    /// Models of modules.
    pub models: &'a PamModels,
    /// The root.
    pub files: &'a dyn Files,
    /// Which function of the modules is called.
    pub group: Group,
    /// Conditions so far.
    pub conditions: Vec<Condition>,
    /// What was odd.
    pub problems: Vec<Problem>,
    /// Text files that were asked for and nobody has looked at.
    pub unasked: BTreeSet<RootedPath>,
    /// The same of files that hold secrets.
    pub unasked_secret: BTreeSet<RootedPath>,
}

/// Where pam_duo looks for its configuration: Debian's build, and upstream's packages.
pub const DUO_CONFS: [&str; 2] = ["/etc/security/pam_duo.conf", "/etc/duo/pam_duo.conf"];

impl<'a> Binder<'a> {
    /// What `handler` may answer.
    pub fn bind(&mut self, handler: &Handler) -> Vec<Alternative> {
        let HandlerKind::Module { module, arguments } = &handler.kind else { return Vec::new() };
        if matches!(self.group, Group::Password | Group::Session) {
            return self.anything(handler, "this management group is not run".to_owned()).into_iter().collect();
        }
        let mut alternatives = Vec::new();
        match modules::find(module, self.files) {
            Found::Present => {}
            Found::Missing => {
                self.note(handler, format!("the module `{}` is not installed", escape(module)));
                return vec![plain(vec![ReturnCode::MODULE_UNKNOWN])];
            }
            Found::Unknown(reason) => {
                let clause = format!("the module `{}` is missing ({reason})", escape(module));
                let missing = self.condition(GuardKind::Unmodelled, clause, Test::Fixed(Answer::Unknown));
                alternatives
                    .push(Alternative { when: vec![(missing, true)], ..plain(vec![ReturnCode::MODULE_UNKNOWN]) });
            }
        }
        let name = String::from_utf8_lossy(module.rsplit(|b| *b == b'/').next().unwrap_or_default()).into_owned();
        let outside = module.first() == Some(&b'/') && !modules::in_module_directory(module);
        let model = self.models.get(&name).filter(|_| !outside);
        let Some(model) = model else {
            let reason = format!("the module `{}` is not modelled", escape(module));
            alternatives.extend(self.anything(handler, reason));
            return alternatives;
        };
        let outcomes = match self.group {
            Group::Auth => &model.auth,
            Group::Account | Group::Password | Group::Session => &model.account,
        };
        if outcomes.is_empty() {
            alternatives.extend(self.anything(handler, format!("this use of `{name}` is not modelled")));
        }
        for argument in arguments.iter().filter(|argument| !knows(model, argument)) {
            let reason = format!("the option `{}` of `{name}` is not modelled", escape(argument));
            alternatives.extend(self.anything(handler, reason));
        }
        let given = Given(arguments);
        for outcome in outcomes {
            alternatives.extend(self.outcome(handler, model, outcome, &given));
        }
        alternatives
    }

    fn outcome(
        &mut self,
        handler: &Handler,
        model: &ModuleModel,
        outcome: &Outcome,
        given: &Given<'_>,
    ) -> Option<Alternative> {
        let mut when = Vec::new();
        for literal in outcome.literals() {
            match literal {
                Literal::Option(name, wanted) if given.has(name.as_bytes()) != wanted => return None,
                Literal::Option(..) => {}
                Literal::Condition(name, holds) => {
                    let condition = model.conditions.get(name)?;
                    when.push((self.settle(handler, model, condition, given), holds));
                }
            }
        }
        let codes = if outcome.returns.iter().any(|code| code == "*") {
            ReturnCode::all().collect()
        } else {
            outcome.returns.iter().filter_map(|name| ReturnCode::named(name)).collect()
        };
        let shows = outcome.shows.as_ref().map(|atom| Atom::new(kind(atom.kind), &atom.identity));
        Some(Alternative { when, codes, shows, asks: outcome.asks, discredits: false })
    }

    /// The number of a condition, with its test made of the module's arguments and files.
    fn settle(
        &mut self,
        handler: &Handler,
        model: &ModuleModel,
        condition: &ConditionModel,
        given: &Given<'_>,
    ) -> usize {
        let kind = guard_kind(condition.kind);
        let clause = condition.clause.clone();
        let line = || format!("{} (`{}` line {})", condition.clause, handler.place.path, handler.place.line);
        let (kind, clause, test) = match condition.test {
            TestModel::Open if kind == GuardKind::Unmodelled => (kind, line(), Test::Fixed(Answer::Unknown)),
            TestModel::Open => (kind, clause, Test::Fixed(Answer::Open)),
            TestModel::EnrolmentFile => {
                let option = condition.path_option.as_ref().and_then(|option| given.value(option.as_bytes()));
                let paths = match option {
                    Some(path) => vec![path],
                    None => condition.paths.iter().map(|path| path.clone().into_bytes()).collect(),
                };
                (kind, clause, Test::EnrolmentFile(paths))
            }
            TestModel::EmptyPasswordsPermitted => (kind, clause, Test::EmptyPasswordsPermitted),
            TestModel::LocalAccount => (kind, clause, Test::LocalAccount),
            TestModel::Superuser => (kind, clause, Test::Superuser),
            TestModel::KeyShown => (kind, clause, Test::KeyShown),
            TestModel::SucceedIf => {
                let clause = format!("`{}` holds", escape(&given.0.join(&b' ')));
                let test = SucceedIf::parse(given.0).map_or(Test::Fixed(Answer::Unknown), Test::SucceedIf);
                (kind, clause, test)
            }
            TestModel::SucceedIfMalformed => match SucceedIf::parse(given.0) {
                Ok(_) => (kind, line(), Test::Fixed(Answer::No)),
                Err(reason) => {
                    self.note(handler, format!("the conditions of `{}` are malformed: {reason}", model.module));
                    (kind, line(), Test::Fixed(Answer::Unknown))
                }
            },
            TestModel::Access => {
                let path = given.value(b"accessfile=").unwrap_or_else(|| b"/etc/security/access.conf".to_vec());
                let clause = format!("`{}` grants access", escape(&path));
                (kind, clause, self.access(&path, given))
            }
            TestModel::ListFile => {
                let path = given.value(b"file=").unwrap_or_default();
                let clause = format!("the list `{}` lets the account pass", escape(&path));
                let content = self.text(&path);
                let list = ListFile::new(&|name| given.value(name), &content);
                (kind, clause, list.map_or(Test::Fixed(Answer::Unknown), Test::ListFile))
            }
            TestModel::Shell => {
                let shells = match self.text(b"/etc/shells") {
                    Seen::Text(bytes) => Test::Shell(bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect()),
                    Seen::Missing => Test::Fixed(Answer::No),
                    Seen::Opaque(_) | Seen::Unasked => Test::Fixed(Answer::Unknown),
                };
                (kind, clause, shells)
            }
            TestModel::DuoFailsOpen => {
                let answer = self.duo(given, &|conf| match conf {
                    // Without a configuration that it can use, the module lets everybody pass.
                    None => Answer::Yes,
                    Some(conf) if !conf.unknown.is_empty() => Answer::Unknown,
                    Some(conf) if conf.fails_closed => Answer::No,
                    Some(conf) if !conf.complete => Answer::Yes,
                    Some(_) => Answer::Open,
                });
                (kind, clause, Test::Fixed(answer))
            }
            TestModel::DuoGroupsExempt => {
                let answer = self.duo(given, &|conf| match conf {
                    Some(conf) if conf.groups.is_some() => Answer::Open,
                    _ => Answer::No,
                });
                (kind, clause, Test::Fixed(answer))
            }
        };
        self.condition(kind, clause, test)
    }

    fn access(&mut self, path: &[u8], given: &Given<'_>) -> Test {
        let fields = given.value(b"fieldsep=").unwrap_or_else(|| b":".to_vec());
        let lists = given.value(b"listsep=").unwrap_or_else(|| b", \t".to_vec());
        let group_names = !given.has(b"nodefgroup");
        let drop_ins = RootedPath::new("/etc/security/access.d").map(|dir| self.files.inode(&dir));
        match self.text(path) {
            // Read since 1.5 when there is no accessfile=; what it holds is not.
            Seen::Text(_) if !given.has(b"accessfile=") && !matches!(drop_ins, Some(Ok(None))) => {
                Test::Fixed(Answer::Unknown)
            }
            Seen::Text(bytes) => {
                Test::Access(AccessTable::parse(bytes, Separators { fields: &fields, lists: &lists, group_names }))
            }
            // The module answers `abort`, which fails unless the control says otherwise.
            Seen::Missing | Seen::Opaque(_) | Seen::Unasked => Test::Fixed(Answer::Unknown),
        }
    }

    /// What Duo's configuration says; where its path hangs on the build, only what all candidates agree on.
    fn duo(&mut self, given: &Given<'_>, judge: &dyn Fn(Option<duo::DuoConf>) -> Answer) -> Answer {
        let paths: Vec<Vec<u8>> = match given.value(b"conf=") {
            Some(path) => vec![path],
            None => DUO_CONFS.iter().map(|path| path.as_bytes().to_vec()).collect(),
        };
        let answers: Vec<Answer> = paths
            .iter()
            .map(|path| match self.text(path) {
                Seen::Text(bytes) => judge(Some(duo::parse(bytes))),
                Seen::Missing => judge(None),
                Seen::Opaque(_) => Answer::Unknown,
                Seen::Unasked => {
                    let path = RootedPath::new(path).filter(|path| self.unasked.remove(path));
                    self.unasked_secret.extend(path);
                    Answer::Unknown
                }
            })
            .collect();
        match answers.split_first() {
            Some((first, rest)) if rest.iter().all(|other| other == first) => *first,
            _ => Answer::Unknown,
        }
    }

    fn text(&mut self, path: &[u8]) -> Seen<'a> {
        let Some(path) = RootedPath::new(path) else { return Seen::Missing };
        match self.files.text(&path) {
            Seen::Text(bytes) => Seen::Text(bytes),
            Seen::Opaque(reason) => Seen::Opaque(reason),
            Seen::Missing => Seen::Missing,
            Seen::Unasked => {
                self.unasked.insert(path);
                Seen::Unasked
            }
        }
    }

    /// Any answer, without evidence, and nobody knows which, nor what else happens.
    fn anything(&mut self, handler: &Handler, reason: String) -> Option<Alternative> {
        let clause = format!("{reason} (`{}` line {})", handler.place.path, handler.place.line);
        let condition = self.condition(GuardKind::Unmodelled, clause, Test::Fixed(Answer::Unknown));
        self.note(handler, reason);
        Some(Alternative { when: vec![(condition, true)], discredits: true, ..plain(ReturnCode::all().collect()) })
    }

    fn condition(&mut self, kind: GuardKind, clause: String, test: Test) -> usize {
        let condition = Condition { kind, clause: clause.into(), test };
        if let Some(at) = self.conditions.iter().position(|known| *known == condition) {
            return at;
        }
        self.conditions.push(condition);
        self.conditions.len().saturating_sub(1)
    }

    fn note(&mut self, handler: &Handler, text: String) {
        let problem = Problem { path: handler.place.path.clone(), line: handler.place.line, text, undecidable: false };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

fn plain(codes: Vec<ReturnCode>) -> Alternative {
    Alternative { when: Vec::new(), codes, shows: None, asks: Asks::Nothing, discredits: false }
}

fn knows(model: &ModuleModel, argument: &[u8]) -> bool {
    model.options.free_form
        || model
            .options
            .plain
            .iter()
            .chain(&model.options.deciding)
            .any(|option| option_is(option.as_bytes(), argument))
}

fn option_is(option: &[u8], argument: &[u8]) -> bool {
    if option.ends_with(b"=") { argument.starts_with(option) } else { argument == option }
}

/// The arguments of one line.
struct Given<'a>(&'a [Vec<u8>]);

impl Given<'_> {
    fn has(&self, option: &[u8]) -> bool {
        self.0.iter().any(|argument| option_is(option, argument))
    }

    /// The value of the last argument that begins with `option`, which ends in `=`.
    fn value(&self, option: &[u8]) -> Option<Vec<u8>> {
        self.0.iter().rev().find_map(|argument| argument.strip_prefix(option)).map(<[u8]>::to_vec)
    }
}

const fn kind(kind: AtomKind) -> Kind {
    match kind {
        AtomKind::Knowledge => Kind::Knowledge,
        AtomKind::Possession => Kind::Possession,
        AtomKind::Inherence => Kind::Inherence,
        AtomKind::Opaque => Kind::Opaque,
    }
}

const fn guard_kind(kind: ConditionKind) -> GuardKind {
    match kind {
        ConditionKind::Unmodelled => GuardKind::Unmodelled,
        ConditionKind::FailOpen => GuardKind::FailOpen,
        ConditionKind::NotEnrolled => GuardKind::NotEnrolled,
        ConditionKind::Grace => GuardKind::Grace,
        ConditionKind::Connection => GuardKind::Connection,
    }
}
