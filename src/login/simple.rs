//! Servers without a language of their own for methods: what their command line says of the factors they ask for.
//!
//! Dropbear by its usage text and svr-runopts.c, svr-auth.c (2022.83, 2024.86): each method alone suffices, unless `-t`
//! (since 2022.83) asks for password and key. TinySSH by tinysshd(8): public keys only. Neither reading was compared with
//! the program, so it can refute and never prove.

use crate::formats::program::Implementation;
use crate::model::report::Proof;

/// What such a server asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// `Refuted` or `Unknown`.
    pub proof: Proof,
    /// One sentence about the server, without its name.
    pub reason: String,
}

/// What a server started with `arguments`, program first, asks for; none where nobody saw how it is started.
#[must_use]
pub fn demand(implementation: Implementation, arguments: &[Vec<u8>]) -> Demand {
    let refuted = |reason: &str| Demand { proof: Proof::Refuted, reason: reason.to_owned() };
    let unknown = |reason: &str| Demand { proof: Proof::Unknown, reason: reason.to_owned() };
    match (implementation, arguments.get(1..)) {
        (Implementation::TinySsh, _) => refuted("asks for a public key alone: it knows no other method"),
        (Implementation::Dropbear, None) => unknown("may ask for one factor: how it is started was not seen"),
        (Implementation::Dropbear, Some(words)) => match flags(words) {
            None => unknown("may ask for one factor: an option of its command line is not known"),
            Some(flags) if flags.contains(&b't') => {
                unknown("is told to ask for key and password (`-t`), but our reading of it was never compared with it")
            }
            Some(flags) if flags.contains(&b's') => refuted("asks for a public key alone (`-s`: no passwords)"),
            Some(_) => refuted("asks for a public key or a password, either alone: it was started without `-t`"),
        },
        _ => unknown("authenticates in a way that is not modelled"),
    }
}

/// Flags of dropbear(8) with and without an argument.
const WITH_ARGUMENT: &[u8] = b"brDcGpPlIKTW";
const PLAIN: &[u8] = b"REFwsgBtjkiaemVuxzZ2";

/// The letters given, in order; `None` if a word is none that Dropbear takes.
fn flags(words: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut flags = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut letters = word.strip_prefix(b"-")?.iter();
        while let Some(letter) = letters.next() {
            flags.push(*letter);
            if WITH_ARGUMENT.contains(letter) {
                if letters.as_slice().is_empty() {
                    words.next()?;
                }
                break;
            }
            if !PLAIN.contains(letter) {
                return None;
            }
        }
    }
    Some(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_command_line_refutes() {
        let check = |line: &str, proof: Proof, reason: &str| {
            let words: Vec<Vec<u8>> = line.split_whitespace().map(|word| word.as_bytes().to_vec()).collect();
            let demand = demand(Implementation::Dropbear, &words);
            assert_eq!(demand.proof, proof, "{line}");
            assert!(demand.reason.contains(reason), "{line}: {}", demand.reason);
        };
        check("", Proof::Unknown, "not seen");
        check("dropbear", Proof::Refuted, "either alone");
        check("dropbear -E -F -p 0.0.0.0:2222 -W 65536", Proof::Refuted, "either alone");
        check("dropbear -sEF -p22", Proof::Refuted, "`-s`");
        check("dropbear -F -t", Proof::Unknown, "never compared");
        // The argument of an option is no flag.
        check("dropbear -c t -b -t", Proof::Refuted, "either alone");
        check("dropbear $DROPBEAR_EXTRA_ARGS", Proof::Unknown, "not known");
        check("dropbear -Q", Proof::Unknown, "not known");
        check("dropbear -p", Proof::Unknown, "not known");
        assert_eq!(demand(Implementation::TinySsh, &[]).proof, Proof::Refuted);
        assert_eq!(demand(Implementation::Unknown, &[]).proof, Proof::Unknown);
    }
}
