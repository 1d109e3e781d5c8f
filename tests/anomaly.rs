//! The structural rules against real files: none may accuse what a distributor built, each must find what it was made for
//! in a program that still runs, and no damage makes the parser fail.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use common::mimic::{self, Part, trial};
use common::root::{run, scratch};
use sshproof::formats::elf::{Elf, ElfProblem, ElfRecord, Rule, parse};

fn main() -> ExitCode {
    let compiler = Part::Program("cc");
    let mut trials = vec![
        trial("no_hit_on_any_package_file", &[Part::Program("dpkg")], no_hit_on_any_package_file),
        trial("a_program_as_built_breaks_no_rule", &[compiler], a_program_as_built_breaks_no_rule),
        trial("mutations_never_panic_nor_hang", &[compiler], mutations_never_panic_nor_hang),
        trial("names_agree_with_goblin", &[Part::Program("dpkg")], names_agree_with_goblin),
    ];
    for case in EDITS {
        trials.push(trial(&format!("edited_{}", case.name), &[compiler], || edited(case)));
    }
    for case in BUILDS {
        trials.push(trial(&format!("built_{}", case.name), &[compiler], || built(case)));
    }
    for case in PATCHES {
        let parts = [compiler, Part::Program("patchelf")];
        trials.push(trial(&format!("patched_{}", case.name), &parts, || patched(case)));
    }
    mimic::run(trials)
}

// ---- What distributors build ----

/// Packages of other makers that install into the same database. The rules are about files that decide logins; these are
/// bundles whose makers use the very tools that the rules look for (patchelf, several text segments).
const VENDORS: [&str; 3] = ["google-cloud-", "kubectl", "nodejs"];

/// Every regular file that a package of this machine owns, once, detached debugging information apart.
fn package_files() -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for entry in std::fs::read_dir("/var/lib/dpkg/info").unwrap() {
        let list = entry.unwrap().path();
        let name = list.file_name().unwrap().to_str().unwrap();
        if !name.ends_with(".list") || VENDORS.iter().any(|vendor| name.starts_with(vendor)) {
            continue;
        }
        for path in std::fs::read_to_string(&list).unwrap().lines().map(PathBuf::from) {
            let Ok(meta) = std::fs::symlink_metadata(&path) else { continue };
            if meta.is_file() && !path.starts_with("/usr/lib/debug") && seen.insert((meta.dev(), meta.ino())) {
                files.insert(path);
            }
        }
    }
    files
}

