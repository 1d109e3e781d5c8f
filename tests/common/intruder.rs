//! The intruder's tools, made of source on the root that is to be attacked, and a hand that holds one while it works.

use std::io::Read as _;
use std::process::{Child, Stdio};

use super::namespace::Host;
use super::root::Root;

/// Where the kernel says which kind of perf event a uprobe is.
pub const PMU: &str = "/sys/bus/event_source/devices/uprobe/type";

/// `/opt/writer.so`, a library that puts code into memory of its own.
pub fn writer(root: &Root) {
    root.compile(
        "/opt/writer.so",
        "#include <sys/mman.h>\n\
         __attribute__((constructor)) static void begin(void) {\n\
           char *p = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n\
           *p = (char)0xc3;\n\
           mprotect(p, 4096, PROT_READ | PROT_EXEC);\n\
           mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0);\n\
         }\n",
        &["-shared", "-fPIC"],
    );
}

/// `/opt/from-memory`, which runs the program of its first argument from a file in memory.
pub fn from_memory(root: &Root) {
    root.compile(
        "/opt/from-memory",
        "#define _GNU_SOURCE\n#include <sys/mman.h>\n#include <sys/sendfile.h>\n#include <fcntl.h>\n#include <unistd.h>\n\
         extern char **environ;\n\
         int main(int n, char **v) {\n\
           int in = open(v[1], O_RDONLY), out = memfd_create(\"x\", 0);\n\
           while (sendfile(out, in, 0, 1 << 20) > 0) {}\n\
           return fexecve(out, v + 1, environ);\n\
         }\n",
        &[],
    );
}

/// `/opt/prober`, for [`probe`].
pub fn prober(root: &Root) {
    root.compile("/opt/prober", PROBER, &[]);
}

const PROBER: &str = "#include <linux/perf_event.h>\n#include <stdlib.h>\n#include <sys/syscall.h>\n#include <unistd.h>\n\
     int main(int n, char **v) {\n\
       struct perf_event_attr a = {0};\n\
       a.size = sizeof a; a.type = atoi(v[1]); a.uprobe_path = (unsigned long)v[2];\n\
       a.sample_period = 1; a.wakeup_events = 1;\n\
       for (int at = 4; at < n; at++) {\n\
         a.probe_offset = strtoul(v[at], 0, 0);\n\
         if (syscall(SYS_perf_event_open, &a, atoi(v[3]), atoi(v[3]) < 0 ? 0 : -1, -1, 0) < 0) return 1;\n\
       }\n\
       write(1, \"y\", 1);\n\
       char end; return read(0, &end, 1);\n\
     }\n";

/// Sets probes at these offsets of `file`, in process `pid`, in any if that is -1; they go with the handle.
pub fn probe(host: &Host, file: &str, pid: i32, places: &[u64]) -> Helper {
    let (kind, pid) = (std::fs::read_to_string(PMU).unwrap(), pid.to_string());
    let places: Vec<String> = places.iter().map(u64::to_string).collect();
    let mut command = vec!["/opt/prober", kind.trim(), file, &pid];
    command.extend(places.iter().map(String::as_str));
    Helper::start(host, &command)
}

/// A program within the host that says `y` when it is ready, and ends with its handle.
pub struct Helper(Child);

impl Helper {
    pub fn start(host: &Host, command: &[&str]) -> Self {
        let mut child = host.command(command).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = [0];
        child.stdout.as_mut().unwrap().read_exact(&mut ready).expect("it is ready");
        Self(child)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // It reads to the end of its input; nsenter(1), which is killed more easily, would leave it behind.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
