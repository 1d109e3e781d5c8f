//! The code that the kernel maps into every process (vdso(7)), compared with our own: one kernel gives the same to all.

use std::sync::OnceLock;

use super::identify::MAX_MAPS;
use super::pages::changes;
use super::parse;
use crate::facts::pages::VdsoFacts;
use crate::formats::elf::binding::Tables;
use crate::formats::proc::maps::{self, Map};
use crate::host::process::{Proc, ProcProblem, Process};

/// What the kernel calls it.
const NAME: &[u8] = b"[vdso]";
/// Largest one that is compared; real ones have two to four pages.
const MAX_SIZE: u64 = 1 << 20;
/// Bytes by which an ELF file says for which machine it is: identification, type, machine (elf(5)).
const HEADER: usize = 20;

/// Our own.
#[derive(Debug, Default)]
pub struct Vdso {
    own: OnceLock<Option<Vec<u8>>>,
    tables: OnceLock<Option<Tables>>,
}

impl Vdso {
    /// What symbols it offers.
    pub fn tables(&self, proc: &Proc) -> Option<&Tables> {
        self.tables.get_or_init(|| parse::tables(self.own.get_or_init(|| own(proc)).as_deref()?)).as_ref()
    }

    /// Where it lies among these mappings.
    #[must_use]
    pub fn address(maps: &[Map]) -> Option<u64> {
        maps.iter().find(|map| map.path == NAME).map(|map| map.start)
    }

    /// Compares that of the process with these mappings; `None` if it has none.
    ///
    /// # Errors
    /// [`ProcProblem::Gone`] if it ended.
    pub fn compare(&self, proc: &Proc, process: &Process, maps: &[Map]) -> Result<Option<VdsoFacts>, ProcProblem> {
        let Some(map) = maps.iter().find(|map| map.path == NAME) else { return Ok(None) };
        let Some(own) = self.own.get_or_init(|| own(proc)) else {
            return Ok(Some(VdsoFacts::NotCompared("our own cannot be read".to_owned())));
        };
        let theirs = match read(process, map) {
            Ok(theirs) => theirs,
            Err(ProcProblem::Gone) => return Err(ProcProblem::Gone),
            Err(problem) => return Ok(Some(VdsoFacts::NotCompared(problem.to_string()))),
        };
        Ok(Some(judge(own, &theirs, map.start)))
    }
}

fn judge(own: &[u8], theirs: &[u8], address: u64) -> VdsoFacts {
    if own == theirs {
        return VdsoFacts::Same;
    }
    // 32-bit processes have another one.
    if own.get(..HEADER) != theirs.get(..HEADER) || own.len() != theirs.len() {
        return VdsoFacts::NotCompared("it is one for another kind of program than ours".to_owned());
    }
    let (differing, changes) = changes(own, theirs);
    VdsoFacts::Differs { address, differing, changes }
}

fn own(proc: &Proc) -> Option<Vec<u8>> {
    let pid = String::from_utf8(proc.link("self").ok()?).ok()?.parse().ok()?;
    let process = proc.process(pid).ok()?;
    let maps = maps::parse(&process.read("maps", MAX_MAPS).ok()?)?;
    read(&process, maps.iter().find(|map| map.path == NAME)?).ok()
}

fn read(process: &Process, map: &Map) -> Result<Vec<u8>, ProcProblem> {
    let size = map.end.saturating_sub(map.start).min(MAX_SIZE);
    process.window("mem")?.read(map.start, usize::try_from(size).unwrap_or(0))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the test needs another process")]
mod tests {
    use super::*;

    #[test]
    fn one_that_differs_is_told_from_one_of_another_kind() {
        let own = [7_u8; 64];
        let mut changed = own;
        changed[40] = 9;
        assert_eq!(judge(&own, &own, 0), VdsoFacts::Same);
        assert!(matches!(judge(&own, &changed, 0x1000), VdsoFacts::Differs { differing: 1, address: 0x1000, .. }));
        changed[4] = 1;
        assert!(matches!(judge(&own, &changed, 0), VdsoFacts::NotCompared(_)));
        assert!(matches!(judge(&own, &own[..32], 0), VdsoFacts::NotCompared(_)));
    }

    /// A program's own child has the vdso that it has itself.
    #[test]
    fn that_of_another_process_is_the_same() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let proc = Proc::open(std::path::Path::new("/proc")).unwrap();
        let process = proc.process(i32::try_from(child.id()).unwrap()).unwrap();
        // The kernel lets us go on before it has mapped everything.
        let mut maps = Vec::new();
        while !maps.iter().any(|map: &Map| map.path == NAME) {
            maps = maps::parse(&process.read("maps", MAX_MAPS).unwrap()).unwrap();
        }
        let found = Vdso::default().compare(&proc, &process, &maps);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found, Ok(Some(VdsoFacts::Same)));
    }
}
