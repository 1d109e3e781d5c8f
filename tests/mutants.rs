//! Damaged input for every reader of package databases, keys and signatures (`fuzz/targets.rs`): none panics, hangs, or takes
//! more memory than its input allows; and most of the damage gets past the first check, where there is something to break.
//!
//! `SSHPROOF_MUTANTS=1000000 cargo test --test mutants` throws that many; without it a slice of them. `SSHPROOF_MUTANTS_SEED`
//! begins elsewhere.

#![allow(
    unsafe_code,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; the allocator counts what the program takes"
)]

mod common;
#[path = "common/rpm_database.rs"]
mod rpm_database;
#[path = "common/rpm_forms.rs"]
mod rpm_forms;
#[path = "../fuzz/targets.rs"]
mod targets;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use common::mimic::{self, Part, corpora, trial};
use sshproof::formats::base64;
use sshproof::formats::rpm::{header::Header, signature, tag};
use targets::TARGETS;

fn main() -> ExitCode {
    // The OpenPGP library's errors would hold the program's own symbols, once read 47 MB.
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("RUST_LIB_BACKTRACE", "0") };
    mimic::run(vec![trial("no_panic_no_hang_no_hoarding", &[Part::Corpora, Part::Program("sqlite3")], mutants)])
}

/// Mutants of the slice that every run takes.
const SLICE: usize = 10_000;
/// Memory that a reader may hold at once: so many times its input, and as much besides.
const TIMES: usize = 40;
const BESIDES: usize = 256 << 10;
/// Longer than that no input of a few kilobytes takes; a machine that stood still is asked again.
const LONGEST: Duration = Duration::from_secs(1);

/// Counts the bytes that this thread holds, and the most that it held.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    let held = HELD.get() + change;
    HELD.set(held);
    MOST.set(MOST.get().max(held));
}

// SAFETY: every call goes to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What one mutant did.
struct Ran {
    deep: bool,
    most: usize,
    time: Duration,
}

fn run(fuzz: fn(&[u8]) -> bool, data: &[u8]) -> Result<Ran, String> {
    let start = Instant::now();
    let before = HELD.get();
    MOST.set(before);
    let deep = catch_unwind(AssertUnwindSafe(|| fuzz(data))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })?;
    Ok(Ran { deep, most: (MOST.get() - before).unsigned_abs(), time: start.elapsed() })
}

fn mutants() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<usize>().unwrap());
    let wanted = number("SSHPROOF_MUTANTS").unwrap_or(SLICE);
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ number("SSHPROOF_MUTANTS_SEED").unwrap_or(0) as u64);
    std::panic::set_hook(Box::new(|_| {}));
    let seeds = seeds();
    assert_eq!(TARGETS.iter().map(|target| target.share).sum::<usize>(), 1000);
    let (mut all, mut all_deep, mut troubles) = (0, 0, Vec::new());
    for (target, seeds) in TARGETS.iter().zip(&seeds) {
        for seed in seeds {
            let sound = run(target.fuzz, seed).unwrap();
            assert!(sound.deep, "a seed of {} is refused", target.name);
        }
        let (mut deep, mut most, mut share) = (0, 0.0_f64, 0);
        let start = Instant::now();
        while share < wanted * target.share / 1000 {
            let data = random.mutant(&seeds[share % seeds.len()]);
            share += 1;
            let trouble = match run(target.fuzz, &data) {
                Err(panic) => Some(format!("panics: {panic}")),
                Ok(ran) if ran.most > TIMES * data.len() + BESIDES => Some(format!("held {} bytes", ran.most)),
                Ok(ran) if ran.time > LONGEST && run(target.fuzz, &data).is_ok_and(|ran| ran.time > LONGEST) => {
                    Some(format!("took {:?}", ran.time))
                }
                Ok(ran) => {
                    deep += usize::from(ran.deep);
                    most = most.max(ran.most.saturating_sub(BESIDES) as f64 / data.len().max(1) as f64);
                    None
                }
            };
            troubles.extend(trouble.map(|what| format!("{}: {what}: {}", target.name, data.escape_ascii())));
            assert!(troubles.len() < 10, "{troubles:#?}");
        }
        let percent = deep * 100 / share.max(1);
        println!("{:28} {share:7} mutants, {percent:3} % past the first check, {:?}", target.name, start.elapsed());
        if most > 0.0 {
            println!("{:28} held {most:.1} times the input and {BESIDES} bytes", "");
        }
        all += share;
        all_deep += deep;
    }
    println!("{all} mutants, {} % past the first check", all_deep * 100 / all);
    assert!(troubles.is_empty(), "{troubles:#?}");
    assert!(all_deep * 2 > all, "{all_deep} of {all} got past the first check");
}

