//! Whether an account may certify keys for itself. A key in its own authorized_keys that is marked `cert-authority` signs as
//! many certificates as somebody likes, each for another key: where sshd asks for two keys, that one key makes both.

use super::pam::{Account, Answer, Files, Seen};
use super::sshd::Config;
use crate::formats::authorized_keys;
use crate::formats::sshd_config::Body;
use crate::model::RootedPath;

/// Whether one of `templates`, values of AuthorizedKeysFile, trusts an authority when it is read for `account`.
#[must_use]
pub fn is_trusted<'a>(
    templates: impl Iterator<Item = &'a [u8]>,
    account: Option<&Account>,
    files: &dyn Files,
) -> Answer {
    templates
        .filter(|template| !template.eq_ignore_ascii_case(b"none"))
        .map(|template| {
            let Some(path) = account.and_then(|account| path(template, account)) else { return Answer::Unknown };
            match files.text(&path) {
                Seen::Text(bytes) => authorized_keys::trusts_an_authority(bytes).into(),
                Seen::Missing => Answer::No,
                Seen::Opaque(_) | Seen::Unasked => Answer::Unknown,
            }
        })
        .fold(Answer::No, Answer::or)
}

/// Every value of AuthorizedKeysFile that may hold for some connection, if a list of methods asks for more than one key; none
/// if nobody needs to know.
#[must_use]
pub fn key_files(config: &Config) -> Vec<&[u8]> {
    let lines = || {
        let lines = config.files.iter().flat_map(|file| &file.lines).chain(&config.options);
        lines.filter_map(|line| match &line.body {
            Body::Setting { keyword, words, .. } => Some((keyword.name, words)),
            _ => None,
        })
    };
    let key = |method: &&[u8]| *method == b"publickey";
    let several = |list: &Vec<u8>| list.split(|byte| *byte == b',').filter(key).count() > 1;
    if !lines().any(|(name, lists)| name == "authenticationmethods" && lists.iter().any(several)) {
        return Vec::new();
    }
    let named = lines().filter(|(name, _)| *name == "authorizedkeysfile").flat_map(|(_, words)| words);
    named.map(Vec::as_slice).chain(DEFAULT).collect()
}

/// Where keys are looked for without configuration (sshd_config(5), AuthorizedKeysFile).
pub const DEFAULT: [&[u8]; 2] = [b".ssh/authorized_keys", b".ssh/authorized_keys2"];

/// The file that a template means: `%h`, `%u`, `%U` and `%%` replaced, relative ones beneath the home directory
/// (sshd_config(5), AuthorizedKeysFile; `authorized_keys_file` and `expand_authorized_keys` in auth.c).
#[must_use]
pub fn path(template: &[u8], account: &Account) -> Option<RootedPath> {
    let mut text = Vec::new();
    let mut bytes = template.iter();
    while let Some(byte) = bytes.next() {
        match (byte, if *byte == b'%' { bytes.next() } else { None }) {
            (b'%', Some(b'h')) => text.extend_from_slice(&account.home),
            (b'%', Some(b'u')) => text.extend_from_slice(&account.name),
            (b'%', Some(b'U')) => text.extend_from_slice(account.uid.to_string().as_bytes()),
            (b'%', Some(b'%')) => text.push(b'%'),
            (b'%', _) => return None,
            (byte, _) => text.push(*byte),
        }
    }
    if text.starts_with(b"/") { RootedPath::new(text) } else { RootedPath::new(&account.home)?.join(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_name_files() {
        let account = Account {
            name: b"eve".to_vec(),
            uid: 1000,
            gid: 1000,
            groups: Vec::new(),
            groups_complete: true,
            home: b"/home/eve".to_vec(),
            shell: Vec::new(),
            local: true,
        };
        let check = |template: &str, expected: Option<&str>| {
            let path = path(template.as_bytes(), &account).map(|path| path.to_string());
            assert_eq!(path.as_deref(), expected, "{template}");
        };
        check(".ssh/authorized_keys", Some("/home/eve/.ssh/authorized_keys"));
        check("/srv/keys/%u", Some("/srv/keys/eve"));
        check("%h/.ssh/%U%%", Some("/home/eve/.ssh/1000%"));
        check("/srv/%x", None);
    }
}
