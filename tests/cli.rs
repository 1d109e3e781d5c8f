//! The command line from outside: exit codes, what goes to which stream, files written, hostile names, colour.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

use libtest_mimic::Trial;
use serde_json::Value;
use sshproof::model::Code;
use tempfile::TempDir;

mod common;
use common::mimic::{self, Part};

fn main() -> ExitCode {
    let trial = |name, run: fn()| mimic::trial(name, &[], run);
    let mut trials: Vec<Trial> = vec![
        trial("a_senseless_command_line_exits_with_64", a_senseless_command_line_exits_with_64),
        trial("help_and_version_are_answers", help_and_version_are_answers),
        trial("every_code_is_explained", every_code_is_explained),
        trial("completions_and_manual_pages_know_every_subcommand", completions_and_manual_pages_know_every_subcommand),
        trial("our_own_failures_name_place_and_remedy", our_own_failures_name_place_and_remedy),
        trial("an_empty_image_is_inconclusive", an_empty_image_is_inconclusive),
        trial("a_finding_exits_with_1_unless_it_is_too_mild", a_finding_exits_with_1_unless_it_is_too_mild),
        trial("a_report_file_is_private_and_takes_the_place_of_an_old_one", a_report_file_is_private),
        trial("judge_says_what_scan_said", judge_says_what_scan_said),
        trial("hostile_names_are_harmless_in_every_format", hostile_names_are_harmless_in_every_format),
        trial("a_reader_who_goes_away_is_no_error", a_reader_who_goes_away_is_no_error),
        trial("quiet_is_quiet_and_verbose_talks_on_stderr", quiet_is_quiet_and_verbose_talks_on_stderr),
    ];
    trials.push(trial("inspect_shows_any_elf_file", inspect_shows_any_elf_file));
    let sshd = [Part::Program("sshd")];
    trials.push(mimic::trial("login_answers_from_the_configuration", &sshd, login_answers_from_the_configuration));
    let says = login_effective_says_whose_reading_it_is;
    trials.push(mimic::trial("login_effective_says_whose_reading_it_is", &sshd, says));
    let judged = login_is_judged_by_the_policy_of_the_site;
    trials.push(mimic::trial("login_is_judged_by_the_policy_of_the_site", &sshd, judged));
    let listed = a_directory_is_listed_signed_and_judged;
    trials.push(mimic::trial("a_directory_is_listed_signed_and_judged", &sshd, listed));
    trials.push(mimic::trial("colour_is_for_terminals_that_want_it", &[Part::Program("script")], colour));
    mimic::run(trials)
}

fn sshproof(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sshproof")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn err(output: &Output) -> &str {
    let text = std::str::from_utf8(&output.stderr).unwrap();
    assert!(!text.contains("panicked"), "{text}");
    text
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it ended by itself")
}

/// An image with one host key of this name and mode, owned by whoever runs the test.
fn image(key: &[u8], mode: u32) -> TempDir {
    let dir = TempDir::new().unwrap();
    let ssh = dir.path().join("etc/ssh");
    std::fs::create_dir_all(&ssh).unwrap();
    let key = ssh.join(std::ffi::OsStr::from_bytes(key));
    std::fs::write(&key, "synthetic").unwrap();
    std::fs::set_permissions(&key, PermissionsExt::from_mode(mode)).unwrap();
    dir
}

fn scan(root: &Path, arguments: &[&str]) -> Output {
    let mut all = vec!["scan", "--root", root.to_str().unwrap()];
    all.extend(arguments);
    sshproof(&all)
}