/// The false-positive gate. Object files and kernel modules are parsed too, the rules do not speak about them.
fn no_hit_on_any_package_file() {
    let (mut elf, mut judged, mut wrong) = (0, 0, BTreeMap::<Rule, Vec<String>>::new());
    let (mut bytes_parsed, mut took) = (0, Duration::ZERO);
    for path in package_files() {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let start = Instant::now();
        let parsed = parse(&bytes);
        if parsed != Err(ElfProblem::NotElf) {
            took += start.elapsed();
            bytes_parsed += bytes.len();
        }
        match parsed {
            Err(ElfProblem::NotElf) => {}
            Err(problem) => panic!("{}: {problem}", path.display()),
            Ok(record) => {
                elf += 1;
                judged += u32::from(matches!(record.kind, 2 | 3));
                assert!(record.problems.is_empty(), "{}: {:?}", path.display(), record.problems);
                assert!(record.also_loads.is_empty(), "{}: {:?}", path.display(), record.also_loads);
                let size = serde_json::to_string(&record).unwrap().len();
                assert!(size < 16_384, "{}: its record has {size} bytes", path.display());
                for anomaly in record.anomalies {
                    wrong.entry(anomaly.rule).or_default().push(format!("{} {}", path.display(), anomaly.detail));
                }
            }
        }
    }
    eprintln!("{elf} ELF files of packages, {judged} programs and libraries, {bytes_parsed} bytes parsed in {took:?}");
    assert!(judged >= 200, "only {judged} files were judged");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What we read from memory as the loader does, goblin reads from the same files in its own way.
fn names_agree_with_goblin() {
    let mut compared = 0;
    for path in package_files().iter().filter(|path| path.starts_with("/usr/lib/x86_64-linux-gnu")) {
        let Ok(bytes) = std::fs::read(path) else { continue };
        let Ok(theirs) = goblin::elf::Elf::parse(&bytes) else { continue };
        let ours = Elf::parse(&bytes).unwrap();
        let record = ours.record();
        let (needed, soname): (Vec<String>, _) =
            (theirs.libraries.iter().map(|name| (*name).to_owned()).collect(), theirs.soname.map(str::to_owned));
        assert_eq!((&record.needed, &record.soname), (&needed, &soname), "{}", path.display());
        let names = |import: bool| -> BTreeSet<String> {
            let symbols = theirs.dynsyms.iter().filter(|s| (s.st_shndx == 0) == import && s.st_bind() != 0);
            symbols
                .filter_map(|symbol| theirs.dynstrtab.get_at(symbol.st_name))
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let own = |names: Vec<&[u8]>| -> BTreeSet<String> {
            names.into_iter().map(|name| String::from_utf8(name.to_vec()).unwrap()).collect()
        };
        assert_eq!(own(ours.exports().collect()), names(false), "{}", path.display());
        assert!(own(ours.imports().collect()).is_superset(&names(true)), "{}", path.display());
        compared += 1;
    }
    assert!(compared > 100, "only {compared} files were compared");
}

// ---- Files made to break one rule ----

/// What `main` returns, and what injected code exits with: whoever runs an edited program sees that it still works.
const EXIT: i32 = 7;

const PROGRAM: &str = "int puts(const char *); int main(void) { return puts(\"\") < 0 ? 1 : 7; }";

/// `exit(7)`: mov $60,%eax; mov $7,%edi; syscall.
const PAYLOAD: [u8; 12] = [0xb8, 60, 0, 0, 0, 0xbf, 7, 0, 0, 0, 0x0f, 0x05];

fn scratch_file(name: &str) -> PathBuf {
    let dir = scratch().join("anomaly");
    std::fs::create_dir_all(&dir).unwrap();
    dir.join(name)
}

fn compile(name: &str, source: &str, arguments: &[&str]) -> Vec<u8> {
    let (input, output) = (scratch_file(&format!("{name}.c")), scratch_file(name));
    std::fs::write(&input, source).unwrap();
    run(Command::new("cc").arg("-o").arg(&output).arg(&input).arg("-s").args(arguments));
    std::fs::read(&output).unwrap()
}

fn program() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| compile("program", PROGRAM, &[]))
}

fn library() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        compile("library", "int exported(void) { return 1; } int second(void) { return 2; }", &["-shared", "-fPIC"])
    })
}

fn rules(record: &ElfRecord) -> BTreeSet<Rule> {
    record.anomalies.iter().map(|anomaly| anomaly.rule).collect()
}

fn exit_code(name: &str, bytes: &[u8]) -> Option<i32> {
    let path = scratch_file(name);
    std::fs::write(&path, bytes).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    Command::new(&path).stdout(std::process::Stdio::null()).status().unwrap().code()
}

fn expect(bytes: &[u8], expected: &[Rule]) {
    let record = parse(bytes).unwrap();
    assert_eq!(rules(&record), expected.iter().copied().collect(), "{:#?}", record.anomalies);
}

fn a_program_as_built_breaks_no_rule() {
    expect(program(), &[]);
    expect(library(), &[]);
    assert_eq!(exit_code("clean", program()), Some(EXIT));
}

/// An ELF file of this machine under the knife: 64-bit, little-endian.
struct Image(Vec<u8>);

