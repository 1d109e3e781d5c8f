//! `_bulk`: a server of the test that foreign clients are content with, and `ship` against it.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sshproof::render::event::{Encoding, encode};

use super::bench::{Bench, wait_until};
use super::common::root::run;
use super::rsyslog::{Rsyslog, bench};
use super::server::{Reply, Request, Server};

/// Documents by their id.
type Index = Arc<Mutex<BTreeMap<String, Value>>>;

/// What Elasticsearch says who it is; its official client speaks to nobody else.
const PRODUCT: &str = "content-type: application/json\r\nx-elastic-product: Elasticsearch\r\n";

/// Whoever writes `refuse-me` into a document has a document that does not fit the mapping.
fn elastic(request: &Request, index: &Index) -> Reply {
    if !request.path.contains("_bulk") {
        let version = json!({ "number": "7.17.0", "build_flavor": "default", "lucene_version": "8.11.1" });
        let about = json!({ "name": "n", "cluster_name": "c", "version": version, "tagline": "You Know, for Search" });
        return (200, PRODUCT, about.to_string());
    }
    let mut index = index.lock().unwrap();
    let mut items = Vec::new();
    // omelasticsearch ends with an empty line, which Elasticsearch passes over too.
    let mut lines = request.text().lines().filter(|line| !line.is_empty());
    while let Some(action) = lines.next() {
        let action: Value = serde_json::from_str(action).unwrap();
        let (name, about) = action.as_object().unwrap().iter().next().unwrap();
        assert_eq!(name, "create");
        let document: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        let id = about["_id"].as_str().unwrap().to_owned();
        let (status, error) = if index.contains_key(&id) {
            (409, "version_conflict_engine_exception")
        } else if document.to_string().contains("refuse-me") {
            (400, "document_parsing_exception")
        } else {
            index.insert(id.clone(), document);
            (201, "")
        };
        let mut item = json!({ "_index": "i", "_id": id, "status": status });
        if !error.is_empty() {
            item["error"] = json!({ "type": error, "reason": "as the test wants it" });
        }
        items.push(json!({ "create": item }));
    }
    let errors = items.iter().any(|item| item["create"]["status"] != 201);
    (200, PRODUCT, json!({ "took": 1, "errors": errors, "items": items }).to_string())
}

fn server() -> (Server, Index) {
    let index = Index::default();
    let kept = index.clone();
    (Server::start(move |request| elastic(request, &kept)), index)
}

pub fn sink(port: u16, more: &str) -> String {
    format!(
        "[[sink]]\nname = \"es\"\nkind = \"elasticsearch\"\nurl = \"http://127.0.0.1:{port}\"\npause = \"1ms\"\n{more}\n"
    )
}

/// The official Python client writes twice, and understands that the second time nothing was written.
const PYTHON: &str = r#"
import sys
from elasticsearch import Elasticsearch, helpers
es = Elasticsearch(["http://127.0.0.1:" + sys.argv[1]])
actions = lambda: [{"_op_type": "create", "_index": "i", "_id": str(n), "text": text}
                   for n, text in enumerate(["plain", "\u00e9 \" \n", "refuse-me"])]
done, errors = helpers.bulk(es, actions(), raise_on_error=False)
print(done, [error["create"]["status"] for error in errors])
done, errors = helpers.bulk(es, actions(), raise_on_error=False)
print(done, [error["create"]["status"] for error in errors])
"#;

pub fn server_is_good_enough_for_foreign_clients() {
    let (server, index) = server();
    let said = run(Command::new("/usr/bin/python3").args(["-W", "ignore", "-c", PYTHON, &server.port.to_string()]));
    assert_eq!(said, "2 [400]\n0 [409, 409, 400]\n");
    assert_eq!(index.lock().unwrap()["1"]["text"], "\u{e9} \" \n");

    let (server, index) = self::server();
    let bench = Bench::new(&[3]);
    let settings = format!(
        r#"module(load="imtcp")
        module(load="omelasticsearch")
        template(name="id" type="string" string="%msg:F,58:2%")
        template(name="document" type="list" option.jsonf="on") {{ property(outname="message" name="msg" format="jsonf") }}
        action(type="omelasticsearch" server="127.0.0.1" serverport="{}" searchIndex="i" searchType="" bulkmode="on"
               template="document" bulkid="id" dynbulkid="on" writeoperation="create")"#,
        server.port
    );
    let rsyslog = Rsyslog::start(bench.dir.path(), &settings, 0);
    let frame = |text: &str| format!("{} {text}", text.len());
    let messages: Vec<String> =
        (1..=3).map(|n| frame(&format!("<13>1 2026-11-22T00:00:00Z h a - - - number:{n}:é \"x\""))).collect();
    std::io::Write::write_all(
        &mut std::net::TcpStream::connect(("127.0.0.1", rsyslog.port)).unwrap(),
        messages.concat().as_bytes(),
    )
    .unwrap();
    wait_until("omelasticsearch writing", || index.lock().unwrap().len() == 3);
    assert_eq!(index.lock().unwrap()["2"]["message"], "number:2:é \"x\"");
}

