//! Whether `pam_setcred` can succeed where `pam_authenticate` did not run before it in the same process.
//!
//! sshd calls it after every login with `UsePAM yes` and, where PAM has authenticated, ends the connection if it fails
//! (`do_pam_setcred` in auth-pam.c). After `password` libpam repeats the answers of the authentication.
//! `keyboard-interactive` authenticates in a child, so there the modules' own answers steer the stack anew (seen with OpenSSH
//! 9.2 and Linux-PAM 1.5.2): `[success=1] pam_unix.so` jumps whatever was typed, and a stack that ends behind the jump has
//! granted nothing. After a key alone a failure is noted and no more.

use crate::formats::pam::ReturnCode;

use super::dispatch;
use super::instance::Alternative;
use super::stack::{Handler, HandlerKind};

/// Whether the stack grants credentials on its own. Modules are taken to grant theirs, which they do but for `pam_deny`
/// (`pam_sm_setcred` in pam_deny.c, pam_unix_auth.c, pam_permit.c, pam_google_authenticator.c, pam_oath.c): what is not known
/// changes nothing.
#[must_use]
pub fn succeeds(handlers: &[Handler], alternatives: &[Vec<Alternative>]) -> bool {
    let code = |at: usize, handler: &Handler| match &handler.kind {
        HandlerKind::Module { module, .. } if module.ends_with(b"pam_deny.so") => ReturnCode::CRED_ERR,
        HandlerKind::Module { .. } => match alternatives.get(at).map(Vec::as_slice) {
            Some([only]) if only.codes == [ReturnCode::MODULE_UNKNOWN] && only.when.is_empty() => {
                ReturnCode::MODULE_UNKNOWN
            }
            _ => ReturnCode::SUCCESS,
        },
        HandlerKind::MustFail | HandlerKind::Substack => ReturnCode::PERM_DENIED,
    };
    dispatch::run(handlers, code) == ReturnCode::SUCCESS
}
