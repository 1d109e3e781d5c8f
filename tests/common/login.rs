//! A root whose every login needs a key and a one-time code, by the distribution's own packages, and a client that
//! really logs in to it.

use std::process::{Command, Output};

use super::namespace::Host;
use super::root::{Root, run};

/// The account that can log in.
pub const USER: &str = "alice";

/// Her uid and gid.
pub const UID: u32 = 1000;

/// Where sshd is told to ask for both.
pub const DROP_IN: &str = "/etc/ssh/sshd_config.d/10-two-factor.conf";

/// The PAM line that asks for the code.
pub const OTP_LINE: &str = "auth required pam_google_authenticator.so\n";

/// The line after it, as guides write it: without the line above, it lets everybody through.
const PERMIT_LINE: &str = "auth required pam_permit.so\n";

/// The seed of her one-time codes, base32 (RFC 4648). Invented.
const SEED: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";

/// Codes that work once each, for further logins within the half minute of a time-based code. Invented.
const SCRATCH_CODES: [&str; 5] = ["19283746", "56473829", "10293847", "65748392", "28374650"];

/// Her client key, within the root; the client runs there too.
const KEY: &str = "/run/client/key";

/// The distribution's root with `sshd` and PAM configured for key and code, and one account enrolled in both.
pub fn two_factor() -> Root {
    let root = Root::with_otp_module();
    root.write(
        DROP_IN,
        "AuthenticationMethods publickey,keyboard-interactive\n\
         KbdInteractiveAuthentication yes\n\
         PasswordAuthentication no\n\
         PermitRootLogin no\n",
    );
    root.replace("/etc/pam.d/sshd", "@include common-auth\n", &format!("{OTP_LINE}{PERMIT_LINE}"));
    root.chroot(&["useradd", "--create-home", "--shell", "/bin/bash", "--uid", &UID.to_string(), USER]);
    enrol(&root);
    root
}

/// Gives the account a key and a seed, as `ssh-copy-id` and `google-authenticator` would.
fn enrol(root: &Root) {
    root.write("/run/client/answer", "#!/bin/sh\ncat /run/client/code\n");
    root.chmod("/run/client/answer", 0o755);
    root.chroot(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "client", "-f", KEY]);
    let home = format!("/home/{USER}");
    root.write(&format!("{home}/.ssh/authorized_keys"), root.read(&format!("{KEY}.pub")));
    let seed_file = format!("{home}/.google_authenticator");
    let options = "\" RATE_LIMIT 30 30\n\" WINDOW_SIZE 3\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n";
    root.write(&seed_file, format!("{SEED}\n{options}{}\n", SCRATCH_CODES.join("\n")));
    root.chmod(&format!("{home}/.ssh"), 0o700);
    root.chmod(&format!("{home}/.ssh/authorized_keys"), 0o600);
    root.chmod(&seed_file, 0o400);
    for path in [format!("{home}/.ssh"), format!("{home}/.ssh/authorized_keys"), seed_file] {
        root.chown(&path, UID, UID);
    }
}

/// What the client offers.
#[derive(Clone, Copy)]
pub enum Offer {
    /// The key and the code of this moment.
    KeyAndCode,
    /// The key and the nth scratch code.
    KeyAndScratchCode(usize),
    /// The key, and a wrong code when asked.
    KeyAlone,
    /// The code of this moment without a key.
    CodeAlone,
}

/// Logs in to `port` of `host` and runs `command` there.
pub fn log_in(host: &Host, port: u16, offer: Offer, command: &str) -> Output {
    let code = match offer {
        Offer::KeyAndCode | Offer::CodeAlone => run(Command::new("oathtool").args(["--totp", "--base32", SEED])),
        Offer::KeyAndScratchCode(n) => SCRATCH_CODES[n].to_owned(),
        Offer::KeyAlone => "000000".to_owned(),
    };
    host.root().write("/run/client/code", code.trim().to_owned() + "\n");
    let identity: &[&str] = match offer {
        Offer::CodeAlone => &["-o", "PubkeyAuthentication=no"],
        _ => &["-i", KEY, "-o", "IdentitiesOnly=yes"],
    };
    let port = port.to_string();
    let to = format!("{USER}@127.0.0.1");
    let mut ssh = vec!["ssh", "-F", "none", "-p", &port, "-o", "StrictHostKeyChecking=no"];
    ssh.extend(["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "NumberOfPasswordPrompts=1"]);
    ssh.extend(identity.iter().copied());
    ssh.extend([to.as_str(), command]);
    host.command(&ssh).env("SSH_ASKPASS", "/run/client/answer").env("SSH_ASKPASS_REQUIRE", "force").output().unwrap()
}
