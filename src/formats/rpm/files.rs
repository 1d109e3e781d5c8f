//! The files of a package, from the parallel arrays of its header's signed region.

use super::header::{Header, Numbers, Strings};
use super::tag;
use crate::model::{Algorithm, Digest, RootedPath};

/// One file as its package wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// As recorded.
    pub path: RootedPath,
    /// Its digest; absent for what is no regular file, and for ghosts.
    pub digest: Option<Digest>,
    /// In bytes; absent if the package does not say.
    pub size: Option<u64>,
    /// Type and permission bits as in stat(2) `st_mode`.
    pub mode: Option<u32>,
    /// Name of its owner.
    pub user: Option<Vec<u8>>,
    /// Name of its group.
    pub group: Option<Vec<u8>>,
    /// Target, of a symbolic link.
    pub link: Option<Vec<u8>>,
    /// Capabilities as text; empty for none.
    pub capabilities: Vec<u8>,
    /// [`CONFIG`] and its neighbours.
    pub flags: u32,
    /// Which properties the packager wants compared: [`VERIFY_DIGEST`] and its neighbours, all unless it says otherwise.
    pub verify: u32,
    /// 1 ELF of 32 bits, 2 of 64, 0 neither.
    pub colour: u32,
    /// What was done with it at installation ([`NOT_INSTALLED`] and others); not signed, so it excuses no file that is
    /// there.
    pub state: Option<u8>,
}

/// Flag: configuration, whose content may differ.
pub const CONFIG: u32 = 1;
/// Flag: documentation, which an installation may leave out.
pub const DOC: u32 = 2;
/// Flag: may be missing.
pub const MISSING_OK: u32 = 8;
/// Flag: not in the package, only owned.
pub const GHOST: u32 = 64;

/// Bit of [`File::verify`]: the content.
pub const VERIFY_DIGEST: u32 = 1;
/// Bit of [`File::verify`]: the owner.
pub const VERIFY_USER: u32 = 8;
/// Bit of [`File::verify`]: the group.
pub const VERIFY_GROUP: u32 = 16;
/// Bit of [`File::verify`]: the mode.
pub const VERIFY_MODE: u32 = 64;
/// Bit of [`File::verify`]: the capabilities.
pub const VERIFY_CAPABILITIES: u32 = 256;

/// State: left out at installation (`--excludedocs`, `%_install_langs`).
pub const NOT_INSTALLED: u8 = 2;

/// Why the files of a header cannot be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilesProblem {
    /// A tag is missing, or its array has another length than the names.
    Array(u32),
    /// A path is not absolute, or its directory is none of the header's. The file's number, from 0.
    Path(usize),
    /// A digest is not as long as its hash function makes them. The file's number, from 0.
    Digest(usize),
    /// Files have digests by a function that we do not know; its OpenPGP number.
    Function(u64),
}

impl std::fmt::Display for FilesProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Array(tag) => write!(f, "the array of tag {tag} is missing or has the wrong length"),
            Self::Path(file) => write!(f, "file {file} has no valid path"),
            Self::Digest(file) => write!(f, "the digest of file {file} is malformed"),
            Self::Function(number) => write!(f, "files have digests by hash function {number}, which we do not know"),
        }
    }
}

/// The files that `header` lists and whose last component `is_wanted`; none for a package without files. The arrays of all
/// files must fit together, whichever are wanted.
///
/// # Errors
/// As [`FilesProblem`] says: arrays that do not fit together could be read in two ways.
pub fn files(header: &Header<'_>, is_wanted: &dyn Fn(&[u8]) -> bool) -> Result<Vec<File>, FilesProblem> {
    if let Some(whole) = header.strings(tag::OLD_FILENAMES) {
        return old_files(header, &whole, is_wanted);
    }
    let Some(names) = header.strings(tag::BASE_NAMES) else { return Ok(Vec::new()) };
    let arrays = Arrays::of(header, names.count_left())?;
    let directories: Vec<&[u8]> = header.strings(tag::DIR_NAMES).ok_or(FilesProblem::Array(tag::DIR_NAMES))?.collect();
    let indexes = header.numbers(tag::DIR_INDEXES).filter(|indexes| indexes.len() == names.count_left());
    let indexes = indexes.ok_or(FilesProblem::Array(tag::DIR_INDEXES))?;
    let path_of = |at: usize, name: &[u8]| {
        // A name with a slash would make one path of two spellings.
        let index = usize::try_from(indexes.get(at)?).ok().filter(|_| !name.contains(&b'/'))?;
        RootedPath::new([directories.get(index)?, name].concat())
    };
    arrays.select(names, is_wanted, &path_of)
}

