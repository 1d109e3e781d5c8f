//! Scratch roots made of the distribution's own packages, with its dpkg database: what the program will meet, not what we
//! imagine. One is built by mmdebstrap from the machine's configured apt sources and kept under the target folder; every
//! test works on a copy. No service of it ever starts here.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

/// What a Debian machine that one logs in to by SSH has installed, besides the essential packages: the recommended
/// session modules too, so that PAM and NSS name what they name in the field.
const PACKAGES: &[&str] = &[
    "openssh-server",
    "openssh-client",
    "systemd",
    "libpam-systemd",
    "mount",
    "iproute2",
    "libpam-google-authenticator",
];

/// The part of a root whose files are not its own.
const SHARED: &str = "usr/share";

/// A directory tree that can be altered at will; removed when dropped.
pub struct Root {
    dir: tempfile::TempDir,
}

impl Root {
    /// The distribution's openssh-server as its packages leave it, nothing configured.
    pub fn stock() -> Self {
        let root = Self::with_otp_module();
        root.chroot(&["dpkg", "--purge", "libpam-google-authenticator", "libqrencode4"]);
        root
    }

    /// openssh-server with the modules of both kinds of one-time codes, nothing configured.
    pub fn with_otp_modules() -> Self {
        let mut packages = PACKAGES.to_vec();
        packages.push("libpam-oath");
        Self::copy_of(&kept(&key(&packages), sources(), &packages))
    }

    /// openssh-server of another release of the distribution, from the same archive.
    pub fn of_release(release: &str) -> Self {
        Self::copy_of(release_base(release).as_path())
    }

    /// The same with the package of `pam_google_authenticator` installed and not configured.
    pub fn with_otp_module() -> Self {
        Self::copy_of(base())
    }

    /// Documents and translations are the larger half of the files and decide nothing: those are hard links to the base's.
    fn copy_of(base: &Path) -> Self {
        let root = Self::empty();
        let copy = |how: &[&str], from: &Path, but: &str, to: &Path| {
            let entries = fs::read_dir(from).unwrap().map(|entry| entry.unwrap());
            let entries = entries.filter(|entry| entry.file_name() != but).map(|entry| entry.path());
            // `-a` keeps owners, modes, links and extended attributes.
            run(Command::new("cp").arg("-a").args(how).args(entries).arg(to));
        };
        let usr = root.path().join("usr");
        fs::create_dir(&usr).unwrap();
        fs::set_permissions(&usr, fs::metadata(base.join("usr")).unwrap().permissions()).unwrap();
        copy(&["--reflink=auto"], base, "usr", root.path());
        copy(&["--reflink=auto"], &base.join("usr"), "share", &usr);
        run(Command::new("cp").args(["-a", "--link"]).arg(base.join(SHARED)).arg(&usr));
        root
    }

    /// An empty directory, for images that are written by hand.
    pub fn empty() -> Self {
        let dir = tempfile::Builder::new().prefix("root-").tempdir_in(scratch()).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { dir }
    }

    /// Where it lies on this machine.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where `inside`, a path as seen within the root, lies on this machine. Symbolic links are followed as within the
    /// root, the last component's too where it exists.
    pub fn join(&self, inside: &str) -> PathBuf {
        let mut done = PathBuf::new();
        let mut todo: Vec<String> = inside.split('/').rev().map(str::to_owned).collect();
        let mut links = 0;
        while let Some(part) = todo.pop() {
            match part.as_str() {
                "" | "." => {}
                ".." => {
                    done.pop();
                }
                _ => match fs::read_link(self.path().join(&done).join(&part)) {
                    Ok(target) => {
                        links += 1;
                        assert!(links < 40, "{inside} is a loop of links");
                        let target = target.to_str().unwrap().to_owned();
                        if target.starts_with('/') {
                            done = PathBuf::new();
                        }
                        todo.extend(target.split('/').rev().map(str::to_owned));
                    }
                    Err(_) => done.push(part),
                },
            }
        }
        self.path().join(done)
    }

