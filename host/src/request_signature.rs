//! Signed requests by RFC 9421: what is signed, read from a request or written into one.
//!
//! Both heads of this program use it: the admin head to verify, the command line to sign.
//! Ed25519 only; every signature covers method, path, query, authority and the digest of the
//! body, so that nothing a request does can be taken from another.

mod base;
mod reading;
mod writing;

pub(crate) use base::Message;
pub(crate) use reading::{Claim, Unreadable};
pub(crate) use writing::signed_headers;

/// What every signature here must cover, in the order in which ours do.
const COVERED: [&str; 5] = ["@method", "@path", "@query", "@authority", "content-digest"];

#[cfg(test)]
mod tests;
