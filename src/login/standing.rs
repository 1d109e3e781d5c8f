//! What policy makes of a way in: enough by itself, enough because the site answers for it, short, or a matter that one host
//! cannot settle.
//!
//! What the site declares never turns `refuted` into `proved`, only into `proved-with-exemptions`; what could not be read is
//! never taken for declared.

use std::collections::BTreeSet;

use super::factor::{Atom, Evidence, GuardKind, Kind};
use super::methods::{self, CERTIFIED_KEY, TICKET, TICKET_FOR_LITTLE, Way};
use super::pam::{self, Files, Seen};
use super::sshd::Effective;
use crate::formats::authorized_keys;
use crate::formats::sshd_config::address::Range;
use crate::model::RootedPath;
use crate::policy::login::{Assumed, Category, INTERNET, Lapse, Resistance, ZoneFactors};
use crate::policy::{FactorCount, LoginPolicy};

/// What the site answers for, by its number in the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {
    /// An exemption.
    Exemption(usize),
    /// An assumption.
    Assumption(usize),
}

/// What policy makes of a way in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It asks for what is demanded.
    Enough,
    /// It does so, or need not, because of these.
    Granted(BTreeSet<Grant>),
    /// Whether it does, one host cannot tell; why, in one sentence.
    Open(String),
    /// It asks for less.
    Short(Shortfall),
}

/// What is missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shortfall {
    /// How many factors are demanded.
    pub demanded: u32,
    /// Whether there are fewer.
    pub fewer: bool,
    /// Who must show a key that cannot be passed on, and whether of hardware, where that is missing.
    pub resistance: Option<(String, bool)>,
}

/// How far a way resists a false server that passes on what it is shown (NIST SP 800-63B-4, section 3.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    /// Whoever hears what is shown can use it: a password, a code, an approval, a key lent by an agent.
    None,
    /// `publickey` is among the methods: a signature over the session, worth nothing in another (RFC 4252, section 7).
    Session,
    /// The same by a security key, which cannot be copied either.
    Hardware,
}

/// What a way is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worth {
    binding: Binding,
    /// Factors, as the policy counts them.
    factors: usize,
    /// The same with what the site assumes, the assumptions that add to it, and what keeps one from being used.
    assumed: Option<Assuming>,
    unread: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Assuming {
    factors: usize,
    uses: BTreeSet<Grant>,
    /// Whether a condition that nobody here can settle still decides if the way is open at all.
    uncertain: bool,
}

/// Policy, for a server that stands in a zone or in none.
#[derive(Clone, Copy, Debug)]
pub struct Judge<'a> {
    policy: &'a LoginPolicy,
    zone: Option<&'a str>,
}

impl Worth {
    /// Whether it is a security key that makes it so.
    #[must_use]
    pub fn is_of_hardware(&self) -> bool {
        self.binding == Binding::Hardware
    }
}

impl<'a> Judge<'a> {
    /// Of a server that stands in `zone`.
    #[must_use]
    pub const fn new(policy: &'a LoginPolicy, zone: Option<&'a str>) -> Self {
        Self { policy, zone }
    }

    /// What `way` is worth under the values `effective`.
    #[must_use]
    pub fn weigh(&self, way: &Way, effective: &Effective, files: &dyn Files) -> Worth {
        let evidence = &way.evidence;
        let hardware = || methods::are_of_security_keys(&effective.algorithms("pubkeyacceptedalgorithms"));
        let binding = match way.methods.iter().any(|method| method == "publickey") {
            false => Binding::None,
            true if hardware() => Binding::Hardware,
            true => Binding::Session,
        };
        let mut worth = Worth { binding, factors: self.count(evidence), assumed: None, unread: None };
        let mut atoms = evidence.atoms.clone();
        let mut guards = evidence.guards.clone();
        let mut uses = BTreeSet::new();
        for (number, assumption) in self.policy.assumptions.iter().enumerate() {
            let proves = match &assumption.what {
                Assumed::Certificates { authorities, proves } => {
                    if !atoms.iter().any(|atom| atom.identity.starts_with(CERTIFIED_KEY)) {
                        continue;
                    }
                    match trusted(effective, files) {
                        Ok(trusted) if !trusted.is_empty() && trusted.is_subset(authorities) => proves,
                        Ok(_) => continue,
                        Err(unread) => {
                            worth.unread = Some(unread);
                            continue;
                        }
                    }
                }
                Assumed::Tickets { proves } => {
                    let before = atoms.len();
                    atoms.retain(|atom| &*atom.identity != TICKET);
                    if atoms.len() == before {
                        continue;
                    }
                    guards.retain(|guard| &*guard.condition != TICKET_FOR_LITTLE);
                    proves
                }
                Assumed::ZoneIsProved(_) => continue,
            };
            // A password that was given for the certificate may be the one that is given here: it counts once.
            for category in proves {
                let kind = kind(*category);
                if !atoms.iter().any(|atom| atom.kind == kind) {
                    atoms.insert(Atom::new(kind, category.name()));
                }
            }
            uses.insert(Grant::Assumption(number));
        }
        if !uses.is_empty() {
            let evidence = Evidence { atoms, guards, trace: Vec::new() };
            worth.assumed = Some(Assuming { factors: self.count(&evidence), uses, uncertain: evidence.is_uncertain() });
        }
        worth
    }

    fn count(&self, evidence: &Evidence) -> usize {
        match self.policy.count {
            FactorCount::Authenticators => evidence.authenticators(),
            FactorCount::Categories => evidence.categories(),
        }
    }

