//! The sink that is a file.

use std::collections::BTreeSet;
use std::process::Command;

use sshproof::own::spool::Spool;
use sshproof::render::event::Encoding;

use super::bench::{Bench, encoded, read};

fn sink(bench: &Bench) -> String {
    let path = bench.path("events.json");
    format!("[[sink]]\nname = \"disk\"\nkind = \"file\"\npath = \"{}\"\n", path.display())
}

pub fn gets_every_event() {
    let bench = Bench::new(&[3, 1, 40, 1]);
    bench.must_ship(&sink(&bench));
    assert_eq!(read(&bench.path("events.json")), encoded(&bench.events, Encoding::Json));
    bench.must_ship(&sink(&bench));
    assert_eq!(read(&bench.path("events.json")), encoded(&bench.events, Encoding::Json), "nothing is sent twice");
    assert!(bench.took_all("disk"));
    let again = bench.command(&sink(&bench)).args(["--sink", "disk", "--from", "7:44"]).output().unwrap();
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    assert_eq!(
        read(&bench.path("events.json")),
        encoded(&bench.events, Encoding::Json) + &encoded(&bench.events[43..], Encoding::Json)
    );
    // Two at once: one works, the other says so.
    let spool = Spool::open(&bench.path("spool")).unwrap();
    let _held = spool.lock_shipping("disk").unwrap();
    let second = bench.ship(&sink(&bench));
    assert_eq!(second.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another shipper is at work"), "{second:?}");
}

/// Killed at each write, fsync and rename in turn; then once more, unhurt. Every event is there, repeated ones with equal
/// ids and nothing but whole lines.
pub fn survives_kills() {
    let mut kills = 0;
    for call in ["write", "fsync", "rename", "ftruncate"] {
        for when in 1..12 {
            let bench = Bench::new(&[2, 2, 2]);
            let sinks = sink(&bench).replace("kind", "rotate-bytes = 1500\nkind");
            // What an earlier kill may have left.
            std::fs::write(bench.path("events.json"), "{\"half").unwrap();
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
            let text: String =
                ["events.json.2", "events.json.1", "events.json"].map(|name| read(&bench.path(name))).concat();
            let lines: BTreeSet<String> = text.lines().map(str::to_owned).collect();
            let wanted: BTreeSet<String> = encoded(&bench.events, Encoding::Json).lines().map(str::to_owned).collect();
            assert_eq!(lines, wanted, "{call} number {when}");
        }
    }
    assert!(kills > 8, "only {kills} kills");
}

pub fn one_dead_sink_holds_up_nobody() {
    let bench = Bench::new(&[2]);
    let dead = "[[sink]]\nname = \"dead\"\nkind = \"syslog\"\nhost = \"127.0.0.1\"\nport = 1\n";
    let output = bench.ship(&(dead.to_owned() + &sink(&bench)));
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("sink dead: not delivered, kept in the spool: cannot connect"), "{said}");
    assert!(bench.took_all("disk") && !bench.took_all("dead"));
}

/// As another user, who is in the spool's group: it delivers, and can change nothing that the scan wrote.
pub fn needs_no_privileges() {
    const NOBODY: u32 = 65_534;
    let mut bench = Bench { dir: tempfile::tempdir().unwrap(), events: Vec::new() };
    let (spool, out) = (bench.path("spool"), bench.path("out"));
    for (dir, mode) in [(bench.dir.path(), 0o755), (&spool, 0o750), (&out, 0o700)] {
        let _ = std::fs::create_dir(dir);
        std::fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    std::os::unix::fs::chown(&spool, None, Some(NOBODY)).unwrap();
    std::os::unix::fs::chown(&out, Some(NOBODY), Some(NOBODY)).unwrap();
    bench.append(&[2, 2], &["x"]);
    let plain = bench.command(&sink(&bench).replace("events.json", "out/events.json"));
    // The program may lie where nobody else may look.
    let program = bench.path("sshproof");
    std::fs::copy(plain.get_program(), &program).unwrap();
    let as_nobody = |command: &[&std::ffi::OsStr]| {
        let mut setpriv = Command::new("setpriv");
        setpriv.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--no-new-privs"]);
        setpriv.args(command).output().unwrap()
    };
    let mut command = vec![program.as_os_str()];
    command.extend(plain.get_args());
    let output = as_nobody(&command);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(read(&bench.path("out/events.json")), encoded(&bench.events, Encoding::Json));
    assert!(bench.took_all("disk"));
    for entry in std::fs::read_dir(bench.path("spool/records")).unwrap() {
        let path = entry.unwrap().path();
        assert!(!as_nobody(&["rm".as_ref(), "-f".as_ref(), path.as_os_str()]).status.success());
        assert!(!as_nobody(&["truncate".as_ref(), "-s0".as_ref(), path.as_os_str()]).status.success());
    }
    let stray = bench.path("spool/records/stray");
    assert!(!as_nobody(&["touch".as_ref(), stray.as_os_str()]).status.success());
}
