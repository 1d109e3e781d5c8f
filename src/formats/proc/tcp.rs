//! `/proc/net/tcp` and `/proc/net/tcp6`: the TCP sockets of a network namespace (proc(5)).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{fields, number};

/// State `TCP_LISTEN` (include/net/tcp_states.h).
const LISTEN: u64 = 0x0a;

/// A listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Local address.
    pub address: IpAddr,
    /// Local port.
    pub port: u16,
    /// Effective user id of its creator.
    pub uid: u32,
    /// Its inode: `socket:[N]` among the descriptors of its owners.
    pub inode: u64,
}

/// The listening sockets, and the number of lines that could not be read.
#[must_use]
pub fn listeners(bytes: &[u8]) -> (Vec<Listener>, usize) {
    let mut broken: usize = 0;
    let mut found = Vec::new();
    // The first line holds the titles.
    for line in bytes.split(|b| *b == b'\n').skip(1).filter(|line| !line.is_empty()) {
        match parse(line) {
            Some((LISTEN, listener)) => found.push(listener),
            Some(_) => {}
            None => broken = broken.saturating_add(1),
        }
    }
    (found, broken)
}

fn parse(line: &[u8]) -> Option<(u64, Listener)> {
    // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
    let mut parts = fields(line);
    let local = parts.nth(1)?;
    let state = number(parts.nth(1)?, 16)?;
    let uid = u32::try_from(number(parts.nth(3)?, 10)?).ok()?;
    let inode = number(parts.nth(1)?, 10)?;
    let colon = local.iter().position(|b| *b == b':')?;
    let address = address(local.get(..colon)?)?;
    let port = u16::try_from(number(local.get(colon.checked_add(1)?..)?, 16)?).ok()?;
    Some((state, Listener { address, port, uid, inode }))
}

/// Each 32-bit word of the address is printed as a number in the machine's own byte order.
fn address(hex: &[u8]) -> Option<IpAddr> {
    let mut bytes = Vec::with_capacity(16);
    for word in hex.chunks(8) {
        bytes.extend(u32::try_from(number(word, 16)?).ok()?.to_ne_bytes());
    }
    match hex.len() {
        8 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        32 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TITLES: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    fn check(line: &str, expected: &[(&str, u16, u32, u64)], broken: usize) {
        let (found, wrong) = listeners(format!("{TITLES}{line}").as_bytes());
        let found: Vec<_> = found.iter().map(|l| (l.address.to_string(), l.port, l.uid, l.inode)).collect();
        let expected: Vec<_> = expected.iter().map(|(a, p, u, i)| ((*a).to_owned(), *p, *u, *i)).collect();
        assert_eq!((found, wrong), (expected, broken));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn listening_sockets_only() {
        let tail = "00000000:0000 0A 00000000:00000000 00:00000000 00000000";
        check(
            &format!("   0: 0100007F:0016 {tail}     0        0 5001 1 0000 100 0\n"),
            &[("127.0.0.1", 22, 0, 5001)],
            0,
        );
        check("   1: 0100007F:0016 0100007F:C001 01 00000000:00000000 00:00000000 00000000 0 0 5002\n", &[], 0);
        check(
            "   0: 00000000000000000000000001000000:08AE 00000000000000000000000000000000:0000 0A \
             00000000:00000000 00:00000000 00000000  1000        0 77 1 0 100 0 0 10 0\n",
            &[("::1", 2222, 1000, 77)],
            0,
        );
        check("nonsense\n", &[], 1);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = listeners(&bytes);
        }
    }
}
