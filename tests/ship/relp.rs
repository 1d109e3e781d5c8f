//! rsyslog's RELP, which acknowledges each message; and receivers that do not.

use std::io::{Read, Write};
use std::net::TcpListener;

use sshproof::render::event::Encoding;

use super::bench::{Bench, encoded};
use super::rsyslog::{Rsyslog, bench, sink};
use super::tls::{authority, client};

fn relp(port: u16, more: &str) -> String {
    sink(port, more).replace("kind = \"syslog\"", "kind = \"relp\"")
}

pub fn gets_each_byte() {
    let bench = bench();
    let rsyslog = Rsyslog::relp(bench.dir.path(), "");
    bench.must_ship(&relp(rsyslog.port, ""));
    rsyslog.wait_for(&encoded(&bench.events, Encoding::Json));
    assert!(bench.took_all("siem"));
    // More than a window full.
    let many = Bench::new(&[300]);
    let dir = many.path("second");
    std::fs::create_dir(&dir).unwrap();
    let rsyslog = Rsyslog::relp(&dir, "");
    many.must_ship(&relp(rsyslog.port, ""));
    rsyslog.wait_for(&encoded(&many.events, Encoding::Json));
}

pub fn over_tls() {
    let bench = Bench::new(&[2, 1]);
    let authority = authority(&bench, "ca");
    let path = |name: &str| authority.path(name).display().to_string();
    let tls = format!(
        "tls=\"on\" tls.authMode=\"name\" tls.permittedPeer=[\"node1\"] tls.caCert=\"{}\" tls.myCert=\"{}\" tls.myPrivKey=\"{}\"",
        path("ca.pem"),
        path("loghost.pem"),
        path("loghost.key")
    );
    let rsyslog = Rsyslog::relp(bench.dir.path(), &tls);
    for name in ["", "node2"] {
        let output = bench.ship(&relp(rsyslog.port, &client(&authority, &authority, name)));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "`{name}`: {said}");
        assert!(said.contains("not delivered, kept in the spool"), "{said}");
        assert_eq!(rsyslog.messages(), "");
    }
    bench.must_ship(&relp(rsyslog.port, &client(&authority, &authority, "node1")));
    rsyslog.wait_for(&encoded(&bench.events, Encoding::Json));
}

/// Receivers that refuse, answer something else, stop in the middle, or do not speak RELP.
pub fn takes_nothing_for_granted() {
    let cases = [
        ("1 rsp 6 200 OK\n2 rsp 10 500 error!\n", "the receiver says 500 error!"),
        ("1 rsp 6 200 OK\n2 rsp 6 200 OK\n", "not acknowledged"),
        ("1 rsp 6 200 OK\n3 rsp 6 200 OK\n", "answer 3 rsp where that to 2 was due"),
        ("1 rsp 6 200 OK\n0 serverclose 0\n", "the receiver closes the session"),
        ("220 mail.example.org ESMTP\n", "not RELP"),
        ("1 rsp 999999999 x\n", "not RELP"),
        ("", "not acknowledged"),
    ];
    for (answers, expected) in cases {
        let bench = Bench::new(&[2]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let receiver = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut some = [0; 16];
            socket.read_exact(&mut some).unwrap();
            socket.write_all(answers.as_bytes()).unwrap();
            let mut rest = Vec::new();
            socket.set_read_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
            let _ = socket.read_to_end(&mut rest);
        });
        let output = bench.ship(&relp(port, "timeout = \"1s\""));
        receiver.join().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{answers}: {said}");
        assert!(said.contains(expected), "{answers}: {said}");
        assert!(!bench.took_all("siem"));
    }
}
