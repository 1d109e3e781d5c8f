//! One random configuration with one connection, as text for sshd and as values for us.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use sshproof::formats::sshd_config::Dialect;
use sshproof::login::sshd::{Config, Connection};
use sshproof::login::tree::Texts;
use sshproof::model::RootedPath;

use crate::common::root::Root;
use crate::oracle::{ACCOUNTS, GROUPS, RELATIVE, Run, Values};
use crate::random::Random;
use crate::vocabulary::Vocabulary;
use crate::words::ODD;

/// A configuration, the options that sshd is started with, and who connects.
pub struct Case {
    /// What it was made from.
    pub seed: u64,
    /// Within the root.
    pub dir: String,
    /// File name in `dir` and content.
    files: Vec<(String, Vec<u8>)>,
    options: Vec<String>,
    connection: Who,
    specification: String,
}

struct Who {
    user: Option<&'static str>,
    is_invalid: bool,
    host: Option<&'static str>,
    address: Option<&'static str>,
    local_address: Option<&'static str>,
    local_port: u16,
}

impl Who {
    fn random(random: &mut Random, words: &Vocabulary) -> Self {
        let knows_invalid =
            words.criteria.iter().any(|criterion| criterion.keyword == "Invalid-User" && criterion.is_known());
        Self {
            user: random.maybe(&["alice", "bob", "root", "svc-backup", "Carol", "nobody-here"]),
            is_invalid: knows_invalid && random.one_in(4),
            host: random.maybe(&["host.example.org", "10.1.2.3", "EVIL.example.com"]),
            address: random.maybe(&[
                "10.1.2.3",
                "10.200.0.1",
                "192.0.2.9",
                "2001:db8::5",
                "::ffff:10.1.2.3",
                "UNKNOWN",
            ]),
            local_address: random.maybe(&["192.0.2.1", "10.0.0.1", "::1"]),
            local_port: *random.pick(&[22, 22, 2222]),
        }
    }

    fn specification(&self) -> String {
        let mut parts = vec![format!("lport={}", self.local_port)];
        for (key, value) in
            [("user", self.user), ("host", self.host), ("addr", self.address), ("laddr", self.local_address)]
        {
            parts.extend(value.map(|value| format!("{key}={value}")));
        }
        parts.extend(self.is_invalid.then(|| "invalid-user".to_owned()));
        parts.join(",")
    }

    fn connection(&self) -> Connection<'static> {
        let bytes = |text: Option<&'static str>| text.map(|text| Cow::Borrowed(text.as_bytes()));
        let account = self.user.and_then(|user| ACCOUNTS.iter().find(|account| account.0 == user));
        let groups = account.and_then(|(_, _, gid, more)| {
            let primary = GROUPS.iter().filter(|group| group.1 == *gid).map(|group| group.0);
            let names: Vec<Vec<u8>> =
                primary.chain(more.iter().copied()).map(|name| name.as_bytes().to_vec()).collect();
            (!names.is_empty()).then_some(Cow::Owned(names))
        });
        Connection {
            user: bytes(self.user),
            groups,
            // `-T -C` asks nobody whether the account exists.
            invalid_user: self.is_invalid,
            host: bytes(self.host),
            address: bytes(self.address),
            local_address: bytes(self.local_address),
            local_port: Some(self.local_port),
            rdomain: None,
        }
    }
}

impl Case {
    /// The case of this seed, in the words of one release.
    pub fn random(seed: u64, words: &Vocabulary) -> Self {
        let dir = format!("/cases/{seed}");
        let mut random = Random::new(seed);
        let mut files = Vec::new();
        for name in ["inc/20.conf", "inc/10.conf", "inc/deep.inc"] {
            if random.one_in(2) {
                let text =
                    file(&mut random, words, &dir, if name == "inc/deep.inc" { Place::Deep } else { Place::Included });
                files.push((name.to_owned(), text));
            }
        }
        files.push(("sshd_config".to_owned(), file(&mut random, words, &dir, Place::Main)));
        let mut options = Vec::new();
        while random.one_in(6) {
            let entry = words.entry(&mut random);
            let value = entry.value(&mut random);
            if !value.contains('\'') && !["AllowUsers", "ForceCommand"].contains(&entry.keyword) {
                let separator = random.pick(&["=", " "]);
                options.push(format!("{}{separator}{value}", entry.keyword));
            }
        }
        let connection = Who::random(&mut random, words);
        let specification = connection.specification();
        Self { seed, dir, files, options, connection, specification }
    }

    /// Puts its files where sshd finds them.
    pub fn write(&self, root: &Root) {
        for (name, bytes) in &self.files {
            root.write(&format!("{}/{name}", self.dir), bytes);
        }
    }

