//! The policy by which a distributor's signature vouches for a package: pinned keys, each for its distribution, valid when
//! they signed, with a hash function that still holds.

use std::collections::BTreeMap;

use super::checked::{Binding, Checked, Hash, Outcome, Revocation, Signer};
use crate::knowledge::vendor_keys::{VendorKey, VendorKeys};
use crate::model::Timestamp;

/// Which release of which distribution a root is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// ID of os-release(5).
    pub id: String,
    /// VERSION_ID up to the first point; empty if there is none.
    pub major: String,
}

impl Release {
    /// That of os-release(5) fields; `None` if they do not say.
    #[must_use]
    pub fn of(fields: &BTreeMap<String, String>) -> Option<Self> {
        let version = fields.get("VERSION_ID").map(String::as_str).unwrap_or_default();
        let major = version.split('.').next().unwrap_or_default().to_owned();
        Some(Self { id: fields.get("ID").filter(|id| !id.is_empty())?.clone(), major })
    }
}

/// A signature that vouches: made by [`vouches`] alone, so who holds one need not check again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher {
    certificate: String,
    user_id: String,
    hash: Hash,
    created: Timestamp,
    found_in: String,
}

impl Voucher {
    /// Fingerprint of the pinned key.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Who signed, by which key, how and when, in one clause.
    #[must_use]
    pub fn words(&self) -> String {
        let at = self.created.to_string();
        let date = at.split('T').next().unwrap_or_default();
        format!("{} (key {}, {}, {date})", self.user_id, self.certificate, self.hash.name())
    }

    /// The file that the key was found in.
    #[must_use]
    pub fn found_in(&self) -> &str {
        &self.found_in
    }
}

/// Why nobody vouches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// The signature is not over these bytes, or is no signature: something was altered. What, in a clause.
    Bad(String),
    /// The signature holds, and its key was not entitled to make it then. Why, in a clause.
    Refused(String),
    /// A package of the base, signed by a key that is not for it. Whose, in a clause.
    NotBase(String),
    /// The signature holds, and nobody pinned its key for this distribution. Whose, in a clause.
    Unpinned(String),
    /// The key that the signature names is not here, and not pinned either.
    Stranger(String),
    /// There is no signature.
    Unsigned,
    /// The key that the signature names is pinned, but its bytes are not here.
    KeyMissing(String),
    /// We cannot check signatures of this kind.
    CannotCheck(String),
    /// Whose keys count cannot be told.
    UnknownDistribution(String),
}

/// The vouching signature among `signatures` over the metadata of `package`, a package name, on a root of this release; or
/// the gravest reason against all of them.
///
/// # Errors
/// As [`Doubt`] says.
pub fn vouches(
    signatures: &[Checked],
    keys: &VendorKeys,
    release: Option<&Release>,
    package: &str,
) -> Result<Voucher, Doubt> {
    let verdicts: Vec<_> = signatures.iter().map(|checked| judge(checked, keys, release, package)).collect();
    let mut doubt = Doubt::Unsigned;
    let mut first = true;
    for verdict in verdicts {
        match verdict {
            Ok(voucher) => return Ok(voucher),
            Err(other) if first || other < doubt => doubt = other,
            Err(_) => {}
        }
        first = false;
    }
    Err(doubt)
}

fn judge(checked: &Checked, keys: &VendorKeys, release: Option<&Release>, package: &str) -> Result<Voucher, Doubt> {
    let issuer = &checked.issuer;
    let signer = match &checked.outcome {
        Outcome::Bad => return Err(Doubt::Bad(format!("it is not the one that key {issuer} made"))),
        Outcome::Malformed(why) => return Err(Doubt::Bad(why.clone())),
        Outcome::Unsupported(why) => return Err(Doubt::CannotCheck(why.clone())),
        Outcome::NoKey if keys.keys.iter().any(|key| is_named(key, issuer)) => {
            return Err(Doubt::KeyMissing(issuer.clone()));
        }
        Outcome::NoKey => return Err(Doubt::Stranger(issuer.clone())),
        Outcome::Good(signer) => signer,
    };
    let Some(created) = checked.created else {
        return Err(Doubt::Bad("it does not say when it was made".to_owned()));
    };
    let pins: Vec<&VendorKey> = keys.keys.iter().filter(|key| key.fingerprint == signer.certificate).collect();
    let entitled = |why| Doubt::Refused(format!("{why} (key {})", signer.certificate));
    entitled_then(checked.hash, created, signer, &pins, keys, release).map_err(entitled)?;
    let Some(release) = release.filter(|release| keys.of(&release.id).next().is_some()) else {
        let id = release.map_or("this root does not say which distribution it is", |release| release.id.as_str());
        return Err(Doubt::UnknownDistribution(id.to_owned()));
    };
    let whose = format!("key {} of {}", signer.certificate, named(&signer.user_id));
    let distro = keys.distribution(&release.id);
    let Some(pin) = pins.iter().find(|pin| pin.distro == distro) else {
        let whose = match pins.first() {
            Some(other) => format!("{whose}, which is pinned for `{}`, not for `{distro}`", other.distro),
            None => format!("{whose}, which nobody pinned"),
        };
        return Err(if keys.is_base(package) { Doubt::NotBase(whose) } else { Doubt::Unpinned(whose) });
    };
    if keys.is_base(package) && !pin.base {
        return Err(Doubt::NotBase(format!("{whose}, which is not for packages of the base")));
    }
    Ok(Voucher {
        certificate: signer.certificate.clone(),
        user_id: named(&signer.user_id).to_owned(),
        hash: checked.hash,
        created,
        found_in: signer.found_in.clone(),
    })
}

