//! Every dependency has a licence that `deny.toml` allows and comes from the registry it allows. Needs no network and no
//! further tool: cargo reads what it has built from.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the fences are for the program; tests prepare the world it is let loose on"
)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn strings(value: &toml::Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

fn deny() -> toml::Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml");
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

/// The packages that this platform's build consists of: those of others need not have been fetched.
fn packages() -> Vec<Value> {
    let rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV").output().unwrap();
    let text = String::from_utf8(rustc.stdout).unwrap();
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--offline",
            "--locked",
            "--all-features",
            "--filter-platform",
            host,
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Whether an SPDX expression can be met with allowed licences: of `OR` (and the old `/`) one side, of `AND` both.
fn allowed(expression: &str, allow: &[String]) -> bool {
    let expression = expression.replace('/', " OR ");
    let tokens: Vec<String> =
        expression.replace('(', " ( ").replace(')', " ) ").split_whitespace().map(str::to_owned).collect();
    let mut at = 0;
    let met = either(&tokens, &mut at, allow);
    met && at == tokens.len()
}

fn either(tokens: &[String], at: &mut usize, allow: &[String]) -> bool {
    let mut met = both(tokens, at, allow);
    while tokens.get(*at).is_some_and(|token| token == "OR") {
        *at += 1;
        met |= both(tokens, at, allow);
    }
    met
}

fn both(tokens: &[String], at: &mut usize, allow: &[String]) -> bool {
    let mut met = one(tokens, at, allow);
    while tokens.get(*at).is_some_and(|token| token == "AND") {
        *at += 1;
        met &= one(tokens, at, allow);
    }
    met
}

fn one(tokens: &[String], at: &mut usize, allow: &[String]) -> bool {
    let Some(token) = tokens.get(*at) else { return false };
    *at += 1;
    if token == "(" {
        let met = either(tokens, at, allow);
        let closed = tokens.get(*at).is_some_and(|token| token == ")");
        *at += 1;
        return met && closed;
    }
    let mut name = token.clone();
    if tokens.get(*at).is_some_and(|token| token == "WITH") {
        name = format!("{name} WITH {}", tokens.get(*at + 1).map_or("", String::as_str));
        *at += 2;
    }
    allow.contains(&name)
}

#[test]
fn every_licence_is_allowed() {
    let allow = strings(&deny()["licenses"]["allow"]);
    let packages = packages();
    assert!(packages.len() > 50, "only {} packages", packages.len());
    let wrong: Vec<String> = packages
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(|licence| allowed(licence, &allow)))
        .map(|package| format!("{} {}: {}", package["name"], package["version"], package["license"]))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Of the lock file, so of every platform's packages.
#[test]
fn every_source_is_allowed() {
    let allow = strings(&deny()["sources"]["allow-registry"]);
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    let lock: toml::Table = text.parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    let foreign: Vec<&toml::Value> = packages
        .iter()
        .filter(|package| package["name"].as_str() != Some("sshproof"))
        .filter(|package| {
            let source = package.get("source").and_then(toml::Value::as_str).unwrap_or_default();
            let registry = source.strip_prefix("registry+");
            let pinned = package.get("checksum").and_then(toml::Value::as_str).is_some_and(|sum| sum.len() == 64);
            !(pinned && registry.is_some_and(|registry| allow.iter().any(|allowed| allowed == registry)))
        })
        .collect();
    assert!(foreign.is_empty(), "{foreign:#?}");
}

#[test]
fn expressions_are_read_as_spdx_says() {
    let allow = ["MIT".to_owned(), "Zlib".to_owned(), "Apache-2.0 WITH LLVM-exception".to_owned()];
    let check = |expression, expected| assert_eq!(allowed(expression, &allow), expected, "{expression}");
    check("MIT", true);
    check("GPL-3.0-only", false);
    check("GPL-3.0-only OR MIT", true);
    check("GPL-3.0-only/MIT", true);
    check("GPL-3.0-only AND MIT", false);
    check("(GPL-3.0-only OR MIT) AND Zlib", true);
    check("MIT AND (GPL-3.0-only AND Zlib)", false);
    check("Apache-2.0", false);
    check("Apache-2.0 WITH LLVM-exception", true);
    check("(MIT", false);
    check("", false);
}
