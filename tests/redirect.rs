//! An SSH server in which a call into a library was redirected, without a byte of code changed, is named with symbol, place
//! and where it should lead; its twin on the same host is not.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use common::login::two_factor;
use common::mimic::{self, Part, trial};
use common::namespace::{Host, SSHPROOF};
use common::poke::Victim;
use sshproof::formats::elf::Elf;
use sshproof::formats::elf::binding::Tables;

fn main() -> ExitCode {
    let parts = &[Part::Packages, Part::Namespaces];
    let compiled = &[Part::Packages, Part::Namespaces, Part::Program("cc")];
    let traced = &[Part::Packages, Part::Namespaces, Part::Program("strace")];
    mimic::run(vec![
        trial("a_slot_that_leads_to_another_library_is_named", parts, || redirected(To::OtherLibrary)),
        trial("a_slot_that_leads_to_another_function_of_the_right_library_is_named", parts, || {
            redirected(To::OtherFunction)
        }),
        trial("a_slot_that_leads_into_the_middle_of_a_function_is_named", parts, || redirected(To::Middle)),
        trial("a_slot_that_leads_to_memory_without_a_file_is_named", parts, || redirected(To::Heap)),
        trial("a_slot_of_a_resolver_that_leads_elsewhere_is_named", parts, a_resolver_slot),
        trial("a_preloaded_library_takes_no_part_in_the_binding", compiled, a_preloaded_library),
        trial("a_session_with_its_modules_is_clean", parts, a_session),
        trial("no_address_is_read_but_those_that_may_be", traced, addresses),
    ])
}

const SSHD: &str = "/usr/sbin/sshd";
const SYMBOL: &str = "RSA_public_decrypt";

/// The symbol's value in a library of the host, or another's whose name passes.
fn value(host: &Host, library: &str, wanted: impl Fn(&[u8]) -> bool) -> u64 {
    let bytes = std::fs::read(host.root().join(library)).unwrap();
    let tables = Tables::read(&Elf::parse(&bytes).unwrap()).unwrap();
    let found =
        tables.symbols.iter().find(|symbol| !symbol.is_undefined() && wanted(tables.name(symbol.name).unwrap()));
    found.expect("the library offers it").value
}

/// Address in the file of the word of `module` through which `symbol` is called.
fn slot(host: &Host, module: &str, symbol: &str) -> u64 {
    let bytes = std::fs::read(host.root().join(module)).unwrap();
    let tables = Tables::read(&Elf::parse(&bytes).unwrap()).unwrap();
    let is = |index| tables.name(tables.symbol(index).unwrap().name) == Some(symbol.as_bytes());
    tables.relocations.iter().find(|entry| entry.symbol != 0 && is(entry.symbol)).expect("it is called").address
}

fn two_servers() -> (Host, i32) {
    let host = Host::boot(two_factor());
    host.start_sshd(22, &[], &[SSHD]);
    let pid = host.start_sshd(2222, &[], &[SSHD, "-p", "2222", "-o", "PidFile=none"]);
    host.scan(&[]).assert_clean();
    (host, pid)
}

#[derive(Clone, Copy)]
enum To {
    OtherLibrary,
    OtherFunction,
    Middle,
    Heap,
}

const CRYPTO: &str = "/usr/lib/x86_64-linux-gnu/libcrypto.so.3";