    /// What to make of a way that is `worth` so much, for an account (or a name, where no account is listed) that comes from
    /// the addresses `range`.
    #[must_use]
    pub fn of(
        &self,
        evidence: &Evidence,
        worth: &Worth,
        name: &[u8],
        account: Option<&pam::Account>,
        range: Range,
    ) -> Standing {
        let policy = self.policy;
        let (demanded, inherits) = self.demanded(range);
        let enough = |factors: usize| u32::try_from(factors).is_ok_and(|factors| factors >= demanded);
        if policy.is_plain() {
            return if enough(worth.factors) { Standing::Enough } else { short(demanded, true, None) };
        }
        let zone = policy.zone_of(range);
        let groups = account.map_or(&[][..], |account| account.groups.as_slice());
        let wanted = |one: &&Resistance| {
            let will_do = if one.hardware { Binding::Hardware } else { Binding::Session };
            worth.binding < will_do && one.region.names(name, groups) && one.region.reaches(range, zone)
        };
        let missing = policy.phishing_resistant.iter().find(wanted);
        if missing.is_none() {
            if enough(worth.factors) {
                return Standing::Enough;
            }
            if let Some(assumed) =
                worth.assumed.as_ref().filter(|assumed| enough(assumed.factors) && !assumed.uncertain)
            {
                return Standing::Granted(assumed.uses.clone());
            }
        }
        let covers = |(number, one): (usize, &crate::policy::login::Exemption)| {
            let lapses = one.when.is_empty() || one.when.iter().any(|lapse| is_in(evidence, *lapse));
            let still = u32::try_from(worth.factors).is_ok_and(|factors| factors >= one.factors);
            (lapses && still && one.region.names(name, groups) && one.region.reaches(range, zone)).then_some(number)
        };
        if let Some(number) = policy.exemptions.iter().enumerate().find_map(covers) {
            return Standing::Granted([Grant::Exemption(number)].into());
        }
        if missing.is_none() {
            // Whoever needs nothing at all can be anybody, wherever he comes from.
            if let Some(zone) = inherits.filter(|_| !evidence.atoms.is_empty()) {
                let assumed = policy
                    .assumptions
                    .iter()
                    .position(|one| matches!(&one.what, Assumed::ZoneIsProved(assumed) if assumed.name == zone));
                return assumed.map_or_else(
                    || Standing::Open(inherited(self.zone, zone)),
                    |number| Standing::Granted([Grant::Assumption(number)].into()),
                );
            }
            if let Some(unread) = &worth.unread {
                return Standing::Open(unread.clone());
            }
        }
        let resistance = missing.map(|one| (one.region.to_string(), one.hardware));
        short(demanded, !enough(worth.factors), resistance)
    }

    /// How many factors are demanded of those who bring none from another zone.
    #[must_use]
    pub fn factors(&self) -> u32 {
        match self.zone.and_then(|zone| self.policy.zones.get(zone)).and_then(|zone| zone.factors) {
            Some(ZoneFactors::Number(number)) => number,
            Some(ZoneFactors::Inherited) | None => self.policy.factors,
        }
    }

    /// How many factors are demanded of those who come from `range`, and the zone that they bring them from, if they may.
    fn demanded(&self, range: Range) -> (u32, Option<&'a str>) {
        let zone = self.zone.and_then(|zone| self.policy.zones.get(zone));
        let inherits = zone.is_some_and(|zone| zone.factors == Some(ZoneFactors::Inherited));
        let from = inherits.then(|| self.policy.zone_of(range));
        (self.factors(), from.filter(|from| *from != INTERNET))
    }
}

const fn short(demanded: u32, fewer: bool, resistance: Option<(String, bool)>) -> Standing {
    Standing::Short(Shortfall { demanded, fewer, resistance })
}

fn inherited(own: Option<&str>, from: &str) -> String {
    let others = if own == Some(from) { "every other server of it" } else { "every server of it" };
    format!(
        "logins from zone `{from}` bring the factors that they have shown there, and whether {others} demands them one host \
         does not see"
    )
}

fn is_in(evidence: &Evidence, lapse: Lapse) -> bool {
    let kind = match lapse {
        Lapse::FailOpen => GuardKind::FailOpen,
        Lapse::Grace => GuardKind::Grace,
        Lapse::NotEnrolled => GuardKind::NotEnrolled,
    };
    evidence.guards.iter().any(|guard| guard.kind == kind)
}

const fn kind(category: Category) -> Kind {
    match category {
        Category::Knowledge => Kind::Knowledge,
        Category::Possession => Kind::Possession,
        Category::Inherence => Kind::Inherence,
    }
}

/// The fingerprints of the authorities whose certificates sshd accepts (`user_cert_trusted_ca`, auth2-pubkey.c).
fn trusted(effective: &Effective, files: &dyn Files) -> Result<BTreeSet<String>, String> {
    let mut all = BTreeSet::new();
    for name in effective.list("trustedusercakeys") {
        // A relative name is one of the directory that sshd was started in (`derelativise_path`).
        let path = RootedPath::new(name).filter(|_| name.starts_with(b"/"));
        let shown = String::from_utf8_lossy(name);
        let text = match path.as_ref().map(|path| files.public_keys(path)) {
            Some(Seen::Text(text)) => text,
            Some(Seen::Missing) => return Err(format!("`{shown}`, the keys of the authorities, is not there")),
            _ => return Err(format!("`{shown}`, the keys of the authorities, could not be read")),
        };
        let prints = authorized_keys::fingerprints(text);
        all.extend(prints.ok_or_else(|| format!("`{shown}` holds lines that are no keys of authorities"))?);
    }
    Ok(all)
}
