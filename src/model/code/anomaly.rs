//! Codes of the check `anomaly`.

use super::codes;

codes! { ANOMALY;
    ENTRY_POINT = "anomaly/entry-point", Compromise, High;
        "a program begins execution outside its code section";
        "Linkers set the entry point of a program to its start code in the section `.text`. A classic file infector appends or \
         squeezes in its own code and moves the entry point there, and jumps back when done. No program of 2,288 in Debian 12 \
         and of 983 files for eight architectures begins elsewhere.";
        "Treat the file as infected: keep a copy for analysis, isolate the host, reinstall it from trusted media.";
        ["elf(5), e_entry"]
    EXTRA_CODE_SEGMENT = "anomaly/extra-code-segment", Compromise, High;
        "a file has an executable segment that no linker would give it";
        "Linkers put all code into one executable segment and data behind it. A second one, an executable one at the highest \
         address, or one without any code section in it is what turning a note into a loaded segment leaves behind, the \
         commonest way to add code to a finished file. Programs with large built-in compilers (Node.js) have several by \
         design; programs that decide logins do not.";
        "Compare the file with the one in the package fetched anew from the distribution. If nobody can say who changed it, \
         treat it as infected.";
        ["elf(5), PT_NOTE and PT_LOAD"]
    WRITABLE_CODE = "anomaly/writable-code", Compromise, High;
        "a segment is writable and executable at once";
        "Memory that can be written and executed lets code unpack or change itself. No file of a distribution asks for it; \
         packers and injected loaders do.";
        "Compare the file with the one in the package fetched anew from the distribution.";
        ["elf(5), p_flags"]
    CODE_IN_GAP = "anomaly/code-in-gap", Compromise, High;
        "the padding between or after sections of code holds something";
        "Between sections of an executable segment, and after the last one on its page, linkers leave zeros or padding \
         instructions. That room is mapped executable and belongs to nothing, so injected code is put there without changing the \
         size of the file.";
        "Keep a copy and disassemble the place named. Compare the file with the one in the package fetched anew.";
        ["elf(5), PT_LOAD"]
    NO_SECTION_HEADERS = "anomaly/no-section-headers", Integrity, High;
        "a program or library has no section headers";
        "Distributors strip symbols, never the section table: debuggers and their own tools need it. Malware is often stripped of \
         it so that analysis tools see nothing; the loader does not need it.";
        "Find out who built the file. Compare it with the one in the package fetched anew from the distribution.";
        ["elf(5), e_shoff"]
    CUT_OFF = "anomaly/cut-off", Integrity, High;
        "a program or library ends before what it loads";
        "The program headers name bytes that the file no longer has. A full disk, an interrupted copy or a failing medium leaves \
         such files; so does a careless overwrite. Its other structure was not judged.";
        "Reinstall the file's package, and look at the disk.";
        ["elf(5), p_filesz"]
    APPENDED_DATA = "anomaly/appended-data", Integrity, High;
        "bytes follow the end of a program or library";
        "After the last section, segment and table nothing is left to say, and linkers stop there. Data appended behind is \
         carried along unseen: configuration, a payload, an encrypted second program. Some installers and single-file bundles \
         do the same; programs that decide logins do not.";
        "Look at the bytes from the offset named, and compare the file with the one in the package fetched anew.";
        ["elf(5)"]
    REWRITTEN_NAMES = "anomaly/rewritten-names", Integrity, High;
        "a tool has made room for new names in a finished file";
        "To add a needed library, a search path or a longer name to a finished file, patchelf and similar tools move the dynamic \
         strings to a new place behind the data, writable, or leave zeros at the end. Python wheels and vendors' bundles are made \
         so; distributors link anew.";
        "Look at what the file needs and where it searches (`sshproof inspect`); compare with the package fetched anew.";
        ["elf(5), DT_STRTAB"]
    SEGMENT_TABLE = "anomaly/segment-table", Compromise, High;
        "the segments of a file are out of order, overlap or contradict each other";
        "The loader follows the program headers; linkers write loaded segments in ascending order, without overlap, and one each \
         of the others. Where the kernel and a tool would read different bytes for the same thing, somebody wants the tool to see \
         something else.";
        "Compare the file with the one in the package fetched anew from the distribution.";
        ["elf(5), program header"]
    SECTION_TABLE = "anomaly/section-table", Integrity, High;
        "sections overlap, lie outside all segments or contradict them";
        "A linker writes sections and segments from one plan, so they agree. A tool that adds code to a finished file has to change \
         the segments and seldom repairs the sections: a note section in no note segment, code in a segment that is not \
         executable, two sections at one place.";
        "Compare the file with the one in the package fetched anew from the distribution.";
        ["elf(5), section header"]
    DYNAMIC_TABLE = "anomaly/dynamic-table", Integrity, High;
        "the dynamic table names other tables than the sections do";
        "The loader finds symbols and strings through the dynamic table, tools through the sections. Linkers make both say the \
         same. Where they differ, what a tool shows is not what is loaded.";
        "Compare the file with the one in the package fetched anew from the distribution.";
        ["elf(5), dynamic section"]
    INITIALISER = "anomaly/initialiser", Compromise, High;
        "code runs at start that no compiler put there";
        "Functions listed in the initialiser table run before `main`, in every process that loads the file. All of them lie in \
         `.text`, and the table is the section `.init_array`. Redirecting an entry, or the whole table, is an established way to run \
         injected code.";
        "Treat the file as infected: keep a copy for analysis, compare it with the one in the package fetched anew.";
        ["elf(5), DT_INIT_ARRAY"]
    LIBRARY_PATH = "anomaly/library-path", Integrity, High;
        "a file needs a library by its path";
        "Programs of a distribution name libraries, and the loader searches them. A path skips that search: the library can lie \
         anywhere, hidden or on a file system of the intruder's choice.";
        "Look at the library named, who owns it and where it came from.";
        ["ld.so(8)", "elf(5), DT_NEEDED"]
    STAND_IN = "anomaly/stand-in", Compromise, High;
        "a file has libraries loaded that watch or stand in for others";
        "Besides the libraries it needs, a file can name auditors, which the loader calls for every library and every symbol of \
         the process, and filters, whose functions come before those of the library itself. No file of Debian 12 does; it is a \
         way to preload code without any configuration.";
        "Treat the file as altered: keep a copy, look at the library named, and compare with the package fetched anew.";
        ["rtld-audit(7)", "ld(1), --audit, --auxiliary and --filter"]
    SEARCH_PATH = "anomaly/search-path", Integrity, High;
        "a file has libraries searched outside the system's directories";
        "A search path inside the file comes before all others. One that leads outside `/usr`, `/lib`, `/opt` and the file's own \
         directory lets whoever can write there choose the code that runs. Sites that build their own software into other trees \
         use such paths on purpose.";
        "Look at who can write to the directory named. If the site built the file, declare it.";
        ["ld.so(8), DT_RPATH and DT_RUNPATH"]
    NO_BUILD_ID = "anomaly/no-build-id", Integrity, Medium;
        "a file has no build-id although the others on this system have";
        "Distributors let the linker stamp each file with a digest of its content. Where nearly all code that decides logins \
         carries one, a file without it was not built by the distributor, or the note was removed or overwritten.";
        "Find out who built the file.";
        ["ld(1), --build-id"]
    MIXED_COMPILERS = "anomaly/mixed-compilers", Integrity, Medium;
        "a file was compiled by several versions of GCC";
        "The comment section names the compilers that took part. A distributor builds a package with one; several mean that \
         object code from elsewhere was linked in, as the build of xz 5.6.0 did. Vendors who link old static libraries show the same.";
        "Find out who built the file.";
        ["gcc(1), -fident"]
    PACKED = "anomaly/packed", Compromise, High;
        "a program is packed with UPX";
        "A packed program unpacks itself in memory, so that its file shows nothing of its code. Distributors do not pack.";
        "Keep a copy, unpack it elsewhere (`upx -d`), and treat the host as compromised until the file is explained.";
        ["https://upx.github.io"]
    EXECUTABLE_STACK = "anomaly/executable-stack", Integrity, High;
        "a file makes the stack executable";
        "One library that asks for an executable stack, or does not say that it needs none, gives it to the whole process, and \
         every overflow of a buffer on the stack becomes a way to run code. Hand-written assembly linked without care has the same \
         effect; no file of the distributions measured has it.";
        "Compare the file with the one in the package fetched anew from the distribution.";
        ["ld(1), -z noexecstack"]
    HEADER_PADDING = "anomaly/header-padding", Integrity, High;
        "unused bytes of the ELF header are used";
        "The last seven bytes of the identification are reserved and zero. Infectors use them to mark files that they have \
         visited.";
        "Compare the file with the one in the package fetched anew from the distribution.";
        ["elf(5), e_ident"]
    TEXT_RELOCATIONS = "anomaly/text-relocations", Integrity, High;
        "a file has the loader change its code";
        "Relocations in code make the loader map it writable while it starts. Compilers avoid them for shared code; no file of \
         the distributions measured has one.";
        "Compare the file with the one in the package fetched anew from the distribution.";
        ["elf(5), DT_TEXTREL"]
    SYMBOL_HASH = "anomaly/symbol-hash", Integrity, High;
        "a symbol is hashed under another name than it bears";
        "The loader finds a symbol by a hash of its name, computed when the file was linked. A name that was changed afterwards, \
         to take the place of another function, keeps the old hash.";
        "Compare the file with the one in the package fetched anew from the distribution.";
        ["ld(1), --hash-style"]
    HIDDEN_FROM_TOOLS = "anomaly/hidden-from-tools", Compromise, High;
        "a file is damaged so that tools refuse it while the loader does not";
        "The kernel and the loader read program headers only. A section table that points outside the file costs them nothing and \
         makes strict tools give up. No linker writes one; a file that was cut off and lacks loaded bytes too is told apart.";
        "Treat the file as hostile: keep a copy for analysis, compare it with the one in the package fetched anew.";
        ["elf(5), e_shoff"]
    UNREADABLE_STRUCTURE = "anomaly/unreadable-structure", Integrity, High;
        "code that decides logins begins like an ELF file and cannot be understood";
        "The file carries the mark of an ELF file and its headers make no sense: it was cut off, overwritten, or made to defeat whoever \
         looks at it. The kernel refuses most such files, so what is running now is not what lies there.";
        "Reinstall the file's package, and find out what happened to the file.";
        ["elf(5)"]
}
