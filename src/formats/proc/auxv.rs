//! `/proc/PID/auxv`: what the kernel told the program when it started it (getauxval(3)).

/// Entry point of the program, after relocation (`AT_ENTRY` of `<elf.h>`).
const AT_ENTRY: u64 = 9;
/// Where the program's interpreter was loaded (`AT_BASE`).
const AT_BASE: u64 = 7;
/// End of the vector.
const AT_NULL: u64 = 0;
/// Above every type that a kernel writes (Linux 6.18 stops at 51, `AT_MINSIGSTKSZ`): tells a vector read in the wrong
/// word size.
const MAX_TYPE: u64 = 255;

/// The address of the program's entry point. The mapping that holds it is the executable; unlike `/proc/PID/exe` it
/// cannot be moved by `PR_SET_MM_EXE_FILE` (prctl(2)). The words are as wide as the program's: both widths are tried.
#[must_use]
pub fn entry(bytes: &[u8]) -> Option<u64> {
    read(bytes, 8, AT_ENTRY).or_else(|| read(bytes, 4, AT_ENTRY))
}

/// The address at which the dynamic loader begins; `None` for a program without one.
#[must_use]
pub fn loader(bytes: &[u8]) -> Option<u64> {
    read(bytes, 8, AT_BASE).or_else(|| read(bytes, 4, AT_BASE)).filter(|base| *base != 0)
}

fn read(bytes: &[u8], width: usize, wanted: u64) -> Option<u64> {
    let mut words = bytes.chunks_exact(width).map(|word| match width {
        8 => word.try_into().ok().map(u64::from_ne_bytes),
        _ => word.try_into().ok().map(u32::from_ne_bytes).map(u64::from),
    });
    let mut found = None;
    loop {
        let (kind, value) = (words.next()??, words.next()??);
        match kind {
            AT_NULL => return found,
            kind if kind == wanted => found = Some(value),
            kind if kind > MAX_TYPE => return None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector64(pairs: &[(u64, u64)]) -> Vec<u8> {
        pairs.iter().flat_map(|(k, v)| [k.to_ne_bytes(), v.to_ne_bytes()].concat()).collect()
    }

    fn vector32(pairs: &[(u32, u32)]) -> Vec<u8> {
        pairs.iter().flat_map(|(k, v)| [k.to_ne_bytes(), v.to_ne_bytes()].concat()).collect()
    }

    fn check(bytes: &[u8], expected: Option<u64>) {
        assert_eq!(entry(bytes), expected);
    }

    #[test]
    fn the_entry_is_found_in_both_widths() {
        check(&vector64(&[(33, 0x7fff_0000), (9, 0x5555_5555_1040), (0, 0)]), Some(0x5555_5555_1040));
        check(&vector32(&[(32, 0xf7f0_0000), (9, 0x0804_8000), (16, 0xffff_ffff), (0, 0)]), Some(0x0804_8000));
        check(&vector64(&[(33, 1), (0, 0)]), None);
        check(b"", None);
        assert_eq!(loader(&vector64(&[(9, 1), (7, 0x7f00_0000), (0, 0)])), Some(0x7f00_0000));
        assert_eq!(loader(&vector64(&[(9, 1), (7, 0), (0, 0)])), None);
        check(&[9; 15], None);
    }
}
