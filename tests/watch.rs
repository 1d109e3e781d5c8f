//! What stands beside an SSH server is named with its owner: BPF programs on its files, packet sockets, shared memory, processes
//! and modules that hide. Its clean twin is silent; a declared agent is a note.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

mod common;

use std::process::ExitCode;

use common::intruder::{self, Helper, PMU, probe};
use common::login::two_factor;
use common::mimic::{self, Part, trial};
use common::namespace::Host;
use common::report::Scan;
use serde_json::Value;
use sshproof::formats::elf::Elf;
use sshproof::formats::elf::binding::Tables;

fn main() -> ExitCode {
    let parts = &[Part::Packages, Part::Namespaces, Part::Program("cc")];
    let probing = &[Part::Packages, Part::Namespaces, Part::Program("cc"), Part::File(PMU)];
    let linked = &[Part::Packages, Part::Namespaces, Part::Program("cc"), Part::File(PMU), Part::Linux(6, 6)];
    mimic::run(vec![
        trial("packet_sockets_are_named_with_their_owners", parts, packet_sockets),
        trial("shared_memory_of_a_server_is_named", parts, shared_memory),
        trial("a_declared_agent_may_probe_and_nobody_else", probing, a_declared_agent),
        trial("a_bpf_program_on_a_server_is_named_with_its_holder", linked, a_bpf_program),
    ])
}

/// Hears nothing: its filter lets no packet through. With a second word it erases its own file.
const LISTENER: &str = "#include <arpa/inet.h>\n#include <linux/filter.h>\n#include <linux/if_ether.h>\n#include <stddef.h>\n\
     #include <string.h>\n#include <sys/socket.h>\n#include <sys/un.h>\n#include <unistd.h>\n\
     int main(int n, char **v) {\n\
       struct sock_filter nothing = { BPF_RET | BPF_K, 0, 0, 0 };\n\
       struct sock_fprog filter = { 1, &nothing };\n\
       int heard = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));\n\
       if (setsockopt(heard, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter)) return 1;\n\
       struct sockaddr_un name = { AF_UNIX };\n\
       strcpy(name.sun_path + 1, v[1]);\n\
       socklen_t length = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(v[1]);\n\
       if (bind(socket(AF_UNIX, SOCK_DGRAM, 0), (void *)&name, length)) return 2;\n\
       if (n > 2) unlink(v[0]);\n\
       write(1, \"y\", 1);\n\
       char end; return read(0, &end, 1);\n\
     }\n";

fn notes(scan: &Scan, code: &str) -> Vec<String> {
    let all = scan.result("live")["findings"].as_array().unwrap();
    let of = all.iter().filter(|finding| finding["code"] == code);
    of.map(|finding| format!("{} {}", finding["severity"].as_str().unwrap(), finding["message"].as_str().unwrap()))
        .collect()
}

fn facts(host: &Host) -> Value {
    serde_json::from_str(&host.root().read("/run/facts.json")).unwrap()
}

