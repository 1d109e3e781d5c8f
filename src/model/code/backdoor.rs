//! Codes of the check `backdoor` that belong to no family; a family's code is `backdoor/` and its id.

use super::codes;

codes! { BACKDOOR;
    BACKDOOR_SUSPECTED = "backdoor/suspected", Compromise, High;
        "several traces of a known backdoor family, none of them decisive";
        "Indicators that are not decisive add points: strong 50, moderate 25, weak 5, each indicator once. From 50 points on \
         the host is suspected; from 100 on the confidence is medium instead of low. The message names every part with its \
         points. A single strong indicator, such as a file where the family is known to log passwords, is enough. Innocent \
         causes are possible, which is why the family is not the verdict.";
        "Look at each piece of evidence: who made the file, does a package or the site own it. Scan the host's image from \
         outside with `--root`, and compare with a neighbour.";
        ["https://attack.mitre.org/techniques/T1554/"]
    BACKDOOR_TRACE = "backdoor/trace", Compromise, Informational;
        "a trace of a known backdoor family that proves nothing by itself";
        "One indicator of moderate weight, or several weak ones, were found: 25 to 49 points. Innocent examples of each are \
         known or likely. It is told so that it can be seen beside other evidence, and it fails no check.";
        "Nothing by itself; look at the file if other findings name this host.";
        []
}
