//! Our assembly and dispatch of PAM stacks against the real libpam: random nested stacks of `pam_debug.so`, whose return
//! codes the stack itself names. Seeded; `SSHPROOF_PAM_STACKS=200000` runs more than the slice.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use common::mimic::{self, Part, trial};
use sshproof::formats::pam::{RETURN_CODES, ReturnCode};
use sshproof::login::pam::stack::{self, Handler, HandlerKind, Stack};
use sshproof::login::pam::{Files, Group, Seen, dispatch};
use sshproof::model::{FileKind, Meta, RootedPath};

/// Stacks compared when nobody asks for more.
const SLICE: usize = 5_000;

fn main() -> ExitCode {
    let parts = [Part::Program("cc"), Part::File("/usr/include/security/pam_appl.h"), Part::File("/etc/pam.d")];
    mimic::run(vec![trial("random_stacks_agree_with_libpam", &parts, || {
        compare().expect("scratch files can be written")
    })])
}

/// Compares batch by batch.
fn compare() -> std::io::Result<()> {
    let count = std::env::var("SSHPROOF_PAM_STACKS").ok().and_then(|n| n.parse().ok()).unwrap_or(SLICE);
    let scratch = tempfile::tempdir()?;
    let oracle = scratch.path().join("oracle");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/login_pam/oracle.c");
    let built = Command::new("cc").args(["-O1", "-o"]).arg(&oracle).arg(source).arg("-lpam").status()?;
    assert!(built.success(), "the oracle does not compile");
    let mut random = Random(0x5eed_0006);
    let (mut successes, mut refusals, mut undecided, mut done) = (0_usize, 0_usize, 0_usize, 0_usize);
    while done < count {
        let batch = (count - done).min(1000);
        let dir = scratch.path().join("batch");
        std::fs::create_dir(&dir)?;
        let dirs: Vec<PathBuf> = (0..batch).map(|n| dir.join(n.to_string())).collect();
        for dir in &dirs {
            std::fs::create_dir(dir)?;
            write_stack(&mut random, dir)?;
        }
        let answers = ask(&oracle, &dirs)?;
        for (dir, expected) in dirs.iter().zip(&answers) {
            let Some(ours) = judge(dir) else {
                undecided += 1;
                continue;
            };
            assert_eq!(&ours, expected, "libpam disagrees on\n{}", show(dir));
            successes += usize::from(expected.starts_with("0 ")) + usize::from(expected.ends_with(" 0"));
            refusals += usize::from(expected == "refused");
        }
        std::fs::remove_dir_all(&dir)?;
        done += batch;
    }
    println!(
        "{done} stacks, two groups each: {successes} successes, {refusals} refused, {undecided} undecidable, no difference"
    );
    assert!(undecided * 20 < done, "{undecided} of {done} not compared");
    assert!(successes * 10 >= done * 2, "only {successes} successes of {}", done * 2);
    assert!(refusals * 5 < done, "{refusals} of {done} refused outright");
    Ok(())
}

fn ask(oracle: &Path, dirs: &[PathBuf]) -> std::io::Result<Vec<String>> {
    let mut child = Command::new(oracle).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().expect("stdin is piped");
    let text: String = dirs.iter().map(|dir| format!("{}\n", dir.display())).collect();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output()?;
    writer.join().expect("the writer does not panic")?;
    let answers: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    assert_eq!(
        answers.len(),
        dirs.len(),
        "the oracle stopped at {}",
        dirs.get(answers.len()).map(|dir| show(dir)).unwrap_or_default()
    );
    Ok(answers)
}

/// What we say libpam answers; `None` where we say that it cannot be told.
fn judge(dir: &Path) -> Option<String> {
    let files = Confdir::read(dir);
    let run = |group| {
        let stack: Stack = stack::assemble(b"svc", group, &files);
        let told = stack.problems.iter().all(|problem| !problem.undecidable);
        let code = dispatch::run(&stack.handlers, |_, handler| debug_code(handler, group));
        (told, stack.refused.is_some(), code.number())
    };
    let ((told, refused, auth), (_, _, account)) = (run(Group::Auth), run(Group::Account));
    let answer = if refused { "refused".to_owned() } else { format!("{auth} {account}") };
    told.then_some(answer)
}

/// What `pam_debug.so` returns: the last argument that names a code for the group.
fn debug_code(handler: &Handler, group: Group) -> ReturnCode {
    let HandlerKind::Module { module, arguments } = &handler.kind else { return ReturnCode::PERM_DENIED };
    if module != b"pam_debug.so" {
        return ReturnCode::MODULE_UNKNOWN;
    }
    let key: &[u8] = if group == Group::Auth { b"auth=" } else { b"acct=" };
    arguments
        .iter()
        .find_map(|argument| ReturnCode::named(std::str::from_utf8(argument.strip_prefix(key)?).ok()?))
        .unwrap_or(ReturnCode::SUCCESS)
}

/// A directory given to `pam_start_confdir`: service files are looked for there only. By name as a stack may spell it.
struct Confdir(BTreeMap<String, Vec<u8>>);

impl Confdir {
    fn read(dir: &Path) -> Self {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let bytes = std::fs::read(entry.path()).unwrap();
            files.insert(format!("/etc/pam.d/{}", entry.file_name().display()), bytes.clone());
            files.insert(entry.path().display().to_string(), bytes);
        }
        Self(files)
    }
}