/// The technique of the xz backdoor: the slot of `RSA_public_decrypt` in sshd.
fn redirected(to: To) {
    let (host, pid) = two_servers();
    let victim = Victim::new(host.outside(pid));
    let crypto = victim.base("/libcrypto.so.3");
    let own = crypto + value(&host, CRYPTO, |name| name == SYMBOL.as_bytes());
    let address = victim.base(SSHD) + slot(&host, SSHD, SYMBOL);
    assert_eq!(u64::from_le_bytes(victim.read(address)), own, "the loader bound it");
    let (target, told) = match to {
        To::OtherLibrary => (victim.code("/liblzma.so.5.4.1").start + 0x100, "liblzma.so.5".to_owned()),
        To::OtherFunction => (crypto + value(&host, CRYPTO, |name| name == b"RSA_sign"), "(`RSA_sign`)".to_owned()),
        To::Middle => (own + 4, format!("+{:#x}", own + 4 - crypto)),
        To::Heap => (victim.base("[heap]") + 0x40, "`[heap]`".to_owned()),
    };
    victim.write(address, &target.to_le_bytes());
    for mode in [&[][..], &["--deep"]] {
        let scan = host.scan(mode);
        assert_eq!(
            BTreeSet::from_iter(scan.codes_about(pid)),
            BTreeSet::from(["live/relocation-redirected".to_owned()]),
            "{}",
            scan.troubles()
        );
        let said = scan.troubles();
        for expected in [SYMBOL, SSHD, &told, &format!("should lead to `{CRYPTO}`+{:#x} (`{SYMBOL}`)", own - crypto)] {
            assert!(said.contains(expected), "{expected}: {said}");
        }
    }
    victim.write(address, &own.to_le_bytes());
    host.scan(&[]).assert_clean();
}

/// `memcpy` is chosen by a resolver: which variant is not told by any file, but all words must agree.
fn a_resolver_slot() {
    let (host, pid) = two_servers();
    let victim = Victim::new(host.outside(pid));
    let address = victim.base(SSHD) + slot(&host, SSHD, "memcpy");
    let chosen = u64::from_le_bytes(victim.read(address));
    let libc = victim.code("/libc.so.6");
    assert!(libc.start <= chosen && chosen < libc.end, "memcpy is code of the C library");
    for target in [chosen + 0x10, victim.code("/libcrypto.so.3").start] {
        victim.write(address, &target.to_le_bytes());
        let scan = host.scan(&[]);
        assert_eq!(
            BTreeSet::from_iter(scan.codes_about(pid)),
            BTreeSet::from(["live/relocation-redirected".to_owned()]),
            "{}",
            scan.troubles()
        );
        assert!(scan.troubles().contains("memcpy"), "{}", scan.troubles());
    }
    victim.write(address, &chosen.to_le_bytes());
    host.scan(&[]).assert_clean();
}

/// It defines what sshd calls, so the loader binds sshd to it; sshd wipes its environment, so nothing but the binding and the
/// mapping shows it.
fn a_preloaded_library() {
    let root = two_factor();
    root.compile("/opt/between.so", "int pam_authenticate(void *h, int f) { return 7; }", &["-shared", "-fPIC"]);
    let host = Host::boot(root);
    host.start_sshd(22, &[], &[SSHD]);
    let preload = [("LD_PRELOAD", "/opt/between.so")];
    let pid = host.start_sshd(2222, &preload, &[SSHD, "-p", "2222", "-o", "PidFile=none"]);
    let scan = host.scan(&[]);
    let expected = ["live/foreign-mapping", "live/relocation-redirected"].map(str::to_owned);
    assert_eq!(BTreeSet::from_iter(scan.codes_about(pid)), BTreeSet::from(expected), "{}", scan.troubles());
    for expected in [
        "`pam_authenticate@LIBPAM_1.0`",
        "leads to `/opt/between.so`",
        "should lead to `/usr/lib/x86_64-linux-gnu/libpam.so.0",
    ] {
        assert!(scan.troubles().contains(expected), "{expected}: {}", scan.troubles());
    }
}

