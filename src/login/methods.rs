//! What sshd's authentication methods ask of one class of connections: every list of methods that lets it in, with its
//! evidence.
//!
//! Rules of auth2.c, auth2-*.c, auth-passwd.c and auth-pam.c (OpenSSH 9.2). A method that is switched off, or that cannot
//! succeed with what is on this host, has no way through it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::authority;
use super::factor::{Atom, Evidence, Guard, GuardKind, Kind, Ways};
use super::pam::condition::Test;
use super::pam::{self, Answer, Files, Mode, Program, Seen};
use super::sshd::{Effective, Origin};
use crate::model::RootedPath;

/// The PAM stacks that a server runs, each result kept: connections that answer alike share a run.
#[derive(Debug)]
pub struct Stacks {
    /// `pam_authenticate`.
    pub auth: Program,
    /// `pam_acct_mgmt`.
    pub account: Program,
    /// The service they belong to.
    pub service: Vec<u8>,
    /// Whether `pam_setcred` succeeds where nothing was authenticated before.
    grants: bool,
    runs: RefCell<BTreeMap<Run, Ways>>,
}

/// Which run a result belongs to: whether it is of `auth` (else `account`), how prompts are answered, and the answers to
/// the stack's conditions.
type Run = (bool, Mode, Vec<Answer>);

impl Stacks {
    /// The stacks of `service` as `files` show them.
    #[must_use]
    pub fn new(service: &[u8], files: &dyn Files) -> Self {
        let auth = pam::compile(service, pam::Group::Auth, files);
        Self {
            grants: auth.grants_credentials(),
            auth,
            account: pam::compile(service, pam::Group::Account, files),
            service: service.to_vec(),
            runs: RefCell::default(),
        }
    }

    /// What an account answers to the conditions of both stacks, as far as it depends on the account and on where it comes
    /// from: for each of `remotes` where that matters. Whether a key was shown, and whether empty passwords are permitted,
    /// it does not depend on.
    pub fn answers<'s>(
        &'s self,
        account: Option<&'s pam::Account>,
        remotes: &'s [pam::Remote],
        files: &'s dyn Files,
    ) -> impl Iterator<Item = Answer> + 's {
        let same_for_all =
            |test: &Test| matches!(test, Test::Fixed(_) | Test::KeyShown | Test::EmptyPasswordsPermitted);
        let conditions = self.auth.conditions.iter().chain(&self.account.conditions);
        let conditions = conditions.filter(move |condition| !same_for_all(&condition.test));
        conditions.flat_map(move |condition| {
            let remotes = if condition.asks_for_remote() { remotes } else { &[pam::Remote::Any] };
            remotes.iter().map(move |remote| {
                let service = self.service.as_slice();
                let (remote, empty_passwords_permitted, key_shown) = (*remote, false, false);
                let connection = pam::Connection { account, remote, service, empty_passwords_permitted, key_shown };
                condition.answer(&connection, files)
            })
        })
    }

    /// Whether a condition asks for the name as the client typed it.
    #[must_use]
    pub fn asks_for_name(&self) -> bool {
        self.auth.conditions.iter().chain(&self.account.conditions).any(pam::Condition::asks_for_name)
    }

    /// The names of groups that conditions ask for.
    pub fn group_names(&self) -> impl Iterator<Item = &[u8]> {
        self.auth.conditions.iter().chain(&self.account.conditions).flat_map(pam::Condition::group_names)
    }

    fn run(&self, account: bool, mode: Mode, connection: &pam::Connection<'_>, files: &dyn Files) -> Ways {
        let program = if account { &self.account } else { &self.auth };
        let key = (account, mode, program.answers(connection, files));
        if let Some(known) = self.runs.borrow().get(&key) {
            return known.clone();
        }
        let ways = program.run(mode, &key.2);
        self.runs.borrow_mut().insert(key, ways.clone());
        ways
    }
}

/// A class of connections for which sshd's configuration has settled.
#[derive(Clone, Copy)]
pub struct Leaf<'a> {
    /// The values that hold.
    pub effective: &'a Effective,
    /// The account; `None` for any name that no listed account has.
    pub account: Option<&'a pam::Account>,
    /// Where the connections come from.
    pub remote: pam::Remote,
    /// The PAM stacks.
    pub stacks: &'a Stacks,
    /// The examined root.
    pub files: &'a dyn Files,
}

/// A way in: methods in order, and what they ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Names of the methods, as sshd_config(5) writes them.
    pub methods: Vec<String>,
    /// What they ask for, and when they are open.
    pub evidence: Evidence,
    /// Keywords whose values decide it.
    pub keywords: Vec<&'static str>,
}

