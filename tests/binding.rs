//! Our binding of symbols equals that of the real loader, on every symbol, for the distribution's own programs and for
//! libraries built to be difficult: `LD_DEBUG=bindings` of ld.so(8) is the oracle.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use common::mimic::{self, Part, trial};
use sshproof::formats::elf::Elf;
use sshproof::formats::elf::binding::{Binder, Module, Tables, machine, plan, scopes};

/// Programs of the distribution with arguments that make them do little; at least twenty of them must be there.
/// None that changes user or group: of those the loader tells nothing.
const PROGRAMS: [&[&str]; 30] = [
    &["/usr/sbin/sshd", "-V"],
    &["/usr/bin/ssh", "-V"],
    &["/usr/bin/ssh-keygen", "-?"],
    &["/usr/bin/bash", "--version"],
    &["/usr/bin/ls", "--version"],
    &["/usr/bin/cp", "--version"],
    &["/usr/bin/find", "--version"],
    &["/usr/bin/grep", "--version"],
    &["/usr/bin/sed", "--version"],
    &["/usr/bin/tar", "--version"],
    &["/usr/bin/gzip", "--version"],
    &["/usr/bin/xz", "--version"],
    &["/usr/bin/git", "--version"],
    &["/usr/bin/curl", "--version"],
    &["/usr/bin/gpg", "--version"],
    &["/usr/bin/gpgv", "--version"],
    &["/usr/bin/openssl", "version"],
    &["/usr/bin/perl", "-e", "1"],
    &["/usr/bin/python3.11", "-S", "-E", "--version"],
    &["/usr/bin/apt-get", "--version"],
    &["/usr/bin/dpkg", "--version"],
    &["/usr/bin/systemctl", "--version"],
    &["/usr/bin/journalctl", "--version"],
    &["/usr/bin/gdb", "--version"],
    &["/usr/bin/strace", "--version"],
    &["/usr/bin/as", "--version"],
    &["/usr/bin/readelf", "--version"],
    &["/usr/bin/make", "--version"],
    &["/usr/bin/less", "--version"],
    &["/usr/bin/diff", "--version"],
];

const ALLOCATOR: [&[u8]; 4] = [b"malloc", b"calloc", b"realloc", b"free"];

fn main() -> ExitCode {
    let parts = &[Part::Program("cc"), Part::File("/lib64/ld-linux-x86-64.so.2")];
    mimic::run(vec![
        trial("programs_of_the_distribution_bound_at_start", parts, || programs(Bound::AtStart)),
        trial("programs_of_the_distribution_bound_late", parts, || programs(Bound::Late)),
        trial("symbolic_protected_weak_and_indirect_symbols", parts, difficult),
        trial("relative_relocations_packed_as_relr", parts, packed),
        trial("damaged_tables_end", parts, damaged),
    ])
}

/// When the loader is told to bind calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bound {
    AtStart,
    Late,
}

fn programs(bound: Bound) {
    let present: Vec<&[&str]> = PROGRAMS.into_iter().filter(|command| Path::new(command[0]).exists()).collect();
    let mut compared = 0;
    let mut symbols = 0;
    for command in present {
        symbols += same_as_loader(command, &[], bound);
        compared += 1;
    }
    assert!(compared >= 20, "only {compared} of the programs are here");
    assert!(symbols > 10_000, "only {symbols} symbols were compared");
    println!("{compared} programs, {symbols} symbols");
}

/// Symbol → file that defines it, by file that asks, name and version. Versions stand as the loader prints them.
type Bindings = BTreeMap<(PathBuf, Vec<u8>, Vec<u8>), BTreeSet<PathBuf>>;

