//! The codes of what stands in the way of a stack, a version, a file or a hostname.

use serde_json::{Value, json};
use store::StackRefusal as Refusal;

/// HTTP status and code.
pub(super) const fn answer(refusal: &Refusal) -> (u16, &'static str) {
    match refusal {
        Refusal::NoStack => (404, "stack_not_found"),
        Refusal::NoVersion(_) => (404, "stack_version_not_found"),
        Refusal::NothingActive => (404, "no_active_version"),
        Refusal::NotDraft(_) => (409, "version_not_draft"),
        Refusal::Revoked(_) => (409, "version_revoked"),
        Refusal::TooManyStacks { .. } => (422, "too_many_stacks"),
        Refusal::TooManyFiles { .. } => (422, "too_many_files"),
        Refusal::TooLarge { .. } => (413, "version_too_large"),
        Refusal::ManifestChanged { .. } => (409, "manifest_changed"),
        Refusal::ActiveChanged { .. } => (409, "active_changed"),
        Refusal::OpChanged(_) => (409, "op_changed"),
        Refusal::FileChanged { .. } => (409, "base_hash_mismatch"),
        Refusal::FileExists { .. } => (409, "file_already_exists"),
        Refusal::NoFile { .. } => (404, "file_not_found"),
        Refusal::HostnameTaken => (409, "hostname_taken"),
        Refusal::NoHostname => (404, "hostname_not_found"),
        Refusal::TooManyHostnames { .. } => (422, "too_many_hostnames"),
    }
}

/// What stands beside the code.
pub(super) fn detail(refusal: &Refusal) -> Value {
    let said = refusal.to_string();
    match refusal {
        Refusal::ManifestChanged { found, .. } | Refusal::ActiveChanged { found } => {
            json!({ "err": said, "manifest_hash": found })
        }
        Refusal::FileChanged { path } | Refusal::FileExists { path } | Refusal::NoFile { path } => {
            json!({ "err": said, "path": path })
        }
        Refusal::NoStack
        | Refusal::NoVersion(_)
        | Refusal::NothingActive
        | Refusal::NotDraft(_)
        | Refusal::Revoked(_)
        | Refusal::TooManyStacks { .. }
        | Refusal::TooManyFiles { .. }
        | Refusal::TooLarge { .. }
        | Refusal::OpChanged(_)
        | Refusal::HostnameTaken
        | Refusal::NoHostname
        | Refusal::TooManyHostnames { .. } => json!({ "err": said }),
    }
}