impl Image {
    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.0[at..at + 8].try_into().unwrap())
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn put64(&mut self, at: usize, value: u64) {
        self.put(at, &value.to_le_bytes());
    }

    /// Offset of the program header that `pick` chooses by type and flags.
    fn segment(&self, pick: impl Fn(u32, u32) -> bool) -> usize {
        let elf = Elf::parse(&self.0).unwrap();
        let index = elf.segments().iter().position(|segment| pick(segment.kind, segment.flags)).unwrap();
        usize::try_from(elf.header().e_phoff).unwrap() + index * 56
    }

    fn code(&self) -> usize {
        self.segment(|kind, flags| kind == 1 && flags & 1 != 0)
    }

    /// Address, file offset and size of a section, and the offset of its header.
    fn section(&self, name: &str) -> (u64, usize, usize, usize) {
        let elf = Elf::parse(&self.0).unwrap();
        let index = elf.sections().iter().position(|section| section.name == name.as_bytes()).unwrap();
        let section = elf.sections()[index];
        let header = usize::try_from(elf.header().e_shoff).unwrap() + (index + 1) * 64;
        (section.address, section.offset.try_into().unwrap(), section.size.try_into().unwrap(), header)
    }

    /// Offset of the dynamic entry with this tag.
    fn dynamic(&self, tag: u64) -> usize {
        let (_, offset, size, _) = self.section(".dynamic");
        (offset..offset + size).step_by(16).find(|at| self.u64(*at) == tag).unwrap()
    }

    /// Lets execution begin at `address`.
    fn enter(&mut self, address: u64) {
        self.put64(24, address);
    }
}

struct Edit {
    name: &'static str,
    /// Exactly these rules fire.
    rules: &'static [Rule],
    /// Whether the edited program still runs to its end.
    runs: bool,
    edit: fn(&mut Image),
}

