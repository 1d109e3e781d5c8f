//! CEF: every line through liblognorm's parser of the format, which nobody here wrote.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;
use sshproof::model::event::{Body, Event};
use sshproof::render::event::{Encoding, encode};

use super::world;

pub fn comes_back() {
    let events = world::events();
    let parsed = parse(&events);
    assert_eq!(parsed.len(), events.len());
    for (event, parsed) in events.iter().zip(&parsed) {
        assert_eq!(parsed["DeviceVendor"], "sshproof", "{parsed}");
        assert_eq!(parsed["DeviceVersion"], event.tool.version.as_str());
        let extensions = &parsed["Extensions"];
        let get = |key: &str| extensions[key].as_str().unwrap_or_default().to_owned();
        assert_eq!(get("externalId"), event.id);
        assert_eq!(get("cn1"), event.chain.seq.to_string());
        assert_eq!(get("cs1"), event.chain.prev);
        // liblognorm 2.0.6 skips a character after the last `|`, as if a blank had to stand there: `rt` comes back as `t`.
        assert_eq!(get("rt") + &get("t"), (event.time.0 * 1000).to_string());
        if let Body::Finding(finding) = &event.body {
            assert_eq!(parsed["SignatureID"], finding.code.id());
            assert_eq!(parsed["Name"], finding.summary.as_str());
            assert_eq!(get("cat"), finding.class.name());
            assert_eq!(get("cs4"), finding.uid);
            assert_eq!(get("msg"), format!("{}: {}", finding.subject, finding.summary));
            if let sshproof::model::Subject::File { path } = &finding.subject {
                assert_eq!(get("filePath"), path.to_string());
            }
        }
    }
}

/// The lines as liblognorm takes them apart.
fn parse(events: &[Event]) -> Vec<Value> {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("rules");
    std::fs::write(&rules, "version=2\nrule=:%f:cef%\n").unwrap();
    let mut child = Command::new("lognormalizer")
        .args(["-e", "json", "-r"])
        .arg(&rules)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = events.iter().map(|event| encode(event, Encoding::Cef).unwrap() + "\n").collect();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| {
            let value: Value = serde_json::from_str(line).unwrap();
            assert!(value.get("f").is_some(), "liblognorm did not understand {line}");
            value["f"].clone()
        })
        .collect()
}
