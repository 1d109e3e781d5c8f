//! Every family fires on its inert fixtures and on nothing near them; no condition of any rule can go unnoticed; nothing
//! that is searched for stands in plain; no ELF file of this machine is accused.
//!
//! Fixtures are made at test time from `backdoor/families/*.toml`, whose values were taken from the published facts named
//! there, by code of the tests' own: never from `signatures/`.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests read and print"
)]

#[path = "backdoor/case.rs"]
mod case;
#[path = "backdoor/elf.rs"]
mod elf;
#[path = "backdoor/host.rs"]
mod host;
#[path = "backdoor/mutate.rs"]
mod mutate;
#[path = "backdoor/plain.rs"]
mod plain;
#[path = "backdoor/stored.rs"]
mod stored;
#[path = "backdoor/sweep.rs"]
mod sweep;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use case::{Cases, Claim, Probe};
use libtest_mimic::{Arguments, Failed, Trial};
use sshproof::checks::backdoor;
use sshproof::knowledge::{Family, Knowledge};
use sshproof::policy::Policy;

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let mut trials = vec![
        Trial::test("every_family_has_cases", every_family_has_cases),
        Trial::test("every_file_of_signatures_is_embedded", every_file_is_embedded),
        Trial::test("known_backdoors_is_up_to_date", known_backdoors_is_up_to_date),
        Trial::test("the_program_lists_and_tests_families", the_program_lists_and_tests_families),
        Trial::test("the_search_stays_small", the_search_stays_small),
        Trial::test("nothing_searched_for_stands_in_plain", plain::nothing_stands_in_plain),
        Trial::test("no_elf_file_of_this_machine_is_accused", sweep::nobody_is_accused),
    ];
    for (name, _) in case_files() {
        let family = name.clone();
        trials.push(Trial::test(format!("{name}/fires_on_its_fixtures_only"), move || fires(&family)));
        let family = name.clone();
        trials.push(Trial::test(format!("{name}/no_condition_can_go"), move || no_condition_can_go(&family)));
    }
    libtest_mimic::run(&args, trials).exit_code()
}

fn case_files() -> Vec<(String, PathBuf)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/backdoor/families");
    let mut files: Vec<(String, PathBuf)> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    files.sort();
    files
}

fn cases(family: &str) -> Cases {
    let (_, path) = case_files().into_iter().find(|(name, _)| name == family).unwrap();
    let cases: Cases = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(cases.family, family);
    cases
}

fn every_family_has_cases() -> Result<(), Failed> {
    let known: BTreeSet<String> = Knowledge::embedded().families().iter().map(|family| family.id.clone()).collect();
    let tested: BTreeSet<String> = case_files().into_iter().map(|(name, _)| name).collect();
    if known == tested { Ok(()) } else { Err(format!("{:?}", known.symmetric_difference(&tested)).into()) }
}

fn every_file_is_embedded() -> Result<(), Failed> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("signatures");
    let there: BTreeSet<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".toml") && name != "vendor-keys.toml")
        .collect();
    let embedded: BTreeSet<String> =
        sshproof::knowledge::embedded::FAMILIES.iter().map(|(name, _)| (*name).to_owned()).collect();
    if there == embedded { Ok(()) } else { Err(format!("{:?}", there.symmetric_difference(&embedded)).into()) }
}

fn known_backdoors_is_up_to_date() -> Result<(), Failed> {
    let knowledge = Knowledge::embedded();
    let made = sshproof::knowledge::catalogue::catalogue(knowledge.date(), knowledge.families());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/known-backdoors.md");
    if std::env::var_os("SSHPROOF_UPDATE").is_some() {
        std::fs::write(&path, &made)?;
    }
    let there = std::fs::read_to_string(&path)?;
    if there == made { Ok(()) } else { Err("it is not: run with SSHPROOF_UPDATE=1".into()) }
}

fn the_program_lists_and_tests_families() -> Result<(), Failed> {
    let run = |args: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_sshproof")).args(args).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, list) = run(&["signatures", "list"]);
    assert!(code == 0 && Knowledge::embedded().families().iter().all(|family| list.contains(&family.id)), "{list}");
    // The path of the first credential file of the stealer, as its own test data say.
    let (code, shown) = run(&["signatures", "list", "kobalos-stealer"]);
    let stealer = cases("kobalos-stealer");
    let case = stealer.cases.iter().find(|case| case.name == "credential-file").unwrap();
    let path = String::from_utf8(stored::reveal(&case.each_path[0])).unwrap();
    assert!(code == 0 && shown.contains(&path), "{shown}");
    assert_eq!(run(&["signatures", "list", "no-such"]).0, 2);

    let dir = tempfile::tempdir()?;
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = "id = 'mine'\ntitle = 't'\nyear = 2026\nremediation = 'r'\nevades = 'e'\n\
        [[source]]\nid = 's'\nref = 'r'\nlicence = 'l'\n\
        [[content]]\nid = 'c'\ntitle = 't'\nspecificity = 'strong'\nsource = 's'\ngroup = [{ strings = ['abcdef'] }]\n";
    let (good, bad) = (file("good.toml", good), file("bad.toml", &good.replace("abcdef", "ab")));
    let (code, said) = run(&["signatures", "test", &good]);
    assert_eq!((code, said), (0, format!("{good}: family `mine`, 1 indicators\n")));
    let (code, said) = run(&["signatures", "test", &good, &bad]);
    assert!(code == 1 && said.contains(&format!("{bad}:15:23: no 4 fixed bytes in a row")), "{said}");
    Ok(())
}

