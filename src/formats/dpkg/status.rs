//! `/var/lib/dpkg/status`: which packages are installed, in which state, with which configuration files.
//!
//! Also one file of `/var/lib/dpkg/updates`, whose stanzas replace those of `status` until dpkg merges them
//! (lib/dpkg/dbmodify.c), and one of `/var/lib/dpkg/status.d` in distroless images.

use crate::formats::deb822::{Stanza, stanzas};
use crate::formats::problem::Problems;
use crate::model::text::escape;
use crate::model::{Digest, RootedPath};

/// One package of the database. Byte slices are of the file it was read from.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// `Package`.
    pub name: &'a [u8],
    /// `Architecture`; empty if the stanza has none.
    pub architecture: &'a [u8],
    /// `Version`; empty if the stanza has none, as for packages that were never installed.
    pub version: &'a [u8],
    /// `Status`: three words, wish, flag and state. Absent in `status.d`.
    pub status: Option<&'a [u8]>,
    stanza: Stanza<'a>,
}

/// How far a package's installation has come: the third word of `Status` (dpkg(1), "Package states").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing of it is there.
    NotInstalled,
    /// Only its configuration files are.
    ConfigFiles,
    /// Unpacking it was interrupted: its files may be of either version.
    HalfInstalled,
    /// Unpacked, not configured.
    Unpacked,
    /// Configuring it was interrupted or failed.
    HalfConfigured,
    /// Waits for another package's trigger.
    TriggersAwaited,
    /// Its own trigger has not run yet.
    TriggersPending,
    /// Installed.
    Installed,
}

impl State {
    /// Whether files of the package, beyond its configuration, are on the disk.
    #[must_use]
    pub const fn has_files(self) -> bool {
        !matches!(self, Self::NotInstalled | Self::ConfigFiles)
    }

    /// The state in the three words of `Status`; `None` if they are not three, or the third is unknown.
    #[must_use]
    pub fn of(status: &[u8]) -> Option<Self> {
        let mut words = status.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let state = words.nth(2)?;
        words.next().is_none().then(|| Self::parse(state)).flatten()
    }

    fn parse(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"not-installed" => Self::NotInstalled,
            b"config-files" => Self::ConfigFiles,
            b"half-installed" => Self::HalfInstalled,
            b"unpacked" => Self::Unpacked,
            b"half-configured" => Self::HalfConfigured,
            b"triggers-awaited" => Self::TriggersAwaited,
            b"triggers-pending" => Self::TriggersPending,
            b"installed" => Self::Installed,
            _ => return None,
        })
    }
}

/// One line of `Conffiles`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conffile {
    /// As recorded.
    pub path: RootedPath,
    /// Of the version that the package *distributes*, not of the administrator's; absent for `newconffile`, whose
    /// package has not been configured yet.
    pub digest: Option<Digest>,
    /// Whether the package no longer ships it.
    pub obsolete: bool,
}

/// The packages of `bytes`. A stanza without `Package` is a problem and is left out.
#[must_use]
pub fn parse(bytes: &[u8]) -> (Vec<Entry<'_>>, Problems) {
    let mut problems = Problems::default();
    let mut entries = Vec::new();
    for stanza in stanzas(bytes) {
        // Read for its problems: what they are about may be what one of the values below hides.
        stanza.fields(&mut problems);
        match stanza.get(b"Package") {
            Some(name) if is_name(name) => entries.push(Entry {
                name,
                architecture: stanza.get(b"Architecture").unwrap_or_default(),
                version: stanza.get(b"Version").unwrap_or_default(),
                status: stanza.get(b"Status"),
                stanza,
            }),
            Some(name) => problems.note(stanza.line(), format!("`{}` is no package name", escape(first(name, 80)))),
            None => problems.note(stanza.line(), "the stanza names no package"),
        }
    }
    (entries, problems)
}

impl Entry<'_> {
    /// How far its installation has come; `None` if `Status` is absent or not three known words.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        State::of(self.status?)
    }

    /// Its configuration files.
    #[must_use]
    pub fn conffiles(&self) -> (Vec<Conffile>, Problems) {
        let mut problems = Problems::default();
        // Problems of the stanza itself were noted by `parse`.
        let fields = self.stanza.fields(&mut Problems::default());
        let Some(field) = fields.iter().find(|field| field.name.eq_ignore_ascii_case(b"Conffiles")) else {
            return (Vec::new(), problems);
        };
        let mut conffiles = Vec::new();
        for line in field.value.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
            match conffile(line) {
                Some(conffile) => conffiles.push(conffile),
                None => problems.note(
                    field.line,
                    format!("`{}` under `Conffiles` is not a path and its MD5", escape(first(line, 80))),
                ),
            }
        }
        (conffiles, problems)
    }
}

