//! Every SSH server of a host is found, whatever it is called and however it was started, and nothing else is taken for
//! one. What cannot be looked at is told.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_names,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::process::{Child, ExitCode, Stdio};
use std::time::{Duration, Instant};

use common::login::{Offer, log_in, two_factor};
use common::mimic::{self, Part, trial};
use common::namespace::Host;
use common::poke::Victim;
use common::report::Scan;
use common::root::Root;
use serde_json::{Value, json};

fn main() -> ExitCode {
    let host = &[Part::Packages, Part::Namespaces];
    let image = &[Part::Packages];
    mimic::run(vec![
        trial("servers_are_found_by_content_with_their_arguments", host, servers_are_found_by_content),
        trial("an_unprivileged_scan_names_what_it_cannot_see", host, an_unprivileged_scan_names_what_it_cannot_see),
        trial("sessions_belong_to_their_listener", host, sessions_belong_to_their_listener),
        trial("a_server_in_another_root_is_not_judged_by_this_one", host, a_server_in_another_root),
        trial("a_server_in_a_container_is_judged_by_its_own_root", host, a_server_in_a_container),
        trial("units_and_drop_ins_of_an_image", image, units_and_drop_ins_of_an_image),
    ])
}

/// Longest wait for something that takes a fraction of a second on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A background process within the host, killed when dropped.
struct Background(Child);

impl Background {
    fn start(host: &Host, uid: u32, command: &[&str]) -> Self {
        let mut command = host.command_as(uid, command);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The servers as the facts hold them.
fn servers(host: &Host) -> (Scan, Vec<Value>) {
    let scan = host.scan(&["--facts-out", "/run/facts.json"]);
    let facts: Value = serde_json::from_str(&host.root().read("/run/facts.json")).unwrap();
    (scan, facts["roots"][0]["servers"].as_array().unwrap().clone())
}

fn by_binary<'a>(servers: &'a [Value], binary: &str) -> &'a Value {
    let mut matching = servers.iter().filter(|server| server["binary"] == binary);
    let found = matching.next().unwrap_or_else(|| panic!("{binary} is not among {servers:#?}"));
    assert!(matching.next().is_none(), "{binary} twice: {servers:#?}");
    found
}