/// Undamaged input, in the order of the targets.
fn seeds() -> Vec<Vec<Vec<u8>>> {
    let headers = vec![sample("openssh-server", 3), sample("glibc", 40)];
    let (database, log) = sqlite_files(&headers);
    let with_log = [&(database.len() as u64).to_be_bytes()[..], &database, &log].concat();
    let blob = rpm_database::blobs("fedora33.rpmdb.sqlite").into_iter().min_by_key(Vec::len).unwrap();
    let genuine = Header::parse(&blob).unwrap();
    let packets = signature::packets(&genuine).unwrap().remove(0);
    let armoured = std::fs::read_to_string(corpora().unwrap().join("keys/RPM-GPG-KEY-fedora-33-primary")).unwrap();
    let body: String =
        armoured.lines().skip_while(|line| !line.is_empty()).take_while(|line| !line.starts_with(['=', '-'])).collect();
    let key = base64::decode(body.as_bytes()).unwrap();
    targets::set_genuine((genuine.signed(), packets.clone(), key.clone()));
    let text = |text: &str| vec![text.as_bytes().to_vec()];
    let capability = [0x0200_0001_u32, 1 << 13, 0, 0, 0].map(u32::to_le_bytes).concat();
    let sum = "d41d8cd98f00b204e9800998ecf8427e";
    vec![
        headers.clone(),
        vec![database],
        vec![with_log],
        vec![rpm_forms::ndb(&headers)],
        vec![rpm_forms::bdb(&headers, false), rpm_forms::bdb(&headers, true)],
        text("1:9.2p1~rc1-2.el9_4 9.2p1^git20240101.abc-2.el9_10"),
        vec![key],
        vec![packets],
        text("aGVsbG8gd29ybGQsIHRoaXMgaXMgYmFzZTY0\n"),
        vec![capability],
        text("= cap_setgid,cap_setuid+ep cap_net_raw=eip-p"),
        text(&format!(
            "Package: a\nStatus: install ok installed\nVersion: 1\nConffiles:\n /etc/x {sum} obsolete\n\nPackage: b\nStatus: hold ok unpacked\n"
        )),
        text(&format!("{sum}  usr/sbin/sshd\n{sum}  etc/x\n")),
        text("/.\n/usr\n/usr/sbin\n/usr/sbin/sshd\n/etc/x\n/etc/ssh\n"),
        text("/usr/bin/ssh\n/usr/bin/ssh.real\n:\n/a\n/b\nc\n"),
        text("root root 4755 /usr/bin/x\n#0 #0 755 /a b\n"),
        text("auto\n/usr/bin/awk\nnawk\n/usr/bin/nawk\n\n/usr/bin/mawk\n5\n/usr/bin/mawk\n\n"),
        text(&format!("{sum}  /etc/ssh/sshd_config\n{sum}  /etc/x\n")),
        text(
            "#\n# here are the per-package modules (the \"Primary\" block)\nauth\t[success=1 default=ignore]\tpam_unix.so\n# here's the fallback if no module succeeds\nauth requisite pam_deny.so\n# and here are more per-package modules (the \"Additional\" block)\nauth optional pam_cap.so\n# end of pam-auth-update config\n",
        ),
    ]
}

/// A header of a package with so many files: all the tags that are read.
fn sample(name: &str, files: usize) -> Vec<u8> {
    let strings =
        |all: Vec<String>| all.into_iter().flat_map(|text| [text.as_bytes(), b"\0"].concat()).collect::<Vec<u8>>();
    let words = |value: u32| value.to_be_bytes().repeat(files);
    let count = u32::try_from(files).unwrap();
    let of = |prefix: &str| strings((0..files).map(|nth| format!("{prefix}{nth}")).collect());
    let same = |text: &str| strings(vec![text.to_owned(); files]);
    let one = |text: &str| strings(vec![text.to_owned()]);
    let region: Vec<(u32, u32, u32, Vec<u8>)> = vec![
        (tag::NAME, 6, 1, one(name)),
        (tag::VERSION, 6, 1, one("9.2p1")),
        (tag::RELEASE, 6, 1, one("1.el9")),
        (tag::EPOCH, 4, 1, 1_u32.to_be_bytes().to_vec()),
        (tag::SOURCE_RPM, 6, 1, one("openssh-9.2p1-1.el9.src.rpm")),
        (tag::FILE_SIZES, 4, count, words(7)),
        (tag::FILE_MODES, 3, count, 0o100_755_u16.to_be_bytes().repeat(files)),
        (tag::FILE_DIGESTS, 8, count, same(&"ab".repeat(32))),
        (tag::FILE_LINKTOS, 8, count, same("")),
        (tag::FILE_FLAGS, 4, count, words(0)),
        (tag::FILE_USERS, 8, count, same("root")),
        (tag::FILE_GROUPS, 8, count, same("root")),
        (tag::FILE_VERIFY_FLAGS, 4, count, words(u32::MAX)),
        (tag::REQUIRE_FLAGS, 4, 2, [12_u32, 8].map(u32::to_be_bytes).concat()),
        (tag::REQUIRE_NAME, 8, 2, strings(vec!["glibc".to_owned(), "openssl-libs(x86-64)".to_owned()])),
        (tag::REQUIRE_VERSION, 8, 2, strings(vec!["2.34".to_owned(), "1:3.0.7-1".to_owned()])),
        (tag::DIR_INDEXES, 4, count, words(0)),
        (tag::BASE_NAMES, 8, count, of("file")),
        (tag::DIR_NAMES, 8, 1, one("/usr/sbin/")),
        (tag::FILE_CAPS, 8, count, same("cap_net_raw=ep")),
        (tag::FILE_DIGEST_ALGO, 4, 1, 8_u32.to_be_bytes().to_vec()),
    ];
    let dribbles: Vec<(u32, u32, u32, Vec<u8>)> = vec![
        (tag::RSA_HEADER, 7, 4, vec![0x88, 2, 4, 0]),
        (tag::SHA256_HEADER, 6, 1, one(&"cd".repeat(32))),
        (tag::OPENPGP, 8, 1, one("iAIEAA==")),
        (tag::FILE_STATES, 1, count, vec![0; files]),
    ];
    let (mut index, mut data) = (Vec::new(), Vec::new());
    let put = |index: &mut Vec<u8>, data: &mut Vec<u8>, rows: &[(u32, u32, u32, Vec<u8>)]| {
        for (tag, kind, count, bytes) in rows {
            data.resize(data.len().next_multiple_of([1, 1, 1, 2, 4, 8].get(*kind as usize).copied().unwrap_or(1)), 0);
            index.extend([*tag, *kind, u32::try_from(data.len()).unwrap(), *count].map(u32::to_be_bytes).concat());
            data.extend_from_slice(bytes);
        }
    };
    put(&mut index, &mut data, &region);
    let trailer = u32::try_from(data.len()).unwrap();
    let inside = u32::try_from(region.len() + 1).unwrap();
    data.extend([63, 7, (inside * 16).wrapping_neg(), 16].map(u32::to_be_bytes).concat());
    put(&mut index, &mut data, &dribbles);
    let head = [
        u32::try_from(region.len() + dribbles.len() + 1).unwrap(),
        u32::try_from(data.len()).unwrap(),
        63,
        7,
        trailer,
        16,
    ];
    [head.map(u32::to_be_bytes).concat(), index, data].concat()
}

