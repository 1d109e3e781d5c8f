//! Hands bytes to a receiver over HTTP, directly or through a proxy, and brings back what it answered.
//!
//! ureq speaks HTTP; TLS below it is that of `own::net` (`tls`), so that every sink trusts the same few files. A secret is in
//! memory and in the request only: no text for people contains it.

mod tls;

use std::io;
use std::path::Path;
use std::time::Duration;

use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector as _, TcpConnector};
use ureq::{Agent, Proxy, ProxyProtocol};

use super::net::{NetProblem, Tls, problem};

/// Longest answer: `_bulk` tells of each event, and of a failed one at length.
const MAX_ANSWER: u64 = 64 << 20;

/// Longest secret, in bytes; tokens that carry claims are long.
const MAX_SECRET: u64 = 16 << 10;

/// Longest pause that a receiver may ask for: as long as our own longest.
const MAX_PAUSE: u64 = 900;

/// A password or token. It prints as nothing.
#[derive(Clone)]
pub struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

impl Secret {
    /// What stands in `file`, a newline at its end apart. A name without a slash is that of a credential that systemd passed on
    /// (systemd.exec(5), `LoadCredential=`).
    ///
    /// # Errors
    /// What the kernel says; `PermissionDenied` if everybody may read it; `InvalidData` unless it is one line of printable ASCII.
    pub fn read(file: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let path = if file.components().count() == 1 && !file.is_absolute() {
            let dir = std::env::var_os("CREDENTIALS_DIRECTORY")
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no credentials directory was passed on"))?;
            Path::new(&dir).join(file)
        } else {
            file.to_owned()
        };
        if std::fs::metadata(&path)?.mode() & 0o007 != 0 {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "everybody may use it; take that away"));
        }
        let bad = || io::Error::new(io::ErrorKind::InvalidData, "not one line of printable ASCII");
        let text = String::from_utf8(super::input::read(&path, MAX_SECRET)?).map_err(|_| bad())?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        if text.is_empty() || !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(bad());
        }
        Ok(Self(text.to_owned()))
    }

    /// What is no secret and goes where secrets go.
    #[must_use]
    pub fn public(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The value of an `Authorization` header: `scheme SECRET`, or HTTP's `Basic` (RFC 7617) for a user's name.
    #[must_use]
    pub fn authorization(&self, scheme: &str, user: Option<&str>) -> Self {
        match user {
            None => Self(format!("{scheme} {}", self.0)),
            Some(user) => Self(format!("Basic {}", base64(format!("{user}:{}", self.0).as_bytes()))),
        }
    }
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4usize {
            let digit = bits >> (18_usize.saturating_sub(at.saturating_mul(6))) & 63;
            let digit = DIGITS.get(digit as usize).copied().unwrap_or(b'=');
            out.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

/// A proxy that lets us through by `CONNECT` (RFC 9110, section 9.3.6).
#[derive(Clone, Debug)]
pub struct ProxySettings {
    /// `http://HOST:PORT`, without a user.
    pub url: String,
    /// Who we are there.
    pub user: Option<(String, Secret)>,
}

/// A receiver, and how to reach it.
#[derive(Clone, Debug)]
pub struct Http {
    agent: Agent,
    headers: Vec<(String, Secret)>,
}

/// What a receiver answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// How long it asks us to wait (RFC 9110, section 10.2.3), if it does so in seconds.
    pub retry_after: Option<Duration>,
    /// What it says.
    pub body: Vec<u8>,
}

impl Http {
    /// Nothing is sent yet. `headers` go with every request; `timeout` is for each step of one.
    ///
    /// # Errors
    /// If the proxy is none.
    pub fn new(
        tls: Option<Tls>,
        proxy: Option<&ProxySettings>,
        timeout: Duration,
        headers: Vec<(String, Secret)>,
    ) -> Result<Self, NetProblem> {
        let limit = Some(timeout);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // A secret goes where it was meant to go.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy.map(proxy_of).transpose()?)
            .user_agent(concat!("sshproof/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(limit)
            .timeout_connect(limit)
            .timeout_send_request(limit)
            .timeout_send_body(limit)
            .timeout_recv_response(limit)
            .timeout_recv_body(limit)
            .build();
        let connector =
            ().chain(ConnectProxyConnector::default()).chain(TcpConnector::default()).chain(tls::TlsConnector(tls));
        let agent = Agent::with_parts(config, connector, DefaultResolver::default());
        Ok(Self { agent, headers })
    }

    /// Sends `body` to `url`.
    ///
    /// # Errors
    /// If there is no answer: the receiver may have taken it all the same.
    pub fn post(&self, url: &str, content_type: &str, body: &[u8]) -> Result<Answer, NetProblem> {
        let mut request = self.agent.post(url).header("content-type", content_type);
        for (name, value) in &self.headers {
            request = request.header(name, &value.0);
        }
        let mut response = request.send(body).map_err(problem("no answer"))?;
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()).and_then(seconds);
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec().map_err(problem("no answer"))?;
        Ok(Answer { status, retry_after, body })
    }
}

fn seconds(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(|seconds: u64| Duration::from_secs(seconds.min(MAX_PAUSE)))
}

fn proxy_of(settings: &ProxySettings) -> Result<Proxy, NetProblem> {
    let plain = Proxy::new(&settings.url).map_err(problem("no proxy"))?;
    if plain.protocol() != ProxyProtocol::Http || plain.username().is_some() || plain.password().is_some() {
        return Err(problem("no proxy")("it must be http://HOST:PORT, and its password in a file"));
    }
    let Some((user, secret)) = &settings.user else { return Ok(plain) };
    let builder = Proxy::builder(ProxyProtocol::Http).host(plain.host()).port(plain.port());
    builder.username(user).password(&secret.0).build().map_err(problem("no proxy"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
            ("Aladdin:open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn a_secret_is_for_few_and_never_printed() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let check = |text: &str, mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            Secret::read(&path).map_err(|error| error.kind())
        };
        let secret = check("abc d\n", 0o640).unwrap();
        assert_eq!(secret.0, "abc d");
        assert_eq!(format!("{secret:?}"), "(secret)");
        assert_eq!(secret.authorization("Splunk", None).0, "Splunk abc d");
        assert_eq!(check("abc", 0o644).unwrap_err(), io::ErrorKind::PermissionDenied);
        for text in ["", "\n", "a\nb", "a\rb", "\u{e9}"] {
            assert_eq!(check(text, 0o600).unwrap_err(), io::ErrorKind::InvalidData, "{text:?}");
        }
        assert_eq!(Secret::read(Path::new("no-credential-of-that-name")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_pause_is_in_seconds_and_not_for_ever() {
        assert_eq!(seconds(" 7"), Some(Duration::from_secs(7)));
        assert_eq!(seconds("99999999"), Some(Duration::from_secs(MAX_PAUSE)));
        assert_eq!(seconds("Wed, 21 Oct 2026 07:28:00 GMT"), None);
    }

    #[test]
    fn a_proxy_says_no_password_in_its_address() {
        let of = |url: &str| proxy_of(&ProxySettings { url: url.into(), user: None });
        assert!(of("http://proxy.example.org:3128").is_ok());
        for url in ["http://u:p@proxy.example.org:3128", "https://proxy.example.org", "socks5://p:1", ""] {
            assert!(of(url).is_err(), "{url}");
        }
    }
}
