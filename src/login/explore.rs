//! Walks through every class of connections and gathers the ways in that each finds open.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use super::alike::Questions;
use super::classes::{AddressClass, Addresses, names};
use super::directory::{self, Shape};
use super::factor::{Evidence, Guard, GuardKind};
use super::methods::{self, Leaf, Stacks, Way};
use super::pam;
use super::prove::{Outcome, Server, Violation, Witness, World};
use super::sshd::{Config, Connection, Effective, Global, Origin, Problem, Settings, access};
use super::standing::{Judge, Standing, Worth};
use crate::formats::sshd_config::address::Range;
use crate::formats::sshd_config::{Body, Criteria, Criterion, address, pattern, value};
use crate::model::RootedPath;
use crate::policy::LoginPolicy;

/// Who logs in: an account, or any name that no listed account has.
pub struct User<'a> {
    /// Its place among the users of its host.
    pub number: usize,
    /// The name as typed.
    pub name: Cow<'a, [u8]>,
    /// The account, where there is one.
    pub account: Option<&'a pam::Account>,
    /// Whether its groups can be looked up.
    pub groups: bool,
    /// The account as NSS shows it, where that is less than it is.
    pub seen: Option<Rc<pam::Account>>,
    /// When it has this shape.
    pub guards: Vec<Guard>,
}

impl<'a> User<'a> {
    const fn new(name: Cow<'a, [u8]>, account: Option<&'a pam::Account>, groups: bool) -> Self {
        Self { number: 0, name, account, groups, seen: None, guards: Vec::new() }
    }

    /// The account as NSS shows it.
    #[must_use]
    pub fn seen(&self) -> Option<&pam::Account> {
        self.seen.as_deref().or(self.account)
    }

    /// The account's own name, whatever was typed.
    #[must_use]
    pub fn own_name(&self) -> &[u8] {
        self.account.map_or(&self.name, |account| &account.name)
    }
}

/// Users whom nothing tells apart.
struct Kind<'a, 'b> {
    /// By their numbers.
    users: &'b [usize],
    /// The best example among them.
    example: &'b User<'a>,
    /// The same one in its own shape, where this is another.
    base: Option<&'b User<'a>>,
    number: usize,
}

/// Users by number, sorted by what tells them apart.
#[derive(Default)]
struct Sorted {
    kinds: Vec<Vec<usize>>,
    shapes: Vec<Shape>,
    /// What could not be followed, each a clause.
    unknowns: BTreeSet<String>,
}

/// What users were sorted by: the same users asked the same are sorted the same.
struct Asked {
    patterns: Vec<Vec<Vec<u8>>>,
    remotes: Vec<pam::Remote>,
    stacks: Vec<Rc<Stacks>>,
}

impl PartialEq for Asked {
    fn eq(&self, other: &Self) -> bool {
        let same = |(one, other): (&Rc<Stacks>, &Rc<Stacks>)| Rc::ptr_eq(one, other);
        self.patterns == other.patterns
            && self.remotes == other.remotes
            && self.stacks.len() == other.stacks.len()
            && self.stacks.iter().zip(&other.stacks).all(same)
    }
}

/// What the proofs of one host under one policy share as long as no file differs but sshd's own.
#[derive(Default)]
pub struct Known {
    /// The PAM stacks by service.
    stacks: BTreeMap<Vec<u8>, Rc<Stacks>>,
    sorted: Option<(Asked, Rc<Sorted>)>,
}

impl Known {
    /// The PAM stacks of the services that some connection may get.
    pub fn stacks(&self) -> impl Iterator<Item = &Stacks> {
        self.stacks.values().map(Rc::as_ref)
    }
}

/// A way in while it is gathered, with the kinds of users that can take it from the same addresses, by number.
struct Met {
    key: Key,
    violation: Violation,
    kinds: BTreeSet<usize>,
}

/// The ways in of a connection, and what sshd makes of it.
type Opened = (Rc<Vec<Found>>, Rc<Result<Effective, Problem>>);

/// What sshd makes of a connection, and which others it makes the same of as far as ways in are concerned.
#[derive(Clone)]
struct Settled {
    effective: Rc<Result<Effective, Problem>>,
    /// Equal for equal [`Effective::deciding`].
    shape: usize,
}

