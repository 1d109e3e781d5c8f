//! The scenarios of the login proof, as files: one directory under `tests/cases/login` each, with what differs from `_base`
//! and a `case.toml` that says what must be shown.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sshproof::facts::directory::{Given, Population, population};
use sshproof::facts::{FileFacts, FileState, LoginFacts, RootFacts};
use sshproof::formats::accounts;
use sshproof::formats::program::Implementation;
use sshproof::formats::sshd_config::Dialect;
use sshproof::login::pam::{Account, Files, Seen};
use sshproof::login::prove::{Server, World};
use sshproof::login::simple::{self, Demand};
use sshproof::login::tree::{Names, Texts, Tree};
use sshproof::model::accounts::{Enrolment, Form, Names as Spelling};
use sshproof::model::{FileKind, Meta, RootedPath, Timestamp};
use sshproof::observe::directory::{self, LOOKED_FOR, Order, Text};
use sshproof::policy::{FactorCount, LoginPolicy, Policy};
use sshproof::trust::accounts::sign;
use sshproof::trust::chain::NodeKey;

/// A scenario, read.
#[derive(Clone)]
pub struct Case {
    /// Its directory's name.
    pub name: String,
    /// What must be shown.
    pub expected: Expected,
    /// Its files.
    pub root: Root,
    accounts: Vec<Account>,
    /// What nsswitch.conf and the like make of the accounts, and the snapshot, where the case has one.
    listed: Option<(LoginFacts, Given)>,
}

impl Case {
    /// Every scenario, by name.
    pub fn all() -> Vec<Self> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/login");
        let mut cases: Vec<PathBuf> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        cases.retain(|case| case.join("case.toml").exists());
        cases.sort();
        assert!(cases.len() > 20, "only {} cases found", cases.len());
        let base = tree(&dir.join("_base"));
        cases.iter().map(|case| Self::read(case, base.clone())).collect()
    }

    fn read(dir: &Path, mut files: BTreeMap<RootedPath, Vec<u8>>) -> Self {
        let expected: Expected = toml::from_str(&std::fs::read_to_string(dir.join("case.toml")).unwrap()).unwrap();
        files.extend(tree(dir));
        let listed = expected.snapshot.as_ref().map(|wanted| (login(&files), wanted.given(dir)));
        let name = dir.file_name().unwrap().to_str().unwrap().to_owned();
        let root = Root { texts: Texts(files), enrolled: expected.enrolled.clone(), missing: expected.missing.clone() };
        Self { accounts: accounts_in(&root.texts.0), name, expected, root, listed }
    }

    /// The server of the scenario.
    pub fn server(&self) -> Server {
        let expected = &self.expected;
        Server {
            dialect: Dialect::from_banner(&expected.banner),
            config: RootedPath::new("/etc/ssh/sshd_config").unwrap(),
            options: expected.options.iter().map(|option| option.clone().into_bytes()).collect(),
            ports: Vec::new(),
            name: b"sshd".to_vec(),
            listeners: expected.listen.iter().map(|socket| (socket.ip(), socket.port())).collect(),
            inetd: false,
        }
    }

    /// What is demanded by a server that is not OpenSSH; `None` for OpenSSH.
    pub fn demand(&self) -> Option<Demand> {
        let implementation = match self.expected.server.as_str() {
            "openssh" => return None,
            "dropbear" => Implementation::Dropbear,
            "tinysshd" => Implementation::TinySsh,
            other => panic!("{}: no server is called {other}", self.name),
        };
        let arguments: Vec<Vec<u8>> = self.expected.arguments.iter().map(|word| word.clone().into_bytes()).collect();
        Some(simple::demand(implementation, &arguments))
    }

    /// Its host.
    pub fn world(&self) -> World<'_> {
        if self.listed.is_some() {
            // Lives as long as the test, which is short.
            return Box::leak(Box::new(self.population())).world();
        }
        World { tree: &self.root, accounts: &self.accounts, directories: &self.expected.directories, listed: None }
    }

    /// Who can log in there, of a case that has an accounts snapshot.
    pub fn population(&self) -> Population<'_> {
        let (login, given) = self.listed.as_ref().unwrap();
        population(login, &self.root, Timestamp::parse(TODAY).unwrap(), Some(given))
    }

    /// Why there may be others.
    pub fn doubts(&self) -> Vec<String> {
        if self.listed.is_some() { self.population().unknowns } else { Vec::new() }
    }

    /// What policy demands, on the day of the case.
    pub fn policy(&self) -> LoginPolicy {
        let text = &self.expected.policy;
        let read = Policy::parse(PathBuf::from(format!("{}/case.toml", self.name)), text);
        let mut policy =
            read.unwrap_or_else(|problem| panic!("{problem}")).login.at(Timestamp::parse(TODAY).unwrap()).0;
        policy.count = self.expected.count;
        policy
    }
}

