//! Every ELF file of this machine against every family.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use libtest_mimic::Failed;
use sshproof::formats::elf::Elf;
use sshproof::knowledge::Knowledge;

const TREES: [&str; 4] = ["/usr", "/lib", "/opt", "/bin"];
/// Larger files are language servers and debuggers' databases; the program itself refuses them too.
const LARGEST: u64 = 256 << 20;

/// No content rule matches, and as many files and bytes were looked at as `find` counts. A machine on which something is
/// installed meanwhile is looked at once more.
pub fn nobody_is_accused() -> Result<(), Failed> {
    let mut differences = Vec::new();
    for _ in 0..3 {
        let before = counted_by_find();
        let looked_at = sweep()?;
        if looked_at == before {
            return Ok(());
        }
        differences.push((looked_at, before));
    }
    Err(format!("files and bytes looked at, and as find counts them: {differences:?}").into())
}

fn sweep() -> Result<(u64, u64), Failed> {
    let knowledge = Knowledge::embedded();
    let files: Vec<PathBuf> = files();
    let next = AtomicUsize::new(0);
    let (count, bytes_read) = (AtomicUsize::new(0), AtomicU64::new(0));
    let accused = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let bytes = std::fs::read(path).unwrap();
                    let elf = Elf::parse(&bytes).ok();
                    let hits = knowledge.match_bytes(&bytes, elf.as_ref());
                    count.fetch_add(1, Ordering::Relaxed);
                    bytes_read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                    if !hits.is_empty() {
                        accused.lock().unwrap().push(format!("{}: {hits:?}", path.display()));
                    }
                }
            });
        }
    });
    let (count, bytes_read) = (count.into_inner() as u64, bytes_read.into_inner());
    eprintln!("{count} ELF files, {bytes_read} bytes, {} families", knowledge.families().len());
    assert!(count > 100, "only {count} files");
    let accused = accused.into_inner().unwrap();
    if accused.is_empty() { Ok((count, bytes_read)) } else { Err(accused.join("\n").into()) }
}

/// Regular files that begin as ELF files do, each inode once.
fn files() -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    let mut files = Vec::new();
    for tree in TREES.map(Path::new) {
        for entry in walkdir::WalkDir::new(tree).same_file_system(true).into_iter().filter_map(Result::ok) {
            if !entry.file_type().is_file() {
                continue;
            }
            let Ok(meta) = entry.metadata() else { continue };
            if meta.len() > LARGEST || meta.len() < 4 || !seen.insert((meta.dev(), meta.ino())) {
                continue;
            }
            let mut magic = [0; 4];
            let read =
                std::fs::File::open(entry.path()).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut magic));
            if read.is_ok() && magic == *b"\x7fELF" {
                files.push(entry.into_path());
            }
        }
    }
    files
}

/// The same by find(1), grep(1) and awk(1), which share no code with us.
fn counted_by_find() -> (u64, u64) {
    let script = format!(
        "for tree in {}; do [ -L $tree ] || find $tree -xdev -type f -size +3c -size -{}c -printf '%D:%i %s %p\\0'; done \
         | sort -z -u -k1,1 | while IFS= read -r -d '' line; do rest=${{line#* }}; size=${{rest%% *}}; path=${{rest#* }}; \
         LC_ALL=C IFS= read -r -N 4 magic < \"$path\" 2>/dev/null; \
         [ \"$magic\" = $'\\x7fELF' ] && echo $size; done | awk '{{ n++; sum += $1 }} END {{ printf \"%.0f %.0f\", n, sum }}'",
        TREES.join(" "),
        LARGEST + 1
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (count, bytes) = text.split_once(' ').unwrap();
    (count.parse().unwrap(), bytes.parse().unwrap())
}
