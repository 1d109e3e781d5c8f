//! Codes about our own sight, not about the host.

use super::codes;

codes! { COVERAGE;
    EXCEPTION_EXPIRED = "coverage/exception-expired", Coverage, Medium;
        "an exception of the site has passed its expiry date";
        "Exceptions carry an owner and an expiry date so that somebody looks again. This one is past its date and no longer \
         has any effect: what it used to acknowledge is reported again.";
        "Renew the exception with a new date, or remove it.";
        []
    KNOWLEDGE_OLD = "coverage/knowledge-old", Coverage, Medium;
        "the knowledge of backdoors is older than policy allows";
        "Policy sets `knowledge-max-age-days`, and the newest fact in the signatures that this program carries is older. \
         Families that were described since then are not looked for.";
        "Install a newer sshproof, or add the newer families to `signatures.d`.";
        []
}
