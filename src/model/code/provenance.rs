//! Codes of the check `provenance`.

use super::codes;

codes! { PROVENANCE;
    DIGEST_MISMATCH = "provenance/digest-mismatch", Integrity, High;
        "a file that decides logins is not the one that its package recorded";
        "The content of the file was digested and compared with the digest that the package system recorded when it installed \
         the package; they differ. Somebody or something replaced or altered the file after that: an intruder, a vendor's \
         installer, a build copied over the packaged file, a failing disk. The record itself is unsigned with dpkg, so the \
         reverse holds only weakly: a match does not exclude an intruder who also rewrote the record.";
        "Do not log in to this host with a password. Keep a copy of the file, compare it with the one in the package fetched \
         anew from the distribution, then reinstall the package or, if the file's history is not known, the host.";
        ["dpkg(1), --verify", "deb-md5sums(5)"]
    UNOWNED_CODE = "provenance/unowned-code", Integrity, High;
        "code that decides logins belongs to no package";
        "A server, a library that one loads, a PAM or NSS module, or a program that the configuration names lies on the host, \
         and no package records it. Locally built servers look like this, and so do implants: nothing on the host tells them \
         apart. Every package list was searched, links on a merged /usr and below were resolved.";
        "Find out who put the file there. If it was built locally on purpose, record an exception with owner and date, or \
         package it.";
        ["dpkg-query(1), --search"]
    NO_DIGEST_RECORDED = "provenance/no-digest-recorded", Integrity, Medium;
        "a package owns the file but records no digest of it";
        "The package's list names the file, its digest file does not, although dpkg writes a digest for every regular file when \
         it unpacks a package that lacks them. The line may have been removed to hide a change, or a maintainer script made \
         the file.";
        "Compare the file with the one in the package fetched anew from the distribution, and reinstall the package.";
        ["deb-md5sums(5)"]
    MISSING_FILE = "provenance/missing-file", Integrity, Medium;
        "a file that decides logins is recorded by its package and is not there";
        "The package system recorded the file when it installed the package, and it is gone. Code that was loaded before \
         still runs in processes, and what takes the file's place on the next start is not what was installed.";
        "Reinstall the package, and find out who removed the file.";
        ["dpkg(1), --verify"]
    CONFIG_CHANGED = "provenance/config-changed", Integrity, Informational;
        "configuration is not as distributed";
        "The file is configuration of a package and its content is another than the package distributes. That is the \
         administrator's right and the normal case for sshd_config(5); what the new content means for logins is the \
         question of the check `login`.";
        "Nothing, if the change is known.";
        ["dpkg(1), conffiles", "ucf(1)", "pam-auth-update(8)"]
    UNSIGNED_RECORD = "provenance/unsigned-record", Integrity, Informational;
        "files match their package's record, which nobody vouches for";
        "dpkg keeps an MD5 digest of each file and no signature; an rpm header may lack a signature that counts. A match shows that the file is what was installed as long as \
         nobody with root rights rewrote both. That is the strongest evidence which dpkg has offline. Such files are searched \
         for traces of tampering like files that nobody owns.";
        "Nothing, if this evidence is enough. Otherwise demand more with `minimum-trust` in sshproof.toml, which makes it a \
         finding.";
        ["deb-md5sums(5)"]
    TRUST_BELOW_POLICY = "provenance/trust-below-policy", Integrity, Medium;
        "less stands behind files than policy demands";
        "The policy's `minimum-trust` demands a chain of signatures for every file of code on the way of a login. These files \
         match only an unsigned record.";
        "Bring the signed evidence that policy demands to the host, or lower `minimum-trust`.";
        []
    DIVERTED = "provenance/diverted", Integrity, Informational;
        "a file was moved aside on purpose";
        "dpkg-divert(8) registered that a package's file lies under another name, so that another package, or the \
         administrator, may put something in its place. What now lies there is judged like any other file.";
        "Nothing, if the diversion is known.";
        ["dpkg-divert(1)"]
    ALTERNATIVE = "provenance/alternative", Integrity, Informational;
        "a generic name leads to one of several programs on purpose";
        "update-alternatives(1) registered which program the name means. The program itself is judged like any other file.";
        "Nothing, if the choice is known.";
        ["update-alternatives(1)"]
    ALTERNATIVE_UNRECORDED = "provenance/alternative-unrecorded", Integrity, Low;
        "a link in /etc/alternatives leads to a program that is no recorded choice";
        "The name leads through /etc/alternatives, but update-alternatives(1) has no record of the link, or not of this target: \
         somebody set it by hand. The program itself is judged like any other file.";
        "Register the program with `update-alternatives --install`, or let `update-alternatives --auto` restore the link.";
        ["update-alternatives(1)"]
    MODE_OVERRIDDEN = "provenance/mode-overridden", Integrity, Informational;
        "owner and mode of a file were changed on purpose";
        "dpkg-statoverride(1) registered another owner or mode than the package ships, and the file has them.";
        "Nothing, if the override is known.";
        ["dpkg-statoverride(1)"]
    OVERRIDE_VIOLATED = "provenance/override-violated", Integrity, Medium;
        "owner or mode of a file are not those that the administrator registered";
        "dpkg-statoverride(1) holds the owner and the mode that this file should have; it has others. Somebody changed them \
         afterwards, or the override was registered without `--update`.";
        "Set owner and mode as registered, or register those that are meant.";
        ["dpkg-statoverride(1)"]
    PACKAGE_HALF_INSTALLED = "provenance/package-half-installed", Integrity, Medium;
        "the installation of a package that decides logins was interrupted";
        "While a package is half installed its files may be of the old version or of the new one, and what is recorded of them \
         too.";
        "Finish the installation: `dpkg --configure --pending`, or install the package again.";
        ["dpkg(1), package states"]
    PACKAGE_NOT_CONFIGURED = "provenance/package-not-configured", Hygiene, Low;
        "a package that decides logins is unpacked but not configured";
        "Its files are in place, its maintainer script has not run or has failed: users, keys or units it needs may be missing, \
         and a running server is still the old one.";
        "Finish the installation: `dpkg --configure --pending`.";
        ["dpkg(1), package states"]
    PACKAGE_HELD = "provenance/package-held", Hygiene, Informational;
        "a package that decides logins is on hold";
        "A held package is not upgraded, not for security either.";
        "Nothing, if somebody watches over it; else `apt-mark unhold`.";
        ["apt-mark(8)"]
    SEVERAL_OWNERS = "provenance/several-owners", Integrity, Informational;
        "packages disagree about a file";
        "More than one package lists the file with different digests, and it is what one of them records: an installation was \
         forced over another package's file.";
        "Remove one of the packages, or reinstall the one whose file it should be.";
        ["dpkg(1), --force-overwrite"]
    SIGNATURE_STRIPPED = "provenance/signature-stripped", Integrity, High;
        "the record of a package that decides logins carries no signature";
        "rpm keeps the vendor's OpenPGP signature over the header of each installed package, and this header has none although \
         the distribution signs its packages. Whoever rewrites the recorded digests in the database must remove the signature, \
         and `rpm -V` does not notice its absence. Packages that a site built itself and installed unsigned look the same.";
        "Compare the package with the distribution's: download it anew, verify it with `rpm -K`, and compare its files with \
         those on disk. Sign packages of your own.";
        ["rpm(8), --verify", "rpm issue 811"]
    SIGNATURE_BAD = "provenance/signature-bad", Integrity, High;
        "the signature over a package's record does not hold";
        "The header in rpm's database names a key that is here, and the signature is not that key's over these bytes: recorded \
         digests, modes or owners were altered after the vendor signed them, or the database is damaged. What the record says \
         is worth nothing.";
        "Treat the host as altered: compare the package with one downloaded anew, on another machine.";
        ["rpmkeys(8)", "RFC 9580, section 5.2"]
    SIGNATURE_REFUSED = "provenance/signature-refused", Integrity, High;
        "the signature over a package's record was made by a key that was not entitled to it";
        "The mathematics of the signature holds, but its key had expired or was not made yet at the time that the signature \
         names, was revoked, is a subkey that its certificate does not bind, or the hash function no longer withstands \
         forgery. MD5 never counts, SHA-1 only for releases at their end of life that knew nothing better.";
        "Find out where the package came from, and install the distribution's current one.";
        ["RFC 9580, sections 5.2.3 and 9.5"]
    SIGNER_UNKNOWN = "provenance/signer-unknown", Integrity, Medium;
        "a package that decides logins is signed by a key that nobody pinned";
        "The signature holds, but its key is none of the distribution's: a third party's repository, a mirror that signs anew, \
         a package of the site's own, or an intruder who made a key. A key that lies on the host, or in rpm's own database, \
         proves nothing: root can add keys.";
        "Find out whose key it is. If the package is meant to be here, pin its key in `trust.d` for it, with owner and date.";
        ["rpmkeys(8)", "docs/trust.md"]
    BASE_PACKAGE_SIGNER = "provenance/base-package-signer", Integrity, High;
        "a package of the base system is not signed by the distribution's base key";
        "Packages such as openssh, pam, glibc and openssl come from the distribution itself. This one is signed by another key: \
         of another distribution, of an additional repository, or of nobody known. That is how a trojaned package looks that \
         was installed with the package manager's own tools.";
        "Compare the package with the distribution's, and find out who installed it and when.";
        ["rpm(8), --query --info"]
    SIGNER_OUT_OF_SCOPE = "provenance/signer-out-of-scope", Integrity, Medium;
        "a package that decides logins is signed by a key that the site pinned for other packages";
        "The signature holds, and the key stands in `trust.d`, but not for a package of this name or not on this distribution. \
         Whoever may sign one thing has signed another: a vendor's new package, a mistake in the pin, or a key that came into \
         other hands.";
        "Ask the key's owner whether the package is his. If so, add its name to `packages` of the pin.";
        ["docs/trust.md"]
    PIN_ENDED = "provenance/pin-ended", Integrity, Medium;
        "the site's word for a key has ended";
        "Packages are signed by a key that the site pinned in `trust.d`, and the date to which somebody answered for it is past. \
         The signatures still hold; that the key is to be trusted nobody says any more.";
        "Let the owner look at the key and its packages again and set a new date, or remove both.";
        ["docs/trust.md"]
    SITE_SIGNED = "provenance/site-signed", Integrity, Informational;
        "files are vouched for by a key that the site pinned";
        "Packages on the way of a login are signed by a key that stands in `trust.d`, not by the distributor. What they \
         contain is as that key's owner signed it; the files count as `site-signed`.";
        "Nothing, if the pin is known. Compare `trust.d` with the one that your configuration management hands out: who is root \
         on a host can write pins there too.";
        ["docs/trust.md"]
    ARCHIVE_SIGNATURE = "provenance/archive-signature", Integrity, High;
        "nobody who counts has signed the list that leads to a package";
        "An archive's `InRelease` names its indices by digest, these name the packages, and a package holds the files. All \
         further links hold, but the list itself was altered after it was signed, carries no signature, or was signed by a key \
         that nobody pinned: whoever made it can have made the package too. The files count no more than dpkg's own record of \
         them.";
        "Let apt fetch its lists anew (`apt-get update`) and scan again. If the archive is meant to be used, pin its key in \
         `trust.d` for its packages.";
        ["apt-secure(8)", "docs/trust.md"]
    ARCHIVE_INDEX_ALTERED = "provenance/archive-index-altered", Integrity, Informational;
        "an index of packages is not the one that the signed list names";
        "apt keeps the signed list of an archive and the indices that the list names by digest. This index is another one: it was \
         altered, damaged, or apt was interrupted while it fetched new ones. Nothing in it was used.";
        "Let apt fetch its lists anew (`apt-get update`). If it happens again, find out who writes there.";
        ["apt-secure(8)"]
    ARCHIVE_PACKAGE_ALTERED = "provenance/archive-package-altered", Integrity, Medium;
        "a package file is not the one that the archive's index names";
        "The package file bears name and version of an installed package that decides logins, and its digest is not the one in \
         the index. It was altered or damaged, or somebody built a package of his own with the version of the distributor's. \
         Whoever installs it anew gets what is in it, for apt takes what lies in its cache.";
        "Remove it (`apt-get clean`), fetch the package anew, and compare what is installed with that.";
        ["apt-secure(8)"]
    ARCHIVE_UNSHIPPED_FILE = "provenance/unshipped-file", Integrity, High;
        "dpkg's database gives a file to a package that does not ship it";
        "The package itself was proved with its archive's signature, and this file is not in it, while the list of files and the \
         digests that dpkg keeps of the package name it. The database was changed so that a file which nobody shipped has an \
         owner and a matching digest.";
        "Treat the database as altered: find out who put the file there, and reinstall the package.";
        ["deb(5)", "deb-md5sums(5)"]
    MANIFEST_UNTRUSTED = "provenance/manifest-untrusted", Integrity, Medium;
        "a manifest of the site does not count";
        "Files were held against a manifest that bears no signature, was changed after it was signed, is signed by a key that nobody \
         pinned, or has come to its end, or its key has. What it says is worth no more than an unsigned record.";
        "Sign the manifest with a key of the site, and pin that key as `[[manifest-key]]` in `trust.d`. If it was changed, find out \
         by whom.";
        ["docs/manifest.md"]
    HEADER_SHADOWED = "provenance/header-shadowed", Integrity, Medium;
        "rpm's database holds unsigned values in place of signed ones";
        "A header consists of the region that the vendor signed and of what was added at installation. A tag stands in both: \
         rpm and its `--verify` use the unsigned value, this program the signed one. Relocating a package (`rpm --relocate`) \
         makes such tags; so does somebody who hides a replaced file from `rpm -V`.";
        "If the package was not relocated on purpose, treat the database as altered.";
        ["rpm(8), --relocate"]
    MODE_DIFFERS = "provenance/mode-differs", Integrity, Medium;
        "the mode of a file is not the one that its package records";
        "rpm records permission bits. A set-id bit or a right to write that the package does not give is an old way to keep a \
         door open; rights that were taken away are an administrator's hardening, and told for information only.";
        "Restore the mode with `rpm --restore PACKAGE`, or keep it if you know why it differs.";
        ["rpm(8), --verify, --restore"]
    CAPABILITIES_DIFFER = "provenance/capabilities-differ", Integrity, High;
        "the capabilities of a file are not those that its package records";
        "A capability in the extended attribute `security.capability` gives whoever executes the file a part of root's rights, \
         as a set-id bit does, and `ls -l` does not show it. rpm records which ones a package means a file to have. Others were \
         set later; missing ones are told for information only.";
        "Look at them with getcap(8), and restore what the package records with `rpm --restore PACKAGE`.";
        ["capabilities(7)", "getcap(8)", "rpm(8), --verify"]
    VERSION_ROLLED_BACK = "provenance/version-rolled-back", Integrity, High;
        "a package that decides logins is older than signed records beside it demand";
        "A signed package demands a later version of this one than the one that is installed, or a newer signed record of the \
         same package wants other files than those on disk, which are the older one's. All signatures hold: an older \
         version of the distributor's own was put in the place of a newer one, past the package manager's rules. That is how a \
         hole that was closed is opened again without a forged byte. Which versions are current no signature on the host says: \
         packages that were put back together are not noticed.";
        "Update the package, and find out from the logs of the package manager who put it back and when.";
        ["rpm(8), --oldpackage, --nodeps", "rpm-version(7)"]
    MIXED_VERSIONS = "provenance/mixed-versions", Integrity, Informational;
        "packages of one source are installed in different versions";
        "Distributors publish the packages of one source together. These were built from one source package and differ in version: \
         an update of a part, or a part that was put back.";
        "Update all of them.";
        []
    OWNER_DIFFERS = "provenance/owner-differs", Integrity, Medium;
        "the owner or group of a file is not the one that its package records";
        "rpm records owner and group by name. Whoever owns code that decides logins can replace it. Images that were unpacked \
         without root rights have the wrong owner everywhere.";
        "Restore the owner with `rpm --restore PACKAGE`.";
        ["rpm(8), --verify, --restore"]
}
