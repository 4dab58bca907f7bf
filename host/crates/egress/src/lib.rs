//! The only way out: draft, splice, policy, client, mask.
//!
//! **Use it when** a rule calls an upstream ([`Client`]) or the command line calls a
//! chassis ([`AdminClient`]). **Not when** the question is *which* secrets a request gets
//! (`vault` packs the bag), what a rule means (`txcl`), or what a reply does to the
//! envelope (`chassis`). No other crate links an HTTP client (R30).
//!
//! A [`Draft`] is a request with holes and may be printed. [`Client::send`] fills it from a
//! `SecretBag<Splice>` and the request's `Credentials`, which makes a [`Materialized`] that
//! only the connection sees; it checks the address, sends, reads a bounded reply, undoes its
//! compression, takes out the credentials that arrive with it, and masks it. A [`Reply`] is
//! plain data again. [`Client::txt_records`] asks the operator's name servers, and dials nobody else.
//!
//! Two checks decide where a request goes, and both must pass. *Names*: the bag carries the
//! one [`Destination`](model::Destination) its secrets may travel to, and the draft must go
//! there. *Addresses*: what is really dialled is judged by [`AddressPolicy`], literal hosts
//! after URL parsing, names in our own resolver on every answer.
//!
//! Invariants:
//! 1. Cleartext is written into exactly the header or body field its slot names, or nothing
//!    is sent.
//! 2. What was spliced is masked in the reply before anything else sees it.
//! 3. Only judged addresses are dialled; never our own admin head.
//! 4. No redirect is followed, no proxy asked; a request is sent again only when its rule
//!    asks for that and it is safe to be.
//! 5. A request that bears secrets goes over TLS, except to loopback under
//!    [`AddressPolicy::Open`].
//! 6. Every wait and every buffer has a limit.
//! 7. No error and no log line has a URL's path or query, a header's value or a body in it.
//!
//! Tests: beside the code, and in `tests.rs` against real servers on loopback.

#![forbid(unsafe_code)]

mod error;
mod coding;
mod address;
mod draft;
mod wire;
mod scrub;
mod splice;
mod resolver;
mod records;
mod tls;
mod retry;
mod arriving;
mod client;
mod admin;
mod otlp;

#[cfg(test)]
mod tests;

pub use address::AddressPolicy;
pub use admin::{AdminClient, AdminError, AdminReply, RequestLine};
pub use client::{Client, MAX_REPLY_HEADER_BYTES, Reply, Settings};
pub use draft::{Draft, DraftBody};
pub use error::Error;
pub use ipnet::IpNet;
pub use otlp::{OtlpClient, OtlpError};
pub use records::RecordsError;
pub use scrub::{MASK_TEXT, SHORT};
pub use splice::Materialized;
