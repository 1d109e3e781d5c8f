//! What is known: `signatures/` compiled. Pure: bytes come in as arguments, hits go out.

pub mod catalogue;
pub mod embedded;
pub mod encoding;
pub mod engine;
pub mod family;
pub mod hit;
pub mod load;
pub mod manifest_keys;
pub mod pam_models;
pub mod pattern;
pub mod scope;
pub mod search;
pub mod site_keys;
pub mod vendor_keys;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::OnceLock;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::formats::elf::Elf;
use crate::model::{Algorithm, Digest, text};
use engine::Engine;
pub use family::{Family, Indicator, Kind, Specificity};
pub use hit::{Hit, Place, Trait};
pub use load::LoadError;
pub use manifest_keys::ManifestKey;
pub use site_keys::SiteKey;
pub use vendor_keys::VendorKeys;

/// All families, and the engine made of their content rules.
pub struct Knowledge {
    date: String,
    families: Vec<Family>,
    engine: Engine,
    byte_rules: String,
    /// Parsed when somebody asks: nobody does on a host whose packages carry no signatures.
    vendor_keys: OnceLock<VendorKeys>,
    /// What the site pins beside them.
    site_keys: Vec<SiteKey>,
    /// Keys whose manifests count.
    manifest_keys: Vec<ManifestKey>,
}

impl fmt::Debug for Knowledge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Knowledge").field("date", &self.date).field("families", &self.families.len()).finish()
    }
}

impl Knowledge {
    /// The knowledge that the program carries.
    ///
    /// # Panics
    /// Never: a test loads every embedded file.
    #[must_use]
    pub fn embedded() -> Self {
        let (knowledge, problems) = Self::with_overrides(&[]);
        assert!(problems.is_empty(), "embedded signatures are broken: {problems:?}");
        knowledge
    }

    /// The same, where each of `files` (name and content, as read from `signatures.d`) adds a family or takes the place
    /// of the one with its id. A broken file changes nothing and is named; a later file wins.
    #[must_use]
    pub fn with_overrides(files: &[(String, Vec<u8>)]) -> (Self, Vec<LoadError>) {
        let embedded = embedded::FAMILIES.iter().map(|(name, text)| (*name, text.as_bytes()));
        let given = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        let mut families = BTreeMap::new();
        let mut problems = Vec::new();
        for (name, bytes) in embedded.chain(given) {
            match load::load(name, bytes) {
                Ok(family) => {
                    families.insert(family.id.clone(), family);
                }
                Err(errors) => problems.extend(errors),
            }
        }
        (Self::new(embedded::DATE, families.into_values().collect()), problems)
    }

    /// Knowledge of exactly these families.
    #[must_use]
    pub fn new(date: impl Into<String>, families: Vec<Family>) -> Self {
        let engine = Engine::new(&families);
        let byte_rules = byte_rules(&families);
        Self {
            date: date.into(),
            families,
            engine,
            byte_rules,
            vendor_keys: OnceLock::new(),
            site_keys: Vec::new(),
            manifest_keys: Vec::new(),
        }
    }

    /// Date of the embedded files, `YYYY-MM-DD`.
    #[must_use]
    pub fn date(&self) -> &str {
        &self.date
    }

    /// The families, by id.
    #[must_use]
    pub fn families(&self) -> &[Family] {
        &self.families
    }

    /// The family with this id.
    #[must_use]
    pub fn family(&self, id: &str) -> Option<&Family> {
        self.families.iter().find(|family| family.id == id)
    }

    /// SHA-256, in hexadecimal, over everything that decides what [`Self::match_bytes`] returns: facts made with another
    /// value were matched with other rules.
    #[must_use]
    pub fn byte_rules(&self) -> &str {
        &self.byte_rules
    }

    /// The algorithms by which published indicators name files; an observer that wants all of them found takes these.
    #[must_use]
    pub fn digest_algorithms(&self) -> BTreeSet<Algorithm> {
        let kinds = self.families.iter().flat_map(|family| &family.indicators).map(|indicator| &indicator.kind);
        let digests = kinds.filter_map(|kind| if let Kind::Digest(digests) = kind { Some(digests) } else { None });
        digests.flatten().map(Digest::algorithm).collect()
    }

    /// The content rules that a file of these bytes matches. `elf` is the view of the same bytes, if they are ELF.
    #[must_use]
    pub fn match_bytes(&self, bytes: &[u8], elf: Option<&Elf<'_>>) -> Vec<Hit> {
        self.engine.match_bytes(bytes, elf)
    }

    /// The keys of distributors.
    #[must_use]
    pub fn vendor_keys(&self) -> &VendorKeys {
        self.vendor_keys.get_or_init(VendorKeys::embedded)
    }

    /// The same with other keys.
    #[must_use]
    pub fn with_vendor_keys(self, vendor_keys: VendorKeys) -> Self {
        Self { vendor_keys: vendor_keys.into(), ..self }
    }

    /// The keys that the site pins.
    #[must_use]
    pub fn site_keys(&self) -> &[SiteKey] {
        &self.site_keys
    }

    /// The same with these keys of the site's.
    #[must_use]
    pub fn with_site_keys(self, site_keys: Vec<SiteKey>) -> Self {
        Self { site_keys, ..self }
    }

    /// The keys whose manifests count.
    #[must_use]
    pub fn manifest_keys(&self) -> &[ManifestKey] {
        &self.manifest_keys
    }

    /// The same with these.
    #[must_use]
    pub fn with_manifest_keys(self, manifest_keys: Vec<ManifestKey>) -> Self {
        Self { manifest_keys, ..self }
    }

    /// The compiled rules, to be measured.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }
}

fn byte_rules(families: &[Family]) -> String {
    #[derive(Serialize)]
    struct Line<'a>(&'a str, &'a str, Specificity, &'a family::Content);
    let mut hash = Sha256::new();
    for family in families {
        for indicator in &family.indicators {
            if let Kind::Content(content) = &indicator.kind {
                let line = Line(&family.id, &indicator.id, indicator.specificity, content);
                // Neither maps with other keys than strings nor foreign serialisers occur in these types.
                hash.update(serde_json::to_vec(&line).unwrap_or_default());
                hash.update(b"\n");
            }
        }
    }
    text::hex(&hash.finalize())
}
