//! What a server decides for one connection, and every way into it: what `sshproof login` shows beside the proof.

use std::borrow::Cow;

use serde::Serialize;

use crate::facts::directory::Population;
use crate::facts::{Facts, RootFacts, ServerFacts};
use crate::formats::program::Implementation;
use crate::formats::sshd_config::Dialect;
use crate::login::explain;
use crate::login::explore::Known;
use crate::login::prove;
use crate::login::sshd::{Config, Connection};
use crate::login::standing;
use crate::model::report::Counterexample;
use crate::model::text::escape;
use crate::policy::LoginPolicy;

/// The connection that somebody asks about; what is absent makes its Match criterion false, as in `sshd -T -C`.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The name that the client gives.
    pub user: Option<String>,
    /// The address it comes from.
    pub from: Option<String>,
    /// The name of the host it comes from; the address, where absent.
    pub host: Option<String>,
    /// The address it arrives at.
    pub to: Option<String>,
    /// The port it arrives at.
    pub port: Option<u16>,
}

/// One value that holds for a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Value {
    /// `keyword value` as `sshd -T` prints it, escaped.
    pub text: String,
    /// `file:line`, or what else set it.
    pub from: String,
}

/// The values of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Values {
    /// Its label.
    pub server: String,
    /// Every value; empty if sshd refuses the configuration, or it could not be read.
    pub values: Vec<Value>,
    /// Why there is none, or why these may not be the ones that sshd uses.
    pub problems: Vec<String>,
}

/// A way into a server, whether or not policy allows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Path {
    /// Methods in order, as sshd_config(5) writes them.
    pub methods: Vec<String>,
    /// What they prove.
    pub factors: Vec<String>,
    /// How many independent authenticators that is.
    pub authenticators: usize,
    /// How many categories.
    pub categories: usize,
    /// Everybody who can take it, in words.
    pub region: String,
    /// `file:line` of each deciding directive and PAM step, with its text.
    pub decided_by: Vec<String>,
    /// Whether something on the way is not modelled or could not be read.
    pub uncertain: bool,
    /// What policy makes of it.
    pub standing: Standing,
}

/// What policy makes of a way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It asks for what is demanded.
    Enough,
    /// It asks for less, and the site answers for it.
    Exempt,
    /// It asks for less.
    Short,
    /// Something on the way is not modelled, could not be read, or is decided elsewhere.
    Unknown,
}

/// The ways into one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Paths {
    /// Its label.
    pub server: String,
    /// How many factors policy demands of it.
    pub demanded: u32,
    /// Every way, weakest first.
    pub paths: Vec<Path>,
    /// What kept the list from being complete.
    pub unknowns: Vec<String>,
}

/// The OpenSSH servers with this label, or all.
pub fn servers<'a>(facts: &'a Facts, label: Option<&str>) -> Vec<(&'a RootFacts, &'a ServerFacts)> {
    facts
        .roots
        .iter()
        .flat_map(|root| root.servers.iter().map(move |server| (root, server)))
        .filter(|(_, server)| server.implementation == Implementation::OpenSsh)
        .filter(|(_, server)| label.is_none_or(|label| server.label == label))
        .collect()
}

/// The values that hold for the connection `asked` about.
#[must_use]
pub fn effective(population: &Population<'_>, facts: &ServerFacts, asked: &Asked) -> Values {
    let server = crate::facts::login::server(facts);
    let assumed = Dialect::DEBIAN_12;
    let dialect = server.dialect.unwrap_or(assumed);
    let config = Config::load(&server.config, &server.options, &server.ports, dialect, &population.tree);
    let named = |user: &String| population.accounts.iter().find(|account| account.name == user.as_bytes());
    let account = asked.user.as_ref().and_then(named);
    let groups = account.map(|account| account.groups.as_slice());
    let bytes = |text: &Option<String>| text.clone().map(|text| Cow::Owned(text.into_bytes()));
    let connection = Connection {
        user: bytes(&asked.user),
        groups: groups.map(Cow::Borrowed),
        invalid_user: asked.user.is_some() && account.is_none(),
        host: bytes(&asked.host).or_else(|| bytes(&asked.from)),
        address: bytes(&asked.from),
        local_address: bytes(&asked.to),
        local_port: asked.port,
        rdomain: None,
    };
    let mut values = Values { server: facts.label.clone(), values: Vec::new(), problems: Vec::new() };
    let effective = config.global().and_then(|global| global.effective(&connection).map_err(|problem| vec![problem]));
    match effective {
        Ok(effective) => {
            let lines = effective.lines().into_iter();
            values.values = lines.map(|line| Value { text: line.text, from: config.place(line.origin) }).collect();
        }
        Err(problems) => values.problems.extend(problems.iter().map(ToString::to_string)),
    }
    match server.dialect {
        None => values.problems.push(format!(
            "the version of `{}` could not be told, so its configuration was read as {assumed} reads it: compare with \
             `sshd -T -C` of that server",
            facts.binary
        )),
        Some(dialect) if !dialect.is_compared() => values.problems.push(format!(
            "our reading of sshd_config was never compared with {dialect} itself: compare with its `sshd -T -C`"
        )),
        Some(_) => {}
    }
    values.problems.extend(config.doubts());
    values.problems.extend(config.unasked.iter().map(|unasked| format!("{unasked} was not looked at")));
    values
}

/// Every way into the server, weakest first.
#[must_use]
pub fn paths(population: &Population<'_>, facts: &ServerFacts, policy: &LoginPolicy) -> Paths {
    let (server, world) = (crate::facts::login::server(facts), population.world());
    let config = prove::config(&server, world);
    let outcome = prove::prove_with(&server, config.as_ref(), world, policy, &mut Known::default());
    // Without a version there is no configuration, and no way was found either.
    let ways = config.iter().flat_map(|config| outcome.paths.iter().map(move |path| (config, path)));
    let paths = ways.map(|(config, path)| {
        let shown: Counterexample = explain::counterexample(path, &server, config, String::new());
        let evidence = &path.way.evidence;
        Path {
            methods: shown.methods,
            factors: shown.factors,
            authenticators: evidence.authenticators(),
            categories: evidence.categories(),
            region: shown.region,
            decided_by: shown.decided_by,
            uncertain: evidence.is_uncertain(),
            standing: match &path.standing {
                standing::Standing::Enough => Standing::Enough,
                standing::Standing::Granted(_) => Standing::Exempt,
                standing::Standing::Short(_) if !evidence.is_uncertain() => Standing::Short,
                standing::Standing::Short(_) | standing::Standing::Open(_) => Standing::Unknown,
            },
        }
    });
    let unknowns = outcome.unknowns.iter().chain(&population.unknowns).map(|reason| escape(reason.as_bytes()));
    let refusals = outcome.refusals.iter().map(ToString::to_string);
    let (server, demanded) = (facts.label.clone(), outcome.demanded);
    Paths { server, demanded, paths: paths.collect(), unknowns: unknowns.chain(refusals).collect() }
}
