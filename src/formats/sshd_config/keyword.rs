//! The keywords of sshd_config(5): scope, value, default, and the releases that know them.
//!
//! One table, after `keywords[]`, `fill_default_server_options` and `copy_set_server_options` in servconf.c. Order is
//! that of sshd's own `-T` output.

use super::dialect::{Dialect, Distribution, Version};
use super::other::Other;
use super::suite::Suite;

/// Where a keyword may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Outside of Match blocks only.
    Global,
    /// Inside of Match blocks too.
    Match,
}

/// What values a keyword takes, and how several lines of it go together. Unless said otherwise the first line wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One of these words, in any case; with the word that `-T` prints for it.
    Choice(&'static [(&'static str, &'static str)]),
    /// One of these words, case and all.
    Exactly(&'static [&'static str]),
    /// A time in seconds or with units.
    Time,
    /// The same, or `none`, which overrides an earlier line.
    TimeOrNone,
    /// A number from 0 to 2147483647.
    Integer,
    /// A file name; relative ones are taken from the directory that sshd was started in, which we take to be `/`.
    Path,
    /// One word.
    Word,
    /// The rest of the line, comments and quotes included.
    Rest,
    /// The rest of the line: an absolute path with arguments, or `none`.
    Command,
    /// A list of key algorithms, with `+`, `-` or `^` relative to the default.
    KeyAlgorithms,
    /// The same, signatures of plain keys only.
    SignatureAlgorithms,
    /// User patterns; lines accumulate.
    Users,
    /// Group patterns; lines accumulate.
    Groups,
    /// Names of environment variables; lines accumulate.
    Environment,
    /// `NAME=value` words of the first line.
    SetEnvironment,
    /// File names of the first line.
    Files,
    /// Lists of authentication methods of the first line.
    Methods,
    /// Options for public keys.
    PubkeyOptions,
    /// A port; lines accumulate.
    Port,
    /// An address; lines accumulate.
    Listen,
    /// A file name; lines accumulate.
    HostKey,
    /// Has no bearing on who may log in: checked, kept as written.
    Other(Other),
    /// Known to sshd and without effect: deprecated, ignored or not compiled in.
    Ignored,
}

/// A keyword.
#[derive(Debug)]
pub struct Keyword {
    /// Its name in lower case.
    pub name: &'static str,
    /// Where it may stand.
    pub scope: Scope,
    /// What it takes.
    pub kind: Kind,
    /// Its value where no line sets it.
    pub default: &'static str,
    /// The first release that knows it.
    pub since: Version,
    /// The last release that knows it.
    pub until: Version,
    /// Only in builds of this distribution.
    pub only: Option<Distribution>,
}

impl Keyword {
    /// The keyword that `name` (any case) stands for, with the scope it has under that name. `None`: sshd calls it a bad
    /// configuration option.
    #[must_use]
    pub fn find(name: &[u8], dialect: Dialect) -> Option<(&'static Self, Scope)> {
        let name = name.to_ascii_lowercase();
        let name = std::str::from_utf8(&name).ok()?;
        // Two keywords got these names with 8.5.
        let renamed = ["hostbasedacceptedalgorithms", "pubkeyacceptedalgorithms"].contains(&name);
        if renamed && !dialect.at_least(8, 5) {
            return None;
        }
        if let Some(keyword) = Self::known(name, dialect) {
            return Some((keyword, keyword.scope_in(dialect)));
        }
        ALIASES
            .iter()
            .filter(|(alias, _, _)| *alias == name && (*alias != "skeyauthentication" || dialect.at_least(8, 7)))
            .filter(|(alias, _, _)| *alias != "gssapicleanupcreds" || dialect.has_gssapi())
            .find_map(|(_, canonical, scope)| Some((Self::known(canonical, dialect)?, *scope)))
            .or_else(|| patched_in(name, dialect))
    }

