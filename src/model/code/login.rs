//! Codes of the check `login`.

use super::codes;

codes! { LOGIN;
    LOGIN_SINGLE_FACTOR_PATH = "login/single-factor-path", Exposure, High;
        "a login path asks for less than policy demands";
        "Every way in was followed: each class of connections through the Match blocks of sshd_config, each list of \
         authentication methods, each line of the PAM stacks. This one succeeds with fewer authenticators than policy demands. \
         The finding names an account and an address that can take it, everybody else who can, and the lines that decide it; \
         the command under `try` shows the server's own view of the same connection. Whether an account has a password is \
         not read, so every account is taken to have one; a login shell such as nologin does not end authentication.";
        "Close the way in as `fix` proposes, or demand a second method with AuthenticationMethods and see that each method \
         of the list asks for a factor of its own.";
        ["sshd_config(5), AuthenticationMethods", "pam.conf(5)", "NIST SP 800-63B-4, section 2"]
    LOGIN_EXEMPTED_PATH = "login/exempted-path", Exposure, Informational;
        "a login path asks for less, and the site answers for it";
        "Policy declares an exemption for these logins, or an assumption about what the host cannot see (certificates given after \
         a login elsewhere, tickets, the servers of another zone). The proof is then `proved-with-exemptions`, never `proved`. The \
         finding names who can log in from where with what, and who answers for it until when; from that day on it counts as any \
         other login path.";
        "Nothing, if the exemption is meant. Otherwise remove it from sshproof.toml and close the way in.";
        ["sshproof.toml, [[login.exemption]] and [[login.assumption]]", "NIST SP 800-63B-4, section 2"]
    LOGIN_EXEMPTION_ENDED = "login/exemption-ended", Hygiene, Informational;
        "an exemption or assumption of the policy has ended";
        "Its day has passed, so it was not applied. Login paths that rested on it are reported as any other.";
        "Remove it from sshproof.toml, or let its owner set another day.";
        ["sshproof.toml, [[login.exemption]] and [[login.assumption]]"]
    LOGIN_DEAD_MATCH_BLOCK = "login/dead-match-block", Hygiene, Low;
        "a Match block can never apply";
        "The criteria of this block exclude every connection: a list of negated patterns only matches nothing \
         (`Match User !root` is not \"everybody but root\"), and without `UseDNS yes` the host of `Match Host` is the \
         address as text. What stands in the block has no effect.";
        "Write `*,!pattern` where everybody else is meant, `Match Address` where a network is, or remove the block.";
        ["ssh_config(5), PATTERNS", "sshd_config(5), Match"]
    LOGIN_CONFIG_NOT_LOADED = "login/config-not-loaded", Hygiene, Informational;
        "a server runs with another configuration than the one on the disk";
        "sshd reads its files when it starts and when it is told to (SIGHUP), not when they change. The state directory shows what \
         they said when this one read them, and that is not what they say now. Both are judged: what it runs with counts until it \
         reads them again, what lies on the disk from then on.";
        "Reload the server once the files are as they should be: `systemctl reload ssh` (`sshd` on other systems).";
        ["sshd(8), SIGHUP"]
    LOGIN_CONFIG_REFUSED = "login/config-refused", Hygiene, Medium;
        "sshd refuses its configuration";
        "sshd ends with an error when it reads this configuration. A server that is running still holds what it read when it \
         was started, which shows only if a state directory kept it (`--spool`); after the next restart nobody can log in.";
        "Mend the line; `sshd -t` shows what sshd says.";
        ["sshd(8), -t", "sshd_config(5)"]
    LOGIN_SEED_IN_REACH = "login/seed-in-reach", Hygiene, Informational;
        "the secret of one-time codes lies where its account can replace it";
        "The module keeps the secret of an account's one-time codes in that account's home directory, which is how its own \
         set-up program does it. Whatever runs as the account can read the secret and put another in its place: a batch job, a \
         session on a node that shares the home directory, a file transfer. So somebody who gets in once without a code has \
         the codes from then on. The proof holds as long as the secrets are known to their owners only.";
        "Keep the secrets where only root writes, such as `secret=/var/lib/otp/${USER} user=root` of pam_google_authenticator, or \
         in a file of pam_oath's.";
        ["pam_google_authenticator(8), secret=", "NIST SP 800-63B-4, section 3.1.5"]
    LOGIN_UNMODELLED_SERVER = "login/single-factor-server", Exposure, High;
        "a server that can only ever ask for one factor";
        "This implementation authenticates by a public key or by a password and has no way to ask for both, or none that \
         was set up (Dropbear since 2022.83: `-t`). It listens beyond loopback, or nothing shows where.";
        "Stop the server, bind it to loopback, or replace it by one that asks for two factors.";
        ["tinysshd(8)", "dropbear(8)"]
}
