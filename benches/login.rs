//! What the login proof costs, in CPU: every scenario of `tests/cases/login` with its counterexample and fix, and one large
//! host. `cargo bench --bench login`.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, reason = "a bench prints")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::fmt::Write as _;

use std::collections::BTreeSet;

use common::case::{Case, Root};
use sshproof::login::directory::{Directory, Spelling};
use sshproof::login::explore::Known;
use sshproof::login::pam::{Account, Files, Seen};
use sshproof::login::prove::World;
use sshproof::login::tree::{Names, Tree};
use sshproof::login::{explain, fix, prove};
use sshproof::model::report::Proof;
use sshproof::model::{FileKind, Meta, RootedPath};

fn main() {
    // `cargo test --benches` and `cargo clippy` build us; only `cargo bench` wants figures.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    // A name after `--` picks scenarios, and leaves out the large host.
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let cases = Case::all();
    let cases = cases.iter().filter(|case| wanted.as_ref().is_none_or(|wanted| case.name.contains(wanted)));
    let mut rows: Vec<(f64, String)> = cases.map(|case| (cost(case, case.world()), case.name.clone())).collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    println!("{} scenarios, median {:.2} ms; the dearest:", rows.len(), rows[rows.len() / 2].0);
    for (milliseconds, name) in rows.iter().take(8) {
        println!("{milliseconds:>9.2} ms  {name}");
    }
    if wanted.is_some() {
        return;
    }
    for (enrolled, is_listed) in
        [(Enrolled::Half, false), (Enrolled::NobodyAsked, false), (Enrolled::Half, true), (Enrolled::NobodyAsked, true)]
    {
        let (case, mut accounts) = large(enrolled);
        accounts.iter_mut().for_each(|account| account.local = !is_listed);
        let before = peak();
        let tree = Homes::new(&case.root, &accounts);
        let world = World { accounts: &accounts, tree: &tree, ..case.world() };
        // The same accounts out of a directory that takes names in any case and may lose every group.
        let spelling = Some(Spelling { any_case: true, forms: vec![b"%n@example.org".to_vec()] });
        let groups = accounts.iter().flat_map(|account| account.groups.iter().cloned()).collect();
        let directory = Directory { spelling, groups, ..Directory::default() };
        let world = World { listed: is_listed.then_some(&directory), ..world };
        let proof = prove::prove(&case.server(), world, &case.policy());
        let expected = if enrolled == Enrolled::Half { Proof::Proved } else { Proof::Refuted };
        assert_eq!(proof.proof, expected, "{:?} {:?}", proof.unknowns, proof.refusals);
        let (classes, explored) = (proof.classes, proof.explored);
        drop(proof);
        let cost = cost(&case, world);
        println!(
            "{cost:>9.2} ms  30 Match blocks, 200 PAM lines, {} accounts, {enrolled:?}, directory {is_listed}",
            accounts.len()
        );
        println!("peak resident set {} KiB, of which {before} with the accounts alone;", peak());
        println!("{classes} classes of connections, {explored} searched");
    }
}

/// Proof, counterexamples and fixes, in milliseconds. The kernel counts a thread's time in ticks of some milliseconds, so
/// that what is shorter is done again and again.
fn cost(case: &Case, world: World<'_>) -> f64 {
    let once = || {
        let (server, policy) = (case.server(), case.policy());
        let config = prove::config(&server, world).unwrap();
        let mut known = Known::default();
        let outcome = prove::prove_with(&server, Some(&config), world, &policy, &mut known);
        let mut fixes = fix::Search::new(&server, world, &policy, &config, known);
        for violation in outcome.violations.iter().take(8) {
            let fix = fixes.smallest(violation);
            std::hint::black_box(explain::counterexample(violation, &server, &config, fix));
        }
    };
    let begin = cpu();
    let mut rounds = 0;
    while cpu() - begin < 60.0 {
        once();
        rounds += 1;
    }
    (cpu() - begin) / f64::from(rounds)
}