/// What a case says.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Expected {
    /// What it is about, for readers.
    pub about: String,
    /// `proved`, `proved-with-exemptions`, `refuted` or `unknown`.
    pub proof: String,
    /// Which implementation: `openssh`, or one that has only a command line, `dropbear` or `tinysshd`.
    pub server: String,
    /// That command line, program first.
    pub arguments: Vec<String>,
    /// Part of the reason that is given for such a server.
    pub reason: String,
    /// Accounts that can replace the secret of their one-time codes.
    pub in_reach: Vec<String>,
    /// How sshd announces itself.
    pub banner: String,
    /// What it listens on.
    pub listen: Vec<SocketAddr>,
    /// `-o` options.
    pub options: Vec<String>,
    /// Whose one-time codes are enrolled.
    pub enrolled: Vec<String>,
    /// PAM modules that are not installed.
    pub missing: Vec<String>,
    /// Further sources of accounts.
    pub directories: Vec<String>,
    /// The accounts snapshot of them: made of `accounts.ldif`, or of `accounts.passwd` and `accounts.group`.
    pub snapshot: Option<Wanted>,
    /// What policy counts.
    pub count: FactorCount,
    /// The policy, `sshproof.toml`; the default where empty.
    pub policy: String,
    /// Parts of the sentences about logins that are allowed because the site answers for them, in order.
    pub exempt: Vec<String>,
    /// Whether nobody can log in at all.
    pub closed: bool,
    /// Fewest authenticators.
    pub authenticators: Option<usize>,
    /// Methods, user, parts of the region and of the fix, of the first counterexample.
    pub methods: String,
    pub user: String,
    pub region: String,
    pub fix: String,
    /// The whole sentence about the first counterexample.
    pub sentence: String,
    /// Beginnings of lines that decide the first counterexample.
    pub decided: Vec<String>,
    /// Beginnings (`file:line`) of Match lines that can never hold.
    pub dead: Vec<String>,
    /// Parts of reasons why it is unknown.
    pub unknown: Vec<String>,
    /// Part of sshd's refusal.
    pub refused: String,
}

impl Default for Expected {
    fn default() -> Self {
        Self {
            about: String::new(),
            proof: String::new(),
            server: "openssh".to_owned(),
            arguments: Vec::new(),
            reason: String::new(),
            in_reach: Vec::new(),
            banner: "OpenSSH_9.2p1 Debian-2+deb12u10".to_owned(),
            listen: vec!["0.0.0.0:22".parse().unwrap(), "[::]:22".parse().unwrap()],
            options: Vec::new(),
            enrolled: Vec::new(),
            missing: Vec::new(),
            directories: Vec::new(),
            snapshot: None,
            count: FactorCount::Authenticators,
            policy: String::new(),
            exempt: Vec::new(),
            closed: false,
            authenticators: None,
            methods: String::new(),
            user: String::new(),
            region: String::new(),
            fix: String::new(),
            sentence: String::new(),
            decided: Vec::new(),
            dead: Vec::new(),
            unknown: Vec::new(),
            refused: String::new(),
        }
    }
}

/// How the accounts snapshot of a case is made.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Wanted {
    /// On which day.
    pub made: Timestamp,
    /// By whom it is signed: `site`, whose key is trusted, `stranger`, or nobody.
    pub signed: String,
    /// Whether its maker declares it complete.
    pub complete: bool,
    /// `exact`, `any-case`, or nothing.
    pub names: String,
    /// Further forms of names.
    pub forms: Vec<String>,
    /// Who of its accounts has a one-time code.
    pub enrolled: Vec<String>,
    /// Whose homes could not be looked into.
    pub unseen: Vec<String>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            made: Timestamp::parse("2026-11-20").unwrap(),
            signed: "site".to_owned(),
            complete: true,
            names: "exact".to_owned(),
            forms: Vec::new(),
            enrolled: Vec::new(),
            unseen: Vec::new(),
        }
    }
}

impl Wanted {
    fn given(&self, dir: &Path) -> Given {
        let text = |form, name: &str| {
            let bytes = std::fs::read(dir.join(name)).ok()?;
            Some(Text { form, name: name.to_owned(), bytes })
        };
        let texts = [(Form::Ldif, "accounts.ldif"), (Form::Passwd, "accounts.passwd"), (Form::Group, "accounts.group")];
        let order = Order {
            texts: texts.into_iter().filter_map(|(form, name)| text(form, name)).collect(),
            services: vec!["sss".to_owned()],
            complete: self.complete,
            names: (!self.names.is_empty())
                .then(|| Spelling { any_case: self.names == "any-case", forms: self.forms.clone() }),
            homes: None,
            looked_for: Vec::new(),
        };
        let mut snapshot = directory::snapshot(&order, self.made).unwrap();
        snapshot.looked_for = LOOKED_FOR.map(str::to_owned).to_vec();
        for account in &mut snapshot.accounts {
            if self.enrolled.contains(&account.name) {
                let path = format!("{}/.google_authenticator", account.home);
                account.files =
                    vec![Enrolment { path, regular: true, uid: account.uid, gid: 0, mode: 0o400, authority: None }];
            }
            account.unseen = self.unseen.contains(&account.name).then(|| "permission denied".to_owned());
        }
        let (site, stranger) = (NodeKey::new(&[1; 32]), NodeKey::new(&[2; 32]));
        let snapshot = match self.signed.as_str() {
            "site" => sign(&site, snapshot).unwrap(),
            "stranger" => sign(&stranger, snapshot).unwrap(),
            _ => snapshot,
        };
        let (now, max_age) = (Timestamp::parse(TODAY).unwrap(), Policy::default().accounts.max_age);
        Given { name: "accounts.json".to_owned(), snapshot, keys: vec![site.public()], max_age, now }
    }
}

