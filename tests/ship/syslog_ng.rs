//! A real syslog-ng with OpenSSL. Its package conflicts with rsyslog's, so it is unpacked beside the system, not installed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sshproof::render::event::Encoding;

use super::bench::{Bench, encoded, read, wait_until};
use super::certificates::Authority;
use super::common::root::{run, scratch};
use super::rsyslog::{bench, sink};
use super::tls::{authority, client};

/// What it needs that a small system lacks.
const PACKAGES: [&str; 6] = ["syslog-ng-core", "libivykis0", "libnet1", "libjson-c5", "libwrap0", "libpcre3"];

/// The unpacked packages, fetched once for all tests of this checkout.
fn unpacked() -> PathBuf {
    let dir = scratch().join("syslog-ng");
    let lock = std::fs::File::create(scratch().join("lock-syslog-ng")).unwrap();
    let _held = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive).map_err(|(_, e)| e).unwrap();
    if !dir.exists() {
        let fresh = scratch().join("syslog-ng.fresh");
        let _ = std::fs::remove_dir_all(&fresh);
        std::fs::create_dir(&fresh).unwrap();
        run(Command::new("apt-get")
            .args(["--quiet=2", "-o", "APT::Sandbox::User=root", "download"])
            .args(PACKAGES)
            .current_dir(&fresh));
        for entry in std::fs::read_dir(&fresh).unwrap() {
            run(Command::new("dpkg-deb").arg("--extract").arg(entry.unwrap().path()).arg(fresh.join("root")));
        }
        std::fs::rename(&fresh, &dir).unwrap();
    }
    dir.join("root")
}

/// syslog-ng with these arguments.
pub fn program() -> Command {
    let root = unpacked();
    let libraries = ["usr/lib/syslog-ng", "usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];
    let libraries: Vec<String> = libraries.iter().map(|dir| root.join(dir).display().to_string()).collect();
    let mut command = Command::new(root.join("usr/sbin/syslog-ng"));
    command.env("LD_LIBRARY_PATH", libraries.join(":"));
    command.arg(format!("--module-path={}", root.join("usr/lib/syslog-ng/3.38").display()));
    command
}

pub struct SyslogNg {
    child: Child,
    dir: PathBuf,
    port: u16,
}

impl SyslogNg {
    /// One with this certificate, which admits `node1`.
    fn start(dir: &Path, authority: &Authority, certificate: &str) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            r#"@version: 3.38
            options {{ keep-hostname(yes); log-msg-size(131072); stats-freq(0); }};
            source s {{
                syslog(ip("127.0.0.1") port({port}) transport("tls") tls(
                    ca-file("{ca}") cert-file("{certificate}") key-file("{key}")
                    peer-verify(required-trusted) trusted-dn("CN=node1")));
            }};
            destination messages {{ file("{dir}/messages" template("$MESSAGE\n")); }};
            destination headers {{ file("{dir}/headers" template("$PRI $ISODATE $HOST $PROGRAM $MSGID $SDATA\n")); }};
            log {{ source(s); destination(messages); destination(headers); }};
            "#,
            ca = authority.path("ca.pem").display(),
            certificate = authority.path(&format!("{certificate}.pem")).display(),
            key = authority.path(&format!("{certificate}.key")).display(),
            dir = dir.display(),
        );
        Self::with(dir, &config, port)
    }

    /// One with this configuration, which listens on `port`.
    pub fn with(dir: &Path, config: &str, port: u16) -> Self {
        std::fs::write(dir.join("syslog-ng.conf"), config).unwrap();
        let file = |name: &str| dir.join(name).into_os_string();
        let child = program()
            .args(["--foreground", "--stderr", "--no-caps"])
            .args(["-f".into(), file("syslog-ng.conf"), "-R".into(), file("persist")])
            .args(["-c".into(), file("control"), "-p".into(), file("pid")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(dir.join("complained")).unwrap())
            .spawn()
            .unwrap();
        let mut it = Self { child, dir: dir.to_owned(), port };
        wait_until("syslog-ng listening", || {
            assert!(it.child.try_wait().unwrap().is_none(), "{}", read(&it.dir.join("complained")));
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        it
    }

    fn messages(&self) -> String {
        read(&self.dir.join("messages"))
    }

    fn wait_for(&self, lines: &str) {
        wait_until("the arrival of all messages", || self.messages().len() >= lines.len());
        let got = self.messages();
        let differs = got.lines().zip(lines.lines()).find(|(got, sent)| got != sent);
        assert!(got == lines, "{differs:?}\n{}", read(&self.dir.join("complained")));
    }
}

impl Drop for SyslogNg {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn gets_each_byte() {
    let bench = bench();
    let authority = authority(&bench, "ca");
    let receiver = SyslogNg::start(bench.dir.path(), &authority, "loghost");
    bench.must_ship(&sink(receiver.port, &client(&authority, &authority, "node1")));
    receiver.wait_for(&encoded(&bench.events, Encoding::Json));
    assert!(bench.took_all("siem"));
    let headers = read(&bench.path("headers"));
    assert!(
        headers.starts_with("84 2027-01-15T08:00:01+00:00 node1 sshproof spool [sshproof@32473 ")
            && headers.contains("epoch=\"7\"")
            && headers.contains("id=\"00000000000000000000000001\""),
        "{headers}"
    );
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
        let receiver = SyslogNg::start(&dir, &ours, certificate);
        for _ in 0..3 {
            let output = bench.ship(&sink(receiver.port, &client));
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{case}: {said}\n{}", read(&dir.join("complained")));
            assert!(said.contains("sink siem: not delivered, kept in the spool: "), "{case}: {said}");
            println!("{case}: {}", said.trim());
        }
        assert_eq!(receiver.messages(), "", "{case}");
        assert!(!bench.took_all("siem"), "{case}");
    }
}
