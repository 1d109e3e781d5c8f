//! A day of a fleet through one shipper host: `cargo bench --bench ship`. `SSHPROOF_BENCH_NODES` asks for another number of nodes
//! than 10,000.
//!
//! Each node scans once an hour and is clean but for three findings of its first scan, which are closed by the second: 30 signed events
//! in 24 records, all in one spool, as a relay would have them. `ship --once` then brings them to a file, to syslog over TCP, and to `_bulk`. Time is that of
//! the wall, memory the most that the shipper held.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, reason = "a bench prints")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use sshproof::model::report::Report;
use sshproof::own::spool::{RecordName, Spool};
use sshproof::render::event::{Encoding, encode};
use sshproof::ship::{self, Ledger, Occasion, Pseudonyms};
use sshproof::trust::chain::NodeKey;

/// Scans of a node in a day.
const SCANS: u64 = 24;

fn main() {
    // `cargo test --benches` and `cargo clippy` build us; only `cargo bench` wants figures.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let nodes = std::env::var("SSHPROOF_BENCH_NODES").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let dir = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let (events, bytes) = fill(&dir.path().join("spool"), nodes);
    println!(
        "{nodes} nodes, {events} events, {:.0} bytes each as `json`, {:.0} MB; made and signed in {:.0} s, {:.0} events/s",
        bytes as f64 / events as f64,
        bytes as f64 / 1e6,
        begun.elapsed().as_secs_f64(),
        events as f64 / begun.elapsed().as_secs_f64()
    );
    let out = dir.path().join("out");
    let file = format!("kind = \"file\"\npath = \"{}\"\nrotate-bytes = 100000000000\n", out.display());
    measure(dir.path(), "file", &file, events, || std::fs::metadata(&out).unwrap().len());
    let received = Arc::new(AtomicU64::new(0));
    let port = syslog(&received);
    let syslog = format!("kind = \"syslog\"\nhost = \"127.0.0.1\"\nport = {port}\n");
    measure(dir.path(), "syslog", &(syslog + "pause = \"0s\"\n"), events, || received.swap(0, Ordering::Relaxed));
    let port = bulk(&received);
    let bulk = format!("kind = \"elasticsearch\"\nurl = \"http://127.0.0.1:{port}\"\npause = \"0s\"\n");
    measure(dir.path(), "bulk", &bulk, events, || received.swap(0, Ordering::Relaxed));
}

/// The spool of a day; its events and their bytes. Epochs tell the nodes apart.
fn fill(dir: &Path, nodes: u64) -> (u64, u64) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tampered-binary.report.json");
    let mut found: Report = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    let mut left = 3_usize;
    for result in &mut found.results {
        result.findings.truncate(left);
        left -= result.findings.len();
        // Whoever could not see everything closes nothing.
        result.gaps.clear();
    }
    let mut clean = found.clone();
    clean.results.iter_mut().for_each(|result| result.findings.clear());
    let spool = Spool::create(dir).unwrap();
    let names = Pseudonyms::new([7; 32], []);
    let (mut events, mut bytes) = (0, 0);
    for node in 0..nodes {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&node.to_le_bytes());
        let key = NodeKey::new(&seed);
        let name = format!("node{node:05}");
        let mut ledger = Ledger::new((name.clone(), "/".into()), key.public(), 1_800_000_000 + node);
        for scan in 0..SCANS {
            let mut report = if scan == 0 { found.clone() } else { clean.clone() };
            report.host.name.clone_from(&name);
            report.started.0 = 1_800_000_000 + scan * 3600;
            let occasion = Occasion {
                report: &report,
                boot: "0b6ad0d9-6b3b-4f39-9ae8-8fbbb0f0c8a4",
                nonce: None,
                new_epoch: None,
                spool: Default::default(),
                lost: Vec::new(),
                names: &names,
                quote: None,
            };
            let told = ship::events(&occasion, &mut ledger, &key).unwrap();
            let lines: String = told.iter().map(|event| encode(event, Encoding::Json).unwrap() + "\n").collect();
            let (first, last) = (told[0].chain.seq, told[told.len() - 1].chain.seq);
            let record = RecordName { epoch: ledger.epoch, first, last, rank: 0 };
            // As `Spool::write` names and places it, without its fsync(2): that is the scan's work, not the shipper's.
            std::fs::write(dir.join("records").join(record.to_string()), &lines).unwrap();
            events += told.len() as u64;
            bytes += lines.len() as u64;
        }
    }
    drop(spool);
    (events, bytes)
}

/// Ships everything to one sink.
fn measure(dir: &Path, name: &str, sink: &str, events: u64, received: impl Fn() -> u64) {
    let config = dir.join("ship.toml");
    std::fs::write(&config, format!("[[sink]]\nname = \"{name}\"\n{sink}")).unwrap();
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_sshproof"))
        .args(["-v", "ship", "--once", "--spool"])
        .arg(dir.join("spool"))
        .arg("--config")
        .arg(&config)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The most that it ever held is in its status until somebody has waited for it.
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(peak);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let seconds = begun.elapsed().as_secs_f64();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains(&format!("took {events} events")), "{said}");
    let bytes = received();
    println!(
        "{name}: {seconds:.1} s, {:.0} events/s, at most {:.1} MiB, {:.0} bytes an event on the way",
        events as f64 / seconds,
        f64::from(peak) / 1024.0,
        bytes as f64 / events as f64
    );
}

/// Reads every connection to its end.
fn syslog(received: &Arc<AtomicU64>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let received = received.clone();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            received.fetch_add(std::io::copy(&mut socket, &mut std::io::sink()).unwrap(), Ordering::Relaxed);
        }
    });
    port
}

/// Answers that every event was created.
fn bulk(received: &Arc<AtomicU64>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let received = received.clone();
    std::thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let mut stream = BufReader::new(socket);
            while let Some(length) = content_length(&mut stream) {
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                received.fetch_add(length as u64, Ordering::Relaxed);
                let items = body.iter().filter(|byte| **byte == b'\n').count() / 2;
                let items = vec![r#"{"create":{"status":201}}"#; items].join(",");
                let answer = format!(r#"{{"errors":false,"items":[{items}]}}"#);
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
                stream.get_mut().write_all((head + &answer).as_bytes()).unwrap();
            }
        }
    });
    port
}

/// The head of a request is read over; how long its body is.
fn content_length(stream: &mut impl std::io::BufRead) -> Option<usize> {
    let mut length = 0;
    for line in stream.lines() {
        let line = line.ok()?.to_lowercase();
        if line.is_empty() {
            return Some(length);
        }
        length = line.strip_prefix("content-length:").map_or(Some(length), |text| text.trim().parse().ok())?;
    }
    None
}