/// What the search touches at every byte must stay in the first-level cache. Times are in the bench.
fn the_search_stays_small() -> Result<(), Failed> {
    let knowledge = Knowledge::embedded();
    let (rules, memory) = (knowledge.engine().rules(), knowledge.engine().memory());
    eprintln!("{rules} content rules, search of {memory} bytes");
    if rules > 90 && memory < 32 << 10 { Ok(()) } else { Err(format!("{rules} rules, {memory} bytes").into()) }
}

/// Each probe alone with its family; and with all families, that no other one is named.
fn fires(name: &str) -> Result<(), Failed> {
    let all = Knowledge::embedded();
    let family = all.family(name).ok_or("no such family")?.clone();
    let alone = Knowledge::new(all.date(), vec![family]);
    let probes = cases(name).probes();
    let mut wrong = Vec::new();
    for probe in &probes {
        wrong.extend(check(probe, &alone).err());
        if matches!(probe.claim, Claim::Exactly(..)) {
            let facts = probe.host.facts(&all);
            let result = backdoor::check(&facts, &all, &Policy::default());
            let others: Vec<&str> = result.findings.iter().map(|finding| finding.code.id()).collect();
            let other = others.iter().find(|code| {
                !["backdoor/suspected", "backdoor/trace"].contains(code) && **code != format!("backdoor/{name}")
            });
            wrong.extend(other.map(|other| format!("{}: {other} is named", probe.name)));
        }
    }
    eprintln!("{name}: {} probes", probes.len());
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("{}\n{} of {}", wrong.join("\n"), wrong.len(), probes.len()).into())
    }
}

fn no_condition_can_go(name: &str) -> Result<(), Failed> {
    let family: Family = Knowledge::embedded().family(name).ok_or("no such family")?.clone();
    // Changed bytes and names are many, and say nothing about conditions that the rest does not.
    let telling =
        |probe: &Probe| !["without byte", "another path", "another socket"].iter().any(|n| probe.name.contains(n));
    let probes: Vec<Probe> = cases(name).probes().into_iter().filter(telling).collect();
    let mutants = mutate::mutants(&family);
    let count = mutants.len();
    let mut unnoticed = Vec::new();
    for (what, mutant) in mutants {
        let knowledge = Knowledge::new("2026-11-22", vec![mutant]);
        // Cases are named after their indicator: those that will notice come first.
        let indicator = what.split(':').next().unwrap_or_default();
        let (own, others): (Vec<&Probe>, Vec<&Probe>) =
            probes.iter().partition(|probe| probe.name.starts_with(indicator));
        if own.iter().chain(&others).all(|probe| check(probe, &knowledge).is_ok()) {
            unnoticed.push(what);
        }
    }
    eprintln!("{name}: {count} conditions taken out, {} probes", probes.len());
    if unnoticed.is_empty() { Ok(()) } else { Err(format!("can go unnoticed:\n{}", unnoticed.join("\n")).into()) }
}

fn check(probe: &Probe, knowledge: &Knowledge) -> Result<(), String> {
    let facts = probe.host.facts(knowledge);
    let matched: BTreeSet<String> = backdoor::matched(&facts, knowledge)
        .into_iter()
        .map(|id| id.split_once('/').map(|(_, indicator)| indicator.to_owned()).unwrap())
        .collect();
    let fail = |why: String| Err(format!("{}: {why}", probe.name));
    match &probe.claim {
        Claim::Exactly(expected, finding) => {
            let expected: BTreeSet<String> = expected.iter().cloned().collect();
            if matched != expected {
                return fail(format!("found {matched:?}, expected {expected:?}"));
            }
            let result = backdoor::check(&facts, knowledge, &Policy::default());
            let codes: BTreeSet<&str> = result.findings.iter().map(|finding| finding.code.id()).collect();
            let wanted: BTreeSet<&str> = Some(finding.as_str()).filter(|code| !code.is_empty()).into_iter().collect();
            if codes == wanted { Ok(()) } else { fail(format!("says {codes:?}, expected {wanted:?}")) }
        }
        Claim::Lacks(ids) if ids.iter().all(|id| matched.contains(id)) => fail(format!("still found {matched:?}")),
        Claim::Lacks(_) => Ok(()),
        Claim::Unobserved(count) => {
            let result = backdoor::check(&facts, knowledge, &Policy::default());
            let told =
                result.gaps.iter().any(|gap| gap.reason.starts_with(&format!("{count} indicators of 1 families")));
            if told == (*count > 0) { Ok(()) } else { fail(format!("{:?}", result.gaps)) }
        }
    }
}
