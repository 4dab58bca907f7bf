//! The inlet of the web head, and what must hold for it.

#[allow(dead_code, reason = "the web head uses all of it")]
#[path = "../../host/src/http/web/inlet.rs"]
mod inlet;
#[path = "received.rs"]
pub mod received;
