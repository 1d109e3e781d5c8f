//! Small programs built here, and the knife to edit them with.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use sshproof::formats::elf::{Elf, ElfRecord, Rule, parse};

use crate::common::root::{run, scratch};

/// What `main` returns, and what injected code exits with: whoever runs an edited program sees that it still works.
pub const EXIT: i32 = 7;

pub const PROGRAM: &str = "int puts(const char *); int main(void) { return puts(\"\") < 0 ? 1 : 7; }";

/// `exit(7)`: mov $60,%eax; mov $7,%edi; syscall.
pub const PAYLOAD: [u8; 12] = [0xb8, 60, 0, 0, 0, 0xbf, 7, 0, 0, 0, 0x0f, 0x05];

pub fn scratch_file(name: &str) -> PathBuf {
    let dir = scratch().join("anomaly");
    std::fs::create_dir_all(&dir).unwrap();
    dir.join(name)
}

pub fn compile(name: &str, source: &str, arguments: &[&str]) -> Vec<u8> {
    let (input, output) = (scratch_file(&format!("{name}.c")), scratch_file(name));
    std::fs::write(&input, source).unwrap();
    run(Command::new("x86_64-linux-gnu-gcc").arg("-o").arg(&output).arg(&input).arg("-s").args(arguments));
    std::fs::read(&output).unwrap()
}

pub fn program() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| compile("program", PROGRAM, &[]))
}

pub fn library() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        compile("library", "int exported(void) { return 1; } int second(void) { return 2; }", &["-shared", "-fPIC"])
    })
}

pub fn rules(record: &ElfRecord) -> BTreeSet<Rule> {
    record.anomalies.iter().map(|anomaly| anomaly.rule).collect()
}

pub fn exit_code(name: &str, bytes: &[u8]) -> Option<i32> {
    let path = scratch_file(name);
    std::fs::write(&path, bytes).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    Command::new(&path).stdout(std::process::Stdio::null()).status().unwrap().code()
}

pub fn expect(bytes: &[u8], expected: &[Rule]) {
    let record = parse(bytes).unwrap();
    assert_eq!(rules(&record), expected.iter().copied().collect(), "{:#?}", record.anomalies);
}

pub fn a_program_as_built_breaks_no_rule() {
    expect(program(), &[]);
    expect(library(), &[]);
    assert_eq!(exit_code("clean", program()), Some(EXIT));
}

/// An ELF file of this machine under the knife: 64-bit, little-endian.
pub struct Image(pub Vec<u8>);

impl Image {
    pub fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.0[at..at + 8].try_into().unwrap())
    }

    pub fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub fn put64(&mut self, at: usize, value: u64) {
        self.put(at, &value.to_le_bytes());
    }

    /// Offset of the program header that `pick` chooses by type and flags.
    pub fn segment(&self, pick: impl Fn(u32, u32) -> bool) -> usize {
        let elf = Elf::parse(&self.0).unwrap();
        let index = elf.segments().iter().position(|segment| pick(segment.kind, segment.flags)).unwrap();
        usize::try_from(elf.header().e_phoff).unwrap() + index * 56
    }

    pub fn code(&self) -> usize {
        self.segment(|kind, flags| kind == 1 && flags & 1 != 0)
    }

    /// Address, file offset and size of a section, and the offset of its header.
    pub fn section(&self, name: &str) -> (u64, usize, usize, usize) {
        let elf = Elf::parse(&self.0).unwrap();
        let index = elf.sections().iter().position(|section| section.name == name.as_bytes()).unwrap();
        let section = elf.sections()[index];
        let header = usize::try_from(elf.header().e_shoff).unwrap() + (index + 1) * 64;
        (section.address, section.offset.try_into().unwrap(), section.size.try_into().unwrap(), header)
    }

    /// Offset of the dynamic entry with this tag.
    pub fn dynamic(&self, tag: u64) -> usize {
        let (_, offset, size, _) = self.section(".dynamic");
        (offset..offset + size).step_by(16).find(|at| self.u64(*at) == tag).unwrap()
    }

    /// Lets execution begin at `address`.
    pub fn enter(&mut self, address: u64) {
        self.put64(24, address);
    }
}
