//! Which words a release of sshd takes, found out by asking it: so that a generator writes what can be read, and, seldom
//! and on purpose, what cannot.

use std::collections::BTreeMap;

use crate::common::root::Root;
use crate::oracle::{self, Run};
use crate::random::Random;
use crate::words::{CHECKED, CRITERIA, DECIDING, PRINTED, SUPPORT, Setting};

/// The words of one release.
pub struct Vocabulary {
    deciding: Vec<Entry>,
    printed: Vec<Entry>,
    checked: Vec<Entry>,
    /// Criteria of Match lines.
    pub criteria: Vec<Entry>,
    /// Whether values may stand in single quotes.
    pub single_quotes: bool,
}

/// A keyword and its values, by whether this release takes them.
pub struct Entry {
    /// As written.
    pub keyword: &'static str,
    good: Vec<&'static str>,
    bad: Vec<&'static str>,
    /// Whether it may not stand in a Match block.
    pub is_global: bool,
}

impl Entry {
    /// A value, seldom one that is refused.
    pub fn value(&self, random: &mut Random) -> &'static str {
        let odd = self.good.is_empty() || !self.bad.is_empty() && random.one_in(100);
        let values: &[&'static str] = if odd { &self.bad } else { &self.good };
        random.pick::<&'static str>(values)
    }

    /// Whether some value is taken.
    pub fn is_known(&self) -> bool {
        !self.good.is_empty()
    }
}

impl Vocabulary {
    /// Asks the sshd of `root` about every word by itself.
    pub fn ask(root: &Root) -> Self {
        let mut probes: Vec<String> = vec!["UsePAM 'yes'\n".to_owned()];
        for (keyword, values) in [DECIDING, PRINTED, CHECKED].concat() {
            probes.extend(values.iter().map(|value| format!("{keyword} {value}\n{SUPPORT}")));
            let blocks = values.iter().map(|value| format!("{SUPPORT}Match User nobody-here\n{keyword} {value}\n"));
            probes.extend(blocks);
        }
        for (criterion, values) in CRITERIA {
            probes.extend(values.iter().map(|value| format!("Match {criterion} {value}\n")));
        }
        let dirs: Vec<String> = (0..probes.len()).map(|number| format!("/probes/{number}")).collect();
        for (dir, text) in dirs.iter().zip(&probes) {
            root.write(&format!("{dir}/sshd_config"), text);
        }
        let runs: Vec<Run<'_>> = dirs.iter().map(|dir| Run { dir, options: &[], connection: "" }).collect();
        oracle::run(&runs, root);
        let taken: BTreeMap<&str, bool> =
            probes.iter().zip(&dirs).map(|(text, dir)| (text.as_str(), oracle::result(dir, root).is_ok())).collect();
        let is_taken = |text: &str| taken.get(text).copied().unwrap_or_default();
        let setting = |(keyword, values): &Setting| {
            let alone = |value: &&&'static str| is_taken(&format!("{keyword} {value}\n{SUPPORT}"));
            let in_block =
                |value: &&'static str| is_taken(&format!("{SUPPORT}Match User nobody-here\n{keyword} {value}\n"));
            let (good, bad): (Vec<_>, Vec<_>) = values.iter().partition(alone);
            Entry { keyword, is_global: !good.iter().any(in_block), good, bad }
        };
        let criterion = |(name, values): &Setting| {
            let (good, bad) = values.iter().partition(|value| is_taken(&format!("Match {name} {value}\n")));
            Entry { keyword: name, is_global: false, good, bad }
        };
        let of = |settings: &[Setting]| settings.iter().map(setting).collect();
        Self {
            deciding: of(DECIDING),
            printed: of(PRINTED),
            checked: of(CHECKED),
            criteria: CRITERIA.iter().map(criterion).collect(),
            single_quotes: is_taken("UsePAM 'yes'\n"),
        }
    }

    /// A keyword, seldom one that this release does not know.
    pub fn entry(&self, random: &mut Random) -> &Entry {
        loop {
            let list = match random.below(20) {
                0..=8 => &self.deciding,
                9..=17 => &self.printed,
                _ => &self.checked,
            };
            let entry = random.pick(list);
            if entry.is_known() || random.one_in(60) {
                return entry;
            }
        }
    }
}
