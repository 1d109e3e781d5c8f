//! rsyslog with GnuTLS, which wants a certificate of its clients.

use sshproof::render::event::Encoding;

use super::bench::{Bench, encoded};
use super::certificates::Authority;
use super::rsyslog::{Rsyslog, bench, sink};

/// Settings of a receiver with this certificate, which admits `node1`.
fn receiver(authority: &Authority, certificate: &str) -> String {
    format!(
        r#"
        global(defaultNetstreamDriverCAFile="{ca}"
               defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}")
        module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/name"
               permittedPeer=["node1"])
        "#,
        ca = authority.path("ca.pem").display(),
        certificate = authority.path(&format!("{certificate}.pem")).display(),
        key = authority.path(&format!("{certificate}.key")).display(),
    )
}

/// What a client of this name says in `ship.toml`; nothing of itself for an empty name.
pub fn client(authority: &Authority, ca: &Authority, name: &str) -> String {
    let mut text =
        format!("tls = true\nserver-name = \"loghost\"\ntimeout = \"5s\"\nca = \"{}\"\n", ca.path("ca.pem").display());
    if !name.is_empty() {
        for (key, end) in [("certificate", "pem"), ("key", "key")] {
            text += &format!("{key} = \"{}\"\n", authority.path(&format!("{name}.{end}")).display());
        }
    }
    text
}

pub fn authority(bench: &Bench, name: &str) -> Authority {
    let authority = Authority::new(&bench.path(name));
    for host in ["loghost", "node1", "node2"] {
        authority.issue(host, 2);
    }
    authority
}

pub fn gets_each_byte() {
    let bench = bench();
    let authority = authority(&bench, "ca");
    let rsyslog = Rsyslog::start(bench.dir.path(), &receiver(&authority, "loghost"), 0);
    bench.must_ship(&sink(rsyslog.port, &client(&authority, &authority, "node1")));
    rsyslog.wait_for(&encoded(&bench.events, Encoding::Json));
    assert!(bench.took_all("siem"));
    assert!(!rsyslog.complaints().contains("-110"), "closed without an alert: {}", rsyslog.complaints());
}

pub fn refusals_keep_the_event() {
    let bench = Bench::new(&[2, 1]);
    let ours = authority(&bench, "ours");
    let theirs = authority(&bench, "theirs");
    ours.issue("old", 0);
    let good = client(&ours, &ours, "node1");
    let cases: [(&str, &str, String); 6] = [
        ("wrong CA", "loghost", client(&ours, &theirs, "node1")),
        ("wrong name", "node2", good.clone()),
        ("expired", "old", good.replace("\"loghost\"", "\"old\"")),
        ("no client certificate", "loghost", client(&ours, &ours, "")),
        ("client that is not permitted", "loghost", client(&ours, &ours, "node2")),
        ("client of another CA", "loghost", client(&theirs, &ours, "node1")),
    ];
    for (case, certificate, client) in cases {
        let dir = bench.path(&case.replace(' ', "-"));
        std::fs::create_dir(&dir).unwrap();
        let rsyslog = Rsyslog::start(&dir, &receiver(&ours, certificate), 0);
        // More than once: what depends on who is faster must not depend on it.
        for _ in 0..5 {
            let output = bench.ship(&sink(rsyslog.port, &client));
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{case}: {said}\n{}", rsyslog.complaints());
            assert!(said.contains("sink siem: not delivered, kept in the spool: "), "{case}: {said}");
            println!("{case}: {}", said.trim());
        }
        assert_eq!(rsyslog.messages(), "", "{case}");
        assert!(!bench.took_all("siem"), "{case}");
    }
    let rsyslog = Rsyslog::start(bench.dir.path(), &receiver(&ours, "loghost"), 0);
    bench.must_ship(&sink(rsyslog.port, &good));
    rsyslog.wait_for(&encoded(&bench.events, Encoding::Json));
}