/// The report, held against the published schema.
fn report(output: &Output) -> Value {
    let schema: Value = serde_json::from_slice(include_bytes!("../docs/report.schema.json")).unwrap();
    let report = serde_json::from_str(out(output)).unwrap_or_else(|e| panic!("{e}\n{}", err(output)));
    let problems: Vec<String> = jsonschema::draft202012::new(&schema)
        .unwrap()
        .iter_errors(&report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(problems.is_empty(), "{problems:#?}");
    report
}

fn a_senseless_command_line_exits_with_64() {
    let lines: &[&[&str]] = &[
        &[],
        &["frobnicate"],
        &["--frobnicate"],
        &["scan", "--check", "telepathy"],
        &["scan", "--max-runtime", "soon"],
        &["scan", "--format", "clay"],
        &["scan", "--fail-on", "monday"],
        &["scan", "extra"],
        &["judge"],
        &["inspect"],
        &["login"],
        &["login", "effective", "--from", "not-an-address"],
        &["signatures", "forge"],
        &["explain"],
        &["completions", "dos"],
        &["--quiet", "--verbose", "scan"],
    ];
    for line in lines {
        let output = sshproof(line);
        assert_eq!((code(&output), out(&output)), (64, ""), "{line:?}");
        assert!(!err(&output).is_empty(), "{line:?}");
    }
}

fn help_and_version_are_answers() {
    for line in [&["--help"][..], &["-h"], &["--version"], &["scan", "--help"], &["judge", "-h"]] {
        let output = sshproof(line);
        assert_eq!((code(&output), err(&output)), (0, ""), "{line:?}");
        assert!(!out(&output).is_empty(), "{line:?}");
    }
    let help = sshproof(&["--help"]);
    for promise in ["0   pass", "1   fail", "2   inconclusive", "64  "] {
        assert!(out(&help).contains(promise), "{promise}");
    }
}

fn every_code_is_explained() {
    let list = sshproof(&["explain", "list"]);
    for info in Code::all() {
        assert!(out(&list).contains(info.id), "{}", info.id);
        let output = sshproof(&["explain", info.id]);
        assert_eq!(code(&output), 0, "{}", info.id);
        let words: Vec<&str> = info.summary.split_whitespace().collect();
        let said: Vec<&str> = out(&output).split_whitespace().collect();
        assert!(said.windows(words.len()).any(|window| window == words), "{}: {}", info.id, out(&output));
    }
    let families = sshproof::knowledge::Knowledge::embedded();
    assert!(!families.families().is_empty());
    for family in families.families() {
        let code_of_family = format!("backdoor/{}", family.id);
        assert!(out(&list).contains(&code_of_family));
        assert_eq!(code(&sshproof(&["explain", &code_of_family])), 0, "{code_of_family}");
    }
    assert!(out(&sshproof(&["explain", "limits"])).contains("kernel"));
    let unknown = sshproof(&["explain", "no/such\x1b[31m"]);
    assert_eq!((code(&unknown), out(&unknown)), (2, ""));
    assert!(err(&unknown).contains("explain list") && !err(&unknown).contains('\x1b'), "{}", err(&unknown));
}

fn completions_and_manual_pages_know_every_subcommand() {
    let subcommands = ["scan", "judge", "inspect", "login", "signatures", "explain", "completions", "man"];
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = sshproof(&["completions", shell]);
        assert_eq!(code(&output), 0);
        for subcommand in subcommands {
            assert!(out(&output).contains(subcommand), "{shell} {subcommand}");
        }
    }
    assert!(out(&sshproof(&["man"])).contains(".TH sshproof 8"));
    let dir = TempDir::new().unwrap();
    assert_eq!(code(&sshproof(&["man", "--directory", dir.path().to_str().unwrap()])), 0);
    assert!(dir.path().join("sshproof.8").is_file());
    for subcommand in subcommands {
        let page = std::fs::read_to_string(dir.path().join(format!("sshproof-{subcommand}.8"))).unwrap();
        assert!(page.contains(&format!("sshproof\\-{subcommand}")) && page.contains("quiet"), "{page}");
    }
}

