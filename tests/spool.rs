//! `scan --spool` as a program: killed at every write, fsync and rename, with errors injected at each, on a full disk. What
//! it said was spooled is there afterwards, and the chain is unbroken or says itself what is missing.
//!
//! strace(1) kills or fails the system calls, so nothing in the program knows of the test.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use common::mimic::{Part, run, trial};

const SSHPROOF: &str = env!("CARGO_BIN_EXE_sshproof");

fn main() -> ExitCode {
    let strace = &[Part::Program("strace")];
    run(vec![
        trial("without_spool_nothing_is_written", strace, without_spool_nothing_is_written),
        trial("killed_at_every_write", strace, || killed_at_every("write")),
        trial("killed_at_every_fsync", strace, || killed_at_every("fsync")),
        trial("killed_at_every_rename", strace, || killed_at_every("rename")),
        trial("killed_while_making_room", strace, killed_while_making_room),
        trial("error_at_every_write", strace, || error_at_every("write", "ENOSPC")),
        trial("error_at_every_fsync", strace, || error_at_every("fsync", "EIO")),
        trial("error_at_every_rename", strace, || error_at_every("rename", "EROFS")),
        trial("full_disk", &[Part::Root, Part::Namespaces], full_disk),
        trial("read_only_spool", &[Part::Root, Part::Namespaces], read_only_spool),
        trial("power_loss_keeps_what_was_spooled", DISK, || power_loss(true)),
        trial("power_loss_shows_a_missing_fsync", DISK, || power_loss(false)),
        trial("a_tpm_signs_what_was_reported", TPM, a_tpm_signs_what_was_reported),
        trial("verify_names_what_was_done_to_the_row", &[], verify_names_what_was_done_to_the_row),
    ])
}

/// A file system of one's own that can be made to lose its memory.
const DISK: &[Part] = &[
    Part::Root,
    Part::Namespaces,
    Part::File("/dev/loop-control"),
    Part::Program("mkfs.ext4"),
    Part::Program("xfs_io"),
    Part::Program("strace"),
];

/// A TPM of the test's own, and the tools of other people's that check it.
const TPM: &[Part] = &[Part::Program("swtpm"), Part::Program("tpm2_checkquote"), Part::Program("tpm2_evictcontrol")];

/// An image with nothing in it but a name, its spool and its state.
struct Bench {
    dir: tempfile::TempDir,
    /// Most that the spool may hold.
    bytes: u64,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("image/etc")).unwrap();
        std::fs::write(dir.path().join("image/etc/hostname"), "n1\n").unwrap();
        Self { dir, bytes: 32 << 20 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn arguments(&self) -> Vec<String> {
        let text = |name: &str| self.path(name).to_str().unwrap().to_owned();
        // Hygiene alone: the scan itself is not what is tested here, and it is run a few hundred times.
        let mut all: Vec<String> = ["-q", "scan", "--check", "hygiene", "--format", "ndjson"].map(str::to_owned).into();
        for (option, name) in [("--root", "image"), ("--output", "report"), ("--spool", "spool"), ("--state", "state")]
        {
            all.extend([option.to_owned(), text(name)]);
        }
        all.extend(["--spool-bytes".to_owned(), self.bytes.to_string()]);
        all
    }

    /// Scans; the answer of an empty image is "inconclusive", so 2 unless nothing was spooled, which is said on stderr.
    fn scan(&self) -> Output {
        Command::new(SSHPROOF).args(self.arguments()).output().unwrap()
    }

    fn must_scan(&self) {
        let output = self.scan();
        assert!(spooled(&output), "{output:?}");
    }

    /// Under strace with this injection.
    fn injured(&self, injection: &str) -> Output {
        let call = injection.split(':').next().unwrap();
        Command::new("strace")
            .args([
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                &format!("trace={call}"),
                "-e",
                &format!("inject={injection}"),
            ])
            .arg(SSHPROOF)
            .args(self.arguments())
            .output()
            .unwrap()
    }

    fn records(&self) -> Vec<PathBuf> {
        records(&self.path("spool"))
    }

    /// Every line of the spool, in order.
    fn lines(&self) -> Vec<String> {
        let text: String = self.records().iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
        text.lines().map(str::to_owned).collect()
    }

    fn verify(&self, lines: &[String], arguments: &[&str]) -> (i32, String) {
        let row = self.path("row");
        std::fs::write(&row, lines.join("\n") + "\n").unwrap();
        let output = Command::new(SSHPROOF).args(["fleet", "verify"]).args(arguments).arg(&row).output().unwrap();
        assert!(output.stderr.is_empty(), "{output:?}");
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    }

    /// The chain holds and nothing is half there.
    fn assert_unbroken(&self, when: &str) {
        let (code, text) = self.verify(&self.lines(), &[]);
        assert_eq!(code, 0, "{when}: {text}");
        assert!(text.contains(": unbroken") && !text.contains("missing"), "{when}: {text}");
    }
}

