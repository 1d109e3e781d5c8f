//! Edits of sshd's own files that may close a way in.

use super::{Change, Edit, pam_lines};
use crate::formats::sshd_config::{Body, Criterion};
use crate::login::explain;
use crate::login::prove::{Server, Violation};
use crate::login::sshd::{Config, Origin};
use crate::login::tree::Tree;
use crate::model::text::escape;

/// Lists that ask for two authenticators with what distributions ship, most usual first.
const LISTS: [&str; 2] = ["publickey,keyboard-interactive", "publickey,password"];

/// What to try, the least first.
pub fn candidates(violation: &Violation, server: &Server, config: &Config, tree: &dyn Tree) -> Vec<Edit> {
    let mut edits = Vec::new();
    let methods = violation.origins.iter().find(|(keyword, _)| *keyword == "authenticationmethods");
    let methods = methods.map_or(Origin::Default, |(_, origin)| *origin);
    // A list that a line sets: without the line, or with a better one.
    if let Some((Some(path), line)) = config.line(methods) {
        let edit = |change| Edit { path: path.clone(), line: line.number, change };
        if explain::enclosing(config, methods).is_some() {
            edits.push(edit(Change::Delete));
        }
        edits.extend(LISTS.map(|list| edit(Change::Replace(format!("AuthenticationMethods {list}")))));
    }
    // Hosts that log their users in.
    let hosts = violation.origins.iter().find(|(keyword, _)| *keyword == "hostbasedauthentication");
    if let Some((Some(path), line)) = hosts.and_then(|(_, origin)| config.line(*origin)) {
        let change = Change::Replace("HostbasedAuthentication no".to_owned());
        edits.push(Edit { path: path.clone(), line: line.number, change });
    }
    edits.extend(pam_lines::options(violation, tree));
    // A Match line of nothing but negations that was meant to hold for everybody else.
    for dead in config
        .files
        .iter()
        .enumerate()
        .flat_map(|(file, source)| source.lines.iter().enumerate().map(move |(line, text)| (file, line, text)))
    {
        let (file, _, line) = dead;
        let text = escape(&line.text);
        if let Body::Match(criteria) = &line.body
            && criteria.0.iter().any(Criterion::is_void)
            && let Some((before, after)) = text.split_once('!')
            && let Some(source) = config.files.get(file)
        {
            let change = Change::Replace(format!("{before}*,!{after}"));
            edits.push(Edit { path: source.path.clone(), line: line.number, change });
        }
    }
    // No list at all: one for everybody, first in the main file.
    if methods == Origin::Default {
        for list in LISTS {
            let lines = vec![format!("AuthenticationMethods {list}")];
            edits.push(Edit { path: server.config.clone(), line: 1, change: Change::Insert(lines) });
        }
        let lines = vec![
            format!("AuthenticationMethods {}", LISTS[0]),
            "KbdInteractiveAuthentication yes".to_owned(),
            "UsePAM yes".to_owned(),
        ];
        edits.push(Edit { path: server.config.clone(), line: 1, change: Change::Insert(lines) });
    }
    edits.extend(pam_lines::controls(violation, tree));
    edits
}
