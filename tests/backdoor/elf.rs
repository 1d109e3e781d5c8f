//! Builds small ELF files: loadable in form, without an entry point, with what a rule may ask for and nothing else.

/// What to build.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Name and content, in order; `.text` lies in the executable segment, all others in the readable one.
    pub sections: Vec<(String, Vec<u8>)>,
    pub soname: Option<String>,
    pub needed: Vec<String>,
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    /// Entries of `DT_INIT_ARRAY`, all zero.
    pub init_array: u64,
    /// No section table.
    pub stripped: bool,
    /// 32-bit, big-endian.
    pub narrow: bool,
}

const DT_NEEDED: u64 = 1;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_STRSZ: u64 = 10;
const DT_SYMENT: u64 = 11;
const DT_SONAME: u64 = 14;
const DT_INIT_ARRAY: u64 = 25;
const DT_INIT_ARRAYSZ: u64 = 27;

struct Out {
    bytes: Vec<u8>,
    narrow: bool,
}

impl Out {
    fn half(&mut self, value: u16) {
        self.bytes.extend(if self.narrow { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn int(&mut self, value: u32) {
        self.bytes.extend(if self.narrow { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    /// A word of the file's class.
    fn word(&mut self, value: u64) {
        if self.narrow {
            self.int(u32::try_from(value).unwrap());
        } else {
            self.bytes.extend(value.to_le_bytes());
        }
    }

    fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    fn at(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// The file. Addresses equal offsets.
pub fn build(plan: &Plan) -> Vec<u8> {
    let narrow = plan.narrow;
    let (header, program, section, symbol) = if narrow { (52, 32, 40, 16) } else { (64, 56, 64, 24) };
    let mut out = Out { bytes: vec![0; header + 3 * program], narrow };
    let mut table: Vec<(String, u64, u64, bool)> = Vec::new();

    let mut strings = vec![0u8];
    let mut name = |text: &str| {
        let at = strings.len() as u64;
        strings.extend(text.bytes());
        strings.push(0);
        at
    };
    let soname = plan.soname.as_deref().map(&mut name);
    let needed: Vec<u64> = plan.needed.iter().map(|text| name(text)).collect();
    let imports: Vec<u64> = plan.imports.iter().map(|text| name(text)).collect();
    let exports: Vec<u64> = plan.exports.iter().map(|text| name(text)).collect();

    let strings_at = out.at();
    out.bytes.extend(&strings);
    table.push((".dynstr".into(), strings_at, strings.len() as u64, false));
    out.align(8);
    let symbols_at = out.at();
    out.bytes.resize(out.bytes.len() + symbol, 0);
    for (names, defined) in [(&imports, false), (&exports, true)] {
        for at in names {
            symbol_entry(&mut out, *at, defined);
        }
    }
    let count = 1 + imports.len() + exports.len();
    table.push((".dynsym".into(), symbols_at, out.at() - symbols_at, false));
    out.align(8);
    let hash_at = out.at();
    out.int(1);
    out.int(count as u32);
    out.bytes.resize(out.bytes.len() + 4 * (1 + count), 0);
    out.align(8);
    let dynamic_at = out.at();
    let pointer = if narrow { 4 } else { 8 };
    let mut entries = vec![
        (DT_HASH, hash_at),
        (DT_STRTAB, strings_at),
        (DT_SYMTAB, symbols_at),
        (DT_STRSZ, strings.len() as u64),
        (DT_SYMENT, symbol as u64),
    ];
    entries.extend(soname.map(|at| (DT_SONAME, at)));
    entries.extend(needed.into_iter().map(|at| (DT_NEEDED, at)));
    if plan.init_array > 0 {
        entries.extend([(DT_INIT_ARRAY, 0), (DT_INIT_ARRAYSZ, plan.init_array * pointer)]);
    }
    entries.push((0, 0));
    for (tag, value) in entries {
        out.word(tag);
        out.word(value);
    }
    let dynamic_size = out.at() - dynamic_at;
    table.push((".dynamic".into(), dynamic_at, dynamic_size, false));
    for (name, content) in plan.sections.iter().filter(|(name, _)| name != ".text") {
        out.align(16);
        table.push((name.clone(), out.at(), content.len() as u64, false));
        out.bytes.extend(content);
    }
    let data_end = out.at();
    out.align(4096);
    let code_at = out.at();
    for (name, content) in plan.sections.iter().filter(|(name, _)| name == ".text") {
        table.push((name.clone(), out.at(), content.len() as u64, true));
        out.bytes.extend(content);
    }
    let code_end = out.at();

    let mut names = vec![0u8];
    let name_offsets: Vec<u32> = table
        .iter()
        .map(|(name, ..)| {
            let at = names.len() as u32;
            names.extend(name.bytes());
            names.push(0);
            at
        })
        .collect();
    let names_name = names.len() as u32;
    names.extend(b".shstrtab\0");
    let names_at = out.at();
    if !plan.stripped {
        out.bytes.extend(&names);
        out.align(8);
    }
    let sections_at = out.at();
    if !plan.stripped {
        out.bytes.resize(out.bytes.len() + section, 0);
        for ((_, at, size, code), name) in table.iter().zip(name_offsets) {
            section_entry(&mut out, name, 1, 2 | u64::from(*code) << 2, *at, *size);
        }
        section_entry(&mut out, names_name, 3, 0, names_at, names.len() as u64);
    }

    let mut head = Out { bytes: Vec::new(), narrow };
    head.bytes.extend([0x7f, b'E', b'L', b'F', if narrow { 1 } else { 2 }, if narrow { 2 } else { 1 }, 1]);
    head.bytes.resize(16, 0);
    head.half(3);
    head.half(if narrow { 8 } else { 62 });
    head.int(1);
    head.word(0);
    head.word(header as u64);
    head.word(if plan.stripped { 0 } else { sections_at });
    head.int(0);
    let count = table.len() as u16 + 2;
    for half in [header as u16, program as u16, 3, section as u16] {
        head.half(half);
    }
    head.half(if plan.stripped { 0 } else { count });
    head.half(if plan.stripped { 0 } else { count - 1 });
    program_entry(&mut head, 1, 4, 0, data_end);
    program_entry(&mut head, 1, 5, code_at, code_end - code_at);
    program_entry(&mut head, 2, 4, dynamic_at, dynamic_size);
    out.bytes[..head.bytes.len()].copy_from_slice(&head.bytes);
    out.bytes
}

fn symbol_entry(out: &mut Out, name: u64, defined: bool) {
    let section = u16::from(defined);
    out.int(name as u32);
    if out.narrow {
        out.int(0);
        out.int(0);
        out.bytes.extend([0x12, 0]);
        out.half(section);
    } else {
        out.bytes.extend([0x12, 0]);
        out.half(section);
        out.word(0);
        out.word(0);
    }
}

fn program_entry(out: &mut Out, kind: u32, flags: u32, at: u64, size: u64) {
    out.int(kind);
    if !out.narrow {
        out.int(flags);
    }
    for word in [at, at, at, size, size] {
        out.word(word);
    }
    if out.narrow {
        out.int(flags);
    }
    out.word(if kind == 1 { 4096 } else { 8 });
}

fn section_entry(out: &mut Out, name: u32, kind: u32, flags: u64, at: u64, size: u64) {
    out.int(name);
    out.int(kind);
    out.word(flags);
    out.word(at);
    out.word(at);
    out.word(size);
    out.int(0);
    out.int(0);
    out.word(1);
    out.word(0);
}
