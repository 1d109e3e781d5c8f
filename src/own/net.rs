//! Hands bytes to a receiver over TCP or TLS, and waits until it has taken them.
//!
//! Neither protocol acknowledges anything, and a write that succeeded has reached our own kernel only. So each delivery is
//! a connection of its own: after the last byte we close our side and wait for the receiver to close its. A receiver that
//! was stopped, killed or refuses us does not get that far. What it does with what it has read, nothing here can tell.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// Shortest time that a receiver is given to refuse us before we believe that it listens.
const GRACE: Duration = Duration::from_millis(50);

/// Certificates and keys are small.
const MAX_PEM: u64 = 1 << 20;

/// A receiver.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Longest wait for any one answer.
    pub timeout: Duration,
    /// Absent: plain TCP.
    pub tls: Option<Tls>,
}

/// How to speak TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// The files that TLS needs.
#[derive(Clone, Copy, Debug)]
pub struct TlsFiles<'a> {
    /// Certificates of the authorities that may vouch for the receiver, PEM.
    pub ca: &'a Path,
    /// Our certificate, its chain after it, and our key, PEM.
    pub identity: Option<(&'a Path, &'a Path)>,
}

/// What did not work, and why.
#[derive(Debug)]
pub struct NetProblem {
    /// What was tried.
    pub what: &'static str,
    /// What was said.
    pub why: String,
}

impl std::fmt::Display for NetProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl std::error::Error for NetProblem {}

pub(super) fn problem<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> NetProblem {
    move |why| NetProblem { what, why: why.to_string() }
}

impl Tls {
    /// TLS to a receiver that proves to be `name`.
    ///
    /// # Errors
    /// If a file cannot be used or `name` is none.
    pub fn new(name: &str, files: TlsFiles<'_>) -> Result<Self, NetProblem> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(files.ca)? {
            roots.add(certificate).map_err(problem("cannot use the CA's certificate"))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(problem("cannot set TLS up"))?
            .with_root_certificates(roots);
        let config = match files.identity {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::from_pem_slice(&pem(key)?).map_err(problem("cannot use our key"))?;
                config
                    .with_client_auth_cert(certificates(certificate)?, key)
                    .map_err(problem("cannot use our certificate"))?
            }
        };
        let name = ServerName::try_from(name.to_owned()).map_err(problem("no name of a server"))?;
        Ok(Self { config: Arc::new(config), name })
    }

    /// A session that nobody has spoken in yet.
    pub(super) fn connection(&self) -> Result<ClientConnection, NetProblem> {
        ClientConnection::new(Arc::clone(&self.config), self.name.clone()).map_err(problem("no TLS session"))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, NetProblem> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem(path)?).collect();
    let all = all.map_err(problem("cannot read certificates"))?;
    if all.is_empty() {
        return Err(NetProblem { what: "cannot read certificates", why: format!("{} holds none", path.display()) });
    }
    Ok(all)
}

fn pem(path: &Path) -> Result<Vec<u8>, NetProblem> {
    let path: PathBuf = path.to_owned();
    super::input::read(&path, MAX_PEM)
        .map_err(|error| NetProblem { what: "cannot read", why: format!("{}: {error}", path.display()) })
}

/// A connection that stands.
#[derive(Debug)]
pub(super) struct Link {
    socket: TcpStream,
    tls: Option<ClientConnection>,
}

impl Link {
    /// Connects, and for TLS sees who is there.
    pub(super) fn to(peer: &Peer) -> Result<Self, NetProblem> {
        let mut socket = connect(peer)?;
        let tls = match &peer.tls {
            None => None,
            Some(tls) => Some(handshake(tls, &mut socket)?),
        };
        Ok(Self { socket, tls })
    }
}

impl Read for Link {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.read(bytes),
            Some(connection) => rustls::Stream::new(connection, &mut self.socket).read(bytes),
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.write(bytes),
            Some(connection) => rustls::Stream::new(connection, &mut self.socket).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => self.socket.flush(),
            Some(connection) => rustls::Stream::new(connection, &mut self.socket).flush(),
        }
    }
}

/// Sends `bytes` and waits until `peer` has read them to the end.
///
/// # Errors
/// If it has not, or if nobody can tell: then they are to be sent again.
pub fn deliver(peer: &Peer, bytes: &[u8]) -> Result<(), NetProblem> {
    let begun = Instant::now();
    let Link { mut socket, mut tls } = Link::to(peer)?;
    // TLS 1.3 lets a client write before the server has looked at its certificate; a refusal takes about a round trip.
    let grace = GRACE.max(begun.elapsed().saturating_mul(2)).min(peer.timeout);
    listen(&mut socket, tls.as_mut(), grace)?;
    send(&mut socket, tls.as_mut(), bytes)?;
    listen(&mut socket, tls.as_mut(), GRACE)?;
    finish(&mut socket, tls.as_mut(), peer.timeout)
}

fn connect(peer: &Peer) -> Result<TcpStream, NetProblem> {
    let addresses = (peer.host.as_str(), peer.port).to_socket_addrs().map_err(problem("cannot resolve the name"))?;
    let mut last = NetProblem { what: "cannot resolve the name", why: "it has no address".to_owned() };
    for address in addresses {
        match TcpStream::connect_timeout(&address, peer.timeout) {
            Ok(socket) => {
                let set = problem("cannot set the socket up");
                socket.set_read_timeout(Some(peer.timeout)).map_err(&set)?;
                socket.set_write_timeout(Some(peer.timeout)).map_err(&set)?;
                socket.set_nodelay(true).map_err(&set)?;
                return Ok(socket);
            }
            Err(error) => last = problem("cannot connect")(error),
        }
    }
    Err(last)
}