impl Leaf<'_> {
    /// Every way in: for each list of methods that can be completed its minimal ways.
    #[must_use]
    pub fn ways(&self) -> Vec<Way> {
        let mut found = Vec::new();
        for list in self.lists() {
            let mut ways = Ways::free();
            let mut keys = 0;
            let several = list.iter().filter(|method| *method == "publickey").count() > 1;
            for method in &list {
                ways = ways.combine(&self.method(method, keys, several));
                keys += usize::from(method == "publickey");
                if ways.is_empty() {
                    break;
                }
            }
            let keywords = self.keywords(&list);
            found.extend(ways.iter().map(|evidence| Way {
                methods: list.clone(),
                evidence: evidence.clone(),
                keywords: keywords.clone(),
            }));
        }
        found
    }

    /// The lists that stay once those with a method that is switched off for this connection are dropped
    /// (`auth2_setup_methods_lists`); without AuthenticationMethods every method alone.
    fn lists(&self) -> Vec<Vec<String>> {
        let wanted = self.effective.list("authenticationmethods");
        if wanted.is_empty() || wanted.iter().any(|list| list == b"any") {
            return METHODS
                .iter()
                .filter(|method| self.effective.enabled(method.as_bytes()))
                .map(|method| vec![(*method).to_owned()])
                .collect();
        }
        wanted
            .iter()
            .filter(|list| self.effective.completable(list))
            .map(|list| {
                list.split(|byte| *byte == b',').map(|method| String::from_utf8_lossy(method).into_owned()).collect()
            })
            .collect()
    }

    fn keywords(&self, list: &[String]) -> Vec<&'static str> {
        let mut keywords = vec!["authenticationmethods"];
        for method in list {
            keywords.extend(match method.split(':').next().unwrap_or_default() {
                "password" => ["passwordauthentication", "usepam"].as_slice(),
                "keyboard-interactive" => &["kbdinteractiveauthentication", "usepam"],
                "publickey" => &["pubkeyauthentication"],
                "hostbased" => &["hostbasedauthentication"],
                "gssapi-with-mic" => &["gssapiauthentication"],
                "gssapi-keyex" => &["gssapiauthentication", "gssapikeyexchange"],
                "none" => &["permitemptypasswords", "passwordauthentication", "usepam"],
                _ => &[],
            });
        }
        if self.is_root() {
            keywords.push("permitrootlogin");
        }
        if self.effective.flag("kerberosauthentication") && list.iter().any(|method| method == "password") {
            keywords.push("kerberosauthentication");
        }
        if list.iter().any(|method| method == "publickey") && self.only_certificates() {
            keywords.push("trustedusercakeys");
        }
        if self.effective.is_set("forcecommand") {
            keywords.push("forcecommand");
        }
        let mut seen = Vec::new();
        keywords.retain(|keyword| {
            !seen.contains(keyword) && {
                seen.push(*keyword);
                true
            }
        });
        keywords
    }

    fn is_root(&self) -> bool {
        self.account.is_some_and(|account| account.uid == 0)
    }

    /// What one method asks for; `keys` public keys were accepted before it in the list, which asks for `several`.
    fn method(&self, method: &str, keys: usize, several: bool) -> Ways {
        let (name, device) = method.split_once(':').unwrap_or((method, ""));
        if !self.root_may_use(name) {
            return Ways::none();
        }
        let shown = keys > 0;
        match name {
            "none" => self.none(shown),
            "publickey" => self.public_key(keys, several),
            "password" => self.password(shown),
            "keyboard-interactive" if device.is_empty() || device == "pam" => self.keyboard_interactive(shown),
            "hostbased" => self.host_based(shown),
            "gssapi-with-mic" => self.ticket(shown),
            "gssapi-keyex" if self.effective.flag("gssapikeyexchange") => self.ticket(shown),
            _ => Ways::none(),
        }
    }

    /// `auth_root_allowed` (auth.c), asked after each step. A forced command can only come with a key.
    fn root_may_use(&self, method: &str) -> bool {
        if !self.is_root() {
            return true;
        }
        let words = self.effective.words("permitrootlogin");
        match words.first().map(String::as_str) {
            Some("yes") => true,
            Some("without-password") => {
                matches!(method, "publickey" | "hostbased" | "gssapi-with-mic" | "gssapi-keyex")
            }
            Some("forced-commands-only") => matches!(method, "publickey" | "hostbased"),
            _ => false,
        }
    }

    fn none(&self, key_shown: bool) -> Ways {
        if !self.effective.flag("permitemptypasswords") || !self.effective.flag("passwordauthentication") {
            return Ways::none();
        }
        let ways = if self.effective.flag("usepam") {
            self.pam(false, Mode::PasswordBlind, key_shown).iter().filter(|way| way.atoms.is_empty()).cloned().collect()
        } else {
            let guard = Guard::when(GuardKind::NotEnrolled, "the account's password is empty");
            Ways::free().guarded(&guard)
        };
        ways.combine(&self.account_stack(Mode::AccountOnly, key_shown))
    }

    fn password(&self, key_shown: bool) -> Ways {
        let local = if self.effective.flag("usepam") {
            self.pam(false, Mode::PasswordBlind, key_shown)
        } else {
            Ways::one(Evidence::of([Atom::password()]))
        };
        // What the KDC says is final, and PAM's auth stack is not asked (auth-passwd.c).
        let ways = if self.effective.flag("kerberosauthentication") {
            local.union(Ways::one(Evidence::of([Atom::password()])))
        } else {
            local
        };
        ways.combine(&self.account_stack(Mode::AccountOnly, key_shown))
    }

    /// Linux has one device for it, PAM.
    fn keyboard_interactive(&self, key_shown: bool) -> Ways {
        if !self.effective.flag("usepam") {
            return Ways::none();
        }
        let mode = Mode::KeyboardInteractive;
        self.granted(self.pam(false, mode, key_shown).combine(&self.account_stack(mode, key_shown)))
    }

    fn public_key(&self, keys: usize, several: bool) -> Ways {
        if self.knows_no_key() && !self.effective.is_set("trustedusercakeys") {
            return Ways::none();
        }
        let algorithms = self.effective.algorithms("pubkeyacceptedalgorithms");
        if algorithms.is_empty() {
            return Ways::none();
        }
        let hardware = are_of_security_keys(&algorithms);
        let verified = self.effective.words("pubkeyauthoptions").iter().any(|word| word == "verify-required");
        let name = |what: &str| match keys {
            0 => what.to_owned(),
            n => format!("{what} no. {}", n + 1),
        };
        let atoms = if hardware && verified {
            vec![
                Atom::new(Kind::Possession, &name("security key")),
                Atom::new(Kind::Knowledge, &name("PIN or fingerprint of the security key")),
            ]
        } else {
            let what = if self.only_certificates() { CERTIFIED_KEY } else { "public key" };
            vec![Atom::new(Kind::Possession, &name(what))]
        };
        let mut ways = Ways::one(Evidence::of(atoms));
        if several && algorithms.iter().any(|name| name.contains("-cert-v0")) {
            ways = ways.union(self.own_authority());
        }
        ways.combine(&self.account_stack(Mode::AccountOnly, keys > 0))
    }

    /// After `keyboard-interactive`, which authenticates in a child, `pam_setcred` may fail and end the connection (`do_pam_setcred`
    /// in auth-pam.c: only where PAM has authenticated; after a key alone it is noted and no more). What modules answer to it
    /// is not modelled, so such a way is doubted and not denied.
    fn granted(&self, ways: Ways) -> Ways {
        if !self.effective.flag("usepam") || self.stacks.grants {
            return ways;
        }
        ways.guarded(&Guard::when(
            GuardKind::Unmodelled,
            "the PAM stack grants credentials, which its own lines seem to deny",
        ))
    }

    /// Whether nothing names keys of accounts.
    fn knows_no_key(&self) -> bool {
        let files = self.effective.words("authorizedkeysfile");
        files.iter().all(|file| file.eq_ignore_ascii_case("none")) && !self.effective.is_set("authorizedkeyscommand")
    }

    /// Whether keys are accepted with a certificate of the host's authorities only.
    fn only_certificates(&self) -> bool {
        self.knows_no_key() && self.effective.is_set("trustedusercakeys")
    }

    /// The one key that certifies every key of a list, where the account's own file trusts it to.
    fn own_authority(&self) -> Ways {
        let way = Ways::one(Evidence::of([Atom::new(Kind::Possession, OWN_AUTHORITY)]));
        match self.trusts_own_authority() {
            Answer::Yes => way,
            Answer::No => Ways::none(),
            Answer::Open | Answer::Unknown => way
                .guarded(&Guard::when(GuardKind::Unmodelled, "the account's authorized keys trust a `cert-authority`")),
        }
    }

    /// Whether a key of the account's own may certify others. All that the ways in depend on of an account, beside uid 0 and
    /// what it answers to PAM.
    #[must_use]
    pub fn trusts_own_authority(&self) -> Answer {
        let several = |list: &Vec<String>| list.iter().filter(|method| *method == "publickey").count() > 1;
        if !self.lists().iter().any(several) {
            return Answer::No;
        }
        let set = self.effective.list("authorizedkeysfile").iter().map(Vec::as_slice);
        let files: Vec<&[u8]> = if set.len() == 0 { authority::DEFAULT.to_vec() } else { set.collect() };
        // What a command prints nobody knows.
        let printed = Answer::from(self.effective.is_set("authorizedkeyscommand")).and(Answer::Unknown);
        authority::is_trusted(files.into_iter(), self.account, self.files).or(printed)
    }

    /// Proves a host, not a user. Without a file that trusts hosts it cannot succeed.
    fn host_based(&self, key_shown: bool) -> Ways {
        let evidence = Evidence::of([Atom::new(Kind::Network, "host key of the client's machine")]);
        let mut ways = Ways::one(evidence);
        if self.effective.is("ignorerhosts", "yes") {
            match self.exists(&["/etc/ssh/shosts.equiv", "/etc/hosts.equiv"]) {
                Answer::Yes => {}
                Answer::No => return Ways::none(),
                _ => ways = ways.guarded(&Guard::when(GuardKind::Unmodelled, "a file trusts hosts to log users in")),
            }
        }
        ways.combine(&self.account_stack(Mode::AccountOnly, key_shown))
    }

    /// What the KDC demanded for the ticket is not known here. Without a keytab there is no service to have one for.
    fn ticket(&self, key_shown: bool) -> Ways {
        if self.exists(&["/etc/krb5.keytab", "/etc/krb5.conf"]) == Answer::No {
            return Ways::none();
        }
        let guard = Guard::when(GuardKind::Unmodelled, TICKET_FOR_LITTLE);
        Ways::one(Evidence::of([Atom::new(Kind::Opaque, TICKET)]))
            .guarded(&guard)
            .combine(&self.account_stack(Mode::AccountOnly, key_shown))
    }

    /// Whether one of the files exists.
    fn exists(&self, paths: &[&str]) -> Answer {
        let one = |path: RootedPath| match self.files.text(&path) {
            Seen::Text(_) | Seen::Opaque(_) => Answer::Yes,
            Seen::Missing => Answer::No,
            Seen::Unasked => self.files.inode(&path).map_or(Answer::Unknown, |meta| meta.is_some().into()),
        };
        paths.iter().filter_map(RootedPath::new).map(one).fold(Answer::No, Answer::or)
    }

    fn account_stack(&self, mode: Mode, key_shown: bool) -> Ways {
        if self.effective.flag("usepam") { self.pam(true, mode, key_shown) } else { Ways::free() }
    }

    fn pam(&self, account: bool, mode: Mode, key_shown: bool) -> Ways {
        let connection = pam::Connection {
            account: self.account,
            remote: self.remote,
            service: &self.stacks.service,
            empty_passwords_permitted: self.effective.flag("permitemptypasswords"),
            key_shown,
        };
        self.stacks.run(account, mode, &connection, self.files)
    }
}

