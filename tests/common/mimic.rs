//! Test lists in which nothing is passed over in silence: a trial whose parts are not all there is reported as ignored,
//! with what is missing in its name, or fails where `SSHPROOF_REQUIRE_ALL` is set (CI, which has all parts).

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;

use libtest_mimic::{Arguments, Failed, Trial};

/// Something that a trial needs and a machine may lack.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// Effective uid 0.
    Root,
    /// Own mount, pid, network and host name namespaces.
    Namespaces,
    /// A root built of the distribution's packages: uid 0, `mmdebstrap`, and an apt that has fetched its lists.
    Packages,
    /// A program in `PATH`.
    Program(&'static str),
    /// The folder that `SSHPROOF_CORPORA` names.
    Corpora,
    /// A file system that the kernel knows.
    Filesystem(&'static str),
    /// A kernel at least that new, by the first two numbers of its release.
    Linux(u32, u32),
    /// A file of a development package, by its path.
    File(&'static str),
    /// The distribution's own repository, which apt reaches.
    Repository,
}

impl Part {
    /// What is missing, in words; `None` if it is there.
    fn missing(self) -> Option<String> {
        match self {
            Self::Root => (!nix::unistd::geteuid().is_root()).then(|| "root".to_owned()),
            Self::Namespaces => (!namespaces_work()).then(|| "namespaces of its own".to_owned()),
            Self::Packages => Self::Root.missing().or_else(|| Self::Program("mmdebstrap").missing()).or_else(|| {
                super::root::sources()
                    .is_empty()
                    .then(|| "the distribution's package lists (apt-get update)".to_owned())
            }),
            Self::Program(name) => program(name).is_none().then(|| format!("the program {name}")),
            Self::Repository => Self::Packages.missing().or_else(|| {
                super::root::repository().as_ref().err().map(|why| format!("the distribution's repository ({why})"))
            }),
            Self::File(path) => (!std::path::Path::new(path).exists()).then(|| format!("the file {path}")),
            Self::Filesystem(name) => {
                let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
                let is = known.lines().any(|line| line.split_whitespace().next_back() == Some(name));
                (!is).then(|| format!("a kernel with {name}"))
            }
            Self::Linux(first, second) => {
                let release = nix::sys::utsname::uname().unwrap().release().to_string_lossy().into_owned();
                let numbers: Vec<u32> = release.split(['.', '-']).map_while(|number| number.parse().ok()).collect();
                (numbers.as_slice() < [first, second].as_slice()).then(|| format!("Linux {first}.{second}"))
            }
            Self::Corpora => corpora().is_none().then(|| "SSHPROOF_CORPORA".to_owned()),
        }
    }
}

/// Where `name` lies in `PATH`.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|candidate| candidate.is_file())
}

/// The folder of foreign data, if it was named and exists.
pub fn corpora() -> Option<PathBuf> {
    std::env::var_os("SSHPROOF_CORPORA").map(PathBuf::from).filter(|dir| dir.is_dir())
}

fn namespaces_work() -> bool {
    static WORK: OnceLock<bool> = OnceLock::new();
    *WORK.get_or_init(|| {
        Command::new("unshare")
            .args(["-mnpuf", "--mount-proc", "true"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })
}

/// A trial that needs `parts`. `run` fails by panicking, as a `#[test]` does.
pub fn trial(name: &str, parts: &[Part], run: impl FnOnce() + Send + 'static) -> Trial {
    let missing: Vec<String> = parts.iter().filter_map(|part| part.missing()).collect();
    if missing.is_empty() {
        return Trial::test(name, move || {
            run();
            Ok(())
        });
    }
    let reason = format!("needs {}", missing.join(", "));
    if std::env::var_os("SSHPROOF_REQUIRE_ALL").is_some() {
        return Trial::test(name, move || Err(Failed::from(format!("{reason}, and SSHPROOF_REQUIRE_ALL is set"))));
    }
    // Run all the same (`--ignored`), it fails: it cannot pass without what it needs.
    let failed = Failed::from(reason.clone());
    Trial::test(name, || Err(failed)).with_kind(reason).with_ignored_flag(true)
}

/// Runs the list as `cargo test` expects a test program without its harness to; the exit code is what it expects too.
pub fn run(trials: Vec<Trial>) -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