/// What the observer makes of the files.
fn login(files: &BTreeMap<RootedPath, Vec<u8>>) -> LoginFacts {
    let mut root = RootFacts::default();
    for path in ["/etc/passwd", "/etc/group", "/etc/nsswitch.conf"] {
        let path = RootedPath::new(path).unwrap();
        if let Some(text) = files.get(&path) {
            let mut file = FileFacts::new(FileState::Missing);
            file.text = Some(text.clone().into());
            root.files.files.insert(path, file);
        }
    }
    sshproof::observe::login::observe(&root)
}

/// The day of every case: exemptions of its policy may have ended by then.
const TODAY: &str = "2026-11-22";

/// Every file of a directory by its path within the root.
fn tree(dir: &Path) -> BTreeMap<RootedPath, Vec<u8>> {
    let files = walkdir::WalkDir::new(dir).into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file());
    files
        .filter(|entry| entry.depth() > 1)
        .map(|entry| {
            let inside = Path::new("/").join(entry.path().strip_prefix(dir).unwrap());
            (RootedPath::new(inside.as_os_str().as_encoded_bytes()).unwrap(), std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

fn accounts_in(files: &BTreeMap<RootedPath, Vec<u8>>) -> Vec<Account> {
    let text = |path: &str| files[&RootedPath::new(path).unwrap()].clone();
    let (passwd, group) = (text("/etc/passwd"), text("/etc/group"));
    let groups = accounts::group(&group).0;
    let account = |entry: &accounts::PasswdEntry<'_>| Account {
        name: entry.name.to_vec(),
        uid: entry.uid,
        gid: entry.gid,
        groups: groups
            .iter()
            .filter(|group| group.gid == entry.gid || group.members.contains(&entry.name))
            .map(|group| group.name.to_vec())
            .collect(),
        groups_complete: true,
        home: entry.home.to_vec(),
        shell: entry.shell.to_vec(),
        local: true,
    };
    accounts::passwd(&passwd).0.iter().map(account).collect()
}

/// The case's files, with every PAM module but the missing ones, and the enrolment of one-time codes.
#[derive(Clone)]
pub struct Root {
    /// By path.
    pub texts: Texts,
    enrolled: Vec<String>,
    missing: Vec<String>,
}

/// Whether it lies where homes of a directory's accounts lie, which no node looks into.
fn is_distant(path: &RootedPath) -> bool {
    path.as_bytes().starts_with(b"/net/")
}

impl Files for Root {
    fn text(&self, path: &RootedPath) -> Seen<'_> {
        match self.texts.text(path) {
            Seen::Missing if is_distant(path) => Seen::Unasked,
            Seen::Missing if self.inode(path).is_ok_and(|meta| meta.is_some()) => {
                Seen::Opaque("its content is no part of the case".to_owned())
            }
            seen => seen,
        }
    }

    fn inode(&self, path: &RootedPath) -> Result<Option<Meta>, String> {
        if is_distant(path) {
            return Err("nobody has looked".to_owned());
        }
        const MODULES: &str = "/usr/lib/x86_64-linux-gnu/security";
        let text = path.to_string();
        let name = String::from_utf8_lossy(path.file_name()).into_owned();
        let module = text.starts_with(&format!("{MODULES}/pam_")) && !self.missing.contains(&name);
        let seed = self.enrolled.iter().any(|user| text == format!("/home/{user}/.google_authenticator"));
        let directory = || text == MODULES || matches!(self.texts.names(path), Names::Listed(_));
        let kind = if module || seed || self.texts.0.contains_key(path) {
            FileKind::Regular
        } else if directory() {
            FileKind::Directory
        } else {
            return Ok(None);
        };
        let mode = if kind == FileKind::Directory { 0o755 } else { 0o644 };
        Ok(Some(Meta { kind, mode, uid: 0, gid: 0, size: 1, nlink: 1, mtime: 0, ctime: 0, dev: 1, ino: 1 }))
    }
}

impl Tree for Root {
    fn names(&self, path: &RootedPath) -> Names {
        self.texts.names(path)
    }
}
