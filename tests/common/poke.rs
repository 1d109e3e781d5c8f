//! Tampers with the memory of a server that the test started, as somebody with the rights of a debugger does: through
//! `/proc/PID/mem`, which writes to read-only pages too (proc(5)).

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;

/// A process of this machine, by the number it has here.
pub struct Victim {
    pid: i32,
    memory: File,
}

/// One line of `maps`.
#[derive(Clone, Debug)]
pub struct Line {
    pub start: u64,
    pub end: u64,
    pub permissions: String,
    pub offset: u64,
    pub path: String,
}

impl Victim {
    pub fn new(pid: i32) -> Self {
        let memory = OpenOptions::new().read(true).write(true).open(format!("/proc/{pid}/mem")).unwrap();
        Self { pid, memory }
    }

    /// Its mappings.
    pub fn maps(&self) -> Vec<Line> {
        let text = std::fs::read_to_string(format!("/proc/{}/maps", self.pid)).unwrap();
        text.lines()
            .map(|line| {
                let mut fields = line.split_whitespace();
                let (start, end) = fields.next().unwrap().split_once('-').unwrap();
                let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
                Line {
                    start: hex(start),
                    end: hex(end),
                    permissions: fields.next().unwrap().to_owned(),
                    offset: hex(fields.next().unwrap()),
                    path: fields.nth(2).unwrap_or_default().to_owned(),
                }
            })
            .collect()
    }

    /// Its program, as its link says.
    pub fn program(&self) -> String {
        std::fs::read_link(format!("/proc/{}/exe", self.pid)).unwrap().to_str().unwrap().to_owned()
    }

    /// Where the file whose path ends so begins.
    pub fn base(&self, end: &str) -> u64 {
        self.maps().iter().find(|line| line.path.ends_with(end)).unwrap_or_else(|| panic!("{end} is not mapped")).start
    }

    /// The executable mapping of the file whose path ends so.
    pub fn code(&self, end: &str) -> Line {
        let maps = self.maps();
        maps.into_iter().find(|line| line.path.ends_with(end) && line.permissions.contains('x')).unwrap()
    }

    pub fn read<const N: usize>(&self, address: u64) -> [u8; N] {
        let mut bytes = [0; N];
        self.memory.read_exact_at(&mut bytes, address).unwrap();
        bytes
    }

    /// Whether the process has the page at `address` for itself: it is in memory (bit 63) and not the file's (bit 61), as
    /// Documentation/admin-guide/mm/pagemap.rst has it.
    pub fn has_own_page(&self, address: u64) -> bool {
        let mut entry = [0; 8];
        let table = File::open(format!("/proc/{}/pagemap", self.pid)).unwrap();
        table.read_exact_at(&mut entry, address / 4096 * 8).unwrap();
        u64::from_le_bytes(entry) >> 61 & 0b101 == 0b100
    }

    /// Its memory in use that lies in RAM, in KiB: `Rss` of `smaps_rollup`, proc(5).
    pub fn resident(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("Rss:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    pub fn write(&self, address: u64, bytes: &[u8]) {
        self.memory.write_all_at(bytes, address).unwrap();
    }
}
