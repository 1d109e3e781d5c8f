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
}
