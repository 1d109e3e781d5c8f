//! A program edited in one place, as infectors and careless tools do: the named rules fire, and the program still runs.

use sshproof::formats::elf::Rule;

use crate::samples::{EXIT, Image, PAYLOAD, exit_code, expect, program};

pub struct Edit {
    pub name: &'static str,
    /// Exactly these rules fire.
    rules: &'static [Rule],
    /// Whether the edited program still runs to its end.
    runs: bool,
    edit: fn(&mut Image),
}

pub const EDITS: &[Edit] = &[
    Edit {
        name: "note_to_load",
        rules: &[Rule::EntryPoint, Rule::ExtraCodeSegment, Rule::CodeInGap, Rule::SectionTable],
        runs: true,
        edit: |image| {
            let header = image.segment(|kind, _| kind == 4);
            image.0.resize(image.0.len().next_multiple_of(4096), 0);
            let offset = u64::try_from(image.0.len()).unwrap();
            image.0.extend(PAYLOAD);
            let address = 0x40_0000 + offset;
            image.put(header, &[1, 0, 0, 0, 5, 0, 0, 0]);
            let size = u64::try_from(PAYLOAD.len()).unwrap();
            for (index, value) in [offset, address, address, size, size, 4096].into_iter().enumerate() {
                image.put64(header + 8 + index * 8, value);
            }
            image.enter(address);
        },
    },
    Edit {
        name: "code_segment_grown_into_its_padding",
        rules: &[Rule::EntryPoint, Rule::CodeInGap],
        runs: true,
        edit: |image| {
            let header = image.code();
            let (offset, address, size) = (image.u64(header + 8), image.u64(header + 16), image.u64(header + 32));
            image.put(usize::try_from(offset + size).unwrap(), &PAYLOAD);
            let grown = size + u64::try_from(PAYLOAD.len()).unwrap();
            image.put64(header + 32, grown);
            image.put64(header + 40, grown);
            image.enter(address + size);
        },
    },
    Edit {
        name: "code_after_the_segment_on_its_page",
        rules: &[Rule::EntryPoint, Rule::CodeInGap],
        runs: true,
        edit: |image| {
            let header = image.code();
            let (offset, address, size) = (image.u64(header + 8), image.u64(header + 16), image.u64(header + 32));
            image.put(usize::try_from(offset + size).unwrap(), &PAYLOAD);
            image.enter(address + size);
        },
    },
    Edit {
        name: "code_between_sections",
        rules: &[Rule::CodeInGap],
        runs: true,
        edit: |image| {
            let (_, offset, size, _) = image.section(".init");
            image.put(offset + size, &[0xc3]);
        },
    },
    Edit {
        name: "entry_in_another_section",
        rules: &[Rule::EntryPoint],
        runs: false,
        edit: |image| {
            let address = image.section(".fini").0;
            image.enter(address);
        },
    },
    Edit {
        name: "writable_code",
        rules: &[Rule::WritableCode],
        runs: true,
        edit: |image| {
            let header = image.code();
            image.put(header + 4, &[7]);
        },
    },
    Edit {
        name: "no_section_headers",
        rules: &[Rule::NoSectionHeaders, Rule::AppendedData],
        runs: true,
        edit: |image| {
            image.put64(40, 0);
            image.put(60, &[0; 4]);
        },
    },
    Edit {
        name: "cut_off",
        rules: &[Rule::CutOff],
        runs: false,
        edit: |image| {
            let (_, offset, size, _) = image.section(".data");
            image.0.truncate(offset + size - 1);
        },
    },
    Edit {
        name: "section_table_cut_off",
        rules: &[Rule::NoSectionHeaders, Rule::HiddenFromTools],
        runs: true,
        edit: |image| {
            let (_, offset, size, _) = image.section(".data");
            image.0.truncate(offset + size);
        },
    },
    Edit { name: "overlay", rules: &[Rule::AppendedData], runs: true, edit: |image| image.0.extend(b"payload") },
    Edit { name: "zero_overlay", rules: &[Rule::RewrittenNames], runs: true, edit: |image| image.0.extend([0; 8]) },
    Edit {
        name: "mark_of_upx",
        rules: &[Rule::AppendedData, Rule::Packed],
        runs: true,
        edit: |image| image.0.extend(b"UPX!\0\0\0\0"),
    },
    Edit {
        name: "section_table_outside_the_file",
        rules: &[Rule::NoSectionHeaders, Rule::HiddenFromTools],
        runs: true,
        edit: |image| image.put64(40, 0x7fff_ffff_ffff),
    },
    Edit {
        name: "too_many_sections",
        rules: &[Rule::NoSectionHeaders, Rule::HiddenFromTools],
        runs: true,
        edit: |image| image.put(60, &[0xff, 0xfe]),
    },
    Edit {
        name: "a_section_outside_the_file",
        rules: &[Rule::HiddenFromTools],
        runs: true,
        edit: |image| {
            let header = image.section(".comment").3;
            image.put64(header + 24, u64::MAX - 64);
        },
    },
    Edit {
        name: "executable_stack",
        rules: &[Rule::ExecutableStack],
        runs: true,
        edit: |image| {
            let header = image.segment(|kind, _| kind == 0x6474_e551);
            image.put(header + 4, &[7]);
        },
    },
    Edit {
        name: "no_word_about_the_stack",
        rules: &[Rule::ExecutableStack],
        runs: true,
        edit: |image| {
            let header = image.segment(|kind, _| kind == 0x6474_e551);
            image.put(header, &[0; 4]);
        },
    },
    Edit {
        name: "mark_in_the_header",
        rules: &[Rule::HeaderPadding],
        runs: true,
        edit: |image| image.put(15, &[0x2a]),
    },
    Edit {
        name: "initialiser_outside_text",
        rules: &[Rule::Initialiser],
        runs: true,
        edit: |image| {
            let (slot, offset, ..) = image.section(".init_array");
            let target = image.section(".fini").0;
            let (_, table, size, _) = image.section(".rela.dyn");
            let entry = (table..table + size).step_by(24).find(|at| image.u64(*at) == slot).unwrap();
            image.put64(entry + 16, target);
            image.put64(offset, target);
        },
    },
    Edit {
        name: "initialisers_elsewhere",
        rules: &[Rule::Initialiser],
        runs: false,
        edit: |image| {
            let entry = image.dynamic(25);
            let elsewhere = image.u64(entry + 8) + 8;
            image.put64(entry + 8, elsewhere);
        },
    },
    Edit {
        name: "text_relocations",
        rules: &[Rule::TextRelocations],
        runs: true,
        edit: |image| {
            let entry = image.dynamic(21);
            image.put64(entry, 22);
        },
    },
    Edit {
        name: "dynamic_segment_elsewhere_in_the_file",
        rules: &[Rule::SegmentTable],
        runs: true,
        edit: |image| {
            let header = image.segment(|kind, _| kind == 2);
            image.put64(header + 8, 64);
        },
    },
    Edit {
        name: "two_relro_segments",
        rules: &[Rule::SegmentTable],
        runs: true,
        edit: |image| {
            let header = image.segment(|kind, _| kind == 0x6474_e553);
            let relro = image.segment(|kind, _| kind == 0x6474_e552);
            let copy = image.0[relro..relro + 56].to_vec();
            image.put(header, &copy);
        },
    },
    Edit {
        name: "overlapping_sections",
        rules: &[Rule::SectionTable],
        runs: true,
        edit: |image| {
            let (.., size, header) = image.section(".rodata");
            image.put64(header + 32, u64::try_from(size).unwrap() + 64);
        },
    },
    Edit {
        name: "dynamic_strings_that_are_not_the_section",
        rules: &[Rule::DynamicTable],
        runs: true,
        edit: |image| {
            let (.., header) = image.section(".dynstr");
            let (address, offset) = (image.u64(header + 16), image.u64(header + 24));
            let size = image.u64(header + 32);
            image.put64(header + 16, address + 1);
            image.put64(header + 24, offset + 1);
            image.put64(header + 32, size - 1);
        },
    },
    Edit {
        name: "a_version_that_does_not_exist",
        rules: &[Rule::DynamicTable],
        runs: false,
        edit: |image| {
            let (_, offset, size, _) = image.section(".gnu.version");
            image.put(offset + size - 2, &[99, 0]);
        },
    },
];

pub fn edited(case: &'static Edit) {
    let mut image = Image(program().to_vec());
    (case.edit)(&mut image);
    expect(&image.0, case.rules);
    if case.runs {
        assert_eq!(exit_code(&format!("edited-{}", case.name), &image.0), Some(EXIT));
    }
}
