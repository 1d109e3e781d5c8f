//! Names of ciphers, MACs and key exchanges.
//!
//! `ciphers[]` (cipher.c), `macs[]` (mac.c), `kexalgs[]` (kex.c, kex-names.c) of OpenSSH 8.4 to 10.6, built with OpenSSL.

use super::dialect::{Dialect, Version};

/// Which of the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// `Ciphers`.
    Ciphers,
    /// `MACs`.
    Macs,
    /// `KexAlgorithms`.
    KeyExchanges,
    /// `GSSAPIKexAlgorithms`, of builds with that patch.
    GssKeyExchanges,
}

const CIPHERS: &[&str] = &[
    "3des-cbc",
    "aes128-cbc",
    "aes192-cbc",
    "aes256-cbc",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
];

/// Known up to this release.
const OLD_CIPHERS: &[(&str, Version)] = &[("rijndael-cbc@lysator.liu.se", Version(8, 4))];

const MACS: &[&str] = &[
    "hmac-sha1",
    "hmac-sha1-96",
    "hmac-sha2-256",
    "hmac-sha2-512",
    "hmac-md5",
    "hmac-md5-96",
    "umac-64@openssh.com",
    "umac-128@openssh.com",
    "hmac-sha1-etm@openssh.com",
    "hmac-sha1-96-etm@openssh.com",
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-md5-etm@openssh.com",
    "hmac-md5-96-etm@openssh.com",
    "umac-64-etm@openssh.com",
    "umac-128-etm@openssh.com",
];

/// With the first and the last release that knows each.
const KEY_EXCHANGES: &[(&str, Version, Version)] = &[
    ("diffie-hellman-group1-sha1", FIRST, LAST),
    ("diffie-hellman-group14-sha1", FIRST, LAST),
    ("diffie-hellman-group14-sha256", FIRST, LAST),
    ("diffie-hellman-group16-sha512", FIRST, LAST),
    ("diffie-hellman-group18-sha512", FIRST, LAST),
    ("diffie-hellman-group-exchange-sha1", FIRST, LAST),
    ("diffie-hellman-group-exchange-sha256", FIRST, LAST),
    ("ecdh-sha2-nistp256", FIRST, LAST),
    ("ecdh-sha2-nistp384", FIRST, LAST),
    ("ecdh-sha2-nistp521", FIRST, LAST),
    ("curve25519-sha256", FIRST, LAST),
    ("curve25519-sha256@libssh.org", FIRST, LAST),
    ("sntrup4591761x25519-sha512@tinyssh.org", Version(8, 0), Version(8, 4)),
    ("sntrup761x25519-sha512@openssh.com", Version(8, 5), LAST),
    // Debian carries it to 9.2 from 9.9.
    ("sntrup761x25519-sha512", Version(9, 2), LAST),
    ("mlkem768x25519-sha256", Version(9, 9), LAST),
    ("mlkem768nistp256-sha256", Version(10, 6), LAST),
];

const FIRST: Version = Version(0, 0);
const LAST: Version = Version(u8::MAX, u8::MAX);

/// Beginnings: the rest is a digest of the mechanism.
const GSS_KEY_EXCHANGES: &[&str] = &[
    "gss-gex-sha1-",
    "gss-group1-sha1-",
    "gss-group14-sha1-",
    "gss-group14-sha256-",
    "gss-group16-sha512-",
    "gss-nistp256-sha256-",
    "gss-curve25519-sha256-",
];

/// The first name of a list that sshd does not know (`ciphers_valid`, `mac_valid`, `kex_names_valid`). Lists that begin
/// with `-` hold patterns and are not checked.
#[must_use]
pub fn unknown(suite: Suite, list: &[u8], dialect: Dialect) -> Option<&[u8]> {
    let names = match list.split_first() {
        Some((b'-', _)) if suite != Suite::GssKeyExchanges => return None,
        Some((b'+' | b'^', names)) if suite != Suite::GssKeyExchanges => names,
        _ => list,
    };
    if names.is_empty() {
        return Some(names);
    }
    names.split(|byte| *byte == b',').take_while(|name| !name.is_empty()).find(|name| !is_known(suite, name, dialect))
}

/// Why it cannot be told whether sshd takes the list: after an empty element names are no longer checked, but the list
/// may turn out to be empty when it is assembled.
#[must_use]
pub fn doubt(suite: Suite, list: &[u8]) -> Option<String> {
    let mut names = list.split(|byte| *byte == b',');
    let first = names.next().unwrap_or_default();
    let empty = list.first() != Some(&b'-') && (first.is_empty() || list.windows(2).any(|pair| pair == b",,"));
    let odd = empty || suite == Suite::KeyExchanges && list.starts_with(b"gss-");
    odd.then(|| format!("how sshd assembles the list `{}` is not modelled", crate::model::text::escape(list)))
}

fn is_known(suite: Suite, name: &[u8], dialect: Dialect) -> bool {
    let among = |names: &[&str]| names.iter().any(|known| known.as_bytes() == name);
    let gss = || {
        dialect.distribution == super::Distribution::Debian
            && dialect.has_gssapi()
            && GSS_KEY_EXCHANGES.iter().any(|start| name.starts_with(start.as_bytes()))
    };
    match suite {
        Suite::Ciphers => {
            let old = |(known, last): &(&str, Version)| known.as_bytes() == name && dialect.version <= *last;
            among(CIPHERS) || OLD_CIPHERS.iter().any(old)
        }
        Suite::Macs => among(MACS),
        Suite::GssKeyExchanges => gss(),
        Suite::KeyExchanges => {
            let known = |(known, since, until): &(&str, Version, Version)| {
                known.as_bytes() == name && (*since..=*until).contains(&dialect.version)
            };
            KEY_EXCHANGES.iter().any(known) || gss()
        }
    }
}