fn records(spool: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(spool.join("records"))
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.file_name().unwrap().to_str().unwrap().starts_with('.'))
        .collect();
    paths.sort();
    paths
}

fn spooled(output: &Output) -> bool {
    output.status.code().is_some() && !String::from_utf8_lossy(&output.stderr).contains("nothing was spooled")
}

fn without_spool_nothing_is_written() {
    let bench = Bench::new();
    let log = bench.path("log");
    let image = bench.path("image");
    let output = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=%file,socket,connect,clone,clone3,execve,getrandom", "-o"])
        .arg(&log)
        .args([SSHPROOF, "-q", "scan", "--check", "hygiene", "--format", "json", "--root"])
        .arg(&image)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("execve("), "strace saw nothing");
    for trace in ["O_CREAT", "O_RDWR", "O_WRONLY", "socket(", "connect(", "rename", "mkdir", "node.key", "boot_id"] {
        let line = log.lines().find(|line| line.contains(trace));
        assert_eq!(line, None, "a scan without --spool did this");
    }
}

fn killed_at_every(call: &str) {
    let bench = Bench::new();
    bench.must_scan();
    let mut kills = 0;
    for when in 1.. {
        assert!(when < 200, "{call} has no end");
        let before = bench.lines();
        let output = bench.injured(&format!("{call}:signal=SIGKILL:when={when}"));
        let survived = output.status.code().is_some_and(|code| code != 137);
        let name = format!("killed at {call} number {when}");
        let after = bench.lines();
        assert!(after.starts_with(&before), "{name}: what was spooled is gone");
        if survived {
            assert!(spooled(&output) && after.len() > before.len(), "{name}: {output:?}");
        }
        bench.must_scan();
        bench.assert_unbroken(&name);
        if survived {
            break;
        }
        kills += 1;
    }
    assert!(kills > 2, "only {kills} kills");
    println!("{call}: killed {kills} times");
}

/// The spool may hold a few records only, so that every scan removes some.
fn killed_while_making_room() {
    let mut bench = Bench::new();
    bench.bytes = 290_000;
    for _ in 0..12 {
        bench.must_scan();
    }
    let mut kills = 0;
    for call in ["unlink", "rename", "fsync"] {
        for when in 1..8 {
            let output = bench.injured(&format!("{call}:signal=SIGKILL:when={when}"));
            kills += usize::from(output.status.code().is_none_or(|code| code == 137));
            bench.must_scan();
            let (code, text) = bench.verify(&bench.lines(), &[]);
            assert_eq!(code, 0, "{call} number {when}: {text}");
            assert!(text.contains("the node told that it dropped them") || text.contains("unbroken"), "{text}");
        }
    }
    assert!(kills > 6, "only {kills} kills");
    assert!(bench.records().len() < 12, "nothing was removed");
}

