//! Whether a file that a process executes, and that was replaced since, was the distributor's: by the signed metadata that was
//! kept of earlier versions.

use crate::checks::standing::{self, Standing};
use crate::facts::history::{HistoryFacts, KeptVersion};
use crate::facts::package::PackageSystem;
use crate::facts::{ProcessFacts, RootFacts};
use crate::knowledge::Knowledge;
use crate::model::{Digest, RootedPath, Severity, Timestamp};
use crate::policy::Policy;
use crate::trust::vendor::Voucher;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// What the judgement of one root rests on.
#[derive(Clone, Copy)]
pub struct Past<'a> {
    /// The root.
    pub root: &'a RootFacts,
    /// Whose keys count.
    pub knowledge: &'a Knowledge,
    /// How long a restart may wait.
    pub policy: &'a Policy,
    /// When it was observed.
    pub at: Timestamp,
}

/// Where a replaced file came from.
pub enum Origin {
    /// It is that of an earlier version, which somebody vouches for.
    Signed {
        /// `name version` of that, escaped, and by whom.
        version: String,
        /// The same of what is installed now, if a package owns the path.
        now: Option<String>,
        /// Since when its metadata is kept.
        since: Timestamp,
    },
    /// It is that of no version: the package's only one since before the process was started is not it, and no earlier one that
    /// was kept.
    Unsigned {
        /// The versions that were, escaped.
        versions: Vec<String>,
        /// Since when the first of them is kept.
        since: Timestamp,
    },
    /// That cannot be told, and why: to follow "runs files that were replaced since".
    Unknown(&'static str),
}

impl Past<'_> {
    /// Where the content with this digest came from that `process` executes as `path`.
    #[must_use]
    pub fn origin(&self, process: &ProcessFacts, path: &RootedPath, sha256: &Digest) -> Origin {
        let Some(history) = &self.root.history else {
            return Origin::Unknown("no state directory is used (`--spool`), so that there is no signed history");
        };
        let further = history.digests.get(sha256).map(Vec::as_slice).unwrap_or_default();
        let own = |recorded: &Digest| {
            std::iter::once(sha256).chain(further).find(|digest| digest.algorithm() == recorded.algorithm())
        };
        let kept: Vec<(&KeptVersion, Box<Voucher>, &Digest)> = history
            .versions
            .iter()
            .filter_map(|version| {
                let recorded = version.files.get(path).filter(|digest| digest.algorithm().is_strong())?;
                match standing::of_package(self.root, self.knowledge, &version.package, self.at) {
                    Standing::Vouched(voucher) => Some((version, voucher, recorded)),
                    Standing::Site(_) | Standing::Doubted(_) | Standing::Unsealed => None,
                }
            })
            .collect();
        if let Some((version, voucher, _)) = kept.iter().find(|(.., recorded)| own(recorded) == Some(*recorded)) {
            return Origin::Signed {
                version: format!("{}, signed by {}", named(version), voucher.words()),
                now: self.installed(path, version.package.system),
                since: version.since,
            };
        }
        let Some(since) = kept.iter().map(|(version, ..)| version.since).min() else {
            return Origin::Unknown("no signed metadata of its earlier versions was kept");
        };
        if kept.iter().any(|(.., recorded)| own(recorded).is_none()) {
            return Origin::Unknown("its digest could not be computed as its package records it");
        }
        // Versions come and go between two scans: only of one that has been there all the time is it known that no other was. A
        // clock that went wrong shows where a version was kept before it was installed.
        let started = started(history, process);
        let lasts = |version: &KeptVersion| {
            version.is_installed
                && version.since <= started
                && version.installed_at.is_some_and(|installed| installed <= started && installed <= version.since)
        };
        if !kept.iter().any(|(version, ..)| lasts(version)) {
            return Origin::Unknown(
                "another version of its package may have been installed since the process was started",
            );
        }
        Origin::Unsigned { versions: kept.iter().map(|(version, ..)| named(version)).collect(), since }
    }

    /// How grave it is that a process still runs what was replaced by a signed version: a note until the policy's time is
    /// over.
    #[must_use]
    pub fn severity(&self, path: &RootedPath) -> Severity {
        // The inode's own time, for the time of change is the packager's.
        let replaced = self.root.files.get(path).and_then(|file| u64::try_from(file.meta()?.ctime).ok());
        let days = u64::from(self.policy.restart_within_days());
        let over = replaced.is_none_or(|at| at.saturating_add(days.saturating_mul(DAY)) < self.at.0);
        if over { Severity::Low } else { Severity::Informational }
    }

    /// `name version` of the package that owns the path now, by the same package system.
    fn installed(&self, path: &RootedPath, system: PackageSystem) -> Option<String> {
        let packages = &self.root.packages;
        let mut owners = packages.records.get(path)?.iter().filter_map(|record| packages.packages.get(&record.package));
        let package = owners.find(|package| package.system == system)?;
        Some(format!("{} {}", package.name, package.version))
    }
}

fn named(version: &KeptVersion) -> String {
    format!("{} {}", version.package.name, version.package.version)
}

fn started(history: &HistoryFacts, process: &ProcessFacts) -> Timestamp {
    let seconds = process.starttime.checked_div(history.ticks).unwrap_or(0);
    Timestamp(history.booted.0.saturating_add(seconds))
}
