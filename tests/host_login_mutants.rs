//! Every proved scenario with one line of its sshd_config or PAM files taken out, or two neighbouring lines swapped: what
//! the proof says of the mutant, against the real sshd and libpam on a host of the distribution's packages.
//!
//! sshd takes the mutant exactly when we say so, with the methods that we say. One that we call proved lets nobody in who
//! has a single authenticator; of one that we call refuted the printed way in is open. Seeded slice by default;
//! `SSHPROOF_LOGIN_MUTANTS=300` tries that many, `all` all of them, on four hosts side by side, and a part of scenarios' names
//! those of these scenarios.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use common::attempt::{self, Offer, can_be_shown, log_in};
use common::case::Case;
use common::mimic::{self, Part, trial};
use common::namespace::Host;
use common::root::Root;
use sshproof::login::explore::Known;
use sshproof::login::prove::{self, Outcome};
use sshproof::login::sshd::Connection;
use sshproof::model::RootedPath;
use sshproof::model::report::Proof;
use sshproof::model::text::escape;
use sshproof::policy::FactorCount;

/// Mutants tried when nobody asks for all.
const SLICE: usize = 6;

/// Hosts side by side when all are tried: most of the time goes by in waiting for PAM's delays.
const HOSTS: usize = 4;

fn main() -> ExitCode {
    let parts = [Part::Packages, Part::Namespaces, Part::Program("oathtool")];
    mimic::run(vec![trial("mutants_of_proved_scenarios_are_judged_as_the_real_ones_judge", &parts, compare)])
}

fn compare() {
    let asked = std::env::var("SSHPROOF_LOGIN_MUTANTS").unwrap_or_default();
    let named = if asked == "all" || asked.parse::<usize>().is_ok() { "" } else { &asked };
    let wanted = match asked.as_str() {
        "" => SLICE,
        asked => asked.parse().unwrap_or(usize::MAX),
    };
    let cases: Vec<Case> = Case::all()
        .into_iter()
        .filter(|case| {
            let counted = case.expected.count == FactorCount::Authenticators;
            case.expected.proof == "proved" && case.name.contains(named) && counted && attempt::unfit(case).is_none()
        })
        .collect();
    let mut work: Vec<(&Case, Vec<Mutant>)> = cases.iter().map(|case| (case, mutants(case))).collect();
    let there: usize = work.iter().map(|(_, mutants)| mutants.len()).sum();
    if wanted < there {
        work = slice(work, there, wanted);
    }
    let queue = Mutex::new(work.into_iter());
    let total = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..if wanted > SLICE { HOSTS } else { 1 } {
            scope.spawn(|| {
                let bench = Bench::new();
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some((case, mutants)) = next else { break };
                    let tally = bench.judge(case, &mutants);
                    let mut total = total.lock().unwrap();
                    total.add(tally);
                    println!("{}: {} tried so far: {total}", case.name, total.mutants);
                }
            });
        }
    });
    let total = total.into_inner().unwrap();
    println!("{there} mutants of {} proved scenarios; of {} tried: {total}", cases.len(), total.mutants);
    assert!(total.wrong.is_empty(), "{}", total.wrong.join("\n\n"));
    assert!(total.mutants > 0 && total.attempts > 0, "too few were tried");
}

/// A seeded choice, in the order of the cases.
fn slice(work: Vec<(&Case, Vec<Mutant>)>, there: usize, wanted: usize) -> Vec<(&Case, Vec<Mutant>)> {
    let mut random = 0x5eed_0006_u64;
    let mut chosen = BTreeSet::new();
    while chosen.len() < wanted.min(there) {
        // SplitMix64.
        random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chosen.insert(usize::try_from((z ^ (z >> 31)) % u64::try_from(there).unwrap()).unwrap());
    }
    let mut number = 0..;
    work.into_iter()
        .map(|(case, mutants)| {
            (case, mutants.into_iter().filter(|_| chosen.contains(&number.next().unwrap())).collect())
        })
        .filter(|(_, mutants): &(_, Vec<Mutant>)| !mutants.is_empty())
        .collect()
}

/// One file of a scenario with one change.
struct Mutant {
    path: RootedPath,
    text: Vec<u8>,
    what: String,
}