/// One of no package, one in another network namespace, one whose file is gone. The twin before: nothing hidden, nothing told.
fn packet_sockets() {
    let root = two_factor();
    root.compile("/opt/listener", LISTENER, &[]);
    let host = Host::boot(root);
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let clean = host.scan(&["--facts-out", "/run/facts.json"]);
    clean.assert_clean();
    let before = facts(&host);
    let views = &before["roots"][0]["views"];
    assert!(views["processes"]["asked"].as_u64().unwrap() > 100, "{views}");
    assert_eq!(views["processes"]["unlisted"], Value::Null, "{views}");
    assert!(views["taint"].is_u64() && views["problems"].is_null(), "{views}");
    assert!(before["roots"][0]["watch"]["packet_sockets"].is_null(), "{}", before["roots"][0]["watch"]);

    let nearby = Helper::start(&host, &["/opt/listener", "near"]);
    let far = Helper::start(&host, &["unshare", "-n", "/opt/listener", "far"]);
    let scan = host.scan(&["--facts-out", "/run/facts.json"]);
    let told = notes(&scan, "live/packet-socket");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told.iter()
            .all(|told| told.starts_with("informational ") && told.contains("`/opt/listener`, which is no package's"))
    );
    let now = facts(&host);
    let sockets = now["roots"][0]["watch"]["packet_sockets"].as_array().unwrap();
    assert!(sockets.iter().all(|socket| socket["filter"]["classic"] == 1), "{sockets:?}");
    let names = now["kernel"]["abstract_sockets"].as_array().unwrap();
    assert!(["near", "far"].iter().all(|name| names.iter().any(|known| known == name)), "{names:?}");
    drop((nearby, far));

    // Without CAP_NET_ADMIN the kernel keeps the filter to itself: then it is not "none".
    let nearby = Helper::start(&host, &["/opt/listener", "near"]);
    let command = ["setpriv", "--bounding-set", "-net_admin", "--", common::namespace::SSHPROOF];
    let blind = Scan::of(&host.run(&[&command[..], &["scan", "--format", "json"]].concat()));
    let gaps = blind.result("live")["gaps"].to_string();
    assert!(gaps.contains("withholds it from who lacks CAP_NET_ADMIN"), "{gaps}");
    assert_eq!(notes(&blind, "live/packet-socket").len(), 1, "{}", blind.troubles());
    assert!(blind.mandatory_gaps("live").is_empty(), "{}", blind.troubles());
    drop(nearby);

    host.must(&["cp", "/opt/listener", "/run/listener"]);
    let hidden = Helper::start(&host, &["/opt/listener", "gone", "erase"]);
    let scan = host.scan(&[]);
    let told = notes(&scan, "live/hidden-listener");
    assert!(told.len() == 1 && told[0].starts_with("high ") && told[0].contains("`/opt/listener`, which was deleted"));
    drop(hidden);
    host.scan(&[]).assert_clean();

    // A package's program that was upgraded and not started anew: its file is gone too.
    host.must(&["cp", "-a", "/usr/bin/arch", "/run/arch"]);
    host.must(&["cp", "/run/listener", "/usr/bin/arch.new"]);
    host.must(&["mv", "/usr/bin/arch.new", "/usr/bin/arch"]);
    let upgraded = Helper::start(&host, &["/usr/bin/arch", "near"]);
    host.must(&["cp", "-a", "/run/arch", "/usr/bin/arch.new"]);
    host.must(&["mv", "/usr/bin/arch.new", "/usr/bin/arch"]);
    let scan = host.scan(&[]);
    let told = notes(&scan, "live/packet-socket");
    assert!(told.len() == 1 && told[0].contains("an earlier `/usr/bin/arch`"), "{}", scan.troubles());
    scan.assert_clean();
    drop(upgraded);
}

/// The segment goes when its server ends.
fn shared_memory() {
    let root = two_factor();
    root.compile(
        "/opt/segment.so",
        "#include <sys/shm.h>\n\
         __attribute__((constructor)) static void begin(void) {\n\
           int id = shmget(IPC_PRIVATE, 4 << 20, IPC_CREAT | 0666);\n\
           shmat(id, 0, 0);\n\
           shmctl(id, IPC_RMID, 0);\n\
         }\n",
        &["-shared", "-fPIC"],
    );
    let host = Host::boot(root);
    host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    assert!(notes(&host.scan(&[]), "live/shared-memory").is_empty());
    let start = "exec /usr/sbin/sshd -D -p 2222 -o PidFile=none >/dev/null 2>&1 &";
    let command = format!("export LD_PRELOAD=/opt/segment.so; {start}");
    let pid = host.start_sshd(2222, &[], &["sh", "-c", &command]);
    let scan = host.scan(&[]);
    assert_eq!(scan.codes_about(pid), ["live/foreign-mapping", "live/shared-memory"], "{}", scan.troubles());
}

/// A program that a package delivered and the site declares; the same without either is accused.
fn a_declared_agent() {
    let root = two_factor();
    intruder::prober(&root);
    let sum = root.chroot(&["md5sum", "/opt/prober"]);
    root.append("/var/lib/dpkg/info/mount.list", "/opt/prober\n");
    root.append("/var/lib/dpkg/info/mount.md5sums", &sum.replace("/opt", "opt"));
    root.write("/etc/agents.toml", "declared-agents = [\"/opt/prober\"]\n");
    let host = Host::boot(root);
    let pid = host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    let file = std::fs::read(host.root().join("/usr/sbin/sshd")).unwrap();
    let entry = u64::from_le_bytes(file[24..32].try_into().unwrap());
    let policy = ["--config", "/etc/agents.toml"];
    let agent = probe(&host, "/usr/sbin/sshd", pid, &[entry]);
    host.must(&["mkdir", "-p", "/sys/kernel/tracing"]);
    // Whether tracefs holds the breakpoint cannot be told while nobody can read its list.
    assert_eq!(host.scan(&policy).codes_about(pid), ["live/uprobe"]);
    host.must(&["mount", "-t", "tracefs", "tracefs", "/sys/kernel/tracing"]);
    let scan = host.scan(&policy);
    assert_eq!(scan.verdict("live"), "pass", "{}", scan.troubles());
    let told = notes(&scan, "live/agent-probe");
    assert!(told.len() == 1 && told[0].starts_with("informational "), "{told:?}");
    assert_eq!(host.scan(&[]).codes_about(pid), ["live/uprobe"]);
    // Somebody else who could have done it.
    host.must(&["cp", "/opt/prober", "/opt/other"]);
    let (kind, pid_text) = (std::fs::read_to_string(PMU).unwrap(), pid.to_string());
    let other = Helper::start(&host, &["/opt/other", kind.trim(), "/usr/sbin/sshd", &pid_text, &entry.to_string()]);
    assert_eq!(host.scan(&policy).codes_about(pid), ["live/uprobe"]);
    drop(other);
    // An agent that is not what its package delivered.
    host.must(&["sh", "-c", "cp /opt/prober /opt/new && printf x >> /opt/new && mv /opt/new /opt/prober"]);
    assert_eq!(host.scan(&policy).codes_about(pid), ["live/uprobe"]);
    drop(agent);
}