const EDITS: &[Edit] = &[
    Edit {
        name: "note_to_load",
        rules: &[Rule::EntryPoint, Rule::ExtraCodeSegment, Rule::CodeInGap, Rule::SectionTable],
        runs: true,
        edit: |image| {
            let header = image.segment(|kind, _| kind == 4);
            image.0.resize(image.0.len().next_multiple_of(4096), 0);
            let offset = u64::try_from(image.0.len()).unwrap();
            image.0.extend(PAYLOAD);
            let address = 0x40_0000 + offset;
            image.put(header, &[1, 0, 0, 0, 5, 0, 0, 0]);
            let size = u64::try_from(PAYLOAD.len()).unwrap();
            for (index, value) in [offset, address, address, size, size, 4096].into_iter().enumerate() {
                image.put64(header + 8 + index * 8, value);
            }
            image.enter(address);
        },
    },
    Edit {
        name: "code_segment_grown_into_its_padding",
        rules: &[Rule::EntryPoint, Rule::CodeInGap],
        runs: true,
        edit: |image| {
            let header = image.code();
            let (offset, address, size) = (image.u64(header + 8), image.u64(header + 16), image.u64(header + 32));
            image.put(usize::try_from(offset + size).unwrap(), &PAYLOAD);
            let grown = size + u64::try_from(PAYLOAD.len()).unwrap();
            image.put64(header + 32, grown);
            image.put64(header + 40, grown);
            image.enter(address + size);
        },
    },
    Edit {
        name: "code_after_the_segment_on_its_page",
        rules: &[Rule::EntryPoint, Rule::CodeInGap],
        runs: true,
        edit: |image| {
            let header = image.code();
            let (offset, address, size) = (image.u64(header + 8), image.u64(header + 16), image.u64(header + 32));
            image.put(usize::try_from(offset + size).unwrap(), &PAYLOAD);
            image.enter(address + size);
        },
    },
    Edit {
        name: "code_between_sections",
        rules: &[Rule::CodeInGap],
        runs: true,
        edit: |image| {
            let (_, offset, size, _) = image.section(".init");
            image.put(offset + size, &[0xc3]);
        },
    },
    Edit {
        name: "entry_in_another_section",
        rules: &[Rule::EntryPoint],
        runs: false,
        edit: |image| {
            let address = image.section(".fini").0;
            image.enter(address);
        },
    },
    Edit {
        name: "writable_code",
        rules: &[Rule::WritableCode],
        runs: true,
        edit: |image| {
            let header = image.code();
            image.put(header + 4, &[7]);
        },
    },
    Edit {
        name: "no_section_headers",
        rules: &[Rule::NoSectionHeaders, Rule::AppendedData],
        runs: true,
        edit: |image| {
            image.put64(40, 0);
            image.put(60, &[0; 4]);
        },
    },
    Edit { name: "overlay", rules: &[Rule::AppendedData], runs: true, edit: |image| image.0.extend(b"payload") },
    Edit { name: "zero_overlay", rules: &[Rule::RewrittenNames], runs: true, edit: |image| image.0.extend([0; 8]) },
    Edit {
        name: "mark_of_upx",
        rules: &[Rule::AppendedData, Rule::Packed],
        runs: true,
        edit: |image| image.0.extend(b"UPX!\0\0\0\0"),
    },
    Edit {
        name: "section_table_outside_the_file",
        rules: &[Rule::NoSectionHeaders, Rule::HiddenFromTools],
        runs: true,
        edit: |image| image.put64(40, 0x7fff_ffff_ffff),
    },
    Edit {
        name: "too_many_sections",
        rules: &[Rule::NoSectionHeaders, Rule::HiddenFromTools],
        runs: true,
        edit: |image| image.put(60, &[0xff, 0xfe]),
    },
    Edit {
        name: "a_section_outside_the_file",
        rules: &[Rule::HiddenFromTools],
        runs: true,
        edit: |image| {
            let header = image.section(".comment").3;
            image.put64(header + 24, u64::MAX - 64);
        },
    },
    Edit {
        name: "executable_stack",
        rules: &[Rule::ExecutableStack],
        runs: true,
        edit: |image| {
            let header = image.segment(|kind, _| kind == 0x6474_e551);
            image.put(header + 4, &[7]);
        },
    },
    Edit {
        name: "no_word_about_the_stack",
        rules: &[Rule::ExecutableStack],
        runs: true,
        edit: |image| {
            let header = image.segment(|kind, _| kind == 0x6474_e551);
            image.put(header, &[0; 4]);
        },
    },
    Edit {
        name: "mark_in_the_header",
        rules: &[Rule::HeaderPadding],
        runs: true,
        edit: |image| image.put(15, &[0x2a]),
    },
    Edit {
        name: "initialiser_outside_text",
        rules: &[Rule::Initialiser],
        runs: true,
        edit: |image| {
            let (slot, offset, ..) = image.section(".init_array");
            let target = image.section(".fini").0;
            let (_, table, size, _) = image.section(".rela.dyn");
            let entry = (table..table + size).step_by(24).find(|at| image.u64(*at) == slot).unwrap();
            image.put64(entry + 16, target);
            image.put64(offset, target);
        },
    },
    Edit {
        name: "initialisers_elsewhere",
        rules: &[Rule::Initialiser],
        runs: false,
        edit: |image| {
            let entry = image.dynamic(25);
            let elsewhere = image.u64(entry + 8) + 8;
            image.put64(entry + 8, elsewhere);
        },
    },
    Edit {
        name: "text_relocations",
        rules: &[Rule::TextRelocations],
        runs: true,
        edit: |image| {
            let entry = image.dynamic(21);
            image.put64(entry, 22);
        },
    },
    Edit {
        name: "dynamic_segment_elsewhere_in_the_file",
        rules: &[Rule::SegmentTable],
        runs: true,
        edit: |image| {
            let header = image.segment(|kind, _| kind == 2);
            image.put64(header + 8, 64);
        },
    },
    Edit {
        name: "two_relro_segments",
        rules: &[Rule::SegmentTable],
        runs: true,
        edit: |image| {
            let header = image.segment(|kind, _| kind == 0x6474_e553);
            let relro = image.segment(|kind, _| kind == 0x6474_e552);
            let copy = image.0[relro..relro + 56].to_vec();
            image.put(header, &copy);
        },
    },
    Edit {
        name: "overlapping_sections",
        rules: &[Rule::SectionTable],
        runs: true,
        edit: |image| {
            let (.., size, header) = image.section(".rodata");
            image.put64(header + 32, u64::try_from(size).unwrap() + 64);
        },
    },
    Edit {
        name: "dynamic_strings_that_are_not_the_section",
        rules: &[Rule::DynamicTable],
        runs: true,
        edit: |image| {
            let (.., header) = image.section(".dynstr");
            let (address, offset) = (image.u64(header + 16), image.u64(header + 24));
            let size = image.u64(header + 32);
            image.put64(header + 16, address + 1);
            image.put64(header + 24, offset + 1);
            image.put64(header + 32, size - 1);
        },
    },
    Edit {
        name: "a_version_that_does_not_exist",
        rules: &[Rule::DynamicTable],
        runs: false,
        edit: |image| {
            let (_, offset, size, _) = image.section(".gnu.version");
            image.put(offset + size - 2, &[99, 0]);
        },
    },
];

