//! What the site demands of logins, where its hosts stand, and what it answers for instead: exemptions and assumptions, each
//! with an owner and a day on which it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Deserialize;
use toml::Spanned;

use super::region::{Network, Region};
use crate::formats::sshd_config::address::Range;
use crate::model::Timestamp;
use crate::model::text::printable;

/// What a login must prove.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct LoginPolicy {
    /// How many factors.
    pub factors: u32,
    /// What is counted as one.
    pub count: FactorCount,
    /// The zone that the host stands in; without it the zone of all addresses that a server listens on, if there is one.
    #[serde(deserialize_with = "zone_name")]
    pub zone: Option<ZoneName>,
    /// Who must show something that cannot be passed on to a false server.
    #[serde(alias = "phishing_resistant")]
    pub phishing_resistant: Vec<Resistance>,
    /// Logins that may do with less.
    #[serde(rename = "exemption")]
    pub exemptions: Vec<Exemption>,
    /// What the host cannot see, and the site says is so.
    #[serde(rename = "assumption")]
    pub assumptions: Vec<Assumption>,
    /// The site's zones by name; they stand beside `[login]` in the file.
    #[serde(skip)]
    pub zones: BTreeMap<String, Zone>,
}

impl Default for LoginPolicy {
    fn default() -> Self {
        Self {
            factors: 2,
            count: FactorCount::Authenticators,
            zone: None,
            phishing_resistant: Vec::new(),
            exemptions: Vec::new(),
            assumptions: Vec::new(),
            zones: BTreeMap::new(),
        }
    }
}

/// The zone of all addresses that no other zone has. Nobody proves himself there.
pub const INTERNET: &str = "internet";

impl LoginPolicy {
    /// The policy as it is at a moment, and what in it has ended by then, each in words.
    #[must_use]
    pub fn at(&self, moment: Timestamp) -> (Self, Vec<String>) {
        let mut current = self.clone();
        let mut ended = Vec::new();
        let mut note = |what: String, warrant: &Warrant| {
            let holds = moment <= warrant.expires;
            if !holds {
                ended.push(format!("{what}: answered for by {} until {}", warrant.owner, warrant.date()));
            }
            holds
        };
        current.exemptions.retain(|one| note(format!("the exemption of {}", one.words()), &one.warrant));
        current.assumptions.retain(|one| note(format!("the assumption that {}", one.words()), &one.warrant));
        (current, ended)
    }

