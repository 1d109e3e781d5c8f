//! `/proc/modules`: the loaded kernel modules (proc(5)).

use std::collections::BTreeMap;

use super::fields;

/// The modules by name, each with the letters by which it taints the kernel, empty for none. `None` if a line is malformed.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<BTreeMap<Vec<u8>, Vec<u8>>> {
    // name size references users state address (taint) (`m_show` of kernel/module/procfs.c)
    let lines = bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let mut columns = fields(line);
            let name = columns.next()?;
            let letters = columns.nth(4)?;
            let taint = columns.next().unwrap_or(letters);
            let taint = taint.strip_prefix(b"(").and_then(|taint| taint.strip_suffix(b")")).unwrap_or_default();
            // While a module is loaded or unloaded, its state stands there as `+` or `-`.
            let taint = taint.iter().copied().filter(u8::is_ascii_uppercase).collect();
            Some((name.to_vec(), taint))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&[(&str, &str)]>) {
        let seen = parse(text.as_bytes());
        let bytes = |text: &str| text.as_bytes().to_vec();
        let expected = expected.map(|all| all.iter().map(|(name, taint)| (bytes(name), bytes(taint))).collect());
        assert_eq!(seen, expected);
    }

    #[test]
    fn modules_and_what_they_taint_with() {
        check(
            "nvidia 39059456 123 nvidia_uvm,nvidia_modeset, Live 0x0000000000000000 (POE)\n\
             ext4 1003520 2 - Live 0xffffffffc0a00000\n\
             zfs 5000000 1 - Loading 0x0000000000000000 (PO+)\n",
            Some(&[("nvidia", "POE"), ("ext4", ""), ("zfs", "PO")]),
        );
        check("", Some(&[]));
        check("ext4 1003520 2\n", None);
    }
}
