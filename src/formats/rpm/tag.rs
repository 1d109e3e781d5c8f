//! Numbers of header tags (rpm's `include/rpm/rpmtag.h`) as far as we read them.

/// The immutable region: what the packager built, and what is signed.
pub const HEADER_IMMUTABLE: u32 = 63;
/// OpenPGP signature over header and payload, useless once installed.
pub const SIG_PGP: u32 = 259;
/// The same by a DSA key.
pub const SIG_GPG: u32 = 262;
/// OpenPGP signature over the region, DSA.
pub const DSA_HEADER: u32 = 267;
/// OpenPGP signature over the region, RSA or EdDSA.
pub const RSA_HEADER: u32 = 268;
/// SHA-1 over the region, hexadecimal.
pub const SHA1_HEADER: u32 = 269;
/// SHA-256 over the region, hexadecimal.
pub const SHA256_HEADER: u32 = 273;
/// OpenPGP signatures over the region, base64, of format 6.
pub const OPENPGP: u32 = 278;
/// SHA3-256 over the region, hexadecimal.
pub const SHA3_256_HEADER: u32 = 279;
/// Name.
pub const NAME: u32 = 1000;
/// Version.
pub const VERSION: u32 = 1001;
/// Release.
pub const RELEASE: u32 = 1002;
/// When it was installed, in seconds since 1970; added then, hence never signed.
pub const INSTALL_TIME: u32 = 1008;
/// Epoch.
pub const EPOCH: u32 = 1003;
/// The source package it was built from, a file name.
pub const SOURCE_RPM: u32 = 1044;
/// Architecture.
pub const ARCH: u32 = 1022;
/// Paths of old packages, whole.
pub const OLD_FILENAMES: u32 = 1027;
/// Sizes of files, 32 bits.
pub const FILE_SIZES: u32 = 1028;
/// States of files; always a dribble, hence never signed.
pub const FILE_STATES: u32 = 1029;
/// Modes, 16 bits with the file type.
pub const FILE_MODES: u32 = 1030;
/// Digests, hexadecimal; empty for what is no regular file.
pub const FILE_DIGESTS: u32 = 1035;
/// Targets of symbolic links.
pub const FILE_LINKTOS: u32 = 1036;
/// Flags: configuration, documentation, ghost.
pub const FILE_FLAGS: u32 = 1037;
/// Names of owners.
pub const FILE_USERS: u32 = 1039;
/// Names of groups.
pub const FILE_GROUPS: u32 = 1040;
/// Which properties are to be verified.
pub const FILE_VERIFY_FLAGS: u32 = 1045;
/// Flags of demands: how their versions are meant.
pub const REQUIRE_FLAGS: u32 = 1048;
/// Names that are demanded.
pub const REQUIRE_NAME: u32 = 1049;
/// Versions of them, empty for any.
pub const REQUIRE_VERSION: u32 = 1050;
/// Device numbers at build time, to tell hard links.
pub const FILE_DEVICES: u32 = 1095;
/// Inode numbers at build time.
pub const FILE_INODES: u32 = 1096;
/// Index of each file's directory.
pub const DIR_INDEXES: u32 = 1116;
/// Names of files in their directories.
pub const BASE_NAMES: u32 = 1117;
/// Directories, with a slash at the end.
pub const DIR_NAMES: u32 = 1118;
/// Colours: 1 for ELF of 32 bits, 2 for 64.
pub const FILE_COLORS: u32 = 1140;
/// Sizes of files, 64 bits.
pub const LONG_FILE_SIZES: u32 = 5008;
/// Capabilities, in the words of cap_from_text(3).
pub const FILE_CAPS: u32 = 5010;
/// Hash function of the digests, an OpenPGP number (RFC 9580, section 9.5); absent: MD5.
pub const FILE_DIGEST_ALGO: u32 = 5011;
