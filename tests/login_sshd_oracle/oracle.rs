//! The real sshd: runs it over configurations and reads what it prints. It opens no socket.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::common::root::Root;

/// Where the distribution puts it.
pub const SSHD: &str = "/usr/sbin/sshd";

/// Values by keyword, in order.
pub type Values = BTreeMap<String, Vec<String>>;

/// One run: the configuration is `sshd_config` in `dir`, a directory of the root; the results are put beside it.
pub struct Run<'a> {
    /// Within the root.
    pub dir: &'a str,
    /// `-o` options.
    pub options: &'a [String],
    /// What `-C` takes; none where it is empty.
    pub connection: &'a str,
}

/// Name, uid, gid, supplementary groups.
pub const ACCOUNTS: &[(&str, u32, u32, &[&str])] = &[
    ("root", 0, 0, &[]),
    ("sshd", 100, 65534, &[]),
    ("alice", 1000, 1000, &["staff", "mfa"]),
    ("bob", 1001, 1000, &["nomfa"]),
    ("svc-backup", 1002, 4242, &[]),
    ("Carol", 1003, 1001, &["staff", "nomfa"]),
];

/// Name and gid. Group 4242 has no name.
pub const GROUPS: &[(&str, u32)] =
    &[("root", 0), ("users", 1000), ("staff", 1001), ("mfa", 1002), ("nomfa", 1003), ("nogroup", 65534)];

/// Files under `/etc/ssh`, for Includes with a relative name.
pub const RELATIVE: &[(&str, &str)] = &[
    ("relative/10.conf", "PasswordAuthentication no\n"),
    ("relative/20.conf", "MaxAuthTries 2\nMatch User alice\nPasswordAuthentication yes\n"),
];

/// Gives the root the test's accounts, a host key and files for relative Includes.
pub fn prepare(root: &Root) {
    let accounts = ACCOUNTS.iter().fold(String::new(), |mut text, (name, uid, gid, _)| {
        let _ = writeln!(text, "{name}:x:{uid}:{gid}::/home/{name}:/bin/sh");
        text
    });
    let groups = GROUPS.iter().fold(String::new(), |mut text, (name, gid)| {
        let members: Vec<&str> =
            ACCOUNTS.iter().filter(|account| account.3.contains(name)).map(|account| account.0).collect();
        let _ = writeln!(text, "{name}:x:{gid}:{}", members.join(","));
        text
    });
    root.write("/etc/passwd", accounts);
    root.write("/etc/group", groups);
    root.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n");
    root.write("/etc/services", "ssh 22/tcp\n");
    // A NUL can glue a `*` to an Include: then every file there is read, and we must know them all.
    std::fs::remove_dir_all(root.join("/etc/ssh")).unwrap();
    for (name, text) in RELATIVE {
        root.write(&format!("/etc/ssh/{name}"), text);
    }
    root.chroot(&["sh", "-c", "mkdir -p -m 755 /run/sshd && ssh-keygen -q -t ed25519 -N '' -f /cases.key"]);
}

/// Runs sshd on each, two at a time.
pub fn run(runs: &[Run<'_>], root: &Root) {
    std::thread::scope(|scope| {
        for (number, chunk) in runs.chunks(runs.len().div_ceil(2).max(1)).enumerate() {
            let mut script = "cd /\n".to_owned();
            for Run { dir, options, connection } in chunk {
                let options: String = options.iter().map(|option| format!(" -o '{option}'")).collect();
                let connection = if connection.is_empty() { String::new() } else { format!(" -C '{connection}'") };
                let _ = writeln!(
                    script,
                    "{SSHD} -T -f {dir}/sshd_config -h /cases.key{options}{connection} >{dir}/out 2>{dir}/err; \
                     echo $? >{dir}/status",
                );
            }
            let path = format!("/script-{number}");
            root.write(&path, script);
            scope.spawn(move || root.chroot(&["sh", &path]));
        }
    });
}

/// What it printed for the run in `dir`, or why it refused.
pub fn result(dir: &str, root: &Root) -> Result<Values, String> {
    let read = |name: &str| root.read(&format!("{dir}/{name}"));
    if read("status").trim() != "0" {
        return Err(read("err"));
    }
    let mut values = Values::new();
    // Not `lines`, which would take a carriage return for part of the end.
    for line in read("out").split_terminator('\n') {
        let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
        // Up to 8.4 sshd printed the older names; since 10.4 it prints capitals.
        let keyword = keyword.to_ascii_lowercase().replace("acceptedkeytypes", "acceptedalgorithms");
        values.entry(keyword).or_default().push(value.to_owned());
    }
    Ok(values)
}
