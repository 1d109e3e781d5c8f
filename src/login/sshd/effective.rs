//! The values that hold: at start, and for one connection.

use std::net::IpAddr;

use super::config::{Config, Origin, Problem};
use super::pass::{self, Decide, Outcome, Setting, Settings};
use crate::formats::sshd_config::keyword::Kind;
use crate::formats::sshd_config::{Dialect, Keyword, Scope, Version, key_algorithm, value};
use crate::login::sshd::Connection;
use crate::model::text;

/// A configuration that sshd starts with.
#[derive(Clone, Debug)]
pub struct Global<'a> {
    config: &'a Config,
    settings: Settings,
}

/// The values for one connection, defaults included.
#[derive(Clone, Debug)]
pub struct Effective {
    dialect: Dialect,
    settings: Settings,
    /// The Match lines whose blocks took part, in order.
    pub blocks: Vec<Origin>,
}

/// One line of `sshd -T`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveLine {
    /// `keyword value`, the keyword in lower case, escaped.
    pub text: String,
    /// Where it comes from; the first line where several contribute.
    pub origin: Origin,
}

impl Config {
    /// What sshd makes of the configuration when it starts.
    ///
    /// # Errors
    ///
    /// Why it refuses, in order; or why we could not read it.
    pub fn global(&self) -> Result<Global<'_>, Vec<Problem>> {
        let Outcome { mut settings, mut refusals, .. } = pass::first(self);
        refusals.extend(self.problems.iter().cloned());
        self.switch_on_keyboard(&mut settings);
        if refusals.is_empty() {
            refusals.extend(self.senseless(&settings));
        }
        if refusals.is_empty() { Ok(Global { config: self, settings }) } else { Err(refusals) }
    }

    /// Before 8.7 `ChallengeResponseAuthentication yes`, the default, made `KbdInteractiveAuthentication` be `yes` whatever
    /// its own line said (`main`, sshd.c); a Match block may still switch it off.
    fn switch_on_keyboard(&self, settings: &mut Settings) {
        if self.dialect.at_least(8, 7) {
            return;
        }
        let challenge = settings.get("challengeresponseauthentication");
        if challenge.is_some_and(|setting| setting.words != [b"yes"]) {
            return;
        }
        let origin = challenge.and_then(|setting| setting.origins.first().copied()).unwrap_or(Origin::Default);
        let on = Setting { words: vec![b"yes".to_vec()], origins: vec![origin] };
        settings.insert("kbdinteractiveauthentication", on);
    }

    /// What `main` (sshd.c) refuses after reading: commands without a user, lists of methods none of which can be
    /// completed, lists of algorithms that are empty.
    fn senseless(&self, settings: &Settings) -> Option<Problem> {
        for (command, user) in [
            ("authorizedkeyscommand", "authorizedkeyscommanduser"),
            ("authorizedprincipalscommand", "authorizedprincipalscommanduser"),
        ] {
            if let Some(setting) = settings.get(command)
                && !is_none(setting)
                && !settings.contains_key(user)
            {
                return Some(self.blame(setting, format!("{command} is set without {user}")));
            }
        }
        for keyword in Keyword::all(self.dialect) {
            if let Some(setting) = settings.get(keyword.name)
                && assembled(keyword, setting, self.dialect).is_err()
            {
                return Some(self.blame(setting, format!("{} names no algorithm", keyword.name)));
            }
        }
        if let Some(problem) = self.unlistenable(settings) {
            return Some(problem);
        }
        let methods = settings.get("authenticationmethods")?;
        let effective = Effective { dialect: self.dialect, settings: settings.clone(), blocks: Vec::new() };
        let any = methods.words.iter().any(|list| list == b"any");
        let possible = any || methods.words.iter().any(|list| effective.completable(list));
        (!possible)
            .then(|| self.blame(methods, "AuthenticationMethods cannot be satisfied by enabled authentication methods"))
    }

    /// An address to listen on that is not of the wanted family (`add_one_listen_addr`: getaddrinfo(3) refuses it).
    fn unlistenable(&self, settings: &Settings) -> Option<Problem> {
        let family = settings.get("addressfamily")?.words.first()?;
        let addresses = settings.get("listenaddress")?;
        let unfit = |word: &&Vec<u8>| {
            let host = value::listen(word).and_then(|(host, _)| std::str::from_utf8(host).ok());
            match host.and_then(|host| host.parse().ok()) {
                Some(IpAddr::V4(_)) => family == b"inet6",
                Some(IpAddr::V6(_)) => family == b"inet",
                None => false,
            }
        };
        addresses.words.iter().find(unfit)?;
        Some(self.blame(addresses, "ListenAddress is not of the AddressFamily"))
    }

    fn blame(&self, setting: &Setting, message: impl Into<String>) -> Problem {
        self.problem(setting.origins.first().copied().unwrap_or(Origin::Default), None, message)
    }
}

