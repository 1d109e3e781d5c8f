//! Which sshd reads the file: version and distribution, told by the executable itself.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An OpenSSH release: `9.2` is `(9, 2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version(pub u8, pub u8);

/// Who built it, as far as that changes keywords or defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// OpenSSH portable as released, built with PAM.
    Upstream,
    /// Debian and its descendants: `DebianBanner`; up to 10.3 GSSAPI key exchange and Kerberos compiled in.
    Debian,
    /// HPN-SSH: `OpenSSH_10.0p1_hpn18.7.0` (`SSH_HPN` of its version.h).
    Hpn,
    /// GSI-OpenSSH, which takes proxy certificates of a grid: `OpenSSH_8.0p1c-GSI GSI KRB5` (`GSI_PORTABLE` of its version.h).
    Gsi,
}

/// The version and distribution whose reading of sshd_config is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dialect {
    /// The release.
    pub version: Version,
    /// The builder.
    pub distribution: Distribution,
    /// What follows the version in the banner: `Match Version` compares the whole of it.
    patch: Patch,
}

/// The end of a banner: `p2 Debian-7+deb13u4`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Patch([u8; MAX_PATCH]);

/// Longest end of a banner, in bytes; the rest is zero.
const MAX_PATCH: usize = 56;

impl Patch {
    /// `None` if it is too long, or holds a NUL.
    fn new(text: &[u8]) -> Option<Self> {
        let mut patch = [0; MAX_PATCH];
        patch.get_mut(..text.len())?.copy_from_slice(text);
        (!text.contains(&0)).then_some(Self(patch))
    }

    const fn none() -> Self {
        Self([0; MAX_PATCH])
    }

    fn bytes(&self) -> &[u8] {
        self.0.split(|byte| *byte == 0).next().unwrap_or_default()
    }
}

impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.bytes()))
    }
}

impl Dialect {
    /// OpenSSH 9.2 as Debian 12 ships it.
    pub const DEBIAN_12: Self = Self::new(Version(9, 2), Distribution::Debian);

    /// The dialect of the program that announces itself with `banner`: `OpenSSH_9.2p1 Debian-2+deb12u10` (`SSH_RELEASE`,
    /// version.h).
    #[must_use]
    pub fn from_banner(banner: &str) -> Option<Self> {
        let rest = banner.strip_prefix("OpenSSH_")?;
        let (major, rest) = rest.split_once('.')?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (minor, patch) = rest.split_at_checked(digits)?;
        let version = Version(major.parse().ok()?, minor.parse().ok()?);
        let distribution = if patch.contains("GSI") {
            Distribution::Gsi
        } else if patch.contains("hpn") {
            Distribution::Hpn
        } else if patch.contains("Debian-") || patch.contains("Ubuntu-") || patch.contains("Raspbian-") {
            Distribution::Debian
        } else {
            Distribution::Upstream
        };
        Some(Self { version, distribution, patch: Patch::new(patch.as_bytes())? })
    }

    /// A release of which nothing further is known.
    #[must_use]
    pub const fn new(version: Version, distribution: Distribution) -> Self {
        Self { version, distribution, patch: Patch::none() }
    }

    /// The banner that it was told from, as `Match Version` sees it.
    #[must_use]
    pub fn banner(self) -> Vec<u8> {
        [format!("OpenSSH_{}", self.version).as_bytes(), self.patch.bytes()].concat()
    }

    /// OpenSSH 8.4 as Debian 11 ships it.
    pub const DEBIAN_11: Self = Self::new(Version(8, 4), Distribution::Debian);

    /// OpenSSH 10.0 as Debian 13 ships it.
    pub const DEBIAN_13: Self = Self::new(Version(10, 0), Distribution::Debian);

    /// OpenSSH 10.6 as Debian unstable ships it in the autumn of 2026.
    pub const DEBIAN_UNSTABLE: Self = Self::new(Version(10, 6), Distribution::Debian);

    /// Whether this reading was compared with the real program over random configurations (`tests/login_sshd_oracle`).
    /// One that was not may refute but never prove.
    #[must_use]
    pub fn is_compared(self) -> bool {
        [Self::DEBIAN_11, Self::DEBIAN_12, Self::DEBIAN_13, Self::DEBIAN_UNSTABLE]
            .iter()
            .any(|compared| compared.version == self.version && compared.distribution == self.distribution)
    }

    /// Whether Kerberos and GSSAPI are compiled in. Debian left them out with 1:10.4p1-5 and has packages of their own
    /// for them since, whose sshd announces itself alike: see `doubt` in `value`.
    #[must_use]
    pub fn has_gssapi(self) -> bool {
        self.distribution != Distribution::Debian || !self.at_least(10, 4)
    }

    /// Whether its PAM service is named after the program where its package brings a file of that name (`gsisshd`), and not
    /// `sshd` as upstream's since 9.8.
    #[must_use]
    pub fn may_name_service(self) -> bool {
        matches!(self.distribution, Distribution::Hpn | Distribution::Gsi)
    }

    /// Whether the release is `version` or later.
    #[must_use]
    pub fn at_least(self, major: u8, minor: u8) -> bool {
        self.version >= Version(major, minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenSSH {}", self.version)?;
        match self.distribution {
            Distribution::Upstream => Ok(()),
            Distribution::Debian => f.write_str(" (Debian)"),
            Distribution::Hpn => f.write_str(" (HPN-SSH)"),
            Distribution::Gsi => f.write_str(" (GSI-OpenSSH)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(banner: &str, expected: &str) {
        assert_eq!(Dialect::from_banner(banner).map(|d| d.to_string()), Some(expected.to_owned()));
    }

    #[test]
    fn banners() {
        check("OpenSSH_9.2p1 Debian-2+deb12u10", "OpenSSH 9.2 (Debian)");
        check("OpenSSH_8.7p1", "OpenSSH 8.7");
        check("OpenSSH_10.0p1_hpn18.7.0", "OpenSSH 10.0 (HPN-SSH)");
        check("OpenSSH_8.8p1-hpn16v1", "OpenSSH 8.8 (HPN-SSH)");
        check("OpenSSH_8.0p1c-GSI GSI KRB5", "OpenSSH 8.0 (GSI-OpenSSH)");
        assert!(!Dialect::from_banner("OpenSSH_10.0p1_hpn18.7.0").is_some_and(Dialect::is_compared));
        check("OpenSSH_10.0p2 Ubuntu-1", "OpenSSH 10.0 (Debian)");
        assert_eq!(Dialect::from_banner("dropbear_2022.83"), None);
        assert!(Dialect::from_banner("OpenSSH_10.6p1 Debian-1").is_some_and(Dialect::is_compared));
        assert!(!Dialect::from_banner("OpenSSH_10.6p1").is_some_and(Dialect::is_compared));
        let whole = "OpenSSH_10.0p2 Debian-7+deb13u4";
        assert_eq!(Dialect::from_banner(whole).map(Dialect::banner), Some(whole.as_bytes().to_vec()));
        assert_eq!(Dialect::from_banner(&format!("OpenSSH_10.0p2 {}", "x".repeat(60))), None);
        assert_eq!(Dialect::from_banner("OpenSSH_for_Windows_8.1"), None);
    }
}
