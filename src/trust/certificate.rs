//! One OpenPGP certificate: what it says of its own keys, as far as its own signatures prove it.
//!
//! Expiry, revocations and the tie of a subkey count only where a signature by the primary key holds; third parties'
//! signatures are not looked at (RFC 9580, section 10.1).

use pgp::composed::{SignedPublicKey, SignedPublicSubKey};
use pgp::packet::{RevocationCode, Signature, SignatureType, SubpacketData};
use pgp::types::{Fingerprint, KeyDetails, KeyId, Tag};

use super::checked::{Binding, Revocation, Signer};
use crate::model::Timestamp;
use crate::model::text::escape;

/// Self-signatures of one key that are verified, the newest first. Real certificates carry a few; each costs a fraction of
/// a millisecond.
const MAX_SELF_SIGNATURES: usize = 32;

/// A certificate, and where it was found.
#[derive(Clone, Debug)]
pub struct Certificate {
    key: SignedPublicKey,
    found_in: String,
}

/// One of a certificate's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The primary key.
    Primary,
    /// The subkey with this number, counted from 0.
    Subkey(usize),
}

impl Certificate {
    pub(super) const fn new(key: SignedPublicKey, found_in: String) -> Self {
        Self { key, found_in }
    }

    /// The parts that a signature with these issuers may be by.
    pub(super) fn parts_named(&self, ids: &[&KeyId], fingerprints: &[&Fingerprint]) -> Vec<Part> {
        // Where a signature gives fingerprints, they decide: ids of 64 bits have been made to collide.
        let is_named = |key: &dyn KeyDetails| match fingerprints {
            [] => ids.contains(&&key.legacy_key_id()),
            _ => fingerprints.contains(&&key.fingerprint()),
        };
        let subkeys = self.key.public_subkeys.iter().enumerate();
        let subkeys = subkeys.filter(|(_, subkey)| is_named(&subkey.key)).map(|(number, _)| Part::Subkey(number));
        is_named(&self.key.primary_key).then_some(Part::Primary).into_iter().chain(subkeys).collect()
    }

    /// Whether `signature` is `part`'s over `signed`.
    pub(super) fn verifies(&self, part: Part, signature: &Signature, signed: &[u8]) -> bool {
        match part {
            Part::Primary => signature.verify(&self.key.primary_key, signed).is_ok(),
            Part::Subkey(number) => {
                self.key.public_subkeys.get(number).is_some_and(|subkey| signature.verify(&subkey.key, signed).is_ok())
            }
        }
    }

