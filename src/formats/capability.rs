//! Capabilities of a file (capabilities(7), "File capabilities"): the extended attribute `security.capability`, and the words of
//! cap_from_text(3) in which rpm records them.

use serde::{Deserialize, Serialize};

/// Names without `cap_`, by number (include/uapi/linux/capability.h).
const NAMES: &[&str] = &[
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// All that have a name.
const ALL: u64 = (1 << 41) - 1;

/// What a program is given that is executed from this file. Bit N is capability N.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileCapabilities {
    /// Given to whoever executes it.
    pub permitted: u64,
    /// Given to those who may pass it on.
    pub inheritable: u64,
    /// Whether they are in force from the start.
    pub effective: bool,
}

impl FileCapabilities {
    /// Whether it gives anything.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.permitted | self.inheritable == 0
    }

    /// Those in the extended attribute (`struct vfs_cap_data` and `vfs_ns_cap_data`, revisions 1 to 3; little-endian). Whose
    /// user namespace a revision 3 is for is left out: it gives nothing more elsewhere.
    #[must_use]
    pub fn from_attribute(bytes: &[u8]) -> Option<Self> {
        let word = |number: usize| {
            let at = number.checked_mul(4)?;
            Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
        };
        let magic = word(0)?;
        let pairs = match (magic & 0xff00_0000, bytes.len()) {
            (0x0100_0000, 12) => 1,
            (0x0200_0000, 20) | (0x0300_0000, 24) => 2,
            _ => return None,
        };
        let wide = |low: usize, high: usize| {
            let high = if pairs == 2 { word(high)? } else { 0 };
            Some(u64::from(high).wrapping_shl(32) | u64::from(word(low)?))
        };
        Some(Self { permitted: wide(1, 3)?, inheritable: wide(2, 4)?, effective: magic & 1 != 0 })
    }

    /// Those in the words of cap_from_text(3): `cap_net_admin,cap_net_raw=ep`, `= cap_chown+p`; nothing for none. `None` if a
    /// name or a form is unknown.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let (mut effective, mut permitted, mut inheritable) = (0_u64, 0, 0);
        for clause in text.split(u8::is_ascii_whitespace).filter(|clause| !clause.is_empty()) {
            let is_operator = |byte: &u8| b"=+-".contains(byte);
            let (names, mut rest) = clause.split_at_checked(clause.iter().position(is_operator)?)?;
            let mask = match names {
                b"" if rest.first() == Some(&b'=') => ALL,
                names => names.split(|byte| *byte == b',').try_fold(0, |all, name| Some(all | number(name)?))?,
            };
            while let Some((operator, after)) = rest.split_first() {
                let end = after.iter().position(is_operator).unwrap_or(after.len());
                let (flags, next) = after.split_at_checked(end)?;
                rest = next;
                if *operator == b'=' {
                    (effective, permitted, inheritable) = (effective & !mask, permitted & !mask, inheritable & !mask);
                }
                for flag in flags {
                    let set = match flag {
                        b'e' => &mut effective,
                        b'p' => &mut permitted,
                        b'i' => &mut inheritable,
                        _ => return None,
                    };
                    if *operator == b'-' { *set &= !mask } else { *set |= mask }
                }
            }
        }
        Some(Self { permitted, inheritable, effective: effective != 0 })
    }
}

impl std::fmt::Display for FileCapabilities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let groups = [
            (self.permitted & self.inheritable, "ip"),
            (self.permitted & !self.inheritable, "p"),
            (self.inheritable & !self.permitted, "i"),
        ];
        let effective = if self.effective { "e" } else { "" };
        for (nth, (mask, flags)) in groups.into_iter().filter(|(mask, _)| *mask != 0).enumerate() {
            let bits = (0_u32..64).filter(|bit| mask.wrapping_shr(*bit) & 1 == 1);
            let name = |bit: u32| {
                let name = usize::try_from(bit).ok().and_then(|bit| NAMES.get(bit));
                name.map_or_else(|| format!("cap_{bit}"), |name| format!("cap_{name}"))
            };
            let names = bits.map(name).collect::<Vec<_>>().join(",");
            write!(f, "{}{names}={effective}{flags}", if nth == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// The bit, or bits, that a name means.
fn number(name: &[u8]) -> Option<u64> {
    let name = name.to_ascii_lowercase();
    if name == b"all" {
        return Some(ALL);
    }
    let short = name.strip_prefix(b"cap_")?;
    let named = NAMES.iter().position(|known| known.as_bytes() == short).and_then(|bit| u32::try_from(bit).ok());
    let bit = named.or_else(|| std::str::from_utf8(short).ok()?.parse().ok()).filter(|bit| *bit < 64)?;
    Some(1_u64.wrapping_shl(bit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let check = |text: &str, expected: &str| {
            let found = FileCapabilities::from_text(text.as_bytes()).map(|found| found.to_string());
            assert_eq!(found.as_deref().unwrap_or("unknown"), expected, "{text}");
        };
        check("", "none");
        check("=", "none");
        check("cap_net_raw=ep", "cap_net_raw=ep");
        check("= cap_setgid,cap_setuid+ep", "cap_setgid,cap_setuid=ep");
        check("cap_net_admin,CAP_NET_RAW+p", "cap_net_admin,cap_net_raw=p");
        check("cap_chown=eip cap_chown-i", "cap_chown=ep");
        check("cap_chown=eip-p", "cap_chown=ei");
        check("cap_chown=p cap_kill=i", "cap_chown=p cap_kill=i");
        check("cap_63=p", "cap_63=p");
        check(
            "=ep cap_chown-ep cap_chown=",
            &FileCapabilities { permitted: ALL ^ 1, inheritable: 0, effective: true }.to_string(),
        );
        check("cap_nothing=p", "unknown");
        check("cap_64=p", "unknown");
        check("cap_chown", "unknown");
        check("cap_chown=x", "unknown");
        check("+p", "unknown");
    }

    #[test]
    fn attributes() {
        let check = |words: &[u32], expected: &str| {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let found = FileCapabilities::from_attribute(&bytes).map(|found| found.to_string());
            assert_eq!(found.as_deref().unwrap_or("unknown"), expected, "{words:x?}");
        };
        check(&[0x0200_0001, 1 << 13, 0, 0, 0], "cap_net_raw=ep");
        check(&[0x0100_0000, 3, 1], "cap_chown=ip cap_dac_override=p");
        check(&[0x0300_0001, 0, 0, 1 << 8, 0, 1000], "cap_checkpoint_restore=ep");
        check(&[0x0200_0000, 0, 0, 0, 0], "none");
        check(&[0x0200_0000, 0, 0, 0], "unknown");
        check(&[0x0400_0000, 0, 0, 0, 0], "unknown");
        check(&[], "unknown");
    }
}
