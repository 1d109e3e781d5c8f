//! A host of one's own: a scratch [`Root`] as `/` in new mount, pid, network and host name namespaces, with `/proc`,
//! `/dev` and a loopback interface that nobody else sees. It ends with everything in it when dropped.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::report::Scan;
use super::root::Root;

/// Where a host's programs lie.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where the program under test is mounted within the host.
pub const SSHPROOF: &str = "/run/sshproof-under-test";

/// Longest wait for something that takes a fraction of a second on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes the root `/`, then stays as process 1 and reaps what is orphaned, as an init does.
const BOOT: &str = r#"
set -e
root=$1 program=$2
mount --make-rprivate /
case $3 in
same) mount --bind "$root" "$root" ;;
overlay)
    mkdir -p "$root/mnt"
    mount -t tmpfs scratch "$root/mnt"
    mkdir "$root/mnt/upper" "$root/mnt/work"
    mount -t overlay -o "lowerdir=$root,upperdir=$root/mnt/upper,workdir=$root/mnt/work" overlay "$root"
    ;;
squashfs)
    # As a diskless node boots: an image that nobody can write to, and what is changed in memory.
    mkdir -p "$root/mnt"
    mount -t tmpfs -o mode=0755 scratch "$root/mnt"
    mkdir "$root/mnt/upper" "$root/mnt/work" "$root/mnt/lower"
    mksquashfs "$root" "$root/mnt/image" -noI -noD -noF -noX -no-progress -quiet -wildcards -e 'mnt/*' > /dev/null
    mount -t squashfs -o loop,ro "$root/mnt/image" "$root/mnt/lower"
    rm "$root/mnt/image"
    mount -t overlay -o "lowerdir=$root/mnt/lower,upperdir=$root/mnt/upper,workdir=$root/mnt/work" overlay "$root"
    ;;
disk)
    # The programs on a disk of their own, whose blocks can be changed beneath them.
    mke2fs -q -F -t ext4 -d "$root/usr/sbin" "$root/srv/programs.img" 96M > /dev/null
    mount --bind "$root" "$root"
    mount -o loop,ro "$root/srv/programs.img" "$root/usr/sbin"
    ;;
tmpfs)
    mkdir -p "$root/mnt"
    mount -t tmpfs -o mode=0755 memory "$root/mnt"
    tar -C "$root" --one-file-system --exclude ./mnt/'*' -cf - . | tar -C "$root/mnt" -xpf -
    root=$root/mnt
    ;;
esac
mkdir -p "$root/proc" "$root/dev" "$root/run"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o mode=0755,nosuid dev "$root/dev"
mknod -m 0666 "$root/dev/null" c 1 3
mknod -m 0666 "$root/dev/zero" c 1 5
mknod -m 0666 "$root/dev/random" c 1 8
mknod -m 0666 "$root/dev/urandom" c 1 9
mknod -m 0666 "$root/dev/tty" c 5 0
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mkdir -p "$root/run/sshd" "$root/run/before"
: > "$root/run/sshproof-under-test"
mount --bind "$program" "$root/run/sshproof-under-test"
hostname bed
ip link set lo up
cd "$root"
pivot_root . run/before
cd /
umount -l /run/before
rmdir /run/before
echo ready
while :; do sleep 3600 & wait $!; done
"#;

/// What a host's root lies on.
#[derive(Clone, Copy, Debug)]
pub enum On {
    /// The file system of the scratch directory.
    Same,
    /// An overlay whose lower layer is the scratch directory and whose upper one is memory, as live images and diskless
    /// nodes have it.
    Overlay,
    /// A copy in memory.
    Tmpfs,
    /// The scratch directory, with `/usr/sbin` on an ext4 in the file `/srv/programs.img`.
    Disk,
    /// The same as [`On::Overlay`] with a squashfs image of the scratch directory as the lower layer.
    Squashfs,
}

/// A running host.
pub struct Host {
    root: Root,
    unshare: Child,
    init: i32,
}

impl Host {
    /// Boots `root` with the program that cargo built for this test.
    pub fn boot(root: Root) -> Self {
        Self::boot_with(root, super::program::program())
    }

    /// Boots `root` with another build of the program.
    pub fn boot_with(root: Root, program: &Path) -> Self {
        Self::boot_on(root, program, On::Same)
    }