    /// The keyword called `name` itself.
    #[must_use]
    pub fn known(name: &str, dialect: Dialect) -> Option<&'static Self> {
        Self::all(dialect).find(|keyword| keyword.name == name)
    }

    /// Every keyword of `dialect`, each once.
    pub fn all(dialect: Dialect) -> impl Iterator<Item = &'static Self> {
        let left_out = move |name: &str| !dialect.has_gssapi() && WITHOUT_GSSAPI.iter().any(|one| one.name == name);
        let known = move |keyword: &&Self| {
            (keyword.since..=keyword.until).contains(&dialect.version)
                && keyword.only.is_none_or(|only| only == dialect.distribution)
        };
        let kept = KEYWORDS.iter().filter(move |keyword| !left_out(keyword.name));
        kept.chain(WITHOUT_GSSAPI.iter().filter(move |_| !dialect.has_gssapi())).filter(known)
    }

    /// Where it may stand in `dialect`.
    #[must_use]
    pub fn scope_in(&self, dialect: Dialect) -> Scope {
        match self.name {
            "subsystem" if dialect.at_least(9, 5) => Scope::Match,
            // Shut out by mistake when the parser was written anew.
            "pamservicename" if dialect.version == Version(10, 4) => Scope::Global,
            _ => self.scope,
        }
    }

    /// Its default in `dialect`.
    #[must_use]
    pub fn default_in(&self, dialect: Dialect) -> &'static str {
        match self.name {
            // Before 8.7 it was its own option; `ChallengeResponseAuthentication yes` switched it on.
            "kbdinteractiveauthentication" if !dialect.at_least(8, 7) => "no",
            "pubkeyauthoptions" if dialect.at_least(10, 6) => "none max-pk-ok:6",
            // GSI-OpenSSH is there for it.
            "gssapiauthentication" if dialect.distribution == Distribution::Gsi => "yes",
            "sshdsessionpath" if dialect.distribution == Debian => "/usr/lib/openssh/sshd-session",
            "sshdauthpath" if dialect.distribution == Debian => "/usr/lib/openssh/sshd-auth",
            _ => self.default,
        }
    }
}

const YES_NO: &[(&str, &str)] = &[("yes", "yes"), ("no", "no")];
const FLAG: Kind = Kind::Choice(YES_NO);
const ROOT_LOGIN: Kind = Kind::Choice(&[
    ("without-password", "without-password"),
    ("prohibit-password", "without-password"),
    ("forced-commands-only", "forced-commands-only"),
    ("yes", "yes"),
    ("no", "no"),
]);
const RHOSTS: Kind = Kind::Choice(&[("yes", "yes"), ("no", "no"), ("shosts-only", "shosts-only")]);
const COMPRESSION: Kind = Kind::Choice(&[("yes", "yes"), ("delayed", "yes"), ("no", "no")]);
const GATEWAY: Kind = Kind::Choice(&[("clientspecified", "clientspecified"), ("yes", "yes"), ("no", "no")]);
const FORWARDING: Kind =
    Kind::Choice(&[("yes", "yes"), ("all", "yes"), ("no", "no"), ("remote", "remote"), ("local", "local")]);
const FAMILY: Kind = Kind::Choice(&[("inet", "inet"), ("inet6", "inet6"), ("any", "any")]);

const FIRST: Version = Version(0, 0);
const LAST: Version = Version(u8::MAX, u8::MAX);

const fn of(name: &'static str, scope: Scope, kind: Kind, default: &'static str) -> Keyword {
    Keyword { name, scope, kind, default, since: FIRST, until: LAST, only: None }
}

impl Keyword {
    const fn since(mut self, major: u8, minor: u8) -> Self {
        self.since = Version(major, minor);
        self
    }

    const fn until(mut self, major: u8, minor: u8) -> Self {
        self.until = Version(major, minor);
        self
    }

    const fn only(mut self, distribution: Distribution) -> Self {
        self.only = Some(distribution);
        self
    }
}

use Distribution::Debian;
use Kind::{Ignored, Integer, KeyAlgorithms, Path, Rest, Time, Word};
use Scope::{Global, Match};

