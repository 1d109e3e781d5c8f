//! What `/etc/ld.so.preload` names. In the waist because both sides read it: the observer to look at the libraries, the
//! checks to judge them.

use super::RootFacts;
use crate::model::RootedPath;

/// Where the loader looks, whatever its prefix (glibc elf/rtld.c `preload_file`).
pub const PATH: &str = "/etc/ld.so.preload";

/// The names in it, in order, as bytes.
#[must_use]
pub fn libraries(root: &RootFacts) -> Vec<Vec<u8>> {
    let text = RootedPath::new(PATH).and_then(|path| root.files.get(&path)?.text_bytes()).unwrap_or_default();
    names(text)
}

/// The names in `text`: separated by blanks, newlines or colons; from `#` to the end of the line is comment (glibc
/// elf/rtld.c, `do_preload` and the loop that blanks comments before it). A carriage return separates nothing: it belongs
/// to the name that the loader opens.
#[must_use]
pub fn names(text: &[u8]) -> Vec<Vec<u8>> {
    text.split(|b| *b == b'\n')
        .filter_map(|line| line.split(|b| *b == b'#').next())
        .flat_map(|line| line.split(|b| matches!(b, b' ' | b'\t' | b':')))
        .filter(|name| !name.is_empty())
        .map(<[u8]>::to_vec)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_separated_as_glibc_separates_them() {
        let check = |text: &[u8], expected: &[&str]| {
            assert_eq!(names(text), expected.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>());
        };
        check(b"", &[]);
        check(b"# nothing\n  \n", &[]);
        check(b"/lib/a.so b.so:c.so\t/d.so\n", &["/lib/a.so", "b.so", "c.so", "/d.so"]);
        check(b"# /lib/a.so\n/lib/b.so # c\n", &["/lib/b.so"]);
        // `ld.so: object '/lib/a.so\r' from /etc/ld.so.preload cannot be preloaded`, says the loader of Debian 12.
        check(b"/lib/a.so\r\n", &["/lib/a.so\r"]);
        check(
            b"/lib/a.so /lib/b.so\t/lib/c.so:/lib/d.so\n#/lib/e.so\n/lib/f.so # why\n",
            &["/lib/a.so", "/lib/b.so", "/lib/c.so", "/lib/d.so", "/lib/f.so"],
        );
    }
}
