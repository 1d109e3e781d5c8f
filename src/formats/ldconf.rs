//! ld.so.conf, the configuration of ldconfig(8): directories, and other files that are included.
//!
//! ld.so(8) itself reads only the cache; these files decide what the next run of ldconfig(8) writes there. The grammar is
//! glibc's elf/ldconfig.c, `parse_conf` and `add_dir_1`.

/// What one line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statement<'a> {
    /// A directory to search, without a trailing slash or `=TYPE`.
    Directory(&'a [u8]),
    /// Another file, or a glob(7) pattern of files; relative to the directory of this file.
    Include(&'a [u8]),
    /// Anything that ldconfig would complain about, or no longer heeds (`hwcap`): the line.
    Other(&'a [u8]),
}

/// The statements of a file with their line numbers, counted from 1.
#[must_use]
pub fn parse(text: &[u8]) -> Vec<(u32, Statement<'_>)> {
    let mut statements = Vec::new();
    for (number, line) in (1_u32..).zip(text.split(|byte| *byte == b'\n')) {
        let line = line.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii();
        let word = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        match word {
            b"" => {}
            b"include" => {
                let rest = line.get(word.len()..).unwrap_or_default();
                let patterns = rest.split(u8::is_ascii_whitespace).filter(|pattern| !pattern.is_empty());
                statements.extend(patterns.map(|pattern| (number, Statement::Include(pattern))));
            }
            b"hwcap" => statements.push((number, Statement::Other(line))),
            _ => statements.push((number, directory(line))),
        }
    }
    statements
}

fn directory(line: &[u8]) -> Statement<'_> {
    // `DIR=TYPE`, TYPE one of libc4, libc5, libc6: obsolete, still cut off.
    let path = line.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii_end();
    let mut short = path;
    while let Some(rest) = short.strip_suffix(b"/").filter(|rest| !rest.is_empty()) {
        short = rest;
    }
    if short.starts_with(b"/") { Statement::Directory(short) } else { Statement::Other(line) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements() {
        let check = |text: &str, expected: &[(u32, Statement<'_>)]| assert_eq!(parse(text.as_bytes()), expected);
        check("", &[]);
        check("# x\n\n  /opt/lib/ # y\n", &[(3, Statement::Directory(b"/opt/lib"))]);
        check(
            "include /etc/ld.so.conf.d/*.conf  more.conf\n",
            &[(1, Statement::Include(b"/etc/ld.so.conf.d/*.conf")), (1, Statement::Include(b"more.conf"))],
        );
        check("include\n", &[]);
        check("/a=libc6\n/\n", &[(1, Statement::Directory(b"/a")), (2, Statement::Directory(b"/"))]);
        check("hwcap 0 nosegneg\nlib\n", &[(1, Statement::Other(b"hwcap 0 nosegneg")), (2, Statement::Other(b"lib"))]);
        check("includes/x\n", &[(1, Statement::Other(b"includes/x"))]);
        check("/with space/lib\n", &[(1, Statement::Directory(b"/with space/lib"))]);
    }
}