fn our_own_failures_name_place_and_remedy() {
    let dir = TempDir::new().unwrap();
    let file = |name: &str, content: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let policy = file("policy.toml", "minimum-trust = \"best-offered\"\nminimun = 1\n");
    let garbage = file("garbage.json", "{");
    let newer = file("newer.json", "{\"schema\": \"sshproof.facts/9\", \"more\": []}");
    let missing = dir.path().join("missing").to_str().unwrap().to_owned();
    let nowhere = format!("{missing}/report.json");
    let empty = dir.path().to_str().unwrap();
    let cases: &[(&[&str], &[&str])] = &[
        (&["scan", "--root", &missing], &[&missing, "No such file or directory"]),
        (&["scan", "--root", &garbage], &[&garbage, "Not a directory"]),
        (&["scan", "--root", empty, "--config", &policy], &[&policy, "line 2", "minimun"]),
        (&["scan", "--root", empty, "--config", &missing], &[&missing, "no such policy file"]),
        (&["scan", "--root", empty, "--output", &nowhere], &[&nowhere, "cannot write"]),
        (&["scan", "--root", empty, "--facts-out", &nowhere], &[&nowhere, "cannot write"]),
        (&["judge", &missing], &[&missing, "No such file"]),
        (&["judge", &garbage], &[&garbage, "not stored facts"]),
        (&["judge", &newer], &[&newer, "sshproof.facts/9", "sshproof.facts/1"]),
    ];
    for (line, expected) in cases {
        let output = sshproof(line);
        assert_eq!((code(&output), out(&output)), (2, ""), "{line:?}");
        for part in *expected {
            assert!(err(&output).contains(part), "{line:?} does not say {part}: {}", err(&output));
        }
    }
}

fn an_empty_image_is_inconclusive() {
    let dir = TempDir::new().unwrap();
    let output = scan(dir.path(), &["--format", "json"]);
    let report = report(&output);
    assert_eq!((code(&output), report["verdict"].as_str()), (2, Some("inconclusive")), "{report:#}");
    let human = scan(dir.path(), &[]);
    assert_eq!(code(&human), 2);
    assert!(out(&human).starts_with("INCONCLUSIVE  "), "{}", out(&human));
    assert!(out(&human).contains("no SSH server was found"), "{}", out(&human));
    assert!(out(&human).contains("root of a system"), "{}", out(&human));
}

fn a_finding_exits_with_1_unless_it_is_too_mild() {
    let root = image(b"ssh_host_ed25519_key", 0o644);
    let hygiene = ["--check", "hygiene", "--format", "json"];
    let output = scan(root.path(), &hygiene);
    let report = report(&output);
    assert_eq!((code(&output), report["verdict"].as_str()), (1, Some("fail")), "{report:#}");
    assert_eq!(report["results"].as_array().unwrap().len(), 1);
    let finding = &report["results"][0]["findings"][0];
    assert_eq!(finding["code"], "hygiene/host-key-exposed");
    assert_eq!(finding["subject"]["path"], "/etc/ssh/ssh_host_ed25519_key");
    // The twin with the right mode.
    assert_eq!(
        scan(image(b"ssh_host_ed25519_key", 0o600).path(), &hygiene).status.code().map(|code| code == 1),
        Some(false)
    );
    let mild = scan(root.path(), &[&hygiene[..], &["--fail-on", "critical"]].concat());
    assert_ne!(code(&mild), 1);
    let said: Value = serde_json::from_str(out(&mild)).unwrap();
    assert_eq!((&said["verdict"], &said["results"]), (&report["verdict"], &report["results"]));
}

fn a_report_file_is_private() {
    let root = image(b"ssh_host_ed25519_key", 0o644);
    let dir = TempDir::new().unwrap();
    let (path, precious) = (dir.path().join("report.json"), dir.path().join("precious"));
    std::fs::write(&precious, "precious").unwrap();
    std::os::unix::fs::symlink(&precious, &path).unwrap();
    // A link may be somebody's trap, or `/dev/stdout`; a device has to stay one.
    for special in [path.to_str().unwrap(), "/dev/null", "/dev/stdout"] {
        let output = scan(root.path(), &["--format", "json", "--output", special]);
        assert!(code(&output) == 2 && err(&output).contains("is no regular file"), "{special}: {}", err(&output));
    }
    assert!(std::os::unix::fs::FileTypeExt::is_char_device(&std::fs::metadata("/dev/null").unwrap().file_type()));
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "an old one").unwrap();
    let output = scan(root.path(), &["--format", "json", "--output", path.to_str().unwrap()]);
    assert_eq!((code(&output), out(&output), err(&output)), (1, "", ""));
    let meta = std::fs::symlink_metadata(&path).unwrap();
    assert!(meta.is_file());
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
    serde_json::from_slice::<Value>(&std::fs::read(&path).unwrap()).unwrap();
    let names: Vec<PathBuf> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