fn handshake(tls: &Tls, socket: &mut TcpStream) -> Result<ClientConnection, NetProblem> {
    let refused = problem("no TLS session");
    let mut connection = tls.connection()?;
    while connection.is_handshaking() {
        let (read, written) = connection.complete_io(socket).map_err(&refused)?;
        if read == 0 && written == 0 {
            return Err(NetProblem { what: "no TLS session", why: "the receiver closed the connection".to_owned() });
        }
    }
    Ok(connection)
}

/// Gives the receiver `time` to say that it does not want us.
fn listen(socket: &mut TcpStream, tls: Option<&mut ClientConnection>, time: Duration) -> Result<(), NetProblem> {
    socket.set_read_timeout(Some(time)).map_err(problem("cannot set the socket up"))?;
    match read_to_end(socket, tls) {
        Ok(()) => Err(NetProblem { what: "refused", why: "the receiver closed the connection".to_owned() }),
        Err(error) if is_silence(&error) => Ok(()),
        Err(error) => Err(problem("refused")(error)),
    }
}

fn send(socket: &mut TcpStream, tls: Option<&mut ClientConnection>, bytes: &[u8]) -> Result<(), NetProblem> {
    let done = match tls {
        None => socket.write_all(bytes),
        Some(connection) => {
            let mut stream = rustls::Stream::new(connection, socket);
            stream.write_all(bytes).and_then(|()| stream.flush())
        }
    };
    done.map_err(problem("cannot send"))
}

/// Closes our side, for TLS with the alert that RFC 5425, section 4.4, asks for, and waits for the other.
fn finish(socket: &mut TcpStream, tls: Option<&mut ClientConnection>, time: Duration) -> Result<(), NetProblem> {
    let unsure = |error: io::Error| {
        let why = if is_silence(&error) {
            "the receiver does not close the connection".to_owned()
        } else {
            error.to_string()
        };
        NetProblem { what: "not acknowledged", why }
    };
    let mut tls = tls;
    if let Some(connection) = tls.as_deref_mut() {
        connection.send_close_notify();
        while connection.wants_write() {
            connection.write_tls(socket).map_err(unsure)?;
        }
    }
    socket.set_read_timeout(Some(time)).map_err(unsure)?;
    socket.shutdown(Shutdown::Write).map_err(unsure)?;
    read_to_end(socket, tls).map_err(unsure)
}

/// Reads, and forgets, what the receiver says, until it closes. Receivers of syslog say nothing.
fn read_to_end(socket: &mut TcpStream, mut tls: Option<&mut ClientConnection>) -> io::Result<()> {
    let mut waste = [0; 4096];
    // A talkative one must not keep us: 4 MiB.
    for _ in 0..1024 {
        let end = match tls.as_deref_mut() {
            None => socket.read(&mut waste)? == 0,
            Some(connection) => read_tls(socket, connection, &mut waste)?,
        };
        if end {
            return Ok(());
        }
    }
    Err(io::Error::other("the receiver talks without end"))
}

/// One read; whether the receiver has closed. An alert of its is an error.
fn read_tls(socket: &mut TcpStream, connection: &mut ClientConnection, waste: &mut [u8]) -> io::Result<bool> {
    // rsyslog closes without the alert that RFC 5425 wants; that nothing was cut off shows the chain, which is signed.
    if connection.read_tls(socket)? == 0 {
        return Ok(true);
    }
    let state = connection.process_new_packets().map_err(io::Error::other)?;
    let mut left = state.plaintext_bytes_to_read();
    while left > 0 {
        left = left.saturating_sub(connection.reader().read(waste)?);
    }
    Ok(state.peer_has_closed())
}

/// What a read says whose time is over.
fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn peer(port: u16) -> Peer {
        Peer { host: "127.0.0.1".into(), port, timeout: Duration::from_millis(500), tls: None }
    }

    /// Delivers 1 MB to a receiver that behaves like this.
    fn to(receiver: impl FnOnce(TcpStream) + Send + 'static) -> Result<(), NetProblem> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || receiver(listener.accept().unwrap().0));
        let done = deliver(&peer(port), &[b'x'; 1_000_000]);
        thread.join().unwrap();
        done
    }

    #[test]
    fn taken_is_what_was_read_to_the_end() {
        to(|mut socket| {
            let mut all = Vec::new();
            assert_eq!(socket.read_to_end(&mut all).unwrap(), 1_000_000);
        })
        .unwrap();
    }

    #[test]
    fn a_receiver_that_stops_listening_has_taken_nothing() {
        for (bytes, what) in [(0, "refused"), (1, "cannot send"), (400_000, "cannot send")] {
            let problem = to(move |mut socket| {
                let mut some = vec![0; bytes];
                socket.read_exact(&mut some).unwrap();
            })
            .unwrap_err();
            assert!(
                ["refused", "cannot send", "not acknowledged"].contains(&problem.what),
                "{bytes}: {problem}, {what}"
            );
        }
    }

    #[test]
    fn a_receiver_that_hangs_has_taken_nothing() {
        let problem = to(|mut socket| {
            let mut all = vec![0; 1_000_000];
            socket.read_exact(&mut all).unwrap();
            std::thread::sleep(Duration::from_secs(2));
        })
        .unwrap_err();
        assert_eq!(problem.what, "not acknowledged");
    }

    #[test]
    fn nobody_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert_eq!(deliver(&peer(port), b"x").unwrap_err().what, "cannot connect");
    }
}
