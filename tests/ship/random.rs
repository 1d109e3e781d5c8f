//! The receiver is stopped, killed and restarted while events are on their way to it.

use std::collections::BTreeSet;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::bench::{Bench, wait_until};
use super::rsyslog::{Rsyslog, sink};

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A small generator with a seed that a failure names (xorshift64*, Vigna 2016).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }

    fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap()
    }
}

pub fn receiver_killed() {
    let (events, rounds) = (setting("SSHPROOF_SHIP_EVENTS", 200), setting("SSHPROOF_SHIP_ROUNDS", 2));
    for round in 0..rounds {
        let seed = 0x5eed_0000 + round as u64;
        one_round(events, seed);
    }
}

fn one_round(events: usize, seed: u64) {
    let mut random = Random(seed);
    let mut lengths = Vec::new();
    while lengths.iter().sum::<usize>() < events {
        lengths.push(1 + random.index(9));
    }
    let bench = Bench::with(&lengths, &["x", &"long ".repeat(2000)]);
    let mut rsyslog = Rsyslog::tcp(bench.dir.path());
    let sinks = sink(rsyslog.port, "timeout = \"300ms\"\npause = \"1ms\"\nbatch = 20000");
    let (mut failures, mut hurts) = (0, 0);
    while !bench.took_all("siem") {
        let mut shipper = bench.command(&sinks).stderr(std::process::Stdio::null()).spawn().unwrap();
        while shipper.try_wait().unwrap().is_none() && hurts < events / 10 {
            std::thread::sleep(Duration::from_millis(random.below(400)));
            hurts += 1;
            let signal = [Signal::SIGSTOP, Signal::SIGKILL, Signal::SIGKILL, Signal::SIGTERM][random.index(4)];
            rsyslog.signal(signal);
            std::thread::sleep(Duration::from_millis(random.below(400)));
            if signal == Signal::SIGSTOP {
                rsyslog.signal(Signal::SIGCONT);
            } else {
                rsyslog = rsyslog.restart();
            }
        }
        failures += usize::from(!shipper.wait().unwrap().success());
    }
    std::thread::sleep(Duration::from_millis(500));
    // What it had in its memory when it was killed it has lost; the row shows that, and it is sent again.
    let mut again = 0;
    while let Some(missing) = first_missing(&bench, &rsyslog) {
        again += 1;
        assert!(again < 20, "seed {seed:#x}: {missing} stays missing");
        let from = format!("7:{missing}");
        let output = bench.command(&sinks).args(["--sink", "siem", "--from", &from]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "seed {seed:#x}: {output:?}");
        std::thread::sleep(Duration::from_millis(500));
    }
    let lines: BTreeSet<String> = whole_lines(&rsyslog).into_iter().collect();
    assert_eq!(lines.len(), bench.events.len(), "seed {seed:#x}: one line for each id, however often it came");
    println!(
        "seed {seed:#x}: {} events, {hurts} blows, {failures} failed deliveries, {again} asked for again",
        lines.len()
    );
}

/// A receiver that has read everything, so that it counts as delivered, and dies with it in its memory. The next events
/// show the gap, and what is missing is sent again.
pub fn lost_queue() {
    let mut bench = Bench::new(&[2, 3]);
    let slow = "main_queue(queue.type=\"LinkedList\" queue.dequeueBatchSize=\"1\" queue.dequeueSlowdown=\"5000000\")\nmodule(load=\"imtcp\")";
    let rsyslog = Rsyslog::start(bench.dir.path(), slow, 0);
    let sinks = sink(rsyslog.port, "");
    bench.must_ship(&sinks);
    assert!(bench.took_all("siem"));
    rsyslog.signal(Signal::SIGKILL);
    let before = whole_lines(&rsyslog).len();
    assert!(before < bench.events.len(), "it was faster than we wanted");
    drop(rsyslog);

    let rsyslog = Rsyslog::tcp(bench.dir.path());
    let sinks = sinks
        .lines()
        .map(|line| if line.starts_with("port") { format!("port = {}", rsyslog.port) } else { line.to_owned() });
    let sinks: String = sinks.collect::<Vec<_>>().join("\n");
    bench.append(&[1], &["x"]);
    bench.must_ship(&sinks);
    wait_until("the arrival of the next event", || whole_lines(&rsyslog).len() > before);
    let missing = first_missing(&bench, &rsyslog).expect("the gap is seen");
    assert_eq!(missing, before as u64 + 1);
    let again = bench.command(&sinks).args(["--sink", "siem", "--from", &format!("7:{missing}")]).output().unwrap();
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    wait_until("the arrival of what was missing", || first_missing(&bench, &rsyslog).is_none());
}

/// Lines that the receiver wrote to their end: a killed one may have left half of one.
fn whole_lines(rsyslog: &Rsyslog) -> Vec<String> {
    rsyslog.messages().lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).map(str::to_owned).collect()
}

/// The first event that `fleet verify` says, or the end of the row shows, is missing.
fn first_missing(bench: &Bench, rsyslog: &Rsyslog) -> Option<u64> {
    let mut lines = whole_lines(rsyslog);
    // In the order of their numbers: that they came in another is known.
    lines.sort_by_key(|line| serde_json::from_str::<Value>(line).unwrap()["chain"]["seq"].as_u64());
    if lines.is_empty() {
        return Some(1);
    }
    let (_, text) = bench.verify(&lines);
    assert!(!text.contains("not what the node signed") && !text.contains("two histories"), "{text}");
    let seq = |line: &str| serde_json::from_str::<Value>(line).unwrap()["chain"]["seq"].as_u64().unwrap();
    let gap = text.lines().find(|line| line.ends_with("  missing")).map(|line| {
        let numbers = line.split_whitespace().nth(2).unwrap().split(':').nth(1).unwrap();
        numbers.split('-').next().unwrap().parse().unwrap()
    });
    let (first, last) = (seq(&lines[0]), seq(lines.last().unwrap()));
    if first > 1 {
        return Some(1);
    }
    gap.or_else(|| (last < bench.events.len() as u64).then_some(last + 1))
}
