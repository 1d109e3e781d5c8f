//! The command line of an SSH server: as the kernel shows it, as sshd rewrites it, and what its options say (sshd(8),
//! dropbear(8)).

/// Options of sshd(8) that take an argument: the string of getopt(3) in sshd.c, OpenSSH 9.2 and 10.0.
const WITH_ARGUMENT: &[u8] = b"CEbcfghkopu";

/// What `/proc/PID/cmdline` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// Program name first.
    pub words: Vec<Vec<u8>>,
    /// Whether all of it is there: a title that was cut off is not, and then options may be missing.
    pub complete: bool,
}

/// Reads `/proc/PID/cmdline`. A listening sshd (since 8.2) replaces it by `sshd: ARGV… [listener] 0 of 10-100 startups`, the
/// words of its arguments joined by blanks (`prepare_proctitle` in sshd.c), cut off where the memory of the original
/// arguments and environment ends. Blanks within an argument are found again: sshd takes no words but options, so what
/// follows an option's argument without being an option continues it.
#[must_use]
pub fn command_line(bytes: &[u8]) -> CommandLine {
    let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at.saturating_add(1));
    let words: Vec<&[u8]> = bytes.get(..end).unwrap_or_default().split(|b| *b == 0).collect();
    let title = match words.as_slice() {
        [only] => title(only),
        _ => None,
    };
    match title {
        Some((joined, complete)) => CommandLine { words: rejoin(joined), complete },
        None => CommandLine {
            words: words.into_iter().map(<[u8]>::to_vec).filter(|word| end > 0 || !word.is_empty()).collect(),
            complete: end > 0,
        },
    }
}

/// The arguments within a title, and whether the title goes on after them.
fn title(text: &[u8]) -> Option<(&[u8], bool)> {
    const MARK: &[u8] = b" [listener] ";
    let colon = text.windows(2).position(|pair| pair == b": ")?;
    let name = text.get(..colon)?;
    if name.is_empty() || name.contains(&b' ') || name.contains(&b'/') {
        return None;
    }
    let rest = text.get(colon.checked_add(2)?..)?;
    match rest.windows(MARK.len()).rposition(|window| window == MARK) {
        Some(at) => Some((rest.get(..at)?, true)),
        None => Some((rest, false)),
    }
}

fn rejoin(joined: &[u8]) -> Vec<Vec<u8>> {
    let mut words: Vec<Vec<u8>> = Vec::new();
    // Whether the last word is an option's argument, or an option that waits for one.
    let mut argument = false;
    let mut waiting = false;
    for part in joined.split(|b| *b == b' ').filter(|part| !part.is_empty()) {
        let is_option = part.first() == Some(&b'-') && part.len() > 1;
        if words.is_empty() || waiting || is_option || !argument {
            let kind = if waiting || words.is_empty() { Kind::Argument } else { kind(part) };
            argument = !words.is_empty() && matches!(kind, Kind::Argument | Kind::WithArgument);
            waiting = !words.is_empty() && matches!(kind, Kind::Waits);
            words.push(part.to_vec());
        } else if let Some(last) = words.last_mut() {
            last.push(b' ');
            last.extend_from_slice(part);
        }
    }
    words
}

enum Kind {
    /// Flags only, or the argument of the option before.
    Argument,
    Flags,
    /// An option with its argument in the same word.
    WithArgument,
    /// An option whose argument is the next word.
    Waits,
}

/// What getopt(3) makes of a word where an option may stand.
fn kind(word: &[u8]) -> Kind {
    let Some(letters) = word.strip_prefix(b"-") else { return Kind::Argument };
    match letters.iter().position(|b| WITH_ARGUMENT.contains(b)) {
        Some(at) if at.checked_add(1) == Some(letters.len()) => Kind::Waits,
        Some(_) => Kind::WithArgument,
        None => Kind::Flags,
    }
}

/// What sshd's options say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SshdOptions {
    /// `-f`: configuration file.
    pub config: Option<Vec<u8>>,
    /// `-o`, in order.
    pub options: Vec<Vec<u8>>,
    /// `-p`.
    pub ports: Vec<u16>,
    /// `-h`: host keys.
    pub host_keys: Vec<Vec<u8>>,
    /// `-i`: one connection, handed over by inetd, xinetd or a socket unit.
    pub inetd: bool,
    /// `-t`, `-T`, `-G`, `-V`: it only tests its configuration or prints something.
    pub test: bool,
}

