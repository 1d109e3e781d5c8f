//! A real journald in a mount namespace of its own.

use std::process::Command;

use serde_json::Value;
use sshproof::render::event::{Encoding, encode};

use super::bench::Bench;
use super::rsyslog::systems;

/// Starts journald on an empty `/run`, delivers, and prints the journal.
const SCRIPT: &str = r#"
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
mkdir -p /run/systemd/journal /run/log/journal
[ -s /etc/machine-id ] || { echo 0123456789abcdef0123456789abcdef > /run/machine-id; mount --bind /run/machine-id /etc/machine-id; }
/lib/systemd/systemd-journald >/run/said 2>&1 &
journald=$!
i=0
while [ ! -S /run/systemd/journal/socket ]; do
    i=$((i + 1)); [ $i -lt 500 ] || { cat /run/said >&2; exit 1; }
    sleep 0.02
done
"$@" >&2
kill -s RTMIN+1 $journald
sleep 1
journalctl --directory=$(echo /run/log/journal/*) --all --output=json SYSLOG_IDENTIFIER=sshproof
kill $journald
"#;

pub fn gets_each_byte() {
    let mut systems = systems();
    // Too long for a datagram: comes as a sealed memory file.
    systems.push("m".repeat(400_000));
    let bench = Bench::with(&[3, 3], &systems.iter().map(String::as_str).collect::<Vec<_>>());
    let ship = bench.command("[[sink]]\nname = \"journal\"\nkind = \"journald\"\n");
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", SCRIPT, "journald"])
        .arg(ship.get_program())
        .args(ship.get_args())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let entries: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries.len(), bench.events.len(), "{}", String::from_utf8_lossy(&output.stderr));
    for (entry, event) in entries.iter().zip(&bench.events) {
        assert_eq!(field(&entry["MESSAGE"]), encode(event, Encoding::Json).unwrap());
        assert_eq!(field(&entry["SSHPROOF_SEQ"]), event.chain.seq.to_string());
        assert_eq!(field(&entry["PRIORITY"]), "4");
    }
    assert!(bench.took_all("journal"));
}

/// journalctl writes what is not printable as an array of bytes.
fn field(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(bytes) => {
            let bytes: Vec<u8> = bytes.iter().map(|byte| u8::try_from(byte.as_u64().unwrap()).unwrap()).collect();
            String::from_utf8(bytes).unwrap()
        }
        other => panic!("{other}"),
    }
}