/// Every single line deleted, and every two neighbouring ones swapped, of all files that decide a login there. Blank lines
/// and comments decide nothing.
fn mutants(case: &Case) -> Vec<Mutant> {
    let (server, world) = (case.server(), case.world());
    let config = prove::config(&server, world).unwrap();
    let mut known = Known::default();
    let _ = prove::prove_with(&server, Some(&config), world, &case.policy(), &mut known);
    let mut paths: BTreeSet<RootedPath> = config.files.iter().map(|file| file.path.clone()).collect();
    paths.extend(known.stacks().flat_map(|stacks| stacks.auth.read.iter().chain(&stacks.account.read)).cloned());
    let mut mutants = Vec::new();
    for path in paths {
        let Some(text) = case.root.texts.0.get(&path) else { continue };
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        let says = |line: &[u8]| !line.trim_ascii().is_empty() && !line.trim_ascii_start().starts_with(b"#");
        let saying: Vec<usize> = (0..lines.len()).filter(|at| says(lines[*at])).collect();
        let mut add = |lines: Vec<&[u8]>, what: String| {
            let text = lines.concat();
            mutants.push(Mutant { path: path.clone(), text, what: format!("{}: {path}: {what}", case.name) });
        };
        for (index, at) in saying.iter().enumerate() {
            let mut without = lines.clone();
            without.remove(*at);
            add(without, format!("without line {}, {}", at + 1, escape(lines[*at])));
            if let Some(next) = saying.get(index + 1).filter(|next| lines[**next] != lines[*at]) {
                let mut swapped = lines.clone();
                swapped.swap(*at, *next);
                add(swapped, format!("lines {} and {} swapped, {}", at + 1, next + 1, escape(lines[*at])));
            }
        }
    }
    mutants
}

/// A running host that is furnished anew for each scenario.
struct Bench {
    host: Host,
}

/// What the scenarios may change of the packages' files.
const KEPT: [&str; 5] = ["ssh", "pam.d", "security", "passwd", "group"];

impl Bench {
    fn new() -> Self {
        let root = Root::with_otp_modules();
        attempt::client(&root);
        root.chroot(&["mkdir", "/run/stock"]);
        for name in KEPT {
            root.chroot(&["cp", "-a", &format!("/etc/{name}"), "/run/stock/"]);
        }
        Self { host: Host::boot(root) }
    }

    fn judge(&self, case: &Case, mutants: &[Mutant]) -> Tally {
        let clear = format!(
            "cd /etc && rm -rf {} users.oath /home/* /root/.ssh /root/.google_authenticator && cp -a /run/stock/. /etc/",
            KEPT.join(" ")
        );
        self.host.must(&["sh", "-c", &clear]);
        attempt::furnish(self.host.root(), case);
        self.host.must(&["cp", "-a", "/etc/users.oath", "/run/seeds"]);
        let mut tally = Tally::default();
        for mutant in mutants {
            let path = mutant.path.to_string();
            let mut changed = case.clone();
            changed.root.texts.0.insert(mutant.path.clone(), mutant.text.clone());
            let text = |case: &Case| String::from_utf8(case.root.texts.0[&mutant.path].clone()).unwrap();
            self.host.root().write(&path, attempt::with_session(&path, text(&changed)));
            let before = tally.wrong.len();
            self.one(&changed, &mutant.what, &mut tally);
            if tally.wrong.len() > before {
                tally.wrong.push(format!("{}\n{}", mutant.what, text(&changed)));
            }
            self.host.root().write(&path, attempt::with_session(&path, text(case)));
        }
        for path in case.root.texts.0.keys().filter(|path| path.to_string().starts_with("/var/")) {
            self.host.must(&["rm", "-f", &path.to_string()]);
        }
        tally
    }

