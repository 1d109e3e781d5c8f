//! One server's configuration: its main file, what that includes, and the command line.

use std::collections::BTreeMap;

use super::glob;
use crate::formats::sshd_config::{self, Body, Dialect, Line, value};
use crate::login::pam::Seen;
use crate::login::tree::{Names, Tree};
use crate::model::{RootedPath, text};

/// Everything that a server reads as sshd_config(5).
#[derive(Clone, Debug)]
pub struct Config {
    /// Whose reading is followed.
    pub dialect: Dialect,
    /// The files; the first one is the main file.
    pub files: Vec<Source>,
    /// `-o` options, in order.
    pub options: Vec<Line>,
    /// Ports of `-p`: where there are any, those of the files do not count.
    pub ports: Vec<u16>,
    /// Why it could not be read as a whole.
    pub problems: Vec<Problem>,
    /// What nobody has looked at yet and must, before anything can be said.
    pub unasked: Vec<Unasked>,
}

/// One file.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where.
    pub path: RootedPath,
    /// What it says.
    pub lines: Vec<Line>,
    /// By index of an Include line: the files it stands for, as indices into [`Config::files`].
    pub includes: BTreeMap<usize, Vec<usize>>,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// No line: the default compiled into sshd.
    Default,
    /// The `-o` option of this index.
    Option(usize),
    /// A line of a file, both as indices.
    Line {
        /// Into [`Config::files`].
        file: usize,
        /// Into [`Source::lines`].
        line: usize,
    },
}

/// Something that must be looked at first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unasked {
    /// The content of a file.
    File(RootedPath),
    /// The names in a directory.
    Directory(RootedPath),
}

/// Why sshd refuses the configuration, or why we cannot tell what it says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file; `None` for the command line.
    pub path: Option<RootedPath>,
    /// Counted from 1; 0 where no line is to blame.
    pub line: u32,
    /// Counted from 1; 0 where no column is to blame.
    pub column: u32,
    /// What is wrong, a clause.
    pub message: String,
    /// The line as written, escaped; empty where no line is to blame.
    pub text: String,
    /// Whether sshd itself refuses to start with it. Otherwise we are the ones who could not read it.
    pub refused: bool,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.path {
            Some(path) if self.line > 0 => write!(f, "{path}:{}:{}: {}", self.line, self.column, self.message),
            Some(path) => write!(f, "{path}: {}", self.message),
            None => write!(f, "command line: {}", self.message),
        }
    }
}

impl std::fmt::Display for Unasked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.fmt(f),
            Self::Directory(path) => write!(f, "the directory {path}"),
        }
    }
}

impl Config {
    /// Reads the configuration whose main file is `path`.
    #[must_use]
    pub fn load(path: &RootedPath, options: &[Vec<u8>], ports: &[u16], dialect: Dialect, tree: &dyn Tree) -> Self {
        let options = options.iter().filter_map(|option| sshd_config::line::option(option, dialect)).collect();
        let mut config = Self {
            dialect,
            files: Vec::new(),
            options,
            ports: ports.to_vec(),
            problems: Vec::new(),
            unasked: Vec::new(),
        };
        let mut loader = Loader { config: &mut config, tree, known: BTreeMap::new() };
        loader.file(path);
        let mut next = 0;
        while next < loader.config.files.len() {
            loader.includes(next);
            next += 1;
        }
        config.unasked.sort();
        config.unasked.dedup();
        config
    }

    /// Values of which the configuration alone does not tell whether sshd takes them, each as `place: clause`.
    pub fn doubts(&self) -> impl Iterator<Item = String> {
        let options = self.options.iter().map(|line| ("command line".to_owned(), line));
        let lines = self
            .files
            .iter()
            .flat_map(|source| source.lines.iter().map(move |line| (format!("{}:{}", source.path, line.number), line)));
        options.chain(lines).filter_map(|(place, line)| match &line.body {
            Body::Setting { keyword, words, .. } => Some(format!("{place}: {}", value::doubt(keyword, words)?)),
            _ => None,
        })
    }

    /// The line that a value comes from.
    #[must_use]
    pub fn line(&self, origin: Origin) -> Option<(Option<&RootedPath>, &Line)> {
        match origin {
            Origin::Default => None,
            Origin::Option(index) => Some((None, self.options.get(index)?)),
            Origin::Line { file, line } => {
                let source = self.files.get(file)?;
                Some((Some(&source.path), source.lines.get(line)?))
            }
        }
    }

