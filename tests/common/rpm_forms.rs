//! rpm's other databases, written by the test itself after the formats' facts: Debian's rpm writes SQLite's form alone. Of
//! Berkeley DB's form its reader is the witness that what is written here is one.
#![allow(dead_code, reason = "each test program uses a part")]

/// rpm's own form (lib/backend/ndb): a page of slots, then a blob for each package.
pub fn ndb(blobs: &[Vec<u8>]) -> Vec<u8> {
    const PAGE: usize = 4096;
    let pages = (blobs.len() + 2).div_ceil(PAGE / 16);
    let mut file = [b"RpmP".as_slice(), &[0, 0, 0, 0, 7, 0, 0, 0]].concat();
    file.extend(
        [u32::try_from(pages).unwrap(), u32::try_from(blobs.len() + 1).unwrap()].map(u32::to_le_bytes).concat(),
    );
    file.resize(32, 0);
    let mut bodies: Vec<u8> = Vec::new();
    for (number, blob) in blobs.iter().enumerate() {
        let index = u32::try_from(number + 1).unwrap();
        let length = u32::try_from(blob.len()).unwrap();
        let mut body =
            [b"BlbS".as_slice(), &index.to_le_bytes(), &7_u32.to_le_bytes(), &length.to_le_bytes(), blob].concat();
        body.resize((body.len() + 12).next_multiple_of(16) - 12, 0);
        let sum = adler32(&body);
        body.extend([sum.to_le_bytes(), length.to_le_bytes(), *b"BlbE"].concat());
        let (offset, blocks) = ((pages * PAGE + bodies.len()) / 16, body.len() / 16);
        let words = [index, u32::try_from(offset).unwrap(), u32::try_from(blocks).unwrap()];
        file.extend([b"Slot".as_slice(), &words.map(u32::to_le_bytes).concat()].concat());
        bodies.extend(body);
    }
    while file.len() < pages * PAGE {
        file.extend([b"Slot".as_slice(), &[0; 12]].concat());
    }
    file.extend(bodies);
    file
}

fn adler32(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (a + b) % 65_521)
    });
    b << 16 | a
}

/// Berkeley DB's hash form of either byte order: one bucket, whose pages are a chain; each header on overflow pages.
pub fn bdb(blobs: &[Vec<u8>], big_endian: bool) -> Vec<u8> {
    const PAGE: usize = 4096;
    const HEAD: usize = 26;
    let word = |value: usize| {
        let value = u32::try_from(value).unwrap();
        if big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    };
    let half = |value: usize| {
        let value = u16::try_from(value).unwrap();
        if big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    };
    let put = |page: &mut [u8], at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
    let page = |number: usize, next: usize, kind: u8| {
        let mut page = vec![0; PAGE];
        put(&mut page, 8, &word(number));
        put(&mut page, 16, &word(next));
        page[25] = kind;
        page
    };
    // A pair takes 17 bytes of items and 4 of offsets; the first one is the counter.
    let per_page = (PAGE - HEAD) / 21 - 1;
    let buckets = (blobs.len() + 1).div_ceil(per_page);
    let mut pages: Vec<Vec<u8>> = Vec::new();
    let mut items = vec![(vec![1, 0, 0, 0, 0], [&[1][..], &word(blobs.len())].concat())];
    for (number, blob) in blobs.iter().enumerate() {
        let first = 1 + buckets + pages.len();
        let parts: Vec<&[u8]> = blob.chunks(PAGE - HEAD).collect();
        for (nth, part) in parts.iter().enumerate() {
            let next = if nth + 1 < parts.len() { first + nth + 1 } else { 0 };
            let mut overflow = page(first + nth, next, 7);
            put(&mut overflow, 20, &half(1));
            put(&mut overflow, 22, &half(part.len()));
            put(&mut overflow, HEAD, part);
            pages.push(overflow);
        }
        items.push((
            [&[1][..], &word(number + 1)].concat(),
            [&[3, 0, 0, 0][..], &word(first), &word(blob.len())].concat(),
        ));
    }
    let mut all = Vec::new();
    let mut meta = page(0, 0, 8);
    for (at, value) in
        [(12, 0x0006_1561), (16, 9), (20, PAGE), (32, buckets + pages.len()), (76, 1), (88, items.len()), (96, 1)]
    {
        put(&mut meta, at, &word(value));
    }
    all.push(meta);
    for (nth, chunk) in items.chunks(per_page).enumerate() {
        let next = if nth + 1 < buckets { nth + 2 } else { 0 };
        let mut bucket = page(nth + 1, next, 13);
        put(&mut bucket, 20, &half(chunk.len() * 2));
        let mut end = PAGE;
        for (number, item) in chunk.iter().flat_map(|(key, value)| [key, value]).enumerate() {
            end -= item.len();
            put(&mut bucket, end, item);
            put(&mut bucket, HEAD + 2 * number, &half(end));
        }
        put(&mut bucket, 22, &half(end));
        all.push(bucket);
    }
    all.extend(pages);
    all.concat()
}
