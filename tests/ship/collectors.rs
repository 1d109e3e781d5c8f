//! Splunk's event collector, as its documentation has it, and OTLP, which the official definitions read; then what all
//! sinks over HTTP have in common: TLS, proxies, secrets.

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use serde_json::Value;
use sshproof::render::event::{Encoding, encode};

use super::bench::{Bench, read};
use super::bulk;
use super::common::root::run;
use super::rsyslog::bench;
use super::server::{Server, proxy};
use super::tls::{authority, client};

/// Nothing else that is printed, written or sent contains it.
const TOKEN: &str = "s3cr3t-t0k3n";

fn secret(bench: &Bench, name: &str, text: &str) -> String {
    let path = bench.path(name);
    std::fs::write(&path, text.to_owned() + "\n").unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path.display().to_string()
}

fn hec(bench: &Bench, port: u16, more: &str) -> String {
    let token = secret(bench, "token", TOKEN);
    format!(
        "[[sink]]\nname = \"splunk\"\nkind = \"splunk-hec\"\nurl = \"http://127.0.0.1:{port}\"\nsecret = \"{token}\"\n\
         pause = \"1ms\"\n{more}\n"
    )
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn splunk_takes_batches() {
    let bench = bench();
    let server = Server::start(|_| (200, "", r#"{"text":"Success","code":0}"#.to_owned()));
    bench.must_ship(&hec(&bench, server.port, "index = \"security\""));
    assert!(bench.took_all("splunk"));
    let requests = server.requests();
    assert_eq!(requests.len(), 1, "a batch");
    assert_eq!(requests[0].path, "/services/collector/event");
    assert_eq!(requests[0].header("authorization"), format!("Splunk {TOKEN}"));
    for (object, event) in objects(requests[0].text()).iter().zip(&bench.events) {
        assert_eq!(object["event"], serde_json::from_str::<Value>(&encode(event, Encoding::Json).unwrap()).unwrap());
        assert_eq!(object["fields"]["id"], event.id.as_str());
        assert_eq!((&object["time"], &object["host"]), (&event.time.0.into(), &"node1".into()));
        assert_eq!((&object["sourcetype"], &object["index"]), (&"sshproof".into(), &"security".into()));
    }

    // One event that it cannot read: it names it, and takes the others when they come again.
    let bench = Bench::with(&[5], &["fine", "fine", "refuse-me"]);
    let server = Server::start(|request| {
        match objects(request.text()).iter().position(|object| object.to_string().contains("refuse-me")) {
            Some(at) => (400, "", format!(r#"{{"text":"Invalid data format","code":6,"invalid-event-number":{at}}}"#)),
            None => (200, "", r#"{"text":"Success","code":0}"#.to_owned()),
        }
    });
    bench.must_ship(&hec(&bench, server.port, ""));
    let letters = bench.dead_letters();
    assert!(letters.len() == 1 && letters[0].contains("Invalid data format"), "{letters:?}");
    assert_eq!(objects(server.requests().last().unwrap().text()).len(), 4);

    // A wrong token, and a wrong index: kept.
    for (status, code) in [(403, 4), (400, 7)] {
        let server = Server::start(move |_| (status, "", format!(r#"{{"text":"no","code":{code}}}"#)));
        let bench = Bench::new(&[1]);
        assert_eq!(bench.ship(&hec(&bench, server.port, "")).status.code(), Some(2));
        assert!(!bench.took_all("splunk") && bench.dead_letters().is_empty());
    }
}

pub fn splunk_is_asked_what_it_has_indexed() {
    let asked = Mutex::new(0);
    let server = Server::start(move |request| match request.path.split_once('?') {
        None => (200, "", r#"{"text":"Success","code":0,"ackId":3}"#.to_owned()),
        Some((path, channel)) => {
            assert_eq!(path, "/services/collector/ack");
            assert_eq!(channel, format!("channel={}", request.header("x-splunk-request-channel")));
            assert_eq!(request.text(), r#"{"acks":[3]}"#);
            *asked.lock().unwrap() += 1;
            (200, "", r#"{"acks":{"3":true}}"#.to_owned())
        }
    });
    let bench = Bench::new(&[2]);
    bench.must_ship(&hec(&bench, server.port, "acknowledge = true"));
    assert!(bench.took_all("splunk"));
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].header("x-splunk-request-channel").len(), 36);
    // A token without acknowledgement gives no number: what that means is not guessed.
    let server = Server::start(|_| (200, "", r#"{"text":"Success","code":0}"#.to_owned()));
    let bench = Bench::new(&[2]);
    let output = bench.ship(&hec(&bench, server.port, "acknowledge = true"));
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("gives no ackId"), "{output:?}");
}

fn otlp(port: u16, more: &str) -> String {
    format!(
        "[[sink]]\nname = \"otel\"\nkind = \"otlp\"\nurl = \"http://127.0.0.1:{port}/v1/logs\"\npause = \"1ms\"\n{more}\n"
    )
}

pub fn otlp_is_what_the_definitions_say() {
    let bench = bench();
    let server = Server::start(|_| (200, "", "{}".to_owned()));
    bench.must_ship(&otlp(server.port, "batch = 1000"));
    assert!(bench.took_all("otel"));
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut reader = Command::new("/usr/bin/python3");
    reader.arg(project.join("tests/ship/otlp.py")).arg(project.join("tests/schemas/otlp-logs.json"));
    for (at, request) in server.requests().iter().enumerate() {
        assert_eq!((request.path.as_str(), request.header("content-type")), ("/v1/logs", "application/json"));
        let path = bench.path(&format!("request{at}"));
        std::fs::write(&path, &request.body).unwrap();
        reader.arg(path);
    }
    let records = objects(&run(&mut reader));
    assert_eq!(records.len(), bench.events.len());
    for (record, event) in records.iter().zip(&bench.events) {
        assert_eq!(record["body"], encode(event, Encoding::Json).unwrap());
        assert_eq!(record["attributes"]["event.id"], event.id.as_str());
        assert_eq!(record["attributes"]["sshproof.seq"], event.chain.seq.to_string());
        assert_eq!(record["attributes"]["host.name"], "node1");
        assert_eq!(record["time"], event.time.0 * 1_000_000_000);
        assert_eq!((&record["severity"], &record["scope"]), (&13.into(), &"sshproof".into()));
        assert_eq!(record["resource"]["service.name"], "sshproof");
    }
    // The control: a name that the definitions do not have is an error.
    let wrong = bench.path("wrong");
    std::fs::write(&wrong, r#"{"resourceLogs":[{"scopeLogs":[{"records":[]}]}]}"#).unwrap();
    let mut again = Command::new("/usr/bin/python3");
    again.arg(project.join("tests/ship/otlp.py")).arg(project.join("tests/schemas/otlp-logs.json")).arg(&wrong);
    assert!(!again.output().unwrap().status.success());
}

pub fn otlp_answers_are_understood() {
    // Some were rejected, nobody knows which, and nothing may be sent again.
    let partial = r#"{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"too old"}}"#;
    let server = Server::start(move |_| (200, "", partial.to_owned()));
    let bench = Bench::new(&[3]);
    bench.must_ship(&otlp(server.port, ""));
    assert_eq!(server.requests().len(), 1);
    let letters = bench.dead_letters();
    assert!(
        letters.len() == 3 && letters[0].contains("rejected 1 of 3 and does not say which: too old"),
        "{letters:?}"
    );
    // One that it cannot read, found by halves.
    let server = Server::start(|request| match request.text().contains("refuse-me") {
        true => (400, "", "{\"message\":\"bad\"}".to_owned()),
        false => (200, "", String::new()),
    });
    let bench = Bench::with(&[8], &["a", "b", "c", "refuse-me", "d", "e", "f", "g"]);
    bench.must_ship(&otlp(server.port, ""));
    assert_eq!(bench.dead_letters().len(), 1);
    // Codes that mean "later", and one that does not.
    let round = Mutex::new(0);
    let server = Server::start(move |_| {
        let mut round = round.lock().unwrap();
        *round += 1;
        match *round {
            1 => (429, "retry-after: 0\r\n", String::new()),
            2 => (502, "retry-after: 0\r\n", String::new()),
            _ => (200, "", String::new()),
        }
    });
    let bench = Bench::new(&[1]);
    bench.must_ship(&otlp(server.port, ""));
    assert_eq!(server.requests().len(), 3);
    let server = Server::start(|_| (404, "", String::new()));
    let bench = Bench::new(&[1]);
    assert_eq!(bench.ship(&otlp(server.port, "")).status.code(), Some(2));
    assert_eq!((server.requests().len(), bench.took_all("otel")), (1, false));
}

/// As for syslog: whoever is not who he ought to be gets nothing, and the event is kept. Through a proxy too. And no secret
/// is in anything that anybody reads.
pub fn https_proxies_and_secrets() {
    let bench = Bench::new(&[2]);
    let ours = authority(&bench, "ours");
    let theirs = authority(&bench, "theirs");
    ours.issue("old", 0);
    let sink = |port: u16, client: &str| {
        let client = client.replace("tls = true\n", "");
        let token = secret(&bench, "token", TOKEN);
        bulk::sink(port, &client).replace("http://", "https://") + &format!("secret = \"{token}\"\n")
    };
    let created = |request: &super::server::Request| {
        assert_eq!(request.header("authorization"), format!("ApiKey {TOKEN}"));
        let items = vec![r#"{"create":{"status":201}}"#; request.text().lines().count() / 2].join(",");
        (200, "", format!(r#"{{"errors":false,"items":[{items}]}}"#))
    };
    let good = client(&ours, &ours, "node1");
    let cases = [
        ("wrong CA", "loghost", client(&ours, &theirs, "node1")),
        ("wrong name", "node2", good.clone()),
        ("expired", "old", good.replace("\"loghost\"", "\"old\"")),
        ("no client certificate", "loghost", client(&ours, &ours, "")),
        ("client of another CA", "loghost", client(&theirs, &ours, "node1")),
    ];
    let mut said = String::new();
    for (case, certificate, client) in cases {
        let server = Server::tls(&ours, certificate, created);
        let output = bench.command(&sink(server.port, &client)).arg("-vv").output().unwrap();
        let talk = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{case}: {talk}");
        assert!(talk.contains("sink es: not delivered, kept in the spool: "), "{case}: {talk}");
        assert!(server.requests().is_empty() && !bench.took_all("es"), "{case}");
        println!("{case}: {}", talk.trim());
        said += &talk;
    }
    let server = Server::tls(&ours, "loghost", created);
    let (port, through) = proxy();
    let by = |password: &str| {
        let path = secret(&bench, "proxy-password", password);
        let line = format!("proxy = \"http://127.0.0.1:{port}\"\nproxy-user = \"proxy\"\nproxy-secret = \"{path}\"\n");
        bench.command(&(sink(server.port, &good) + &line)).arg("-vv").output().unwrap()
    };
    let wrong = by("wrong");
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    assert!(server.requests().is_empty());
    let right = by("letmein");
    assert_eq!(right.status.code(), Some(0), "{right:?}");
    assert!(bench.took_all("es"));
    assert_eq!(*through.lock().unwrap(), [format!("127.0.0.1:{}", server.port)]);
    for output in [&wrong, &right] {
        said += &String::from_utf8_lossy(&output.stderr);
        said += &String::from_utf8_lossy(&output.stdout);
    }
    said += &read(&bench.path("spool/ship/es.cursor"));
    for secret in [TOKEN, "letmein", "cHJveHk6bGV0bWVpbg"] {
        assert!(!said.contains(secret), "{said}");
    }
}