/// A program that does nothing, on a place in a file.
const LINKER: &str = "#include <linux/bpf.h>\n#include <linux/perf_event.h>\n#include <stdlib.h>\n#include <string.h>\n\
     #include <sys/syscall.h>\n#include <unistd.h>\n\
     int main(int n, char **v) {\n\
       struct bpf_insn nothing[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};\n\
       union bpf_attr load = {0}, link = {0};\n\
       load.prog_type = BPF_PROG_TYPE_KPROBE; load.insns = (unsigned long)nothing; load.insn_cnt = 2;\n\
       load.license = (unsigned long)\"GPL\"; strcpy(load.prog_name, \"does_nothing\");\n\
       int program = syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);\n\
       if (program < 0) return 1;\n\
       struct perf_event_attr a = {0};\n\
       a.size = sizeof a; a.type = atoi(v[1]); a.uprobe_path = (unsigned long)v[2];\n\
       a.probe_offset = strtoul(v[3], 0, 0);\n\
       int event = syscall(SYS_perf_event_open, &a, -1, 0, -1, 0);\n\
       if (event < 0) return 2;\n\
       link.link_create.prog_fd = program; link.link_create.target_fd = event;\n\
       link.link_create.attach_type = BPF_PERF_EVENT;\n\
       if (syscall(SYS_bpf, BPF_LINK_CREATE, &link, sizeof link) < 0) return 3;\n\
       write(1, \"y\", 1);\n\
       char end; return read(0, &end, 1);\n\
     }\n";

/// The kernel tells of the links of all, with a path: on a library that no other test probes, so that hosts beside this one are
/// not taken for it.
fn a_bpf_program() {
    let root = two_factor();
    root.compile("/opt/linker", LINKER, &[]);
    let host = Host::boot(root);
    let pid = host.start_sshd(22, &[], &["/usr/sbin/sshd"]);
    host.scan(&[]).assert_clean();
    let library = host.must(&["readlink", "-f", "/lib/x86_64-linux-gnu/libz.so.1"]).trim().to_owned();
    let file = std::fs::read(host.root().join(&library)).unwrap();
    let tables = Tables::read(&Elf::parse(&file).unwrap()).unwrap();
    let is = |name: u32| tables.name(name) == Some(b"zlibVersion".as_slice());
    let place = tables.symbols.iter().find(|symbol| is(symbol.name)).unwrap().value;
    let kind = std::fs::read_to_string(PMU).unwrap();
    let linker = Helper::start(&host, &["/opt/linker", kind.trim(), &library, &place.to_string()]);
    let scan = host.scan(&[]);
    let accused = scan.accused("live");
    assert_eq!(
        accused,
        [format!("live/uprobe {library}"), format!("live/bpf-attached {library}")],
        "{}",
        scan.troubles()
    );
    let told = scan.result("live").to_string();
    for expected in ["`does_nothing` (id ", &format!("offset {place:#x} of `{library}`"), "(`/opt/linker`)"] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    // Who may not ask says so, and still sees the breakpoint.
    let command = ["setpriv", "--bounding-set", "-sys_admin,-bpf,-perfmon", "--", common::namespace::SSHPROOF];
    let blind = Scan::of(&host.run(&[&command[..], &["scan", "--format", "json"]].concat()));
    assert_eq!(blind.codes_about(pid), ["live/uprobe"], "{}", blind.troubles());
    assert!(blind.result("live")["gaps"].to_string().contains("which BPF programs hang on files cannot be asked"));
    drop(linker);
    host.scan(&[]).assert_clean();
}
