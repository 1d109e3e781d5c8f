//! A scratch root of two packages, `openssh-server` and `glibc` (every library that the server loads), built, signed and
//! installed by rpm's own tools; and the means to rewrite its database as an intruder would.
#![allow(dead_code, reason = "each program uses a part")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sshproof::formats::rpm::tag;
use sshproof::knowledge::vendor_keys::VendorKey;
use sshproof::knowledge::{Knowledge, VendorKeys};
use sshproof::model::report::Report;
use sshproof::model::{Algorithm, Check, Digest, Timestamp, text};
use sshproof::observe::Request;
use sshproof::policy::Policy;
use sshproof::scan;

/// A key for signing, in a GnuPG home of its own.
pub struct Key {
    home: tempfile::TempDir,
    pub fingerprint: String,
    pub public: Vec<u8>,
}

impl Key {
    /// The distributor's.
    pub fn vendor() -> Self {
        Self::new("Test Distribution <keys@example.org>")
    }

    /// Somebody's.
    pub fn new(user_id: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let gpg = |args: &[&str]| run(Command::new("gpg").arg("--homedir").arg(home.path()).args(args));
        gpg(&["--batch", "--passphrase", "", "--quick-generate-key", user_id, "rsa2048", "sign", "never"]);
        let listing = String::from_utf8(gpg(&["--with-colons", "--list-keys"])).unwrap();
        let fingerprint = listing.lines().find(|line| line.starts_with("fpr:")).unwrap().split(':').nth(9).unwrap();
        let public = gpg(&["--armor", "--export"]);
        let fingerprint = fingerprint.to_owned();
        run(Command::new("gpgconf").arg("--homedir").arg(home.path()).args(["--kill", "gpg-agent"]));
        Self { home, fingerprint, public }
    }

    fn sign(&self, package: &Path) {
        run(Command::new("rpmsign")
            .arg("--addsign")
            .args(["--define", &format!("__gpg {}", crate::common::mimic::program("gpg").unwrap().display())])
            .args(["--define", &format!("_gpg_name {}", self.fingerprint)])
            .args(["--define", &format!("_gpg_path {}", self.home.path().display())])
            .arg(package));
        run(Command::new("gpgconf").arg("--homedir").arg(self.home.path()).args(["--kill", "gpg-agent"]));
    }
}

/// How a package is built.
pub struct Build {
    pub name: &'static str,
    /// The source package's name.
    pub source: &'static str,
    pub version: &'static str,
    pub release: &'static str,
    /// Further lines of its head.
    pub more: &'static str,
    /// What stands before each of its files.
    pub attributes: &'static str,
    /// Hash function of its files' digests, as OpenPGP numbers them.
    pub algorithm: u32,
}

impl Build {
    pub const fn of(name: &'static str) -> Self {
        Self { name, source: name, version: "9.2p1", release: "1", more: "", attributes: "", algorithm: 8 }
    }
}

/// The root.
pub struct Host {
    dir: tempfile::TempDir,
    pub root: PathBuf,
    /// The distributor's.
    pub key: Key,
    /// Libraries and the loader, relative to the root.
    pub libraries: Vec<PathBuf>,
}

impl Host {
    /// Everything signed by `vendor`.
    pub fn build(vendor: Key) -> Self {
        Self::install(vendor, None, None, 0)
    }

    /// With so many packages beside, each of a PAM module that the server's stack names.
    pub fn build_in_pieces(vendor: Key, pieces: usize) -> Self {
        Self::install(vendor, None, None, pieces)
    }

    /// With a third package beside, `duo_unix`, of a PAM module that the server's stack names: signed by `third`.
    pub fn build_with_third(vendor: Key, third: &Key) -> Self {
        Self::install(vendor, None, Some(third), 0)
    }

    /// The server's package signed by `signer` instead, whose key lies beside the vendor's.
    pub fn build_with(vendor: Key, signer: &Key) -> Self {
        Self::install(vendor, Some(signer), None, 0)
    }