/// Compares what the loader says with what we compute, both for every symbol of the files loaded at start; how many.
fn same_as_loader(command: &[&str], environment: &[(&str, &str)], bound: Bound) -> usize {
    let mut run = Command::new(command[0]);
    run.args(&command[1..]).env_clear().envs(environment.iter().copied()).env("LD_DEBUG", "files,bindings");
    if bound == Bound::AtStart {
        run.env("LD_BIND_NOW", "1");
    }
    let output = run.stdin(Stdio::null()).stdout(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let list = files(command[0], environment);
    let theirs = theirs(&said, &list);
    let ours = ours(&list);
    let (mut compared, mut unique) = (0, 0);
    for (key, files) in &theirs {
        // What dlsym(3) looks up is no relocation; it is no symbol of ours then.
        let Some(own) = ours.get(key) else { continue };
        // The loader looks these up for itself, in the program's name (glibc elf/dl-minimal.c, `__rtld_malloc_init_real`).
        let also_for_itself = key.0 == list[0] && ALLOCATOR.contains(&key.1.as_slice());
        if also_for_itself && own.is_subset(files) {
            continue;
        }
        // Of a symbol that exists once in a process (`STB_GNU_UNIQUE`) any definition may be the one.
        if own.len() > 1 && files.len() == 1 && key.1.starts_with(b"_Z") && own.is_superset(files) {
            unique += 1;
            continue;
        }
        assert_eq!(own, files, "{command:?}: {} {:?}", key.0.display(), String::from_utf8_lossy(&key.1));
        compared += 1;
    }
    if bound == Bound::AtStart {
        for (key, own) in &ours {
            let name = String::from_utf8_lossy(&key.1);
            assert!(theirs.contains_key(key), "{command:?}: {} {name:?}: only we bind it, to {own:?}", key.0.display());
        }
    }
    assert!(compared > 0 && unique * 20 < compared, "{command:?}: {compared} and {unique} symbols of C++: {said}");
    compared
}

/// The files that the loader maps for a program, in its order, the program first.
fn files(program: &str, environment: &[(&str, &str)]) -> Vec<PathBuf> {
    let output = Command::new("/lib64/ld-linux-x86-64.so.2")
        .args(["--list", program])
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter_map(|line| {
        let path = line.split("=>").last()?.split_whitespace().next()?;
        path.starts_with('/').then(|| PathBuf::from(path))
    });
    std::iter::once(PathBuf::from(program)).chain(lines).collect()
}

/// `binding file A [0] to B [0]: normal symbol `name' [VERSION]`.
fn theirs(said: &str, list: &[PathBuf]) -> Bindings {
    let mut bindings = Bindings::new();
    for line in said.lines() {
        let Some((_, rest)) = line.split_once("binding file ") else { continue };
        let (from, rest) = rest.split_once(" [0] to ").unwrap();
        let (to, rest) = rest.split_once(" [0]: ").unwrap();
        let (_, rest) = rest.split_once('`').unwrap();
        let (name, rest) = rest.split_once('\'').unwrap();
        let version = rest.trim().trim_start_matches('[').trim_end_matches(']');
        let (from, to) = (PathBuf::from(from), PathBuf::from(to));
        if list.contains(&from) {
            let key = (from, name.as_bytes().to_vec(), version.as_bytes().to_vec());
            bindings.entry(key).or_default().insert(to);
        }
    }
    bindings
}

/// Every symbol that a relocation of these files binds.
fn ours(list: &[PathBuf]) -> Bindings {
    let contents: Vec<Vec<u8>> = list.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let tables: Vec<Option<Tables>> =
        contents.iter().map(|bytes| Elf::parse(bytes).ok().and_then(|elf| Tables::read(&elf))).collect();
    let modules: Vec<Module<'_>> = list
        .iter()
        .zip(&tables)
        .map(|(path, tables)| Module {
            tables: tables.as_ref(),
            names: vec![
                path.file_name().unwrap().as_encoded_bytes().to_vec(),
                path.as_os_str().as_encoded_bytes().to_vec(),
            ],
        })
        .collect();
    let scopes = scopes(&modules, &[]);
    assert!(scopes.local.is_empty(), "all of them are loaded at start: {:?}", scopes.local);
    let mut binder = Binder::new(&modules, &scopes);
    let mut bindings = Bindings::new();
    for (index, module) in modules.iter().enumerate() {
        let tables = module.tables.expect("a program of this machine");
        assert_eq!(tables.problem, None, "{}", list[index].display());
        for entry in &tables.relocations {
            let kind = machine::kind(tables.machine, entry.kind).expect("a relocation that is known");
            let symbol = tables.symbol(entry.symbol).unwrap();
            // Not looked up: local ones, and those that nobody else may see.
            let looked_up = symbol.binding() != 0 && !matches!(symbol.visibility(), 1 | 2);
            if entry.symbol == 0 || !looked_up {
                continue;
            }
            let name = tables.name(symbol.name).unwrap().to_vec();
            let version = tables.version(entry.symbol).map(|version| version.name.clone()).unwrap_or_default();
            let found = binder.definitions(index, tables, entry.symbol, kind);
            for definition in found {
                let key = (list[index].clone(), name.clone(), version.clone());
                bindings.entry(key).or_default().insert(list[definition.module].clone());
            }
        }
    }
    bindings
}

/// Compiles a library into `dir`.
fn library(dir: &Path, name: &str, source: &str, flags: &[&str]) {
    let file = dir.join(format!("{name}.c"));
    std::fs::write(&file, source).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-o"]).arg(dir.join(name)).arg(&file).arg("-L").arg(dir).args(flags);
    common::root::run(&mut cc);
}

/// The same names in several files, bound by every rule that is not simply "the first".
fn difficult() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    std::fs::write(at.join("one.map"), "ONE_1 { global: versioned; };\nONE_2 { global: versioned; };\n").unwrap();
    library(
        at,
        "libone.so",
        "int shared_name(void) { return 1; }\nint own(void) { return shared_name(); }\n\
         __asm__(\".symver old, versioned@ONE_1\"); int old(void) { return 1; }\n\
         __asm__(\".symver new, versioned@@ONE_2\"); int new(void) { return 2; }\n",
        &["-shared", "-fPIC", "-Wl,-Bsymbolic", &format!("-Wl,--version-script={}", at.join("one.map").display())],
    );
    library(
        at,
        "libtwo.so",
        "int shared_name(void) { return 2; }\nint call(void) { return shared_name(); }\n\
         __attribute__((visibility(\"protected\"))) int guarded(void) { return 2; }\n\
         int (*address)(void) = guarded;\n\
         static int chosen(void) { return 3; }\nstatic void *choose(void) { return chosen; }\n\
         int indirect(void) __attribute__((ifunc(\"choose\")));\nint use(void) { return indirect(); }\n\
         extern int nowhere(void) __attribute__((weak));\nint maybe(void) { return nowhere ? nowhere() : 0; }\n\
         __thread int local_to_thread = 4; int thread(void) { return local_to_thread; }\n",
        &["-shared", "-fPIC", "-Wl,-z,lazy"],
    );
    let program = "int shared_name(void); int own(void); int call(void); int use(void); int maybe(void); int versioned(void);\n\
                   int thread(void); extern int (*address)(void); int guarded(void) { return 9; }\n\
                   int main(void) { return shared_name() + own() + call() + use() + maybe() + versioned() + thread() + address(); }\n";
    let path = at.join("program");
    for flags in
        [&["-lone", "-ltwo"][..], &["-ltwo", "-lone", "-Wl,-z,now"], &["-lone", "-ltwo", "-Wl,--hash-style=sysv"]]
    {
        library(at, "program", program, flags);
        let environment = [("LD_LIBRARY_PATH", at.to_str().unwrap())];
        for bound in [Bound::AtStart, Bound::Late] {
            same_as_loader(&[path.to_str().unwrap()], &environment, bound);
        }
    }
}

