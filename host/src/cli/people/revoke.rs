//! The end of a key, or of an actor with all keys.

use super::super::client::{self, encoded};
use super::super::output::{Complaint, Console, cell};
use super::{ChangeFlags, Place, needed};

/// Flags of `txco auth revoke-actor`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct RevokeActorFlags {
    /// The actor
    #[arg(value_name = "ACTOR")]
    actor: Option<String>,
    /// The same
    #[arg(long, value_name = "ACTOR")]
    actor_id: Option<String>,
    /// Also when it is yourself
    #[arg(long)]
    i_am_sure: bool,
    #[command(flatten)]
    pub(super) change: ChangeFlags,
}

/// Flags of `txco auth revoke-key`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct RevokeKeyFlags {
    /// The key, as `txco auth whoami` shows it
    #[arg(long, value_name = "KEY")]
    key_id: Option<String>,
    #[command(flatten)]
    pub(super) change: ChangeFlags,
}

pub(super) fn actor(flags: &RevokeActorFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let actor = needed(flags.actor.as_deref().or(flags.actor_id.as_deref()), "ACTOR")?;
    let place = Place::to_change(&flags.change, console)?;
    let query = if flags.i_am_sure { "?self=true" } else { "" };
    let reply = place.call("POST", &format!("/actors/{}/revoke{query}", encoded(actor)), None);
    let reply = reply.map_err(|complaint| {
        let own = complaint.message.contains("self_revoke");
        let hint = if own { " — add --i-am-sure if you mean it" } else { "" };
        Complaint { message: complaint.message + hint, ..complaint }
    })?;
    place.done(console, &reply.body, &format!("revoked {}", cell(actor)))
}

pub(super) fn key(flags: &RevokeKeyFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let key = needed(flags.key_id.as_deref(), "--key-id")?;
    let place = Place::to_change(&flags.change, console)?;
    let reply = client::call(&place.target, "POST", &format!("/auth/keys/{}/revoke", encoded(key)), None)?;
    place.done(console, &reply.body, &format!("revoked {}", cell(key)))
}
