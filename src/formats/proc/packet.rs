//! `/proc/net/packet`: the packet sockets of a network namespace (packet(7)). It does not say which of them filter.

use super::{fields, number};

/// One socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its inode, by which descriptors name it.
    pub inode: u64,
    /// The link-layer protocol that it hears, `ETH_P_ALL` (3) for all.
    pub protocol: u16,
    /// Who made it.
    pub uid: u32,
}

/// All of them; `None` if a line is malformed.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Vec<Row>> {
    // sk RefCnt Type Proto Iface R Rmem User Inode (`packet_seq_show` of net/packet/af_packet.c)
    let lines = bytes.split(|b| *b == b'\n').skip(1).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let mut columns = fields(line).skip(3);
            let protocol = u16::try_from(number(columns.next()?, 16)?).ok()?;
            let uid = u32::try_from(number(columns.nth(3)?, 10)?).ok()?;
            Some(Row { inode: number(columns.next()?, 10)?, protocol, uid })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &str, expected: Option<&[Row]>) {
        let text = format!("sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n{rows}");
        assert_eq!(parse(text.as_bytes()).as_deref(), expected);
    }

    #[test]
    fn rows_of_packet_sockets() {
        check("", Some(&[]));
        let row = Row { inode: 36143, protocol: 3, uid: 101 };
        check("0000000000000000 3      3    0003   2     1 0      101    36143 \n", Some(&[row]));
        check("0000000000000000 3      3    0003   2     1 0\n", None);
    }
}
