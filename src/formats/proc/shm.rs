//! `/proc/sysvipc/shm`: the System V shared memory segments of an IPC namespace (sysvipc(7), proc(5)).

use super::{fields, number};

/// One segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: u64,
    /// Permission bits.
    pub mode: u32,
    /// Size in bytes.
    pub size: u64,
    /// The process that made it, and the last that attached or detached it.
    pub creator: i32,
    /// See `creator`.
    pub last: i32,
    /// User id of the owner.
    pub uid: u32,
}

/// All of them; `None` if a line is malformed.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Vec<Row>> {
    // key shmid perms size cpid lpid nattch uid … (`sysvipc_shm_proc_show` of ipc/shm.c)
    let lines = bytes.split(|b| *b == b'\n').skip(1).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let mut columns = fields(line).skip(1);
            let id = number(columns.next()?, 10)?;
            let mode = u32::try_from(number(columns.next()?, 8)?).ok()? & 0o777;
            let size = number(columns.next()?, 10)?;
            let creator = i32::try_from(number(columns.next()?, 10)?).ok()?;
            let last = i32::try_from(number(columns.next()?, 10)?).ok()?;
            let uid = u32::try_from(number(columns.nth(1)?, 10)?).ok()?;
            Some(Row { id, mode, size, creator, last, uid })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &str, expected: Option<&[Row]>) {
        let text = format!("       key      shmid perms                  size  cpid  lpid nattch   uid\n{rows}");
        assert_eq!(parse(text.as_bytes()).as_deref(), expected);
    }

    #[test]
    fn rows_of_segments() {
        check("", Some(&[]));
        let row = Row { id: 3, mode: 0o666, size: 3_282_312, creator: 812, last: 813, uid: 0 };
        // The kernel shows flags above the permission bits, such as SHM_DEST (01000).
        check("         0          3  1666               3282312   812   813      1     0     0\n", Some(&[row]));
        check("         0          3  1666\n", None);
    }
}
