//! Question and answer about packet sockets: sock_diag(7) with `struct packet_diag_req` and `struct packet_diag_msg` of
//! linux/packet_diag.h.
//!
//! An answer is complete only with its last message (`NLMSG_DONE`). Whether a socket filters is told to who has CAP_NET_ADMIN in
//! the namespace; to others the kernel sends the attribute empty (`sock_diag_put_filterinfo` of net/core/sock_diag.c).

use std::collections::BTreeMap;

/// `struct nlmsghdr`, `struct packet_diag_req`, `struct packet_diag_msg`, `struct nlattr`, in bytes.
const HEADER: usize = 16;
const REQUEST: usize = 20;
const MESSAGE: usize = 16;
const ATTRIBUTE: usize = 4;
/// Types of messages: netlink(7), sock_diag(7).
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`; the kernel sets `NLM_F_DUMP_INTR` where sockets came or went meanwhile.
const ASK_ALL: u16 = 0x301;
const INTERRUPTED: u16 = 0x10;
/// `AF_PACKET`, `PACKET_SHOW_FILTER`, `PACKET_DIAG_FILTER`.
const AF_PACKET: u8 = 17;
const SHOW_FILTER: u32 = 0x20;
const FILTER: u16 = 7;
/// Bytes of an instruction of classic BPF, `struct sock_filter`.
const INSTRUCTION: usize = 8;

/// Whether a packet socket filters what it hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// By no classic program: by none, or by an extended one, which the kernel does not tell apart here.
    NoneOrExtended,
    /// By a classic program of so many instructions.
    Classic(usize),
    /// We are not told.
    Withheld,
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What filters each socket, by inode.
    pub sockets: BTreeMap<u32, Filter>,
    /// Whether the kernel has said that this is all, and that nothing changed while it spoke.
    pub complete: bool,
    /// The error that it answered with, a number of errno(3).
    pub error: Option<i32>,
}

/// Asks for all packet sockets of a namespace and their filters.
#[must_use]
pub fn question() -> Vec<u8> {
    let length = u32::try_from(HEADER.saturating_add(REQUEST)).unwrap_or(0);
    let mut question = length.to_ne_bytes().to_vec();
    question.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    question.extend(ASK_ALL.to_ne_bytes());
    // Sequence number and port; family, protocol and padding; inode; what to show; cookie.
    question.extend([0; 8]);
    question.extend([AF_PACKET, 0, 0, 0, 0, 0, 0, 0]);
    question.extend(SHOW_FILTER.to_ne_bytes());
    question.extend([0; 8]);
    question
}

/// Whether a part of an answer holds its last message.
#[must_use]
pub fn is_end(part: &[u8]) -> bool {
    let answer = parse(part);
    answer.error.is_some() || messages(part).any(|message| message.kind == NLMSG_DONE)
}

/// Reads an answer as far as it is well formed.
#[must_use]
pub fn parse(bytes: &[u8]) -> Answer {
    let mut answer = Answer::default();
    let mut interrupted = false;
    for message in messages(bytes) {
        interrupted |= message.flags & INTERRUPTED != 0;
        match message.kind {
            NLMSG_DONE => {
                answer.complete = !interrupted;
                break;
            }
            NLMSG_ERROR => {
                let error = message.body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
                answer.error = Some(error.saturating_neg());
                break;
            }
            SOCK_DIAG_BY_FAMILY => {
                if let Some((inode, filter)) = socket(message.body) {
                    answer.sockets.insert(inode, filter);
                }
            }
            _ => {}
        }
    }
    answer
}

struct Message<'a> {
    kind: u16,
    flags: u16,
    body: &'a [u8],
}

/// Each begins at a multiple of four bytes; one that is longer than what is left ends them.
fn messages(bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::try_from(u32::from_ne_bytes(*rest.first_chunk()?)).ok()?;
        let message = rest.get(..length).filter(|message| message.len() >= HEADER)?;
        let kind = u16::from_ne_bytes(*message.get(4..)?.first_chunk()?);
        let flags = u16::from_ne_bytes(*message.get(6..)?.first_chunk()?);
        rest = rest.get(length.checked_next_multiple_of(4)?..).unwrap_or_default();
        Some(Message { kind, flags, body: message.get(HEADER..)? })
    })
}

fn socket(body: &[u8]) -> Option<(u32, Filter)> {
    let inode = u32::from_ne_bytes(*body.get(4..)?.first_chunk()?);
    let mut rest = body.get(MESSAGE..)?;
    let mut filter = Filter::NoneOrExtended;
    while let Some(length) = rest.first_chunk().map(|length| usize::from(u16::from_ne_bytes(*length))) {
        let Some(attribute) = rest.get(..length).filter(|attribute| attribute.len() >= ATTRIBUTE) else { break };
        let kind = attribute.get(2..).and_then(|rest| rest.first_chunk()).map(|kind| u16::from_ne_bytes(*kind));
        if kind == Some(FILTER) {
            let instructions = length.saturating_sub(ATTRIBUTE).checked_div(INSTRUCTION).unwrap_or(0);
            filter = if instructions == 0 { Filter::Withheld } else { Filter::Classic(instructions) };
        }
        rest = length.checked_next_multiple_of(4).and_then(|next| rest.get(next..)).unwrap_or_default();
    }
    Some((inode, filter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        let mut message = u32::try_from(HEADER.saturating_add(body.len())).unwrap().to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend([0; 8]);
        message.extend(body);
        message
    }

    fn told(inode: u32, filter: Option<&[u8]>) -> Vec<u8> {
        let mut body = vec![AF_PACKET, 3, 0, 3];
        body.extend(inode.to_ne_bytes());
        body.extend([0; 8]);
        if let Some(filter) = filter {
            body.extend(u16::try_from(ATTRIBUTE.saturating_add(filter.len())).unwrap().to_ne_bytes());
            body.extend(FILTER.to_ne_bytes());
            body.extend(filter);
        }
        message(SOCK_DIAG_BY_FAMILY, 2, &body)
    }

    fn check(parts: &[Vec<u8>], sockets: &[(u32, Filter)], complete: bool, error: Option<i32>) {
        let expected = Answer { sockets: sockets.iter().copied().collect(), complete, error };
        assert_eq!(parse(&parts.concat()), expected);
    }

    #[test]
    fn filters_are_told_withheld_or_absent() {
        let done = message(NLMSG_DONE, 2, &[0; 4]);
        let sockets = [told(7, None), told(8, Some(&[])), told(9, Some(&[0; 16]))];
        let expected = [(7, Filter::NoneOrExtended), (8, Filter::Withheld), (9, Filter::Classic(2))];
        check(&[&sockets[..], std::slice::from_ref(&done)].concat(), &expected, true, None);
        // Without its end, cut off, and after an interruption it is not all.
        check(&sockets, &expected, false, None);
        let cut = sockets.concat();
        check(&[cut[..cut.len().saturating_sub(4)].to_vec()], &expected[..2], false, None);
        check(&[message(SOCK_DIAG_BY_FAMILY, INTERRUPTED, &[]), done.clone()], &[], false, None);
        check(std::slice::from_ref(&done), &[], true, None);
        let refused = message(NLMSG_ERROR, 0, &(-1_i32).to_ne_bytes());
        check(std::slice::from_ref(&refused), &[], false, Some(1));
        assert!(is_end(&done) && is_end(&refused) && !is_end(&sockets[0]));
        check(&[vec![0; 64]], &[], false, None);
        check(&[vec![255; 7]], &[], false, None);
    }

    #[test]
    fn the_question_has_the_length_that_it_says() {
        assert_eq!(question().len(), HEADER.saturating_add(REQUEST));
        assert_eq!(question()[..4], 36_u32.to_ne_bytes());
    }
}