    /// Whether nothing but the number of factors is demanded, of everybody and from everywhere alike.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.phishing_resistant.is_empty()
            && self.exemptions.is_empty()
            && self.assumptions.is_empty()
            && self.zones.is_empty()
    }

    /// Every region that a line of it speaks of.
    pub fn regions(&self) -> impl Iterator<Item = &Region> {
        let demanded = self.phishing_resistant.iter().map(|one| &one.region);
        demanded.chain(self.exemptions.iter().map(|one| &one.region))
    }

    /// Every network that tells logins apart.
    pub fn networks(&self) -> impl Iterator<Item = Range> {
        let zones = self.zones.values().flat_map(|zone| &zone.networks);
        self.regions().flat_map(|region| &region.addresses).chain(zones).map(Network::range)
    }

    /// The zone of all addresses of `range`, which no network of the policy cuts: the one with the narrowest network around
    /// them, or [`INTERNET`].
    #[must_use]
    pub fn zone_of(&self, range: Range) -> &str {
        let around =
            self.zones.iter().flat_map(|(name, zone)| zone.networks.iter().map(move |network| (name, network)));
        let around = around.filter(|(_, network)| network.contains(range));
        around.min_by_key(|(_, network)| network.size()).map_or(INTERNET, |(name, _)| name)
    }

    /// The zone that a server stands in which listens on these addresses; `None` where the policy does not tell.
    #[must_use]
    pub fn zone_of_server(&self, listens: impl Iterator<Item = IpAddr>) -> Option<&str> {
        if let Some(zone) = &self.zone {
            return Some(&zone.name);
        }
        let mut zones: BTreeSet<Option<&str>> = BTreeSet::new();
        for address in listens.filter(|address| !address.is_loopback()) {
            let zone = (!address.is_unspecified()).then(|| self.zone_of(Range::one(address)));
            zones.insert(zone.filter(|zone| self.zones.contains_key(*zone)));
        }
        if zones.len() == 1 { zones.into_iter().next().flatten() } else { None }
    }

    /// What is wrong with it as a whole, and where in the text if that can be said.
    pub(super) fn mistake(&self) -> Option<(Option<usize>, String)> {
        if self.factors == 0 || self.factors > MOST_FACTORS {
            return Some((None, format!("login.factors = {}: must be 1 to {MOST_FACTORS}", self.factors)));
        }
        let named = self.zone.iter();
        let named = named.chain(self.phishing_resistant.iter().filter_map(|one| one.zone.as_ref()));
        let named = named.chain(self.exemptions.iter().filter_map(|one| one.zone.as_ref()));
        let named = named.chain(self.assumptions.iter().filter_map(|one| match &one.what {
            Assumed::ZoneIsProved(zone) => Some(zone),
            Assumed::Certificates { .. } | Assumed::Tickets { .. } => None,
        }));
        for zone in named {
            if zone.name != INTERNET && !self.zones.contains_key(&zone.name) {
                return Some((Some(zone.at), format!("there is no [zone.{}]", zone.name)));
            }
        }
        let networks = self.zones.iter().flat_map(|(name, zone)| zone.networks.iter().map(move |net| (name, net)));
        let mut known: BTreeMap<Range, &String> = BTreeMap::new();
        for (name, network) in networks {
            if let Some(other) = known.insert(network.range(), name) {
                return Some((None, format!("network {network} stands in [zone.{other}] and in [zone.{name}]")));
            }
        }
        let internet = self.zones.get(INTERNET)?;
        (internet.factors == Some(ZoneFactors::Inherited)).then(|| {
            (None, "[zone.internet] factors: nobody has proved himself there, so nothing is inherited".to_owned())
        })
    }
}

/// Most factors that can be demanded.
const MOST_FACTORS: u32 = 4;

/// What counts as a factor (NIST SP 800-63B counts categories; many sites call key plus TOTP two factors).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactorCount {
    /// Independent authenticators: a key and a one-time password are two.
    #[default]
    Authenticators,
    /// Categories (knowledge, possession, inherence): a key and a one-time password are both possession, hence one.
    Categories,
}

/// A part of the site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Zone {
    /// Where its hosts' addresses lie, and so where connections from it come from.
    pub networks: Vec<Network>,
    /// What servers that stand in it must demand; without it what `[login]` says.
    pub factors: Option<ZoneFactors>,
}

/// What servers of a zone must demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "NumberOrWord")]
pub enum ZoneFactors {
    /// So many factors.
    Number(u32),
    /// Nothing of those who come from another zone of the site, where they have proved themselves.
    Inherited,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrWord {
    Number(i64),
    Word(String),
}

impl TryFrom<NumberOrWord> for ZoneFactors {
    type Error = String;

    fn try_from(value: NumberOrWord) -> Result<Self, String> {
        match value {
            NumberOrWord::Word(word) if word == "inherited" => Ok(Self::Inherited),
            NumberOrWord::Number(number @ 1..=4) => Ok(Self::Number(u32::try_from(number).unwrap_or(MOST_FACTORS))),
            _ => Err(format!("`factors` of a zone is a number from 1 to {MOST_FACTORS}, or \"inherited\"")),
        }
    }
}

/// A zone's name where it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneName {
    /// The name.
    pub name: String,
    /// Where it stands in the text, in bytes.
    pub at: usize,
}

impl From<Spanned<String>> for ZoneName {
    fn from(name: Spanned<String>) -> Self {
        Self { at: name.span().start, name: name.into_inner() }
    }
}

fn zone_name<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<ZoneName>, D::Error> {
    Ok(Some(Spanned::<String>::deserialize(d)?.into()))
}

/// Who answers for something, why, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warrant {
    /// Who.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Until when.
    pub expires: Timestamp,
}

impl Warrant {
    fn new(owner: String, reason: String, expires: Timestamp) -> Result<Self, String> {
        if owner.trim().is_empty() || reason.trim().is_empty() {
            return Err("`owner` and `reason` must say who answers for it, and why".to_owned());
        }
        Ok(Self { owner: printable(&owner).into(), reason: printable(&reason).into(), expires })
    }

