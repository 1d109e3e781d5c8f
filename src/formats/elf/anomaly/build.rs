//! Traces of who built the file: header, build-id, compilers, packers.

use std::collections::BTreeSet;

use super::super::view::Elf;
use super::{Hits, Rule};

/// Where a packer leaves its mark: after the program headers, and in the trailer (UPX src/p_lx_elf.cpp, `l_info`, and
/// src/packhead.cpp).
const MARK_AT_START: u64 = 1024;
const MARK_AT_END: u64 = 64;

pub(super) fn check(elf: &Elf<'_>, hits: &mut Hits) {
    let header = elf.header();
    // gABI: the bytes after EI_ABIVERSION are zero.
    let padding = header.e_ident.get(9..).unwrap_or_default();
    hits.add_if(padding.iter().any(|byte| *byte != 0), Rule::HeaderPadding, || {
        format!("has `{}` in the unused bytes of its header", crate::model::text::hex(padding))
    });
    hits.add_if(elf.build_id().is_none(), Rule::NoBuildId, || "has no build-id".into());
    let compilers = compilers(elf);
    hits.add_if(compilers.len() > 1, Rule::MixedCompilers, || {
        let list: Vec<String> = compilers.iter().map(|version| crate::model::text::escape(version)).collect();
        format!("was compiled by several versions of GCC: `{}`", list.join("`, `"))
    });
    let len = elf.raw().len();
    let packed = [(0, MARK_AT_START), (len.saturating_sub(MARK_AT_END), MARK_AT_END)]
        .iter()
        .any(|(offset, size)| elf.raw().available(*offset, *size).windows(4).any(|window| window == b"UPX!"));
    hits.add_if(packed, Rule::Packed, || "bears the mark of the packer UPX".into());
}

/// The distinct versions that GCC wrote into `.comment`: `GCC: (Debian 12.2.0-14) 12.2.0`. What stands in brackets is left
/// out: it differs between a distribution's own start files and code compiled after an update.
fn compilers<'a>(elf: &Elf<'a>) -> BTreeSet<&'a [u8]> {
    elf.comments().into_iter().filter_map(gcc_version).collect()
}

fn gcc_version(comment: &[u8]) -> Option<&[u8]> {
    let rest = comment.strip_prefix(b"GCC: (")?;
    let after = rest.get(rest.iter().position(|b| *b == b')')?.checked_add(1)?..)?;
    after.split(|b| *b == b' ').find(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiler_versions() {
        let check = |comment: &str, version: Option<&str>| {
            assert_eq!(gcc_version(comment.as_bytes()), version.map(str::as_bytes), "{comment}");
        };
        check("GCC: (Debian 12.2.0-14+deb12u1) 12.2.0", Some("12.2.0"));
        check("GCC: (GNU) 8.5.0 20210514 (Red Hat 8.5.0-28)", Some("8.5.0"));
        check("GCC: (GNU", None);
        check("Linker: LLD 16.0.6", None);
    }
}
