//! What a package demands of others' versions, from the parallel arrays of its header's signed region.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::header::Header;
use super::tag;
use super::version::Evr;

/// Bits of a demand's flags (`rpmsenseFlags_e` of rpm's include/rpm/rpmds.h).
const LESS: u64 = 2;
const GREATER: u64 = 4;
const EQUAL: u64 = 8;

/// Demands of one package that are read; a kernel has some thousand.
const MAX_DEMANDS: usize = 10_000;

/// How a demanded version stands to the one that is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Least {
    /// `=`: this one.
    #[serde(rename = "=")]
    Exactly,
    /// `>=`: this or a later one.
    #[serde(rename = ">=")]
    From,
    /// `>`: a later one.
    #[serde(rename = ">")]
    Above,
}

impl Least {
    /// As packagers write it.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Exactly => "=",
            Self::From => ">=",
            Self::Above => ">",
        }
    }

    /// Whether `installed` is too old for a demand of `demanded`.
    #[must_use]
    pub fn is_missed_by(self, installed: &[u8], demanded: &[u8]) -> bool {
        match Evr::parse(installed).compare(&Evr::parse(demanded)) {
            Ordering::Less => true,
            Ordering::Equal => self == Self::Above,
            Ordering::Greater => false,
        }
    }
}

/// A demand for a least version of another package. Demands for at most a version, and for things that are no packages'
/// names, are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand<'a> {
    /// Name of the package.
    pub name: &'a [u8],
    /// How.
    pub least: Least,
    /// Of which version: `[epoch:]version[-release]`.
    pub version: &'a [u8],
}

/// The demands of `header` in its order; none where the arrays do not fit together.
#[must_use]
pub fn demands<'a>(header: &Header<'a>) -> Vec<Demand<'a>> {
    let (Some(names), Some(versions), Some(flags)) =
        (header.strings(tag::REQUIRE_NAME), header.strings(tag::REQUIRE_VERSION), header.numbers(tag::REQUIRE_FLAGS))
    else {
        return Vec::new();
    };
    if names.count_left() != versions.count_left() || names.count_left() != flags.len() {
        return Vec::new();
    }
    let demand = |(at, (name, version)): (usize, (&'a [u8], &'a [u8]))| {
        let flags = flags.get(at)?;
        let least = match (flags & LESS, flags & GREATER, flags & EQUAL) {
            (0, 0, EQUAL) => Least::Exactly,
            (0, GREATER, EQUAL) => Least::From,
            (0, GREATER, 0) => Least::Above,
            _ => return None,
        };
        // `name(x86-64)` is the package for this machine; anything else in parentheses is no package.
        let name = [&b"(x86-64)"[..], b"(aarch-64)", b"(ppc-64)", b"(s390-64)"]
            .iter()
            .find_map(|suffix| name.strip_suffix(*suffix))
            .unwrap_or(name);
        let is_package = !name.contains(&b'(') && !name.contains(&b'/') && !version.is_empty();
        is_package.then_some(Demand { name, least, version })
    };
    names.zip(versions).enumerate().take(MAX_DEMANDS).filter_map(demand).collect()
}