    /// Where a value comes from, in words: `/etc/ssh/sshd_config:42`, `command line`, `compiled-in default of …`.
    #[must_use]
    pub fn place(&self, origin: Origin) -> String {
        match self.line(origin) {
            Some((Some(path), line)) => format!("{path}:{}", line.number),
            Some((None, _)) => "command line".to_owned(),
            None => format!("compiled-in default of {}", self.dialect),
        }
    }

    /// The problem that a line has.
    #[must_use]
    pub fn problem(&self, origin: Origin, column: Option<u32>, message: impl Into<String>) -> Problem {
        let found = self.line(origin);
        Problem {
            path: found.and_then(|(path, _)| path.cloned()),
            line: found.map_or(0, |(_, line)| line.number),
            column: column.or_else(|| found.map(|(_, line)| line.column)).unwrap_or(0),
            message: message.into(),
            text: found.map_or_else(String::new, |(_, line)| text::escape(&line.text)),
            refused: true,
        }
    }
}

struct Loader<'a> {
    config: &'a mut Config,
    tree: &'a dyn Tree,
    known: BTreeMap<RootedPath, usize>,
}

impl Loader<'_> {
    /// The index of the file at `path`, which is read unless it was before.
    fn file(&mut self, path: &RootedPath) -> usize {
        if let Some(index) = self.known.get(path) {
            return *index;
        }
        let index = self.config.files.len();
        self.known.insert(path.clone(), index);
        let mut unreadable = |message: String, refused: bool| {
            self.config.problems.push(Problem {
                path: Some(path.clone()),
                line: 0,
                column: 0,
                message,
                text: String::new(),
                refused,
            });
        };
        let lines = match self.tree.text(path) {
            Seen::Text(bytes) if bytes.len() > MAX_BYTES => {
                unreadable(format!("the file is larger than {MAX_BYTES} bytes"), false);
                Vec::new()
            }
            Seen::Text(bytes) => sshd_config::parse(bytes, self.config.dialect),
            // A directory opens and reads as an empty file.
            Seen::Opaque(_) if matches!(self.tree.names(path), Names::Listed(_)) => Vec::new(),
            Seen::Opaque(reason) => {
                unreadable(reason, false);
                Vec::new()
            }
            Seen::Missing => {
                unreadable("there is no such file".to_owned(), true);
                Vec::new()
            }
            Seen::Unasked => {
                self.config.unasked.push(Unasked::File(path.clone()));
                Vec::new()
            }
        };
        self.config.files.push(Source { path: path.clone(), lines, includes: BTreeMap::new() });
        index
    }

    fn includes(&mut self, index: usize) {
        let Some(source) = self.config.files.get(index) else { return };
        let wanted: Vec<(usize, Vec<Vec<u8>>)> = source
            .lines
            .iter()
            .enumerate()
            .filter_map(|(at, line)| match &line.body {
                Body::Include(patterns) => Some((at, patterns.clone())),
                _ => None,
            })
            .collect();
        for (at, patterns) in wanted {
            let mut targets = Vec::new();
            for pattern in patterns {
                targets.extend(self.include(index, at, &pattern));
            }
            if let Some(source) = self.config.files.get_mut(index) {
                source.includes.insert(at, targets);
            }
        }
    }

    fn include(&mut self, file: usize, line: usize, pattern: &[u8]) -> Vec<usize> {
        let origin = Origin::Line { file, line };
        let absolute = match pattern.first() {
            Some(b'/') => pattern.to_vec(),
            Some(b'~') => {
                let message = "an Include that begins with `~` depends on the directory that sshd was started in";
                let problem = Problem { refused: false, ..self.config.problem(origin, None, message) };
                self.config.problems.push(problem);
                return Vec::new();
            }
            _ => [INCLUDE_DIR, pattern].concat(),
        };
        if self.config.files.len() > MAX_FILES {
            let message = format!("more than {MAX_FILES} files are included");
            let problem = Problem { refused: false, ..self.config.problem(origin, None, message) };
            self.config.problems.push(problem);
            return Vec::new();
        }
        match glob::expand(&absolute, self.tree, &mut self.config.unasked) {
            Ok(paths) => paths.iter().map(|path| self.file(path)).collect(),
            Err((dir, reason)) => {
                let message = format!("{dir} could not be listed: {reason}");
                let problem = Problem { refused: false, ..self.config.problem(origin, None, message) };
                self.config.problems.push(problem);
                Vec::new()
            }
        }
    }
}

/// Relative Includes are taken from here (`SSHDIR`, compiled in), not from the including file's directory.
const INCLUDE_DIR: &[u8] = b"/etc/ssh/";

/// Largest file read, in bytes. Distributors ship 3 KiB.
const MAX_BYTES: usize = 4 << 20;

/// Most files of one configuration.
const MAX_FILES: usize = 4_096;