/// `path md5[ obsolete][ remove-on-upgrade]`; the path may hold blanks, so the line is read from its end.
fn conffile(line: &[u8]) -> Option<Conffile> {
    let mut rest = line;
    let mut obsolete = false;
    loop {
        let (before, word) = rsplit_blank(rest)?;
        match word {
            b"obsolete" => obsolete = true,
            b"remove-on-upgrade" => {}
            b"newconffile" => {
                return Some(Conffile { path: RootedPath::new(before)?, digest: None, obsolete });
            }
            hex => {
                let digest = Some(super::md5(hex)?);
                return Some(Conffile { path: RootedPath::new(before)?, digest, obsolete });
            }
        }
        rest = before;
    }
}

fn rsplit_blank(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = line.iter().rposition(|b| *b == b' ')?;
    Some((line.get(..at)?, line.get(at.checked_add(1)?..)?))
}

/// Whether `name` can name a package and the files of its records: no slash, no blank, no control character, not empty,
/// no leading dot, at most 128 bytes. (deb-control(5) allows less; this is what is safe to build file names of.)
#[must_use]
pub fn is_name(name: &[u8]) -> bool {
    (1..=128).contains(&name.len())
        && name.first() != Some(&b'.')
        && name.iter().all(|b| b.is_ascii_graphic() && *b != b'/' && *b != b':')
}

fn first(bytes: &[u8], count: usize) -> &[u8] {
    bytes.get(..count).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], expected: &[(&str, &str, Option<State>)], problems: &str) {
        let (entries, noted) = parse(input);
        let found: Vec<(String, String, Option<State>)> =
            entries.iter().map(|e| (escape(e.name), escape(e.version), e.state())).collect();
        let expected: Vec<(String, String, Option<State>)> =
            expected.iter().map(|(n, v, s)| ((*n).to_owned(), (*v).to_owned(), *s)).collect();
        assert_eq!(found, expected);
        assert_eq!(noted.to_string(), problems);
    }

    #[test]
    fn states_are_the_third_word() {
        check(
            b"Package: a\nStatus: install ok installed\nVersion: 1\n\nPackage: b\nStatus: hold reinstreq half-installed\n\n\
              Package: c\nVersion: 2~rc1\n\nPackage: d\nStatus: install ok\n\nPackage: e\nStatus: a b c d\n",
            &[
                ("a", "1", Some(State::Installed)),
                ("b", "", Some(State::HalfInstalled)),
                ("c", "2~rc1", None),
                ("d", "", None),
                ("e", "", None),
            ],
            "",
        );
    }

    #[test]
    fn a_broken_stanza_costs_only_itself() {
        check(
            b"Status: install ok installed\n\nPackage: ../../etc\n\nPackage: good\nStatus: install ok unpacked",
            &[("good", "", Some(State::Unpacked))],
            "line 1: the stanza names no package; line 3: `../../etc` is no package name",
        );
    }

    #[test]
    fn conffiles_with_every_flag() {
        let (entries, _) = parse(
            b"Package: a\nConffiles:\n /etc/pam.d/sshd 8b8e0c4a1d8ea1a5d6d6fbb8a8a9f0d1\n /etc/a b newconffile\n \
              /etc/old 00000000000000000000000000000000 obsolete remove-on-upgrade\n /etc/bad zz\n relative \
              00000000000000000000000000000000\nVersion: 1\n",
        );
        let (conffiles, problems) = entries[0].conffiles();
        let texts: Vec<String> = conffiles
            .iter()
            .map(|c| format!("{} {} {}", c.path, c.digest.map_or("-".to_owned(), |d| d.hex()), c.obsolete))
            .collect();
        assert_eq!(
            texts,
            [
                "/etc/pam.d/sshd 8b8e0c4a1d8ea1a5d6d6fbb8a8a9f0d1 false",
                "/etc/a b - false",
                "/etc/old 00000000000000000000000000000000 true",
            ]
        );
        assert_eq!(
            problems.to_string(),
            "line 2: `/etc/bad zz` under `Conffiles` is not a path and its MD5; line 2: `relative \
             00000000000000000000000000000000` under `Conffiles` is not a path and its MD5"
        );
    }
}