/// Every keyword. Aliases stand in [`ALIASES`].
pub static KEYWORDS: &[Keyword] = &[
    of("port", Global, Kind::Port, "22"),
    of("addressfamily", Global, FAMILY, "any"),
    of("listenaddress", Global, Kind::Listen, ""),
    of("usepam", Global, FLAG, "no"),
    of("pamservicename", Match, Word, "sshd").since(9, 8),
    of("logingracetime", Global, Time, "120"),
    of("x11displayoffset", Match, Integer, "10"),
    of("maxauthtries", Match, Integer, "6"),
    of("maxsessions", Match, Integer, "10"),
    of("clientaliveinterval", Match, Time, "0"),
    of("clientalivecountmax", Match, Integer, "3"),
    of("requiredrsasize", Match, Integer, "1024").since(9, 1),
    of("unusedconnectiontimeout", Match, Kind::TimeOrNone, "none").since(9, 2),
    of("permitrootlogin", Match, ROOT_LOGIN, "without-password"),
    of("ignorerhosts", Match, RHOSTS, "yes"),
    of("ignoreuserknownhosts", Global, FLAG, "no"),
    of("hostbasedauthentication", Match, FLAG, "no"),
    of("hostbasedusesnamefrompacketonly", Match, FLAG, "no"),
    of("pubkeyauthentication", Match, FLAG, "yes"),
    of("kerberosauthentication", Match, FLAG, "no"),
    of("kerberosorlocalpasswd", Global, FLAG, "yes"),
    of("kerberosticketcleanup", Global, FLAG, "yes"),
    of("kerberosgetafstoken", Global, Ignored, ""),
    of("gssapiauthentication", Match, FLAG, "no"),
    of("gssapicleanupcredentials", Global, FLAG, "yes"),
    of("gssapikeyexchange", Global, FLAG, "no").only(Debian).until(10, 3),
    of("gssapistrictacceptorcheck", Global, FLAG, "yes"),
    of("gssapidelegatecredentials", Global, FLAG, "yes").since(10, 3),
    of("gssapistorecredentialsonrekey", Global, FLAG, "no").only(Debian).until(10, 3),
    of("gssapikexalgorithms", Global, Kind::Other(Other::Suite(Suite::GssKeyExchanges)), "").only(Debian).until(10, 3),
    of("gssapiusesessioncredcache", Global, Ignored, "").only(Debian).until(10, 3),
    of("passwordauthentication", Match, FLAG, "yes"),
    of("kbdinteractiveauthentication", Match, FLAG, "yes"),
    of("challengeresponseauthentication", Global, FLAG, "yes").until(8, 6),
    of("printmotd", Global, FLAG, "yes"),
    of("printlastlog", Global, FLAG, "yes"),
    of("x11forwarding", Match, FLAG, "no"),
    of("x11uselocalhost", Match, FLAG, "yes"),
    of("permittty", Match, FLAG, "yes"),
    of("permituserrc", Match, FLAG, "yes"),
    of("strictmodes", Global, FLAG, "yes"),
    of("tcpkeepalive", Global, FLAG, "yes").until(10, 5),
    of("tcpkeepalive", Global, KEEP_ALIVE, "true").since(10, 6),
    of("permitemptypasswords", Match, FLAG, "no"),
    of("compression", Global, COMPRESSION, "yes"),
    of("gatewayports", Match, GATEWAY, "no"),
    of("usedns", Global, FLAG, "no"),
    of("allowtcpforwarding", Match, FORWARDING, "yes"),
    of("allowagentforwarding", Match, FLAG, "yes"),
    of("disableforwarding", Match, FLAG, "no").since(7, 4),
    of("allowstreamlocalforwarding", Match, FORWARDING, "yes"),
    of("streamlocalbindunlink", Match, FLAG, "no"),
    of("exposeauthinfo", Match, FLAG, "no").since(7, 7),
    of("debianbanner", Global, FLAG, "yes").only(Debian),
    of("warnweakcrypto", Global, WEAK_CRYPTO, "true").since(10, 6),
    of("refuseconnection", Match, FLAG, "no").since(9, 9),
    of("pidfile", Global, Path, "/run/sshd.pid"),
    of("modulifile", Global, Path, "/etc/ssh/moduli").since(8, 5),
    of("xauthlocation", Global, Path, "/usr/bin/xauth"),
    of("ciphers", Global, Kind::Other(Other::Suite(Suite::Ciphers)), ""),
    of("macs", Global, Kind::Other(Other::Suite(Suite::Macs)), ""),
    of("kexalgorithms", Global, Kind::Other(Other::Suite(Suite::KeyExchanges)), ""),
    of("banner", Match, Path, "none"),
    of("forcecommand", Match, Rest, "none"),
    of("chrootdirectory", Match, Word, "none"),
    of("trustedusercakeys", Match, Path, "none"),
    of("revokedkeys", Match, Path, "none").until(10, 2),
    of("revokedkeys", Match, Kind::Files, "").since(10, 3),
    of("securitykeyprovider", Global, Kind::Other(Other::Word), "internal").since(8, 2),
    of("sshdsessionpath", Global, Path, "").since(9, 8),
    of("sshdauthpath", Global, Path, "").since(10, 0),
    of("agentsocketpath", Match, Kind::Other(Other::AgentSocket), "user:.ssh/agent").since(10, 6),
    of("authorizedprincipalsfile", Match, Word, "none"),
    of("versionaddendum", Global, Kind::Other(Other::Addendum), "none"),
    of("authorizedkeyscommand", Match, Kind::Command, "none"),
    of("authorizedkeyscommanduser", Match, Word, "none"),
    of("authorizedprincipalscommand", Match, Kind::Command, "none"),
    of("authorizedprincipalscommanduser", Match, Word, "none"),
    of("hostkeyagent", Global, Path, "none"),
    of("casignaturealgorithms", Match, Kind::SignatureAlgorithms, "").since(7, 9),
    of("hostbasedacceptedalgorithms", Match, KeyAlgorithms, ""),
    of("hostkeyalgorithms", Global, KeyAlgorithms, ""),
    of("pubkeyacceptedalgorithms", Match, KeyAlgorithms, ""),
    of("loglevel", Match, LOG_LEVEL, "INFO"),
    of("syslogfacility", Global, FACILITY, "AUTH"),
    of("authorizedkeysfile", Match, Kind::Files, ".ssh/authorized_keys .ssh/authorized_keys2"),
    of("hostkey", Global, Kind::HostKey, ""),
    of("hostcertificate", Global, Kind::HostKey, ""),
    of("allowusers", Match, Kind::Users, ""),
    of("denyusers", Match, Kind::Users, ""),
    of("allowgroups", Match, Kind::Groups, ""),
    of("denygroups", Match, Kind::Groups, ""),
    of("acceptenv", Match, Kind::Environment, ""),
    of("setenv", Match, Kind::SetEnvironment, "").since(7, 8),
    of("authenticationmethods", Match, Kind::Methods, "any"),
    of("logverbose", Match, Kind::Other(Other::Verbosity), "").since(8, 5),
    of("channeltimeout", Match, Kind::Other(Other::Timeouts), "none").since(9, 2),
    of("subsystem", Global, Kind::Other(Other::Subsystem), ""),
    of("maxstartups", Global, Kind::Other(Other::MaxStartups), "10:30:100"),
    of("persourcemaxstartups", Global, Kind::Other(Other::Limit), "none").since(8, 5),
    of("persourcenetblocksize", Global, Kind::Other(Other::NetBlock), "32:128").since(8, 5),
    of("persourcepenalties", Global, Kind::Other(Other::Penalties), "").since(9, 8),
    of("persourcepenaltyexemptlist", Global, Kind::Other(Other::Networks), "none").since(9, 8),
    of("permittunnel", Match, TUNNEL, "no"),
    of("ipqos", Match, Kind::Other(Other::Service), "lowdelay throughput"),
    of("rekeylimit", Match, Kind::Other(Other::Rekey), "0 0"),
    of("permitopen", Match, Kind::Other(Other::Opens), "any"),
    of("permitlisten", Match, Kind::Other(Other::Listens), "any").since(7, 8),
    of("permituserenvironment", Global, Word, "no"),
    of("pubkeyauthoptions", Match, Kind::PubkeyOptions, "none").since(8, 2),
    of("fingerprinthash", Global, Kind::Other(Other::Last(DIGESTS)), "SHA256"),
    of("streamlocalbindmask", Match, Kind::Other(Other::Mask), "0177"),
    // Linux has no routing domains: sshd refuses the keyword (`rdomain` in `value`).
    of("rdomain", Match, Word, "none").since(7, 7),
    // Read by the evaluator, not stored.
    of("include", Match, Kind::Other(Other::Structure), "").since(8, 2),
    of("match", Match, Kind::Other(Other::Structure), ""),
    // Without effect.
    of("pamauthenticationviakbdint", Global, Ignored, "").until(10, 3),
    of("serverkeybits", Global, Ignored, ""),
    of("keyregenerationinterval", Global, Ignored, ""),
    of("rhostsauthentication", Global, Ignored, ""),
    of("rhostsrsaauthentication", Match, Ignored, ""),
    of("rsaauthentication", Match, Ignored, ""),
    of("kerberostgtpassing", Global, Ignored, ""),
    of("afstokenpassing", Global, Ignored, ""),
    of("checkmail", Global, Ignored, ""),
    of("uselogin", Global, Ignored, ""),
    of("protocol", Global, Ignored, ""),
    of("verifyreversemapping", Global, Ignored, ""),
    of("reversemappingcheck", Global, Ignored, ""),
    of("authorizedkeysfile2", Match, Ignored, ""),
    of("useprivilegeseparation", Global, Ignored, ""),
    of("skeyauthentication", Global, Ignored, "").until(8, 6),
];

