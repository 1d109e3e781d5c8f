//! Site manifests with the program itself: an image without any package database, with overlays, as nodes have it on tmpfs and
//! on overlayfs; and packages in several versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use libtest_mimic::Trial;
use serde_json::Value;

use crate::common::mimic::{Part, trial};
use crate::common::program::program;
use crate::common::report::Scan;
use crate::common::root::{Root, repository, run};

const SSHD: &str = "/usr/sbin/sshd";

pub fn trials() -> Vec<Trial> {
    vec![
        trial("manifest_of_an_image", &[Part::Packages, Part::Namespaces, Part::Filesystem("overlay")], image),
        trial("manifest_of_packages", &[Part::Repository], packages),
    ]
}

/// A key and the directory in which it is pinned.
struct Site {
    dir: tempfile::TempDir,
    public: String,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = sshproof(&["manifest", "keygen", dir.path().join("site.key").to_str().unwrap()]);
        let public = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        let site = Self { dir, public };
        fs::create_dir(site.path("trust.d")).unwrap();
        site.pin("2099-12-31");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn pin(&self, until: &str) {
        let pin = format!(
            "[[manifest-key]]\nkey = '{}'\nowner = 'images'\nreason = 'compute image'\nexpires = '{until}'\n",
            self.public
        );
        fs::write(self.path("trust.d/images.toml"), pin).unwrap();
    }
}

