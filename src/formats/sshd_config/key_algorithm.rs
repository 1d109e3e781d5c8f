//! Names of key algorithms, and what a list of them stands for.
//!
//! `keyimpls[]` and `sshkey_names_valid2` (sshkey.c), `kex_assemble_names` (kex.c), `KEX_DEFAULT_PK_ALG` and
//! `SSH_ALLOWED_CA_SIGALGS` (myproposal.h) of OpenSSH 8.4, 9.2, 10.0 and 10.6, built with OpenSSL.

use super::dialect::{Dialect, Version};
use super::keyword::Kind;
use super::pattern;

/// Every key algorithm by its name, in the order of `ssh -Q key-sig` since 9.1.
const ALL: &[&str] = &[
    "ssh-ed25519",
    "ssh-ed25519-cert-v01@openssh.com",
    "sk-ssh-ed25519@openssh.com",
    "sk-ssh-ed25519-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-dss",
    "ssh-dss-cert-v01@openssh.com",
    "ssh-rsa",
    "ssh-rsa-cert-v01@openssh.com",
    "rsa-sha2-256",
    "rsa-sha2-256-cert-v01@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-512-cert-v01@openssh.com",
];

/// Names that came later, each behind the one that it follows in that order.
const LATER: &[(&str, &str, Version)] = &[
    ("sk-ssh-ed25519-cert-v01@openssh.com", "ssh-mldsa44-ed25519", Version(10, 6)),
    ("ssh-mldsa44-ed25519", "ssh-mldsa44-ed25519-cert", Version(10, 6)),
    (
        "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
        "webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
        Version(10, 3),
    ),
];

/// The same up to 9.0.
const ALL_BEFORE_9_1: &[&str] = &[
    "ssh-ed25519",
    "ssh-ed25519-cert-v01@openssh.com",
    "sk-ssh-ed25519@openssh.com",
    "sk-ssh-ed25519-cert-v01@openssh.com",
    "ssh-rsa",
    "rsa-sha2-256",
    "rsa-sha2-512",
    "ssh-dss",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa-cert-v01@openssh.com",
    "rsa-sha2-256-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com",
    "ssh-dss-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
];

/// Plain keys that are accepted without a line saying so, strongest first; their certificates come before them.
const DEFAULT: &[&str] = &[
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// The same since 10.6; lists of signatures of certificate authorities do without the last.
const DEFAULT_SINCE_10_6: &[&str] = &[
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
    "ssh-mldsa44-ed25519",
];

/// The same up to 8.4; `ssh-rsa` follows in lists of keys, not in lists of signatures.
const DEFAULT_BEFORE_8_5: &[&str] = &[
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

fn is_certificate(name: &str) -> bool {
    name.ends_with(CERTIFICATE) || name.ends_with(PLAIN_CERTIFICATE)
}

const CERTIFICATE: &str = "-cert-v01@openssh.com";

/// Without the vendor's name: of algorithms that the IETF named.
const PLAIN_CERTIFICATE: &str = "-cert";

/// Every algorithm that a list of this kind may name, in sshd's own order.
fn all(kind: Kind, dialect: Dialect) -> impl Iterator<Item = &'static str> {
    let table = if dialect.at_least(9, 1) { ALL } else { ALL_BEFORE_9_1 };
    let with_later = move |name: &'static str| {
        let next = move |name: &&'static str| {
            let later = LATER.iter().find(|(before, _, since)| before == name && dialect.version >= *since);
            later.map(|(_, later, _)| *later)
        };
        std::iter::successors(Some(name), next)
    };
    // DSA left with 10.0.
    let dsa = !dialect.at_least(10, 0);
    let wanted =
        move |name: &&str| (kind == Kind::KeyAlgorithms || !is_certificate(name)) && (dsa || !name.contains("-dss"));
    table.iter().copied().flat_map(with_later).filter(wanted)
}

fn default(kind: Kind, dialect: Dialect) -> Vec<String> {
    let plain = match () {
        () if dialect.at_least(10, 6) => DEFAULT_SINCE_10_6,
        () if dialect.at_least(8, 5) => DEFAULT,
        () => DEFAULT_BEFORE_8_5,
    };
    let mut plain = plain.to_vec();
    if kind != Kind::KeyAlgorithms {
        plain.retain(|name| *name != "ssh-mldsa44-ed25519");
        return plain.into_iter().map(str::to_owned).collect();
    }
    // Signatures with SHA-1 were accepted up to 8.7.
    if !dialect.at_least(8, 8) {
        plain.push("ssh-rsa");
    }
    let certificate = |name: &&str| match *name {
        "ssh-mldsa44-ed25519" => format!("{name}{PLAIN_CERTIFICATE}"),
        _ => format!("{}{CERTIFICATE}", name.strip_suffix("@openssh.com").unwrap_or(name)),
    };
    plain.iter().map(certificate).chain(plain.iter().map(|name| (*name).to_owned())).collect()
}

