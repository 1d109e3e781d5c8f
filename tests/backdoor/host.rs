//! A small host made of a case: its facts, as the observer would have taken them.

use std::collections::BTreeMap;

use sshproof::facts::package::{Database, Package, PackageSystem, Reading, Record, RecordKind};
use sshproof::facts::process::Mapping;
use sshproof::facts::{FACTS_SCHEMA_PLACEHOLDER};
