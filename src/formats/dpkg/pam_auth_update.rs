//! What pam-auth-update(8) compares when it asks whether an administrator changed `/etc/pam.d/common-*`.
//!
//! It writes these files from templates in `/usr/share/pam`, filling two blocks with the modules of the enabled profiles,
//! and compares them with the blocks cut out. Whether the modules in the blocks are good is the login proof's question.

use crate::formats::lines::lines;

/// The lines that bound the two blocks, in order; a line counts if it begins so.
const MARKS: [&[u8]; 4] = [
    b"# here are the per-package modules (the \"Primary\" block)",
    b"# here's the fallback if no module succeeds",
    b"# and here are more per-package modules (the \"Additional\" block)",
    b"# end of pam-auth-update config",
];

/// `bytes` without what stands inside the two blocks. `None` if not all four marks are there in order: then the file is
/// not, or no longer, pam-auth-update's.
#[must_use]
pub fn without_blocks(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut marks = MARKS.iter();
    let mut next = marks.next();
    let mut inside = false;
    for (_, line) in lines(bytes) {
        let is_mark = next.is_some_and(|mark| line.starts_with(mark));
        if is_mark {
            next = marks.next();
            inside = !inside;
        }
        if !inside || is_mark {
            kept.extend_from_slice(line);
            kept.push(b'\n');
        }
    }
    if !bytes.ends_with(b"\n") {
        kept.pop();
    }
    next.is_none().then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: Option<&str>) {
        assert_eq!(without_blocks(input.as_bytes()).map(|b| String::from_utf8(b).unwrap()).as_deref(), expected);
    }

    const A: &str = "# here are the per-package modules (the \"Primary\" block)\n";
    const B: &str = "# here's the fallback if no module succeeds\n";
    const C: &str = "# and here are more per-package modules (the \"Additional\" block)\n";
    const D: &str = "# end of pam-auth-update config\n";

    #[test]
    fn blocks_are_cut_and_marks_stay() {
        check(
            &format!("# head\n{A}auth x\nauth y\n{B}auth requisite pam_deny.so\n{C}$auth_additional\n{D}# tail"),
            Some(&format!("# head\n{A}{B}auth requisite pam_deny.so\n{C}{D}# tail")),
        );
    }

    #[test]
    fn what_stands_outside_the_blocks_is_compared() {
        let template = format!("{A}$auth_primary\n{B}{C}$auth_additional\n{D}");
        let changed = format!("auth sufficient pam_permit.so\n{A}auth x\n{B}{C}{D}");
        assert_ne!(without_blocks(template.as_bytes()), without_blocks(changed.as_bytes()));
    }

    #[test]
    fn files_of_another_make_are_told_apart() {
        check("", None);
        check("auth required pam_unix.so\n", None);
        check(&format!("{A}{B}{C}"), None);
        check(&format!("{B}{A}{C}{D}"), None);
    }
}
