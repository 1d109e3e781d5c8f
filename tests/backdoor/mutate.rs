//! Every way to take one condition out of a family: each must be missed by some probe.

use sshproof::knowledge::family::{Content, Family, Group, Indicator, Kind, Need, Part, PathRule};

/// Each family without one condition, with what was taken.
pub fn mutants(family: &Family) -> Vec<(String, Family)> {
    let mut all = Vec::new();
    for (at, indicator) in family.indicators.iter().enumerate() {
        let mut without = family.clone();
        without.indicators.remove(at);
        all.push((format!("{}: the indicator", indicator.id), without));
        for (what, changed) in indicator_mutants(indicator) {
            let mut mutant = family.clone();
            mutant.indicators[at].kind = changed;
            all.push((format!("{}: {what}", indicator.id), mutant));
        }
    }
    all
}

fn indicator_mutants(indicator: &Indicator) -> Vec<(String, Kind)> {
    match &indicator.kind {
        Kind::Digest(digests) => {
            without_each(digests).map(|(n, rest)| (format!("digest {n}"), Kind::Digest(rest))).collect()
        }
        Kind::Socket(names) => without_each(names).map(|(n, rest)| (format!("name {n}"), Kind::Socket(rest))).collect(),
        Kind::Mapping(names) => {
            without_each(names).map(|(n, rest)| (format!("name {n}"), Kind::Mapping(rest))).collect()
        }
        Kind::Content(content) => {
            content_mutants(content).into_iter().map(|(what, content)| (what, Kind::Content(content))).collect()
        }
        Kind::Path(rule) => path_mutants(rule).into_iter().map(|(what, rule)| (what, Kind::Path(rule))).collect(),
        Kind::Package(rule) => {
            let change = |what: String, change: &dyn Fn(&mut sshproof::knowledge::family::PackageRule)| {
                let mut rule = rule.clone();
                change(&mut rule);
                (what, Kind::Package(rule))
            };
            let names =
                without_each(&rule.names).map(|(n, rest)| change(format!("name {n}"), &|r| r.names = rest.clone()));
            let bad = without_each(&rule.upstream)
                .map(|(n, rest)| change(format!("version {n}"), &|r| r.upstream = rest.clone()));
            let good = without_each(&rule.except)
                .map(|(n, rest)| change(format!("exception {n}"), &|r| r.except = rest.clone()));
            names.chain(bad).chain(good).collect()
        }
        Kind::Unobserved(_) => Vec::new(),
    }
}

fn content_mutants(content: &Content) -> Vec<(String, Content)> {
    let mut all = Vec::new();
    let mut push = |what: String, change: &dyn Fn(&mut Content)| {
        let mut content = content.clone();
        change(&mut content);
        all.push((what, content));
    };
    if content.elf {
        push("elf".into(), &|content| content.elf = false);
    }
    if content.printable {
        push("printable".into(), &|content| content.printable = false);
    }
    for (at, group) in content.groups.iter().enumerate() {
        push(format!("group {at}"), &|content| drop(content.groups.remove(at)));
        for (what, changed) in group_mutants(group) {
            push(format!("group {at}, {what}"), &|content| content.groups[at] = changed.clone());
        }
    }
    all
}

fn group_mutants(group: &Group) -> Vec<(String, Group)> {
    let mut all = Vec::new();
    let mut push = |what: String, change: &dyn Fn(&mut Group)| {
        let mut group = group.clone();
        change(&mut group);
        all.push((what, group));
    };
    if group.whole {
        push("whole".into(), &|group| group.whole = false);
    }
    if group.within.is_some() {
        push("within".into(), &|group| group.within = None);
    }
    if !group.sections.is_empty() {
        push("sections".into(), &|group| group.sections.clear());
    }
    if group.sections.len() > 1 {
        for (n, rest) in without_each(&group.sections) {
            push(format!("section {n}"), &|group| group.sections = rest.clone());
        }
    }
    if let Need::AtLeast(n) = group.need
        && n > 1
    {
        push("one less needed".into(), &|group| group.need = Need::AtLeast(n - 1));
    }
    if group.parts.len() > 1 {
        for (n, rest) in without_each(&group.parts) {
            push(format!("part {n}"), &|group| group.parts = rest.clone());
        }
    }
    for (at, part) in group.parts.iter().enumerate() {
        for (what, changed) in part_mutants(part) {
            push(format!("part {at}, {what}"), &|group| group.parts[at] = changed.clone());
        }
    }
    all
}

fn part_mutants(part: &Part) -> Vec<(String, Part)> {
    match part {
        Part::Bytes(spellings) if spellings.len() > 1 => {
            without_each(spellings).map(|(n, rest)| (format!("spelling {n}"), Part::Bytes(rest))).collect()
        }
        Part::Soname(names) if names.len() > 1 => {
            without_each(names).map(|(n, rest)| (format!("soname {n}"), Part::Soname(rest))).collect()
        }
        Part::NeededOutside(names) => {
            without_each(names).map(|(n, rest)| (format!("known library {n}"), Part::NeededOutside(rest))).collect()
        }
        Part::InitArrayAbove(_) => vec![("number".into(), Part::InitArrayAbove(0))],
        Part::CtorsAbove(_) => vec![("number".into(), Part::CtorsAbove(0))],
        _ => Vec::new(),
    }
}

fn path_mutants(rule: &PathRule) -> Vec<(String, PathRule)> {
    let mut all = Vec::new();
    let mut push = |what: String, change: &dyn Fn(&mut PathRule)| {
        let mut rule = rule.clone();
        change(&mut rule);
        all.push((what, rule));
    };
    for (n, rest) in without_each(&rule.places) {
        push(format!("place {n}"), &|rule| rule.places = rest.clone());
    }
    if rule.unowned {
        push("unowned".into(), &|rule| rule.unowned = false);
    }
    if rule.file_type.is_some() {
        push("type".into(), &|rule| rule.file_type = None);
    }
    if rule.mode != 0 {
        push("mode".into(), &|rule| rule.mode = 0);
    }
    if rule.uid.is_some() {
        push("uid".into(), &|rule| rule.uid = None);
    }
    if rule.max_size.is_some() {
        push("max-size".into(), &|rule| rule.max_size = None);
    }
    if !rule.content.is_empty() {
        push("content".into(), &|rule| rule.content.clear());
    }
    if rule.content.len() > 1 {
        for (n, rest) in without_each(&rule.content) {
            push(format!("content {n}"), &|rule| rule.content = rest.clone());
        }
    }
    all
}

fn without_each<T: Clone>(all: &[T]) -> impl Iterator<Item = (usize, Vec<T>)> {
    (0..all.len()).map(|at| {
        let mut rest = all.to_vec();
        rest.remove(at);
        (at, rest)
    })
}