    /// The file's text.
    pub fn read(&self, inside: &str) -> String {
        let path = self.join(inside);
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Writes a file, mode 0644 if it is new, with the directories on the way.
    pub fn write(&self, inside: &str, content: impl AsRef<[u8]>) {
        let path = self.join(inside);
        assert!(!path.starts_with(self.path().join(SHARED)) || !path.exists(), "{inside} is shared with the base");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }

    /// Puts `text` at the end of a file.
    pub fn append(&self, inside: &str, text: &str) {
        self.write(inside, self.read(inside) + text);
    }

    /// Replaces `from`, which must be there, wherever it stands in a file.
    pub fn replace(&self, inside: &str, from: &str, to: &str) {
        let text = self.read(inside);
        assert!(text.contains(from), "{inside} does not contain {from:?}");
        self.write(inside, text.replace(from, to));
    }

    /// Sets permission bits.
    pub fn chmod(&self, inside: &str, mode: u32) {
        fs::set_permissions(self.join(inside), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Sets owner and group.
    pub fn chown(&self, inside: &str, uid: u32, gid: u32) {
        std::os::unix::fs::chown(self.join(inside), Some(uid), Some(gid)).unwrap();
    }

    /// Inverts the lowest bit of the byte at `offset`, in place: inode, size and mode stay.
    pub fn flip(&self, inside: &str, offset: usize) {
        let path = self.join(inside);
        let mut bytes = fs::read(&path).unwrap();
        bytes[offset] ^= 1;
        fs::write(&path, bytes).unwrap();
    }

    /// Inverts the lowest bit of the first byte of `marker`, which must be in the file: a change that alters no code.
    pub fn flip_in(&self, inside: &str, marker: &str) {
        let bytes = fs::read(self.join(inside)).unwrap();
        let at = bytes.windows(marker.len()).position(|window| window == marker.as_bytes());
        self.flip(inside, at.unwrap_or_else(|| panic!("{inside} does not contain {marker:?}")));
    }

    /// Compiles C into a shared library or program within the root, with the compiler of this machine.
    pub fn compile(&self, inside: &str, source: &str, flags: &[&str]) {
        let path = self.join(inside);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = scratch().join(format!("{}.c", self.path().file_name().unwrap().to_str().unwrap()));
        fs::write(&file, source).unwrap();
        run(Command::new("cc").args(["-O1", "-o"]).arg(&path).arg(&file).args(flags));
        fs::remove_file(&file).unwrap();
    }

    /// Runs a program of the root in it and returns its standard output; it must succeed.
    pub fn chroot(&self, command: &[&str]) -> String {
        let mut chroot = Command::new("chroot");
        chroot.arg(self.path()).args(command);
        chroot
            .env_clear()
            .env("PATH", super::namespace::PATH)
            .env("LC_ALL", "C")
            .env("DEBIAN_FRONTEND", "noninteractive");
        run(&mut chroot)
    }

    /// The only file that a pattern such as `/usr/lib/*/security/pam_unix.so` names, as seen within the root. Only
    /// one component may be `*`.
    pub fn find(&self, pattern: &str) -> String {
        let (before, after) = pattern.split_once("/*/").expect("a component that is `*`");
        let mut hits: Vec<String> = fs::read_dir(self.join(before))
            .unwrap()
            .map(|entry| format!("{before}/{}/{after}", entry.unwrap().file_name().to_str().unwrap()))
            .filter(|candidate| self.join(candidate).exists())
            .collect();
        assert_eq!(hits.len(), 1, "{pattern}: {hits:?}");
        hits.pop().unwrap()
    }
}

/// Runs a command to its end and returns its standard output; it must succeed.
pub fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{stdout}{stderr}", output.status);
    stdout
}

/// The one-line apt sources of this machine that come from the distribution itself, empty where apt knows none.
pub fn sources() -> &'static str {
    static SOURCES: OnceLock<String> = OnceLock::new();
    SOURCES.get_or_init(|| {
        let output = Command::new("apt-get")
            .args(["indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"])
            .args(["Created-By: Packages", "Origin: Debian"])
            .output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    })
}

/// The signed lists, the indices and some packages of the distribution's own repository, in one directory as apt names them;
/// or why apt could not bring them.
pub fn repository() -> &'static Result<PathBuf, String> {
    const WANTED: &[&str] = &["openssh-server", "libpam-modules", "libpam-modules-bin"];
    static REPOSITORY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    REPOSITORY.get_or_init(|| {
        let dir = scratch().join("repository");
        let lists = fs::read_dir("/var/lib/apt/lists").map_err(|error| error.to_string())?;
        let names = lists.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let lists: Vec<String> =
            names.filter(|name| name.contains("_InRelease") || name.contains("_Packages")).collect();
        let from = |name: &String| Path::new("/var/lib/apt/lists").join(name);
        let is_same = |name: &String| {
            let sizes = [from(name), dir.join(name)].map(|path| fs::metadata(path).map(|meta| meta.len()).ok());
            sizes[0] == sizes[1]
        };
        if !lists.iter().all(is_same) {
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir_all(&dir).map_err(|error| error.to_string())?;
            let fetch = Command::new("apt-get").args(["--quiet", "download"]).args(WANTED).current_dir(&dir).output();
            let fetch = fetch.map_err(|error| error.to_string())?;
            if !fetch.status.success() {
                return Err(format!("apt-get download: {}", String::from_utf8_lossy(&fetch.stderr).trim()));
            }
            for name in &lists {
                fs::copy(from(name), dir.join(name)).map_err(|error| error.to_string())?;
            }
        }
        Ok(dir)
    })
}