/// Whether the key could sign at that moment, with that hash function; else why not.
fn entitled_then(
    hash: Hash,
    created: Timestamp,
    signer: &Signer,
    pins: &[&VendorKey],
    keys: &VendorKeys,
    release: Option<&Release>,
) -> Result<(), String> {
    match hash {
        Hash::Sha256 | Hash::Sha384 | Hash::Sha512 | Hash::Sha224 | Hash::Sha3_256 | Hash::Sha3_512 => {}
        Hash::Sha1 if release.is_some_and(|release| keys.allows_sha1(&release.id, &release.major)) => {}
        weak => return Err(format!("it is made with {}, which no longer holds", weak.name())),
    }
    if let Binding::None(missing) = &signer.binding {
        return Err(missing.clone());
    }
    if created < signer.created {
        return Err(format!("it says {created}, before its key was made on {}", signer.created));
    }
    if let Some(expires) = signer.expires.filter(|expires| created >= *expires) {
        return Err(format!("it says {created}, after its key expired on {expires}"));
    }
    let pinned =
        pins.iter().filter_map(|pin| pin.revoked.as_ref()).map(|pin| Revocation { at: pin.at, hard: pin.hard });
    for revoked in signer.revoked.into_iter().chain(pinned) {
        if revoked.hard {
            return Err(format!("its key was revoked on {}, and for the time before too", revoked.at));
        }
        if created >= revoked.at {
            return Err(format!("it says {created}, after its key was revoked on {}", revoked.at));
        }
    }
    Ok(())
}

/// Whether a signature that names `issuer`, a fingerprint or a key id, names this key or one of its subkeys.
fn is_named(key: &VendorKey, issuer: &str) -> bool {
    let names = std::iter::once(&key.fingerprint).chain(&key.signing_subkeys);
    issuer.len() >= 16 && names.into_iter().any(|name| name.ends_with(issuer))
}