    fn install(vendor: Key, signer: Option<&Key>, third: Option<&Key>, pieces: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        let server = dir.path().join("server");
        let base = dir.path().join("base");
        copy(Path::new("/usr/sbin/sshd"), &server);
        write(&server.join("etc/ssh/sshd_config"), "UsePAM yes\n");
        let mut first = third.map_or("", |_| "auth required pam_duo.so\n").to_owned();
        for piece in 0..pieces {
            first.push_str(&format!("auth required pam_piece{piece}.so\n"));
        }
        write(
            &server.join("etc/pam.d/sshd"),
            &format!("{first}auth required pam_deny.so\naccount required pam_deny.so\n"),
        );
        write(&base.join("etc/os-release"), "ID=testos\nVERSION_ID=9.1\nPRETTY_NAME=\"Test OS 9\"\n");
        write(&base.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nsshd:x:100:100::/run/sshd:/bin/false\n");
        write(&base.join("etc/group"), "root:x:0:\nsshd:x:100:\n");
        write(&base.join("etc/nsswitch.conf"), "passwd: files\ngroup: files\nshadow: files\nhosts: files\n");
        let mut libraries = Vec::new();
        let modules = ["pam_deny.so"].map(|name| PathBuf::from("/lib/x86_64-linux-gnu/security").join(name));
        for library in libraries_of("/usr/sbin/sshd").into_iter().chain(modules) {
            // Debian's /lib is a link to usr/lib; so it is in the root.
            let at = std::fs::canonicalize(library.parent().unwrap()).unwrap().join(library.file_name().unwrap());
            std::fs::create_dir_all(base.join(at.parent().unwrap().strip_prefix("/").unwrap())).unwrap();
            std::fs::copy(&library, base.join(at.strip_prefix("/").unwrap())).unwrap();
            libraries.push(at.strip_prefix("/").unwrap().to_owned());
        }
        for directory in ["usr/lib", "usr/lib64", "usr/sbin", "usr/bin", "var/lib/rpm", "etc/pki/rpm-gpg"] {
            std::fs::create_dir_all(root.join(directory)).unwrap();
        }
        for name in ["lib", "lib64", "bin", "sbin"] {
            std::os::unix::fs::symlink(format!("usr/{name}"), root.join(name)).unwrap();
        }
        let host = Self { dir, root, key: vendor, libraries };
        let mut packages = vec![
            // SHA-512 and SHA-256: packages choose, and one host has both.
            host.package(&Build { algorithm: 10, ..Build::of("glibc") }, &base, &host.key),
            host.package(
                &Build { more: "Requires: glibc >= 9.2p1\nRequires: glibc >= 9", ..Build::of("openssh-server") },
                &server,
                signer.unwrap_or(&host.key),
            ),
        ];
        for piece in 0..pieces {
            let files = host.dir.path().join(format!("piece{piece}"));
            let security = files.join("usr/lib/x86_64-linux-gnu/security");
            std::fs::create_dir_all(&security).unwrap();
            let module = security.join(format!("pam_piece{piece}.so"));
            std::fs::copy("/lib/x86_64-linux-gnu/security/pam_permit.so", module).unwrap();
            packages.push(host.package(
                &Build { source: "piece", ..Build::of(format!("piece{piece}").leak()) },
                &files,
                &host.key,
            ));
        }
        if let Some(third) = third {
            let files = host.dir.path().join("third");
            let security = files.join("usr/lib/x86_64-linux-gnu/security");
            std::fs::create_dir_all(&security).unwrap();
            std::fs::copy("/lib/x86_64-linux-gnu/security/pam_permit.so", security.join("pam_duo.so")).unwrap();
            // Of the server's source, in a later version; with a capability.
            let build = Build {
                source: "openssh-server",
                version: "9.3",
                attributes: "%caps(cap_chown=p) ",
                ..Build::of("duo_unix")
            };
            packages.push(host.package(&build, &files, third));
        }
        for (number, key) in std::iter::once(&host.key).chain(signer).enumerate() {
            let prose = format!("A key of somebody's.\n\n{}", String::from_utf8(key.public.clone()).unwrap());
            let file = host.root.join(format!("etc/pki/rpm-gpg/RPM-GPG-KEY-{number}"));
            write(&file, &prose);
            // A key in rpm's database too: a pseudo-package without files.
            run(host.rpm().arg("--import").arg(&file));
        }
        run(host.rpm().args(["-i", "--nodeps", "--noscripts", "--notriggers"]).args(packages));
        host
    }

    fn rpm(&self) -> Command {
        rpm(&self.root)
    }

    /// A package of everything beneath `files`, signed.
    fn package(&self, build: &Build, files: &Path, signer: &Key) -> PathBuf {
        package(self.dir.path(), build, files, signer)
    }

    /// The package files that it was installed from.
    pub fn package_files(&self) -> Vec<PathBuf> {
        let found =
            run(Command::new("find").arg(self.dir.path()).args(["-name", "*.rpm", "-not", "-name", "*.src.rpm"]));
        String::from_utf8(found).unwrap().lines().map(PathBuf::from).collect()
    }

    /// A directory of pins: file names with their content.
    pub fn trust_dir(&self, files: &[(&str, &str)]) -> PathBuf {
        let dir = self.dir.path().join("trust.d");
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir(&dir).unwrap();
        for (name, content) in files {
            write(&dir.join(name), content);
        }
        dir
    }

    /// Puts an older version of the base package in the place of the installed one, past rpm's rules; as well signed.
    pub fn roll_back(&self) {
        // With another library than the newer one, which goes on to work.
        let base = self.dir.path().join("base");
        let library = self.libraries.iter().find(|path| path.to_str().unwrap().contains("libz")).unwrap();
        let old = [std::fs::read(base.join(library)).unwrap(), b"old".to_vec()].concat();
        std::fs::write(base.join(library), old).unwrap();
        let older = Build { version: "9.1p1", algorithm: 10, ..Build::of("glibc") };
        let package = self.package(&older, &self.dir.path().join("base"), &self.key);
        run(self.rpm().args(["-U", "--oldpackage", "--nodeps", "--noscripts", "--notriggers"]).arg(package));
    }

    /// The header blobs of all packages, in the order of their numbers.
    pub fn blobs(&self) -> Vec<Vec<u8>> {
        let rows = self.sqlite("SELECT hex(blob) FROM Packages ORDER BY hnum;");
        rows.lines().map(|row| text::unhex(row).unwrap()).collect()
    }

    /// Puts a database of another form in the place of SQLite's.
    pub fn replace_database(&self, file: &str, content: &[u8]) {
        let directory = self.root.join("var/lib/rpm");
        std::fs::remove_dir_all(&directory).unwrap();
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join(file), content).unwrap();
    }

