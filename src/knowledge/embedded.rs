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
    "ebury",
    "kobalos",
    "kobalos-stealer",
    "xz-cve-2024-3094",
}
