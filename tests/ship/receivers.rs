//! The receiver's side that we ship (`packaging/siem`): each product's own tool checks it, and where the product is at hand, events are
//! delivered to it as configured.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sshproof::model::event::Body;
use sshproof::render::event::Encoding;

use super::bench::{Bench, encoded, read, wait_until};
use super::common::root::run;
use super::rsyslog::{Rsyslog, sink};
use super::syslog_ng::{self, SyslogNg};
use super::tls::{authority, client};

fn ours(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/siem").join(path)
}

/// A configuration with the paths, ports and names of the bench instead of a site's.
fn adapted(bench: &Bench, path: &str, certificates: &str, port: u16) -> String {
    let text = std::fs::read_to_string(ours(path)).unwrap();
    let dir = bench.dir.path().display().to_string();
    let adapted = text
        .replace(certificates, &format!("{dir}/ca"))
        .replace("/var/log/sshproof", &dir)
        .replace("/var/spool/rsyslog", &dir)
        .replace("*CN=*.example.org*", "*CN=node1*")
        .replace("*.example.org", "node1")
        .replace("port=\"6514\"", &format!("port=\"{port}\" address=\"127.0.0.1\""))
        .replace("port=\"2514\"", "port=\"0\" address=\"127.0.0.1\"")
        .replace("port(6514)", &format!("ip(\"127.0.0.1\") port({port})"));
    assert!(!adapted.contains("/etc/") && !adapted.contains("example.org"), "{adapted}");
    adapted
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Ships findings, states and spool events to the receiver on `port`; the files that it writes hold what they ought to.
fn deliver(bench: &Bench, port: u16) {
    let authority = super::certificates::Authority::at(&bench.path("ca"));
    bench.must_ship(&sink(port, &client(&authority, &authority, "node1")));
    let all = encoded(&bench.events, Encoding::Json);
    wait_until("the arrival of all events", || read(&bench.path("events.json")).len() >= all.len());
    assert_eq!(read(&bench.path("events.json")), all);
    let alarms: Vec<_> = bench
        .events
        .iter()
        .filter(|event| matches!(&event.body, Body::Finding(finding) if finding.summary == "alarm"))
        .cloned()
        .collect();
    assert!(!alarms.is_empty() && alarms.len() < bench.events.len() / 2);
    assert_eq!(read(&bench.path("alarms.json")), encoded(&alarms, Encoding::Json));
}

pub fn rsyslog() {
    let bench = Bench::of_findings();
    authority(&bench, "ca");
    let port = free_port();
    // RELP on a port of its own would be one more that somebody else may take; that input is checked, and tested elsewhere.
    let config = adapted(&bench, "rsyslog/sshproof.conf", "/etc/rsyslog.d/sshproof", port);
    let file = bench.path("checked.conf");
    std::fs::write(&file, &config).unwrap();
    run(Command::new("rsyslogd").arg("-N1").arg("-f").arg(&file));
    std::fs::write(&file, config.replace("omfile", "omfiel")).unwrap();
    assert!(!Command::new("rsyslogd").arg("-N1").arg("-f").arg(&file).output().unwrap().status.success());
    let without_relp: String = config
        .split_inclusive("\n\n")
        .map(|part| match part.split_once("input(type=\"imrelp\"") {
            Some((before, _)) => before.to_owned() + "\n",
            None => part.to_owned(),
        })
        .collect();
    let _receiver = Rsyslog::with(bench.dir.path(), &without_relp, port);
    deliver(&bench, port);
}

pub fn syslog_ng() {
    let bench = Bench::of_findings();
    authority(&bench, "ca");
    let port = free_port();
    let config = adapted(&bench, "syslog-ng/sshproof.conf", "/etc/syslog-ng/sshproof", port);
    let file = bench.path("checked.conf");
    std::fs::write(&file, &config).unwrap();
    let check = || syslog_ng::program().arg("--syntax-only").arg("-f").arg(&file).output().unwrap();
    assert!(check().status.success(), "{:?}", check());
    std::fs::write(&file, config.replace("peer-verify", "pear-verify")).unwrap();
    assert!(!check().status.success());
    let _receiver = SyslogNg::with(bench.dir.path(), &config, port);
    deliver(&bench, port);
}

/// Rules and their tests, the numbers that they are about, and the queries of the dashboard.
pub fn prometheus() {
    let rules = ours("prometheus/sshproof.rules.yml");
    run(Command::new("promtool").args(["check", "rules"]).arg(&rules));
    let said =
        run(Command::new("promtool").args(["test", "rules", "sshproof.test.yml"]).current_dir(ours("prometheus")));
    assert!(said.contains("SUCCESS"), "{said}");

    let bench = Bench::of_findings();
    let numbers = bench.path("sshproof.prom");
    let disk = format!("[[sink]]\nname = \"disk\"\nkind = \"file\"\npath = \"{}\"\n", bench.path("out").display());
    let dead = "[[sink]]\nname = \"dead\"\nkind = \"syslog\"\nhost = \"127.0.0.1\"\nport = 1\n";
    let output = bench.command(&(disk + dead)).arg("--metrics").arg(&numbers).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let mut all = read(&numbers);
    for line in [
        "sshproof_sink_behind_events{sink=\"disk\"} 0".to_owned(),
        format!("sshproof_sink_behind_events{{sink=\"dead\"}} {}", bench.events.len()),
        format!("sshproof_event_seq {}", bench.events.len()),
        "sshproof_verdict{class=\"all\",verdict=\"fail\"} 1".to_owned(),
        "sshproof_spool_dropped_events_total 3".to_owned(),
    ] {
        assert!(all.lines().any(|other| other == line), "{line}\n{all}");
    }
    let mut row: Vec<String> = encoded(&bench.events, Encoding::Json).lines().map(str::to_owned).collect();
    row.remove(2);
    std::fs::write(bench.path("row"), row.join("\n")).unwrap();
    let mut verify = Command::new(super::bench::SSHPROOF);
    verify.args(["fleet", "verify"]).arg(bench.path("row")).arg("--metrics").arg(bench.path("row.prom"));
    assert_eq!(verify.output().unwrap().status.code(), Some(1));
    all += &read(&bench.path("row.prom"));
    assert!(all.contains("sshproof_row_gaps{node=\"node1\"} 1\n"), "{all}");
    let file = bench.path("all.prom");
    std::fs::write(&file, &all).unwrap();
    let check = format!("promtool check metrics < {}", file.display());
    let said = run(Command::new("sh").args(["-c", &check]));
    assert_eq!(said, "", "promtool has something to say");

    // Nothing is asked for that is not told, in rules and dashboard alike.
    let dashboard: Value = serde_json::from_str(&read(&ours("grafana/sshproof.json"))).unwrap();
    let queries: Vec<&str> = dashboard["panels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|panel| panel["targets"][0]["expr"].as_str().unwrap())
        .collect();
    assert!(queries.len() >= 8);
    let mut as_rules = "groups:\n- name: dashboard\n  rules:\n".to_owned();
    for (at, query) in queries.iter().enumerate() {
        as_rules += &format!("  - record: r{at}\n    expr: {}\n", serde_json::to_string(query).unwrap());
    }
    let path = bench.path("dashboard.yml");
    std::fs::write(&path, &as_rules).unwrap();
    run(Command::new("promtool").args(["check", "rules"]).arg(&path));
    for text in [read(&rules), as_rules] {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for name in words.filter(|word| word.starts_with("sshproof_")) {
            assert!(all.contains(&format!("# TYPE {name} ")), "nobody tells {name}");
        }
    }
}

/// What no tool was there for says so in its head, and is at least well-formed.
pub fn the_rest_says_that_it_is_unchecked() {
    for path in ["splunk/props.conf", "splunk/transforms.conf", "splunk/savedsearches.conf"] {
        let text = read(&ours(path));
        assert!(text.starts_with("# UNCHECKED"), "{path}");
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            assert!(line.starts_with('[') && line.ends_with(']') || line.contains(" = "), "{path}: {line}");
        }
    }
    for path in ["wazuh/decoder.xml", "wazuh/rules.xml"] {
        assert!(read(&ours(path)).starts_with("<!--\n  UNCHECKED"), "{path}");
        // Wazuh's files have several elements at their top, which XML has not.
        let script =
            "import sys, xml.etree.ElementTree as e; e.fromstring('<all>' + open(sys.argv[1]).read() + '</all>')";
        run(Command::new("/usr/bin/python3").args(["-c", script]).arg(ours(path)));
    }
}