/// What takes the place of keywords of the same name where Kerberos and GSSAPI are not compiled in. Order is of no
/// account, since none of them is printed.
static WITHOUT_GSSAPI: &[Keyword] = &[
    of("kerberosauthentication", Match, Ignored, ""),
    of("kerberosorlocalpasswd", Global, Ignored, ""),
    of("kerberosticketcleanup", Global, Ignored, ""),
    of("kerberosgetafstoken", Global, Ignored, ""),
    of("gssapiauthentication", Match, Ignored, ""),
    of("gssapicleanupcredentials", Global, Ignored, ""),
    of("gssapidelegatecredentials", Global, Ignored, "").since(10, 3),
    of("gssapistrictacceptorcheck", Global, Ignored, ""),
];

/// `yes` stands for the connection to the client alone; `-T` prints it as `true`.
const KEEP_ALIVE: Kind = Kind::Choice(&[
    ("yes", "true"),
    ("true", "true"),
    ("transport", "true"),
    ("all", "all"),
    ("no", "false"),
    ("false", "false"),
]);
const WEAK_CRYPTO: Kind =
    Kind::Choice(&[("yes", "true"), ("true", "true"), ("no", "false"), ("false", "false"), ("no-pq-kex", "false")]);
const TUNNEL: Kind = Kind::Exactly(&["no", "point-to-point", "ethernet", "yes"]);
const DIGESTS: &[&str] = &["md5", "sha1", "sha256", "sha384", "sha512"];
const FACILITY: Kind = Kind::Choice(&[
    ("daemon", "DAEMON"),
    ("user", "USER"),
    ("auth", "AUTH"),
    ("authpriv", "AUTHPRIV"),
    ("local0", "LOCAL0"),
    ("local1", "LOCAL1"),
    ("local2", "LOCAL2"),
    ("local3", "LOCAL3"),
    ("local4", "LOCAL4"),
    ("local5", "LOCAL5"),
    ("local6", "LOCAL6"),
    ("local7", "LOCAL7"),
]);
const LOG_LEVEL: Kind = Kind::Choice(&[
    ("silent", "SILENT"),
    ("quiet", "QUIET"),
    ("fatal", "FATAL"),
    ("error", "ERROR"),
    ("info", "INFO"),
    ("verbose", "VERBOSE"),
    ("debug", "DEBUG"),
    ("debug1", "DEBUG"),
    ("debug2", "DEBUG2"),
    ("debug3", "DEBUG3"),
]);

