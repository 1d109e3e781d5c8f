//! What no scan from user space can prove, in the words of `sshproof explain limits` and of every report.

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is not covered, a noun phrase.
    pub what: &'static str,
    /// Why, and what it would take.
    pub why: &'static str,
    /// Whether it concerns running systems only, not images.
    pub live: bool,
}

/// All of them, most important first.
pub const LIMITS: &[Limit] = &[
    Limit {
        what: "the kernel",
        why: "Every answer comes through system calls. A kernel module or eBPF program that lies about files, sockets or \
              processes is believed unless two views of the kernel contradict each other. Modules and processes \
              are compared in several views, of process numbers the lowest and the latest without `--deep`; BPF programs on the \
              files of servers and packet sockets with filters are looked for. BPF programs on functions of the kernel, raw IP sockets and \
              what a loaded module does are not. Judge the image from another \
              machine (`sshproof scan --root DIR`), or compare with a boot whose measurements a TPM has quoted.",
        live: true,
    },
    Limit {
        what: "heap, stack and writable data of processes",
        why: "They hold passwords and keys, so they are never read, but for the entries of the loader's own list of files. \
              Pointers to functions that a program keeps in its writable data may lead elsewhere unseen, and code that lives \
              only there, without an executable mapping of its own, is not seen.",
        live: true,
    },
    Limit {
        what: "the medium behind the page cache, without `--deep` or `--spool`",
        why: "Files are read as the page cache holds them, which is what servers execute. With `--deep` what they \
         execute is read past it too and compared, where the file system allows it (not in memory, not \
         compressed). With `--spool`, which has a state directory, that is done once in each boot and for each file that \
         changed since.",
        live: true,
    },
    Limit {
        what: "this copy of sshproof",
        why: "Whoever controls the host controls its copy of sshproof too. Run one from trusted media, or collect facts \
              (`--facts-out`) and judge them elsewhere (`sshproof judge`); facts taken on a host that lies are still lies.",
        live: true,
    },
    Limit {
        what: "identity services outside this host",
        why: "LDAP, SSSD, RADIUS and Duo answer from their own configuration. Where a login depends on them, the proof \
              says `unknown` or names the assumption it makes.",
        live: false,
    },
    Limit {
        what: "stolen credentials",
        why: "A login with the right key and the right code is a login. sshproof proves what is demanded, not who supplied it.",
        live: false,
    },
];

/// The limits that concern a running system, or an image.
pub fn of(live: bool) -> impl Iterator<Item = &'static Limit> {
    LIMITS.iter().filter(move |limit| live || !limit.live)
}
