//! Certificates found in key files, and the check of signatures against them.
//!
//! Key files of distributors begin with prose and hold several armoured blocks; all of them are read. That a key is here
//! means nothing yet: it must be pinned ([`super::vendor`]).

use std::cell::RefCell;
use std::collections::BTreeMap;

use pgp::composed::{Deserializable, SignedPublicKey};
use pgp::packet::{Packet, PacketParser, Signature, SignatureType, SignatureVersion};

use super::certificate::{Certificate, Part};
use super::checked::{Checked, Hash, Outcome, Signer};
use crate::model::Timestamp;

/// Certificates kept; `distribution-gpg-keys` as a whole holds some 400.
const MAX_CERTIFICATES: usize = 2000;
/// Signature packets looked at in one piece of signature data, and keys tried for one of them.
const MAX_SIGNATURES: usize = 16;
const MAX_CANDIDATES: usize = 16;

const BEGIN: &[u8] = b"-----BEGIN PGP PUBLIC KEY BLOCK-----";
const END: &[u8] = b"-----END PGP PUBLIC KEY BLOCK-----";

/// Certificates to check signatures against.
#[derive(Debug, Default)]
pub struct Keyring {
    certificates: Vec<Certificate>,
    /// What certificates say of their keys, as far as it was asked: each answer costs signatures to be verified.
    signers: RefCell<BTreeMap<(usize, Part), Option<Signer>>>,
}

impl Keyring {
    /// Adds the certificates in the key file `bytes`, found in `name`: armoured blocks with anything between them, or
    /// packets as they are. Returns how many blocks (or, of packets, certificates) could not be read.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> usize {
        let mut unread = 0;
        let blocks = blocks(bytes);
        let mut take = |found: pgp::errors::Result<SignedPublicKey>| match found {
            Ok(key) if self.certificates.len() < MAX_CERTIFICATES => {
                self.certificates.push(Certificate::new(key, name.to_owned()));
            }
            _ => unread += 1,
        };
        for block in &blocks {
            match SignedPublicKey::from_armor_many(*block) {
                Ok((keys, _)) => keys.for_each(&mut take),
                Err(error) => take(Err(error)),
            }
        }
        if blocks.is_empty() && bytes.first().is_some_and(|first| first & 0x80 != 0) {
            match SignedPublicKey::from_bytes_many(bytes) {
                Ok(keys) => keys.for_each(&mut take),
                Err(error) => take(Err(error)),
            }
        }
        unread
    }

    /// The certificates.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// Checks the signatures in `packets` (binary OpenPGP) over `signed`.
    #[must_use]
    pub fn check(&self, signed: &[u8], packets: &[u8]) -> Vec<Checked> {
        self.check_all(signed, packets, SignatureType::Binary)
    }

    /// Checks the signatures in `packets` over `text`, whose line ends mean nothing (RFC 9580, section 5.2.1.2): that is how
    /// `InRelease` is signed.
    #[must_use]
    pub fn check_text(&self, text: &[u8], packets: &[u8]) -> Vec<Checked> {
        self.check_all(text, packets, SignatureType::Text)
    }

    fn check_all(&self, signed: &[u8], packets: &[u8], wanted: SignatureType) -> Vec<Checked> {
        let mut checked = Vec::new();
        for packet in PacketParser::new(packets).take(MAX_SIGNATURES) {
            checked.push(match packet {
                Ok(Packet::Signature(signature)) => self.check_one(signed, &signature, wanted),
                Ok(_) => unreadable("a packet that is no signature"),
                Err(_) => unreadable("a damaged packet"),
            });
        }
        if checked.is_empty() {
            checked.push(unreadable("no packet"));
        }
        checked
    }

    fn check_one(&self, signed: &[u8], signature: &Signature, wanted: SignatureType) -> Checked {
        let ids = signature.issuer_key_id();
        let fingerprints = signature.issuer_fingerprint();
        let by_fingerprint = fingerprints.first().map(|fingerprint| format!("{fingerprint:X}"));
        let issuer =
            by_fingerprint.or_else(|| ids.first().map(|id| id.to_string().to_ascii_uppercase())).unwrap_or_default();
        let version = match signature.version() {
            SignatureVersion::V2 => 2,
            SignatureVersion::V3 => 3,
            SignatureVersion::V4 => 4,
            SignatureVersion::V6 => 6,
            _ => 0,
        };
        let outcome = match (version, signature.typ()) {
            (3 | 4, Some(kind)) if kind == wanted && issuer.is_empty() => {
                Outcome::Malformed("it does not name its maker".to_owned())
            }
            (3 | 4, Some(kind)) if kind == wanted => self.outcome(signed, signature),
            // A certification or a binding is a signature too, over something else.
            (3 | 4, _) => Outcome::Malformed("it is no signature over a document".to_owned()),
            _ => Outcome::Unsupported(format!("a signature of version {version}")),
        };
        Checked {
            version,
            hash: signature.hash_alg().map_or(Hash::Other, |hash| Hash::of(u8::from(hash))),
            created: signature.created().map(|at| Timestamp(u64::from(at.as_secs()))),
            issuer,
            outcome,
        }
    }

    fn outcome(&self, signed: &[u8], signature: &Signature) -> Outcome {
        use pgp::crypto::public_key::PublicKeyAlgorithm as Key;
        let algorithm = signature.config().map(|config| config.pub_alg);
        if !matches!(
            algorithm,
            Some(Key::RSA | Key::RSASign | Key::DSA | Key::ECDSA | Key::EdDSALegacy | Key::Ed25519 | Key::Ed448)
        ) {
            return Outcome::Unsupported("a signature by an algorithm that we cannot check".to_owned());
        }
        let (ids, fingerprints) = (signature.issuer_key_id(), signature.issuer_fingerprint());
        let candidates = self.certificates.iter().enumerate().flat_map(|(number, certificate)| {
            let parts = certificate.parts_named(&ids, &fingerprints);
            parts.into_iter().map(move |part| (number, certificate, part))
        });
        // Several keys may bear one id; the signature is the one's that verifies it. Of equal keys the one counts that says
        // most against itself: an older copy of a certificate lacks its later revocation.
        let mut named = false;
        let mut best: Option<Signer> = None;
        for (number, certificate, part) in candidates.take(MAX_CANDIDATES) {
            named = true;
            if !certificate.verifies(part, signature, signed) {
                continue;
            }
            let mut signers = self.signers.borrow_mut();
            let signer = signers.entry((number, part)).or_insert_with(|| certificate.signer(part));
            let gravity = |signer: &Signer| signer.revoked.map(|revoked| revoked.hard);
            if let Some(signer) = signer
                && best.as_ref().is_none_or(|best| gravity(signer) > gravity(best))
            {
                best = Some(signer.clone());
            }
        }
        match (best, named) {
            (Some(signer), _) => Outcome::Good(Box::new(signer)),
            (None, true) => Outcome::Bad,
            (None, false) => Outcome::NoKey,
        }
    }
}

fn unreadable(what: &str) -> Checked {
    let outcome = Outcome::Malformed(format!("it holds {what}"));
    Checked { version: 0, hash: Hash::Other, created: None, issuer: String::new(), outcome }
}

/// The armoured blocks in a file, each from its first line to its last.
fn blocks(bytes: &[u8]) -> Vec<&[u8]> {
    let starts = memchr::memmem::find_iter(bytes, BEGIN);
    let block = |start: usize| {
        let rest = bytes.get(start..)?;
        let end = memchr::memmem::find(rest, END)?.checked_add(END.len())?;
        rest.get(..end)
    };
    starts.filter_map(block).take(MAX_CERTIFICATES).collect()
}
