//! Certificates for one test, made by openssl(1).

use std::path::{Path, PathBuf};
use std::process::Command;

use super::common::root::run;

/// An authority with what it vouches for.
pub struct Authority {
    dir: PathBuf,
}

impl Authority {
    pub fn new(dir: &Path) -> Self {
        std::fs::create_dir(dir).unwrap();
        let it = Self { dir: dir.to_owned() };
        run(it
            .openssl(&["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem"])
            .args(["-addext", "basicConstraints=critical,CA:TRUE"]));
        it
    }

    /// One that was made there before.
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    fn openssl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(&self.dir);
        command
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// `NAME.pem` and `NAME.key` for a host of this name, which ends in so many days: 0 has ended before it is used.
    pub fn issue(&self, name: &str, days: u32) {
        run(self.openssl(&["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]).args([
            "-subj",
            &format!("/CN={name}"),
            "-keyout",
            &format!("{name}.key"),
            "-out",
            "request",
        ]));
        let extensions = format!("subjectAltName=DNS:{name}\nbasicConstraints=CA:FALSE\n");
        std::fs::write(self.path("extensions"), extensions).unwrap();
        run(self
            .openssl(&["x509", "-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"])
            .args(["-days", &days.to_string(), "-extfile", "extensions", "-out", &format!("{name}.pem")]));
        if days == 0 {
            // Its last second is this one.
            std::thread::sleep(std::time::Duration::from_millis(1100));
        }
    }
}
