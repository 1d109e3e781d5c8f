//! Who else may watch SSH servers: BPF programs on places in files, packet sockets with filters in every network namespace,
//! shared memory. Reads what proc(5) tells, and asks the kernel further only where that shows that there is something to ask.

use nix::errno::Errno;

use super::namespaces::{Bystanders, PROBING};
use crate::facts::RootFacts;
use crate::facts::watch::{BpfLink, Holder, PacketFilter, PacketSocket, Segment, WatchFacts};
use crate::formats::packet_diag::{self, Filter};
use crate::formats::proc::{packet, shm};
use crate::host::process::{Proc, ProcProblem};
use crate::host::root::Root;
use crate::host::{bpf, diag};
use crate::model::{FileKind, RootedPath, text};

/// Largest table that is read.
const MAX_TABLE: usize = 16 << 20;
/// Sockets, segments and holders kept of each kind.
const MAX_KEPT: usize = 1024;

/// Fills `facts.watch` if a server runs. `bystanders` is what the search for servers has seen of other processes.
pub fn observe(root: &Root, proc: &Proc, bystanders: &Bystanders, facts: &mut RootFacts) {
    if !facts.servers.iter().any(|server| !server.user_server && !server.pids.is_empty()) {
        return;
    }
    let mut watch = WatchFacts { all_seen: bystanders.complete, ..WatchFacts::default() };
    links(&mut watch);
    hold(proc, bystanders, &mut watch);
    let holder = |pid: i32| holder(root, proc, pid);
    watch.probing = bystanders.probing.iter().take(MAX_KEPT).filter_map(|pid| holder(*pid)).collect();
    let own = proc.read("net/packet", MAX_TABLE);
    packet_sockets(None, own, bystanders, &holder, &mut watch);
    for process in bystanders.networks.iter().filter_map(|pid| proc.process(*pid).ok()) {
        let table = process.read("net/packet", MAX_TABLE);
        packet_sockets(Some(&process), table, bystanders, &holder, &mut watch);
    }
    match proc.read("sysvipc/shm", MAX_TABLE).map(|table| shm::parse(&table)) {
        Ok(Some(rows)) => watch.shared_memory = Some(rows.into_iter().take(MAX_KEPT).map(segment).collect()),
        // A kernel without System V IPC has no such file.
        Err(ProcProblem::Gone) => watch.shared_memory = Some(Vec::new()),
        Ok(None) => watch.problems.push("`/proc/sysvipc/shm` is malformed".to_owned()),
        Err(problem) => watch.problems.push(format!("`/proc/sysvipc/shm` cannot be read: {problem}")),
    }
    facts.watch = Some(watch);
}

fn segment(row: shm::Row) -> Segment {
    let shm::Row { id, mode, size, creator, last, uid } = row;
    Segment { id, mode, size, creator, last, uid }
}

fn links(watch: &mut WatchFacts) {
    match bpf::links(crate::formats::bpf::path_place) {
        Ok(raw) => {
            let links = raw.iter().filter_map(|raw| crate::formats::bpf::link(&raw.info, &raw.name));
            let named = |program: u32| bpf::program(program).map(|info| crate::formats::bpf::program_name(&info));
            let links = links.map(|link| BpfLink {
                id: link.id,
                program: link.program,
                name: text::escape(&named(link.program).unwrap_or_default()),
                path: text::escape(&link.path),
                offset: link.offset,
                places: link.places,
                on_return: link.on_return,
                pid: link.pid,
                holders: Vec::new(),
            });
            watch.links = Some(links.collect());
        }
        // Built without BPF, or older than links (Linux 5.8): their events are told by the pages that they change.
        Err(Errno::ENOSYS | Errno::EINVAL) => watch.links = Some(Vec::new()),
        Err(errno) => watch.problems.push(format!(
            "which BPF programs hang on files cannot be asked (CAP_SYS_ADMIN is needed): {}",
            errno.desc()
        )),
    }
}

/// Asks those who hold links which (`bpf_link_show_fdinfo` of kernel/bpf/syscall.c).
fn hold(proc: &Proc, bystanders: &Bystanders, watch: &mut WatchFacts) {
    let Some(links) = watch.links.as_mut().filter(|links| !links.is_empty()) else { return };
    for process in bystanders.probing.iter().filter_map(|pid| proc.process(*pid).ok()) {
        for told in process.described(&PROBING).unwrap_or_default() {
            let id = told.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(b"link_id:"));
            let id = id.and_then(|id| std::str::from_utf8(id.trim_ascii()).ok()?.parse::<u32>().ok());
            let held = links.iter_mut().filter(|link| Some(link.id) == id && !link.holders.contains(&process.pid()));
            held.for_each(|link| link.holders.push(process.pid()));
        }
    }
}

