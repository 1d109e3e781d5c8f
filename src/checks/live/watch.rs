//! Judges what stands beside servers: BPF programs on their files, packet sockets, shared memory.

use super::agent::{Owner, Owners, told};
use crate::facts::watch::{BpfLink, Holder, PacketFilter, PacketSocket, Segment, WatchFacts};
use crate::facts::{Role, RootFacts};
use crate::model::code::{BPF_ATTACHED, HIDDEN_LISTENER, PACKET_SOCKET, SHARED_MEMORY};
use crate::model::{CheckResult, Confidence, Evidence, Finding, Gap, RootedPath, Severity, Subject, text};

/// From this size on, segments that everybody may write to are of the shape that Ebury's had (some 3 MiB, mode 666, root's).
const EBURY: u64 = 3 << 20;
const EVERYBODY: u32 = 0o666;

/// Adds what stands beside the servers of `root`. Nothing here is needed to say what servers execute, so that what could not be
/// seen is a gap that does not change the answer.
pub fn judge(root: &RootFacts, owners: &Owners<'_>, result: &mut CheckResult) {
    let Some(watch) = &root.watch else { return };
    for problem in &watch.problems {
        result.gap(Gap::noted(Subject::Host, problem.clone()));
    }
    for link in watch.links.iter().flatten() {
        result.findings.extend(attached(root, watch, link, owners));
    }
    for socket in &watch.packet_sockets {
        packet(socket, watch.all_seen, owners, result);
    }
    for segment in watch.shared_memory.iter().flatten() {
        result.findings.extend(shared(root, segment));
    }
}

fn fact(about: &str, value: String) -> Evidence {
    Evidence::Fact { about: about.to_owned(), value }
}

/// A BPF program on a file of the surface. The path is one of whoever made the link; that the file is really this one shows by
/// the breakpoints in the pages of those who execute it.
fn attached(root: &RootFacts, watch: &WatchFacts, link: &BpfLink, owners: &Owners<'_>) -> Option<Finding> {
    let path = RootedPath::new(text::unescape(&link.path)?)?;
    let canonical = root.files.canonical(&path)?;
    let file = root.files.files.get(canonical)?;
    if !file.roles.iter().copied().any(Role::is_code) {
        return None;
    }
    let copies = root.processes.iter().flat_map(|process| process.pages.iter().flat_map(|pages| &pages.copies));
    let shows = copies.clone().any(|copy| copy.path == link.path && copy.differing > 0);
    let when = if link.on_return { "when a function of it returns" } else { "when a place in it is reached" };
    let name = if link.name.is_empty() { String::new() } else { format!(" `{}`", link.name) };
    let message = format!("the BPF program{name} (id {}) runs {when}: `{}`", link.program, link.path);
    let places = match link.offset {
        Some(offset) => format!("offset {offset:#x}"),
        None => format!("{} places", link.places),
    };
    let limited = if link.pid == 0 { String::new() } else { format!(", for process {} only", link.pid) };
    let finding = Finding::new(
        BPF_ATTACHED,
        Subject::file(canonical),
        message,
        fact(&format!("BPF link {}", link.id), format!("{places} of `{}`{limited}", link.path)),
    )
    .and(fact(&format!("BPF link {} is held by", link.id), told(watch, &link.holders)));
    let holders: Vec<&Holder> = watch.probing.iter().filter(|holder| link.holders.contains(&holder.pid)).collect();
    let agents = holders.len() == link.holders.len()
        && !holders.is_empty()
        && holders.iter().all(|holder| owners.of(holder) == Owner::Agent);
    Some(match (agents, shows) {
        (true, _) => finding.with_severity(Severity::Informational),
        (false, true) => finding,
        // A file of that name in another root may be meant.
        (false, false) => finding.with_severity(Severity::Informational).with_confidence(Confidence::Low),
    })
}

