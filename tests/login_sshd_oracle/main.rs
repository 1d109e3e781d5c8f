//! The evaluator of sshd_config against the real `sshd -T -C`: seeded random configurations, every keyword that decides
//! who may log in, and whether sshd takes the configuration at all. `SSHPROOF_ORACLE_CASES` sets how many (default 1,500),
//! `SSHPROOF_ORACLE_SEED` where to begin, `SSHPROOF_RELEASES` which other releases of the distribution are fetched and
//! compared with as well (`bullseye,trixie,sid`).
//!
//! A keyword is *decisive* in a configuration where the value that sshd prints for it is not the one that sshd prints for
//! an empty file. So that nothing is compared in name only, each must be so in one of a hundred configurations.
//!
//! sshd is the one of the distribution's package, run within a scratch root of its own with the test's accounts; it opens
//! no socket.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

#[path = "../common/mod.rs"]
mod common;

mod case;
mod oracle;
mod random;
mod vocabulary;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::ExitCode;

use case::Case;
use common::mimic::{self, Part, trial};
use common::root::Root;
use libtest_mimic::Failed;
use oracle::{Run, SSHD, Values};
use sshproof::formats::program;
use sshproof::formats::sshd_config::Dialect;
use vocabulary::Vocabulary;

fn main() -> ExitCode {
    let mut trials = vec![trial("random_configurations", &[Part::Packages], || random_configurations(Root::stock()))];
    let asked = std::env::var("SSHPROOF_RELEASES").unwrap_or_default();
    for release in
        ["bullseye", "trixie", "sid"].into_iter().filter(|release| asked.split(',').any(|one| one == *release))
    {
        let name = format!("random_configurations_{release}");
        let run = move || random_configurations(Root::of_release(release));
        trials.push(trial(&name, &[Part::Packages], run));
    }
    mimic::run(trials)
}

fn random_configurations(root: Root) {
    if let Err(failed) = compare(&root) {
        panic!("{}", failed.message().unwrap_or_default());
    }
}

fn compare(root: &Root) -> Result<(), Failed> {
    let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let count = number("SSHPROOF_ORACLE_CASES", 1_500);
    let seed = number("SSHPROOF_ORACLE_SEED", 1);
    let announced = program::identify(&std::fs::read(root.join(SSHD))?).map(|program| program.version);
    let dialect = announced.as_deref().and_then(Dialect::from_banner).filter(|dialect| dialect.is_compared());
    let Some(dialect) = dialect else {
        return Err(format!(
            "the distribution's sshd is {announced:?}, which no dialect claims to have been compared with"
        )
        .into());
    };
    oracle::prepare(root);
    let words = Vocabulary::ask(root);
    let mut tally = Tally::new(dialect, defaults(root));
    // Some at a time, so that memory and disk stay small however many are asked for.
    for first in (0..count).step_by(BATCH) {
        let seeds = first..count.min(first + BATCH as u64);
        let cases: Vec<Case> = seeds.map(|index| Case::random(seed + index, &words)).collect();
        for case in &cases {
            case.write(root);
        }
        oracle::run(&cases.iter().map(Case::run).collect::<Vec<_>>(), root);
        for case in &cases {
            tally.add(case, &oracle::result(&case.dir, root))?;
        }
        std::fs::remove_dir_all(root.join("/cases"))?;
    }
    tally.judge(count)
}

/// Configurations that lie on disk at a time.
const BATCH: usize = 500;

/// What sshd prints for an empty file.
fn defaults(root: &Root) -> Values {
    root.write("/empty/sshd_config", "");
    oracle::run(&[Run { dir: "/empty", options: &[], connection: "" }], root);
    oracle::result("/empty", root).unwrap()
}

/// What was seen so far.
struct Tally {
    dialect: Dialect,
    defaults: Values,
    accepted: u64,
    different: u64,
    /// Left open by us, and refused by sshd.
    doubted: u64,
    /// sshd crashed: from 9.5 to 10.2 over a Subsystem that stands in a block only (fixed in 10.3).
    crashed: u64,
    /// By keyword: in how many configurations it is decisive. Every keyword that is compared.
    decisive: BTreeMap<String, u64>,
    /// By what the difference is about.
    kinds: BTreeMap<String, u64>,
    report: String,
}

/// Keywords of which sshd prints nothing where they are not set.
const UNPRINTED: [&str; 6] = ["allowusers", "denyusers", "allowgroups", "denygroups", "acceptenv", "setenv"];