fn judge_says_what_scan_said() {
    let root = image(b"ssh_host_ed25519_key", 0o644);
    let dir = TempDir::new().unwrap();
    let facts = dir.path().join("facts.json");
    let scanned = scan(root.path(), &["--format", "json", "--facts-out", facts.to_str().unwrap()]);
    assert_eq!(std::fs::metadata(&facts).unwrap().permissions().mode() & 0o777, 0o600);
    let judged = sshproof(&["judge", facts.to_str().unwrap(), "--format", "json"]);
    assert_eq!(code(&judged), code(&scanned));
    let (mut scanned, mut judged) = (report(&scanned), report(&judged));
    // The one thing that judging costs again.
    scanned["usage"].take();
    judged["usage"].take();
    assert_eq!(judged, scanned);
}

fn hostile_names_are_harmless_in_every_format() {
    let name = b"ssh_host_\x1b[31m\n\xff\xc2\x9b\xe2\x80\xae<script>alert(1)</script>_key";
    // `/` cannot stand in a name.
    let name: Vec<u8> = name.iter().map(|b| if *b == b'/' { b'!' } else { *b }).collect();
    let root = image(&name, 0o644);
    for format in ["human", "json", "ndjson", "html", "sarif"] {
        let output = scan(root.path(), &["--format", format]);
        assert_eq!(code(&output), 1, "{format}");
        let text = out(&output);
        assert!(text.contains("ssh_host_"), "{format} hides the file");
        let raw = text.chars().find(|c| c.is_control() && *c != '\n' || *c == '\u{202e}');
        assert_eq!(raw, None, "{format}");
        assert!(format != "html" || !text.contains("<script>alert"), "{format}");
    }
    let report = report(&scan(root.path(), &["--format", "json"]));
    let finding =
        &report["results"].as_array().unwrap().iter().find(|r| r["check"] == "hygiene").unwrap()["findings"][0];
    let path = sshproof::model::text::unescape(finding["subject"]["path"].as_str().unwrap()).unwrap();
    assert_eq!(path, [b"/etc/ssh/".as_slice(), &name].concat());
}

fn a_reader_who_goes_away_is_no_error() {
    let root = image(b"ssh_host_ed25519_key", 0o644);
    let root = root.path().to_str().unwrap();
    for (line, expected) in [(&["explain", "list"][..], 0), (&["scan", "--root", root], 1), (&["man"], 0)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_sshproof"));
        let output = command.args(line).stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!((code(&output), err(&output)), (expected, ""), "{line:?}");
    }
}

fn quiet_is_quiet_and_verbose_talks_on_stderr() {
    let root = image(b"ssh_host_ed25519_key", 0o600);
    let quiet = scan(root.path(), &["--quiet", "--format", "json"]);
    assert_eq!(err(&quiet), "");
    let verbose = scan(root.path(), &["-vv", "--format", "json"]);
    assert!(err(&verbose).contains("ssh_host_ed25519_key"), "{}", err(&verbose));
    report(&verbose);
}

