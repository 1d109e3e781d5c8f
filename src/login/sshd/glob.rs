//! glob(3) as Include uses it: no flags, byte order, over a [`Tree`].

use super::config::Unasked;
use crate::login::pam::Seen;
use crate::login::tree::{Names, Tree};
use crate::model::RootedPath;

/// The paths that `pattern` (absolute) stands for, in byte order; or why that cannot be told. What nobody has looked at
/// yet is noted in `unasked` and taken for missing.
///
/// # Errors
///
/// A directory on the way could not be listed: its path and why.
pub fn expand(
    pattern: &[u8],
    tree: &dyn Tree,
    unasked: &mut Vec<Unasked>,
) -> Result<Vec<RootedPath>, (RootedPath, String)> {
    let mut found = vec![RootedPath::root()];
    let components: Vec<&[u8]> = pattern.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
    let last = components.len().saturating_sub(1);
    for (index, component) in components.iter().enumerate() {
        let mut next = Vec::new();
        for dir in found {
            if is_literal(component) {
                let Some(path) = dir.join(unescaped(component)) else { continue };
                if index < last || exists(&path, tree, unasked) {
                    next.push(path);
                }
                continue;
            }
            match tree.names(&dir) {
                Names::Listed(names) => {
                    next.extend(names.iter().filter(|name| matches(name, component)).filter_map(|name| dir.join(name)));
                }
                Names::Missing => {}
                Names::Opaque(reason) => return Err((dir, reason)),
                Names::Unasked => unasked.push(Unasked::Directory(dir)),
            }
        }
        found = next;
        if found.len() > MAX_MATCHES {
            return Err((RootedPath::root(), format!("an Include stands for more than {MAX_MATCHES} files")));
        }
    }
    found.sort();
    Ok(found)
}

/// Most paths that one pattern may stand for.
const MAX_MATCHES: usize = 10_000;

fn exists(path: &RootedPath, tree: &dyn Tree, unasked: &mut Vec<Unasked>) -> bool {
    match tree.text(path) {
        Seen::Text(_) | Seen::Opaque(_) => true,
        Seen::Missing => false,
        Seen::Unasked => {
            unasked.push(Unasked::File(path.clone()));
            false
        }
    }
}

fn is_literal(component: &[u8]) -> bool {
    !component.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

fn unescaped(component: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(component.len());
    let mut bytes = component.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => out.extend(bytes.next()),
            byte => out.push(*byte),
        }
    }
    out
}

/// Whether `name` matches `pattern` (fnmatch(3) with `FNM_PERIOD`): a leading dot only matches a dot.
fn matches(name: &[u8], pattern: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    fnmatch(name, pattern, &mut 0)
}

/// `budget` counts comparisons: patterns with many stars on long names would otherwise take exponential time.
fn fnmatch(name: &[u8], pattern: &[u8], budget: &mut u32) -> bool {
    *budget += 1;
    if *budget > MAX_COMPARISONS {
        return false;
    }
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|skip| fnmatch(name.get(skip..).unwrap_or_default(), rest, budget)),
        Some((b'?', rest)) => name.split_first().is_some_and(|(_, tail)| fnmatch(tail, rest, budget)),
        Some((b'[', rest)) if bracket(0, rest).is_some() => name
            .split_first()
            .and_then(|(byte, tail)| bracket(*byte, rest).map(|(hit, rest)| hit && fnmatch(tail, rest, budget)))
            .unwrap_or(false),
        Some((b'\\', rest)) if !rest.is_empty() => match (rest.split_first(), name.split_first()) {
            (Some((p, rest)), Some((n, tail))) => p == n && fnmatch(tail, rest, budget),
            _ => false,
        },
        Some((p, rest)) => name.split_first().is_some_and(|(n, tail)| p == n && fnmatch(tail, rest, budget)),
    }
}

const MAX_COMPARISONS: u32 = 100_000;

/// A bracket expression without its `[`: whether `byte` is in it, and what follows. `None`: it is never closed.
fn bracket(byte: u8, rest: &[u8]) -> Option<(bool, &[u8])> {
    let (negated, mut rest) = match rest.split_first() {
        Some((b'!' | b'^', tail)) => (true, tail),
        _ => (false, rest),
    };
    let mut hit = false;
    let mut first = true;
    loop {
        let (low, tail) = rest.split_first()?;
        if *low == b']' && !first {
            return Some((hit != negated, tail));
        }
        first = false;
        match tail {
            [b'-', high, tail @ ..] if *high != b']' => {
                hit |= (*low..=*high).contains(&byte);
                rest = tail;
            }
            tail => {
                hit |= *low == byte;
                rest = tail;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::login::tree::Texts;

    fn check(pattern: &str, expected: &[&str]) {
        let files =
            ["/etc/ssh/d/b.conf", "/etc/ssh/d/a.conf", "/etc/ssh/d/.c.conf", "/etc/ssh/d/a.bak", "/etc/ssh/e/a.conf"];
        let tree = Texts(BTreeMap::from(files.map(|path| (RootedPath::new(path).unwrap(), Vec::new()))));
        let found = expand(pattern.as_bytes(), &tree, &mut Vec::new()).unwrap();
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected, "{pattern}");
    }

    #[test]
    fn patterns() {
        check("/etc/ssh/d/*.conf", &["/etc/ssh/d/a.conf", "/etc/ssh/d/b.conf"]);
        check("/etc/ssh/*/a.conf", &["/etc/ssh/d/a.conf", "/etc/ssh/e/a.conf"]);
        check("/etc/ssh/d/[!b].conf", &["/etc/ssh/d/a.conf"]);
        check("/etc/ssh/d/[a-c].conf", &["/etc/ssh/d/a.conf", "/etc/ssh/d/b.conf"]);
        check("/etc/ssh/d/.*.conf", &["/etc/ssh/d/.c.conf"]);
        check("/etc/ssh/d/a.conf", &["/etc/ssh/d/a.conf"]);
        check("/etc/ssh/none/*.conf", &[]);
        check("/etc/ssh/d/\\a.*", &["/etc/ssh/d/a.bak", "/etc/ssh/d/a.conf"]);
    }
}