    /// How sshd is started on it.
    pub fn run(&self) -> Run<'_> {
        Run { dir: &self.dir, options: &self.options, connection: &self.specification }
    }

    /// Our values, or why we refuse; and what we leave open.
    pub fn ours(&self, dialect: Dialect) -> (Result<Values, String>, Vec<String>) {
        let path = |path: String| RootedPath::new(path).unwrap();
        let own = self.files.iter().map(|(name, bytes)| (path(format!("{}/{name}", self.dir)), bytes.clone()));
        let relative = RELATIVE.iter().map(|(name, text)| (path(format!("/etc/ssh/{name}")), text.as_bytes().to_vec()));
        let files: BTreeMap<RootedPath, Vec<u8>> = own.chain(relative).collect();
        let options: Vec<Vec<u8>> = self.options.iter().map(|option| option.as_bytes().to_vec()).collect();
        let main = path(format!("{}/sshd_config", self.dir));
        let config = Config::load(&main, &options, &[], dialect, &Texts(files));
        assert!(config.unasked.is_empty());
        (self.evaluated(&config), config.doubts().collect())
    }

    fn evaluated(&self, config: &Config) -> Result<Values, String> {
        let global = config
            .global()
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
        let effective = global.effective(&self.connection.connection()).map_err(|problem| problem.to_string())?;
        let mut values = Values::new();
        for line in effective.lines() {
            let (keyword, value) = line.text.split_once(' ').unwrap();
            let value = String::from_utf8(sshproof::model::text::unescape(value).unwrap()).unwrap();
            values.entry(keyword.to_owned()).or_default().push(value);
        }
        Ok(values)
    }

    /// All of it, for people.
    pub fn show(&self) -> String {
        let mut out = format!("-C {} -o {:?}\n", self.specification, self.options);
        for (name, bytes) in &self.files {
            let _ = writeln!(
                out,
                "--- {name}\n{}",
                String::from_utf8_lossy(bytes).escape_debug().to_string().replace("\\n", "\n")
            );
        }
        out
    }
}

/// Which file of a configuration.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Main,
    Included,
    /// Includes nothing itself.
    Deep,
}

/// One random file.
fn file(random: &mut Random, words: &Vocabulary, dir: &str, place: Place) -> Vec<u8> {
    let mut text = Vec::new();
    let mut in_match = false;
    let end: &[u8] = if random.one_in(12) { b"\r\n" } else { b"\n" };
    let head = if place == Place::Main { 2 + random.below(14) } else { 0 };
    let tail = random.below(if place == Place::Deep { 4 } else { 9 });
    for number in 0..head + tail {
        let line = match random.below(200) {
            // The head is global.
            0..=39 if number >= head => {
                in_match = true;
                match_line(random, words)
            }
            40..=49 if place != Place::Deep => {
                let target = match random.below(6) {
                    0 => "relative/*.conf".to_owned(),
                    1 => format!("{dir}/inc/none*"),
                    2 => format!("{dir}/inc/deep.inc {dir}/inc/??.conf"),
                    3 => format!("\"{dir}/inc/[12]0.conf\""),
                    _ => format!("{dir}/inc/deep.inc"),
                };
                format!("Include {target}")
            }
            50..=55 => random.pick(&["", "# comment", "   ", "\t# x=y"]).to_string(),
            56 => random.pick(ODD).to_string(),
            _ => setting(random, words, in_match),
        };
        if random.one_in(10) {
            text.extend_from_slice(random.pick(&["  ", "\t", " \r"]).as_bytes());
        }
        text.extend_from_slice(line.as_bytes());
        if random.one_in(12) {
            text.extend_from_slice(random.pick(&[" ", "\t", " \x0c", " # trailing", "\r"]).as_bytes());
        }
        if random.one_in(400) {
            text.extend_from_slice(b" \0 hidden");
        }
        text.extend_from_slice(end);
    }
    if random.one_in(10) {
        text.truncate(text.len().saturating_sub(end.len()));
    }
    text
}

fn setting(random: &mut Random, words: &Vocabulary, in_match: bool) -> String {
    loop {
        let entry = words.entry(random);
        if in_match && entry.is_global && !random.one_in(100) {
            continue;
        }
        let keyword = entry.keyword;
        let value = entry.value(random);
        let keyword = match random.below(6) {
            0 => keyword.to_lowercase(),
            1 => keyword.to_uppercase(),
            2 if random.one_in(4) => format!("\"{keyword}\""),
            _ => keyword.to_owned(),
        };
        let plain = !value.contains([' ', '"', '\'', '/']);
        let value = match random.below(12) {
            0 if plain => format!("\"{value}\""),
            1 if plain && (words.single_quotes || random.one_in(12)) => format!("'{value}'"),
            _ => value.to_owned(),
        };
        let separator = random.pick(&[" ", " ", " ", "=", " = ", "\t", "  "]);
        let line = format!("{keyword}{separator}{value}");
        // Without an account to run as, sshd refuses a command.
        return match entry.keyword {
            "AuthorizedKeysCommand" | "AuthorizedPrincipalsCommand" if !random.one_in(12) => {
                format!("{line}\n{}User nobody", entry.keyword)
            }
            "AuthenticationMethods" if value == "hostbased" && !random.one_in(12) => {
                format!("{line}\nHostbasedAuthentication yes")
            }
            _ => line,
        };
    }
}

fn match_line(random: &mut Random, words: &Vocabulary) -> String {
    if random.one_in(12) {
        return random.pick(&["Match all", "Match ALL # x", "match all "]).to_string();
    }
    let mut line = random.pick(&["Match", "match", "MATCH"]).to_string();
    for _ in 0..=random.below(2) {
        let criterion = loop {
            let criterion = random.pick(&words.criteria);
            if criterion.is_known() || random.one_in(60) {
                break criterion;
            }
        };
        let (name, value) = (criterion.keyword, criterion.value(random));
        if value.is_empty() {
            let _ = write!(line, " {name}");
            continue;
        }
        let separator = random.pick(&[" ", " ", "=", "  "]);
        let value = if random.one_in(8) { format!("\"{value}\"") } else { value.to_owned() };
        let _ = write!(line, " {name}{separator}{value}");
    }
    line
}
