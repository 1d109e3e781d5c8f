//! An HTTP server for tests: it hands each request to a closure and keeps connections open. As much of RFC 9112 as foreign
//! clients turned out to need.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::certificates::Authority;

/// What a client sent.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// What it is answered: status, more header lines, body.
pub type Reply = (u16, &'static str, String);

type Handler = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

pub struct Server {
    pub port: u16,
    pub requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(None, handler)
    }

    /// With TLS, for clients whom `authority` vouches for; it calls itself `name`.
    pub fn tls(authority: &Authority, name: &str, handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let certificates = |path| CertificateDer::pem_file_iter(path).unwrap().map(|one| one.unwrap());
        let mut roots = RootCertStore::empty();
        certificates(authority.path("ca.pem")).for_each(|one| roots.add(one).unwrap());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
        let chain = certificates(authority.path(&format!("{name}.pem"))).collect();
        let key = PrivateKeyDer::from_pem_file(authority.path(&format!("{name}.key"))).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .unwrap();
        Self::listen(Some(Arc::new(config)), handler)
    }

    fn listen(tls: Option<Arc<ServerConfig>>, handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let handler: Handler = Arc::new(handler);
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let (tls, seen, handler) = (tls.clone(), seen.clone(), handler.clone());
                std::thread::spawn(move || match tls {
                    None => converse(socket, &seen, &handler),
                    Some(config) => {
                        converse(StreamOwned::new(ServerConnection::new(config).unwrap(), socket), &seen, &handler);
                    }
                });
            }
        });
        Self { port, requests }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// Answers until the client goes, or says something that is no request.
fn converse(stream: impl Read + Write, seen: &Mutex<Vec<Request>>, handler: &Handler) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = request(&mut stream) {
        seen.lock().unwrap().push(request.clone());
        let (status, more, body) = handler(&request);
        let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n{more}\r\n", body.len());
        let body = if request.method == "HEAD" { String::new() } else { body };
        if stream.get_mut().write_all((head + &body).as_bytes()).and_then(|()| stream.get_mut().flush()).is_err() {
            return;
        }
    }
}

fn request(stream: &mut BufReader<impl Read + Write>) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let (method, rest) = first.split_once(' ')?;
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let path = rest.split(' ').next()?.to_owned();
    let mut request = Request { method: method.to_owned(), path, headers, body: Vec::new() };
    if request.header("expect") == "100-continue" {
        stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
        stream.get_mut().flush().ok()?;
    }
    request.body = vec![0; request.header("content-length").parse().unwrap_or(0)];
    stream.read_exact(&mut request.body).ok()?;
    Some(request)
}

/// A proxy that lets through by `CONNECT` who knows the password `proxy:letmein`; the port, and how often it did.
pub fn proxy() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let let_through = Arc::new(Mutex::new(Vec::new()));
    let log = let_through.clone();
    std::thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let mut client = BufReader::new(socket);
            let Some(request) = request(&mut client) else { continue };
            let mut client = client.into_inner();
            // base64 of proxy:letmein
            if request.method != "CONNECT" || request.header("proxy-authorization") != "Basic cHJveHk6bGV0bWVpbg==" {
                let _ = client.write_all(b"HTTP/1.1 407 x\r\ncontent-length: 0\r\n\r\n");
                continue;
            }
            let Ok(server) = TcpStream::connect(&request.path) else { continue };
            log.lock().unwrap().push(request.path);
            client.write_all(b"HTTP/1.1 200 x\r\n\r\n").unwrap();
            for (mut from, mut to) in [
                (client.try_clone().unwrap(), server.try_clone().unwrap()),
                (server.try_clone().unwrap(), client.try_clone().unwrap()),
            ] {
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
    (port, let_through)
}