fn edited(case: &'static Edit) {
    let mut image = Image(program().to_vec());
    (case.edit)(&mut image);
    expect(&image.0, case.rules);
    if case.runs {
        assert_eq!(exit_code(&format!("edited-{}", case.name), &image.0), Some(EXIT));
    }
}

struct Build {
    name: &'static str,
    rules: &'static [Rule],
    source: &'static str,
    arguments: &'static [&'static str],
}

const BUILDS: &[Build] = &[
    Build {
        name: "with_an_executable_stack",
        rules: &[Rule::ExecutableStack],
        source: PROGRAM,
        arguments: &["-Wl,-z,execstack"],
    },
    Build {
        name: "without_a_build_id",
        rules: &[Rule::NoBuildId],
        source: PROGRAM,
        arguments: &["-Wl,--build-id=none"],
    },
    Build {
        name: "with_a_foreign_runpath",
        rules: &[Rule::SearchPath],
        source: PROGRAM,
        arguments: &["-Wl,-rpath,/tmp/x"],
    },
    Build {
        name: "with_a_runpath_of_the_current_directory",
        rules: &[Rule::SearchPath],
        source: PROGRAM,
        arguments: &["-Wl,-rpath,/usr/lib:"],
    },
    Build {
        name: "with_a_system_runpath",
        rules: &[],
        source: PROGRAM,
        arguments: &["-Wl,-rpath,/usr/lib/x86_64-linux-gnu/openssh:$ORIGIN/../lib"],
    },
    Build {
        name: "by_two_compilers",
        rules: &[Rule::MixedCompilers],
        source: "__asm__(\".pushsection .comment\\n.string \\\"GCC: (X) 4.8.5\\\"\\n.popsection\"); int main(void) { return 7; }",
        arguments: &[],
    },
    Build { name: "position_dependent", rules: &[], source: PROGRAM, arguments: &["-no-pie"] },
    Build {
        name: "with_everything_in_one_segment",
        rules: &[],
        source: PROGRAM,
        arguments: &["-Wl,-z,noseparate-code"],
    },
    Build { name: "static", rules: &[], source: PROGRAM, arguments: &["-static-pie"] },
];

fn built(case: &'static Build) {
    expect(&compile(&format!("built-{}", case.name), case.source, case.arguments), case.rules);
}

struct Patch {
    name: &'static str,
    rules: &'static [Rule],
    arguments: &'static [&'static str],
}

const PATCHES: &[Patch] = &[
    Patch { name: "add_needed", rules: &[Rule::RewrittenNames], arguments: &["--add-needed", "libm.so.6"] },
    Patch {
        name: "needed_by_path",
        rules: &[Rule::RewrittenNames, Rule::LibraryPath],
        arguments: &["--add-needed", "/lib/x86_64-linux-gnu/libm.so.6"],
    },
    Patch {
        name: "set_runpath",
        rules: &[Rule::RewrittenNames, Rule::SearchPath],
        arguments: &["--set-rpath", "/var/tmp/.cache"],
    },
];

