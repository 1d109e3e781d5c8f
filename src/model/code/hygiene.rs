//! Codes of the check `hygiene`.

use super::codes;

codes! { HYGIENE;
    PRELOAD = "hygiene/preload", Integrity, High;
        "ld.so.preload puts a library into every program that starts";
        "The dynamic loader maps each library named in /etc/ld.so.preload into every program before its own libraries, sshd \
         included, so that its functions take the place of theirs. Debian and RHEL install no such file. Preload rootkits and \
         several SSH credential stealers live there; so do some monitoring and allocation libraries that sites install on \
         purpose. This finding says that the file is in force, not that the library is hostile: the checks `provenance`, \
         `backdoor` and `anomaly` judge the library itself.";
        "Find out which package or person put the line there. If the site means it, declare the library under \
         `declared-preloads` in sshproof.toml; if nobody does, keep a copy of the library and treat the host as taken over.";
        ["ld.so(8), /etc/ld.so.preload", "MITRE ATT&CK T1574.006"]

    UNIT_PRELOAD = "hygiene/unit-preload", Integrity, High;
        "the environment that a service starts with makes the loader use other libraries";
        "LD_PRELOAD, LD_AUDIT and LD_LIBRARY_PATH in a unit, a drop-in, a file it names with EnvironmentFile, or the service \
         manager's own DefaultEnvironment make the dynamic loader map libraries of somebody's choice into the server. No \
         distributor's unit for an SSH server sets them. Builds of a site's own sometimes set LD_LIBRARY_PATH where a RUNPATH \
         in the program would do.";
        "Remove the assignment; give a program of the site's own a RUNPATH instead. If nobody knows who set it, treat the host \
         as taken over.";
        ["ld.so(8)", "systemd.exec(5), Environment=", "MITRE ATT&CK T1574.006"]

    UNIT_OVERRIDE = "hygiene/unit-override", Hygiene, Informational;
        "a drop-in changes which commands a service runs";
        "A drop-in directory beside a unit replaces or adds commands. Administrators do so on purpose; what the server then \
         runs is what the other checks examined, and commands run before or after it are listed here so that somebody knows \
         them.";
        "Nothing, if the site knows this drop-in; `systemctl cat UNIT` shows the whole.";
        ["systemd.unit(5)", "MITRE ATT&CK T1543.002"]

    HOST_KEY_EXPOSED = "hygiene/host-key-exposed", Hygiene, High;
        "a private host key can be read by others than root";
        "Whoever reads a private host key can pose as this server to its users and take their passwords and forwarded agents. \
         OpenSSH refuses to use a key that its group or others may read, except where a distributor keeps it readable for the \
         group ssh_keys (RHEL up to 8), so the permissions were most likely changed after the server started, or were copied \
         wrongly into an image.";
        "Take the key as known to others: remove it, make a new one with `ssh-keygen -A`, and distribute the new public key.";
        ["sshd(8), FILES", "ssh-keygen(1)"]

    WRITABLE = "hygiene/writable-by-others", Hygiene, High;
        "somebody other than root can change a file that can decide a login";
        "The server's programs and libraries, its configuration, PAM stacks, units and host keys decide who gets in. Whoever \
         may write one of them, or owns it, needs no flaw to become root. Group write permission counts unless the group is \
         root's own and nobody else is in it.";
        "Give the file back to root: `chown root:root FILE` and `chmod go-w FILE`; then find out who could have used it.";
        ["sshd(8), FILES", "CWE-732"]

    DIRECTORY_WRITABLE = "hygiene/directory-writable-by-others", Hygiene, High;
        "somebody other than root can replace a file that can decide a login, through its directory";
        "Write permission on a directory allows to rename and remove what is in it and to put something else in its place, \
         whoever owns the file. The sticky bit forbids that for files of root, but not adding new ones, which is enough where \
         a program reads every file of a directory.";
        "Give the directory back to root: `chown root:root DIR` and `chmod go-w DIR`; then find out who could have used it.";
        ["path_resolution(7)", "CWE-732"]

    SECRETS_READABLE = "hygiene/secrets-readable", Hygiene, High;
        "password hashes can be read by others than root";
        "Whoever reads /etc/shadow or /etc/gshadow can guess passwords without being noticed. Debian keeps them readable for \
         the group shadow, RHEL for nobody at all.";
        "`chmod o-rwx` the file, then have every password on this host changed.";
        ["shadow(5)", "CWE-732"]
}
