//! authorized_keys(5): whether an account trusts a key of its own to certify others. The keys themselves are of no interest,
//! and [`redact`] removes them before anything is kept.

/// Key types that a line may begin with, or have after its options (`sshkey_type_from_name`, OpenSSH 9.2; ssh-keygen(1)).
const KEY_TYPES: [&[u8]; 9] = [
    b"ssh-ed25519",
    b"ssh-rsa",
    b"ssh-dss",
    b"ecdsa-sha2-nistp256",
    b"ecdsa-sha2-nistp384",
    b"ecdsa-sha2-nistp521",
    b"sk-ssh-ed25519@openssh.com",
    b"sk-ecdsa-sha2-nistp256@openssh.com",
    b"ssh-xmss@openssh.com",
];

/// What a line that trusts an authority becomes, and any other.
const AUTHORITY: &[u8] = b"cert-authority ssh-ed25519 removed";
const REMOVED: &[u8] = b"#";

/// Whether a line of the file trusts its key to sign certificates: the option `cert-authority`, in any case of letters
/// (sshd(8), AUTHORIZED_KEYS FILE FORMAT).
#[must_use]
pub fn trusts_an_authority(bytes: &[u8]) -> bool {
    bytes.split(|b| *b == b'\n').any(|line| {
        let Some((options, rest)) = options(line.trim_ascii()) else { return false };
        let named = split(options, b',').any(|option| option.eq_ignore_ascii_case(b"cert-authority"));
        let mut words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        named && words.next().is_some_and(|word| KEY_TYPES.contains(&word)) && words.next().is_some()
    })
}

/// The file with nothing left but which of its lines trust an authority.
#[must_use]
pub fn redact(bytes: &[u8]) -> Vec<u8> {
    let keep = |line: &[u8]| if trusts_an_authority(line) { AUTHORITY } else { REMOVED };
    bytes.split(|b| *b == b'\n').map(keep).collect::<Vec<_>>().join(&b'\n')
}

/// The options before the key, and what follows them; `None` for a line that has none.
fn options(line: &[u8]) -> Option<(&[u8], &[u8])> {
    if line.is_empty() || line.starts_with(b"#") {
        return None;
    }
    let first = split(line, b' ').next()?;
    // Options end at the first blank or tab outside quotes.
    let first = split(first, b'\t').next()?;
    let rest = line.get(first.len()..)?;
    (!KEY_TYPES.contains(&first)).then_some((first, rest))
}

/// The parts of `text` between separators that stand outside double quotes; `\"` is no quote (`opt_dequote`, misc.c).
fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |byte| {
        let ends = *byte == separator && !quoted;
        quoted ^= *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_found_whatever_stands_around_them() {
        let check = |text: &str, expected: bool| {
            assert_eq!(trusts_an_authority(text.as_bytes()), expected, "{text}");
            let redacted = redact(text.as_bytes());
            assert_eq!(trusts_an_authority(&redacted), expected, "{text}");
            assert!(!String::from_utf8(redacted).unwrap().contains("AAAA"), "{text}");
        };
        check("", false);
        check("ssh-ed25519 AAAA cert-authority", false);
        check("cert-authority ssh-ed25519 AAAA comment", true);
        check("\t CERT-Authority\tssh-rsa AAAA", true);
        check("# cert-authority ssh-rsa AAAA", false);
        check("restrict,cert-authority,principals=\"a,b\" ssh-rsa AAAA", true);
        check("command=\"echo cert-authority , \\\" ,cert-authority\" ssh-rsa AAAA", false);
        check("from=\"10.0.0.0/8\",cert-authority ecdsa-sha2-nistp256 AAAA\n", true);
        check("cert-authority nonsense AAAA", false);
        check("ssh-rsa AAAA a\nno-pty ssh-rsa AAAA b\ncert-authority ssh-rsa AAAA c", true);
    }
}