pub fn each_event_once() {
    for (name, encoding) in [("ecs", Encoding::Ecs), ("ocsf", Encoding::Ocsf), ("json", Encoding::Json)] {
        let (server, index) = server();
        let bench = bench();
        let sink = sink(server.port, &format!("encoding = \"{name}\"\nbatch = 1000"));
        bench.must_ship(&sink);
        assert!(bench.took_all("es"));
        let expected: BTreeMap<String, Value> = bench
            .events
            .iter()
            .map(|event| (event.id.clone(), serde_json::from_str(&encode(event, encoding).unwrap()).unwrap()))
            .collect();
        assert_eq!(*index.lock().unwrap(), expected);
        let requests = server.requests();
        assert!(requests.len() > 1, "in batches");
        assert!(requests.iter().all(|request| request.path == "/logs-sshproof-default/_bulk"));
        assert!(requests.iter().all(|request| request.header("content-type") == "application/x-ndjson"));
        // All of it once more: 409 is as good as 201.
        let output = bench.command(&sink).args(["--sink", "es", "--from", "7:1"]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(*index.lock().unwrap(), expected);
    }
}

/// Killed at each step towards the receiver and back, then once more unhurt: each event is there, and none twice.
pub fn survives_kills() {
    let mut kills = 0;
    for call in ["connect", "sendto", "recvfrom", "fsync", "rename"] {
        for when in 1..8 {
            let (server, index) = server();
            let bench = Bench::new(&[2, 2]);
            let sinks = sink(server.port, "batch = 1");
            let plain = bench.command(&sinks);
            let killed = Command::new("strace")
                .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")])
                .args(["-e", &format!("inject={call}:signal=SIGKILL:when={when}")])
                .arg(plain.get_program())
                .args(plain.get_args())
                .output()
                .unwrap();
            if killed.status.code() == Some(0) {
                break;
            }
            kills += 1;
            bench.must_ship(&sinks);
            assert!(bench.took_all("es"));
            assert_eq!(index.lock().unwrap().len(), bench.events.len(), "{call} number {when}");
        }
    }
    assert!(kills > 6, "only {kills} kills");
    println!("killed {kills} times");
}

/// Answers that are none of "yes": what each of them does to the events.
pub fn every_answer_is_understood() {
    // Refused for good: a dead letter with the server's words; the others arrive.
    let (server, index) = server();
    let bench = Bench::with(&[4, 4], &["fine", "refuse-me"]);
    bench.must_ship(&sink(server.port, ""));
    assert!(bench.took_all("es"));
    assert_eq!(index.lock().unwrap().len(), 4);
    let letters = bench.dead_letters();
    assert_eq!(letters.len(), 4);
    assert!(letters.iter().all(|letter| letter.contains("document_parsing_exception")), "{letters:?}");

    // Too large at once: by halves. One event that is too large alone is a dead letter.
    let kept = Index::default();
    let index = kept.clone();
    let server = Server::start(move |request| match request.body.len() {
        0..30_000 => elastic(request, &kept),
        _ => (413, "", String::new()),
    });
    let bench = Bench::with(&[20], &["x", &"y".repeat(12_000), "z"]);
    bench.must_ship(&sink(server.port, ""));
    assert_eq!((index.lock().unwrap().len(), bench.dead_letters().len()), (20, 0));
    let bench = Bench::with(&[3], &["x", &"y".repeat(40_000)]);
    bench.must_ship(&sink(server.port, ""));
    let letters = bench.dead_letters();
    assert!(letters.len() == 1 && letters[0].contains("status 413"), "{letters:?}");

    // Too busy for one event of the two, then for all: both are offered again, after the pause that was asked for.
    let kept = Index::default();
    let index = kept.clone();
    let round = Mutex::new(0);
    let server = Server::start(move |request| {
        let mut round = round.lock().unwrap();
        *round += 1;
        match *round {
            1 => {
                let items = r#"{"create":{"status":429,"error":{"type":"es_rejected_execution_exception"}}}"#;
                (200, "", format!(r#"{{"errors":true,"items":[{items},{{"create":{{"status":409}}}}]}}"#))
            }
            2 => (503, "retry-after: 1\r\n", String::new()),
            _ => elastic(request, &kept),
        }
    });
    let bench = Bench::new(&[2]);
    let begun = std::time::Instant::now();
    bench.must_ship(&sink(server.port, ""));
    assert!(begun.elapsed().as_millis() >= 1000, "it did not wait");
    assert_eq!(index.lock().unwrap().keys().collect::<Vec<_>>(), [&bench.events[0].id], "the other was there already");

    // Nobody's fault but the administrator's: it stays in the spool, and is told.
    let cases = [
        (401, "", "{\"error\":\"no such key\"}", "status 401: {"),
        (200, "", "<html>Welcome</html>", "not that of _bulk"),
        (200, "", "{\"errors\":false,\"items\":[]}", "an answer about 0 events where 2 were sent"),
        (302, "location: http://127.0.0.1:1/\r\n", "", "status 302"),
        (503, "retry-after: 600\r\n", "", "status 503"),
    ];
    for (status, headers, body, expected) in cases {
        let server = Server::start(move |_| (status, headers, body.to_owned()));
        let bench = Bench::new(&[2]);
        let output = bench.ship(&sink(server.port, ""));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{expected}: {said}");
        assert!(said.contains("not delivered, kept in the spool") && said.contains(expected), "{expected}: {said}");
        assert!(!bench.took_all("es") && bench.dead_letters().is_empty());
        assert_eq!(server.requests().len(), 1, "{expected}: it was not asked again at once");
    }
}