fn sshproof(args: &[&str]) -> Output {
    let output = Command::new(program()).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Findings of `provenance` above informational: code and message.
fn loud(report: &Value) -> Vec<(String, String)> {
    let results = report["results"].as_array().unwrap();
    let findings = results.iter().flat_map(|result| result["findings"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let loud = findings.filter(|finding| finding["severity"] != "informational");
    loud.map(|finding| (text(&finding["code"]), text(&finding["message"]))).collect()
}

fn trust(report: &Value, path: &str) -> String {
    let file = report["files"].as_array().unwrap().iter().find(|file| file["path"] == path);
    file.unwrap_or_else(|| panic!("{path} is no file of the surface"))["trust"].as_str().unwrap().to_owned()
}

/// Clean on both kinds of file systems and on two nodes that were rendered differently; one changed byte names file and layer.
fn image() {
    let site = Site::new();
    let root = Root::stock();
    for gone in ["var/lib/dpkg", "usr/share/doc", "usr/share/locale", "var/cache", "var/lib/apt"] {
        let _ = fs::remove_dir_all(root.path().join(gone));
    }
    let overlay = site.path("overlay");
    for (path, text) in [
        ("etc/pam.d/sshd", root.read("/etc/pam.d/sshd") + "# of the site\n"),
        ("etc/ssh/sshd_config.d/node.conf", "# template\n".to_owned()),
        ("etc/hostname", "template\n".to_owned()),
    ] {
        let path = overlay.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let manifest = site.text("manifest.json");
    sshproof(&[
        "manifest",
        "build",
        "--label",
        "compute",
        "--expires",
        "2099-01-01",
        "--output",
        &manifest,
        "--root",
        root.path().to_str().unwrap(),
        "--overlay",
        overlay.to_str().unwrap(),
        "--node-file",
        "/etc/ssh/sshd_config.d/node.conf",
        "--node-file",
        "/etc/hostname",
        "--key",
        &site.text("site.key"),
    ]);
    sshproof(&["manifest", "verify", &manifest, "--key", &site.public]);
    assert!(fs::metadata(&manifest).unwrap().len() < 8 << 20);

    // What a node does at its start, and what an intruder does to it.
    let script = format!(
        r#"mount -t tmpfs scratch {work}
        node() {{ cp -a {overlay}/. "$1/"; printf '# %s\n' "$2" > "$1/etc/ssh/sshd_config.d/node.conf"; printf '%s\n' "$2" > "$1/etc/hostname"; }}
        scan() {{ {program} scan --root "$1" --check provenance --format json --manifest {manifest} --trust-dir {trust} > {out}/"$2" || true; }}
        for number in 1 2; do
            mkdir {work}/up$number {work}/work$number {work}/node$number
            mount -t overlay node$number -o lowerdir={root},upperdir={work}/up$number,workdir={work}/work$number {work}/node$number
            node {work}/node$number node$number
            scan {work}/node$number overlay$number
        done
        mkdir {work}/tmpfs
        cp -a {root}/. {work}/tmpfs
        node {work}/tmpfs node3
        scan {work}/tmpfs tmpfs
        printf '\377' | dd of={work}/node1/usr/sbin/sshd bs=1 seek=5000 conv=notrunc status=none
        scan {work}/node1 image-changed
        printf '#' >> {work}/node2/etc/pam.d/sshd
        scan {work}/node2 overlay-changed
        chmod u+s {work}/tmpfs/usr/sbin/sshd
        scan {work}/tmpfs mode-changed
        "#,
        work = site.text("work"),
        overlay = overlay.display(),
        program = program().display(),
        trust = site.text("trust.d"),
        out = site.text("out"),
        root = root.path().display(),
    );
    fs::create_dir(site.path("work")).unwrap();
    fs::create_dir(site.path("out")).unwrap();
    run(Command::new("unshare").args(["-m", "sh", "-ec", &script]));
    let report = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(site.path("out").join(name)).unwrap())
            .unwrap_or_else(|why| panic!("{name}: {why}"))
    };
    for name in ["overlay1", "overlay2", "tmpfs"] {
        let report = report(name);
        assert_eq!(loud(&report), [], "{name}");
        assert_eq!(trust(&report, SSHD), "site-signed", "{name}");
        assert_eq!(report["trust_floor"], "site-signed", "{name}");
        let result = &report["results"][0];
        assert_eq!(result["verdict"], "pass", "{name}: {:#}", result["gaps"]);
    }
    let check = |name: &str, code: &str, parts: [&str; 2]| {
        let found = loud(&report(name));
        let [(first, message)] = found.as_slice() else { panic!("{name}: {found:?}") };
        assert!(first == code && parts.iter().all(|part| message.contains(part)), "{name}: {found:?}");
    };
    check("image-changed", "provenance/digest-mismatch", [SSHD, "compute: image file"]);
    check("overlay-changed", "provenance/digest-mismatch", ["/etc/pam.d/sshd", "compute: overlay file"]);
    check("mode-changed", "provenance/mode-differs", [SSHD, "compute: image file"]);

    // The manifest changed by who cannot sign it, signed by a stranger, after its key's last day.
    let scan = |manifest: &str| {
        let trust = site.text("trust.d");
        Scan::image(root.path(), &["--check", "provenance", "--manifest", manifest, "--trust-dir", &trust]).report
    };
    let untrusted = |report: &Value| {
        assert!(loud(report).iter().any(|(code, _)| code == "provenance/manifest-untrusted"), "{:?}", loud(report));
        assert_eq!(trust(report, SSHD), "local-strong");
    };
    let forged = site.text("forged.json");
    fs::write(&forged, fs::read_to_string(&manifest).unwrap().replace("\"compute\"", "\"computer\"")).unwrap();
    untrusted(&scan(&forged));
    let other = Site::new();
    let mut value: Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    value.as_object_mut().unwrap().remove("signatures");
    fs::write(&forged, value.to_string()).unwrap();
    untrusted(&scan(&forged));
    let theirs = site.text("theirs.json");
    sshproof(&["manifest", "sign", &forged, "--key", &other.text("site.key"), "--output", &theirs]);
    untrusted(&scan(&theirs));
    // From one key to the next: both have signed, either is enough.
    let both = site.text("both.json");
    sshproof(&["manifest", "sign", &theirs, "--key", &site.text("site.key"), "--output", &both]);
    assert_eq!(trust(&scan(&both), SSHD), "site-signed");
    site.pin("2020-01-01");
    untrusted(&scan(&both));
}

/// Of package files as apt brings them: a Debian host without their archive is `site-signed`, and an older version in the same
/// manifest vouches for nothing.
fn packages() {
    let site = Site::new();
    let root = Root::stock();
    let manifest = site.text("manifest.json");
    let files = repository().as_ref().unwrap().to_str().unwrap();
    sshproof(&["manifest", "build", files, "--label", "packages", "--expires", "2099-01-01", "--output", &manifest]);
    let mut value: Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    let packages = value["packages"].as_array_mut().unwrap();
    let server = packages.iter().find(|package| package["name"] == "openssh-server").unwrap().clone();
    // An older version, with what the intruder put in place: signed by the site once, too.
    let evil = b"an older sshd";
    let mut older = server;
    older["version"] = "1:1.0".into();
    let sshd = older["files"].as_array_mut().unwrap().iter_mut().find(|file| file["path"] == SSHD).unwrap();
    sshd["digest"] = sshproof::model::Digest::of(sshproof::model::Algorithm::Sha256, evil).to_string().into();
    packages.push(older);
    fs::write(&manifest, value.to_string()).unwrap();
    let signed = site.text("signed.json");
    sshproof(&["manifest", "sign", &manifest, "--key", &site.text("site.key"), "--output", &signed]);
    let shown = sshproof(&["manifest", "show", &signed, "--package", "openssh-server"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("/usr/sbin/sshd 0755 sha256:"));
    let scan = || {
        let trust = site.text("trust.d");
        Scan::image(root.path(), &["--check", "provenance", "--manifest", &signed, "--trust-dir", &trust]).report
    };
    let report = scan();
    assert_eq!(loud(&report), []);
    assert_eq!(trust(&report, SSHD), "site-signed");
    assert_eq!(trust(&report, &root.find("/usr/lib/*/security/pam_unix.so")), "site-signed");
    assert_eq!(report["trust_floor"], "local-weak");
    replace(&root, SSHD, evil);
    assert!(loud(&scan()).iter().any(|(code, _)| code == "provenance/digest-mismatch"));
    // dpkg's digest made to fit changes nothing.
    let md5 = |bytes: &[u8]| sshproof::model::Digest::of(sshproof::model::Algorithm::Md5, bytes).hex();
    let sums = root.read("/var/lib/dpkg/info/openssh-server.md5sums");
    let line = sums.lines().find(|line| line.ends_with("usr/sbin/sshd")).unwrap();
    root.write(
        "/var/lib/dpkg/info/openssh-server.md5sums",
        sums.replace(line, &format!("{}  usr/sbin/sshd", md5(evil))),
    );
    assert!(loud(&scan()).iter().any(|(code, _)| code == "provenance/digest-mismatch"));
}

fn replace(root: &Root, inside: &str, content: &[u8]) {
    let path: &Path = &root.join(inside);
    fs::write(path, content).unwrap();
}