/// Packages before rpm 4 hold whole paths.
fn old_files(
    header: &Header<'_>,
    whole: &Strings<'_>,
    is_wanted: &dyn Fn(&[u8]) -> bool,
) -> Result<Vec<File>, FilesProblem> {
    let arrays = Arrays::of(header, whole.count_left())?;
    let last = |path: &[u8]| is_wanted(path.rsplit(|byte| *byte == b'/').next().unwrap_or_default());
    arrays.select(whole.clone(), &last, &|_, path| RootedPath::new(path))
}

/// The arrays beside the names, each as long as they.
struct Arrays<'a> {
    function: Option<u64>,
    digests: Option<Strings<'a>>,
    sizes: Option<Numbers<'a>>,
    modes: Option<Numbers<'a>>,
    users: Option<Strings<'a>>,
    groups: Option<Strings<'a>>,
    links: Option<Strings<'a>>,
    capabilities: Option<Strings<'a>>,
    flags: Option<Numbers<'a>>,
    verify: Option<Numbers<'a>>,
    colours: Option<Numbers<'a>>,
    states: Option<Numbers<'a>>,
}

impl<'a> Arrays<'a> {
    fn of(header: &Header<'a>, count: usize) -> Result<Self, FilesProblem> {
        let strings = |tag| match header.strings(tag) {
            Some(array) if array.count_left() != count => Err(FilesProblem::Array(tag)),
            array => Ok(array),
        };
        let numbers = |tag| match header.numbers(tag) {
            Some(array) if array.len() != count => Err(FilesProblem::Array(tag)),
            array => Ok(array),
        };
        Ok(Self {
            function: header.number(tag::FILE_DIGEST_ALGO),
            digests: strings(tag::FILE_DIGESTS)?,
            sizes: numbers(tag::FILE_SIZES)?.or(numbers(tag::LONG_FILE_SIZES)?),
            modes: numbers(tag::FILE_MODES)?,
            users: strings(tag::FILE_USERS)?,
            groups: strings(tag::FILE_GROUPS)?,
            links: strings(tag::FILE_LINKTOS)?,
            capabilities: strings(tag::FILE_CAPS)?,
            flags: numbers(tag::FILE_FLAGS)?,
            verify: numbers(tag::FILE_VERIFY_FLAGS)?,
            colours: numbers(tag::FILE_COLORS)?,
            // Not signed: a wrong length of it says nothing about the rest.
            states: header.dribble_numbers(tag::FILE_STATES).filter(|states| states.len() == count),
        })
    }

    /// The wanted files. Every array is walked in step, so that those of one file stay together.
    fn select(
        mut self,
        names: Strings<'_>,
        is_wanted: &dyn Fn(&[u8]) -> bool,
        path_of: &dyn Fn(usize, &[u8]) -> Option<RootedPath>,
    ) -> Result<Vec<File>, FilesProblem> {
        let mut files = Vec::new();
        for (at, name) in names.enumerate() {
            let digest = next(&mut self.digests);
            let (user, group) = (next(&mut self.users), next(&mut self.groups));
            let (link, capabilities) = (next(&mut self.links), next(&mut self.capabilities));
            if !is_wanted(name) {
                continue;
            }
            let small = |array: &Option<Numbers<'_>>| array.and_then(|array| u32::try_from(array.get(at)?).ok());
            files.push(File {
                path: path_of(at, name).ok_or(FilesProblem::Path(at))?,
                digest: digest.filter(|hex| !hex.is_empty()).map(|hex| self.digest(at, hex)).transpose()?,
                size: self.sizes.and_then(|sizes| sizes.get(at)),
                mode: small(&self.modes),
                user: user.map(<[u8]>::to_vec),
                group: group.map(<[u8]>::to_vec),
                link: link.filter(|link| !link.is_empty()).map(<[u8]>::to_vec),
                capabilities: capabilities.unwrap_or_default().to_vec(),
                flags: small(&self.flags).unwrap_or(0),
                verify: small(&self.verify).unwrap_or(u32::MAX),
                colour: small(&self.colours).unwrap_or(0),
                state: self.states.and_then(|states| u8::try_from(states.get(at)?).ok()),
            });
        }
        Ok(files)
    }

    fn digest(&self, at: usize, hex: &[u8]) -> Result<Digest, FilesProblem> {
        // RFC 9580, section 9.5.
        let algorithm = match self.function {
            None | Some(1) => Algorithm::Md5,
            Some(2) => Algorithm::Sha1,
            Some(8) => Algorithm::Sha256,
            Some(10) => Algorithm::Sha512,
            Some(other) => return Err(FilesProblem::Function(other)),
        };
        let hex = std::str::from_utf8(hex).ok();
        hex.and_then(|hex| Digest::from_hex(algorithm, hex)).ok_or(FilesProblem::Digest(at))
    }
}

fn next<'a>(array: &mut Option<Strings<'a>>) -> Option<&'a [u8]> {
    array.as_mut()?.next()
}