/// What distributors patch in whose sshd announces itself as upstream's does: RHEL, Fedora (openssh-*-gssapi-*, -kuserok,
/// `RequiredRSASize` from 8.7 on) and SUSE. A configuration of theirs is no error, and of such an sshd nothing is proved: it
/// was never compared. What the keywords do is left out.
static PATCHED_IN: &[Keyword] = &[
    of("gssapikeyexchange", Global, Ignored, ""),
    of("gssapikexalgorithms", Global, Ignored, ""),
    of("gssapistorecredentialsonrekey", Global, Ignored, ""),
    of("gssapienablek5users", Match, Ignored, ""),
    of("gssapiindicators", Match, Ignored, ""),
    of("kerberosusekuserok", Match, Ignored, ""),
    of("kerberosuniqueccache", Global, Ignored, ""),
    of("requiredrsasize", Match, Ignored, "").since(8, 7),
];

/// What HPN-SSH adds (servconf.c of 18.7; `HPNBufferSize` of earlier ones): buffers, threads, no cipher after the login. None of it
/// decides who may log in.
static HPN: &[Keyword] = &[
    of("hpndisabled", Match, Ignored, ""),
    of("hpnbuffersize", Match, Ignored, ""),
    of("tcprcvbufpoll", Match, Ignored, ""),
    of("noneenabled", Match, Ignored, ""),
    of("nonemacenabled", Match, Ignored, ""),
    of("disablemtaes", Match, Ignored, ""),
    of("usemptcp", Global, Ignored, ""),
];

