//! The rooms below, as a running request reaches them.

use vault::LateVault;

use crate::callers::Callers;
use crate::count::Counts;
use crate::life::Life;
use crate::places::{LargePlaces, Places};
use crate::registry::Registry;
use crate::settings::Settings;

/// Everything a rule may need, and nothing of the request itself.
pub(crate) struct Rooms {
    pub(crate) vault: LateVault,
    pub(crate) egress: egress::Client,
    pub(crate) registry: Registry,
    pub(crate) settings: Settings,
    pub(crate) counts: Counts,
    pub(crate) life: Life,
    /// For ops that take a thread from those that serve (R26).
    pub(crate) places: Places,
    pub(crate) large_places: LargePlaces,
    /// For requests to upstreams.
    pub(crate) callers: Callers,
}