/// Those of one network namespace, that of `process` or our own.
fn packet_sockets(
    process: Option<&crate::host::process::Process>,
    table: Result<Vec<u8>, ProcProblem>,
    bystanders: &Bystanders,
    holder: &dyn Fn(i32) -> Option<Holder>,
    watch: &mut WatchFacts,
) {
    let whose = process.map_or_else(String::new, |process| format!(" of the namespace of process {}", process.pid()));
    let rows = match table.map(|table| packet::parse(&table)) {
        Ok(Some(rows)) => rows,
        // A kernel without packet sockets has no such table; a process that has ended is no witness any more.
        Err(ProcProblem::Gone) => return,
        Ok(None) => return watch.problems.push(format!("the table of packet sockets{whose} is malformed")),
        Err(problem) => {
            return watch.problems.push(format!("the table of packet sockets{whose} cannot be read: {problem}"));
        }
    };
    if rows.is_empty() {
        return;
    }
    let namespace = process.map(|process| process.open("ns/net")).transpose();
    let answer = match namespace {
        Ok(namespace) => diag::ask(namespace, &packet_diag::question(), packet_diag::is_end)
            .map(|answer| packet_diag::parse(&answer))
            .map_err(|errno| errno.desc().to_owned()),
        Err(problem) => Err(problem.to_string()),
    };
    let answer = match answer {
        Ok(answer) => match answer.error {
            Some(error) => Err(Errno::from_raw(error).desc().to_owned()),
            None => Ok(answer),
        },
        Err(why) => Err(why),
    };
    let mut untold = 0_usize;
    for row in rows.iter().take(MAX_KEPT) {
        let told = answer.as_ref().ok().and_then(|answer| answer.sockets.get(&u32::try_from(row.inode).ok()?));
        let filter = match told {
            Some(Filter::Classic(instructions)) => PacketFilter::Classic(*instructions),
            Some(Filter::NoneOrExtended) => PacketFilter::NoneOrExtended,
            Some(Filter::Withheld) | None => {
                untold = untold.saturating_add(1);
                PacketFilter::Unknown
            }
        };
        let holders = bystanders.sockets.get(&row.inode).into_iter().flatten();
        watch.packet_sockets.push(PacketSocket {
            inode: row.inode,
            protocol: row.protocol,
            uid: row.uid,
            filter,
            holders: holders.take(MAX_KEPT).filter_map(|pid| holder(*pid)).collect(),
        });
    }
    if untold > 0 {
        let why = match answer {
            Err(why) => why,
            Ok(answer) if !answer.complete => "the kernel's answer ended early".to_owned(),
            Ok(_) => "the kernel withholds it from who lacks CAP_NET_ADMIN".to_owned(),
        };
        watch.problems.push(format!("whether {untold} packet sockets{whose} filter could not be asked: {why}"));
    }
}

/// `None` if it has ended.
fn holder(root: &Root, proc: &Proc, pid: i32) -> Option<Holder> {
    let process = proc.process(pid).ok()?;
    let exe = match process.link("exe") {
        Ok(exe) => exe,
        // A thread of the kernel, or nothing any more.
        Err(ProcProblem::Gone) => return None,
        Err(_) => return Some(Holder { pid, ..Holder::default() }),
    };
    let meta = process.stat("exe").ok();
    let name = exe.strip_suffix(b" (deleted)").unwrap_or(&exe);
    let deleted = meta.as_ref().is_some_and(|meta| meta.nlink == 0) || name.starts_with(b"/memfd:");
    let ours = root.stat(&RootedPath::root()).map(|meta| (meta.dev, meta.ino));
    let theirs = process.stat("root").map(|meta| (meta.dev, meta.ino));
    let elsewhere = matches!((ours, theirs), (Ok(ours), Ok(theirs)) if ours != theirs);
    let path = RootedPath::new(name).filter(|_| !elsewhere);
    let path = path.map(|path| root.canonical(&path).unwrap_or(path));
    let (path, old) = if deleted { (None, path) } else { (path, None) };
    let replaced_by = old.filter(|path| root.stat(path).is_ok_and(|meta| meta.kind == FileKind::Regular));
    // Another file may lie there by now.
    let file = path.filter(|path| {
        let here = root.stat(path).ok();
        here.zip(meta).is_some_and(|(here, meta)| (here.dev, here.ino) == (meta.dev, meta.ino))
    });
    Some(Holder { pid, exe: text::escape(name), file, deleted, replaced_by, elsewhere })
}