fn inspect_shows_any_elf_file() {
    let own = env!("CARGO_BIN_EXE_sshproof");
    let human = sshproof(&["inspect", own]);
    for part in [own, "sha256", "build-id", "libc.so", "little-endian"] {
        assert!(out(&human).contains(part), "{part}: {}", out(&human));
    }
    let json = sshproof(&["inspect", "--format", "json", own]);
    let document: Value = serde_json::from_str(out(&json)).unwrap();
    assert_eq!(document["schema"], "sshproof.inspect/1");
    let file = &document["files"][0];
    assert_eq!(file["path"], own);
    let digest = file["facts"]["digests"][0].as_str().unwrap();
    assert!(digest.starts_with("sha256:") && digest.len() == 71, "{digest}");
    assert_eq!(file["findings"].as_array().unwrap().len(), 0, "{document:#}");
    assert_eq!((code(&human), code(&json)), (0, 0));
    let dir = TempDir::new().unwrap();
    let (text, missing) = (dir.path().join("text"), dir.path().join("missing"));
    std::fs::write(&text, "not a program").unwrap();
    let plain = sshproof(&["inspect", text.to_str().unwrap()]);
    assert!(code(&plain) == 0 && out(&plain).contains("not an ELF file"), "{}", out(&plain));
    let nothing = sshproof(&["inspect", missing.to_str().unwrap()]);
    assert!(code(&nothing) == 2 && out(&nothing).contains("no such file"), "{}", out(&nothing));
}

/// An image with a server that was never started: Debian's program is there or the trial is ignored.
fn login_answers_from_the_configuration() {
    let dir = TempDir::new().unwrap();
    let place = |path: &str, content: &[u8]| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    place("usr/sbin/sshd", &std::fs::read("/usr/sbin/sshd").unwrap());
    place("etc/passwd", b"root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n");
    place("etc/group", b"root:x:0:\nann:x:1000:\n");
    let config: &[u8] =
        b"UsePAM no\nPasswordAuthentication no\nMatch User ann\n  AuthenticationMethods publickey,publickey\n";
    place("etc/ssh/sshd_config", config);
    let root = dir.path().to_str().unwrap();
    let login = |question: &str, more: &[&str]| {
        let mut line = vec!["login", question, "--root", root];
        line.extend(more);
        sshproof(&line)
    };
    let ann = login("effective", &["--user", "ann", "--from", "203.0.113.9", "--origins"]);
    let methods = "authenticationmethods publickey,publickey   # /etc/ssh/sshd_config:4";
    assert!(out(&ann).lines().any(|line| line == methods), "{}{}", out(&ann), err(&ann));
    let root_user = login("effective", &["--user", "root"]);
    assert!(out(&root_user).lines().any(|line| line == "passwordauthentication no"), "{}", out(&root_user));
    assert!(!out(&root_user).contains("publickey,publickey"));
    let paths: Value = serde_json::from_str(out(&login("paths", &["--format", "json"]))).unwrap();
    let methods: Vec<&Value> = paths[0]["paths"].as_array().unwrap().iter().map(|path| &path["methods"]).collect();
    assert!(methods.iter().any(|methods| **methods == serde_json::json!(["publickey", "publickey"])), "{paths:#}");
    let proof = login("prove", &[]);
    assert_eq!(code(&proof), 1, "{}{}", out(&proof), err(&proof));
    assert!(out(&proof).contains("refuted") && out(&proof).contains("root"), "{}", out(&proof));
    let unknown = login("prove", &["--server", "nobody"]);
    assert!(code(&unknown) == 2 && err(&unknown).contains("has that label; there are `"), "{}", err(&unknown));
}

