//! The policy by which a signature vouches for a package: pinned keys, valid when they signed, with a hash function that still
//! holds. A distributor's key counts for its distribution, a key of the site's for the packages that the site names.

use std::collections::BTreeMap;

use super::checked::{Binding, Checked, Hash, Outcome, Revocation, Signer};
use crate::knowledge::site_keys::SiteKey;
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
    site: Option<SiteKey>,
}

impl Voucher {
    /// The site's pin by which the key counts; `None` for a distributor's.
    #[must_use]
    pub const fn site(&self) -> Option<&SiteKey> {
        self.site.as_ref()
    }

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
        let pinned = self.site.as_ref().map(|pin| format!(", pinned by {}", pin.answered_for())).unwrap_or_default();
        format!("{} (key {}, {}, {date}{pinned})", self.user_id, self.certificate, self.hash.name())
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
    /// The site pinned the key, and the pin has ended. Whose, in a clause.
    PinEnded(String),
    /// The site pinned the key, for other packages. Whose, in a clause.
    OutOfScope(String),
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

/// What is asked: who vouches for the metadata of a package.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Name of the package alone.
    pub package: &'a str,
    /// Which release its root is; `None` if that does not say.
    pub release: Option<&'a Release>,
    /// When the root was looked at: the site's pins end.
    pub at: Timestamp,
}

/// The pinned keys.
#[derive(Clone, Copy, Debug)]
pub struct Pins<'a> {
    /// Of distributors.
    pub vendor: &'a VendorKeys,
    /// Of the site.
    pub site: &'a [SiteKey],
}

impl Pins<'_> {
    /// Whether anybody's keys are pinned for this release as a whole, so that each of its packages is to be signed.
    #[must_use]
    pub fn knows(&self, release: &Release) -> bool {
        self.vendor.of(&release.id).next().is_some()
            || self.site.iter().any(|pin| pin.distribution() == Some(release.id.as_str()))
    }
}

/// The vouching signature among `signatures` over the metadata of the package asked about; or the gravest reason against all
/// of them.
///
/// # Errors
/// As [`Doubt`] says.
pub fn vouches(signatures: &[Checked], pins: &Pins<'_>, question: &Question<'_>) -> Result<Voucher, Doubt> {
    let mut gravest = None;
    for checked in signatures {
        match judge(checked, pins, question) {
            Ok(voucher) => return Ok(voucher),
            Err(doubt) => gravest = Some(gravest.map_or(doubt.clone(), |known: Doubt| known.min(doubt))),
        }
    }
    Err(gravest.unwrap_or(Doubt::Unsigned))
}

fn judge(checked: &Checked, pins: &Pins<'_>, question: &Question<'_>) -> Result<Voucher, Doubt> {
    let issuer = &checked.issuer;
    let is_base = pins.vendor.is_base(question.package);
    let signer = match &checked.outcome {
        Outcome::Bad => return Err(Doubt::Bad(format!("it is not the one that key {issuer} made"))),
        Outcome::Malformed(why) => return Err(Doubt::Bad(why.clone())),
        Outcome::Unsupported(why) => return Err(Doubt::CannotCheck(why.clone())),
        Outcome::NoKey if pins.vendor.keys.iter().any(|key| is_named(key, issuer)) => {
            return Err(Doubt::KeyMissing(issuer.clone()));
        }
        Outcome::NoKey => {
            let is_theirs = |pin: &SiteKey| issuer.len() >= 16 && pin.fingerprint().ends_with(issuer.as_str());
            let theirs: Vec<_> = pins.site.iter().filter(|pin| is_theirs(pin)).collect();
            return Err(match by_site(&theirs, is_base, &format!("key {issuer}"), question) {
                Ok(_) => Doubt::KeyMissing(issuer.clone()),
                Err(Some(doubt)) => doubt,
                Err(None) => Doubt::Stranger(issuer.clone()),
            });
        }
        Outcome::Good(signer) => signer,
    };
    let Some(created) = checked.created else {
        return Err(Doubt::Bad("it does not say when it was made".to_owned()));
    };
    let vendor: Vec<&VendorKey> = pins.vendor.keys.iter().filter(|key| key.fingerprint == signer.certificate).collect();
    let entitled = |why| Doubt::Refused(format!("{why} (key {})", signer.certificate));
    entitled_then(checked.hash, created, signer, &vendor, pins.vendor, question.release).map_err(entitled)?;
    let voucher = |site: Option<&SiteKey>| Voucher {
        certificate: signer.certificate.clone(),
        user_id: named(&signer.user_id).to_owned(),
        hash: checked.hash,
        created,
        found_in: signer.found_in.clone(),
        site: site.cloned(),
    };
    let whose = format!("key {} of {}", signer.certificate, named(&signer.user_id));
    let doubt = match by_vendor(&vendor, pins, is_base, &whose, question) {
        Ok(()) => return Ok(voucher(None)),
        Err(doubt) => doubt,
    };
    let site: Vec<_> = pins.site.iter().filter(|pin| pin.fingerprint() == signer.certificate).collect();
    match by_site(&site, is_base, &whose, question) {
        Ok(pin) => Ok(voucher(Some(pin))),
        Err(site) => Err(site.unwrap_or(doubt)),
    }
}