/// What GSI-OpenSSH adds (the patch of Fedora's gsi-openssh 8.0, servconf.c).
static GSI: &[Keyword] = &[
    of("permitpamuserchange", Global, Ignored, ""),
    of("gssapidelegatecredentials", Match, Ignored, ""),
    of("gssapicredentialspath", Global, Ignored, ""),
    of("gsiallowlimitedproxy", Global, Ignored, ""),
    of("disableusagestats", Global, Ignored, ""),
    of("usagestatstargets", Global, Ignored, ""),
];

/// The keyword of a distributor's or of a variant, where the sshd may be one of theirs. What the keywords do is left out.
fn patched_in(name: &str, dialect: Dialect) -> Option<(&'static Keyword, Scope)> {
    let tables: &[&'static [Keyword]] = match dialect.distribution {
        Distribution::Debian => &[],
        Distribution::Upstream => &[PATCHED_IN],
        Distribution::Hpn => &[HPN, PATCHED_IN],
        // Builds of it have had HPN-SSH's patches too.
        Distribution::Gsi => &[GSI, HPN, PATCHED_IN],
    };
    let mut known = tables.iter().copied().flatten().filter(|keyword| keyword.since <= dialect.version);
    known.find(|keyword| keyword.name == name).map(|keyword| (keyword, keyword.scope))
}

