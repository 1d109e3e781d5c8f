//! The OpenPGP signatures that a header's dribbles carry over its immutable region.

use super::header::Header;
use super::tag;
use crate::formats::base64;

/// Signatures taken from one header; packages of format 6 have one for each algorithm.
const MAX_SIGNATURES: usize = 16;

/// The binary OpenPGP packets of each signature over the region: tags 268 and 267 hold them as they are, 278 in base64. Empty
/// for an unsigned header. Signatures over header and payload together are of no use without the payload, and left out.
///
/// # Errors
/// The tag that is there and holds no signature: of another type, or not base64.
pub fn packets(header: &Header<'_>) -> Result<Vec<Vec<u8>>, u32> {
    let mut all = Vec::new();
    for tag in [tag::RSA_HEADER, tag::DSA_HEADER] {
        if header.is_dribble(tag) {
            all.push(header.dribble_bytes(tag).ok_or(tag)?.to_vec());
        }
    }
    if header.is_dribble(tag::OPENPGP) {
        for text in header.dribble_strings(tag::OPENPGP).ok_or(tag::OPENPGP)?.take(MAX_SIGNATURES) {
            all.push(base64::decode(text).ok_or(tag::OPENPGP)?);
        }
    }
    Ok(all)
}
