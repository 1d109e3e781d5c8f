//! How our own memory is taken from the kernel.

/// The largest allocation that moves glibc's threshold, in bytes, less its own header (mallopt(3), `M_MMAP_THRESHOLD`).
const LARGE: usize = (32 << 20) - (64 << 10);

/// Has freed memory kept for the next file that is read, instead of given back and asked for again page by page: two thirds
/// of a scan's page faults, which cost some 12 ms of 245.
///
/// glibc takes an allocation as large as one that was freed before from memory that it keeps, and gives back only what
/// exceeds twice that size (mallopt(3), the dynamic threshold). Nothing is written here, so nothing becomes resident.
pub fn keep() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGE)));
}