/// Other names: alias, the keyword it stands for, and the scope it has under that name.
pub static ALIASES: &[(&str, &str, Scope)] = &[
    ("hostdsakey", "hostkey", Global),
    ("hostbasedacceptedkeytypes", "hostbasedacceptedalgorithms", Match),
    ("pubkeyacceptedkeytypes", "pubkeyacceptedalgorithms", Match),
    ("dsaauthentication", "pubkeyauthentication", Global),
    ("challengeresponseauthentication", "kbdinteractiveauthentication", Match),
    ("skeyauthentication", "kbdinteractiveauthentication", Match),
    ("keepalive", "tcpkeepalive", Global),
    ("gssapicleanupcreds", "gssapicleanupcredentials", Global),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn check(name: &str, dialect: Dialect, expected: Option<(&str, Scope)>) {
        let found = Keyword::find(name.as_bytes(), dialect).map(|(keyword, scope)| (keyword.name, scope));
        assert_eq!(found, expected, "{name} {dialect}");
    }

    #[test]
    fn names_depend_on_the_dialect() {
        let old = Dialect::new(Version(8, 4), Debian);
        let new = Dialect::new(Version(9, 9), Distribution::Upstream);
        check("UsePAM", Dialect::DEBIAN_12, Some(("usepam", Global)));
        check("DSAAuthentication", Dialect::DEBIAN_12, Some(("pubkeyauthentication", Global)));
        check("ChallengeResponseAuthentication", Dialect::DEBIAN_12, Some(("kbdinteractiveauthentication", Match)));
        check("DebianBanner", new, None);
        check("GSSAPIKexAlgorithms", new, Some(("gssapikexalgorithms", Global)));
        check("KerberosUseKuserok", Dialect::DEBIAN_12, None);
        let hpn = Dialect::new(Version(10, 0), Distribution::Hpn);
        let gsi = Dialect::new(Version(8, 0), Distribution::Gsi);
        check("DisableMTAES", hpn, Some(("disablemtaes", Match)));
        check("UseMPTCP", hpn, Some(("usemptcp", Global)));
        check("GSIAllowLimitedProxy", hpn, None);
        check("GSIAllowLimitedProxy", gsi, Some(("gsiallowlimitedproxy", Global)));
        check("PermitPAMUserChange", gsi, Some(("permitpamuserchange", Global)));
        check("NoneEnabled", gsi, Some(("noneenabled", Match)));
        check("NoneEnabled", new, None);
        check("PermitPAMUserChange", Dialect::DEBIAN_12, None);
        assert_eq!(Keyword::known("gssapiauthentication", gsi).map(|keyword| keyword.default_in(gsi)), Some("yes"));
        check("RefuseConnection", new, Some(("refuseconnection", Match)));
        check("RefuseConnection", Dialect::DEBIAN_12, None);
        check("RequiredRSASize", old, None);
        check("Nonsense", Dialect::DEBIAN_12, None);
        assert_eq!(Keyword::find(b"ChallengeResponseAuthentication", old).unwrap().0.kind, FLAG);
    }

    #[test]
    fn names_are_unique_and_lower_case() {
        let upstream = Dialect::new(Version(10, 6), Distribution::Upstream);
        for dialect in [Dialect::DEBIAN_11, Dialect::DEBIAN_12, Dialect::DEBIAN_13, Dialect::DEBIAN_UNSTABLE, upstream]
        {
            let mut seen = BTreeSet::new();
            for keyword in Keyword::all(dialect) {
                assert!(seen.insert(keyword.name), "{} twice in {dialect}", keyword.name);
                assert_eq!(keyword.name, keyword.name.to_ascii_lowercase());
            }
            assert!(ALIASES.iter().all(|(_, canonical, _)| seen.contains(canonical)), "{dialect}");
        }
    }

    #[test]
    fn what_is_not_compiled_in_is_passed_over() {
        let kind = |name, dialect| Keyword::known(name, dialect).map(|keyword| keyword.kind);
        assert_eq!(kind("gssapiauthentication", Dialect::DEBIAN_13), Some(FLAG));
        assert_eq!(kind("gssapiauthentication", Dialect::DEBIAN_UNSTABLE), Some(Ignored));
        assert_eq!(kind("gssapikeyexchange", Dialect::DEBIAN_UNSTABLE), None);
        let upstream = Dialect::new(Version(10, 6), Distribution::Upstream);
        assert_eq!(kind("gssapiauthentication", upstream), Some(FLAG));
    }
}