fn named(user_id: &str) -> &str {
    if user_id.is_empty() { "nobody named" } else { user_id }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEDORA: &str = "963A2BEB02009608FE67EA4249FD77499570FF31";
    const SHA1_KEY: &str = "C1DAC52D1664E8A4386DBA430946FCA2C105B9DE";
    const BACKPORTS: &str = "BF3F9A67D3A2FF98A73F5E07488C583D287A0027";

    fn good(certificate: &str) -> Signer {
        Signer {
            certificate: certificate.to_owned(),
            key: certificate.to_owned(),
            user_id: "Distributor".to_owned(),
            created: Timestamp(1_000),
            expires: None,
            revoked: None,
            binding: Binding::Primary,
            found_in: "/etc/pki/rpm-gpg/KEY".to_owned(),
        }
    }

    fn signature(signer: Signer) -> Checked {
        Checked {
            version: 4,
            hash: Hash::Sha256,
            created: Some(Timestamp(2_000)),
            issuer: signer.key.clone(),
            outcome: Outcome::Good(Box::new(signer)),
        }
    }

    fn release(id: &str, major: &str) -> Release {
        Release { id: id.to_owned(), major: major.to_owned() }
    }

    /// What the policy says of one signature on `openssh-server` under Fedora 33: the name of the doubt, or `vouched`.
    fn check(checked: &Checked, expected: &str) {
        on(checked, &release("fedora", "33"), "openssh-server", expected);
    }

    fn on(checked: &Checked, release: &Release, package: &str, expected: &str) {
        let answer = vouches(std::slice::from_ref(checked), &VendorKeys::embedded(), Some(release), package);
        let word = match &answer {
            Ok(_) => "vouched".to_owned(),
            Err(doubt) => format!("{doubt:?}").split('(').next().unwrap_or_default().to_owned(),
        };
        assert_eq!(word, expected, "{answer:?}");
    }

    #[test]
    fn a_pinned_key_vouches_for_its_own_distribution_only() {
        let fedora = signature(good(FEDORA));
        check(&fedora, "vouched");
        on(&fedora, &release("rhel", "9"), "openssh-server", "NotBase");
        on(&fedora, &release("rhel", "9"), "nano", "Unpinned");
        on(&fedora, &release("gentoo", ""), "openssh-server", "UnknownDistribution");
        let leap = release("opensuse-leap", "15");
        on(&signature(good(BACKPORTS)), &leap, "openssh-server", "NotBase");
        on(&signature(good(BACKPORTS)), &leap, "nano", "vouched");
        on(&signature(good("0123456789ABCDEF0123456789ABCDEF01234567")), &leap, "nano", "Unpinned");
        assert_eq!(vouches(&[], &VendorKeys::embedded(), Some(&release("fedora", "33")), "pam"), Err(Doubt::Unsigned));
    }

    #[test]
    fn a_key_counts_only_while_it_was_valid() {
        let with = |change: fn(&mut Signer)| {
            let mut signer = good(FEDORA);
            change(&mut signer);
            signature(signer)
        };
        check(&with(|signer| signer.expires = Some(Timestamp(2_001))), "vouched");
        check(&with(|signer| signer.expires = Some(Timestamp(2_000))), "Refused");
        check(&with(|signer| signer.created = Timestamp(2_001)), "Refused");
        check(&with(|signer| signer.revoked = Some(Revocation { at: Timestamp(3_000), hard: false })), "vouched");
        check(&with(|signer| signer.revoked = Some(Revocation { at: Timestamp(2_000), hard: false })), "Refused");
        check(&with(|signer| signer.revoked = Some(Revocation { at: Timestamp(3_000), hard: true })), "Refused");
        check(&with(|signer| signer.binding = Binding::Subkey), "vouched");
        check(&with(|signer| signer.binding = Binding::None("x".to_owned())), "Refused");
    }

    #[test]
    fn an_equal_key_id_is_no_equal_key() {
        // Ids of 64 bits, the end of the fingerprint, have been made to collide; those of version 3 keys are chosen freely.
        let stranger = format!("{}{}", "0".repeat(24), &FEDORA[24..]);
        check(&Checked { issuer: FEDORA[24..].to_owned(), ..signature(good(&stranger)) }, "NotBase");
        let missing = Checked { outcome: Outcome::NoKey, issuer: FEDORA[24..].to_owned(), ..signature(good(FEDORA)) };
        check(&missing, "KeyMissing");
    }

    #[test]
    fn weak_hashes_count_for_named_releases_only() {
        for hash in [Hash::Md5, Hash::Sha1, Hash::Ripemd160, Hash::Other] {
            check(&Checked { hash, ..signature(good(FEDORA)) }, "Refused");
        }
        let centos = Checked { hash: Hash::Sha1, ..signature(good(SHA1_KEY)) };
        on(&centos, &release("centos", "6"), "openssh-server", "vouched");
        on(&centos, &release("centos", "7"), "openssh-server", "Refused");
        on(&Checked { hash: Hash::Md5, ..centos }, &release("centos", "6"), "openssh-server", "Refused");
    }

    #[test]
    fn a_pinned_revocation_counts_though_the_certificate_lacks_it() {
        let mut keys = VendorKeys::embedded();
        let pin = keys.keys.iter_mut().find(|key| key.fingerprint == FEDORA).unwrap();
        pin.revoked = Some(crate::knowledge::vendor_keys::PinnedRevocation {
            at: Timestamp(9_000),
            hard: true,
            source: "test".to_owned(),
        });
        let answer = vouches(&[signature(good(FEDORA))], &keys, Some(&release("fedora", "33")), "pam");
        assert!(matches!(answer, Err(Doubt::Refused(_))), "{answer:?}");
    }

    #[test]
    fn what_could_not_be_checked_is_told_apart() {
        let with = |outcome| Checked { outcome, ..signature(good(FEDORA)) };
        check(&with(Outcome::Bad), "Bad");
        check(&with(Outcome::Malformed("x".to_owned())), "Bad");
        check(&with(Outcome::Unsupported("x".to_owned())), "CannotCheck");
        check(&with(Outcome::NoKey), "KeyMissing");
        check(&Checked { issuer: "0123456789ABCDEF".to_owned(), ..with(Outcome::NoKey) }, "Stranger");
        check(&Checked { created: None, ..signature(good(FEDORA)) }, "Bad");
        // One that vouches is enough, whatever else is there.
        let both = [with(Outcome::Bad), signature(good(FEDORA))];
        assert!(vouches(&both, &VendorKeys::embedded(), Some(&release("fedora", "33")), "pam").is_ok());
    }
}
