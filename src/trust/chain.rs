//! Signs an event and verifies one: Ed25519 (RFC 8032) over its canonical form. What a row of events shows together is
//! `trust::continuity`.
//!
//! What a key on a node proves: that history which has left the node was not rewritten since, by the way or at the
//! receiver. Whoever is root on the node owns the key and can sign whatever he likes from then on.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use super::canonical::canonical;
use crate::model::event::Event;
use crate::model::text::{hex, unhex};

/// Said before the signed bytes, so that a signature over an event can never be one over anything else.
const CONTEXT: &[u8] = b"sshproof.event/1\n";

/// The key of a node.
pub struct NodeKey(SigningKey);

impl NodeKey {
    /// The key with this secret seed (RFC 8032, section 5.1.5).
    #[must_use]
    pub fn new(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Its public half, 64 digits of lower-case hexadecimal.
    #[must_use]
    pub fn public(&self) -> String {
        hex(self.0.verifying_key().as_bytes())
    }

    /// Signs `event`, whatever signature it bore. `None` if it has no canonical form.
    #[must_use]
    pub fn sign(&self, event: Event) -> Option<Event> {
        let signature = self.seal(&signed_bytes(&event)?);
        Some(Event { signature: Some(signature), ..event })
    }

    /// The signature over `bytes`, which begin with what they are.
    pub(super) fn seal(&self, bytes: &[u8]) -> String {
        hex(&self.0.sign(bytes).to_bytes())
    }

    /// A secret of another purpose, made of this one: what is learnt of it tells nothing about the key.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"sshproof derived secret\n");
        hash.update(purpose.as_bytes());
        hash.update([0]);
        hash.update(self.0.to_bytes());
        hash.finalize().into()
    }
}

impl std::fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NodeKey({})", self.public())
    }
}

/// Why an event's signature does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadSignature {
    /// It bears none.
    Missing,
    /// The signature or the key is no Ed25519 value.
    Malformed,
    /// The event is not what was signed with that key.
    Wrong,
}

impl std::fmt::Display for BadSignature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missing => "it bears no signature",
            Self::Malformed => "its signature or key is malformed",
            Self::Wrong => "it was changed after it was signed",
        })
    }
}

/// Whether `event` is what the key that it names has signed. Whose key that is, is another question.
///
/// # Errors
/// Why not. Weak keys and malleable signatures are refused (`verify_strict` of ed25519-dalek).
pub fn verify(event: &Event) -> Result<(), BadSignature> {
    let given = event.signature.as_deref().ok_or(BadSignature::Missing)?;
    holds(&event.node.key, given, signed_bytes(event).as_deref())
}

/// Whether `signature` is that of `key` over `signed`; there are no bytes if what is signed has no canonical form.
pub(super) fn holds(key: &str, signature: &str, signed: Option<&[u8]>) -> Result<(), BadSignature> {
    let key: [u8; 32] = bytes(key).ok_or(BadSignature::Malformed)?;
    let key = VerifyingKey::from_bytes(&key).map_err(|_| BadSignature::Malformed)?;
    let signature = Signature::from_bytes(&bytes(signature).ok_or(BadSignature::Malformed)?);
    key.verify_strict(signed.ok_or(BadSignature::Malformed)?, &signature).map_err(|_| BadSignature::Wrong)
}

/// SHA-256 of what is signed, lower-case hexadecimal: `prev` of the next event. `None` if there is no canonical form.
#[must_use]
pub fn digest(event: &Event) -> Option<String> {
    Some(hex(&Sha256::digest(signed_bytes(event)?)))
}

fn signed_bytes(event: &Event) -> Option<Vec<u8>> {
    let mut bytes = CONTEXT.to_vec();
    let unsigned = Event { signature: None, ..event.clone() };
    bytes.append(&mut canonical(&unsigned)?);
    Some(bytes)
}

/// Only lower-case hexadecimal: one value has one spelling.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes: [u8; N] = unhex(text)?.try_into().ok()?;
    (hex(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::model::event::{Body, Chain, DropReason, EventTool, NOTHING_BEFORE, Node, SCHEMA, SpoolEvent};

    fn event(key: &NodeKey) -> Event {
        Event {
            schema: SCHEMA.to_owned(),
            id: "a".to_owned(),
            time: Timestamp(1),
            node: Node { name: "n1".into(), os: String::new(), boot: String::new(), live: true, key: key.public() },
            tool: EventTool { version: "0".into(), knowledge: "2026-01-01".into() },
            chain: Chain { epoch: 1, seq: 1, prev: NOTHING_BEFORE.to_owned() },
            body: Body::Spool(SpoolEvent {
                reason: DropReason::Size,
                epoch: 1,
                first_seq: 1,
                last_seq: 2,
                findings: false,
            }),
            signature: None,
        }
    }

    #[test]
    fn the_key_is_that_of_rfc_8032() {
        // Section 7.1, test 1.
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(NodeKey::new(&bytes(seed).unwrap()).public(), public);
    }

    #[test]
    fn every_member_is_signed() {
        let key = NodeKey::new(&[7; 32]);
        let signed = key.sign(event(&key)).unwrap();
        assert_eq!(verify(&signed), Ok(()));
        assert_eq!(digest(&signed), digest(&event(&key)), "a digest is that of what is signed");
        let value = serde_json::to_value(&signed).unwrap();
        // Rewritten with other blanks and order, it still verifies.
        let rewritten = serde_json::to_string_pretty(&value).unwrap();
        assert_eq!(verify(&serde_json::from_str(&rewritten).unwrap()), Ok(()));
        for (pointer, other) in [
            ("/id", "b"),
            ("/time", "1970-01-01T00:00:02Z"),
            ("/node/name", "n2"),
            ("/node/boot", "x"),
            ("/tool/knowledge", "2026-01-02"),
            ("/chain/prev", "x"),
            ("/body/reason", "age"),
        ] {
            let mut changed = value.clone();
            *changed.pointer_mut(pointer).unwrap() = other.into();
            assert_eq!(verify(&serde_json::from_value(changed).unwrap()), Err(BadSignature::Wrong), "{pointer}");
        }
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        let key = NodeKey::new(&[7; 32]);
        assert_eq!(verify(&event(&key)), Err(BadSignature::Missing));
        let mut signed = key.sign(event(&key)).unwrap();
        let upper = signed.signature.as_ref().unwrap().to_uppercase();
        signed.signature = Some(upper);
        assert_eq!(verify(&signed), Err(BadSignature::Malformed));
        let mut other = key.sign(event(&key)).unwrap();
        other.node.key = NodeKey::new(&[8; 32]).public();
        assert_eq!(verify(&other), Err(BadSignature::Wrong));
    }
}
