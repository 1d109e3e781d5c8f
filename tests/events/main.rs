//! Events of every kind of finding, in every vocabulary, held against the vocabularies' own schemas and a foreign parser;
//! and what must never leave the host looked for in all of them.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

#[path = "../common/mod.rs"]
mod common;

mod breaking;
mod cef;
mod ecs;
mod ocsf;
mod privacy;
mod world;

use std::process::ExitCode;

use common::mimic::{Part, run, trial};

fn main() -> ExitCode {
    run(vec![
        trial("ocsf_schema_accepts_every_code", &[], ocsf::accepts_every_code),
        trial("ocsf_schema_refuses_each_broken_field", &[], ocsf::refuses_each_broken_field),
        trial("ecs_list_accepts_every_code", &[Part::Corpora], ecs::accepts_every_code),
        trial("the_index_template_fits", &[Part::Corpora], ecs::the_index_template_fits),
        trial("ecs_list_refuses_each_broken_field", &[Part::Corpora], ecs::refuses_each_broken_field),
        trial("cef_comes_back_from_liblognorm", &[Part::Program("lognormalizer")], cef::comes_back),
        trial("nothing_planted_leaves", &[], privacy::nothing_planted_leaves),
        trial("planted_names_are_found_if_they_leave", &[], privacy::the_search_finds),
        trial("no_name_is_too_long_to_be_told", &[], privacy::no_name_is_too_long),
        trial("every_line_is_one_printable_line", &[], privacy::lines_are_printable),
    ])
}