/// Who has a one-time code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Enrolled {
    /// Every other account, and the module refuses the others: the ways in of the enrolled are proved.
    Half,
    /// The same, and the module lets the others pass: every second account is a counterexample, and fixes are looked for.
    NobodyAsked,
}

/// The root of a case with homes in it. The observer's table answers for a path in a look-up; so does this.
struct Homes<'a> {
    root: &'a Root,
    enrolled: BTreeSet<RootedPath>,
}

impl<'a> Homes<'a> {
    fn new(root: &'a Root, accounts: &[Account]) -> Self {
        let path = |account: &Account| RootedPath::new([&account.home[..], b"/.google_authenticator"].concat());
        Self { root, enrolled: accounts.iter().step_by(2).filter_map(path).collect() }
    }
}

impl Files for Homes<'_> {
    fn text(&self, path: &RootedPath) -> Seen<'_> {
        self.root.text(path)
    }

    fn inode(&self, path: &RootedPath) -> Result<Option<Meta>, String> {
        if !path.as_bytes().starts_with(b"/home/") {
            return self.root.inode(path);
        }
        let kind = FileKind::Regular;
        let meta = Meta { kind, mode: 0o400, uid: 0, gid: 0, size: 1, nlink: 1, mtime: 0, ctime: 0, dev: 1, ino: 1 };
        Ok(self.enrolled.contains(path).then_some(meta))
    }
}

impl Tree for Homes<'_> {
    fn names(&self, path: &RootedPath) -> Names {
        self.root.names(path)
    }
}

/// Many of everything.
fn large(enrolled: Enrolled) -> (Case, Vec<Account>) {
    let mut case = Case::all().into_iter().find(|case| case.name == "04_password_and_otp").unwrap();
    let methods = match enrolled {
        Enrolled::Half => "publickey,keyboard-interactive",
        Enrolled::NobodyAsked => "keyboard-interactive",
    };
    let mut config = format!(
        "UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no\nAuthenticationMethods {methods}\n"
    );
    for block in 0..30 {
        let condition = match block % 3 {
            0 => format!("User user{block}*,!user{block}7"),
            1 => format!("Group group{block}"),
            _ => format!("Address 10.{block}.0.0/16"),
        };
        let _ = writeln!(config, "Match {condition}\n  MaxAuthTries {}\n  X11Forwarding no", block + 1);
    }
    let nullok = if enrolled == Enrolled::NobodyAsked { " nullok" } else { "" };
    let mut stack = format!("auth required pam_unix.so\nauth required pam_google_authenticator.so{nullok}\n");
    for line in 0..198 {
        let module = ["pam_env.so", "pam_faildelay.so delay=1", "pam_warn.so", "pam_succeed_if.so uid >= 1"][line % 4];
        let _ = writeln!(stack, "auth optional {module}");
    }
    stack.push_str("account required pam_permit.so\n");
    let mut put = |path: &str, text: String| {
        case.root.texts.0.insert(RootedPath::new(path).unwrap(), text.into_bytes());
    };
    put("/etc/ssh/sshd_config", config);
    put("/etc/pam.d/sshd", stack);
    let accounts = (0..50_000_u32)
        .map(|number| Account {
            name: format!("user{number}").into_bytes(),
            uid: 1000 + number,
            gid: 100,
            groups: vec![b"users".to_vec(), format!("group{}", number % 60).into_bytes()],
            groups_complete: true,
            home: format!("/home/user{number}").into_bytes(),
            shell: b"/bin/bash".to_vec(),
            local: true,
        })
        .collect();
    (case, accounts)
}

/// CPU time of this thread so far, in milliseconds (`schedstat`: nanoseconds on a CPU come first).
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e6
}

/// Of this process so far, in KiB (`VmHWM`, proc_pid_status(5)).
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}
