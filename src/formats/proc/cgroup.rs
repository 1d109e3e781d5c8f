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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], expected: Option<&[u8]>) {
        assert_eq!(service(input).as_deref(), expected);
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