impl Files for Confdir {
    fn text(&self, path: &RootedPath) -> Seen<'_> {
        self.0.get(&path.to_string()).map_or(Seen::Missing, |bytes| Seen::Text(bytes))
    }

    fn inode(&self, path: &RootedPath) -> Result<Option<Meta>, String> {
        let directory = path.to_string() == "/etc/pam.d";
        let kind = FileKind::Directory;
        let (mode, uid, gid, size, nlink, mtime, ctime, dev, ino) = (0o755, 0, 0, 0, 2, 0, 0, 1, 2);
        Ok(directory.then_some(Meta { kind, mode, uid, gid, size, nlink, mtime, ctime, dev, ino }))
    }
}

/// Deterministic numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).expect("below a usize")
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// A service `svc` with up to six included files, and sometimes `other`.
fn write_stack(random: &mut Random, dir: &Path) -> std::io::Result<()> {
    let files = random.below(6);
    for index in 0..=files {
        let name = if index == 0 { "svc".to_owned() } else { format!("f{index}") };
        std::fs::write(dir.join(name), text(random, dir, index + 1, files))?;
    }
    if random.below(4) > 0 {
        std::fs::write(dir.join("other"), text(random, dir, files + 1, files))?;
    }
    Ok(())
}

/// Lines of one file, which may include those with numbers from `first` to `last`.
fn text(random: &mut Random, dir: &Path, first: usize, last: usize) -> String {
    let mut out = String::new();
    for _ in 0..random.below(7) {
        let kind = random
            .pick(&["auth", "auth", "account", "account", "auth", "AUTH", "-auth", "Account", "session", "-account"]);
        let gap = random.pick(&[" ", "\t", "  ", " \\\n", " \t"]);
        match random.below(40) {
            0 => out += "# a comment\n\n",
            1 => writeln!(out, "{}{gap}required{gap}pam_debug.so", random.pick(&["foo", "auht", "-"]))
                .expect("to a string"),
            2 => writeln!(out, "{kind}").expect("to a string"),
            3 => writeln!(out, "{kind}{gap}required # no module").expect("to a string"),
            4 => writeln!(out, "{kind}{gap}include{gap}{}/absent", dir.display()).expect("to a string"),
            5 if random.below(4) == 0 => writeln!(out, "@include{gap}{}/absent", dir.display()).expect("to a string"),
            6..=9 if first <= last => {
                let name = dir.join(format!("f{}", first + random.below(last - first + 1)));
                writeln!(out, "{}@include{gap}{}", random.pick(&["", "-"]), name.display()).expect("to a string");
            }
            10..=20 if first <= last => {
                let name = dir.join(format!("f{}", first + random.below(last - first + 1)));
                let control = random.pick(&["include", "substack", "SubStack", "substack", "[include]"]);
                writeln!(out, "{kind}{gap}{control}{gap}{}", name.display()).expect("to a string");
            }
            _ => {
                let control = control(random);
                let module = random.pick(&[
                    "pam_debug.so",
                    "pam_debug.so",
                    "pam_debug.so",
                    "pam_debug.so",
                    "pam_debug.so",
                    "pam_debug.so",
                    "[pam_debug.so]",
                    "pam_absent.so",
                ]);
                let (auth, account) = (code(random), code(random));
                let end = random.pick(&["", " # why", " acct=success", "  "]);
                writeln!(out, "{kind}{gap}{control}{gap}{module} auth={auth}{gap}acct={account}{end}")
                    .expect("to a string");
            }
        }
    }
    if random.below(200) == 0 {
        out += "auth required \\\n";
    }
    out
}

fn code(random: &mut Random) -> &'static str {
    match random.below(10) {
        0..=4 => "success",
        5 => "ignore",
        6 => "auth_err",
        7 => "new_authtok_reqd",
        _ => RETURN_CODES[random.below(30)],
    }
}

fn control(random: &mut Random) -> String {
    match random.below(12) {
        0 | 1 => "required".into(),
        2 => "requisite".into(),
        3 => "sufficient".into(),
        4 => "optional".into(),
        5 => random
            .pick(&[
                "requried",
                "[success]",
                "[success=0]",
                "[=ok]",
                "[]",
                "REQUIRED",
                "[success=ok default=bad",
                "[default=ignore\\]x=1]",
            ])
            .into(),
        _ => {
            let mut pairs = Vec::new();
            for _ in 0..random.below(5) {
                let name = match random.below(5) {
                    0 => "default",
                    1 | 2 => "success",
                    3 => "ignore",
                    _ => RETURN_CODES[random.below(30)],
                };
                let action = match random.below(9) {
                    0 | 1 => "ok".to_owned(),
                    2 => "ignore".to_owned(),
                    3 => "done".to_owned(),
                    4 => "bad".to_owned(),
                    5 => "die".to_owned(),
                    6 => "reset".to_owned(),
                    _ => (1 + random.below(4)).to_string(),
                };
                pairs.push(format!("{name}{}{action}", random.pick(&["=", "=", "=", " =", "= "])));
            }
            if random.below(2) == 0 {
                pairs.push("default=ignore".to_owned());
            }
            format!("[{}]", pairs.join(random.pick(&[" ", "  ", "\t"])))
        }
    }
}

/// Every file of a case, for the message.
fn show(dir: &Path) -> String {
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    names.sort();
    names
        .iter()
        .map(|path| format!("-- {}\n{}", path.display(), std::fs::read_to_string(path).unwrap_or_default()))
        .collect()
}
