//! What must not leave the host is planted wherever a report can hold it, and looked for in whatever leaves.

use sshproof::model::event::Event;
use sshproof::model::{Evidence, RootedPath, Subject};
use sshproof::render::event::{Encoding, encode};

use super::world;

/// Account names, a key's comment, the text of lines, client addresses, messages: each begins with one of these.
const PLANTED: [&str; 5] = ["planted", "198.51.100", "2001:db8:77", "706c616e746564", "UGxhbnRlZA"];

fn leaks(events: &[Event]) -> Vec<String> {
    let mut leaks = Vec::new();
    for event in events {
        for encoding in Encoding::ALL {
            let line = encode(event, encoding).unwrap();
            for word in PLANTED {
                if line.contains(word) {
                    leaks.push(format!("{encoding:?} holds {word}: {line}"));
                }
            }
        }
    }
    leaks
}

pub fn nothing_planted_leaves() {
    let events = world::events();
    let leaks = leaks(&events);
    assert!(leaks.is_empty(), "{} leaks, first: {}", leaks.len(), leaks[0]);
    // ... while the names are there as pseudonyms: the same name the same in every event.
    let pseudonym = world::names().name("plantedway");
    let told = events.iter().filter(|event| encode(event, Encoding::Json).unwrap().contains(&pseudonym)).count();
    assert!(told > 100, "only {told} events name the account of the counterexample");
}

/// A search that finds nothing anywhere would make the test above worthless.
pub fn the_search_finds() {
    let mut event = world::events().remove(0);
    event.node.os = "planted".into();
    assert_eq!(leaks(&[event]).len(), 3, "each vocabulary but CEF, which has no field for it");
}

pub fn lines_are_printable() {
    for event in world::events() {
        for encoding in Encoding::ALL {
            let line = encode(&event, encoding).unwrap();
            let raw = line.chars().find(|c| c.is_control() || sshproof::model::text::is_deceptive(*c));
            assert_eq!(raw, None, "{encoding:?}: {line}");
        }
    }
}

/// Whoever chooses names must not be able to make an event that no receiver takes.
pub fn no_name_is_too_long() {
    let mut report = world::report();
    let long = |byte: u8| RootedPath::new([b"/".as_slice(), &vec![byte; 4000]].concat()).unwrap();
    let text = "\\\\".repeat(4000);
    for result in &mut report.results {
        result.findings.truncate(10);
    }
    for finding in report.results.iter_mut().flat_map(|result| &mut result.findings) {
        finding.subject = Subject::file(&long(0xff));
        let symbol = |byte| Evidence::Symbol { path: long(byte), name: text.clone(), detail: text.clone() };
        finding.evidence = (1..51).map(symbol).collect();
    }
    let events = world::scan(&report, &mut world::ledger(), None);
    assert!(events.len() > 50);
    for event in events {
        for encoding in Encoding::ALL {
            let line = encode(&event, encoding).unwrap();
            let frame = sshproof::ship::syslog::frame(&event, &line, 10, 32473);
            assert!(frame.len() <= 8192, "{encoding:?}: {} bytes: {line}", frame.len());
        }
    }
}