impl Tally {
    fn new(dialect: Dialect, defaults: Values) -> Self {
        Self {
            dialect,
            defaults,
            accepted: 0,
            different: 0,
            doubted: 0,
            crashed: 0,
            decisive: UNPRINTED.iter().map(|keyword| ((*keyword).to_owned(), 0)).collect(),
            kinds: BTreeMap::new(),
            report: String::new(),
        }
    }

    fn add(&mut self, case: &Case, theirs: &Result<Values, String>) -> Result<(), Failed> {
        let (ours, doubts) = case.ours(self.dialect);
        if let Ok(values) = theirs {
            self.accepted += 1;
            let compared: BTreeSet<&String> = ours.iter().flat_map(BTreeMap::keys).collect();
            for keyword in compared {
                *self.decisive.entry(keyword.clone()).or_default() += 0;
            }
            for (keyword, count) in &mut self.decisive {
                *count += u64::from(values.get(keyword) != self.defaults.get(keyword));
            }
        }
        if theirs.as_ref().is_err_and(|said| said.contains("Segmentation fault")) {
            self.crashed += 1;
            return Ok(());
        }
        // What cannot be told from the file is never called proved: sshd may refuse it. Which of Debian's builds this is,
        // we know here.
        let open = doubts.iter().any(|doubt| !doubt.ends_with("which its version does not tell"));
        if open && theirs.is_err() && ours.is_ok() {
            self.doubted += 1;
            return Ok(());
        }
        let difference = match (theirs, &ours) {
            (Ok(theirs), Ok(ours)) => first_difference(theirs, ours),
            (Err(theirs), Ok(_)) => Some(format!("sshd refuses: {theirs}")),
            (Ok(_), Err(ours)) => Some(format!("we refuse: {ours}")),
            (Err(_), Err(_)) => None,
        };
        if let Some(difference) = difference {
            self.different += 1;
            let first = difference.lines().next().unwrap_or_default();
            let refused = first.contains(" refuse");
            let kind = if refused { first.rsplit(": ").next() } else { first.split(':').next() };
            let kind = kind.unwrap_or_default().to_owned();
            let seen = self.kinds.entry(kind).or_default();
            *seen += 1;
            // One example of each kind says more than five of one.
            if *seen == 1 {
                let example = format!("seed {}: {difference}\n{}", case.seed, case.show());
                eprintln!("{example}");
                write!(self.report, "\n{example}")?;
            }
        }
        Ok(())
    }

    fn judge(self, count: u64) -> Result<(), Failed> {
        let Self { dialect, accepted, different, doubted, crashed, decisive, kinds, report, .. } = self;
        let mut rarest: Vec<(&String, u64)> = decisive.iter().map(|(keyword, count)| (keyword, *count)).collect();
        rarest.sort_by_key(|(_, count)| *count);
        let shown: Vec<String> = rarest.iter().take(8).map(|(keyword, count)| format!("{keyword} {count}")).collect();
        println!(
            "{dialect}: {count} configurations, {accepted} accepted by sshd, {different} differences, {doubted} left \
             open, {crashed} crashes of sshd; {} keywords compared, least often decisive: {}",
            decisive.len(),
            shown.join(", ")
        );
        if different > 0 {
            return Err(format!("{different} of {count} differ: {kinds:?}{report}").into());
        }
        if accepted * 10 < count * 6 {
            return Err(format!("only {accepted} of {count} accepted: the generator is too wild").into());
        }
        if crashed > 0 && (!dialect.at_least(9, 5) || dialect.at_least(10, 3)) {
            return Err(format!("{crashed} crashes of a sshd that is not known to").into());
        }
        match rarest.first() {
            Some((_, least)) if *least >= count / 100 && decisive.len() > 60 => Ok(()),
            _ => Err(format!("seldom decisive: {}", shown.join(", ")).into()),
        }
    }
}

fn first_difference(theirs: &Values, ours: &Values) -> Option<String> {
    for (keyword, value) in ours {
        let real = theirs.get(keyword).cloned().unwrap_or_default();
        if real != *value {
            return Some(format!("{keyword}: sshd {real:?}, we {value:?}"));
        }
    }
    // What we leave out is compared too.
    UNPRINTED
        .iter()
        .chain(&["authorizedkeysfile", "revokedkeys"])
        .find(|keyword| theirs.contains_key(**keyword) && !ours.contains_key(**keyword))
        .map(|keyword| format!("{keyword}: sshd {:?}, we nothing", theirs.get(*keyword)))
}
