//! Sinks that are reached over HTTP, as `ship.toml` describes them.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{BadSinks, EncodingName, Sink, SinkKind, batch, duration, json, pause, timeout};
use crate::own::http::{Http, ProxySettings, Secret};
use crate::own::net::{Tls, TlsFiles};
use crate::own::state::boot_id;
use crate::render::event::Encoding;
use crate::ship::http::hec::channel;

/// What is spoken over HTTP.
#[derive(Clone, Debug)]
pub enum HttpProtocol {
    /// `_bulk` of Elasticsearch and OpenSearch.
    Bulk {
        /// Index or data stream.
        index: String,
    },
    /// Splunk's HTTP Event Collector.
    Hec(HecSettings),
    /// OpenTelemetry logs.
    Otlp,
}

/// What Splunk is told beside the event.
#[derive(Clone, Debug)]
pub struct HecSettings {
    /// Index, unless the token's own is meant.
    pub index: Option<String>,
    /// Source type.
    pub sourcetype: String,
    /// Present if "taken" is to mean "indexed": a GUID that tells our questions from others'.
    pub channel: Option<String>,
}

impl HecSettings {
    /// Whether the collector is asked what it has indexed.
    #[must_use]
    pub const fn acknowledged(&self) -> bool {
        self.channel.is_some()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct BulkEntry {
    name: String,
    #[serde(default = "ecs")]
    encoding: EncodingName,
    url: String,
    #[serde(default = "data_stream")]
    index: String,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    server_name: Option<String>,
    secret: Option<PathBuf>,
    user: Option<String>,
    proxy: Option<String>,
    proxy_user: Option<String>,
    proxy_secret: Option<PathBuf>,
    #[serde(default = "timeout", deserialize_with = "duration")]
    timeout: Duration,
    #[serde(default = "batch")]
    batch: usize,
    #[serde(default = "pause", deserialize_with = "duration")]
    pause: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct HecEntry {
    name: String,
    #[serde(default = "json")]
    encoding: EncodingName,
    url: String,
    index: Option<String>,
    #[serde(default = "sourcetype")]
    sourcetype: String,
    #[serde(default)]
    acknowledge: bool,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    server_name: Option<String>,
    secret: PathBuf,
    proxy: Option<String>,
    proxy_user: Option<String>,
    proxy_secret: Option<PathBuf>,
    #[serde(default = "timeout", deserialize_with = "duration")]
    timeout: Duration,
    #[serde(default = "batch")]
    batch: usize,
    #[serde(default = "pause", deserialize_with = "duration")]
    pause: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct OtlpEntry {
    name: String,
    #[serde(default = "json")]
    encoding: EncodingName,
    url: String,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    server_name: Option<String>,
    secret: Option<PathBuf>,
    user: Option<String>,
    proxy: Option<String>,
    proxy_user: Option<String>,
    proxy_secret: Option<PathBuf>,
    #[serde(default = "timeout", deserialize_with = "duration")]
    timeout: Duration,
    #[serde(default = "batch")]
    batch: usize,
    #[serde(default = "pause", deserialize_with = "duration")]
    pause: Duration,
}

const fn ecs() -> EncodingName {
    EncodingName::Ecs
}

fn data_stream() -> String {
    "logs-sshproof-default".to_owned()
}

fn sourcetype() -> String {
    "sshproof".to_owned()
}

/// What all three have in common.
struct Common {
    name: String,
    encoding: Encoding,
    url: String,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    server_name: Option<String>,
    proxy: Option<String>,
    proxy_user: Option<String>,
    proxy_secret: Option<PathBuf>,
    timeout: Duration,
    batch: usize,
    pause: Duration,
}

macro_rules! common {
    ($entry:ident) => {
        Common {
            name: $entry.name,
            encoding: $entry.encoding.into(),
            url: $entry.url,
            ca: $entry.ca,
            certificate: $entry.certificate,
            key: $entry.key,
            server_name: $entry.server_name,
            proxy: $entry.proxy,
            proxy_user: $entry.proxy_user,
            proxy_secret: $entry.proxy_secret,
            timeout: $entry.timeout,
            batch: $entry.batch,
            pause: $entry.pause,
        }
    };
}

/// Who we are there: a file with the secret, what goes before it, and a user's name if there is one.
struct Login<'a> {
    secret: Option<PathBuf>,
    scheme: &'a str,
    user: Option<String>,
}

pub(super) fn bulk(entry: BulkEntry) -> Result<Sink, BadSinks> {
    let login = Login { secret: entry.secret, scheme: "ApiKey", user: entry.user };
    let protocol = HttpProtocol::Bulk { index: entry.index };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    let HttpProtocol::Bulk { index } = &protocol else { return Err(BadSinks(String::new())) };
    if index.is_empty() || !index.chars().all(plain) || index.starts_with(['-', '_', '.']) {
        return Err(BadSinks(format!("sink `{}`: an index consists of a-z, 0-9, `-`, `_` and `.`", entry.name)));
    }
    if matches!(entry.encoding, EncodingName::Cef) {
        return Err(BadSinks(format!("sink `{}`: an index takes JSON, which CEF is not", entry.name)));
    }
    sink(common!(entry), protocol, login)
}

pub(super) fn hec(entry: HecEntry) -> Result<Sink, BadSinks> {
    let login = Login { secret: Some(entry.secret), scheme: "Splunk", user: None };
    // The same for all deliveries of a boot, and another one on every host.
    let of_boot = || {
        let digest = Sha256::digest(format!("{} {}", boot_id(), entry.name));
        channel(digest.get(..16).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default())
    };
    let settings =
        HecSettings { index: entry.index, sourcetype: entry.sourcetype, channel: entry.acknowledge.then(of_boot) };
    sink(common!(entry), HttpProtocol::Hec(settings), login)
}

pub(super) fn otlp(entry: OtlpEntry) -> Result<Sink, BadSinks> {
    let login = Login { secret: entry.secret, scheme: "Bearer", user: entry.user };
    sink(common!(entry), HttpProtocol::Otlp, login)
}

fn sink(common: Common, protocol: HttpProtocol, login: Login<'_>) -> Result<Sink, BadSinks> {
    let name = common.name;
    let bad = |what: &str| BadSinks(format!("sink `{name}`: {what}"));
    let (secure, host) = address(&common.url).ok_or_else(|| bad("`url` must be http(s)://HOST[:PORT][/PATH]"))?;
    let tls = match (secure, &common.ca) {
        (true, Some(ca)) => {
            let identity = match (&common.certificate, &common.key) {
                (Some(certificate), Some(key)) => Some((certificate.as_path(), key.as_path())),
                (None, None) => None,
                _ => return Err(bad("`certificate` and `key` belong together")),
            };
            let server = common.server_name.as_deref().unwrap_or(host);
            Some(Tls::new(server, TlsFiles { ca, identity }).map_err(|problem| bad(&problem.to_string()))?)
        }
        (true, None) => return Err(bad("https needs `ca`, the authority that may vouch for the receiver")),
        (false, None) if common.certificate.is_none() && common.key.is_none() && common.server_name.is_none() => None,
        (false, _) => return Err(bad("`ca`, `certificate`, `key` and `server-name` need https")),
    };
    let read = |path: &PathBuf| {
        Secret::read(path).map_err(|error| bad(&format!("cannot use the secret in {}: {error}", path.display())))
    };
    let mut headers = Vec::new();
    match &login.secret {
        Some(_) if !secure && !is_loopback(host) => return Err(bad("a secret needs https")),
        Some(path) => {
            headers.push(("authorization".to_owned(), read(path)?.authorization(login.scheme, login.user.as_deref())))
        }
        None if login.user.is_some() => return Err(bad("`user` needs `secret`")),
        None => {}
    }
    if let HttpProtocol::Hec(HecSettings { channel: Some(channel), .. }) = &protocol {
        headers.push(("x-splunk-request-channel".to_owned(), Secret::public(channel)));
    }
    let proxy = match (common.proxy, common.proxy_user, common.proxy_secret) {
        (Some(url), Some(user), Some(path)) => Some(ProxySettings { url, user: Some((user, read(&path)?)) }),
        (Some(url), None, None) => Some(ProxySettings { url, user: None }),
        (None, None, None) => None,
        _ => return Err(bad("`proxy-user` and `proxy-secret` belong together and to `proxy`")),
    };
    let http = Http::new(tls, proxy.as_ref(), common.timeout, headers).map_err(|problem| bad(&problem.to_string()))?;
    let url = common.url.trim_end_matches('/').to_owned();
    Ok(Sink {
        kind: SinkKind::Http { http, url, protocol },
        name,
        encoding: common.encoding,
        batch: common.batch,
        pause: common.pause,
    })
}

/// Whether `url` is https, and its host. User names in it are refused: they would stand in logs.
fn address(url: &str) -> Option<(bool, &str)> {
    let (secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return None,
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let odd = |c: char| !c.is_ascii_graphic() || "@?#\\".contains(c);
    (!host.is_empty() && !url.contains(odd)).then_some((secure, host))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn check(text: &str, problem: &str) {
        let said = parse(&format!("[[sink]]\nname='a'\n{text}")).unwrap_err().to_string();
        assert!(said.contains(problem), "{said}");
    }

    #[test]
    fn addresses() {
        assert_eq!(address("https://es.example.org:9200/x"), Some((true, "es.example.org")));
        assert_eq!(address("http://[::1]:9200"), Some((false, "::1")));
        for url in ["ftp://x", "https://", "https://u:p@x", "https://x?y", "https://x\n", ""] {
            assert_eq!(address(url), None, "{url}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        check("kind='elasticsearch'\nurl='https://es'", "https needs `ca`");
        check("kind='elasticsearch'\nurl='http://es'\nca='/x'", "need https");
        check("kind='elasticsearch'\nurl='http://es'\nindex='A/../b'", "an index consists of");
        check("kind='elasticsearch'\nurl='http://es'\nencoding='cef'", "CEF is not");
        check("kind='elasticsearch'\nurl='http://es'\nsecret='/etc/shadow'", "a secret needs https");
        check("kind='elasticsearch'\nurl='http://es'\nuser='u'", "`user` needs `secret`");
        check("kind='otlp'\nurl='http://u:p@collector'", "`url` must be");
        check("kind='otlp'\nurl='http://localhost'\nproxy-user='u'", "belong together");
        check("kind='otlp'\nurl='http://localhost'\nproxy='socks5://p:1'", "no proxy");
        check(
            "kind='otlp'\nurl='http://localhost'\nsecret='/nonexistent/t'",
            "cannot use the secret in /nonexistent/t",
        );
        check("kind='splunk-hec'\nurl='http://localhost'", "secret");
        check("kind='splunk-hec'\nurl='http://localhost'\nsecret='t'\ntoken='abc'", "unknown field");
    }
}