fn patched(case: &'static Patch) {
    let path = scratch_file(&format!("patched-{}", case.name));
    std::fs::write(&path, program()).unwrap();
    run(Command::new("patchelf").args(case.arguments).arg(&path));
    let bytes = std::fs::read(&path).unwrap();
    let record = parse(&bytes).unwrap();
    let found = rules(&record);
    assert!(case.rules.iter().all(|rule| found.contains(rule)), "{:#?}", record.anomalies);
    assert_eq!(exit_code(&format!("patched-{}", case.name), &bytes), Some(EXIT));
}

// ---- Damage ----

/// Damaged files parsed; the reference prototype met its own overflows after some thousand.
const MUTATIONS: u32 = 24_000;

/// A small generator (xorshift64*), so that a failure can be repeated from its number.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }
}

/// Values that counts, offsets and sizes are damaged with.
const EXTREMES: [u64; 10] =
    [0, 1, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 0x7fff_ffff_ffff_ffff, u64::MAX - 7, u64::MAX];

/// `base` with a few places damaged; `sections` and `dynamic` are the offsets of those tables.
fn mutate(base: &[u8], sections: usize, dynamic: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = base.to_vec();
    for _ in 0..=random.below(4) {
        let (start, len) = match random.below(6) {
            0 => (0, 64),
            1 => (64, 13 * 56),
            2 => (sections, base.len() - sections),
            3 => (dynamic, 0x1e0),
            4 => (0, 4096),
            _ => (0, base.len()),
        };
        let at = start + random.below(len.min(base.len() - start));
        match random.below(3) {
            0 => bytes[at] = random.next().to_le_bytes()[0],
            1 => bytes[at] ^= 1 << random.below(8),
            _ => {
                let value = EXTREMES[random.below(EXTREMES.len())].to_le_bytes();
                let at = at & !7;
                let end = (at + [2, 4, 8][random.below(3)]).min(bytes.len());
                let len = end - at;
                bytes[at..end].copy_from_slice(&value[..len]);
            }
        }
    }
    if random.below(8) == 0 {
        bytes.truncate(random.below(base.len()));
    }
    bytes
}

fn mutations_never_panic_nor_hang() {
    let started = Instant::now();
    let (mut parsed, mut slowest) = (0, Duration::ZERO);
    let bases = [program(), library()].map(|base| {
        let image = Image(base.to_vec());
        (base, usize::try_from(image.u64(40)).unwrap(), image.section(".dynamic").1)
    });
    for (number, (base, sections, dynamic)) in (0..MUTATIONS).zip(bases.into_iter().cycle()) {
        let bytes = mutate(base, sections, dynamic, &mut Random(u64::from(number) + 1));
        let start = Instant::now();
        let result = std::panic::catch_unwind(|| parse(&bytes)).unwrap_or_else(|_| panic!("mutation {number} panics"));
        slowest = slowest.max(start.elapsed());
        if let Ok(record) = result {
            parsed += 1;
            assert!(serde_json::to_string(&record).unwrap().len() < 65_536, "mutation {number} has a large record");
        }
    }
    eprintln!("{MUTATIONS} damaged files, {parsed} still parsed, slowest {slowest:?}, {:?} in all", started.elapsed());
    assert!(parsed > MUTATIONS / 4, "only {parsed} were still parsed");
    assert!(slowest < Duration::from_secs(2), "one took {slowest:?}");
    hostile_tables();
}

/// Counts and names chosen to make a parser work for ever or fill the memory.
fn hostile_tables() {
    let mut image = Image(library().to_vec());
    // Every symbol's name runs to the end of a large file without a NUL.
    let symbols = image.dynamic(6);
    let strings = image.dynamic(5);
    let load = image.segment(|kind, _| kind == 1);
    let len = image.0.len();
    image.0.resize(len + (8 << 20), b'a');
    let size = u64::try_from(image.0.len()).unwrap();
    image.put64(load + 32, size);
    image.put64(load + 40, size);
    image.put64(symbols + 8, 64);
    image.put64(strings + 8, u64::try_from(len).unwrap());
    let started = Instant::now();
    let _ = parse(&image.0);
    assert!(started.elapsed() < Duration::from_secs(10), "took {:?}", started.elapsed());
}