/// The files outside configuration whose existence decides whether a method can succeed.
pub const METHOD_FILES: [&str; 4] = ["/etc/ssh/shosts.equiv", "/etc/hosts.equiv", "/etc/krb5.keytab", "/etc/krb5.conf"];

/// A key that the host accepts with a certificate of its authorities only.
pub(super) const CERTIFIED_KEY: &str = "certified public key";
/// What a KDC gave.
pub(super) const TICKET: &str = "Kerberos ticket";
/// What is not known of it.
pub(super) const TICKET_FOR_LITTLE: &str = "the KDC gives tickets for a single factor";

/// What such an account has in place of the keys that a list asks for.
const OWN_AUTHORITY: &str = "key marked `cert-authority` in its own authorized_keys";

/// In the order in which sshd offers them.
const METHODS: [&str; 7] =
    ["none", "publickey", "gssapi-keyex", "gssapi-with-mic", "password", "keyboard-interactive", "hostbased"];

/// Whether only security keys can use these algorithms.
pub(super) fn are_of_security_keys(algorithms: &[String]) -> bool {
    algorithms.iter().all(|name| name.starts_with("sk-") || name.starts_with("webauthn-sk-"))
}

/// Where the values that decide a way come from.
#[must_use]
pub fn origins(way: &Way, effective: &Effective) -> Vec<(&'static str, Origin)> {
    way.keywords.iter().map(|keyword| (*keyword, effective.origin(keyword))).collect()
}
