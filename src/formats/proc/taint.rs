//! `/proc/sys/kernel/tainted`: what has happened to the kernel since it was started
//! (Documentation/admin-guide/tainted-kernels.rst of Linux).

/// A letter for each bit, with what it stands for and whether loading or patching code sets it.
const BITS: [(char, &str, bool); 20] = [
    ('P', "a proprietary module was loaded", true),
    ('F', "a module was loaded by force", true),
    ('S', "the processor is used beyond its specification", false),
    ('R', "a module was unloaded by force", true),
    ('M', "the processor reported a machine check", false),
    ('B', "a page was found in a bad state", false),
    ('U', "a program asked for the mark", false),
    ('D', "the kernel has died once (an oops)", false),
    ('A', "an ACPI table was replaced", false),
    ('W', "the kernel has warned", false),
    ('C', "a driver from staging was loaded", true),
    ('I', "a fault of the firmware is worked around", false),
    ('O', "a module from outside the kernel's source was loaded", true),
    ('E', "an unsigned module was loaded", true),
    ('L', "a processor hung in the kernel (soft lockup)", false),
    ('K', "the kernel was patched while it ran", true),
    ('X', "a mark of the distribution", false),
    ('T', "the layout of structures was randomised", false),
    ('N', "a test was run within the kernel", false),
    ('J', "a device was driven past its driver (fwctl)", false),
];

/// The number in the file.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<u64> {
    super::number(bytes.trim_ascii(), 10)
}

/// The letters that stand in it with their meaning, and whether code that was loaded sets them. Bits without a letter yet are
/// left out.
pub fn letters(taint: u64) -> impl Iterator<Item = (char, &'static str, bool)> {
    BITS.into_iter().enumerate().filter(move |(bit, _)| taint >> bit & 1 == 1).map(|(_, letter)| letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let letters: String = letters(parse(text.as_bytes()).unwrap()).map(|(letter, ..)| letter).collect();
        assert_eq!(letters, expected);
    }

    #[test]
    fn bits_have_letters() {
        check("0\n", "");
        // The examples of tainted-kernels.rst.
        check("65\n", "PU");
        check("4609\n", "PWO");
        check("18446744073709551615\n", "PFSRMBUDAWCIOELKXTNJ");
        assert_eq!(parse(b"x"), None);
    }
}
