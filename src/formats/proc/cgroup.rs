//! `/proc/PID/cgroup`: which control group a process is in (cgroups(7)), and so which systemd unit started it.

/// The name of the system unit that owns the process, such as `ssh.service`: the last component of its path that is a
/// service, in the unified hierarchy or in systemd's own named one. `None` outside a service, and for the services of
/// a user's own manager (`user@1000.service/…`).
#[must_use]
pub fn service(bytes: &[u8]) -> Option<Vec<u8>> {
    let path = bytes.split(|b| *b == b'\n').find_map(|line| {
        let mut parts = line.splitn(3, |b| *b == b':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        matches!(controllers, b"" | b"name=systemd").then_some(path)
    })?;
    let mut services = path.split(|b| *b == b'/').filter(|part| part.ends_with(b".service"));
    let first = services.next()?;
    if services.next().is_some() && first.starts_with(b"user@") {
        return None;
    }
    Some(first.to_vec())
}

/// What a container is called: the first 12 digits of the 64 by which Docker, Podman and Kubernetes name one, else the machine of
/// systemd-machined (`machine-NAME.scope`). `None` where no control group is named so.
#[must_use]
pub fn container(bytes: &[u8]) -> Option<Vec<u8>> {
    let words = || bytes.split(|b| matches!(b, b'\n' | b'/' | b':' | b'-' | b'.' | b'_'));
    let is_id = |word: &&[u8]| word.len() == 64 && word.iter().all(u8::is_ascii_hexdigit);
    if let Some(id) = words().find(is_id) {
        return id.get(..12).map(<[u8]>::to_vec);
    }
    let scopes = bytes.split(|b| matches!(b, b'\n' | b'/'));
    let mut machines = scopes.filter_map(|part| part.strip_prefix(b"machine-")?.strip_suffix(b".scope"));
    machines.next().map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], expected: Option<&[u8]>) {
        assert_eq!(service(input).as_deref(), expected);
    }

    #[test]
    fn a_container_has_the_name_that_its_engine_gave_it() {
        let id = "0123456789abcdef".repeat(4);
        let check = |text: String, expected: Option<&str>| {
            let name = container(text.as_bytes()).map(|name| String::from_utf8(name).unwrap());
            assert_eq!(name.as_deref(), expected);
        };
        check(format!("0::/system.slice/docker-{id}.scope\n"), Some("0123456789ab"));
        check(format!("0::/kubepods.slice/kubepods-pod77.slice/cri-containerd-{id}.scope\n"), Some("0123456789ab"));
        check(format!("4:memory:/docker/{id}\n0::/\n"), Some("0123456789ab"));
        check("0::/machine.slice/machine-login.scope/payload\n".to_owned(), Some("login"));
        check("0::/system.slice/ssh.service\n".to_owned(), None);
        check("0::/\n".to_owned(), None);
    }

    #[test]
    fn the_unit_is_the_service_of_the_path() {
        check(b"0::/system.slice/ssh.service\n", Some(b"ssh.service"));
        check(b"12:cpu:/x\n1:name=systemd:/system.slice/sshd.service\n", Some(b"sshd.service"));
        check(b"0::/system.slice/system-sshd.slice/sshd@1.service\n", Some(b"sshd@1.service"));
        check(b"0::/user.slice/user-1000.slice/user@1000.service/app.slice/ide.service\n", None);
        check(b"0::/user.slice/user-0.slice/session-3.scope\n", None);
        check(b"0::/\n", None);
        check(b"", None);
    }
}