impl<'a> Global<'a> {
    /// The configuration it was made from.
    #[must_use]
    pub const fn config(&self) -> &'a Config {
        self.config
    }

    /// The values without any connection.
    #[must_use]
    pub fn values(&self) -> Effective {
        Effective {
            dialect: self.config.dialect,
            settings: cleared(self.settings.clone(), self.config.dialect),
            blocks: Vec::new(),
        }
    }

    /// The values for `connection`.
    ///
    /// # Errors
    ///
    /// Why sshd drops the connection: some errors only show when blocks come together.
    pub fn effective(&self, connection: &Connection<'_>) -> Result<Effective, Problem> {
        self.decided(&|_, criteria| connection.satisfies(criteria))
    }

    /// The values where `decide` says which blocks match.
    ///
    /// # Errors
    ///
    /// As [`effective`](Self::effective).
    pub fn decided(&self, decide: &Decide<'_>) -> Result<Effective, Problem> {
        let Outcome { settings, refusals, entered } = pass::second(self.config, decide);
        if let Some(problem) = refusals.into_iter().next() {
            return Err(problem);
        }
        let mut effective = self.values();
        effective.blocks = entered;
        let cleared = |mut setting: Setting, name: &str| {
            // Since 10.6 what a block says is cleared like what the global section says.
            if self.config.dialect.at_least(10, 6)
                && name != "revokedkeys"
                && is_cleared_on_none(name)
                && is_none(&setting)
            {
                setting.words = vec![b"none".to_vec()];
            }
            setting
        };
        for (name, setting) in settings {
            let Some(keyword) = Keyword::known(name, self.config.dialect) else { continue };
            if keyword.scope != Scope::Match || self.is_forgotten(name) {
                continue;
            }
            if assembled(keyword, &setting, self.config.dialect).is_err() {
                return Err(self.config.blame(&setting, format!("{name} names no algorithm")));
            }
            effective.settings.insert(name, cleared(setting, name));
        }
        // These two may be `none` in a block to clear a global value (end of `copy_set_server_options`).
        for name in ["forcecommand", "chrootdirectory"] {
            if let Some(setting) = effective.settings.get_mut(name)
                && is_none(setting)
            {
                setting.words = vec![b"none".to_vec()];
            }
        }
        Ok(effective)
    }

    /// Whether a Match block may hold the keyword and sshd forgets to apply it: `PAMServiceName` in 10.5 (its copy macro
    /// is `COPY_NONE` since the commit that allowed it in blocks again), `SetEnv` in 8.4.
    fn is_forgotten(&self, name: &str) -> bool {
        match name {
            "pamservicename" => self.config.dialect.version == Version(10, 5),
            "setenv" => !self.config.dialect.at_least(8, 7),
            _ => false,
        }
    }
}

impl Effective {
    /// Whose reading it is.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The words of a keyword; those of its default where no line sets it.
    #[must_use]
    pub fn words(&self, name: &str) -> Vec<String> {
        match self.settings.get(name) {
            Some(setting) => setting.words.iter().map(|word| text::escape(word)).collect(),
            None => Keyword::known(name, self.dialect)
                .map(|keyword| keyword.default_in(self.dialect).split_whitespace().map(str::to_owned).collect())
                .unwrap_or_default(),
        }
    }

