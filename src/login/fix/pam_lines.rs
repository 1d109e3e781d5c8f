//! Edits of PAM stacks, and of the modules' own files, that may close a way in.

use super::{Change, Edit};
use crate::knowledge::pam_models::PamModels;
use crate::login::factor::Step;
use crate::login::pam::Seen;
use crate::login::prove::Violation;
use crate::login::tree::Tree;
use crate::model::RootedPath;
use crate::model::text::unescape;

/// Words of the lines of the way that may go or be another: options that let some pass, and `include` for `substack`.
pub fn options(violation: &Violation, tree: &dyn Tree) -> Vec<Edit> {
    let mut edits = Vec::new();
    for step in &violation.way.evidence.trace {
        let words = words(step);
        let edit = |text: String| Edit { path: step.path.clone(), line: step.line, change: Change::Replace(text) };
        // A stack that another file's `sufficient` ends early.
        match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["@include", target, ..] if target.starts_with("common-auth") => {
                edits.push(edit(format!("auth substack {target}")));
            }
            [_, "include", ..] => {
                edits.push(edit(joined(&words, |word| if word == "include" { "substack" } else { word })))
            }
            _ => {}
        }
        // A module that is told to let some pass.
        if words.iter().any(|word| is_lenient(word)) {
            let kept: Vec<String> = words.iter().filter(|word| !is_lenient(word)).cloned().collect();
            edits.push(edit(kept.join(" ")));
        }
    }
    edits.extend(includes(violation, tree));
    edits
}

/// Lines of the way with another control, or gone; and of pam_duo's own file.
pub fn controls(violation: &Violation, tree: &dyn Tree) -> Vec<Edit> {
    let mut edits = Vec::new();
    for step in &violation.way.evidence.trace {
        let words = words(step);
        edits.extend(control(step, &words));
        edits.extend(duo(&words, tree));
    }
    edits
}

/// The words of a line, a control in brackets taken for one.
fn words(step: &Step) -> Vec<String> {
    let bytes = unescape(&step.text).unwrap_or_else(|| step.text.as_bytes().to_vec());
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut words: Vec<String> = Vec::new();
    let mut open = false;
    for word in text.split_whitespace() {
        match words.last_mut() {
            Some(last) if open => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
        open = words.last().is_some_and(|last| last.starts_with('[') && !last.ends_with(']'));
    }
    words
}

fn joined<'w>(words: &'w [String], each: impl Fn(&'w str) -> &'w str) -> String {
    words.iter().map(|word| each(word)).collect::<Vec<_>>().join(" ")
}

/// Options by which a module lets an account pass that shows nothing (models under `signatures/pam`).
fn is_lenient(word: &str) -> bool {
    matches!(word, "nullok" | "nouserok" | "alwaysok" | "localifdown") || word.starts_with("grace_period=")
}

/// A line of `auth` whose control lets the stack do without the module: with `required` where the module asks for a factor,
/// else gone.
fn control(step: &Step, words: &[String]) -> Option<Edit> {
    let [kind, control, module, ..] = words else { return None };
    let module = module.rsplit('/').next().unwrap_or(module);
    if kind.trim_start_matches('-') != "auth"
        || control == "required"
        || control == "requisite"
        || !module.ends_with(".so")
    {
        return None;
    }
    let asks = PamModels::builtin().get(module)?.auth.iter().any(|outcome| outcome.shows.is_some());
    let leads_past = step.what.contains(": jumps over ") || step.what.contains(": counts and ends ");
    let change = if asks {
        let rest = words.get(2..).unwrap_or_default().join(" ");
        Change::Replace(format!("auth required {rest}"))
    } else if leads_past {
        Change::Delete
    } else {
        return None;
    };
    Some(Edit { path: step.path.clone(), line: step.line, change })
}

/// `failmode = secure` in the file that pam_duo reads, where a line there says otherwise.
fn duo(words: &[String], tree: &dyn Tree) -> Option<Edit> {
    let named = words.iter().any(|word| word.ends_with("pam_duo.so"));
    let path = words.iter().find_map(|word| word.strip_prefix("conf=")).filter(|_| named)?;
    let path = RootedPath::new(path)?;
    let Seen::Text(text) = tree.text(&path) else { return None };
    let says = |line: &[u8]| {
        let mut parts = line.splitn(2, |byte| *byte == b'=').map(<[u8]>::trim_ascii);
        parts.next() == Some(b"failmode") && parts.next() == Some(b"safe")
    };
    let at = text.split(|byte| *byte == b'\n').position(says)?;
    let line = u32::try_from(at).ok()?.checked_add(1)?;
    Some(Edit { path, line, change: Change::Replace("failmode = secure".to_owned()) })
}

/// `include` lines of the files on the way, each as `substack`.
fn includes(violation: &Violation, tree: &dyn Tree) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut paths: Vec<&RootedPath> = violation.way.evidence.trace.iter().map(|step| &step.path).collect();
    paths.sort();
    paths.dedup();
    let dirs = paths.iter().filter_map(|path| path.parent()).filter_map(|dir| dir.join(b"sshd"));
    let mut files: Vec<RootedPath> = paths.iter().map(|path| (*path).clone()).chain(dirs).collect();
    files.sort();
    files.dedup();
    for path in files {
        let Seen::Text(text) = tree.text(&path) else { continue };
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let words: Vec<&str> = std::str::from_utf8(line).unwrap_or_default().split_whitespace().collect();
            let replaced = match words.as_slice() {
                ["auth", "include", target, ..] => format!("auth substack {target}"),
                ["@include", target @ "common-auth", ..] => format!("auth substack {target}"),
                _ => continue,
            };
            let line = u32::try_from(index + 1).unwrap_or(u32::MAX);
            edits.push(Edit { path: path.clone(), line, change: Change::Replace(replaced) });
        }
    }
    edits
}
