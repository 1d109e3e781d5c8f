//! What a parser could not understand, and where. Parsers return it beside the value and carry on.

use serde::{Deserialize, Serialize};

/// One thing in a file that its format does not allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Counted from 1; 0 where it concerns the file as a whole.
    pub line: u32,
    /// What is wrong with it: one clause, names of the file's escaped.
    pub what: String,
}

/// The problems of one file: the first few in words, the rest counted, so that a hostile file costs no memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problems {
    /// The first [`Problems::KEPT`] of them.
    pub first: Vec<Problem>,
    /// How many more there were.
    pub more: u64,
}

impl Problems {
    /// How many problems of one file are kept in words.
    pub const KEPT: usize = 8;

    /// Notes one.
    pub fn note(&mut self, line: u32, what: impl Into<String>) {
        if self.first.len() < Self::KEPT {
            self.first.push(Problem { line, what: what.into() });
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// Adds those of another part of the same file.
    pub fn append(&mut self, other: Self) {
        for problem in other.first {
            self.note(problem.line, problem.what);
        }
        self.more = self.more.saturating_add(other.more);
    }

    /// Whether there were none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}

impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (number, problem) in self.first.iter().enumerate() {
            if number > 0 {
                f.write_str("; ")?;
            }
            match problem.line {
                0 => f.write_str(&problem.what)?,
                line => write!(f, "line {line}: {}", problem.what)?,
            }
        }
        if self.more > 0 {
            write!(f, "; and {} more", self.more)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_problems_is_counted_not_kept() {
        let mut problems = Problems::default();
        for line in 1..=20 {
            problems.note(line, "odd");
        }
        assert_eq!(problems.first.len(), Problems::KEPT);
        assert_eq!(problems.more, 12);
        assert!(problems.to_string().starts_with("line 1: odd; line 2: odd"));
        assert!(problems.to_string().ends_with("line 8: odd; and 12 more"));
    }
}
