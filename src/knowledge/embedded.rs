//! The files of `signatures/` that the program carries.

/// Date of the newest fact in them, `YYYY-MM-DD`.
pub const DATE: &str = "2026-11-22";

macro_rules! families {
    ($($name:literal),* $(,)?) => {
        /// Every family: name of its file and its text.
        pub const FAMILIES: &[(&str, &str)] =
            &[$((concat!($name, ".toml"), include_str!(concat!("../../signatures/", $name, ".toml")))),*];
    };
}

families! {
    "auto-color",
    "bpfdoor",
    "diamorphine",
    "ebury",
    "egi-hpc-2020",
    "energetic-bear-ssh",
    "fontonlake",
    "forsshe-abafar",
    "forsshe-akiva",
    "forsshe-alderaan",
    "forsshe-ando",
    "forsshe-atollon",
    "forsshe-batuu",
    "forsshe-bespin",
    "forsshe-bonadan",
    "forsshe-borleias",
    "forsshe-chandrila",
    "forsshe-coruscant",
    "forsshe-crait",
    "forsshe-endor",
    "forsshe-generic",
    "forsshe-jakku",
    "forsshe-kamino",
    "forsshe-kessel",
    "forsshe-mimban",
    "forsshe-onderon",
    "forsshe-polis-massa",
    "forsshe-quarren",
    "hiddenwasp",
    "juniper-libs-so",
    "kobalos-stealer",
    "kobalos",
    "krasue",
    "medusa-unc3886",
    "openssh-8-0p1-trojan-2023",
    "orbit",
    "pam-backdoors-generic",
    "perfctl",
    "plague",
    "preload-rootkits",
    "pumakit",
    "pygmy-goat",
    "reptile",
    "ringh23",
    "skidmap",
    "spawn-ivanti",
    "ssh-banner-backdoors",
    "sshdinjector",
    "symbiote",
    "trojaned-sshd-legacy",
    "virtualpita",
    "voidlink",
    "windigo-other",
    "winnti-linux",
    "xz-cve-2024-3094",
}