/// Reads the words after the program's name as getopt(3) does for sshd.
#[must_use]
pub fn sshd(words: &[Vec<u8>]) -> SshdOptions {
    let mut options = SshdOptions::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(letters) = word.strip_prefix(b"-").filter(|letters| !letters.is_empty()) else { break };
        if letters == b"-" {
            break;
        }
        let mut letters = letters.iter();
        while let Some(letter) = letters.next() {
            if WITH_ARGUMENT.contains(letter) {
                let attached = letters.as_slice();
                let argument = if attached.is_empty() { words.next().cloned() } else { Some(attached.to_vec()) };
                options.set(*letter, argument.unwrap_or_default());
                break;
            }
            match letter {
                b'i' => options.inetd = true,
                b't' | b'T' | b'G' | b'V' => options.test = true,
                _ => {}
            }
        }
    }
    options
}

impl SshdOptions {
    fn set(&mut self, letter: u8, argument: Vec<u8>) {
        match letter {
            b'f' => self.config = Some(argument),
            b'o' => self.options.push(argument),
            b'p' => self.ports.extend(port(&argument)),
            b'h' => self.host_keys.push(argument),
            _ => {}
        }
    }
}

/// The ports of Dropbear's `-p [address:]port`.
#[must_use]
pub fn dropbear_ports(words: &[Vec<u8>]) -> Vec<u16> {
    let mut ports = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(attached) = word.strip_prefix(b"-p") else { continue };
        let argument = if attached.is_empty() { words.next().map_or(&[][..], Vec::as_slice) } else { attached };
        ports.extend(argument.rsplit(|b| *b == b':').next().and_then(port));
    }
    ports
}

fn port(text: &[u8]) -> Option<u16> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn strings(words: &[Vec<u8>]) -> Vec<String> {
        words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }

    fn check(cmdline: &[u8], words: &[&str], complete: bool) {
        let line = command_line(cmdline);
        assert_eq!((strings(&line.words), line.complete), (words.iter().map(|w| (*w).to_owned()).collect(), complete));
    }

    #[test]
    fn titles_give_the_arguments_back() {
        check(b"sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups\0\0\0", &["/usr/sbin/sshd", "-D"], true);
        check(
            b"foo: /tmp/foo -De -p 2222 -o Banner /etc/my issue -oPort=1 -f /etc/a b -4 [listener] 1 of 10-100 startups",
            &["/tmp/foo", "-De", "-p", "2222", "-o", "Banner /etc/my issue", "-oPort=1", "-f", "/etc/a b", "-4"],
            true,
        );
        check(b"sshd: /usr/sbin/sshd -D -f /etc/ss\0", &["/usr/sbin/sshd", "-D", "-f", "/etc/ss"], false);
        check(b"/usr/sbin/sshd\0-D\0-o\0A b\0", &["/usr/sbin/sshd", "-D", "-o", "A b"], true);
        check(b"/usr/sbin/dropbear\0", &["/usr/sbin/dropbear"], true);
        check(b"", &[], false);
    }

    #[test]
    fn options_as_getopt_reads_them() {
        let words: Vec<Vec<u8>> =
            ["-Dep2222", "-p", "22", "-o", "A=b", "-oC d", "-f", "x", "-hkey", "-i", "rest", "-t"]
                .iter()
                .map(|w| w.as_bytes().to_vec())
                .collect();
        let options = sshd(&words);
        assert_eq!(options.ports, [2222, 22]);
        assert_eq!(strings(&options.options), ["A=b", "C d"]);
        assert_eq!(options.config.as_deref(), Some(&b"x"[..]));
        assert_eq!(strings(&options.host_keys), ["key"]);
        assert!(options.inetd && !options.test);
        assert_eq!(dropbear_ports(&[b"-p".to_vec(), b"[::1]:2200".to_vec(), b"-p22".to_vec()]), [2200, 22]);
    }

    proptest! {
        #[test]
        fn a_title_gives_back_what_was_joined(
            flags in "-[46Ddeiqrt]{1,3}", file in "/[a-z]{1,9}", key in "[A-Z][a-z]{1,9}", value in "[a-z/=,]{1,9}", port: u16,
        ) {
            let words = ["/usr/sbin/sshd", &flags, "-f", &file, "-o", &format!("{key} {value}"), "-p", &port.to_string()];
            let title = format!("sshd: {} [listener] 0 of 10-100 startups\0\0", words.join(" "));
            prop_assert_eq!(strings(&command_line(title.as_bytes()).words), words);
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let line = command_line(&bytes);
            let _ = (sshd(&line.words), dropbear_ports(&line.words));
        }
    }
}