    /// The words of a keyword as bytes; none where no line sets it.
    #[must_use]
    pub fn list(&self, name: &str) -> &[Vec<u8>] {
        self.settings.get(name).map_or(&[], |setting| setting.words.as_slice())
    }

    /// Whether a flag is `yes`.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.is(name, "yes")
    }

    /// Whether a keyword's only word is `value`.
    #[must_use]
    pub fn is(&self, name: &str, value: &str) -> bool {
        matches!(self.words(name).as_slice(), [word] if word == value)
    }

    /// Whether a keyword that takes `none` is set to something else.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        self.settings.get(name).is_some_and(|setting| !is_none(setting))
    }

    /// Where a keyword's value comes from.
    #[must_use]
    pub fn origin(&self, name: &str) -> Origin {
        self.settings.get(name).and_then(|setting| setting.origins.first().copied()).unwrap_or(Origin::Default)
    }

    /// The values that a way in may depend on: all but those that only matter once somebody is in. What is not known to be
    /// one of these is kept, so that a new keyword makes the proof slower and not wrong.
    #[must_use]
    pub fn deciding(&self) -> Settings {
        let decides = |name: &str| {
            let known = Keyword::known(name, self.dialect);
            !known.is_some_and(|keyword| matches!(keyword.kind, Kind::Other(_) | Kind::Ignored))
                && !AFTER_LOGIN.contains(&name)
        };
        self.settings.iter().filter(|(name, _)| decides(name)).map(|(name, setting)| (*name, setting.clone())).collect()
    }

    /// Names of the public key algorithms that are accepted.
    #[must_use]
    pub fn algorithms(&self, name: &str) -> Vec<String> {
        let Some(keyword) = Keyword::known(name, self.dialect) else { return Vec::new() };
        let value = self.list(name).first().map(Vec::as_slice).unwrap_or_default();
        key_algorithm::list(keyword.kind, value, self.dialect).unwrap_or_default()
    }

    /// Whether every method of a list is enabled (`auth2_methods_valid` with `need_enable`).
    #[must_use]
    pub fn completable(&self, list: &[u8]) -> bool {
        list.split(|byte| *byte == b',').all(|method| {
            let name = method.split(|byte| *byte == b':').next().unwrap_or_default();
            self.enabled(name)
        })
    }

    /// Whether an authentication method is switched on (`authmethods[].enabled`, auth2-*.c). Whether PAM or anything else
    /// would let it succeed is another matter.
    #[must_use]
    pub fn enabled(&self, method: &[u8]) -> bool {
        match method {
            b"none" => true,
            b"publickey" => self.flag("pubkeyauthentication"),
            b"password" => self.flag("passwordauthentication"),
            b"keyboard-interactive" => self.flag("kbdinteractiveauthentication"),
            b"hostbased" => self.flag("hostbasedauthentication"),
            b"gssapi-with-mic" | b"gssapi-keyex" => self.flag("gssapiauthentication"),
            _ => false,
        }
    }

    /// What `sshd -T` prints, as far as it is about who may log in: each value with its origin.
    #[must_use]
    pub fn lines(&self) -> Vec<EffectiveLine> {
        let mut lines = Vec::new();
        for keyword in Keyword::all(self.dialect) {
            if NOT_PRINTED.contains(&keyword.name) {
                continue;
            }
            let words = match keyword.kind {
                Kind::Ignored | Kind::Other(_) | Kind::Listen | Kind::HostKey => continue,
                Kind::KeyAlgorithms | Kind::SignatureAlgorithms => vec![self.algorithms(keyword.name).join(",")],
                _ => self.words(keyword.name),
            };
            // A list of files that `none` has emptied.
            if words.is_empty() && keyword.kind == Kind::Files {
                continue;
            }
            let words = match keyword.name {
                "permitrootlogin" if self.dialect.at_least(10, 4) => {
                    words.into_iter().map(|word| word.replace("without-password", "prohibit-password")).collect()
                }
                _ => words,
            };
            let origin = self.origin(keyword.name);
            match keyword.kind {
                Kind::Users | Kind::Groups | Kind::Environment | Kind::SetEnvironment | Kind::Port => {
                    let origins = self.settings.get(keyword.name).map(|setting| setting.origins.as_slice());
                    for (index, word) in words.iter().enumerate() {
                        let origin = origins.and_then(|origins| origins.get(index)).copied().unwrap_or(origin);
                        lines.push(EffectiveLine { text: format!("{} {word}", keyword.name), origin });
                    }
                }
                _ => lines.push(EffectiveLine { text: format!("{} {}", keyword.name, words.join(" ")), origin }),
            }
        }
        lines
    }
}