    /// The day on which it ends.
    #[must_use]
    pub fn date(&self) -> String {
        self.expires.to_string().chars().take(10).collect()
    }
}

/// Who must show something that cannot be passed on to a false server (NIST SP 800-63B-4, section 3.2.5): the signature of a
/// public key covers the session (RFC 4252, section 7); a password or a code is worth as much to whoever hears it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawResistance")]
pub struct Resistance {
    /// Who, from where.
    pub region: Region,
    /// The zone of the region, with its place.
    zone: Option<ZoneName>,
    /// Whether the key must lie in a security key.
    pub hardware: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawResistance {
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    addresses: Vec<Network>,
    zone: Option<Spanned<String>>,
    #[serde(default)]
    keys: Keys,
}

/// Which keys will do.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Keys {
    #[default]
    Any,
    Hardware,
}

impl TryFrom<RawResistance> for Resistance {
    type Error = String;

    fn try_from(raw: RawResistance) -> Result<Self, String> {
        let (region, zone) = region(raw.users, raw.groups, raw.addresses, raw.zone)?;
        if region.is_everything() {
            return Err("for whom? name `users` (`*` for everybody), `groups`, `addresses` or a `zone`".to_owned());
        }
        Ok(Self { region, zone, hardware: raw.keys == Keys::Hardware })
    }
}

fn region(
    users: Vec<String>,
    groups: Vec<String>,
    addresses: Vec<Network>,
    zone: Option<Spanned<String>>,
) -> Result<(Region, Option<ZoneName>), String> {
    let zone: Option<ZoneName> = zone.map(Into::into);
    let region = Region { users, groups, addresses, zone: zone.as_ref().map(|zone| zone.name.clone()) };
    match region.mistake() {
        Some(mistake) => Err(mistake),
        None => Ok((region, zone)),
    }
}

/// Logins that may do with less.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawExemption")]
pub struct Exemption {
    /// Whose, from where.
    pub region: Region,
    /// The zone of the region, with its place.
    zone: Option<ZoneName>,
    /// Only where one of these lets the login do with less; none: always.
    pub when: BTreeSet<Lapse>,
    /// How many factors they must show all the same.
    pub factors: u32,
    /// Who answers for it.
    pub warrant: Warrant,
}

/// What lets a login do with less at times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lapse {
    /// A module lets everybody pass while its service cannot be reached.
    FailOpen,
    /// A code that was given a while ago still counts.
    Grace,
    /// The account has no second factor yet.
    NotEnrolled,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawExemption {
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    addresses: Vec<Network>,
    zone: Option<Spanned<String>>,
    #[serde(default)]
    when: BTreeSet<Lapse>,
    #[serde(default = "one")]
    factors: u32,
    owner: String,
    reason: String,
    expires: Timestamp,
}

const fn one() -> u32 {
    1
}

impl TryFrom<RawExemption> for Exemption {
    type Error = String;

    fn try_from(raw: RawExemption) -> Result<Self, String> {
        let warrant = Warrant::new(raw.owner, raw.reason, raw.expires)?;
        let (region, zone) = region(raw.users, raw.groups, raw.addresses, raw.zone)?;
        if region.is_everything() && raw.when.is_empty() {
            return Err(
                "an exemption of everybody, from everywhere, always: name `users`, `groups`, `addresses`, a `zone`, \
                        or `when`; fewer factors for all are `[login] factors`"
                    .to_owned(),
            );
        }
        if raw.factors > MOST_FACTORS {
            return Err(format!("`factors` is a number from 0 to {MOST_FACTORS}"));
        }
        Ok(Self { region, zone, when: raw.when, factors: raw.factors, warrant })
    }
}

impl Exemption {
    /// Whom it exempts, and when: ``account `svc-*` from 10.0.0.0/8``.
    #[must_use]
    pub fn words(&self) -> String {
        let when: Vec<&str> = self.when.iter().map(|lapse| lapse.words()).collect();
        let when = if when.is_empty() { String::new() } else { format!(", {}", when.join(" or ")) };
        format!("{}{when}", self.region)
    }
}

