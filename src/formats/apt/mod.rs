//! What apt(8) brings from an archive: the signed list of its indices (`InRelease`), and the indices (`Packages`).

pub mod clearsign;
pub mod index;
pub mod release;
