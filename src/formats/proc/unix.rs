//! `/proc/net/unix`: the UNIX sockets of a network namespace (unix(7)).

use super::after;

/// Names of abstract sockets, sorted, each once, without the leading `@`. The kernel prints every NUL of a name as `@`,
/// so a name that holds one cannot be told from one that holds `@`.
#[must_use]
pub fn abstract_names(bytes: &[u8]) -> Vec<Vec<u8>> {
    // Num RefCount Protocol Flags Type St Inode Path
    let mut names: Vec<Vec<u8>> = bytes
        .split(|b| *b == b'\n')
        .skip(1)
        .filter_map(|line| {
            let path = after(line, 7)?;
            Some(path.strip_prefix(b"@")?.to_vec())
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &[&str]) {
        let text = format!("Num       RefCount Protocol Flags    Type St Inode Path\n{line}");
        let expected: Vec<Vec<u8>> = expected.iter().map(|name| name.as_bytes().to_vec()).collect();
        assert_eq!(abstract_names(text.as_bytes()), expected);
    }

    #[test]
    fn only_abstract_names_count() {
        check("0000000000000000: 00000002 00000000 00010000 0001 01 15 @/proc/example\n", &["/proc/example"]);
        check("0000000000000000: 00000002 00000000 00010000 0001 01 15 /run/x.sock\n", &[]);
        check("0000000000000000: 00000003 00000000 00000000 0001 03 15\n", &[]);
        check("x: 2 0 1 1 1 15 @a b\nx: 2 0 1 1 1 16 @a b\n", &["a b"]);
        check("short\n", &[]);
    }
}
