//! A real rsyslogd on a port of the loopback interface, which writes what it got into a file.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sshproof::render::event::Encoding;

use super::bench::{Bench, encoded, read, wait_until};

/// Sixty kilobytes, and everything that some syslog once tripped over.
pub fn systems() -> Vec<String> {
    vec![
        "plain".to_owned(),
        "quotes \" and ' brackets ] [ backslash \\ percent % braces {}".to_owned(),
        "newline \n tab \t return \r escape \u{1b}[31m nothing \0".to_owned(),
        "\u{e9}\u{4e2d}\u{1f600} \u{feff}".to_owned(),
        "k".repeat(60_000),
    ]
}

/// A bench whose events tell of those.
pub fn bench() -> Bench {
    let systems = systems();
    Bench::with(&[2, 3, 1, 4], &systems.iter().map(String::as_str).collect::<Vec<_>>())
}

pub struct Rsyslog {
    child: Child,
    dir: PathBuf,
    settings: String,
    pub port: u16,
}

impl Rsyslog {
    /// One that takes plain TCP.
    pub fn tcp(dir: &Path) -> Self {
        Self::start(dir, "module(load=\"imtcp\")", 0)
    }

    /// One that takes RELP, with these parameters of `imrelp`'s. It cannot choose a port itself.
    pub fn relp(dir: &Path, parameters: &str) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let input =
            format!("input(type=\"imrelp\" port=\"{free}\" address=\"127.0.0.1\" maxDataSize=\"128k\" {parameters})");
        Self::listen(dir, "module(load=\"imrelp\")", &input, free)
    }

    /// One whose `imtcp` is loaded by `settings`, on `port`, or on any that is free.
    pub fn start(dir: &Path, settings: &str, port: u16) -> Self {
        let file = dir.join("port");
        let input = format!(
            "input(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\" listenPortFileName=\"{}\")",
            file.display()
        );
        Self::listen(dir, settings, &input, port)
    }

    fn listen(dir: &Path, settings: &str, input: &str, port: u16) -> Self {
        let port_file = dir.join("port");
        let _ = std::fs::remove_file(&port_file);
        let config = format!(
            r#"
            global(workDirectory="{dir}" maxMessageSize="128k")
            {settings}
            {input}
            template(name="only" type="string" string="%msg%\n")
            template(name="header" type="string" string="%pri% %timereported:::date-rfc3339% %hostname% %app-name% %msgid% %structured-data%\n")
            action(type="omfile" file="{dir}/messages" template="only")
            action(type="omfile" file="{dir}/headers" template="header")
            "#,
            dir = dir.display(),
        );
        Self::run(dir, settings, &config, port)
    }

    /// One with this configuration and nothing else, which listens on `port`.
    pub fn with(dir: &Path, config: &str, port: u16) -> Self {
        Self::run(dir, "", config, port)
    }

    fn run(dir: &Path, settings: &str, config: &str, port: u16) -> Self {
        let port_file = dir.join("port");
        std::fs::write(dir.join("rsyslog.conf"), config).unwrap();
        let child = Command::new("rsyslogd")
            .args(["-n", "-C", "-f"])
            .arg(dir.join("rsyslog.conf"))
            .arg("-iNONE")
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(dir.join("said")).unwrap())
            .stderr(std::fs::File::create(dir.join("complained")).unwrap())
            .spawn()
            .unwrap();
        let mut it = Self { child, dir: dir.to_owned(), settings: settings.to_owned(), port };
        wait_until("rsyslogd listening", || {
            assert!(it.child.try_wait().unwrap().is_none(), "{}", it.complaints());
            // It writes the file only where it chose the port itself.
            match port {
                0 => read(&port_file).trim().parse::<u16>().is_ok_and(|port| port > 0),
                port => std::net::TcpStream::connect(("127.0.0.1", port)).is_ok(),
            }
        });
        if port == 0 {
            it.port = read(&port_file).trim().parse().unwrap();
        }
        it
    }

    /// The same on the same port again, after [`Rsyslog::signal`] ended it.
    pub fn restart(mut self) -> Self {
        let _ = self.child.kill();
        let _ = self.child.wait();
        Self::start(&self.dir.clone(), &self.settings.clone(), self.port)
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    pub fn messages(&self) -> String {
        read(&self.dir.join("messages"))
    }

    pub fn headers(&self) -> String {
        read(&self.dir.join("headers"))
    }

    pub fn complaints(&self) -> String {
        read(&self.dir.join("complained")) + &read(&self.dir.join("said"))
    }

    /// Waits until the messages are exactly these lines.
    pub fn wait_for(&self, lines: &str) {
        wait_until("the arrival of all messages", || self.messages().len() >= lines.len());
        let got = self.messages();
        let differs = got.lines().zip(lines.lines()).find(|(got, sent)| got != sent);
        assert!(got == lines, "{differs:?}\n{}", self.complaints());
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn sink(port: u16, more: &str) -> String {
    format!(
        "[[sink]]\nname = \"siem\"\nkind = \"syslog\"\nhost = \"127.0.0.1\"\nport = {port}\nlongest = 131072\n{more}\n"
    )
}

pub fn tcp_gets_each_byte() {
    for encoding in Encoding::ALL {
        let bench = bench();
        let rsyslog = Rsyslog::tcp(bench.dir.path());
        let name = format!("{encoding:?}").to_lowercase();
        bench.must_ship(&sink(rsyslog.port, &format!("encoding = \"{name}\"")));
        rsyslog.wait_for(&encoded(&bench.events, encoding));
        assert!(bench.took_all("siem"));
        wait_until("the arrival of all headers", || rsyslog.headers().lines().count() == bench.events.len());
        let headers = rsyslog.headers();
        assert_eq!(
            headers.lines().next().unwrap(),
            "84 2027-01-15T08:00:01Z node1 sshproof spool [sshproof@32473 node=\"node1\" epoch=\"7\" seq=\"1\" \
             id=\"00000000000000000000000001\" reason=\"age\"]"
        );
    }
}

pub fn too_long_is_a_dead_letter() {
    let bench = bench();
    let rsyslog = Rsyslog::tcp(bench.dir.path());
    bench.must_ship(&sink(rsyslog.port, "").replace("longest = 131072", "longest = 8192"));
    let short: Vec<_> = bench.events.iter().filter(|event| event.node.os.len() < 8192).cloned().collect();
    rsyslog.wait_for(&encoded(&short, Encoding::Json));
    assert!(bench.took_all("siem"));
    let letters: Vec<String> = std::fs::read_dir(bench.path("spool/ship/dead"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    assert_eq!(letters.len(), bench.events.len() - short.len());
    assert!(letters.iter().all(|letter| letter.contains("`longest` is 8192") && letter.contains("\"seq\":")));
}