fn packet(socket: &PacketSocket, all_seen: bool, owners: &Owners<'_>, result: &mut CheckResult) {
    let filter = match socket.filter {
        PacketFilter::Classic(instructions) => format!("a filter of {instructions} instructions"),
        PacketFilter::NoneOrExtended => "no classic filter".to_owned(),
        PacketFilter::Unknown => "a filter that could not be asked for".to_owned(),
    };
    let value =
        format!("inode {}, protocol {:#06x}, made by uid {}, {filter}", socket.inode, socket.protocol, socket.uid);
    let evidence = || fact("packet socket", value.clone());
    let filters = socket.filter != PacketFilter::NoneOrExtended;
    if socket.holders.is_empty() && filters && all_seen {
        let reason =
            format!("nobody was seen to hold a packet socket ({value}): it was closed meanwhile, or is hidden");
        result.gap(Gap::noted(Subject::Host, reason));
    }
    for holder in &socket.holders {
        let Holder { pid, exe, .. } = holder;
        let subject = holder.file.as_ref().map_or(Subject::Host, Subject::file);
        let finding = match owners.of(holder) {
            Owner::Deleted => {
                let message = format!(
                    "process {pid} runs `{exe}`, which was deleted, and hears every packet through a packet socket"
                );
                Finding::new(HIDDEN_LISTENER, Subject::Host, message, evidence())
            }
            _ if !filters => continue,
            Owner::Agent | Owner::Packaged => {
                let message =
                    format!("process {pid} hears packets past the firewall: `{exe}`, as its package delivered it");
                Finding::new(PACKET_SOCKET, subject, message, evidence())
            }
            Owner::Upgraded => {
                let message = format!(
                    "process {pid} hears packets past the firewall: an earlier `{exe}`, which its package has replaced since"
                );
                Finding::new(PACKET_SOCKET, subject, message, evidence())
            }
            Owner::Nobody => {
                let message = format!("process {pid} hears packets past the firewall: `{exe}`, which is no package's");
                Finding::new(PACKET_SOCKET, subject, message, evidence()).with_confidence(Confidence::Medium)
            }
            Owner::Elsewhere => {
                let message =
                    format!("process {pid} of another root (a container) hears packets past the firewall: `{exe}`");
                Finding::new(PACKET_SOCKET, subject, message, evidence())
            }
            Owner::Unseen => {
                let reason = format!("process {pid} holds a packet socket, and what it runs cannot be seen");
                result.gap(Gap::noted(Subject::Host, reason));
                continue;
            }
        };
        result.findings.push(finding);
    }
}

/// No distributor's SSH server makes any; Ebury kept its configuration in one.
fn shared(root: &RootFacts, segment: &Segment) -> Option<Finding> {
    let Segment { id, mode, size, creator, last, uid } = *segment;
    let evidence = fact(
        "/proc/sysvipc/shm",
        format!(
            "segment {id}, mode {mode:o}, {size} bytes, owner {uid}, made by process {creator}, last used by {last}"
        ),
    );
    let user = root.processes.iter().find(|process| process.pid == creator || process.pid == last);
    if let Some(process) = user {
        let message = format!(
            "process {} of `{}` {} shared memory (System V segment {id})",
            process.pid,
            process.server,
            if process.pid == creator { "has made" } else { "uses" }
        );
        let subject = Subject::Process { pid: process.pid, starttime: process.starttime };
        let finding = Finding::new(SHARED_MEMORY, subject, message, evidence);
        // A PAM module of some vendor may have its reasons.
        let is_private = mode & EVERYBODY != EVERYBODY || size < EBURY;
        return Some(if is_private {
            finding.with_severity(Severity::Informational).with_confidence(Confidence::Low)
        } else {
            finding
        });
    }
    (mode & EVERYBODY == EVERYBODY && uid == 0 && size >= EBURY).then(|| {
        let message =
            format!("a large shared memory segment of root's that everybody may write to (System V segment {id})");
        let finding = Finding::new(SHARED_MEMORY, Subject::Host, message, evidence);
        finding.with_severity(Severity::Informational).with_confidence(Confidence::Low)
    })
}