/// What the site answers for passes, is told with its owner, and ends on its day. The key of the authority is read from the image
/// and is all that is kept of its file.
/// From a directory's entries to the verdict about a host that cannot read it.
fn a_directory_is_listed_signed_and_judged() {
    let dir = TempDir::new().unwrap();
    let place = |path: &str, content: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let entry = |name: &str, uid: u32| {
        format!(
            "dn: uid={name},dc=x\nobjectClass: posixAccount\nuid: {name}\nuidNumber: {uid}\ngidNumber: 100\nhomeDirectory: /net/{name}\n\n"
        )
    };
    let ldif = place("people.ldif", &(entry("eve", 5000) + &entry("adam", 5001)));
    place("homes/net/eve/.ssh/authorized_keys", "cert-authority ssh-ed25519 AAAASECRET\n");
    place("homes/net/eve/.google_authenticator", "SEED");
    place("homes/net/adam/.ssh/authorized_keys", "ssh-ed25519 AAAASECRET\n");

    let made = sshproof(&["accounts", "keygen", &at("key")]);
    let key = out(&made).trim().to_owned();
    assert_eq!((code(&made), key.len()), (0, 64), "{}", err(&made));
    assert_eq!(std::fs::metadata(at("key")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(code(&sshproof(&["accounts", "keygen", &at("key")])), 2, "a key is not overwritten");

    let build = |more: &[&str], to: &str| {
        let plain =
            ["accounts", "build", "--service", "sss", "--ldif", &ldif, "--homes", &at("homes"), "--output", &at(to)];
        sshproof(&[&plain[..], more].concat())
    };
    let partial = build(&["--names", "exact", "--key", &at("key")], "partial.json");
    assert_eq!(code(&partial), 2);
    assert!(err(&partial).contains("--complete"), "{}", err(&partial));
    assert_eq!(code(&build(&["--complete", "--names", "exact"], "plain.json")), 0);
    let signed =
        sshproof(&["accounts", "sign", &at("plain.json"), "--key", &at("key"), "--output", &at("signed.json")]);
    assert_eq!(code(&signed), 0, "{}", err(&signed));
    let text = std::fs::read_to_string(at("signed.json")).unwrap();
    assert!(!text.contains("SECRET") && !text.contains("SEED"), "{text}");
    let schema: Value = serde_json::from_slice(include_bytes!("../docs/accounts.schema.json")).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    for name in ["partial.json", "plain.json", "signed.json"] {
        let document: Value = serde_json::from_slice(&std::fs::read(at(name)).unwrap()).unwrap();
        let problems: Vec<String> = schema.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{name}: {problems:#?}");
    }
    let verify = |name: &str, key: &str| code(&sshproof(&["accounts", "verify", &at(name), "--key", key]));
    assert_eq!(verify("signed.json", &key), 0);
    assert_eq!(verify("signed.json", &place("key.pub", &format!("{key}\n"))), 0);
    assert_eq!(verify("partial.json", &key), 2);
    assert_eq!(verify("plain.json", &key), 1);
    assert_eq!(verify("signed.json", &"0".repeat(64)), 1);
    place("changed.json", &text.replace("\"uid\":5001", "\"uid\":0"));
    assert_eq!(verify("changed.json", &key), 1);
    let shown = sshproof(&["accounts", "show", &at("signed.json")]);
    assert!(out(&shown).contains("1 of 2 have `~/.google_authenticator`"), "{}", out(&shown));
    assert!(out(&sshproof(&["accounts", "show", &at("signed.json"), "--user", "eve"])).contains("trusts an authority"));
    assert_eq!(code(&sshproof(&["accounts", "show", &at("signed.json"), "--user", "cain"])), 2);

    let program = dir.path().join("image/usr/sbin/sshd");
    std::fs::create_dir_all(program.parent().unwrap()).unwrap();
    std::fs::write(&program, std::fs::read("/usr/sbin/sshd").unwrap()).unwrap();
    place("image/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    place("image/etc/group", "root:x:0:\nusers:x:100:\n");
    place("image/etc/nsswitch.conf", "passwd: files sss\ngroup: files sss\n");
    // Two keys, which one key that may certify others makes alone.
    let keys = "UsePAM no\nPasswordAuthentication no\nPermitRootLogin no\nAuthenticationMethods publickey,publickey\n";
    let judge = |config: &str, accounts: &[&str]| {
        place("image/etc/ssh/sshd_config", config);
        let scan = ["scan", "--check", "login", "--root", &at("image"), "--facts-out", &at("facts.json")];
        sshproof(&scan);
        let judged = sshproof(&[&["judge", &at("facts.json"), "--format", "json"], accounts].concat());
        let report = report(&judged);
        let login = report["results"].as_array().unwrap().iter().find(|result| result["check"] == "login").unwrap();
        (report["login"][0].clone(), login["gaps"].to_string())
    };
    let with = |name: &str| ["--accounts".to_owned(), at(name), "--accounts-key".to_owned(), key.clone()];
    let given = with("signed.json");
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let (login, _) = judge(keys, &given);
    assert_eq!(login["proof"], "refuted", "{login:#}");
    assert_eq!(login["counterexamples"][0]["user"], "eve", "{login:#}");
    let password = keys.replace("no\nPermit", "yes\nPermit").replace("publickey,publickey", "publickey,password");
    let (login, gaps) = judge(&password, &given);
    assert_eq!(login["proof"], "proved", "{login:#} {gaps}");
    assert!(login["assumptions"].to_string().contains("2 accounts and 0 groups of the snapshot made"), "{login:#}");
    let policy = place("sshproof.toml", &format!("[accounts]\nkeys = ['{key}']\nmax-age = '1h'\n"));
    let (login, _) = judge(&password, &["--accounts", &at("signed.json"), "--config", &policy]);
    assert_eq!(login["proof"], "proved", "{login:#}");
    for (name, told) in [
        ("plain.json", "it bears no signature"),
        ("partial.json", "it is incomplete"),
        ("changed.json", "it was changed"),
    ] {
        let given = with(name);
        let (login, gaps) = judge(&password, &given.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(login["proof"], "unknown", "{name}");
        assert!(gaps.contains(told), "{name}: {gaps}");
    }
    let (login, gaps) = judge(&password, &[]);
    assert!(login["proof"] == "unknown" && gaps.contains("accounts and groups of `sss`"), "{gaps}");
    let shown = sshproof(&[&["login", "prove", "--root", &at("image")], given.as_slice()].concat());
    assert_eq!(code(&shown), 0, "{}{}", out(&shown), err(&shown));
    assert_eq!(code(&sshproof(&["judge", &at("facts.json"), "--accounts", &ldif])), 2);
}

fn login_is_judged_by_the_policy_of_the_site() {
    let dir = TempDir::new().unwrap();
    let place = |path: &str, content: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let program = dir.path().join("image/usr/sbin/sshd");
    std::fs::create_dir_all(program.parent().unwrap()).unwrap();
    std::fs::write(&program, std::fs::read("/usr/sbin/sshd").unwrap()).unwrap();
    place("image/etc/passwd", "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n");
    place("image/etc/group", "root:x:0:\nann:x:1000:\n");
    place("image/etc/nsswitch.conf", "passwd: files\ngroup: files\n");
    let common = "UsePAM no\nPasswordAuthentication yes\nAuthenticationMethods publickey,password\nMatch User ann\n";
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKK";
    place("image/etc/ssh/ca.pub", &format!("{key} the centre\n"));
    let image = dir.path().join("image");
    let image = image.to_str().unwrap();
    let check = |block: &str, policy: &str, proof: &str, told: &str| {
        place("image/etc/ssh/sshd_config", &format!("{common}{block}"));
        let policy = place("sshproof.toml", policy);
        let answer = sshproof(&["login", "prove", "--root", image, "--policy", &policy]);
        let refuted = proof == "refuted";
        assert_eq!(code(&answer), i32::from(refuted), "{}{}", out(&answer), err(&answer));
        assert!(out(&answer).contains(proof) && out(&answer).contains(told), "{}", out(&answer));
        let scan = sshproof(&["scan", "--check", "login", "--format", "json", "--root", image, "--config", &policy]);
        let report = report(&scan);
        assert_eq!(report["login"][0]["proof"], proof, "{report:#}");
        let result = &report["results"][0];
        assert_eq!(result["verdict"], if refuted { "fail" } else { "pass" }, "{report:#}");
        report
    };
    let warrant = "owner = 'ops@site.example'\nreason = 'runs unattended'\n";
    let exempt = |day: &str| format!("[[login.exemption]]\nusers = ['ann']\n{warrant}expires = '{day}'\n");
    let key_alone = "AuthenticationMethods publickey\n";
    check(key_alone, "", "refuted", "account `ann`");
    let told = "by          ops@site.example until 2999-01-01: runs unattended";
    let report = check(key_alone, &exempt("2999-01-01"), "proved-with-exemptions", told);
    assert_eq!(report["results"][0]["findings"][0]["code"], "login/exempted-path", "{report:#}");
    assert_eq!(report["login"][0]["exemptions"][0]["owner"], "ops@site.example", "{report:#}");
    let report = check(key_alone, &exempt("2001-01-01"), "refuted", "account `ann`");
    let findings = report["results"][0]["findings"].to_string();
    assert!(findings.contains("login/exemption-ended") && findings.contains("login/single-factor-path"), "{findings}");
    // An authority whose certificates are given for two factors, and the same with keys of the account's own.
    let assumed = |print: &str| {
        let what = format!("certificates = ['{print}']\nprove = ['knowledge', 'possession']");
        format!("[[login.assumption]]\n{what}\n{warrant}expires = '2999-01-01'\n")
    };
    let certificate = format!("{key_alone}TrustedUserCAKeys /etc/ssh/ca.pub\n");
    let only = format!("{certificate}AuthorizedKeysFile none\n");
    let right = assumed("SHA256:yAVrWwEmN5Z92SZa8kjJ2fjIA0k1RPopE/0KZd4BDOI");
    check(&only, &right, "proved-with-exemptions", "certifies keys for knowledge and\n");
    check(&certificate, &right, "refuted", "account `ann`");
    check(&only, &assumed(&format!("SHA256:{}", "A".repeat(43))), "refuted", "account `ann`");
    // A file that somebody named by mistake is not kept.
    place("image/etc/ssh/ca.pub", &format!("{key} the centre\nroot:$6$secret:19000::\n"));
    place("image/etc/ssh/sshd_config", &format!("{common}{only}"));
    let facts = dir.path().join("facts.json");
    sshproof(&["scan", "--check", "login", "--root", image, "--facts-out", facts.to_str().unwrap()]);
    let facts = std::fs::read_to_string(facts).unwrap();
    assert!(facts.contains("KKKKKKKK") && !facts.contains("$6$secret"));
}

/// Values read by the rules of another release are never shown without a word: a server whose version cannot be told, and
/// one that nobody has compared our reading with.
fn login_effective_says_whose_reading_it_is() {
    let dir = TempDir::new().unwrap();
    let place = |path: &str, content: &[u8]| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    let program = std::fs::read("/usr/sbin/sshd").unwrap();
    place("etc/passwd", b"root:x:0:0::/root:/bin/sh\n");
    place("etc/ssh/sshd_config", b"PasswordAuthentication no\n");
    let check = |from: &str, to: &str, expected: &str| {
        let mut bytes = program.clone();
        while let Some(at) = bytes.windows(from.len()).position(|window| window == from.as_bytes()) {
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
        place("usr/sbin/sshd", &bytes);
        let output = sshproof(&["login", "effective", "--root", dir.path().to_str().unwrap(), "--user", "root"]);
        assert!(out(&output).lines().any(|line| line == "passwordauthentication no"), "{}", err(&output));
        assert!(err(&output).contains(expected), "{from} {to}: {}", err(&output));
        assert_eq!(code(&output), 2, "{}", err(&output));
    };
    let banner = sshproof::formats::program::identify(&program).unwrap().version;
    let start: String = banner.chars().take("OpenSSH_9".len()).collect();
    check(&start, "OpenSSH_x", "could not be told, so its configuration was read as OpenSSH 9.2 (Debian) reads it");
    check(" Debian-", " Nobody-", "never compared with OpenSSH");
}

/// script(1) gives the program a terminal of its own.
fn colour() {
    let on_terminal = |environment: &[(&str, &str)]| {
        let mut command = Command::new("script");
        command.args(["-qec", concat!(env!("CARGO_BIN_EXE_sshproof"), " explain limits"), "/dev/null"]);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("TERM", "xterm-256color");
        command.envs(environment.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut text = String::new();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(child.wait().unwrap().success() && text.contains("kernel"), "{text}");
        text.contains("\x1b[")
    };
    assert!(on_terminal(&[]));
    assert!(!on_terminal(&[("NO_COLOR", "1")]));
    assert!(!on_terminal(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]));
    assert!(!on_terminal(&[("TERM", "dumb")]));
    assert!(!out(&sshproof(&["explain", "limits"])).contains('\x1b'));
}
