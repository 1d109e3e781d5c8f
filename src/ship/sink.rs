//! Where events go: `ship.toml`, validated once.

mod http;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

pub use self::http::{HecSettings, HttpProtocol};
use crate::own::http::Http;
use crate::own::lines::Rotation;
use crate::own::net::{Peer, Tls, TlsFiles};
use crate::own::spool::is_name;
use crate::render::event::Encoding;

/// A receiver of events.
#[derive(Clone, Debug)]
pub struct Sink {
    /// Its name in messages, in the heartbeat and of its cursor.
    pub name: String,
    /// In which vocabulary it gets them.
    pub encoding: Encoding,
    /// What it is.
    pub kind: SinkKind,
    /// Bytes that make a delivery full.
    pub batch: usize,
    /// Pause between two deliveries while there is more to deliver.
    pub pause: Duration,
}

/// What a receiver is.
#[derive(Clone, Debug)]
pub enum SinkKind {
    /// A file of lines that another program follows.
    File {
        /// Where.
        path: PathBuf,
        /// How long it may get.
        rotation: Rotation,
    },
    /// Syslog, RFC 5424, octet-counted over TCP (RFC 6587) or TLS (RFC 5425), or acknowledged by RELP.
    Syslog {
        /// How messages are told apart and acknowledged.
        framing: Framing,
        /// The receiver.
        peer: Box<Peer>,
        /// Facility, 0 to 23.
        facility: u8,
        /// Private enterprise number of the site's structured data.
        enterprise: u32,
        /// Longest message that the receiver takes, in bytes.
        longest: usize,
    },
    /// journald on this host.
    Journald {
        /// Its socket.
        socket: PathBuf,
    },
    /// A receiver that speaks HTTP.
    Http {
        /// How to reach it, and as whom.
        http: Http,
        /// Its address, to which the protocol adds its own paths.
        url: String,
        /// What is spoken.
        protocol: HttpProtocol,
    },
}

/// How syslog messages are told apart and acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Their length before them; nothing is acknowledged but that the receiver has read to the end.
    OctetCounted,
    /// RELP: each is acknowledged when it is in the receiver's queue.
    Relp,
}

/// The file does not say where events go.
#[derive(Debug)]
pub struct BadSinks(pub String);