/// The names that a value of this kind stands for, `+`, `-`, `^` and wildcards resolved (`kex_assemble_names`); an empty
/// value stands for the default. `None`: nothing is left, which sshd refuses.
#[must_use]
pub fn list(kind: Kind, value: &[u8], dialect: Dialect) -> Option<Vec<String>> {
    let default = default(kind, dialect);
    let value = String::from_utf8_lossy(value).into_owned();
    let split = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
    let wanted = if value.is_empty() {
        return Some(default);
    } else if let Some(more) = value.strip_prefix('+') {
        [default, split(more)].concat()
    } else if let Some(less) = value.strip_prefix('-') {
        let left: Vec<String> = default
            .into_iter()
            .filter(|name| pattern::list(name.as_bytes(), less.as_bytes()) == pattern::Answer::No)
            .collect();
        return Some(left);
    } else if let Some(head) = value.strip_prefix('^') {
        [split(head), default].concat()
    } else {
        split(&value)
    };
    let mut names: Vec<String> = Vec::new();
    for glob in wanted {
        if glob.starts_with('!') {
            return None;
        }
        for name in all(kind, dialect) {
            if pattern::matches(name.as_bytes(), glob.as_bytes()) && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    (!names.is_empty()).then_some(names)
}

/// Whether each name is an algorithm, a short name of a plain key, or a pattern that matches one
/// (`sshkey_names_valid2`). Since 9.4 lists of signatures must not name a certificate.
#[must_use]
pub fn are_valid(names: &[u8], kind: Kind, dialect: Dialect) -> bool {
    const SHORT: [&str; 6] = ["ED25519", "ED25519-SK", "ECDSA", "ECDSA-SK", "DSA", "RSA"];
    if names.is_empty() {
        return false;
    }
    let plain_only = kind == Kind::SignatureAlgorithms && dialect.at_least(9, 4);
    names.split(|byte| *byte == b',').take_while(|name| !name.is_empty()).all(|name| {
        if let Some(known) = all(Kind::KeyAlgorithms, dialect).find(|known| known.as_bytes() == name) {
            return !(plain_only && is_certificate(known));
        }
        let short = |short: &&str| name.eq_ignore_ascii_case(short.as_bytes());
        // Short names left with 10.0.
        !dialect.at_least(10, 0) && SHORT.iter().any(short)
            || all(Kind::KeyAlgorithms, dialect)
                .any(|known| pattern::list(known.as_bytes(), name) != pattern::Answer::No)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_resolved() {
        let check = |value: &str, dialect: Dialect, expected: Option<&str>| {
            let names = list(Kind::KeyAlgorithms, value.as_bytes(), dialect).map(|names| names.join(","));
            assert_eq!(names.as_deref(), expected, "{value}");
        };
        let new = Dialect::DEBIAN_12;
        check(
            "sk-*",
            new,
            Some(
                "sk-ssh-ed25519@openssh.com,sk-ssh-ed25519-cert-v01@openssh.com,\
            sk-ecdsa-sha2-nistp256@openssh.com,sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
            ),
        );
        check("RSA", new, None);
        check("ssh-dss", new, Some("ssh-dss"));
        check("ssh-dss", Dialect::DEBIAN_13, None);
        check(
            "ssh-mldsa*,webauthn*",
            Dialect::DEBIAN_UNSTABLE,
            Some(
                "ssh-mldsa44-ed25519,ssh-mldsa44-ed25519-cert,webauthn-sk-ecdsa-sha2-nistp256@openssh.com,\
                 webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
            ),
        );
        check("ssh-mldsa*", Dialect::DEBIAN_13, None);
        let length = |value: &[u8]| list(Kind::KeyAlgorithms, value, new).unwrap().len();
        assert_eq!((length(b"-*"), length(b"+ssh-rsa")), (0, 17));
        assert_eq!(list(Kind::KeyAlgorithms, b"^ssh-rsa", new).unwrap()[0], "ssh-rsa");
        assert!(list(Kind::KeyAlgorithms, b"", Dialect::DEBIAN_11).unwrap().contains(&"ssh-rsa".to_owned()));
    }
}
