//! Readers of the JSON report, for assertions that name check, code and subject, never the exit code alone.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The six checks in the order of the report.
pub const CHECKS: [&str; 6] = ["provenance", "live", "backdoor", "anomaly", "login", "hygiene"];

/// What one run of `sshproof scan --format json` gave.
#[derive(Debug)]
pub struct Scan {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub report: Value,
    /// Its standard error.
    pub stderr: String,
}

impl Scan {
    /// Every live finding above informational speaks about `pid`; their codes, sorted, each once.
    pub fn codes_about(&self, pid: i32) -> Vec<String> {
        let findings = self.findings("live");
        assert!(findings.iter().all(|finding| finding["subject"]["pid"] == pid), "{pid}: {}", self.troubles());
        let mut codes: Vec<String> =
            findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect();
        codes.sort();
        codes.dedup();
        codes
    }

    /// From a finished run.
    pub fn of(output: &Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(!stderr.contains("panicked"), "{stderr}");
        let report = serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{e}\n{stdout}\n{stderr}"));
        Self { code: output.status.code().expect("it ended by itself"), report, stderr }
    }

    /// Of an image beneath `root`, with further arguments.
    pub fn image(root: &Path, arguments: &[&str]) -> Self {
        let mut scan = Command::new(super::program::program());
        scan.args(["scan", "--format", "json", "--root"]).arg(root).args(arguments);
        Self::of(&scan.stdin(Stdio::null()).output().unwrap())
    }

    /// The result of one check.
    pub fn result(&self, check: &str) -> &Value {
        let results = self.report["results"].as_array().expect("a report has results");
        results.iter().find(|result| result["check"] == check).unwrap_or_else(|| panic!("no result of {check}"))
    }

    /// The verdict of one check.
    pub fn verdict(&self, check: &str) -> &str {
        self.result(check)["verdict"].as_str().unwrap()
    }

    /// The verdicts of all six checks.
    pub fn verdicts(&self) -> Vec<(&str, &str)> {
        CHECKS.iter().map(|check| (*check, self.verdict(check))).collect()
    }

    /// The findings of one check that are above informational.
    pub fn findings(&self, check: &str) -> Vec<&Value> {
        let all = self.result(check)["findings"].as_array().unwrap();
        all.iter().filter(|finding| finding["severity"] != "informational").collect()
    }

    /// Their codes and subjects: `provenance/digest-mismatch /usr/sbin/sshd`.
    pub fn accused(&self, check: &str) -> Vec<String> {
        let name = |finding: &Value| {
            let subject = &finding["subject"];
            let what = ["path", "pid", "name", "server"].iter().find_map(|key| subject.get(*key));
            let what = what.map_or_else(|| subject["kind"].to_string(), ToString::to_string);
            format!("{} {}", finding["code"].as_str().unwrap(), what.trim_matches('"'))
        };
        self.findings(check).into_iter().map(name).collect()
    }

    /// The gaps of one check, mandatory ones only.
    pub fn mandatory_gaps(&self, check: &str) -> Vec<&Value> {
        let all = self.result(check)["gaps"].as_array().unwrap();
        all.iter().filter(|gap| gap["mandatory"] == true).collect()
    }

    /// The record of one file of the surface.
    pub fn file(&self, path: &str) -> Option<&Value> {
        self.report["files"].as_array().unwrap().iter().find(|file| file["path"] == path)
    }

    /// The surface: the paths of all files in the report, sorted.
    pub fn surface(&self) -> Vec<String> {
        let files = self.report["files"].as_array().unwrap();
        let mut paths: Vec<String> = files.iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect();
        paths.sort();
        paths
    }

    /// Everything that keeps a check from passing, in lines fit for a failed assertion's message.
    pub fn troubles(&self) -> String {
        let mut lines = Vec::new();
        for check in CHECKS {
            lines.push(format!("{check}: {}", self.verdict(check)));
            for finding in self.findings(check) {
                lines.push(format!("  {} {} {}", finding["code"], finding["subject"], finding["message"]));
            }
            for gap in self.mandatory_gaps(check) {
                lines.push(format!("  gap {} {}", gap["subject"], gap["reason"]));
            }
        }
        lines.join("\n")
    }

    /// All six checks pass with no mandatory gap, and the exit code says so.
    pub fn assert_clean(&self) {
        for check in CHECKS {
            assert_eq!(self.verdict(check), "pass", "{check}\n{}", self.troubles());
            assert!(self.mandatory_gaps(check).is_empty(), "{}", self.troubles());
        }
        assert_eq!((self.code, self.report["verdict"].as_str()), (0, Some("pass")));
    }

    /// Exactly these checks fail; each of the others says what it says in `control`.
    pub fn assert_only(&self, control: &Self, failing: &[&str]) {
        for check in CHECKS {
            let expected = if failing.contains(&check) { "fail" } else { control.verdict(check) };
            assert_eq!(self.verdict(check), expected, "{check}\n{}", self.troubles());
        }
        assert_eq!(self.code, 1, "{}", self.troubles());
    }
}