impl std::fmt::Display for BadSinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadSinks {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    sink: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Entry {
    File(FileEntry),
    Syslog(SyslogEntry),
    Relp(SyslogEntry),
    Journald(JournaldEntry),
    Elasticsearch(http::BulkEntry),
    SplunkHec(http::HecEntry),
    Otlp(http::OtlpEntry),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileEntry {
    name: String,
    #[serde(default = "json")]
    encoding: EncodingName,
    path: PathBuf,
    #[serde(default = "rotate_bytes")]
    rotate_bytes: u64,
    #[serde(default = "rotate_keep")]
    rotate_keep: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct SyslogEntry {
    name: String,
    #[serde(default = "json")]
    encoding: EncodingName,
    host: String,
    port: u16,
    #[serde(default)]
    tls: bool,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    server_name: Option<String>,
    #[serde(default = "timeout", deserialize_with = "duration")]
    timeout: Duration,
    #[serde(default = "facility")]
    facility: u8,
    #[serde(default = "enterprise")]
    enterprise: u32,
    #[serde(default = "longest")]
    longest: usize,
    #[serde(default = "batch")]
    batch: usize,
    #[serde(default = "pause", deserialize_with = "duration")]
    pause: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct JournaldEntry {
    name: String,
    #[serde(default = "json")]
    encoding: EncodingName,
    #[serde(default = "journal")]
    socket: PathBuf,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum EncodingName {
    Json,
    Ecs,
    Ocsf,
    Cef,
}

impl From<EncodingName> for Encoding {
    fn from(name: EncodingName) -> Self {
        match name {
            EncodingName::Json => Self::Json,
            EncodingName::Ecs => Self::Ecs,
            EncodingName::Ocsf => Self::Ocsf,
            EncodingName::Cef => Self::Cef,
        }
    }
}

const fn json() -> EncodingName {
    EncodingName::Json
}

const fn rotate_bytes() -> u64 {
    64 << 20
}

const fn rotate_keep() -> u32 {
    4
}

const fn timeout() -> Duration {
    Duration::from_secs(10)
}

/// Five deliveries a second: after an outage a cluster's nodes must not flood the receiver.
const fn pause() -> Duration {
    Duration::from_millis(200)
}

const fn batch() -> usize {
    1 << 20
}

/// 10 is `authpriv` (RFC 5424, table 1).
const fn facility() -> u8 {
    10
}

/// The number of RFC 5612, for documentation: a site that has one of its own names it.
const fn enterprise() -> u32 {
    32_473
}

/// What RFC 5425, section 4.3.1, says a receiver should take at least.
const fn longest() -> usize {
    8192
}

fn journal() -> PathBuf {
    PathBuf::from(crate::own::journal::SOCKET)
}

fn duration<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
    humantime::parse_duration(&String::deserialize(d)?).map_err(serde::de::Error::custom)
}

/// The sinks that `text` describes. The files of their keys and certificates are read; no receiver is spoken to.
///
/// # Errors
/// In words for who wrote it: an unknown key, a name twice, a file that cannot be used.
pub fn parse(text: &str) -> Result<Vec<Sink>, BadSinks> {
    let config: Config = toml::from_str(text).map_err(|error| BadSinks(error.to_string()))?;
    let mut sinks: Vec<Sink> = Vec::new();
    for entry in config.sink {
        let sink = sink(entry)?;
        if !is_name(&sink.name) {
            return Err(BadSinks(format!("`{}`: a name consists of a-z, 0-9 and `-`", sink.name)));
        }
        if sinks.iter().any(|other| other.name == sink.name) {
            return Err(BadSinks(format!("two sinks are named `{}`", sink.name)));
        }
        sinks.push(sink);
    }
    if sinks.is_empty() {
        return Err(BadSinks("there is no [[sink]]".to_owned()));
    }
    Ok(sinks)
}

fn sink(entry: Entry) -> Result<Sink, BadSinks> {
    Ok(match entry {
        Entry::File(entry) => Sink {
            name: entry.name,
            encoding: entry.encoding.into(),
            kind: SinkKind::File {
                path: entry.path,
                rotation: Rotation { bytes: entry.rotate_bytes, keep: entry.rotate_keep },
            },
            batch: batch(),
            pause: Duration::ZERO,
        },
        Entry::Journald(entry) => Sink {
            name: entry.name,
            encoding: entry.encoding.into(),
            kind: SinkKind::Journald { socket: entry.socket },
            batch: batch(),
            pause: Duration::ZERO,
        },
        Entry::Syslog(entry) => syslog(entry, Framing::OctetCounted)?,
        Entry::Relp(entry) => syslog(entry, Framing::Relp)?,
        Entry::Elasticsearch(entry) => http::bulk(entry)?,
        Entry::SplunkHec(entry) => http::hec(entry)?,
        Entry::Otlp(entry) => http::otlp(entry)?,
    })
}

fn syslog(entry: SyslogEntry, framing: Framing) -> Result<Sink, BadSinks> {
    let bad = |what: &str| BadSinks(format!("sink `{}`: {what}", entry.name));
    if entry.facility > 23 {
        return Err(bad("a facility is 0 to 23"));
    }
    let identity = match (&entry.certificate, &entry.key) {
        (Some(certificate), Some(key)) => Some((certificate.as_path(), key.as_path())),
        (None, None) => None,
        _ => return Err(bad("`certificate` and `key` belong together")),
    };
    let tls = match (entry.tls, &entry.ca) {
        (true, Some(ca)) => {
            let name = entry.server_name.as_deref().unwrap_or(&entry.host);
            Some(Tls::new(name, TlsFiles { ca, identity }).map_err(|problem| bad(&problem.to_string()))?)
        }
        (true, None) => return Err(bad("TLS needs `ca`, the authority that may vouch for the receiver")),
        (false, None) if identity.is_none() && entry.server_name.is_none() => None,
        (false, _) => return Err(bad("`ca`, `certificate`, `key` and `server-name` need `tls = true`")),
    };
    let peer = Peer { host: entry.host, port: entry.port, timeout: entry.timeout, tls };
    Ok(Sink {
        name: entry.name,
        encoding: entry.encoding.into(),
        kind: SinkKind::Syslog {
            framing,
            peer: Box::new(peer),
            facility: entry.facility,
            enterprise: entry.enterprise,
            longest: entry.longest,
        },
        batch: entry.batch,
        pause: entry.pause,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, problem: &str) {
        let said = parse(text).unwrap_err().to_string();
        assert!(said.contains(problem), "{said}");
    }

    #[test]
    fn a_file_a_receiver_and_the_journal() {
        let sinks = parse(
            r#"
            [[sink]]
            name = "disk"
            kind = "file"
            path = "/var/log/sshproof/events.json"
            [[sink]]
            name = "siem"
            kind = "syslog"
            encoding = "ecs"
            host = "loghost.example.org"
            port = 514
            timeout = "3s"
            [[sink]]
            name = "journal"
            kind = "journald"
            "#,
        )
        .unwrap();
        assert_eq!(sinks.iter().map(|sink| sink.name.as_str()).collect::<Vec<_>>(), ["disk", "siem", "journal"]);
        assert_eq!(sinks[1].encoding, Encoding::Ecs);
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        let syslog = |more: &str| format!("[[sink]]\nname='a'\nkind='syslog'\nhost='h'\nport=1\n{more}");
        check("", "sink");
        check("[[sink]]\nname='a'\nkind='pigeon'", "pigeon");
        check("[[sink]]\nname='A b'\nkind='journald'", "a name consists of");
        check("[[sink]]\nname='a'\nkind='journald'\n[[sink]]\nname='a'\nkind='journald'", "two sinks");
        check("[[sink]]\nname='a'\nkind='journald'\ncolour='red'", "colour");
        check(&syslog("facility=24"), "facility");
        check(&syslog("tls=true"), "TLS needs `ca`");
        check(&syslog("ca='/x'"), "need `tls = true`");
        check(&syslog("tls=true\nca='/x'\ncertificate='/y'"), "belong together");
        check(&syslog("tls=true\nca='/nonexistent/ca'"), "/nonexistent/ca");
    }
}
