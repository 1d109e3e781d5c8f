//! Codes of the check `live`.

use super::codes;

codes! { LIVE;
    FOREIGN_MAPPING = "live/foreign-mapping", Compromise, Critical;
        "an SSH server executes code of a file that does not belong to it";
        "Every executable mapping of a server must be its program, a library in the closure that its loader resolves, a PAM or \
         NSS module that configuration names, or one of the few libraries that the C library loads by itself. This one is \
         none of those: it was preloaded (LD_PRELOAD, ld.so.preload), injected, or loaded by something that configuration \
         does not show. Security agents and live patching do this too; then their package should be named as an exception.";
        "Find out which package or person put the file there; keep a copy of it and of `/proc/PID/maps` before restarting the server.";
        ["proc(5), maps", "ld.so(8), LD_PRELOAD"]
    MEMORY_FILE = "live/memory-file", Compromise, Critical;
        "an SSH server executes code of a file that exists in memory only";
        "memfd_create(2), System V shared memory and shared anonymous memory hold code that never lay on a disk. No distributor's \
         SSH server, PAM or NSS module uses them for code.";
        "Treat the host as compromised: save the mapped content from `/proc/PID/map_files` before the process ends.";
        ["memfd_create(2)", "proc(5), map_files"]
    ANONYMOUS_CODE = "live/anonymous-code", Compromise, Critical;
        "an SSH server executes memory that belongs to no file";
        "Executable anonymous memory is made by code injection and by just-in-time compilers. OpenSSH, its libraries and the usual \
         PAM and NSS modules contain no such compiler; a PAM module written in a scripting language, or one that matches \
         patterns with PCRE2's compiler, may.";
        "Find the module that made it; if none can be named, treat the host as compromised.";
        ["proc(5), maps"]
    WRITABLE_MAPPING = "live/writable-mapping", Compromise, High;
        "an SSH server has memory that can be written and executed";
        "The loader maps code readable and executable only. Memory that is writable as well lets code be changed without a \
         trace in the file; text relocations need it for a moment while a library is loaded, nothing needs it afterwards.";
        "Find the file or module that it belongs to; compare the mapped code with the file.";
        ["proc(5), maps", "mprotect(2)"]
    EXECUTABLE_DISGUISED = "live/executable-disguised", Compromise, High;
        "a process of an SSH server names another executable than the one it runs";
        "The kernel's link `/proc/PID/exe` can be changed by a privileged process (prctl(2), PR_SET_MM_EXE_FILE), the mapping that \
         holds the program's entry point cannot. Checkpoint and restore (CRIU) is the one tool that changes it for a good reason.";
        "Look at the file that is really executed, named in the evidence.";
        ["prctl(2), PR_SET_MM_EXE_FILE", "getauxval(3), AT_ENTRY"]
    DELETED_EXECUTABLE = "live/deleted-executable", Integrity, High;
        "an SSH server runs a program whose file is gone";
        "The program was deleted after it was started and nothing has taken its place, so no file can be verified for it. \
         Removing the package while its server runs does this; so do intruders who start a program and erase it.";
        "If the package was removed, stop the server; otherwise save `/proc/PID/exe` and treat the host as compromised.";
        ["proc(5), exe"]
    RESTART_NEEDED = "live/restart-needed", Hygiene, Low;
        "an SSH server runs an earlier content of a file that was replaced since it was started";
        "The file on disk has been replaced, usually by an upgrade, and the process still runs the old one. Whether the old one \
         was the distributor's can only be told from the signed metadata of earlier versions, which a scan with a state \
         directory (`--spool`) keeps for the next. Where it shows the old version, this is a note until the policy's \
         `restart-within-days` are over; where there is none, it is a gap, and no accusation.";
        "Restart the server; sessions that are open keep the old code until they end.";
        ["needrestart(1)", "proc(5), maps"]
    UNSIGNED_CODE = "live/unsigned-code", Compromise, Critical;
        "an SSH server runs an earlier content of a file, and that content is none of a signed version";
        "The file on disk has been replaced, and what the process still runs is none of the versions whose signed metadata was \
         kept. The version that is installed now was there before the process was started, by an earlier scan and by the \
         database's own time of installation, and no other has been since. So the process was started from a file that nobody \
         signed and that was put back afterwards.";
        "Save the mapped content (`/proc/PID/map_files`) before the process ends, and treat the host as compromised. Compare with \
         the package manager's history (`dnf history`, `zypper`'s log).";
        ["proc(5), map_files"]
    REINSTALLED = "live/reinstalled", Hygiene, Informational;
        "an SSH server runs a file that was replaced by one of the same content";
        "The mapped file has lost its name to a new file of equal bytes, as reinstalling a package does. The process executes \
         exactly what the file holds.";
        "Nothing needs to be done.";
        []
    TRACED = "live/traced", Compromise, High;
        "a process of an SSH server is being traced";
        "A tracer (ptrace(2)) sees every byte that the process reads, passwords included, and can change its memory and registers. \
         An administrator who runs strace or a debugger on sshd does the same; that should be known and short.";
        "Look at the tracing process and end it unless somebody accounts for it.";
        ["ptrace(2)", "proc(5), TracerPid"]
    PROBED = "live/probed", Integrity, Medium;
        "the kernel has put breakpoints into the code of an SSH server";
        "The mapping `[uprobes]` appears when a user-space probe (uprobe) was hit: tracing tools and eBPF security agents use them, \
         and password stealers use them on libpam and on sshd.";
        "List the probes (`/sys/kernel/tracing/uprobe_events`, `bpftool link`) and name who set them.";
        ["Documentation/trace/uprobetracer.rst of Linux"]
    TEXT_MODIFIED = "live/text-modified", Compromise, Critical;
        "code or read-only data of an SSH server was changed in memory";
        "A process executes the pages of a file as the page cache holds them, until somebody with the rights of a debugger writes to \
         one: then the kernel makes a copy of it for that process alone. Such a copy was found, and its bytes are not the \
         file's. The file on disk stays what the distributor signed; the login is answered by something else. Live patching \
         (libpulp) does this too; then its package should be named as an exception.";
        "Save the memory around the named addresses (`gcore`, `/proc/PID/mem`), then treat the host as compromised; restarting the \
         server removes both the patch and the evidence.";
        ["Documentation/admin-guide/mm/pagemap.rst of Linux", "proc(5), mem"]
    TEXT_WAS_MODIFIED = "live/text-was-modified", Integrity, High;
        "code or read-only data of an SSH server was written to in memory and put back";
        "The process has a copy of its own of a page that it should share with the file, so something wrote to it; by now the \
         bytes are the file's again. A debugger that set a breakpoint and took it out leaves this, and so does a backdoor that \
         hides while somebody looks. Linux itself leaves it now and then where a probe (uprobe) was taken out while something else \
         still held the page: then it is the mark of a tracing tool that has gone.";
        "Ask who debugged or traced this server; if nobody did, restart it and look for what could write to its memory.";
        ["Documentation/admin-guide/mm/pagemap.rst of Linux", "ptrace(2)"]
    UPROBE = "live/uprobe", Integrity, High;
        "there are breakpoint instructions in the code of an SSH server";
        "Single instructions of the file were replaced by breakpoints in memory. The kernel does this for user-space probes (uprobes): \
         tracing tools and eBPF security agents use them, and so do password stealers, on libpam and on sshd. Probes set with \
         perf_event_open(2) stand in no list; the changed page is the only witness. A debugger's breakpoints look the same. Since Linux 6.18 a probe on a \
         five-byte no-op of x86 becomes a call into `[uprobes-trampoline]`, which the kernel maps for it.";
        "Name who set them: the evidence lists the lines of `uprobe_events` for the place and the processes that hold a descriptor of \
         the kind; `bpftool link` lists programs that hold on without a process.";
        ["Documentation/trace/uprobetracer.rst of Linux", "perf_event_open(2)"]
    CACHE_DIFFERS = "live/cache-differs-from-medium", Integrity, High;
        "a file that an SSH server executes is another on its medium than in memory";
        "Everybody reads and executes files from the page cache, which the kernel fills from the medium once. Here \
         the two hold different bytes: either the cache was changed without being written back, as flaws of the \
         kernel (Dirty Pipe, CVE-2022-0847) allowed, or the medium was changed beneath the mounted file system. A \
         failing disk and a snapshot that was put back under a running system do this too.";
        "Keep both contents (`dd iflag=direct` reads the medium) and compare each with the package before the host is restarted.";
        ["open(2), O_DIRECT", "CVE-2022-0847"]
    VDSO_MODIFIED = "live/vdso-modified", Compromise, Critical;
        "the code that the kernel gives to every process was changed in an SSH server";
        "The kernel maps the same small library (vdso(7)) into every process. That of this server differs from our own: somebody \
         wrote code into it, which every call of clock_gettime(2) then executes.";
        "Save `[vdso]` of the process (`/proc/PID/mem`), then treat the host as compromised.";
        ["vdso(7)"]
    MISPLACED_CODE = "live/misplaced-code", Compromise, Critical;
        "an SSH server executes a part of a file where the loader would not have put it";
        "The kernel and ld.so map the segments of a file at fixed distances from each other and make only its code executable. This \
         mapping shows another part of the file, or shows it elsewhere: it was mapped anew after the program was started, so \
         that addresses lead to other code than the file says.";
        "Save `/proc/PID/maps` and the memory around it, then treat the host as compromised.";
        ["elf(5), PT_LOAD", "ld.so(8)"]
    RELOCATION_REDIRECTED = "live/relocation-redirected", Compromise, Critical;
        "a call from an SSH server into a library leads elsewhere than the loader would lead it";
        "Programs call libraries through words that the loader fills when it starts them: for every symbol the address of the first \
         definition in scope, of the version asked for. What it had to write is computed from the files; this word, or one that \
         is read-only after relocation, holds something else. Backdoors such as that of xz hook functions so, without \
         changing any code. A slot is compared exactly: another function of the right library counts.";
        "Save the memory of the process (`gcore`), find out what lies where the word leads, and treat the host as compromised.";
        ["ld.so(8)", "elf(5), DT_RELA, DT_JMPREL", "CVE-2024-3094"]
    RELRO_WRITABLE = "live/relro-writable", Compromise, High;
        "an SSH server can write to memory that its loader made read-only after relocation";
        "The loader makes the words by which libraries find each other read-only once it has filled them (RELRO). Here they can be \
         written to: something has undone that, as one does before redirecting a call.";
        "Save `/proc/PID/maps` and the memory of the process, then look for what was loaded into it.";
        ["mprotect(2)", "ld(1), -z relro"]
    HIDDEN_MODULE = "live/hidden-module", Compromise, High;
        "the loader of an SSH server does not know a file whose code is mapped, or knows one that is not";
        "The list that the loader keeps of what it loaded (`struct r_debug`, found through DT_DEBUG) and the files whose code is \
         mapped must be the same. Code that was mapped by hand, or a library that took itself out of the list, makes them differ.";
        "Save `/proc/PID/maps` and the memory of the process, then treat the host as compromised.";
        ["dl_iterate_phdr(3)", "elf(5), DT_DEBUG"]
    BPF_ATTACHED = "live/bpf-attached", Integrity, Medium;
        "a BPF program hangs on the code of an SSH server";
        "The kernel runs this program whenever a place in the file is reached, by whichever process, and it can read the arguments and the \
         memory of that process: agents and tracing tools do so, and so do stealers of passwords, on libpam. What hangs on functions of \
         the kernel is not among these. Informational where a declared agent holds it, and where no running server shows the breakpoint: \
         then a file of the same name in another root may be meant.";
        "Name who loaded it (`bpftool link show`, `bpftool prog show id ID`); an agent of the site's is declared in the policy, \
         `declared-agents`.";
        ["bpf(2)", "bpftool-link(8)"]
    AGENT_PROBE = "live/agent-probe", Integrity, Informational;
        "a declared security agent has set breakpoints into the code of an SSH server";
        "The policy declares the agent, its file is as its package delivered it, and nobody else can have set these breakpoints: no other \
         process holds a descriptor of the kind, no BPF program without a holder hangs on the file, and the list in tracefs has none \
         there. What the agent reads of passwords is its maker's affair.";
        "Nothing needs to be done; take the agent out of `declared-agents` if it should not probe servers.";
        ["Documentation/trace/uprobetracer.rst of Linux"]
    PACKET_SOCKET = "live/packet-socket", Integrity, Informational;
        "a program hears packets before the firewall does";
        "A packet socket with a filter receives packets of an interface whatever the firewall makes of them; backdoors such as BPFDoor \
         wait for their magic packet so and need no open port. So do DHCP clients, packet sniffers and network monitors, the site's own \
         among them: the note names whose program it is and whether a package delivered it. Sockets for raw IP and extended filters are \
         not looked at.";
        "Find out which service started the process and what it waits for (`ss -0bp` shows the filter).";
        ["packet(7)", "bpf(4)"]
    HIDDEN_LISTENER = "live/hidden-listener", Compromise, High;
        "a program whose file was deleted hears every packet";
        "It was started and its file erased, no file of a package lies in its place, and it holds a packet socket: so do backdoors of the \
         kind of BPFDoor, which copy themselves to memory and wait for a packet. A network service that was upgraded and not restarted is told \
         apart by the file that its package has put there (`live/packet-socket`, a note).";
        "Save `/proc/PID/exe` and `/proc/PID/maps` before the process ends.";
        ["packet(7)", "proc(5), exe"]
    SHARED_MEMORY = "live/shared-memory", Compromise, High;
        "an SSH server uses System V shared memory";
        "OpenSSH and the usual PAM modules use none. Ebury up to 1.4 kept its configuration and what it stole in a segment of more than \
         3 MiB that everybody may write to, made by sshd. Told as a note: a segment of another shape, which a vendor's PAM module may \
         have made, and one of that shape of an unknown maker, since other programs of root's make such ones too.";
        "Save the segment (`ipcs -m`, then attach it read-only) before the server is restarted, and look for a replaced library.";
        ["sysvipc(7)", "https://www.welivesecurity.com/2014/02/21/an-in-depth-analysis-of-linuxebury/"]
    HIDDEN_KERNEL_MODULE = "live/hidden-kernel-module", Compromise, Critical;
        "a kernel module is hidden in one view of the kernel and shows in another";
        "Each loaded module stands in `/proc/modules`, has a directory with its state in `/sys/module`, and its symbols stand in \
         `/proc/kallsyms` (compared with `--deep`). Rootkits take themselves out of some of these. One that takes itself out of all \
         is not seen so: only another machine, or a measured boot, can tell.";
        "Treat the host as compromised; take an image of its memory and disks, and judge those on another machine.";
        ["proc(5), /proc/modules", "proc(5), /proc/kallsyms"]
    HIDDEN_PROCESS = "live/hidden-process", Compromise, Critical;
        "a process answers to its number and is listed nowhere";
        "Rootkits hide processes by filtering the listing of `/proc`; the kernel still answers when it is asked for the number itself \
         (kill(2) with signal 0, pidfd_open(2)). Threads are no processes and were left out. Numbers are asked in part, or with `--deep` \
         all of them. A rootkit that filters these calls too is not seen so.";
        "Treat the host as compromised; take an image of its memory before it is switched off.";
        ["kill(2)", "pidfd_open(2)"]
    KERNEL_TAINTED = "live/kernel-tainted", Integrity, Informational;
        "the kernel runs code that its distributor need not have built";
        "Modules from outside the kernel's source, unsigned or loaded by force, and live patches leave a mark until the next boot \
         (`/proc/sys/kernel/tainted`). Drivers of graphics cards, networks and parallel file systems do so on most computing nodes. Which \
         module did it stands in `/proc/modules`; a mark that no loaded module explains was left by one that is unloaded, or hidden. What a \
         module does in memory cannot be verified from user space.";
        "Know each module that is named; look into a mark that nobody explains.";
        ["Documentation/admin-guide/tainted-kernels.rst of Linux"]
}