    /// Fingerprint of the primary key, upper-case hexadecimal.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        name_of(&self.key.primary_key)
    }

    /// Key ids of all its keys, upper-case hexadecimal: the last 16 digits of their fingerprints.
    pub fn key_ids(&self) -> impl Iterator<Item = String> + '_ {
        let subkeys = self.key.public_subkeys.iter().map(|subkey| subkey.key.legacy_key_id());
        std::iter::once(self.key.primary_key.legacy_key_id())
            .chain(subkeys)
            .map(|id| id.to_string().to_ascii_uppercase())
    }

    /// What the certificate says of `part`.
    pub(super) fn signer(&self, part: Part) -> Option<Signer> {
        let primary = &self.key.primary_key;
        let own = self.self_signatures();
        let user_id = self.key.details.users.iter().find(|user| own.iter().any(|found| found.user == Some(&user.id)));
        let mut signer = Signer {
            certificate: self.fingerprint(),
            key: self.fingerprint(),
            user_id: user_id.map(|user| escape(user.id.id())).unwrap_or_default(),
            created: moment(primary.created_at()),
            expires: expiry(primary, own.first().map(|found| found.signature)),
            revoked: revocation(
                self.key
                    .details
                    .revocation_signatures
                    .iter()
                    .filter(|revocation| revocation.verify_key(primary).is_ok()),
            ),
            binding: Binding::Primary,
            found_in: self.found_in.clone(),
        };
        if own.is_empty() {
            signer.binding = Binding::None("the primary key does not certify itself".to_owned());
        } else if part == Part::Primary && own.first().is_some_and(|found| may_sign(found.signature) == Some(false)) {
            signer.binding = Binding::None("the primary key is not for signing".to_owned());
        }
        if let Part::Subkey(number) = part {
            self.describe_subkey(self.key.public_subkeys.get(number)?, &mut signer);
        }
        Some(signer)
    }

    fn describe_subkey(&self, subkey: &SignedPublicSubKey, signer: &mut Signer) {
        let primary = &self.key.primary_key;
        let of_type = |wanted| move |signature: &&Signature| signature.typ() == Some(wanted);
        let holds = |signature: &&Signature| signature.verify_subkey_binding(primary, &subkey.key).is_ok();
        let bindings = newest(subkey.signatures.iter().filter(of_type(SignatureType::SubkeyBinding)));
        let binding = bindings.into_iter().find(holds);
        let revocations = subkey.signatures.iter().filter(of_type(SignatureType::SubkeyRevocation));
        let revoked = revocation(revocations.take(MAX_SELF_SIGNATURES).filter(holds));
        signer.key = name_of(&subkey.key);
        signer.created = moment(subkey.key.created_at());
        signer.expires = [signer.expires, expiry(&subkey.key, binding)].into_iter().flatten().min();
        signer.revoked = [signer.revoked, revoked].into_iter().flatten().max_by_key(|revoked| revoked.hard);
        if signer.binding != Binding::Primary && binding.is_none() {
            return;
        }
        // The subkey must agree: else a certificate could claim somebody else's signing key (RFC 9580, section 5.2.1.8).
        let agrees = |binding: &Signature| {
            binding
                .embedded_signature()
                .is_some_and(|back| back.verify_primary_key_binding(&subkey.key, primary).is_ok())
        };
        let missing = match binding {
            None => Some("the primary key does not bind the subkey"),
            Some(binding) if may_sign(binding) != Some(true) => Some("the subkey is not for signing"),
            Some(binding) if !agrees(binding) => Some("the subkey does not bind the primary key"),
            Some(_) => None,
        };
        // A primary key that is only for certifying may well have a subkey for signing.
        let is_certificate = !self.self_signatures().is_empty();
        signer.binding = match missing {
            Some(missing) => Binding::None(missing.to_owned()),
            None if !is_certificate => Binding::None("the primary key does not certify itself".to_owned()),
            None => Binding::Subkey,
        };
    }

    /// The primary key's valid signatures over itself and its user ids, the newest first.
    fn self_signatures(&self) -> Vec<SelfSignature<'_>> {
        let primary = &self.key.primary_key;
        let id = primary.legacy_key_id();
        let direct = self.key.details.direct_signatures.iter().map(|signature| SelfSignature { signature, user: None });
        let users = self.key.details.users.iter().flat_map(|user| {
            let own = user.signatures.iter().filter(|signature| {
                signature.is_certification() && signature.issuer_key_id().first().is_none_or(|issuer| **issuer == id)
            });
            own.map(|signature| SelfSignature { signature, user: Some(&user.id) })
        });
        let mut all: Vec<_> = direct.chain(users).collect();
        all.sort_by_key(|found| std::cmp::Reverse(found.signature.created().map(|at| at.as_secs())));
        all.truncate(MAX_SELF_SIGNATURES);
        all.retain(|found| match found.user {
            None => found.signature.verify_key(primary).is_ok(),
            Some(user) => found.signature.verify_certification(primary, Tag::UserId, user).is_ok(),
        });
        all
    }
}

/// A signature by the primary key over itself alone or with a user id.
struct SelfSignature<'a> {
    signature: &'a Signature,
    user: Option<&'a pgp::packet::UserId>,
}

/// Newest first, no more than we verify.
fn newest<'a>(signatures: impl Iterator<Item = &'a Signature>) -> Vec<&'a Signature> {
    let mut all: Vec<_> = signatures.collect();
    all.sort_by_key(|signature| std::cmp::Reverse(signature.created().map(|at| at.as_secs())));
    all.truncate(MAX_SELF_SIGNATURES);
    all
}

/// Whether a binding allows its key to sign documents; `None` if it does not say.
fn may_sign(signature: &Signature) -> Option<bool> {
    let flags = signature.config()?.hashed_subpackets().find_map(|subpacket| match &subpacket.data {
        SubpacketData::KeyFlags(flags) => Some(flags.sign()),
        _ => None,
    });
    flags.or(None)
}

/// When `key` expires: what `signature` over it says, or, in version 3, the key itself.
fn expiry(key: &dyn KeyDetails, signature: Option<&Signature>) -> Option<Timestamp> {
    let days =
        key.legacy_v3_expiration_days().filter(|days| *days > 0).map(|days| u64::from(days).saturating_mul(86_400));
    let seconds = signature.and_then(Signature::key_expiration_time).map(|life| u64::from(life.as_secs()));
    let life = seconds.filter(|seconds| *seconds > 0).or(days)?;
    Some(Timestamp(moment(key.created_at()).0.saturating_add(life)))
}

/// The gravest of `revocations`, which were verified: a hard one, else the earliest.
fn revocation<'a>(revocations: impl Iterator<Item = &'a Signature>) -> Option<Revocation> {
    let described = revocations.take(MAX_SELF_SIGNATURES).map(|signature| Revocation {
        at: signature.created().map_or(Timestamp(0), moment),
        hard: !matches!(
            signature.revocation_reason_code(),
            Some(RevocationCode::KeySuperseded | RevocationCode::KeyRetired | RevocationCode::CertUserIdInvalid)
        ),
    });
    described.min_by_key(|revocation| (!revocation.hard, revocation.at))
}

fn name_of(key: &dyn KeyDetails) -> String {
    format!("{:X}", key.fingerprint())
}

fn moment(at: pgp::types::Timestamp) -> Timestamp {
    Timestamp(u64::from(at.as_secs()))
}