fn error_at_every(call: &str, error: &str) {
    let bench = Bench::new();
    bench.must_scan();
    let mut refused = 0;
    for when in 1.. {
        assert!(when < 200, "{call} has no end");
        let before = bench.lines();
        let output = bench.injured(&format!("{call}:error={error}:when={when}"));
        let name = format!("{error} at {call} number {when}");
        let after = bench.lines();
        assert!(after.starts_with(&before), "{name}: what was spooled is gone");
        // Either it is there, or the program says that something is wrong.
        let said = !output.stderr.is_empty();
        if !said {
            assert!(after.len() > before.len(), "{name}: {output:?}");
        }
        bench.must_scan();
        bench.assert_unbroken(&name);
        if said {
            assert_eq!(output.status.code(), Some(2), "{name}: {output:?}");
            refused += 1;
        } else if when > 40 {
            break;
        }
    }
    assert!(refused >= 2, "only {refused} errors were told");
}

/// A spool of 48 KiB of its own: full after a while. Scans go on, states go, and the losses are told.
fn full_disk() {
    let bench = Bench::new();
    let script = r#"
        set -e
        mkdir -m 0750 "$1/spool"
        mount -t tmpfs -o size=48k,mode=0750 tmpfs "$1/spool"
        shift
        bytes=$1
        shift
        i=0
        while [ $i -lt 30 ]; do
            i=$((i + 1))
            "$@" --spool-bytes "$bytes" >&2 || [ $? = 2 ]
        done
        cat "$SPOOL"/records/*
    "#;
    // The program believes that it may use more than there is; then that it may use less.
    for bytes in ["1000000", "290000"] {
        let fresh = Bench::new();
        let output = Command::new("unshare")
            .args(["-m", "sh", "-c", script, "full"])
            .arg(fresh.dir.path())
            .args([bytes, SSHPROOF])
            .args(fresh.arguments().iter().take_while(|argument| *argument != "--spool-bytes"))
            .env("SPOOL", fresh.path("spool"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let talk = String::from_utf8_lossy(&output.stderr);
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let (code, said) = bench.verify(&lines, &[]);
        assert_eq!(code, 0, "{bytes}: {said}");
        assert!(!talk.contains("nothing was spooled"), "{bytes}: {talk}");
        assert!(text.contains("\"kind\":\"spool\""), "{bytes}: no loss was told: {text}");
    }
}

/// Read-only where it lies: the scan answers, says that nothing was spooled, and exits with 2. Once it can be written to again the
/// next scan goes on where the last one was.
fn read_only_spool() {
    let bench = Bench::new();
    let script = r#"
        spool=$1
        shift
        mkdir -m 0750 "$spool" && mount -t tmpfs -o mode=0750 tmpfs "$spool" || exit 99
        "$@"
        mount -o remount,ro "$spool" || exit 99
        rm -f "$REPORT"
        "$@"
        echo "read-only: $? $(wc -c < "$REPORT" | wc -l)"
        mount -o remount,rw "$spool" || exit 99
        "$@"
        cat "$spool"/records/*
    "#;
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", script, "ro"])
        .arg(bench.path("spool"))
        .arg(SSHPROOF)
        .args(bench.arguments())
        .env("REPORT", bench.path("report"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let (told, lines) = text.split_once('\n').unwrap();
    assert_eq!(told, "read-only: 2 1", "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stderr).matches("nothing was spooled").count(), 1, "{text}");
    let lines: Vec<String> = lines.lines().map(str::to_owned).collect();
    let (code, said) = bench.verify(&lines, &[]);
    assert!(code == 0 && lines.len() == 2 && said.contains("unbroken"), "{said}");
}

/// State and spool on an ext4 of their own, which is shut down (the ioctl that xfs_io(8) calls, without a flush of its log)
/// right after a scan has ended, as a loss of power would. Without fsync(2), which strace then only pretends, nothing of the
/// scans is left: so the test can fail.
fn power_loss(syncing: bool) {
    let script = r#"
        set -e
        disk=$1 mode=$2
        shift 2
        truncate -s 32M "$disk.img"
        mkfs.ext4 -q -F "$disk.img"
        mkdir "$disk"
        mount -o loop "$disk.img" "$disk"
        mkdir -m 0750 "$disk/spool"
        sync
        i=0
        while [ $i -lt 5 ]; do
            i=$((i + 1))
            if [ $mode = syncing ]; then "$@" >&2 || [ $? = 2 ]; else
                strace -f -qq -o /dev/null -e trace=fsync -e inject=fsync:retval=0 "$@" >&2 || [ $? = 2 ]
            fi
        done
        cat "$disk"/spool/records/* > "$disk.before"
        xfs_io -x -c shutdown "$disk"
        umount "$disk"
        mount -o loop "$disk.img" "$disk"
        "$@" >&2 || [ $? = 2 ]
        cat "$disk"/spool/records/*
        umount "$disk"
    "#;
    let bench = Bench::new();
    let disk = bench.path("disk");
    let on_disk = |argument: &String| {
        let path = Path::new(argument);
        match path.file_name().and_then(|name| name.to_str()) {
            Some(name @ ("spool" | "state")) if path.is_absolute() => disk.join(name).to_str().unwrap().to_owned(),
            _ => argument.clone(),
        }
    };
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", script, "power"])
        .arg(&disk)
        .args([if syncing { "syncing" } else { "pretending" }, SSHPROOF])
        .args(bench.arguments().iter().map(on_disk))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    let before = std::fs::read_to_string(bench.path("disk.before")).unwrap();
    let before: Vec<&str> = before.lines().collect();
    assert_eq!(before.len(), 5);
    if syncing {
        assert_eq!(lines.iter().take(5).collect::<Vec<_>>(), before, "what was spooled is gone");
        let (code, text) = bench.verify(&lines, &[]);
        assert!(code == 0 && lines.len() == 6 && text.contains("unbroken"), "{text}");
    } else {
        assert!(!lines.iter().any(|line| before.contains(&line.as_str())), "the disk has lost nothing");
    }
}

/// Makes a restricted key in the TPM at `$1` and puts its public half into `ak.pem`.
const ENROL: &str = r#"
set -e
cd "$(dirname "$1")"
export TPM2TOOLS_TCTI="swtpm:path=$1"
tpm2_createprimary -Q -C o -G ecc -c primary
tpm2_flushcontext -t
tpm2_create -Q -C primary -G ecc256:ecdsa-sha256:null -u public -r private \
    -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign'
tpm2_flushcontext -t
tpm2_load -Q -C primary -u public -r private -c key
tpm2_flushcontext -t
tpm2_readpublic -Q -c key -f pem -o ak.pem
tpm2_flushcontext -t
tpm2_evictcontrol -Q -C o -c key 0x81010002
tpm2_flushcontext -t
"#;

/// An emulated TPM signs the digest of the report; tpm2-tools verify that, and refuse it for a report that was altered.
fn a_tpm_signs_what_was_reported() {
    let bench = Bench::new();
    let (socket, control) = (bench.path("tpm"), bench.path("tpm.ctrl"));
    let mut tpm = Command::new("swtpm")
        .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear", "--tpmstate"])
        .arg(format!("dir={}", bench.dir.path().display()))
        .args(["--server".to_owned(), format!("type=unixio,path={}", socket.display())])
        .args(["--ctrl".to_owned(), format!("type=unixio,path={}", control.display())])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..500 {
        if socket.exists() && control.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let enrolled = Command::new("sh").args(["-c", ENROL, "enrol"]).arg(&socket).output().unwrap();
    let scan = |key: &str| {
        let arguments = bench.arguments().into_iter().map(|argument| argument.replace("ndjson", "json"));
        let mut scan = Command::new(SSHPROOF);
        scan.args(arguments).args(["--tpm-key", key, "--tpm"]).arg(&socket).output().unwrap()
    };
    let signed = scan("0x81010002");
    let report = std::fs::read_to_string(bench.path("report")).unwrap_or_default();
    let refused = scan("0x81010009");
    tpm.kill().unwrap();
    tpm.wait().unwrap();
    assert!(enrolled.status.success(), "{enrolled:?}");
    assert!(spooled(&signed) && signed.stderr.is_empty(), "{signed:?}");
    let states: Vec<serde_json::Value> = bench.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    // A handle without a key: the events are there, the quote is not.
    assert!(spooled(&refused) && states[1]["body"].get("quote").is_none(), "{refused:?}");

    let bytes = |text: &serde_json::Value| {
        let text = text.as_str().unwrap();
        let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(byte).collect::<Vec<u8>>()
    };
    let state = &states[0]["body"];
    std::fs::write(bench.path("message"), bytes(&state["quote"]["message"])).unwrap();
    std::fs::write(bench.path("signature"), bytes(&state["quote"]["signature"])).unwrap();
    let check = |digest: &str| {
        let mut check = Command::new("tpm2_checkquote");
        check.args(["-u", "ak.pem", "-m", "message", "-s", "signature", "-g", "sha256", "-q", digest]);
        check.current_dir(bench.dir.path()).output().unwrap()
    };
    // What was signed is the report as it was written, on one line, and no other.
    let digest = digest_of(&report);
    assert_eq!(state["report"], digest.as_str());
    assert!(check(&digest).status.success(), "{:?}", check(&digest));
    let altered = report.replace("\"verdict\": \"inconclusive\"", "\"verdict\": \"pass\"");
    assert!(altered != report && !check(&digest_of(&altered)).status.success(), "an altered report was accepted");
    let mut message = bytes(&state["quote"]["message"]);
    *message.last_mut().unwrap() ^= 1;
    std::fs::write(bench.path("message"), message).unwrap();
    assert!(!check(&digest).status.success(), "an altered quote was accepted");
}

/// SHA-256 of a JSON document without the blanks between its parts, as `jq -c` writes it.
fn digest_of(document: &str) -> String {
    use sha2::Digest as _;
    let (mut compact, mut quoted, mut escaped) = (String::new(), false, false);
    for c in document.chars() {
        if quoted || !c.is_ascii_whitespace() {
            compact.push(c);
        }
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
    }
    sha2::Sha256::digest(compact).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn verify_names_what_was_done_to_the_row() {
    let bench = Bench::new();
    for _ in 0..6 {
        bench.must_scan();
    }
    let row = bench.lines();
    let first: serde_json::Value = serde_json::from_str(&row[0]).unwrap();
    let epoch = &first["chain"]["epoch"];
    let check = |lines: &[String], code: i32, said: &str| {
        let (found, text) = bench.verify(lines, &[]);
        assert_eq!(found, code, "{text}");
        assert!(text.contains(&format!("n1 {epoch}:{said}")), "{text}");
    };
    let mut deleted = row.clone();
    deleted.remove(3);
    check(&deleted, 1, "4  missing");
    let mut altered = row.clone();
    altered[2] = altered[2].replace("\"duration_ms\":", "\"duration_ms\":1");
    check(&altered, 1, "3  not what the node signed: it was changed after it was signed");
    let mut reordered = row.clone();
    reordered.swap(2, 3);
    check(&reordered, 0, "3  came after later events");
    let mut replayed = row.clone();
    replayed.push(row[1].clone());
    check(&replayed, 0, "2  came again, unchanged: delivered twice or replayed");
    let (code, text) = bench.verify(&row, &["--nonce", "today"]);
    assert!(code == 1 && text.contains("does not answer the nonce"), "{text}");
    let mut truncated = row;
    truncated[1].truncate(50);
    std::fs::write(bench.path("row"), truncated.join("\n")).unwrap();
    let output = Command::new(SSHPROOF).args(["fleet", "verify"]).arg(bench.path("row")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("row:2: not an event"), "{output:?}");
}
