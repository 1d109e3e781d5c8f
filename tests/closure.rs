//! The closure of a program equals what its root's own loader says: `ld.so --list`, run inside the root, is the oracle.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode};

use common::mimic::{self, Part, trial};
use common::root::{Root, run};
use sshproof::facts::{Look, Role, RootFacts, Want};
use sshproof::knowledge::Knowledge;
use sshproof::model::RootedPath;
use sshproof::observe::files::Looker;
use sshproof::observe::wants::{closure, nss};

fn main() -> ExitCode {
    let compiler = Part::Program("x86_64-linux-gnu-gcc");
    mimic::run(vec![
        trial("programs_of_openssh", &[Part::Packages], programs_of_openssh),
        trial("without_a_cache", &[Part::Packages], without_a_cache),
        trial("search_paths_and_variants", &[Part::Packages, compiler], search_paths_and_variants),
        trial("a_preloaded_library_belongs_to_every_program", &[Part::Packages, compiler], preload),
        trial("a_missing_library_is_a_gap", &[Part::Packages], a_missing_library_is_a_gap),
        trial("modules_that_nsswitch_names", &[Part::Packages, compiler], modules_that_nsswitch_names),
    ])
}

fn path(text: &str) -> RootedPath {
    RootedPath::new(text).unwrap()
}

/// Looks at `programs` and at all that the closure wants, until it wants nothing more.
fn look(root: &Path, programs: &[&str]) -> RootFacts {
    let knowledge = Knowledge::new("2026-01-01", Vec::new());
    let root = sshproof::host::root::Root::open(root, false).unwrap();
    let mut looker = Looker::new(&root, &knowledge, None);
    let mut facts = RootFacts::default();
    let own: Vec<Want> =
        programs.iter().map(|program| Want { path: path(program), role: Role::Server, look: Look::Binary }).collect();
    for round in 0.. {
        assert!(round < 100, "always wants more");
        let wants = [own.clone(), closure::wants(&facts), nss::wants(&facts)].concat();
        if !looker.fulfil(wants, &mut facts.files, &mut |_| {}).unwrap() {
            break;
        }
    }
    facts
}