impl Lapse {
    const fn words(self) -> &'static str {
        match self {
            Self::FailOpen => "while a second factor's service cannot be reached",
            Self::Grace => "while an earlier second factor still counts",
            Self::NotEnrolled => "while no second factor is enrolled",
        }
    }
}

/// What the host cannot see, and the site says is so.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawAssumption")]
pub struct Assumption {
    /// What.
    pub what: Assumed,
    /// Who answers for it.
    pub warrant: Warrant,
}

/// What is assumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assumed {
    /// These authorities certify keys of those only who have shown all of `proves`.
    Certificates {
        /// Fingerprints, as ssh-keygen(1) `-l` prints them.
        authorities: BTreeSet<String>,
        /// Categories.
        proves: BTreeSet<Category>,
    },
    /// The KDC gives tickets to those only who have shown all of `proves`.
    Tickets {
        /// Categories.
        proves: BTreeSet<Category>,
    },
    /// Every login to every server of this zone is proved.
    ZoneIsProved(ZoneName),
}

/// Categories of factors (NIST SP 800-63B-4, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// Something that one knows.
    Knowledge,
    /// Something that one has.
    Possession,
    /// Something that one is.
    Inherence,
}

impl Category {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Knowledge => "knowledge",
            Self::Possession => "possession",
            Self::Inherence => "inherence",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawAssumption {
    certificates: Option<BTreeSet<String>>,
    #[serde(default)]
    tickets: bool,
    zone: Option<Spanned<String>>,
    #[serde(default)]
    prove: BTreeSet<Category>,
    owner: String,
    reason: String,
    expires: Timestamp,
}

impl TryFrom<RawAssumption> for Assumption {
    type Error = String;

    fn try_from(raw: RawAssumption) -> Result<Self, String> {
        let warrant = Warrant::new(raw.owner, raw.reason, raw.expires)?;
        let proves = raw.prove;
        let what = match (raw.certificates, raw.tickets, raw.zone) {
            (Some(authorities), false, None) => {
                let print = |text: &&String| text.strip_prefix("SHA256:").is_none_or(|digest| digest.len() != 43);
                if let Some(bad) = authorities.iter().find(print) {
                    return Err(format!(
                        "`{bad}` is no fingerprint as `ssh-keygen -l` prints it, `SHA256:` and 43 letters"
                    ));
                }
                Assumed::Certificates { authorities, proves }
            }
            (None, true, None) => Assumed::Tickets { proves },
            (None, false, Some(_)) if !proves.is_empty() => {
                return Err(
                    "`prove` says what certificates or tickets are given for; a zone is proved as a whole".to_owned()
                );
            }
            (None, false, Some(zone)) => {
                let zone = ZoneName::from(zone);
                if zone.name == INTERNET {
                    return Err("nobody proves himself on the internet: no such assumption".to_owned());
                }
                return Ok(Self { what: Assumed::ZoneIsProved(zone), warrant });
            }
            _ => {
                return Err("an assumption is about one thing: `certificates` (fingerprints of their authorities), \
                            `tickets = true`, or a `zone`"
                    .to_owned());
            }
        };
        let proved = match &what {
            Assumed::Certificates { proves, .. } | Assumed::Tickets { proves } => !proves.is_empty(),
            Assumed::ZoneIsProved(_) => true,
        };
        if proved { Ok(Self { what, warrant }) } else { Err("`prove` must say what is shown for it".to_owned()) }
    }
}

impl Assumption {
    /// What is assumed, as a clause.
    #[must_use]
    pub fn words(&self) -> String {
        let names = |proves: &BTreeSet<Category>| {
            proves.iter().map(|category| category.name()).collect::<Vec<_>>().join(" and ")
        };
        match &self.what {
            Assumed::Certificates { authorities, proves } => {
                let authorities: Vec<&str> = authorities.iter().map(String::as_str).collect();
                format!("`{}` certifies keys for {} only", authorities.join("`, `"), names(proves))
            }
            Assumed::Tickets { proves } => format!("the KDC gives tickets for {} only", names(proves)),
            Assumed::ZoneIsProved(zone) => format!("every login to every server of zone `{}` is proved", zone.name),
        }
    }
}