/// What PAM and NSS load is bound in scopes of its own.
fn a_session() {
    let host = Host::boot(two_factor());
    host.start_sshd(22, &[], &[SSHD]);
    let server = &host;
    std::thread::scope(|scope| {
        let login = scope.spawn(move || {
            common::login::log_in(
                server,
                22,
                common::login::Offer::KeyAndCode,
                "touch in; while [ -e in ]; do sleep 0.1; done",
            )
        });
        let start = std::time::Instant::now();
        while !server.root().join("/home/alice/in").exists() {
            assert!(start.elapsed().as_secs() < 60, "the login does not come up");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let scan = server.scan(&["--facts-out", "/run/facts.json"]);
        std::fs::remove_file(server.root().join("/home/alice/in")).unwrap();
        assert!(login.join().unwrap().status.success());
        assert_eq!((scan.verdict("live"), scan.mandatory_gaps("live").len()), ("pass", 0), "{}", scan.troubles());
        let facts: serde_json::Value = serde_json::from_str(&server.root().read("/run/facts.json")).unwrap();
        let processes = facts["roots"][0]["processes"].as_array().unwrap();
        let most = processes.iter().filter_map(|process| process["binding"]["modules"].as_u64()).max();
        assert!(processes.len() >= 3 && most > Some(35), "{} processes, {most:?} modules", processes.len());
        for process in processes {
            let numbers = ["words", "symbols"].map(|key| process["binding"][key].as_u64().unwrap());
            assert!(numbers[0] > 20_000 && numbers[1] > 3_000, "{numbers:?}");
            assert!(process["pages"]["examined"].as_u64() > Some(2_000));
        }
    });
}

/// Every read of the memory of a server lies in code, in what is read-only, in a global offset table, or is one of the
/// 40 bytes of an entry in the loader's list.
fn addresses() {
    let host = Host::boot(two_factor());
    let pid = host.start_sshd(22, &[], &[SSHD]);
    let victim = Victim::new(host.outside(pid));
    let outer = Command::new("strace")
        .args(["-f", "-y", "-v", "-s", "0", "-e", "trace=pread64,process_vm_readv", "-o"])
        .arg(host.root().join("/run/strace"))
        .args(host.command(&[SSHPROOF, "scan", "--format", "json"]).get_args().map(std::ffi::OsStr::to_owned).fold(
            vec![std::ffi::OsString::from("nsenter")],
            |mut all, argument| {
                all.push(argument);
                all
            },
        ))
        .output()
        .unwrap();
    assert!(outer.status.success(), "{}", String::from_utf8_lossy(&outer.stderr));
    let trace = std::fs::read_to_string(host.root().join("/run/strace")).unwrap();
    let maps = victim.maps();
    let mut allowed: Vec<(u64, u64)> = Vec::new();
    for line in maps.iter().filter(|line| line.path.starts_with('/') || line.path == "[vdso]") {
        if !line.permissions.contains('w') {
            allowed.push((line.start, line.end));
        }
        // Global offset tables of libraries that bind late lie outside of what is read-only.
        let file: PathBuf = host.root().join(&line.path);
        if let Some(tables) = std::fs::read(file).ok().and_then(|bytes| Tables::read(&Elf::parse(&bytes).ok()?)) {
            let base = victim.base(&line.path);
            let size = |words: &sshproof::formats::elf::binding::tables::Words| words.words.len() as u64 * 8;
            allowed
                .extend(tables.watched.iter().map(|words| (base + words.address, base + words.address + size(words))));
        }
    }
    let is_allowed =
        |start: u64, length: u64| allowed.iter().any(|range| range.0 <= start && start + length <= range.1);
    let mut reads = 0;
    let mut list = 0;
    for line in trace.lines().filter(|line| line.contains(&format!("/{pid}/mem>"))) {
        let (arguments, _) = line.rsplit_once(") = ").unwrap();
        let mut last = arguments.rsplit(", ");
        let number = |text: &str| text.parse::<u64>().unwrap();
        let (offset, length) = (number(last.next().unwrap()), number(last.next().unwrap()));
        reads += 1;
        if is_allowed(offset, length) {
            continue;
        }
        assert_eq!(length, 40, "{line}");
        list += 1;
    }
    // `process_vm_readv(PID, [{iov_base=…, iov_len=…}], 1, [{iov_base=0x…, iov_len=…}, …], N, 0) = …`
    let mut at_once = 0;
    for line in trace.lines().filter(|line| line.contains(&format!("process_vm_readv({pid},"))) {
        let (_, remote) = line.split_once("}], 1, [").unwrap();
        for place in remote.split("{iov_base=0x").skip(1) {
            let (start, length) = place.split_once(", iov_len=").unwrap();
            let length = length.split_once('}').unwrap().0.parse().unwrap();
            assert!(is_allowed(u64::from_str_radix(start, 16).unwrap(), length), "{place} in {line}");
            at_once += 1;
        }
    }
    assert!(at_once > 30, "{at_once} places at once");
    assert!(reads > 20 && (20..64).contains(&list), "{reads} reads, {list} of the loader's list\n{trace}");
}