/// All that the ways in of a connection depend on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    shape: usize,
    service: Vec<u8>,
    superuser: bool,
    /// To the conditions of the PAM stacks.
    answers: Vec<pam::Answer>,
    own_authority: pam::Answer,
}

/// A way in as each connection of one [`Question`] meets it.
struct Found {
    way: Way,
    key: Key,
    origins: Vec<(&'static str, Origin)>,
    values: Vec<String>,
    worth: Worth,
    /// Where it was put in its bucket, of which kind of users.
    at: Cell<Option<(usize, usize)>>,
}

/// One server's connections.
pub struct Exploration<'a> {
    world: World<'a>,
    policy: &'a LoginPolicy,
    judge: Judge<'a>,
    config: &'a Config,
    global: &'a Global<'a>,
    known: &'a mut Known,
    service: Vec<u8>,
    listeners: Vec<(IpAddr, u16)>,
    inetd: bool,
    /// By the Match lines that hold: what sshd makes of them.
    effective: BTreeMap<Vec<Origin>, Settled>,
    shapes: BTreeMap<Settings, usize>,
    /// The ways in of every question that came up.
    ways: BTreeMap<Question, Rc<Vec<Found>>>,
    /// Every Match line.
    blocks: Vec<(Origin, &'a Criteria)>,
}

/// What makes two ways the same to a reader.
type Key = (Vec<String>, Evidence, Vec<(&'static str, Origin)>);

impl<'a> Exploration<'a> {
    /// All that can connect to `server`.
    #[must_use]
    pub fn new(
        server: &Server,
        world: World<'a>,
        policy: &'a LoginPolicy,
        config: &'a Config,
        global: &'a Global<'a>,
        known: &'a mut Known,
    ) -> Self {
        let mut blocks = Vec::new();
        for (file, source) in config.files.iter().enumerate() {
            for (line, text) in source.lines.iter().enumerate() {
                if let Body::Match(criteria) = &text.body {
                    blocks.push((Origin::Line { file, line }, criteria));
                }
            }
        }
        let values = global.values();
        let listeners = if server.listeners.is_empty() {
            let any = IpAddr::from([0, 0, 0, 0]);
            values.words("port").iter().filter_map(|port| Some((any, port.parse().ok()?))).collect()
        } else {
            server.listeners.clone()
        };
        Self {
            world,
            policy,
            judge: Judge::new(policy, policy.zone_of_server(listeners.iter().map(|(address, _)| *address))),
            config,
            global,
            known,
            service: server.name.to_ascii_lowercase(),
            listeners,
            inetd: server.inetd,
            effective: BTreeMap::new(),
            shapes: BTreeMap::new(),
            ways: BTreeMap::new(),
            blocks,
        }
    }

    /// Gathers ways, violations and what could not be told into `outcome`.
    pub fn run(mut self, outcome: &mut Outcome) {
        self.compile();
        let questions = self.criteria().count().saturating_add(self.access_patterns().count());
        if questions > MAX_QUESTIONS {
            outcome.unknowns.insert(format!("more than {MAX_QUESTIONS} criteria and patterns tell connections apart"));
            return;
        }
        let criteria: Vec<&Criterion> = self.criteria().collect();
        if criteria.iter().any(|criterion| matches!(criterion, Criterion::RDomain(_))) {
            outcome.unknowns.insert("`Match RDomain` depends on routing domains, which are not modelled".to_owned());
        }
        if self.global.values().flag("usedns") && criteria.iter().any(|c| matches!(c, Criterion::Host(_))) {
            outcome.unknowns.insert("`Match Host` with `UseDNS yes` depends on what name servers answer".to_owned());
        }
        if !self.world.directories.is_empty() {
            let names = self.world.directories.join("`, `");
            outcome.unknowns.insert(format!("accounts and groups of `{names}` are not in the facts"));
        }
        let from = self.remote_classes();
        let arrivals = self.arrivals();
        let users = self.users(outcome);
        let sorted = self.sorted(&users, from.iter().map(|class| remote(class.range)).collect());
        outcome.unknowns.extend(sorted.unknowns.iter().cloned());
        let shaped: Vec<(User<'_>, &Shape)> =
            sorted.shapes.iter().filter_map(|shape| Some((shape.of(users.get(shape.base)?), shape))).collect();
        let mut kinds: Vec<Kind<'_, '_>> =
            sorted.kinds.iter().enumerate().filter_map(|(number, kind)| Kind::new(number, kind, &users)).collect();
        for (user, shape) in &shaped {
            let number = kinds.len();
            kinds.push(Kind { users: &shape.members, example: user, base: users.get(shape.base), number });
        }
        let mut met: BTreeMap<usize, Vec<Met>> = BTreeMap::new();
        let each = from.len().saturating_mul(arrivals.len()).max(1);
        let followed = MAX_CONNECTIONS.div_ceil(each);
        if kinds.len() > followed {
            outcome.unknowns.insert(format!("more than {MAX_CONNECTIONS} classes of connections are not followed"));
        }
        for kind in kinds.iter().take(followed) {
            let mut own: BTreeMap<usize, Vec<Met>> = BTreeMap::new();
            for class in &from {
                for (to, port) in &arrivals {
                    outcome.classes =
                        outcome.classes.saturating_add(u64::try_from(kind.users.len()).unwrap_or(u64::MAX));
                    self.one(kind, class, to, *port, from.len(), outcome, &mut own);
                }
            }
            for (authenticators, ways) in own {
                let bucket = met.entry(authenticators).or_default();
                ways.into_iter().for_each(|way| way.join(bucket));
            }
        }
        let mut found: Vec<Violation> = met.into_values().flatten().map(|met| met.with_users(&kinds, &users)).collect();
        found.sort_by_key(|violation| violation.weight());
        outcome.violations = found
            .iter()
            .filter(|violation| violation.is_certain() && matches!(violation.standing, Standing::Short(_)))
            .cloned()
            .collect();
        let granted = |violation: &&Violation| matches!(violation.standing, Standing::Granted(_));
        outcome.demanded = self.judge.factors();
        outcome.granted = found.iter().filter(granted).cloned().collect();
        let certain =
            || found.iter().filter(|violation| violation.is_certain()).map(|violation| &violation.way.evidence);
        outcome.authenticators = certain().map(Evidence::authenticators).min();
        outcome.categories = certain().map(Evidence::categories).min();
        outcome.paths = found;
    }

    /// The users by kind, and in the shapes that are not their own.
    fn sorted(&mut self, users: &[User<'_>], remotes: Vec<pam::Remote>) -> Rc<Sorted> {
        let questions = Questions::of(self.config, self.policy);
        let stacks: Vec<Rc<Stacks>> = self.known.stacks.values().cloned().collect();
        let asked = Asked { patterns: questions.patterns(), remotes, stacks };
        if let Some((_, sorted)) = self.known.sorted.as_ref().filter(|(known, _)| *known == asked) {
            return Rc::clone(sorted);
        }
        let stacks: Vec<&Stacks> = asked.stacks.iter().map(Rc::as_ref).collect();
        let kinds = questions.sort(users, &stacks, &asked.remotes, self.world.tree);
        let mut sorted = Sorted::default();
        if let Some(listed) = self.world.listed {
            sorted.shapes = directory::shapes(&kinds, listed, &questions, &stacks, &mut sorted.unknowns);
        }
        let numbers = |kind: Vec<&User<'_>>| kind.into_iter().map(|user| user.number).collect();
        sorted.kinds = kinds.into_iter().map(numbers).collect();
        let sorted = Rc::new(sorted);
        self.known.sorted = Some((asked, Rc::clone(&sorted)));
        sorted
    }

    fn criteria(&self) -> impl Iterator<Item = &'a Criterion> + use<'a> {
        self.config.files.iter().flat_map(|file| &file.lines).flat_map(|line| match &line.body {
            Body::Match(criteria) => criteria.0.as_slice(),
            _ => &[],
        })
    }

    /// The stacks of every service that some connection may get.
    fn compile(&mut self) {
        let mut services = BTreeSet::from([self.service.clone()]);
        if self.config.dialect.at_least(9, 8) {
            services = BTreeSet::from([self.default_service()]);
            for line in self.config.files.iter().flat_map(|file| &file.lines).chain(&self.config.options) {
                if let Body::Setting { keyword, words, .. } = &line.body
                    && keyword.name == "pamservicename"
                {
                    services.extend(words.iter().map(|word| word.to_ascii_lowercase()));
                }
            }
        }
        self.known.stacks.retain(|service, _| services.contains(service));
        for service in services {
            let tree = self.world.tree;
            self.known.stacks.entry(service).or_insert_with_key(|service| Rc::new(Stacks::new(service, tree)));
        }
    }

    /// The PAM service where no line names one, since 9.8.
    fn default_service(&self) -> Vec<u8> {
        let file = RootedPath::new("/etc/pam.d").and_then(|dir| dir.join(&self.service));
        let own = self.config.dialect.may_name_service()
            && file
                .is_some_and(|file| matches!(self.world.tree.text(&file), pam::Seen::Text(_) | pam::Seen::Opaque(_)));
        if own { self.service.clone() } else { b"sshd".to_vec() }
    }

    fn remote_classes(&self) -> Vec<AddressClass> {
        let mut addresses = Addresses::default();
        let dns = self.global.values().flag("usedns");
        for criterion in self.criteria() {
            match criterion {
                Criterion::Address(items) => addresses.list(items),
                Criterion::Host(list) if !dns => addresses.text(list),
                _ => {}
            }
        }
        for hosts in self.access_patterns().filter_map(|glob| value::user_and_hosts(glob, self.config.dialect).1) {
            if let Ok(items) = address::parse_list(hosts) {
                addresses.list(&items);
            }
            if !dns {
                addresses.text(hosts);
            }
        }
        for range in self.policy.networks() {
            addresses.range(range);
        }
        for stacks in self.known.stacks.values() {
            for (first, last) in stacks.auth.networks().into_iter().chain(stacks.account.networks()) {
                addresses.net(first, last);
            }
        }
        addresses.classes()
    }

    /// Every AllowUsers and DenyUsers pattern, wherever it stands.
    fn access_patterns(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.config.files.iter().flat_map(|file| &file.lines).chain(&self.config.options).flat_map(|line| {
            match &line.body {
                Body::Setting { keyword, words, .. } if matches!(keyword.name, "allowusers" | "denyusers") => {
                    words.iter().map(Vec::as_slice).collect::<Vec<_>>()
                }
                _ => Vec::new(),
            }
        })
    }

    /// Addresses and ports at which connections arrive: of a listener on all addresses, one of each class.
    fn arrivals(&self) -> Vec<(String, u16)> {
        let mut addresses = Addresses::default();
        for criterion in self.criteria() {
            if let Criterion::LocalAddress(items) = criterion {
                addresses.list(items);
            }
        }
        let classes = addresses.classes();
        let mut arrivals = BTreeSet::new();
        for (address, port) in &self.listeners {
            if address.is_unspecified() {
                arrivals.extend(classes.iter().map(|class| (class.witness.clone(), *port)));
            } else {
                arrivals.insert((address.to_string(), *port));
            }
        }
        if self.inetd && arrivals.is_empty() {
            arrivals.extend(classes.iter().map(|class| (class.witness.clone(), 22)));
        }
        // Without a criterion that tells arrivals apart, one a port is enough.
        if !self.tells_arrivals() {
            let ports: BTreeSet<u16> = arrivals.iter().map(|(_, port)| *port).collect();
            let one = |port: u16| arrivals.iter().find(|(_, p)| *p == port).cloned();
            let telling = self.criteria().any(|criterion| matches!(criterion, Criterion::LocalPort(_)));
            let ports: Vec<u16> =
                if telling { ports.into_iter().collect() } else { ports.into_iter().take(1).collect() };
            return ports.into_iter().filter_map(one).collect();
        }
        arrivals.into_iter().collect()
    }

    fn tells_arrivals(&self) -> bool {
        self.criteria().any(|criterion| matches!(criterion, Criterion::LocalAddress(_)))
    }

    /// Every listed account; where a directory may know more, a name for each combination of patterns, and every user
    /// once more for the case that groups cannot be looked up.
    fn users(&self, outcome: &mut Outcome) -> Vec<User<'a>> {
        let mut users: Vec<User<'a>> = self
            .world
            .accounts
            .iter()
            .map(|account| User::new(Cow::Borrowed(account.name.as_slice()), Some(account), true))
            .collect();
        if !self.world.directories.is_empty() {
            self.add_names(&mut users, outcome);
        }
        users.iter_mut().enumerate().for_each(|(number, user)| user.number = number);
        users
    }

    fn add_names(&self, users: &mut Vec<User<'a>>, outcome: &mut Outcome) {
        let accounts = self.world.accounts.iter();
        users.extend(accounts.map(|account| User::new(Cow::Borrowed(account.name.as_slice()), Some(account), false)));
        let mut globs: BTreeSet<Vec<u8>> = BTreeSet::new();
        for criterion in self.criteria() {
            if let Criterion::User(list) = criterion {
                globs.extend(pattern::items(list).0.into_iter().map(|item| item.pattern));
            }
        }
        let named = self.policy.regions().flat_map(|region| &region.users);
        globs.extend(named.map(|pattern| pattern.clone().into_bytes()));
        globs.extend(self.access_patterns().map(|glob| value::user_and_hosts(glob, self.config.dialect).0.to_vec()));
        let globs: Vec<&[u8]> = globs.iter().map(Vec::as_slice).collect();
        match names::combinations(&globs) {
            Some(found) => users.extend(
                found
                    .into_iter()
                    .filter(|one| !self.world.accounts.iter().any(|account| account.name == one.witness))
                    .map(|one| User::new(Cow::Owned(one.witness), None, false)),
            ),
            None => {
                outcome.unknowns.insert("the user patterns combine in too many ways to follow".to_owned());
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the coordinates of one class and where its ways are gathered")]
    fn one(
        &mut self,
        kind: &Kind<'a, '_>,
        class: &AddressClass,
        to: &str,
        port: u16,
        classes: usize,
        outcome: &mut Outcome,
        met: &mut BTreeMap<usize, Vec<Met>>,
    ) {
        let user = kind.example;
        let Some((found, effective)) = self.open(user, class, to, port, outcome) else { return };
        let Ok(Effective { blocks, .. }) = effective.as_ref() else { return };
        let base = kind.base.and_then(|base| self.open(base, class, to, port, outcome)).map(|(found, _)| found);
        for found in found.iter() {
            if base.iter().flat_map(|base| base.iter()).any(|own| own.is_like(found)) {
                continue;
            }
            let (mut key, mut way) = (Cow::Borrowed(&found.key), Cow::Borrowed(&found.way));
            if !user.guards.is_empty() {
                key.to_mut().1.guards.extend(user.guards.iter().cloned());
                way.to_mut().evidence.guards.extend(user.guards.iter().cloned());
            }
            let standing = self.judge.of(&way.evidence, &found.worth, user.own_name(), user.account, class.range);
            let short = matches!(standing, Standing::Short(_));
            if let Standing::Open(reason) = &standing {
                outcome.unknowns.insert(reason.clone());
            }
            if short {
                for guard in way.evidence.guards.iter().filter(|guard| guard.kind == GuardKind::Unmodelled) {
                    outcome.unknowns.insert(format!("whether {guard}"));
                }
                if class.uncertain && !way.evidence.is_uncertain() {
                    outcome.unknowns.insert(
                        "a pattern over the text of IPv6 addresses decides, and such patterns are not followed"
                            .to_owned(),
                    );
                }
            }
            // Whether a directory knows such an account, enrolled or not, is not for us to say.
            if user.account.is_none() && !way.evidence.guards.is_empty() && short {
                outcome.unknowns.insert("accounts of a directory may not be enrolled".to_owned());
                continue;
            }
            let rank = rank(user, class);
            let witness = || Witness {
                user: user.name.to_vec(),
                from: class.witness.clone(),
                to: self.tells_arrivals().then(|| to.to_owned()),
                port,
                rank,
            };
            let bucket = met.entry(way.evidence.authenticators()).or_default();
            let is_it = |met: &Met| met.violation.standing == standing && met.key == *key;
            let stands = |at: &usize| bucket.get(*at).is_some_and(|met| met.violation.standing == standing);
            let last = found.at.get().filter(|(number, _)| *number == kind.number).map(|(_, at)| at).filter(stands);
            let known = last.or_else(|| bucket.iter().position(is_it));
            let at = known.unwrap_or_else(|| {
                let violation = Violation {
                    values: found.values.clone(),
                    way: way.clone().into_owned(),
                    origins: found.origins.clone(),
                    blocks: blocks.clone(),
                    users: BTreeSet::new(),
                    others: false,
                    accounts: self.world.accounts.len(),
                    from: Vec::new(),
                    classes,
                    witness: witness(),
                    hardware: found.worth.is_of_hardware(),
                    standing,
                };
                bucket.push(Met { key: key.clone().into_owned(), violation, kinds: BTreeSet::from([kind.number]) });
                bucket.len() - 1
            });
            found.at.set(Some((kind.number, at)));
            let Some(met) = bucket.get_mut(at) else { continue };
            let entry = &mut met.violation;
            if rank > entry.witness.rank {
                entry.values.clone_from(&found.values);
                entry.origins.clone_from(&found.origins);
                entry.blocks.clone_from(blocks);
                entry.way = way.clone().into_owned();
                entry.witness = witness();
            }
            if !entry.from.contains(class) {
                entry.from.push(class.clone());
            }
        }
    }

    /// The ways in of one connection, and what sshd makes of it; `None` if it is turned away.
    fn open(
        &mut self,
        user: &User<'a>,
        class: &AddressClass,
        to: &str,
        port: u16,
        outcome: &mut Outcome,
    ) -> Option<Opened> {
        let groups = user.seen().filter(|_| user.groups).map(|account| Cow::Borrowed(account.groups.as_slice()));
        let connection = Connection {
            user: Some(Cow::Borrowed(&user.name)),
            groups: groups.filter(|groups| !groups.is_empty()),
            invalid_user: false,
            host: Some(Cow::Borrowed(class.witness.as_bytes())),
            address: Some(Cow::Borrowed(class.witness.as_bytes())),
            local_address: Some(Cow::Borrowed(to.as_bytes())),
            local_port: Some(port),
            rdomain: None,
        };
        let Settled { effective, shape } = self.effective(&connection);
        // A connection for which sshd gives up lets nobody in.
        let Ok(values) = effective.as_ref() else { return None };
        if access::denied(values, &connection, user.own_name()).is_some() {
            return None;
        }
        let service = if self.config.dialect.at_least(9, 8) {
            let named = values.list("pamservicename").first().map(|name| name.to_ascii_lowercase());
            let named = named.filter(|_| values.origin("pamservicename") != Origin::Default);
            named.unwrap_or_else(|| self.default_service())
        } else {
            self.service.clone()
        };
        let found = self.ways(user, class, values, shape, service, outcome)?;
        Some((found, effective))
    }

    /// The ways in of one connection, which it shares with all that put the same question.
    fn ways(
        &mut self,
        user: &User<'a>,
        class: &AddressClass,
        effective: &Effective,
        shape: usize,
        service: Vec<u8>,
        outcome: &mut Outcome,
    ) -> Option<Rc<Vec<Found>>> {
        let stacks = self.known.stacks.get(&service).map(Rc::as_ref)?;
        let (account, files, remote) = (user.seen(), self.world.tree, remote(class.range));
        let superuser = account.is_some_and(|account| account.uid == 0);
        let answers = stacks.answers(account, &[remote], files).collect();
        let leaf = Leaf { effective, account, remote, stacks, files };
        let question = Question { shape, service, superuser, answers, own_authority: leaf.trusts_own_authority() };
        if let Some(known) = self.ways.get(&question) {
            return Some(Rc::clone(known));
        }
        outcome.explored = outcome.explored.saturating_add(1);
        let found = |way: Way| {
            let origins = methods::origins(&way, effective);
            let shown = origins.iter().filter(|(keyword, _)| *keyword != "permitrootlogin").copied().collect();
            let evidence =
                Evidence { atoms: way.evidence.atoms.clone(), guards: way.evidence.guards.clone(), trace: Vec::new() };
            Found {
                key: (way.methods.clone(), evidence, shown),
                values: way.keywords.iter().map(|keyword| effective.words(keyword).join(" ")).collect(),
                worth: self.judge.weigh(&way, effective, self.world.tree),
                origins,
                way,
                at: Cell::new(None),
            }
        };
        let found: Rc<Vec<Found>> = Rc::new(leaf.ways().into_iter().map(found).collect());
        self.ways.insert(question, Rc::clone(&found));
        Some(found)
    }

    /// What sshd makes of the connection; the same for all that satisfy the same Match lines.
    fn effective(&mut self, connection: &Connection<'_>) -> Settled {
        let hold: Vec<Origin> = self
            .blocks
            .iter()
            .filter(|(_, criteria)| connection.satisfies(criteria))
            .map(|(origin, _)| *origin)
            .collect();
        if let Some(known) = self.effective.get(&hold) {
            return known.clone();
        }
        let effective = self.global.decided(&|origin, _| hold.contains(&origin));
        let deciding = effective.as_ref().map(Effective::deciding).unwrap_or_default();
        let next = self.shapes.len();
        let shape = *self.shapes.entry(deciding).or_insert(next);
        let settled = Settled { effective: Rc::new(effective), shape };
        self.effective.insert(hold, settled.clone());
        settled
    }
}

impl Found {
    /// Whether it asks for the same by the same methods, and is worth as much.
    fn is_like(&self, other: &Self) -> bool {
        self.key.0 == other.key.0 && self.key.1 == other.key.1 && self.worth == other.worth
    }
}

impl<'a, 'b> Kind<'a, 'b> {
    fn new(number: usize, users: &'b [usize], all: &'b [User<'a>]) -> Option<Self> {
        // The first of those that rank highest.
        let example = users.iter().rev().filter_map(|user| all.get(*user)).max_by_key(|user| person(user))?;
        Some(Self { users, example, base: None, number })
    }
}

impl Met {
    /// Puts it with the one that is the same way from the same addresses, if there is one.
    fn join(self, bucket: &mut Vec<Self>) {
        let (key, new) = (&self.key, &self.violation);
        let same = |other: &&mut Self| {
            let known = &other.violation;
            known.standing == new.standing && known.from == new.from && other.key == *key
        };
        let Some(other) = bucket.iter_mut().find(same) else { return bucket.push(self) };
        other.kinds.extend(&self.kinds);
        if self.violation.witness.rank > other.violation.witness.rank {
            other.violation = self.violation;
        }
    }

    fn with_users(self, kinds: &[Kind<'_, '_>], users: &[User<'_>]) -> Violation {
        let mut violation = self.violation;
        let numbers = kinds.iter().filter(|kind| self.kinds.contains(&kind.number)).flat_map(|kind| kind.users);
        for user in numbers.filter_map(|number| users.get(*number)) {
            if user.account.is_some() {
                violation.users.insert(user.own_name().to_vec());
            } else {
                violation.others = true;
            }
        }
        violation
    }
}

/// Most criteria of Match lines and patterns of AllowUsers and DenyUsers. Each is asked of each account.
const MAX_QUESTIONS: usize = 4_096;

/// Most classes of connections that are looked at, users whom nothing tells apart counted once.
const MAX_CONNECTIONS: usize = 1 << 20;

fn remote(range: Range) -> pam::Remote {
    match range {
        Range::V4(first, last) => {
            pam::Remote::Range(IpAddr::V4(Ipv4Addr::from(first)), IpAddr::V4(Ipv4Addr::from(last)))
        }
        Range::V6(first, last) => {
            pam::Remote::Range(IpAddr::V6(Ipv6Addr::from(first)), IpAddr::V6(Ipv6Addr::from(last)))
        }
    }
}

/// How good an example of a connection it is; addresses for documentation before others.
fn rank(user: &User<'_>, class: &AddressClass) -> u8 {
    person(user) + u8::from(class.witness == "203.0.113.9")
}

/// How good an example a user is: people before root before services.
fn person(user: &User<'_>) -> u8 {
    let shell = |account: &pam::Account| !account.shell.ends_with(b"nologin") && !account.shell.ends_with(b"false");
    match user.account {
        Some(account) if account.uid >= 1000 && account.uid != 65534 && shell(account) => 8,
        Some(account) if account.uid == 0 => 6,
        None => 4,
        Some(account) if shell(account) => 2,
        Some(_) => 0,
    }
}
