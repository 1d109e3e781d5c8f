//! What the kernel says of BPF links and programs: `struct bpf_link_info` and `struct bpf_prog_info` of linux/bpf.h, of which
//! only those matter here that hang on a place in a file of user space.

/// `BPF_LINK_TYPE_PERF_EVENT`: hangs on an event of perf_event_open(2).
const PERF_EVENT: u32 = 7;
/// `BPF_LINK_TYPE_UPROBE_MULTI`: hangs on places in one file (Linux 6.6).
const UPROBE_MULTI: u32 = 12;
/// `BPF_PERF_EVENT_UPROBE` and `BPF_PERF_EVENT_URETPROBE` of `enum bpf_perf_event_type` (Linux 6.6).
const UPROBE: u32 = 1;
const URETPROBE: u32 = 2;
/// `BPF_PERF_EVENT_UNSPEC`: a kernel before Linux 6.6 does not say what the event is.
const UNSPECIFIED: u32 = 0;
/// `BPF_F_UPROBE_MULTI_RETURN`.
const RETURN: u32 = 1;
/// Longest name of a program (`BPF_OBJ_NAME_LEN`).
const NAME: usize = 16;

/// A BPF program that hangs on a place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its id.
    pub id: u32,
    /// The program's.
    pub program: u32,
    /// The file; empty if the kernel does not tell.
    pub path: Vec<u8>,
    /// The place in the file, in bytes; absent if there are several.
    pub offset: Option<u64>,
    /// How many places.
    pub places: u32,
    /// Whether it runs when the function returns.
    pub on_return: bool,
    /// The process that it is limited to, 0 for none or where the kernel does not say.
    pub pid: u32,
}

/// Where the structure of this link keeps pointer and length of the file's path, in words of 64 bits; `None` if the link is of
/// a kind that has none.
#[must_use]
pub fn path_place(info: &[u64; 16]) -> Option<(usize, usize)> {
    match half(info, 0, 0) {
        PERF_EVENT => Some((3, 4)),
        UPROBE_MULTI => Some((2, 6)),
        _ => None,
    }
}

/// Reads one; `None` if it hangs on something else: a place of the kernel, a device, a control group.
#[must_use]
pub fn link(info: &[u64; 16], name: &[u8]) -> Option<Link> {
    let path: Vec<u8> = name.iter().copied().take_while(|byte| *byte != 0).collect();
    let (id, program) = (half(info, 0, 1), half(info, 1, 0));
    match half(info, 0, 0) {
        PERF_EVENT => {
            let kind = half(info, 2, 0);
            let told = matches!(kind, UPROBE | URETPROBE);
            (told || kind == UNSPECIFIED).then(|| Link {
                id,
                program,
                path: if told { path } else { Vec::new() },
                offset: told.then(|| half(info, 4, 1).into()),
                places: 1,
                on_return: kind == URETPROBE,
                pid: 0,
            })
        }
        UPROBE_MULTI => Some(Link {
            id,
            program,
            path,
            offset: None,
            places: half(info, 6, 1),
            on_return: half(info, 7, 0) & RETURN != 0,
            pid: half(info, 7, 1),
        }),
        _ => None,
    }
}

/// The name of a program, as its loader gave it; empty for none.
#[must_use]
pub fn program_name(info: &[u64; 16]) -> Vec<u8> {
    let words = info.iter().skip(8).take(2).flat_map(|word| word.to_ne_bytes());
    words.take(NAME).take_while(|byte| *byte != 0).collect()
}

/// Two members of 32 bits lie in one word.
fn half(info: &[u64; 16], word: usize, which: usize) -> u32 {
    let bytes = info.get(word).copied().unwrap_or_default().to_ne_bytes();
    let (halves, _) = bytes.as_chunks::<4>();
    halves.get(which).map_or(0, |half| u32::from_ne_bytes(*half))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(halves: &[u32]) -> [u64; 16] {
        let mut info = [0; 16];
        for (word, pair) in info.iter_mut().zip(halves.chunks(2)) {
            let [a, b, c, d] = pair[0].to_ne_bytes();
            let [e, f, g, h] = pair.get(1).copied().unwrap_or(0).to_ne_bytes();
            *word = u64::from_ne_bytes([a, b, c, d, e, f, g, h]);
        }
        info
    }

    fn check(halves: &[u32], expected: Option<Link>) {
        assert_eq!(link(&words(halves), b"/usr/sbin/sshd\0\0"), expected);
    }

    #[test]
    fn links_to_files_are_told_from_others() {
        let path = b"/usr/sbin/sshd".to_vec();
        let one =
            Link { id: 5, program: 9, path: path.clone(), offset: Some(0x40), places: 1, on_return: false, pid: 0 };
        check(&[7, 5, 9, 0, 1, 0, 0, 0, 15, 0x40], Some(one.clone()));
        check(&[7, 5, 9, 0, 2, 0, 0, 0, 15, 0x40], Some(Link { on_return: true, ..one.clone() }));
        // A kernel that does not say what it hangs on, and one that says it is a place of its own.
        check(&[7, 5, 9], Some(Link { path: Vec::new(), offset: None, ..one }));
        check(&[7, 5, 9, 0, 3, 0, 0, 0, 15, 0x40], None);
        check(&[3, 5, 9, 0, 1], None);
        let many = Link { id: 6, program: 9, path, offset: None, places: 3, on_return: true, pid: 77 };
        let halves = [12, 6, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 15, 3, 1, 77];
        check(&halves, Some(many));
        assert_eq!(
            (path_place(&words(&halves)), path_place(&words(&[7])), path_place(&words(&[3]))),
            (Some((2, 6)), Some((3, 4)), None)
        );
    }

    #[test]
    fn a_program_has_a_name() {
        let mut info = [0; 16];
        info[8] = u64::from_ne_bytes(*b"readpass");
        info[9] = u64::from_ne_bytes(*b"word\0\0\0\0");
        assert_eq!((program_name(&info), program_name(&[0; 16])), (b"readpassword".to_vec(), Vec::new()));
    }
}