/// Keywords that say what a session may do, how it is logged and when it is given up; how often a password may be
/// mistaken is among them.
const AFTER_LOGIN: [&str; 22] = [
    "acceptenv",
    "allowagentforwarding",
    "allowstreamlocalforwarding",
    "allowtcpforwarding",
    "banner",
    "clientalivecountmax",
    "clientaliveinterval",
    "disableforwarding",
    "exposeauthinfo",
    "gatewayports",
    "logingracetime",
    "loglevel",
    "maxauthtries",
    "maxsessions",
    "permittty",
    "permituserrc",
    "setenv",
    "streamlocalbindunlink",
    "unusedconnectiontimeout",
    "x11displayoffset",
    "x11forwarding",
    "x11uselocalhost",
];

/// What `sshd -T` does not print.
const NOT_PRINTED: [&str; 2] = ["debianbanner", "rdomain"];

/// Replaces `none` of any case by the default for keywords that sshd clears on `none` when it starts
/// (`CLEAR_ON_NONE`).
fn cleared(mut settings: Settings, dialect: Dialect) -> Settings {
    // Lists of files are left without an element, which is not the same as unset.
    for name in ["authorizedkeysfile", "revokedkeys"] {
        if let Some(setting) = settings.get_mut(name)
            && Keyword::known(name, dialect).is_some_and(|keyword| keyword.kind == Kind::Files)
            && dialect.at_least(10, 3)
            && is_none(setting)
        {
            setting.words.clear();
        }
    }
    for name in CLEARED {
        if let Some(setting) = settings.get_mut(name)
            && is_none(setting)
        {
            setting.words = vec![b"none".to_vec()];
        }
    }
    // Lists are assembled at start and again for each connection; one that `-` left empty counts as unset the second time.
    settings.retain(|name, setting| {
        Keyword::known(name, dialect).is_none_or(|keyword| {
            assembled(keyword, setting, dialect).is_ok_and(|names| names.is_none_or(|names| !names.is_empty()))
        })
    });
    settings
}

/// Keywords of which `none` is the same as nothing (`CLEAR_ON_NONE`).
const CLEARED: [&str; 9] = [
    "pidfile",
    "xauthlocation",
    "banner",
    "trustedusercakeys",
    "revokedkeys",
    "authorizedprincipalsfile",
    "forcecommand",
    "chrootdirectory",
    "hostkeyagent",
];

fn is_cleared_on_none(name: &str) -> bool {
    CLEARED.contains(&name)
}

fn is_none(setting: &Setting) -> bool {
    matches!(setting.words.as_slice(), [word] if word.eq_ignore_ascii_case(b"none"))
}

/// The names in a list of algorithms; `None` for other keywords.
fn assembled(keyword: &Keyword, setting: &Setting, dialect: Dialect) -> Result<Option<Vec<String>>, Empty> {
    match keyword.kind {
        Kind::KeyAlgorithms | Kind::SignatureAlgorithms => {
            let value = setting.words.first().map(Vec::as_slice).unwrap_or_default();
            key_algorithm::list(keyword.kind, value, dialect).map(Some).ok_or(Empty)
        }
        _ => Ok(None),
    }
}

/// A list of algorithms that names none.
#[derive(Debug)]
struct Empty;
