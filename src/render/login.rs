//! What `sshproof login` shows: the proof of each server, every way in, or the values of one connection.

use super::human::evidence;
use super::human::servers::{self, proof};
use super::page::{Page, Style, Tone};
use crate::checks::connection::{Paths, Standing, Values};
use crate::model::report::{Exemption, Login, Proof};

/// The proofs, each with its counterexamples.
#[must_use]
pub fn proofs(proofs: &[Login], style: Style) -> String {
    let mut page = Page::new(style);
    for login in proofs {
        page.heading(&login.server);
        let tone = match login.proof {
            Proof::Proved | Proof::ProvedWithExemptions => Tone::Calm,
            Proof::Refuted => Tone::Alarm,
            Proof::Unknown => Tone::Doubt,
        };
        page.toned_field(login.proof.name(), tone, &format!(" {}", proof(login)));
        for example in &login.counterexamples {
            page.gap();
            page.field("who", &example.region);
            page.field(
                "example",
                &format!("{} from {} by `{}`", example.user, example.from, example.methods.join(",")),
            );
            page.field("proves only", &example.factors.join(", "));
            for line in &example.decided_by {
                page.field("decided by", &evidence::spaced(line));
            }
            page.field("fix", &example.fix);
            page.field("try", &example.replay);
        }
        for exemption in &login.exemptions {
            page.gap();
            answered_for(&mut page, exemption);
        }
        page.gap();
        for assumption in &login.assumptions {
            page.field("assuming", assumption);
        }
    }
    page.finish()
}

/// What the site answers for, and the logins that it allows.
pub fn answered_for(page: &mut Page, exemption: &Exemption) {
    page.field(if exemption.assumed { "assumed" } else { "exempted" }, &exemption.what);
    page.field("by", &servers::owner(exemption));
    for login in &exemption.logins {
        page.field("allows", login);
    }
}

/// Every way in, weakest first.
#[must_use]
pub fn paths(servers: &[Paths], style: Style) -> String {
    let mut page = Page::new(style);
    for server in servers {
        page.heading(&server.server);
        if server.paths.is_empty() {
            page.text(2, "no way in was found");
        }
        for path in &server.paths {
            page.gap();
            let certain = match path.standing {
                _ if path.uncertain => ", uncertain",
                Standing::Exempt => ", exempted by the site",
                Standing::Enough | Standing::Short | Standing::Unknown => "",
            };
            page.hang(
                &[("  ", Tone::Plain), (&path.methods.join(","), Tone::Strong)],
                4,
                &format!("  authenticators: {}, categories: {}{certain}", path.authenticators, path.categories),
            );
            page.field("  who", &path.region);
            page.field("  proves", &path.factors.join(", "));
            for line in &path.decided_by {
                page.field("  decided", &evidence::spaced(line));
            }
        }
        for reason in &server.unknowns {
            page.gap();
            page.toned_field("unknown", Tone::Doubt, reason);
        }
    }
    page.finish()
}

/// The values as `sshd -T` prints them, each followed by where it comes from if `origins`. One server's need no heading,
/// so that the lines can be compared with `sshd -T -C …` as they are; lines are not wrapped for the same reason.
#[must_use]
pub fn values(servers: &[Values], origins: bool, style: Style) -> String {
    let mut page = Page::new(Style { width: usize::MAX, ..style });
    for server in servers {
        if servers.len() > 1 {
            page.heading(&format!("# {}", server.server));
        }
        for value in &server.values {
            let origin = if origins { format!("   # {}", value.from) } else { String::new() };
            page.text(0, &format!("{}{origin}", value.text));
        }
    }
    page.finish()
}