/// `DT_RELR` is decoded to the places that readelf(1) names, and symbols are bound beside it as ever.
fn packed() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let table: Vec<String> = (0..500).map(|index| format!("&data[{}]", index % 7)).collect();
    let source = format!(
        "#include <stdio.h>\nstatic int data[7];\nint *const table[] = {{ {} }};\nchar pad = 1;\nint *far[3] = {{ data, 0, data }};\n\
         int main(void) {{ printf(\"%p\", table[3]); return 0; }}\n",
        table.join(", ")
    );
    library(at, "program", &source, &["-fPIE", "-pie", "-Wl,-z,pack-relative-relocs"]);
    let path = at.join("program");
    let bytes = std::fs::read(&path).unwrap();
    let tables = Tables::read(&Elf::parse(&bytes).unwrap()).unwrap();
    assert!(tables.relr.len() > 500, "{}", tables.relr.len());
    let said = common::root::run(Command::new("readelf").args(["-rW"]).arg(&path));
    let listed: BTreeSet<u64> = said
        .lines()
        .skip_while(|line| !line.contains(".relr.dyn"))
        .take_while(|line| !line.contains(".rela"))
        .filter_map(|line| u64::from_str_radix(line.trim(), 16).ok().filter(|_| line.trim().len() == 16))
        .collect();
    assert!(tables.relr.iter().copied().eq(listed), "{said}");
    same_as_loader(&[path.to_str().unwrap()], &[], Bound::AtStart);
}

/// Files with bytes changed at random, mostly where their tables lie, are read and planned for without a panic and without
/// end.
fn damaged() {
    let dir = tempfile::tempdir().unwrap();
    library(
        dir.path(),
        "libtwo.so",
        "int shared_name(void) { return 2; }\nint call(void) { return shared_name(); }\n",
        &["-shared", "-fPIC"],
    );
    let clean = std::fs::read(dir.path().join("libtwo.so")).unwrap();
    // xorshift64: the same damage every time.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let (mut read, mut planned) = (0, 0);
    for _ in 0..5_000 {
        let mut bytes = clean.clone();
        for _ in 0..=next() % 8 {
            let reach = if next() % 2 == 0 { 0x800 } else { bytes.len() as u64 };
            let at = usize::try_from(next() % reach).unwrap();
            bytes[at] = if next() % 4 == 0 { 0xff } else { next().to_le_bytes()[0] };
        }
        let Some(tables) = Elf::parse(&bytes).ok().and_then(|elf| Tables::read(&elf)) else { continue };
        read += 1;
        let modules = [Module { tables: Some(&tables), names: vec![b"libtwo.so".to_vec()] }];
        let plan = plan(&modules, &scopes(&modules, &[]));
        planned += usize::from(!plan.slots[0].is_empty());
    }
    assert!(read > 1_000 && planned > 1_000, "{read} read, {planned} planned");
}