    /// The installed packages, as rpm reads Berkeley DB's form.
    pub fn rpm_reads_bdb(&self) -> Vec<String> {
        let mut rpm = Command::new("rpm");
        rpm.arg("--root").arg(&self.root).args(["--dbpath", "/var/lib/rpm", "--define", "_db_backend bdb_ro", "-qa"]);
        let listing = String::from_utf8(run(&mut rpm)).unwrap();
        let mut names: Vec<String> = listing.lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    /// Changes one byte of code; the SHA-256 of what is there then, in hexadecimal.
    pub fn alter(&self, file: &str) -> String {
        let path = self.root.join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
        std::fs::write(&path, &bytes).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        Digest::of(Algorithm::Sha256, &bytes).hex()
    }

    /// Rewrites the header of the installed package `name`.
    pub fn rewrite(&self, name: &str, change: impl FnOnce(&mut Header)) {
        let rows = self.sqlite("SELECT hnum, hex(blob) FROM Packages;");
        for row in rows.lines() {
            let (number, hex) = row.split_once('|').unwrap();
            let mut header = Header::parse(&text::unhex(hex).unwrap());
            if header.name() == name {
                change(&mut header);
                self.sqlite(&format!(
                    "UPDATE Packages SET blob = x'{}' WHERE hnum = {number};",
                    text::hex(&header.blob())
                ));
                return;
            }
        }
        panic!("{name} is not installed");
    }

    /// Adds an altered copy of the header of the package `name` under this number, in the index too.
    pub fn plant(&self, name: &str, number: u32, change: impl FnOnce(&mut Header)) {
        let rows = self.sqlite("SELECT hnum, hex(blob) FROM Packages;");
        let headers = rows.lines().map(|row| row.split_once('|').unwrap());
        let mut headers = headers.map(|(own, hex)| (own.to_owned(), Header::parse(&text::unhex(hex).unwrap())));
        let (own, mut header) = headers.find(|(_, header)| header.name() == name).unwrap();
        change(&mut header);
        let blob = text::hex(&header.blob());
        self.sqlite(&format!(
            "INSERT INTO Packages(hnum, blob) VALUES ({number}, x'{blob}'); \
             INSERT INTO Basenames SELECT key, {number}, idx FROM Basenames WHERE hnum = {own};"
        ));
    }

    /// Adds a header under this number, in the index too, as that of the installed package `name` stands there.
    pub fn plant_beside(&self, name: &str, number: u32, blob: &[u8]) {
        let own = self.sqlite(&format!("SELECT hnum FROM Name WHERE key = '{name}';"));
        let (own, blob) = (own.trim(), text::hex(blob));
        self.sqlite(&format!(
            "INSERT INTO Packages(hnum, blob) VALUES ({number}, x'{blob}'); \
             INSERT INTO Basenames SELECT key, {number}, idx FROM Basenames WHERE hnum = {own};"
        ));
    }

    /// What SQLite's own shell answers about the database.
    pub fn sqlite(&self, sql: &str) -> String {
        let mut child = Command::new("sqlite3")
            .arg(self.root.join("var/lib/rpm/rpmdb.sqlite"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }

    /// `rpm -V` of both packages: by path, the letters of what differs; `m` for a missing file.
    pub fn rpm_verify(&self) -> BTreeMap<String, Vec<char>> {
        let output = self.rpm().args(["-V", "--nodeps", "--noscripts", "-a"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let lines = String::from_utf8(output.stdout).unwrap();
        let line = |line: &str| {
            let (letters, path) = (line.split(' ').next().unwrap(), &line[line.find('/').unwrap()..]);
            let letters =
                if letters == "missing" { vec!['m'] } else { letters.chars().filter(|c| *c != '.').collect() };
            (path.to_owned(), letters)
        };
        lines.lines().map(line).collect()
    }

    pub fn scan(&self) -> Report {
        self.scan_with(Vec::new())
    }

    pub fn scan_with(&self, keyrings: Vec<(String, Vec<u8>)>) -> Report {
        self.scan_as(&[(&self.key, true)], keyrings)
    }

    /// With these keys pinned for the root's distribution, for the base or not.
    pub fn scan_pinning(&self, keys: &[(&Key, bool)]) -> Report {
        self.scan_as(keys, Vec::new())
    }

    fn scan_as(&self, keys: &[(&Key, bool)], keyrings: Vec<(String, Vec<u8>)>) -> Report {
        let request = Request { root: self.root.clone(), keyrings, ..Request::default() };
        let pins = keys.iter().map(|(key, base)| pin("testos", &key.fingerprint, *base)).collect();
        let knowledge = knowing(pins);
        let wanted = [Check::Provenance].into();
        scan::scan(&request, &wanted, &knowledge, &Policy::default(), None, &mut |_| {}).unwrap().1
    }
}

/// A key pinned for this distribution, for its base or not.
pub fn pin(distro: &str, fingerprint: &str, base: bool) -> VendorKey {
    VendorKey {
        distro: distro.to_owned(),
        fingerprint: fingerprint.to_owned(),
        algorithm: "rsa2048".to_owned(),
        created: Timestamp(0),
        expires: None,
        user_id: "Test".to_owned(),
        file: "made by the test".to_owned(),
        signing_subkeys: Vec::new(),
        base,
        revoked: None,
    }
}

/// The program's own knowledge with these keys pinned and no other.
pub fn knowing(keys: Vec<VendorKey>) -> Knowledge {
    Knowledge::embedded().with_vendor_keys(VendorKeys { keys, ..VendorKeys::embedded() })
}

/// rpm for this root.
pub fn rpm(root: &Path) -> Command {
    let mut rpm = Command::new("rpm");
    rpm.arg("--root").arg(root).args(["--dbpath", "/var/lib/rpm", "--define", "_db_backend sqlite"]);
    rpm
}

/// A package of everything beneath `files`, built in `dir` and signed.
pub fn package(dir: &Path, build: &Build, files: &Path, signer: &Key) -> PathBuf {
    let Build { name, source, version, release, more, attributes, algorithm } = build;
    let mut list = String::new();
    for entry in walkdir::WalkDir::new(files).sort_by_file_name() {
        let entry = entry.unwrap();
        let path = Path::new("/").join(entry.path().strip_prefix(files).unwrap());
        if entry.file_type().is_file() {
            let config = if path.starts_with("/etc") { "%config(noreplace) " } else { "" };
            list.push_str(&format!("{config}{attributes}%attr(-,root,root) {}\n", path.display()));
        }
    }
    // A package of another source's name is a further one of that source, whose own has no files and is not made.
    let (head, of) = if name == source {
        (String::new(), String::new())
    } else {
        (format!("%description\nA test.\n%package -n {name}\nSummary: A test\n"), format!(" -n {name}"))
    };
    let spec = format!(
        "Name: {source}\nVersion: {version}\nRelease: {release}\nSummary: A test\nLicense: MIT\nBuildArch: noarch\n{head}\
         AutoReqProv: no\n{more}\n%description{of}\nA test.\n%install\nmkdir -p %{{buildroot}}\n\
         cp -a {}/. %{{buildroot}}\n%files{of}\n{list}",
        files.display()
    );
    let spec_path = dir.join(format!("{name}.spec"));
    write(&spec_path, &spec);
    let top = dir.join("build");
    run(Command::new("rpmbuild")
        .args(["-bb", "--define", &format!("_topdir {}", top.display())])
        .args(["--define", "_build_id_links none", "--define", "__os_install_post %{nil}"])
        .args(["--define", "_binaries_in_noarch_packages_terminate_build 0", "--define", "debug_package %{nil}"])
        // Little compression: the test waits for it.
        .args([
            "--define",
            "_binary_payload w1.gzdio",
            "--define",
            &format!("_binary_filedigest_algorithm {algorithm}"),
        ])
        .arg(&spec_path));
    let package = top.join(format!("RPMS/noarch/{name}-{version}-{release}.noarch.rpm"));
    signer.sign(&package);
    package
}

/// A header taken apart: entries and data of the region as they are, dribbles each by itself.
#[derive(Clone)]
pub struct Header {
    index: Vec<u8>,
    data: Vec<u8>,
    /// Tag, type, count, data.
    pub dribbles: Vec<(u32, u32, u32, Vec<u8>)>,
}

impl Header {
    fn parse(blob: &[u8]) -> Self {
        let word = |at: usize| u32::from_be_bytes(blob[at..at + 4].try_into().unwrap());
        let (entries, length) = (word(0) as usize, word(4) as usize);
        let start = 8 + 16 * entries;
        let trailer = word(16) as usize;
        let inside = (word(start + trailer + 8).wrapping_neg() / 16) as usize;
        let region = trailer + 16;
        // A dribble's data reaches to where the next one's begins.
        let mut offsets: Vec<usize> = (inside..entries).map(|n| word(8 + 16 * n + 8) as usize).collect();
        offsets.push(length);
        offsets.sort_unstable();
        let dribble = |n: usize| {
            let at = 8 + 16 * n;
            let offset = word(at + 8) as usize;
            let end = *offsets.iter().find(|other| **other > offset).unwrap();
            (word(at), word(at + 4), word(at + 12), blob[start + offset..start + end].to_vec())
        };
        let dribbles = (inside..entries).map(dribble).collect();
        Self { index: blob[8..8 + 16 * inside].to_vec(), data: blob[start..start + region].to_vec(), dribbles }
    }

    fn blob(&self) -> Vec<u8> {
        let (mut index, mut data) = (self.index.clone(), self.data.clone());
        for (tag, kind, count, bytes) in &self.dribbles {
            let align = [1, 1, 1, 2, 4, 8].get(*kind as usize).copied().unwrap_or(1);
            data.resize(data.len().next_multiple_of(align), 0);
            index.extend([*tag, *kind, u32::try_from(data.len()).unwrap(), *count].map(u32::to_be_bytes).concat());
            data.extend_from_slice(bytes);
        }
        let lengths = [index.len() / 16, data.len()].map(|length| u32::try_from(length).unwrap().to_be_bytes());
        [lengths.concat(), index, data].concat()
    }

    fn name(&self) -> String {
        String::from_utf8(self.region_entry(tag::NAME).3).unwrap().split('\0').next().unwrap().to_owned()
    }

    /// An entry of the region with its data up to the next entry's.
    pub fn region_entry(&self, wanted: u32) -> (u32, u32, u32, Vec<u8>) {
        let entries: Vec<[u32; 4]> = self
            .index
            .chunks(16)
            .map(|entry| std::array::from_fn(|n| u32::from_be_bytes(entry[4 * n..4 * n + 4].try_into().unwrap())))
            .collect();
        let [tag, kind, offset, count] = *entries.iter().find(|entry| entry[0] == wanted).unwrap();
        let end = entries.iter().map(|entry| entry[2]).filter(|other| *other > offset).min().unwrap();
        (tag, kind, count, self.data[offset as usize..end as usize].to_vec())
    }

    /// Puts another digest into the region's array for the file at `path`.
    pub fn replace_digest(&mut self, path: &str, digest: &str) {
        let blob = self.blob();
        let header = sshproof::formats::rpm::header::Header::parse(&blob).unwrap();
        let files = sshproof::formats::rpm::files::files(&header, &|_| true).unwrap();
        let file = files.iter().find(|file| file.path.as_bytes() == path.as_bytes()).unwrap();
        let old = file.digest.unwrap().hex();
        let at = memchr::memmem::find(&self.data, old.as_bytes()).unwrap();
        self.data[at..at + digest.len()].copy_from_slice(digest.as_bytes());
    }
}

/// The loader and every library that ldd(1) names for `program`.
fn libraries_of(program: &str) -> Vec<PathBuf> {
    let listing = String::from_utf8(run(Command::new("ldd").arg(program))).unwrap();
    let words = listing.split_ascii_whitespace().filter(|word| word.starts_with('/'));
    words.map(PathBuf::from).collect()
}

fn copy(file: &Path, into: &Path) {
    let at = into.join(file.strip_prefix("/").unwrap());
    std::fs::create_dir_all(at.parent().unwrap()).unwrap();
    std::fs::copy(file, at).unwrap();
}

fn write(path: &Path, content: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

pub fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    output.stdout
}