/// Where scratch roots are made: beneath the target folder, so on a file system that keeps owners and modes.
pub fn scratch() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bed");
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// The root that all others are copies of, built once for a list of packages and sources.
fn base() -> &'static Path {
    static BASE: OnceLock<PathBuf> = OnceLock::new();
    BASE.get_or_init(|| kept(&key(PACKAGES), sources(), PACKAGES))
}

/// A name for what is made of these packages and this machine's sources.
fn key(packages: &[&str]) -> String {
    let key = Sha256::digest(format!("{packages:?}\n{}", sources()));
    key.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The same of another release, with openssh and what [`super::namespace`] needs to boot it.
fn release_base(release: &str) -> PathBuf {
    let archive = sources().split_whitespace().nth(1).expect("a source names its archive");
    let packages = ["openssh-server", "openssh-client", "mount"];
    let name = format!("{release}-{}", key(&packages));
    kept(&name, &format!("deb {archive} {release} main\n"), &packages)
}

/// The root `base-{name}`, built unless it is there.
fn kept(name: &str, sources: &str, packages: &[&str]) -> PathBuf {
    let dir = scratch().join(format!("base-{name}"));
    // Test programs of one checkout may run side by side: one builds, the others wait.
    let lock = fs::File::create(scratch().join("lock")).unwrap();
    let _held = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive).map_err(|(_, e)| e).unwrap();
    if !dir.exists() {
        build(&dir, sources, packages);
    }
    assert_eq!(fs::metadata(&dir).unwrap().uid(), 0, "{} belongs to somebody else", dir.display());
    dir
}

/// Builds a root at `dir`, which appears whole or not at all.
fn build(dir: &Path, sources: &str, packages: &[&str]) {
    let fresh = dir.with_extension("fresh");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).unwrap();
    }
    let list = dir.with_extension("list");
    fs::write(&list, sources).unwrap();
    let mut build = Command::new("mmdebstrap");
    build.args(["--quiet", "--mode=root", "--variant=essential", "--format=directory"]);
    build.arg(format!("--include={}", packages.join(",")));
    // The root is scratch: losing it in a crash costs nothing, and syncing each file costs minutes.
    build.arg("--dpkgopt=force-unsafe-io");
    // A mirror may be a snapshot of some weeks ago.
    build.arg("--aptopt=Acquire::Check-Valid-Until \"false\"");
    // Proxies and the like, where this machine needs them.
    let settings = run(Command::new("apt-config").args(["dump", "Acquire::http", "Acquire::https"]));
    build.args(settings.lines().map(|line| format!("--aptopt={line}")));
    // No suite: each line of the sources says its own.
    run(build.arg("").arg(&fresh).arg(&list));
    // mmdebstrap copies these from the machine it runs on.
    fs::write(fresh.join("etc/hostname"), "bed\n").unwrap();
    fs::write(fresh.join("etc/resolv.conf"), "").unwrap();
    fs::rename(&fresh, dir).unwrap();
}