    /// The same with its root on another file system; what is changed in [`Host::root`] afterwards is nothing to it.
    pub fn boot_on(root: Root, program: &Path, on: On) -> Self {
        let mut unshare = Command::new("unshare")
            .args(["-mnpuf", "--kill-child", "sh", "-c", BOOT, "boot"])
            .arg(root.path())
            .arg(program)
            .arg(match on {
                On::Same => "same",
                On::Overlay => "overlay",
                On::Tmpfs => "tmpfs",
                On::Disk => "disk",
                On::Squashfs => "squashfs",
            })
            .env("PATH", PATH)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(unshare.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        if line != "ready\n" {
            // It may have said something else and go on.
            let _ = unshare.kill();
            let mut said = line;
            unshare.stderr.as_mut().unwrap().read_to_string(&mut said).unwrap();
            panic!("the host did not boot: {said}");
        }
        let pid = unshare.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        let init = children.split_whitespace().next().expect("unshare keeps its child").parse().unwrap();
        Self { root, unshare, init }
    }

    /// The root it runs on; what is changed there is changed for the host.
    pub const fn root(&self) -> &Root {
        &self.root
    }

    /// A command within the host, with the environment of a boot.
    pub fn command(&self, command: &[&str]) -> Command {
        self.command_as(0, command)
    }

    /// The same as an ordinary user, without any further group.
    pub fn command_as(&self, uid: u32, command: &[&str]) -> Command {
        let mut enter = Command::new("nsenter");
        enter.args(["-m", "-u", "-n", "-p", "-t", &self.init.to_string()]);
        if uid != 0 {
            enter.args(["-S", &uid.to_string(), "-G", &uid.to_string()]);
        }
        enter.arg("--").args(command);
        enter.env_clear().env("PATH", PATH).env("LC_ALL", "C").env("HOME", "/root").stdin(Stdio::null());
        enter
    }

    /// Runs a command within the host to its end.
    pub fn run(&self, command: &[&str]) -> Output {
        self.command(command).output().unwrap()
    }

    /// The same; it must succeed. Returns its standard output.
    pub fn must(&self, command: &[&str]) -> String {
        super::root::run(&mut self.command(command))
    }

    /// Starts an sshd with these arguments in the background, as its unit would, and waits until it listens on `port`.
    /// Returns its pid within the host.
    pub fn start_sshd(&self, port: u16, environment: &[(&str, &str)], arguments: &[&str]) -> i32 {
        assert!(!self.listens(port), "port {port} is taken");
        let mut command = self.command(arguments);
        let output = command.envs(environment.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        let start = Instant::now();
        while !self.listens(port) {
            assert!(start.elapsed() < PATIENCE, "{arguments:?} does not listen on {port}");
            std::thread::sleep(Duration::from_millis(20));
        }
        let inodes =
            self.must(&["sh", "-c", "for p in /proc/[0-9]*; do ls -l $p/fd 2>/dev/null | sed \"s|^|$p |\"; done"]);
        let inode = self.listening_inode(port).unwrap();
        let owner =
            inodes.lines().find(|line| line.ends_with(&format!("socket:[{inode}]"))).expect("a listener has an owner");
        owner.split_whitespace().next().unwrap().trim_start_matches("/proc/").parse().unwrap()
    }

    /// The number that a process of the host, or of a container in it, has on this machine: the outermost in `NSpid` of proc(5),
    /// `status`; the second is that of the host. Process 1 of the host is its ancestor.
    pub fn outside(&self, pid: i32) -> i32 {
        let status = |outer: i32| std::fs::read_to_string(format!("/proc/{outer}/status")).ok();
        let numbers = |outer: i32, key: &str| -> Option<Vec<i32>> {
            let status = status(outer)?;
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().map(|number| number.parse().ok()).collect()
        };
        let parent = |outer: &i32| numbers(*outer, "PPid:")?.first().copied();
        let here = |outer: i32| std::iter::successors(Some(outer), parent).any(|ancestor| ancestor == self.init);
        let entries = std::fs::read_dir("/proc").unwrap();
        let all = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
        let is = |outer: &i32| numbers(*outer, "NSpid:").is_some_and(|numbers| numbers.get(1) == Some(&pid));
        let found = all.filter(is).find(|outer| here(*outer));
        found.expect("a process of the host is one of this machine")
    }

    /// Whether anything listens on TCP `port`.
    pub fn listens(&self, port: u16) -> bool {
        self.listening_inode(port).is_some()
    }

    /// The inode of a TCP socket that listens on `port`, from the host's `/proc/net/tcp` (proc(5)): the second column is
    /// address:port in hexadecimal, the fourth the state, 0A for listening, the tenth the inode.
    fn listening_inode(&self, port: u16) -> Option<u64> {
        let table = std::fs::read_to_string(format!("/proc/{}/net/tcp", self.init)).unwrap();
        table.lines().skip(1).find_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let here = columns[1].rsplit(':').next() == Some(format!("{port:04X}").as_str());
            (here && columns[3] == "0A").then(|| columns[9].parse().unwrap())
        })
    }

    /// Runs `sshproof scan --format json` with further arguments as root.
    pub fn scan(&self, arguments: &[&str]) -> Scan {
        self.scan_as(0, arguments)
    }

    /// The same as an ordinary user.
    pub fn scan_as(&self, uid: u32, arguments: &[&str]) -> Scan {
        let all: Vec<&str> = [SSHPROOF, "scan", "--format", "json"].iter().chain(arguments).copied().collect();
        Scan::of(&self.command_as(uid, &all).output().unwrap())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // `--kill-child` takes process 1 with it, and the kernel the rest. A host that is gone already is no trouble.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
        // unshare's death signal is on its way to process 1: the root can be removed when that is gone.
        let start = Instant::now();
        while Path::new(&format!("/proc/{}", self.init)).exists() && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
