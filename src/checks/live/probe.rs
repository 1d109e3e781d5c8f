//! Tells changes of code that the kernel makes for its probes (uprobes) from all others.

use std::collections::BTreeMap;

use crate::facts::pages::{Change, PageCopy};
use crate::facts::process::Mapping;
use crate::facts::{ProcessFacts, RootFacts};

/// uname(2) machine of 64-bit Arm.
pub const ARM64: &str = "aarch64";
/// What the kernel calls the page that optimised probes call (arch/x86/kernel/uprobes.c since Linux 6.18).
const TRAMPOLINE: &str = "[uprobes-trampoline]";
/// The instruction that it optimises: `nopl 0x0(%rax,%rax,1)`.
const NOP: [u8; 5] = [0x0f, 0x1f, 0x44, 0x00, 0x00];
/// What that becomes: `call`, and the distance to the trampoline from the instruction behind it.
const CALL: u8 = 0xe8;

/// Whether all that differs in the page are breakpoints of the kernel, or calls for which `trampoline` says that they lead to
/// its trampoline.
pub fn are_probes(copy: &PageCopy, machine: &str, trampoline: &dyn Fn(u64) -> bool) -> bool {
    copy.is_whole() && rest(copy, machine).is_some_and(|rest| are_calls(copy.address, rest, trampoline))
}

/// What differs beside breakpoints, each byte by its place with those of file and memory; `None` if it is not known.
fn rest(copy: &PageCopy, machine: &str) -> Option<BTreeMap<u32, (u8, u8)>> {
    let mut rest = BTreeMap::new();
    for change in copy.changes.iter().filter(|change| !is_breakpoint(change, machine)) {
        let (expected, actual) = (bytes(&change.expected)?, bytes(&change.actual)?);
        let whole = usize::try_from(change.length).is_ok_and(|length| length == expected.len());
        if machine == ARM64 || !whole || expected.len() != actual.len() {
            return None;
        }
        rest.extend((change.at..).zip(expected.into_iter().zip(actual)));
    }
    Some(rest)
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Takes calls out of what differs, one after the other, until nothing is left. A byte of the distance that equals that of
/// the file does not differ.
fn are_calls(page: u64, mut rest: BTreeMap<u32, (u8, u8)>, trampoline: &dyn Fn(u64) -> bool) -> bool {
    while let Some((first, (expected, actual))) = rest.pop_first() {
        if (expected, actual) != (NOP[0], CALL) {
            return false;
        }
        let mut distance = [0; 4];
        for ((at, known), byte) in (first.saturating_add(1)..).zip(&NOP[1..]).zip(&mut distance) {
            *byte = match rest.remove(&at) {
                None => *known,
                Some((expected, actual)) if expected == *known => actual,
                Some(_) => return false,
            };
        }
        let behind = page.wrapping_add(first.into()).wrapping_add(5);
        if !trampoline(behind.wrapping_add_signed(i32::from_le_bytes(distance).into())) {
            return false;
        }
    }
    true
}

/// Whether no byte differs but those of the instruction that the kernel puts in place of another: `int3` on x86, `brk #5` on
/// 64-bit Arm (arch/x86/include/asm/uprobes.h, arch/arm64/include/asm/brk-imm.h). Bytes that the two have in common do not
/// differ.
fn is_breakpoint(change: &Change, machine: &str) -> bool {
    if machine != ARM64 {
        return change.length == 1 && change.actual == "cc";
    }
    let at = usize::try_from(change.at % 4).unwrap_or(0);
    let word = ["a0", "00", "20", "d4"].into_iter().cycle();
    let expected: String = word.skip(at).take(change.actual.len() / 2).collect();
    change.length <= 4 && change.actual == expected
}

/// Whether the kernel's trampoline lies at `target`. Linux 6.18 does not give it to a child with the memory that it copies
/// (fork(2); the child dies of the call): there it is the parent's, and nothing may lie in its place.
pub fn is_trampoline(root: &RootFacts, process: &ProcessFacts, target: u64) -> bool {
    let here = |process: &ProcessFacts| process.mappings.iter().any(|mapping| is_at(mapping, target));
    let taken = process.mappings.iter().any(|mapping| mapping.start <= target && target < mapping.end);
    here(process) || !taken && root.processes.iter().any(here)
}

/// The names of the kernel's own mappings are given to no other: those of files begin with `/`, those that a program gives
/// with `[anon`.
fn is_at(mapping: &Mapping, target: u64) -> bool {
    mapping.path == TRAMPOLINE && mapping.content.is_none() && mapping.start == target
}
