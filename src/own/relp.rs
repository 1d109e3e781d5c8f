//! RELP, the protocol of rsyslog that acknowledges each message (rsyslog/librelp, `doc/relp.html`, version 0).
//!
//! `TXNR COMMAND LENGTH DATA\n`, answered by `TXNR rsp LENGTH 200 OK\n`. What is acknowledged is in the receiver's queue: in its
//! memory, unless its queue is on a disk.

use std::io::{Read, Write as _};

use super::net::{Link, NetProblem, Peer, problem};

/// Messages on the way before the first answer is waited for; librelp's own window.
const WINDOW: usize = 128;

/// No answer is longer.
const MAX_ANSWER: usize = 4096;

/// Our offer when a session opens.
const OFFER: &str = "relp_version=0\nrelp_software=sshproof\ncommands=syslog";

/// Hands `messages` to `peer` and waits until it has acknowledged each.
///
/// # Errors
/// If it has not acknowledged all: then all are to be sent again, and some arrive twice.
pub fn deliver(peer: &Peer, messages: &[Vec<u8>]) -> Result<(), NetProblem> {
    let mut session = Session { link: Link::to(peer)?, sent: 0, answered: 0 };
    session.command("open", OFFER.as_bytes())?;
    session.answer()?;
    for message in messages {
        session.command("syslog", message)?;
        if session.sent.saturating_sub(session.answered) >= WINDOW {
            session.answer()?;
        }
    }
    while session.answered < session.sent {
        session.answer()?;
    }
    // Everything is acknowledged; whether the end is polite no longer matters.
    let _ = session.command("close", b"");
    let _ = session.answer();
    Ok(())
}

struct Session {
    link: Link,
    /// Number of the last command; a session's first is 1.
    sent: usize,
    /// Number of the last answer.
    answered: usize,
}

impl Session {
    fn command(&mut self, name: &str, data: &[u8]) -> Result<(), NetProblem> {
        self.sent = self.sent.saturating_add(1);
        let mut frame = format!("{} {name} {}", self.sent, data.len()).into_bytes();
        // Without data there is no blank either (librelp, `relpFrameBuildSendbuf`).
        if !data.is_empty() {
            frame.push(b' ');
            frame.extend_from_slice(data);
        }
        frame.push(b'\n');
        self.link.write_all(&frame).and_then(|()| self.link.flush()).map_err(problem("cannot send"))
    }

    /// Takes the next answer, which is that to the oldest command without one: rsyslog answers in order.
    fn answer(&mut self) -> Result<(), NetProblem> {
        let unsure = |why: String| NetProblem { what: "not acknowledged", why };
        let number = self.word()?;
        let command = self.word()?;
        let (length, more) = self.length()?;
        let mut data = vec![0; length];
        if more {
            self.link.read_exact(&mut data).map_err(problem("not acknowledged"))?;
            if length > 0 {
                self.byte()?;
            }
        }
        let text = String::from_utf8_lossy(&data);
        if command == "serverclose" {
            return Err(unsure("the receiver closes the session".to_owned()));
        }
        let expected = self.answered.saturating_add(1);
        if command != "rsp" || number != expected.to_string() {
            return Err(unsure(format!("answer {number} {command} where that to {expected} was due")));
        }
        self.answered = expected;
        // `close` is answered with nothing.
        if text.is_empty() || text.starts_with("200") {
            Ok(())
        } else {
            Err(unsure(format!("the receiver says {}", crate::model::text::escape(&data))))
        }
    }

    fn byte(&mut self) -> Result<u8, NetProblem> {
        let mut byte = [0];
        self.link.read_exact(&mut byte).map_err(problem("not acknowledged"))?;
        Ok(byte.first().copied().unwrap_or_default())
    }

    /// A header field and the blank after it.
    fn word(&mut self) -> Result<String, NetProblem> {
        let mut word = String::new();
        loop {
            match self.byte()? {
                b' ' => return Ok(word),
                byte if byte.is_ascii_alphanumeric() && word.len() < 32 => word.push(char::from(byte)),
                _ => return Err(NetProblem { what: "not acknowledged", why: "the answer is not RELP".to_owned() }),
            }
        }
    }

    /// The length of what follows, and whether anything does: without data the frame ends right after the length.
    fn length(&mut self) -> Result<(usize, bool), NetProblem> {
        let bad = || NetProblem { what: "not acknowledged", why: "the answer is not RELP".to_owned() };
        let mut digits = String::new();
        loop {
            match self.byte()? {
                byte if byte.is_ascii_digit() && digits.len() < 9 => digits.push(char::from(byte)),
                end @ (b' ' | b'\n') => {
                    let length = digits.parse().map_err(|_| bad())?;
                    return if length <= MAX_ANSWER { Ok((length, end == b' ')) } else { Err(bad()) };
                }
                _ => return Err(bad()),
            }
        }
    }
}