/// Our closure of `program`, canonical paths within the root.
fn ours(facts: &RootFacts, program: &str) -> BTreeSet<String> {
    let asked = path(program);
    let program = facts.files.canonical(&asked).unwrap_or_else(|| panic!("{program} was not looked at"));
    let closures = closure::closures(facts);
    closures
        .get(program)
        .unwrap_or_else(|| panic!("{program} has no closure"))
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// What the loader says it would map for `program`, canonical paths within the root.
fn loaders(root: &Root, program: &str) -> BTreeSet<String> {
    let listing = root.chroot(&["/lib64/ld-linux-x86-64.so.2", "--list", program]);
    let mut files = BTreeSet::from([root.chroot(&["realpath", "/lib64/ld-linux-x86-64.so.2"]).trim().to_owned()]);
    for line in listing.lines() {
        let found = line.split_once("=> ").map_or(line, |(_, found)| found).trim();
        let found = found.split_once(" (").map_or(found, |(found, _)| found);
        if found.starts_with('/') {
            files.insert(root.chroot(&["realpath", found]).trim().to_owned());
        }
    }
    files
}

fn agree(root: &Root, programs: &[&str]) {
    let facts = look(root.path(), programs);
    for program in programs {
        let (ours, loaders) = (ours(&facts, program), loaders(root, program));
        assert!(loaders.len() > 1, "{program}: {loaders:?}");
        assert_eq!(ours, loaders, "{program}");
    }
    assert_eq!(closure::gaps(&facts), Vec::new());
}

fn programs_of_openssh() {
    let root = Root::stock();
    std::fs::copy(root.join("/usr/sbin/sshd"), root.join("/usr/sbin").join("a renamed\nsshd")).unwrap();
    agree(
        &root,
        &[
            "/usr/sbin/sshd",
            "/usr/sbin/a renamed\nsshd",
            "/usr/bin/ssh",
            "/usr/bin/ssh-agent",
            "/usr/lib/openssh/ssh-keysign",
            "/usr/lib/openssh/sftp-server",
            "/usr/bin/systemctl",
            "/lib/systemd/systemd",
        ],
    );
}

/// The default directories are those of this root's loader.
fn without_a_cache() {
    let root = Root::stock();
    std::fs::remove_file(root.join("/etc/ld.so.cache")).unwrap();
    agree(&root, &["/usr/sbin/sshd", "/usr/bin/ssh", "/usr/bin/systemctl"]);
}

/// Compiles `source` into `output` within the root, with further arguments to the linker; paths there are as the root
/// sees them.
fn compile(root: &Root, output: &str, source: &str, arguments: &[&str]) {
    std::fs::create_dir_all(root.join(output).parent().unwrap()).unwrap();
    let file = root.path().join("tmp/source.c");
    std::fs::write(&file, source).unwrap();
    let mut compiler = Command::new("x86_64-linux-gnu-gcc");
    compiler.arg("-o").arg(root.join(output)).arg(&file).args(arguments);
    run(&mut compiler);
}

fn library(root: &Root, output: &str, arguments: &[&str]) {
    let soname = format!("-Wl,-soname,{}", output.rsplit('/').next().unwrap());
    compile(root, output, "int f(void) { return 1; }", &[&["-shared", "-fPIC", &soname][..], arguments].concat());
}

/// A program that needs the library at `library` within the root.
fn program(root: &Root, output: &str, library: &str, arguments: &[&str]) {
    let library = root.join(library);
    let library = library.to_str().unwrap();
    compile(root, output, "int f(void); int main(void) { return f(); }", &[&[library][..], arguments].concat());
}

fn search_paths_and_variants() {
    let root = Root::stock();
    // RUNPATH with $ORIGIN and `..` through a symbolic link: the kernel follows the link first.
    library(&root, "/srv/deep/lib/liba.so.1", &[]);
    std::fs::create_dir_all(root.join("/srv/deep/bin")).unwrap();
    std::fs::create_dir_all(root.join("/opt")).unwrap();
    std::os::unix::fs::symlink("/srv/deep/bin", root.join("/opt").join("link")).unwrap();
    program(&root, "/usr/bin/runpath", "/srv/deep/lib/liba.so.1", &["-Wl,--enable-new-dtags,-rpath,/opt/link/../lib"]);
    program(
        &root,
        "/srv/deep/bin/origin",
        "/srv/deep/lib/liba.so.1",
        &["-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib"],
    );
    // RPATH of the program serves what its libraries need, RUNPATH does not.
    library(&root, "/srv/chain/libinner.so.1", &[]);
    let inner = root.join("/srv/chain/libinner.so.1");
    library(&root, "/srv/chain/libouter.so.1", &["-Wl,--no-as-needed", inner.to_str().unwrap()]);
    let unresolved = "-Wl,--unresolved-symbols=ignore-all";
    program(
        &root,
        "/usr/bin/rpath",
        "/srv/chain/libouter.so.1",
        &["-Wl,--disable-new-dtags,-rpath,/srv/chain", unresolved],
    );
    // A file of another class stands in the way, and is passed over.
    library(&root, "/srv/first/libb.so.1", &[]);
    let mut foreign = std::fs::read(root.join("/srv/first/libb.so.1")).unwrap();
    foreign[18] = 0xb7;
    std::fs::write(root.join("/srv/first/libb.so.1"), foreign).unwrap();
    library(&root, "/srv/second/libb.so.1", &[]);
    program(
        &root,
        "/usr/bin/foreign",
        "/srv/second/libb.so.1",
        &["-Wl,--enable-new-dtags,-rpath,/srv/first:/srv/second"],
    );
    // A directory that only the cache knows.
    library(&root, "/srv/cached/libc-ached.so.1", &[]);
    root.write("/etc/ld.so.conf.d/test.conf", "/srv/cached\n");
    root.chroot(&["ldconfig"]);
    program(&root, "/usr/bin/cached", "/srv/cached/libc-ached.so.1", &[]);
    // $LIB, and a library named by path.
    library(&root, "/srv/lib/x86_64-linux-gnu/libd.so.1", &[]);
    program(&root, "/usr/bin/lib-token", "/srv/lib/x86_64-linux-gnu/libd.so.1", &["-Wl,-rpath,/srv/$LIB"]);
    agree(
        &root,
        &[
            "/usr/bin/runpath",
            "/srv/deep/bin/origin",
            "/usr/bin/rpath",
            "/usr/bin/foreign",
            "/usr/bin/cached",
            "/usr/bin/lib-token",
        ],
    );

    // Variants for certain processors: which one runs depends on the machine, so all of them and the base are answers.
    library(&root, "/srv/v/libv.so.1", &[]);
    for level in ["x86-64-v2", "x86-64-v3", "x86-64-v4", "x86-64-v99"] {
        library(&root, &format!("/srv/v/glibc-hwcaps/{level}/libv.so.1"), &[]);
        library(&root, &format!("/srv/cached/glibc-hwcaps/{level}/libw.so.1"), &[]);
    }
    library(&root, "/srv/v/tls/haswell/libv.so.1", &[]);
    library(&root, "/srv/cached/libw.so.1", &[]);
    root.chroot(&["ldconfig"]);
    program(&root, "/usr/bin/variants", "/srv/v/libv.so.1", &["-Wl,-rpath,/srv/v"]);
    program(&root, "/usr/bin/cached-variants", "/srv/cached/libw.so.1", &[]);
    let facts = look(root.path(), &["/usr/bin/variants", "/usr/bin/cached-variants"]);
    for (program, base, expected) in
        [("/usr/bin/variants", "/srv/v/libv.so.1", 6), ("/usr/bin/cached-variants", "/srv/cached/libw.so.1", 5)]
    {
        let (ours, loaders) = (ours(&facts, program), loaders(&root, program));
        assert!(loaders.is_subset(&ours), "{program}: {ours:?} lacks some of {loaders:?}");
        let name = base.rsplit('/').next().unwrap();
        let variants: Vec<&String> = ours.iter().filter(|path| path.ends_with(name)).collect();
        assert_eq!(variants.len(), expected, "{program}: {variants:?}");
        assert!(variants.iter().any(|path| *path == base), "{program}: {variants:?}");
        let rest = |set: &BTreeSet<String>| -> BTreeSet<String> {
            set.iter().filter(|path| !path.ends_with(name)).cloned().collect()
        };
        assert_eq!(rest(&ours), rest(&loaders), "{program}");
    }
    assert_eq!(closure::gaps(&facts), Vec::new());
}

fn preload() {
    let root = Root::stock();
    library(&root, "/usr/lib/x86_64-linux-gnu/libinner.so.1", &[]);
    let inner = root.join("/usr/lib/x86_64-linux-gnu/libinner.so.1");
    library(&root, "/srv/libpre.so.1", &["-Wl,--no-as-needed", inner.to_str().unwrap()]);
    root.write("/etc/ld.so.preload", "# not /srv/comment.so\n/srv/libpre.so.1\tlibabsent.so:libinner.so.1\n");
    agree(&root, &["/usr/sbin/sshd"]);
    let facts = look(root.path(), &["/usr/sbin/sshd"]);
    for library in ["/srv/libpre.so.1", "/usr/lib/x86_64-linux-gnu/libinner.so.1"] {
        assert!(ours(&facts, "/usr/sbin/sshd").contains(library), "{library}");
        assert!(facts.files.get(&path(library)).unwrap().roles.contains(&Role::Library), "{library}");
    }
}

fn a_missing_library_is_a_gap() {
    let root = Root::stock();
    let library = root.find("/usr/lib/*/libwrap.so.0");
    std::fs::remove_file(root.path().join(library.trim_start_matches('/'))).unwrap();
    let facts = look(root.path(), &["/usr/sbin/sshd", "/usr/bin/ssh"]);
    let gaps = closure::gaps(&facts);
    let [gap] = &gaps[..] else { panic!("{gaps:?}") };
    assert!(gap.gap.mandatory && gap.gap.reason.starts_with("needs `libwrap.so.0`"), "{gap:?}");
    assert_eq!(gap.gap.subject.to_string(), "/usr/sbin/sshd");
}

fn modules_that_nsswitch_names() {
    let root = Root::stock();
    let directory = "/usr/lib/x86_64-linux-gnu";
    library(&root, "/srv/libneeded.so.1", &[]);
    let needed = root.join("/srv/libneeded.so.1");
    let module = format!("{directory}/libnss_test.so.2");
    library(&root, &module, &["-Wl,--no-as-needed,-rpath,/srv", needed.to_str().unwrap()]);
    root.write("/etc/nsswitch.conf", "passwd: files test\nhosts: files [NOTFOUND=return] dns absent\nsudoers: sss\n");
    library(&root, &format!("{directory}/libnss_sss.so.2"), &[]);
    let facts = look(root.path(), &["/usr/sbin/sshd"]);
    let modules: BTreeSet<String> = facts.files.with_role(Role::NssModule).map(|(path, _)| path.to_string()).collect();
    // `sss` serves a database that libc never asks for; `absent` is passed over; the defaults count where they exist.
    let expected: BTreeSet<String> = ["test", "files", "dns", "compat", "nis"]
        .iter()
        .map(|name| format!("{directory}/libnss_{name}.so.2"))
        .filter(|path| root.join(path).exists())
        .collect();
    assert_eq!(modules, expected);
    assert!(modules.contains(&module), "{modules:?}");
    // What a module needs belongs to the surface too.
    assert!(facts.files.get(&path("/srv/libneeded.so.1")).unwrap().roles.contains(&Role::Library));
    assert_eq!(nss::gaps(&facts), Vec::new());
    assert_eq!(closure::gaps(&facts), Vec::new());
}
