//! The text and binary files of proc(5): one file per format. None opens anything: see `host::process`.

pub mod auxv;
pub mod cgroup;
pub mod idmap;
pub mod kallsyms;
pub mod linkmap;
pub mod maps;
pub mod modules;
pub mod mountinfo;
pub mod packet;
pub mod pagemap;
pub mod shm;
pub mod smaps;
pub mod stat;
pub mod status;
pub mod taint;
pub mod tcp;
pub mod unix;

/// The fields of a line: runs of bytes between spaces and tabs.
fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|b| matches!(b, b' ' | b'\t')).filter(|field| !field.is_empty())
}

/// A number written in ASCII digits of `radix`, nothing around it.
fn number(field: &[u8], radix: u32) -> Option<u64> {
    let digits = (!field.is_empty()).then_some(field)?;
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = char::from(*digit).to_digit(radix)?;
        number.checked_mul(radix.into())?.checked_add(digit.into())
    })
}

/// What follows the first `count` fields of a line, without the blanks between; `None` if there are fewer. For a last
/// field that may hold blanks itself.
fn after(line: &[u8], count: usize) -> Option<&[u8]> {
    let mut rest = line;
    for _ in 0..count {
        let start = rest.iter().position(|b| !matches!(b, b' ' | b'\t'))?;
        rest = rest.get(start..)?;
        let end = rest.iter().position(|b| matches!(b, b' ' | b'\t')).unwrap_or(rest.len());
        rest = rest.get(end..)?;
    }
    let start = rest.iter().position(|b| !matches!(b, b' ' | b'\t')).unwrap_or(rest.len());
    rest.get(start..)
}
