//! The test bed itself: the roots that other tests rely on are what they say they are, shown by the packages' own
//! programs.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::process::ExitCode;

use common::login::{Offer, log_in, two_factor};
use common::mimic::{self, Part, trial};
use common::namespace::Host;
use common::root::Root;

fn main() -> ExitCode {
    mimic::run(vec![
        trial("a_root_is_what_its_packages_say", &[Part::Packages], a_root_is_what_its_packages_say),
        trial("copies_are_independent", &[Part::Packages], copies_are_independent),
        trial(
            "a_login_needs_key_and_code",
            &[Part::Packages, Part::Namespaces, Part::Program("oathtool")],
            a_login_needs_key_and_code,
        ),
    ])
}

/// dpkg's own comparison finds nothing; one flipped bit is the only thing it finds.
fn a_root_is_what_its_packages_say() {
    let root = Root::stock();
    let verify = |root: &Root| root.chroot(&["sh", "-c", "dpkg --verify openssh-server libpam-modules libc6 || true"]);
    assert_eq!(verify(&root), "");
    assert_eq!(
        root.chroot(&["sh", "-c", "dpkg-query -W -f '${db:Status-Abbrev}' libpam-google-authenticator || true"]),
        ""
    );
    root.flip("/usr/sbin/sshd", 4096);
    let said = verify(&root);
    assert!(said.starts_with("??5??????") && said.trim_end().ends_with("/usr/sbin/sshd"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

fn copies_are_independent() {
    let (one, other) = (Root::with_otp_module(), Root::with_otp_module());
    one.flip("/usr/sbin/sshd", 0);
    assert_ne!(
        std::fs::read(one.join("/usr/sbin/sshd")).unwrap(),
        std::fs::read(other.join("/usr/sbin/sshd")).unwrap()
    );
}

fn a_login_needs_key_and_code() {
    let host = Host::boot(two_factor());
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let done = log_in(&host, 22, Offer::KeyAndCode, "id -un");
    assert_eq!(String::from_utf8_lossy(&done.stdout), "alice\n", "{done:?}");
    let done = log_in(&host, 22, Offer::KeyAndScratchCode(0), "id -un");
    assert_eq!(String::from_utf8_lossy(&done.stdout), "alice\n", "{done:?}");
    for offer in [Offer::KeyAlone, Offer::CodeAlone] {
        let done = log_in(&host, 22, offer, "id -un");
        assert_eq!(done.status.code(), Some(255), "{done:?}");
        assert_eq!(String::from_utf8_lossy(&done.stdout), "", "{done:?}");
    }
}