    fn one(&self, case: &Case, what: &str, tally: &mut Tally) {
        let (server, world) = (case.server(), case.world());
        let outcome = prove::prove(&server, world, &case.policy());
        tally.mutants += 1;
        let real = self.values(case);
        match (&real, outcome.refusals.is_empty()) {
            (Ok(_), false) => tally.wrong.push(format!("{what}: sshd takes it, we do not: {:?}", outcome.refusals)),
            (Err(said), true) => tally.wrong.push(format!("{what}: sshd refuses it, we do not: {said}")),
            (Err(_), false) => tally.refused += 1,
            (Ok(real), true) => {
                let ours = values(case);
                if *real != ours {
                    tally.wrong.push(format!("{what}: sshd has {real:#?}, we have {ours:#?}"));
                }
                match outcome.proof {
                    Proof::Proved | Proof::ProvedWithExemptions => tally.proved += 1,
                    Proof::Refuted => tally.refuted += 1,
                    Proof::Unknown => tally.unknown += 1,
                }
                if outcome.proof != Proof::Unknown {
                    self.attempt(case, what, &outcome, tally);
                }
            }
        }
    }

    /// `sshd -T -C` for a connection of alice's, the keywords of [`DECIDING`]; what sshd says if it refuses.
    fn values(&self, case: &Case) -> Result<BTreeMap<String, String>, String> {
        let mut command = vec!["/usr/sbin/sshd", "-T", "-C", CONNECTION];
        for option in &case.expected.options {
            command.extend(["-o", option]);
        }
        let output = self.host.run(&command);
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(deciding(String::from_utf8_lossy(&output.stdout).lines()))
    }

    fn attempt(&self, case: &Case, what: &str, outcome: &Outcome, tally: &mut Tally) {
        let way = outcome.violations.iter().find(|way| can_be_shown(way));
        if outcome.proof == Proof::Refuted && way.is_none() {
            tally.not_tried += 1;
            return;
        }
        // Failures that a module counts and codes that it has seen are forgotten between mutants.
        self.host.must(&["sh", "-c", "rm -rf /run/faillock /var/run/faillock; cp -a /run/seeds /etc/users.oath"]);
        let before = tally.wrong.len();
        let ports = attempt::ports(case);
        let daemon = Daemon::start(&self.host, case, &ports);
        if let Some(way) = way {
            let (offer, user) = (Offer::of(way), escape(&way.witness.user));
            let (from, port, methods) = (way.witness.from.as_str(), way.witness.port, way.way.methods.join(","));
            let mut done = log_in(&self.host, &user, from, port, offer, Some(&methods), false);
            tally.attempts += 1;
            if done.is_err() {
                done = log_in(&self.host, &user, from, port, offer, Some(&methods), true).or(done);
                tally.attempts += 1;
            }
            match done {
                Ok(()) => tally.let_in += 1,
                Err(said) => tally.wrong.push(format!(
                    "{what}: refuted, but {user} from {from} with {offer:?} by {methods} is not let in: {said}"
                )),
            }
        } else {
            let wrong: Vec<String> = std::thread::scope(|scope| {
                let tries: Vec<_> = tries()
                    .into_iter()
                    .map(|(user, offer)| {
                        let (host, port) = (&self.host, *ports.first().unwrap());
                        scope.spawn(move || match log_in(host, user, "127.0.0.1", port, offer, None, false) {
                            Ok(()) => Some(format!("proved, but {user} is let in with {offer:?}")),
                            Err(said) if turned_away(&said) => None,
                            Err(said) => Some(format!("{user} with {offer:?} never got to try: {said}")),
                        })
                    })
                    .collect();
                tries.into_iter().filter_map(|one| one.join().unwrap()).collect()
            });
            tally.attempts += tries().len();
            tally.turned_away += tries().len() - wrong.len();
            tally.wrong.extend(wrong.into_iter().map(|wrong| format!("{what}: {wrong}")));
        }
        drop(daemon);
        let log = self.host.root().read("/run/mutant.log");
        if tally.wrong.len() > before {
            tally.wrong.push(format!("{what}: sshd logged:\n{log}"));
        }
        self.host.root().write("/run/mutant.log", "");
    }
}

/// Who tries what: alice nothing and each single authenticator, the others the two that most ways in begin with.
fn tries() -> Vec<(&'static str, Offer)> {
    let [_, key, password, _] = Offer::singles();
    let others = ["bob", "root"].into_iter().flat_map(|user| [(user, key), (user, password)]);
    Offer::singles().map(|offer| ("alice", offer)).into_iter().chain(others).collect()
}