fn servers_are_found_by_content() {
    let root = two_factor();
    let sshd = std::fs::read(root.join("/usr/sbin/sshd")).unwrap();
    for copy in ["/opt/foo", "/opt/mine"] {
        root.write(copy, &sshd);
        root.chmod(copy, 0o755);
    }
    root.write("/opt/other config", "ListenAddress 127.0.0.1\nHostKey /etc/ssh/ssh_host_ed25519_key\n");
    root.chroot(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/opt/key"]);
    root.chown("/opt/key", 65534, 65534);
    let host = Host::boot(root);
    let pid = host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let options = ["-f", "/opt/other config", "-o", "PidFile none", "-oMaxAuthTries=3"];
    let renamed = host.start_sshd(2222, &[], &[&["/opt/foo", "-p", "2222"], options.as_slice()].concat());
    let _mine = Background::start(
        &host,
        65534,
        &["/opt/mine", "-D", "-f", "/dev/null", "-p", "2200", "-h", "/opt/key", "-o", "PidFile=none"],
    );
    let listen =
        "socket(S,2,1,0); setsockopt(S,1,2,1); bind(S,pack('Sna4x8',2,8080,\"\\0\"x4)) or die; listen(S,1); sleep";
    // A process that calls itself sshd and is none.
    let script = format!("$0 = '/usr/sbin/sshd'; {listen}");
    let _other = Background::start(&host, 0, &["perl", "-e", &script]);
    wait_until("all listen", || host.listens(2200) && host.listens(8080));

    let (scan, servers) = servers(&host);
    assert_eq!(servers.len(), 3, "{servers:#?}");
    let package = by_binary(&servers, "/usr/sbin/sshd");
    assert_eq!(package["pids"], json!([pid]));
    assert_eq!(package["started-by"].as_str(), None);
    assert_eq!(package["config"], "/etc/ssh/sshd_config");
    assert_eq!(package["implementation"], "open-ssh");
    assert!(package["version"].as_str().unwrap().starts_with("OpenSSH_"), "{package}");
    assert!(package["started_by"]["unit"].as_str().unwrap().ends_with("/ssh.service"), "{package}");
    assert_eq!(package["sockets"], json!([{"address": "0.0.0.0", "port": 22}, {"address": "::", "port": 22}]));
    let foo = by_binary(&servers, "/opt/foo");
    assert_eq!(foo["pids"], json!([renamed]));
    assert_eq!(foo["config"], "/opt/other config");
    assert_eq!(foo["options"], json!(["PidFile none", "MaxAuthTries=3"]));
    assert_eq!(foo["ports"], json!([2222]));
    assert_eq!(foo["started_by"], "command-line");
    assert_eq!(foo["sockets"], json!([{"address": "127.0.0.1", "port": 2222}]));
    let mine = by_binary(&servers, "/opt/mine");
    assert_eq!((&mine["user_server"], &foo["user_server"]), (&json!(true), &json!(false)));
    assert_eq!(mine["host_keys"], json!(["/opt/key"]));
    assert_eq!(
        (scan.verdict("live"), scan.result("live")["examined"].as_u64()),
        ("pass", Some(2)),
        "{}",
        scan.troubles()
    );
}

fn an_unprivileged_scan_names_what_it_cannot_see() {
    let host = Host::boot(two_factor());
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let scan = host.scan_as(1000, &[]);
    assert_eq!(scan.verdict("live"), "inconclusive", "{}", scan.troubles());
    for check in ["live", "login"] {
        let gaps = scan.mandatory_gaps(check);
        for socket in ["`0.0.0.0:22`", "`[::]:22`"] {
            let naming = gaps.iter().filter(|gap| gap["reason"].as_str().unwrap().contains(socket)).count();
            assert_eq!(naming, 1, "{check}, {socket}: {}", scan.troubles());
        }
    }
    assert!(scan.findings("live").is_empty(), "{}", scan.troubles());
    assert!(!scan.stderr.contains("panicked"), "{}", scan.stderr);
}

/// One session, and three connections that have not authenticated: each of those is a monitor and its child in an empty
/// chroot. All belong to the listener, all execute what lies on disk.
fn sessions_belong_to_their_listener() {
    let host = Host::boot(two_factor());
    let listener = host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let connect = "for (1..3) { socket(my $s,2,1,0); connect($s,pack('SnC4x8',2,22,127,0,0,1)) or die; push @s,$s; \
                   syswrite($s,\"SSH-2.0-test\\r\\n\") } sleep";
    let _half_open = Background::start(&host, 0, &["perl", "-e", connect]);
    std::thread::scope(|scope| {
        // The session ends by itself, so that a failed assertion does not wait for it; else it is woken.
        let session = "sleep 61 & echo $! > /tmp/sleeper; wait; true";
        let login = scope.spawn(|| log_in(&host, 22, Offer::KeyAndCode, session));
        wait_until("three half-open connections", || in_proc(&host, b"[net]") == 3);
        wait_until("a session", || in_proc(&host, b"sleep\x0061\0") == 1);
        let (scan, servers) = servers(&host);
        let server = by_binary(&servers, "/usr/sbin/sshd");
        assert_eq!(server["pids"][0], listener);
        // Each of the four connections: the monitor, and its child for the network or the user.
        assert_eq!(server["pids"].as_array().unwrap().len(), 1 + 2 * 4, "{server:#?}");
        assert_eq!(scan.verdict("live"), "pass", "{}", scan.troubles());
        assert_eq!(scan.result("live")["examined"], 9);
        host.must(&["sh", "-c", "kill $(cat /tmp/sleeper)"]);
        assert!(login.join().unwrap().status.success());
    });
}

/// How often this stands in the command lines of the host's processes.
fn in_proc(host: &Host, text: &[u8]) -> usize {
    let all = host.run(&["sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null"]).stdout;
    all.windows(text.len()).filter(|window| *window == text).count()
}

/// Starts what its first argument names as the top of a mount and a process namespace of its own, as container engines do.
const CONTAINER: &str = "mount --bind \"$0\" \"$0\"; mount -t proc proc \"$0/proc\"; mount --rbind /dev \"$0/dev\"; \
                         mkdir -p \"$0/run/sshd\"; cd \"$0\"; pivot_root . mnt; cd /; umount -l /mnt; \
                         exec /usr/sbin/sshd -D -p 2222 -o PidFile=none >/dev/null 2>&1";

/// A root of its own packages: what they record of its sshd is not what the host's record of theirs.
fn a_server_in_a_container() {
    let (root, inner) = (two_factor(), two_factor());
    let sum = |root: &Root| root.chroot(&["md5sum", "/usr/sbin/sshd"]).split(' ').next().unwrap().to_owned();
    let before = sum(&inner);
    inner.flip_in("/usr/sbin/sshd", "usage: sshd");
    inner.replace("/var/lib/dpkg/info/openssh-server.md5sums", &before, &sum(&inner));
    std::fs::rename(inner.path(), root.path().join("srv/inner")).unwrap();
    let host = Host::boot(root);
    let own = host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let start = format!("unshare -mp --fork sh -c '{CONTAINER}' /srv/inner >/dev/null 2>&1 &");
    let contained = host.start_sshd(2222, &[], &["sh", "-c", &start]);
    let (scan, known) = servers(&host);
    scan.assert_clean();
    assert_eq!((known.len(), &known[0]["pids"]), (1, &json!([own])), "{known:#?}");
    let told: Vec<&Value> = scan.report["servers"].as_array().unwrap().iter().collect();
    let inside = told.iter().find(|server| server["pids"] == json!([contained])).unwrap();
    assert_eq!(inside["binary"], format!("/proc/{contained}/root/usr/sbin/sshd"));
    assert!(inside["label"].as_str().unwrap().contains(":2222 in mnt:["), "{inside}");
    let chain = &scan.file(&format!("/proc/{contained}/root/usr/sbin/sshd")).unwrap()["chain"];
    assert!(chain.to_string().contains(&format!("pid {contained}")), "{chain}");

    // Another file there, and other code in its memory: told of the container, and nothing of the host.
    host.root().flip_in("/srv/inner/usr/bin/ssh", "usage: ssh");
    let victim = Victim::new(host.outside(contained));
    let file = std::fs::read(host.root().join("/usr/sbin/sshd")).unwrap();
    let address = victim.base("/usr/sbin/sshd") + u64::from_le_bytes(file[24..32].try_into().unwrap());
    let [byte] = victim.read::<1>(address);
    victim.write(address, &[byte ^ 0x40]);
    let scan = host.scan(&[]);
    assert_eq!(scan.codes_about(contained), ["live/text-modified"], "{}", scan.troubles());
    let accused = format!("provenance/digest-mismatch /proc/{contained}/root/usr/bin/ssh");
    assert_eq!(scan.accused("provenance"), [accused], "{}", scan.troubles());
    assert!(scan.troubles().contains("in container `mnt:["), "{}", scan.troubles());
}

/// Its configuration is another one: it is no server of this root, and nobody may think that it was looked at.
fn a_server_in_another_root() {
    let host = Host::boot(two_factor());
    let own = host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let control = host.scan(&[]);
    host.must(&["mkdir", "/srv/other"]);
    host.must(&["mount", "--bind", "/", "/srv/other"]);
    host.must(&["mount", "--bind", "/dev", "/srv/other/dev"]);
    let other =
        host.start_sshd(2222, &[], &["chroot", "/srv/other", "/usr/sbin/sshd", "-p", "2222", "-o", "PidFile=none"]);
    let (scan, servers) = servers(&host);
    assert_eq!(servers.len(), 1, "{servers:#?}");
    assert_eq!(servers[0]["pids"], json!([own]));
    for check in ["live", "login"] {
        assert_eq!((control.verdict(check), scan.verdict(check)), ("pass", "inconclusive"), "{}", scan.troubles());
        let gaps = scan.mandatory_gaps(check);
        assert_eq!(gaps.len(), 1, "{check}: {}", scan.troubles());
        assert_eq!(gaps[0]["subject"]["pid"], other);
        assert!(gaps[0]["reason"].as_str().unwrap().contains(&format!("/proc/{other}/root")));
    }
}

/// A unit decides what is started, a drop-in decides over the unit, a name decides nothing.
fn units_and_drop_ins_of_an_image() {
    let root = Root::stock();
    let stock = Scan::image(root.path(), &[]);
    let named = |scan: &Scan| {
        let servers = scan.report["servers"].as_array().unwrap().iter();
        let mut named: Vec<(String, String, String)> = servers
            .map(|server| {
                let text = |key: &str| server[key].as_str().unwrap_or_default().to_owned();
                (text("binary"), text("config"), text("started_by"))
            })
            .collect();
        named.sort();
        named
    };
    let unit = "/usr/lib/systemd/system/ssh.service";
    let tuple = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(named(&stock), [tuple("/usr/sbin/sshd", "/etc/ssh/sshd_config", unit)]);
    assert_eq!(stock.verdict("live"), "not-applicable");

    let sshd = std::fs::read(root.join("/usr/sbin/sshd")).unwrap();
    for copy in ["/opt/a", "/opt/b"] {
        root.write(copy, &sshd);
        root.chmod(copy, 0o755);
    }
    root.write("/etc/default/ssh", "SSHD_OPTS=\"-f /etc/ssh/second\"\n");
    root.write("/etc/ssh/second", root.read("/etc/ssh/sshd_config"));
    root.write(
        "/etc/systemd/system/helper.service",
        "[Service]\nExecStart=/bin/sh -c 'exec /opt/a -D -f /opt/a.conf'\n",
    );
    root.write("/etc/systemd/system/cron.service", "[Service]\nExecStart=/bin/true\n");
    root.write("/etc/systemd/system/cron.service.d/x.conf", "[Service]\nExecStart=\nExecStart=/opt/b -D\n");
    let changed = Scan::image(root.path(), &[]);
    let expected = [
        tuple("/opt/a", "/opt/a.conf", "/etc/systemd/system/helper.service"),
        tuple("/opt/b", "/etc/ssh/sshd_config", "/etc/systemd/system/cron.service"),
        tuple("/usr/sbin/sshd", "/etc/ssh/second", unit),
    ];
    assert_eq!(named(&changed), expected, "{}", changed.troubles());
}