/// A database as SQLite writes it, and the log of a change that it has not taken in.
fn sqlite_files(headers: &[Vec<u8>]) -> (Vec<u8>, Vec<u8>) {
    use std::io::Write as _;
    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (dir.path().join("db"), dir.path().join("copy"));
    let hex = |blob: &Vec<u8>| sshproof::model::text::hex(blob);
    let rows: Vec<String> =
        headers.iter().map(|blob| format!("INSERT INTO Packages(blob) VALUES (x'{}');", hex(blob))).collect();
    let names: Vec<String> =
        (0..60).map(|nth| format!("INSERT INTO Basenames VALUES ('file{nth}', {}, 0);", nth % 2 + 1)).collect();
    let sql = format!(
        "PRAGMA page_size = 512; PRAGMA journal_mode = WAL;\n\
         CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL); \
         CREATE TABLE 'Basenames' (key 'TEXT' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL); \
         CREATE INDEX 'Basenames_key_idx' ON 'Basenames'(key ASC);\n{}{}\nPRAGMA wal_checkpoint(TRUNCATE);\n\
         PRAGMA wal_autocheckpoint = 0;\n{}\n.shell cp {} {}\n.shell cp {}-wal {}-wal\n",
        rows.concat(),
        names.concat(),
        rows[0],
        path.display(),
        copy.display(),
        path.display(),
        copy.display()
    );
    let mut child = Command::new("sqlite3")
        .arg(&path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    (std::fs::read(&copy).unwrap(), std::fs::read(dir.path().join("copy-wal")).unwrap())
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 20).unwrap() % limit.max(1)
    }

    /// A copy of `seed` with one to four injuries: bits, bytes, numbers of both byte orders that are at the border of
    /// something, pieces moved; seldom another length.
    fn mutant(&mut self, seed: &[u8]) -> Vec<u8> {
        const BORDERS: [u32; 12] = [0, 1, 2, 7, 16, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
        let mut data = seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(data.len());
            match self.below(32) {
                0 => data.truncate(at),
                1 => {
                    let piece = data[at..data.len().min(at + 1 + self.below(64))].to_vec();
                    data.splice(at..at, piece);
                }
                2..=9 => data[at] ^= 1 << self.below(8),
                10..=15 => data[at] = self.next().to_le_bytes()[3],
                16..=23 => {
                    let value = BORDERS[self.below(BORDERS.len())];
                    let width = [2, 4][self.below(2)];
                    let bytes = if self.below(2) == 0 { value.to_be_bytes() } else { value.to_le_bytes() };
                    let at = at & !(width - 1);
                    let end = data.len().min(at + width);
                    data[at..end].copy_from_slice(&bytes[..end - at]);
                }
                24..=27 => {
                    // A number that is a little off.
                    data[at] = data[at].wrapping_add([1, 255, 4, 252][self.below(4)]);
                }
                _ => {
                    let length = self.below(32.min(data.len() - at)) + 1;
                    let from = self.below(data.len() - length.min(data.len()) + 1);
                    let length = length.min(data.len() - at).min(data.len() - from);
                    data.copy_within(from..from + length, at);
                }
            }
            if data.is_empty() {
                break;
            }
        }
        data
    }
}