/// Whether one of a key's pins as a distributor's counts here.
fn by_vendor(
    own: &[&VendorKey],
    pins: &Pins<'_>,
    is_base: bool,
    whose: &str,
    question: &Question<'_>,
) -> Result<(), Doubt> {
    let Some(release) = question.release.filter(|release| pins.knows(release)) else {
        let id = question.release.map_or("this root does not say which distribution it is", |release| &release.id);
        return Err(Doubt::UnknownDistribution(id.to_owned()));
    };
    let distro = pins.vendor.distribution(&release.id);
    let Some(pin) = own.iter().find(|pin| pin.distro == distro) else {
        let whose = match own.first() {
            Some(other) => format!("{whose}, which is pinned for `{}`, not for `{distro}`", other.distro),
            None => format!("{whose}, which nobody pinned"),
        };
        return Err(if is_base { Doubt::NotBase(whose) } else { Doubt::Unpinned(whose) });
    };
    if is_base && !pin.base {
        return Err(Doubt::NotBase(format!("{whose}, which is not for packages of the base")));
    }
    Ok(())
}

/// The site's pin of a key that counts for this package; else what is against all of `own`, its pins, or nothing if there are
/// none.
fn by_site<'a>(
    own: &[&'a SiteKey],
    is_base: bool,
    whose: &str,
    question: &Question<'_>,
) -> Result<&'a SiteKey, Option<Doubt>> {
    let id = question.release.map(|release| release.id.as_str());
    let in_scope = own.iter().filter(|pin| pin.is_for(question.package, id));
    // A package of the base is for a whole distribution's key alone, whatever the names in a scope match.
    let mut counting = in_scope.filter(|pin| !is_base || pin.distribution().is_some()).peekable();
    let Some(pin) = counting.peek() else {
        return Err(own.first().map(|pin| {
            let whose = format!("{whose}, which is pinned for {} ({})", pin.scope(), pin.answered_for());
            if is_base {
                Doubt::NotBase(format!("{whose}; no site's key is for the base of a distributor's system"))
            } else {
                Doubt::OutOfScope(whose)
            }
        }));
    };
    let ended = Doubt::PinEnded(format!("{whose}, whose pin ({}) has ended: {}", pin.source(), pin.answered_for()));
    counting.find(|pin| !pin.has_ended(question.at)).copied().ok_or(Some(ended))
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
        with_site(checked, &[], release, package, expected);
    }

    fn with_site(checked: &Checked, site: &[SiteKey], release: &Release, package: &str, expected: &str) {
        let answer = ask(std::slice::from_ref(checked), &VendorKeys::embedded(), site, release, package);
        let word = match &answer {
            Ok(_) => "vouched".to_owned(),
            Err(doubt) => format!("{doubt:?}").split('(').next().unwrap_or_default().to_owned(),
        };
        assert_eq!(word, expected, "{answer:?}");
    }

    fn ask(
        signatures: &[Checked],
        vendor: &VendorKeys,
        site: &[SiteKey],
        release: &Release,
        package: &str,
    ) -> Result<Voucher, Doubt> {
        let question = Question { package, release: Some(release), at: Timestamp(5_000) };
        vouches(signatures, &Pins { vendor, site }, &question)
    }

    #[test]
    fn a_key_of_the_site_vouches_for_the_packages_that_it_names() {
        const OWN: &str = "0123456789ABCDEF0123456789ABCDEF01234567";
        let pin = |more: &str| {
            let text = format!("[[key]]\nfingerprint = '{OWN}'\nowner = 'ops'\nreason = 'ours'\n{more}\n");
            crate::knowledge::site_keys::parse("a.toml", &text, &VendorKeys::embedded()).unwrap()
        };
        let scoped = pin("packages = ['duo_unix', '*ssh*', 'nano']\nexpires = '2030-01-01'");
        let (fedora, house) = (release("fedora", "33"), release("sitelinux", "1"));
        let own = signature(good(OWN));
        with_site(&own, &scoped, &fedora, "duo_unix", "vouched");
        with_site(&own, &scoped, &house, "duo_unix", "vouched");
        with_site(&own, &scoped, &fedora, "pam_other", "OutOfScope");
        // Whatever the names match, a package of the base is the distributor's.
        with_site(&own, &scoped, &fedora, "openssh-server", "NotBase");
        with_site(&own, &scoped, &house, "openssh-server", "NotBase");
        // The distributor's own key is not the worse for it.
        with_site(&signature(good(FEDORA)), &scoped, &fedora, "openssh-server", "vouched");
        let ended = pin("packages = ['duo_unix']\nexpires = '1970-01-01'");
        with_site(&own, &ended, &fedora, "duo_unix", "PinEnded");
        with_site(&own, &[ended, scoped.clone()].concat(), &fedora, "duo_unix", "vouched");
        let whole = pin("packages = ['*']\ndistribution = 'sitelinux'\nexpires = '2030-01-01'");
        with_site(&own, &whole, &house, "openssh-server", "vouched");
        with_site(&own, &whole, &fedora, "openssh-server", "NotBase");
        with_site(&own, &whole, &fedora, "duo_unix", "OutOfScope");
        with_site(&signature(good(FEDORA)), &whole, &house, "openssh-server", "NotBase");
        // A weak hash, and a key that is not here, are no better for a pin.
        with_site(&Checked { hash: Hash::Sha1, ..own.clone() }, &scoped, &fedora, "duo_unix", "Refused");
        let missing = Checked { outcome: Outcome::NoKey, ..own };
        with_site(&missing, &scoped, &fedora, "duo_unix", "KeyMissing");
        with_site(&missing, &scoped, &fedora, "openssh-server", "NotBase");
        with_site(&missing, &[], &fedora, "duo_unix", "Stranger");
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
        let unsigned = ask(&[], &VendorKeys::embedded(), &[], &release("fedora", "33"), "pam");
        assert_eq!(unsigned, Err(Doubt::Unsigned));
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
        let answer = ask(&[signature(good(FEDORA))], &keys, &[], &release("fedora", "33"), "pam");
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
        assert!(ask(&both, &VendorKeys::embedded(), &[], &release("fedora", "33"), "pam").is_ok());
    }
}
