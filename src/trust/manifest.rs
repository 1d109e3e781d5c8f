//! Signs a site manifest, with one key after another, and says whose signatures hold.

use super::canonical::canonical;
use super::chain::{self, BadSignature, NodeKey};
use crate::model::manifest::{Manifest, Signature};

/// Said before the signed bytes, so that a signature over a manifest can never be one over anything else.
const CONTEXT: &[u8] = b"sshproof.manifest/1\n";
/// Signatures looked at: a site changes from one key to the next, and perhaps demands two.
const MAX_SIGNATURES: usize = 16;

/// Adds the signature of `key`, in the place of an earlier one of its. `None` if the manifest has no canonical form.
#[must_use]
pub fn sign(key: &NodeKey, mut manifest: Manifest) -> Option<Manifest> {
    let signature = key.seal(&signed_bytes(&manifest)?);
    manifest.signatures.retain(|other| other.key != key.public());
    manifest.signatures.push(Signature { key: key.public(), signature });
    Some(manifest)
}

/// Each key that the manifest names, and whether it has signed exactly this. Whose keys these are is another question.
#[must_use]
pub fn verify(manifest: &Manifest) -> Vec<(String, Result<(), BadSignature>)> {
    let signed = signed_bytes(manifest);
    let signatures = manifest.signatures.iter().take(MAX_SIGNATURES);
    let check = |given: &Signature| chain::holds(&given.key, &given.signature, signed.as_deref());
    signatures.map(|given| (given.key.clone(), check(given))).collect()
}

fn signed_bytes(manifest: &Manifest) -> Option<Vec<u8>> {
    let unsigned = Manifest { signatures: Vec::new(), ..manifest.clone() };
    Some([CONTEXT, &canonical(&unsigned)?].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_is_signed_and_several_keys_may() {
        let text = r#"{"schema":"sshproof.manifest/1","tool":"0","label":"compute","made_at":"2026-11-20T00:00:00Z",
            "expires":"2027-11-20T00:00:00Z","image":[{"layer":"overlay","path":"/etc/pam.d/sshd","mode":420,"uid":0,"gid":0}]}"#;
        let plain: Manifest = serde_json::from_str(text).unwrap();
        assert!(verify(&plain).is_empty());
        let (old, new) = (NodeKey::new(&[7; 32]), NodeKey::new(&[8; 32]));
        let signed = sign(&new, sign(&old, plain).unwrap()).unwrap();
        assert_eq!(verify(&signed), [(old.public(), Ok(())), (new.public(), Ok(()))]);
        assert_eq!(sign(&old, signed.clone()).unwrap().signatures.len(), 2);
        let value = serde_json::to_value(&signed).unwrap();
        for (pointer, other) in [
            ("/label", "login".into()),
            ("/expires", "2037-11-20T00:00:00Z".into()),
            ("/image/0/layer", "node".into()),
            ("/image/0/mode", 0.into()),
            ("/image/0/path", "/etc/pam.d/su".into()),
        ] {
            let mut changed: serde_json::Value = value.clone();
            *changed.pointer_mut(pointer).unwrap() = other;
            let found = verify(&serde_json::from_value(changed).unwrap());
            assert!(found.iter().all(|(_, holds)| *holds == Err(BadSignature::Wrong)), "{pointer}");
        }
    }
}