/// Whether the client was refused by authentication, and not by a server that did not answer. One that the account stack
/// refuses is cut off without a word; ssh then says nothing and exits with 255.
fn turned_away(said: &str) -> bool {
    ["Permission denied", "Too many authentication failures", "Connection closed by"]
        .iter()
        .any(|text| said.contains(text))
        && !said.contains("kex_exchange")
        || said == "Some(255)"
}

/// The connection that sshd is asked about.
const CONNECTION: &str = "user=alice,host=203.0.113.9,addr=203.0.113.9,laddr=127.0.0.1,lport=22";

/// Keywords that decide who logs in by what.
const DECIDING: [&str; 11] = [
    "authenticationmethods",
    "authorizedkeysfile",
    "gssapiauthentication",
    "hostbasedauthentication",
    "kbdinteractiveauthentication",
    "passwordauthentication",
    "permitemptypasswords",
    "permitrootlogin",
    "pubkeyauthentication",
    "pubkeyauthoptions",
    "usepam",
];

fn deciding<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    let pairs = lines.filter_map(|line| line.split_once(' '));
    pairs.filter(|(key, _)| DECIDING.contains(key)).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Our own view of [`CONNECTION`].
fn values(case: &Case) -> BTreeMap<String, String> {
    let (server, world) = (case.server(), case.world());
    let config = prove::config(&server, world).unwrap();
    let account = world.accounts.iter().find(|account| account.name == b"alice").unwrap();
    let text = |text: &'static str| Some(Cow::Borrowed(text.as_bytes()));
    let connection = Connection {
        user: text("alice"),
        groups: Some(Cow::Borrowed(account.groups.as_slice())),
        invalid_user: false,
        host: text("203.0.113.9"),
        address: text("203.0.113.9"),
        local_address: text("127.0.0.1"),
        local_port: Some(22),
        rdomain: None,
    };
    let effective = config.global().unwrap().effective(&connection).unwrap();
    let lines: Vec<String> = effective.lines().into_iter().map(|line| line.text).collect();
    deciding(lines.iter().map(String::as_str))
}

/// An sshd that runs until it is dropped.
struct Daemon<'a> {
    host: &'a Host,
    port: u16,
}

impl<'a> Daemon<'a> {
    fn start(host: &'a Host, case: &Case, ports: &BTreeSet<u16>) -> Self {
        let port = *ports.first().unwrap();
        let arguments = attempt::sshd(case, ports);
        // Twelve clients come at once: the first value of each of these wins.
        let own = ["-E", "/run/mutant.log", "-o", "MaxStartups=100", "-o", "PidFile=/run/mutant.pid"];
        let command: Vec<&str> = arguments[..1].iter().map(String::as_str).chain(own).collect();
        let command: Vec<&str> = command.into_iter().chain(arguments[1..].iter().map(String::as_str)).collect();
        host.must(&command);
        let start = Instant::now();
        while !host.listens(port) {
            assert!(start.elapsed() < Duration::from_secs(60), "sshd does not listen on {port}");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { host, port }
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        self.host.run(&["sh", "-c", "kill $(cat /run/mutant.pid) && rm /run/mutant.pid"]);
        let start = Instant::now();
        while self.host.listens(self.port) && start.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// What was seen.
#[derive(Default)]
struct Tally {
    mutants: usize,
    refused: usize,
    proved: usize,
    refuted: usize,
    unknown: usize,
    not_tried: usize,
    attempts: usize,
    let_in: usize,
    turned_away: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.mutants += other.mutants;
        self.refused += other.refused;
        self.proved += other.proved;
        self.refuted += other.refuted;
        self.unknown += other.unknown;
        self.not_tried += other.not_tried;
        self.attempts += other.attempts;
        self.let_in += other.let_in;
        self.turned_away += other.turned_away;
        self.wrong.extend(other.wrong);
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} refused by sshd and by us, {} proved, {} refuted ({} of them by a way that the client cannot act out), {} \
             unknown; {} real attempts: {} let in as the counterexample says, {} turned away with one authenticator or none",
            self.refused,
            self.proved,
            self.refuted,
            self.not_tried,
            self.unknown,
            self.attempts,
            self.let_in,
            self.turned_away
        )
    }
}
