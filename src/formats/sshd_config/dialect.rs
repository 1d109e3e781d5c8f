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
    /// Debian and its descendants: `DebianBanner`, GSSAPI key exchange, Kerberos compiled in.
    Debian,
}

/// The version and distribution whose reading of sshd_config is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Dialect {
    /// The release.
    pub version: Version,
    /// The builder.
    pub distribution: Distribution,
}

impl Dialect {
    /// OpenSSH 9.2 as Debian 12 ships it.
    pub const DEBIAN_12: Self = Self { version: Version(9, 2), distribution: Distribution::Debian };

    /// The dialect of the program that announces itself with `banner`: `OpenSSH_9.2p1 Debian-2+deb12u10` (`SSH_RELEASE`,
    /// version.h).
    #[must_use]
    pub fn from_banner(banner: &str) -> Option<Self> {
        let rest = banner.strip_prefix("OpenSSH_")?;
        let (major, rest) = rest.split_once('.')?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (minor, patch) = rest.split_at_checked(digits)?;
        let version = Version(major.parse().ok()?, minor.parse().ok()?);
        let distribution = if patch.contains("Debian-") || patch.contains("Ubuntu-") || patch.contains("Raspbian-") {
            Distribution::Debian
        } else {
            Distribution::Upstream
        };
        Some(Self { version, distribution })
    }

    /// OpenSSH 8.4 as Debian 11 ships it.
    pub const DEBIAN_11: Self = Self { version: Version(8, 4), distribution: Distribution::Debian };

    /// OpenSSH 10.0 as Debian 13 ships it.
    pub const DEBIAN_13: Self = Self { version: Version(10, 0), distribution: Distribution::Debian };

    /// Whether this reading was compared with the real program over random configurations (`tests/login_sshd_oracle`).
    /// One that was not may refute but never prove.
    #[must_use]
    pub fn is_compared(self) -> bool {
        [Self::DEBIAN_12, Self::DEBIAN_13].contains(&self)
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
        check("OpenSSH_10.0p2 Ubuntu-1", "OpenSSH 10.0 (Debian)");
        assert_eq!(Dialect::from_banner("dropbear_2022.83"), None);
        assert_eq!(Dialect::from_banner("OpenSSH_for_Windows_8.1"), None);
    }
}
