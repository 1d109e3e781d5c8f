//! No damage makes the parser fail, hang or fill the memory.

use std::time::{Duration, Instant};

use sshproof::formats::elf::parse;

use crate::samples::{Image, library, program};

/// Damaged files parsed; the reference prototype met its own overflows after some thousand.
const MUTATIONS: u32 = 24_000;

/// A small generator (xorshift64*), so that a failure can be repeated from its number.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }
}

/// Values that counts, offsets and sizes are damaged with.
const EXTREMES: [u64; 10] =
    [0, 1, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 0x7fff_ffff_ffff_ffff, u64::MAX - 7, u64::MAX];

/// `base` with a few places damaged; `sections` and `dynamic` are the offsets of those tables.
fn mutate(base: &[u8], sections: usize, dynamic: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = base.to_vec();
    for _ in 0..=random.below(4) {
        let (start, len) = match random.below(6) {
            0 => (0, 64),
            1 => (64, 13 * 56),
            2 => (sections, base.len() - sections),
            3 => (dynamic, 0x1e0),
            4 => (0, 4096),
            _ => (0, base.len()),
        };
        let at = start + random.below(len.min(base.len() - start));
        match random.below(3) {
            0 => bytes[at] = random.next().to_le_bytes()[0],
            1 => bytes[at] ^= 1 << random.below(8),
            _ => {
                let value = EXTREMES[random.below(EXTREMES.len())].to_le_bytes();
                let at = at & !7;
                let end = (at + [2, 4, 8][random.below(3)]).min(bytes.len());
                let len = end - at;
                bytes[at..end].copy_from_slice(&value[..len]);
            }
        }
    }
    if random.below(8) == 0 {
        bytes.truncate(random.below(base.len()));
    }
    bytes
}

pub fn mutations_never_panic_nor_hang() {
    let started = Instant::now();
    let (mut parsed, mut slowest) = (0, Duration::ZERO);
    let bases = [program(), library()].map(|base| {
        let image = Image(base.to_vec());
        (base, usize::try_from(image.u64(40)).unwrap(), image.section(".dynamic").1)
    });
    for (number, (base, sections, dynamic)) in (0..MUTATIONS).zip(bases.into_iter().cycle()) {
        let bytes = mutate(base, sections, dynamic, &mut Random(u64::from(number) + 1));
        let start = Instant::now();
        let result = std::panic::catch_unwind(|| parse(&bytes)).unwrap_or_else(|_| panic!("mutation {number} panics"));
        slowest = slowest.max(start.elapsed());
        if let Ok(record) = result {
            parsed += 1;
            assert!(serde_json::to_string(&record).unwrap().len() < 65_536, "mutation {number} has a large record");
        }
    }
    eprintln!("{MUTATIONS} damaged files, {parsed} still parsed, slowest {slowest:?}, {:?} in all", started.elapsed());
    assert!(parsed > MUTATIONS / 4, "only {parsed} were still parsed");
    assert!(slowest < Duration::from_secs(2), "one took {slowest:?}");
    hostile_tables();
}

/// Counts and names chosen to make a parser work for ever or fill the memory.
fn hostile_tables() {
    let mut image = Image(library().to_vec());
    // Every symbol's name runs to the end of a large file without a NUL.
    let symbols = image.dynamic(6);
    let strings = image.dynamic(5);
    let load = image.segment(|kind, _| kind == 1);
    let len = image.0.len();
    image.0.resize(len + (8 << 20), b'a');
    let size = u64::try_from(image.0.len()).unwrap();
    image.put64(load + 32, size);
    image.put64(load + 40, size);
    image.put64(symbols + 8, 64);
    image.put64(strings + 8, u64::try_from(len).unwrap());
    let started = Instant::now();
    let _ = parse(&image.0);
    assert!(started.elapsed() < Duration::from_secs(10), "took {:?}", started.elapsed());
}
