//! `/proc/kallsyms`: the kernel's symbols, of which only the names of modules matter here.

use std::collections::BTreeSet;

/// What stands in the place of a module and is none: programs that the kernel translated (`bpf_get_kallsym` of kernel/bpf/core.c)
/// and trampolines (`ftrace_mod_get_kallsym`, `kprobe_get_kallsym`).
const NO_MODULES: [&[u8]; 3] = [b"bpf", b"__builtin__ftrace", b"__builtin__kprobes"];

/// The modules that have symbols.
#[must_use]
pub fn modules(bytes: &[u8]) -> BTreeSet<Vec<u8>> {
    let named = bytes.split(|b| *b == b'\n').filter_map(|line| {
        let line = line.strip_suffix(b"]")?;
        let open = line.iter().rposition(|b| *b == b'[')?;
        line.get(open.checked_add(1)?..)
    });
    named.filter(|name| !name.is_empty() && !NO_MODULES.contains(name)).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_stand_in_brackets() {
        let text = "ffffffff81000000 T _text\n\
                    ffffffffc0401000 t ext4_init\t[ext4]\n\
                    ffffffffc0401100 t ext4_exit\t[ext4]\n\
                    ffffffffc0500000 t bpf_prog_6deef7357e7b4530_sd_fw_egress\t[bpf]\n\
                    ffffffffc0600000 t ftrace_trampoline\t[__builtin__ftrace]\n\
                    ffffffffc0700000 t hide_me\t[quiet]\n";
        let expected = ["ext4", "quiet"].map(|name| name.as_bytes().to_vec());
        assert_eq!(modules(text.as_bytes()), BTreeSet::from(expected));
        assert!(modules(b"x ]\n[]\n]").is_empty());
    }
}
