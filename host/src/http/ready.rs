//! `/readyz`: whether this chassis can answer, and whether its secret store is on, off or partial.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::routing::get;
use chassis::Chassis;
use serde_json::json;
use store::Store;
use tokio::task::spawn_blocking;
use vault::LateVault;

use super::problem::json_reply;

/// For how long an answer is given again: a probe must cost the database nothing.
const AGAIN_WITHIN: Duration = Duration::from_secs(2);

/// What is asked before the answer.
pub(crate) struct Readiness {
    store: Arc<Store>,
    vault: LateVault,
    chassis: Arc<Chassis>,
    last: Mutex<Option<(Instant, Standing)>>,
}

/// How the secret store stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    /// Every active secret opens.
    On,
    /// It has no key: rules that need secrets fail, all others run (D7).
    Off,
    /// Some secrets do not open under the keys it has.
    Partial,
    /// Nobody knows: the database does not answer.
    Unknown(String),
}

impl Readiness {
    pub(crate) fn new(store: Arc<Store>, vault: LateVault, chassis: Arc<Chassis>) -> Self {
        Self { store, vault, chassis, last: Mutex::new(None) }
    }

    /// One look at a time; whoever waits for another's has what that one found.
    fn standing(&self) -> Standing {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((when, standing)) = &*last
            && when.elapsed() < AGAIN_WITHIN
        {
            return standing.clone();
        }
        let standing = self.look();
        *last = Some((Instant::now(), standing.clone()));
        standing
    }

    fn look(&self) -> Standing {
        let Some(vault) = self.vault.get() else {
            return match self.store.holds_ciphertext() {
                Ok(_) => Standing::Off,
                Err(error) => Standing::Unknown(error.to_string()),
            };
        };
        match vault.report() {
            Ok(report) if report.unopened() == 0 => Standing::On,
            Ok(_) => Standing::Partial,
            Err(error) => Standing::Unknown(error.to_string()),
        }
    }
}

/// `/readyz`, for either head. It tells nothing that a stranger could use: no names, no
/// counts, no keys.
pub(crate) fn router(readiness: &Arc<Readiness>) -> Router {
    Router::new()
        .route("/readyz", get(ready))
        .route("/_txc/readyz", get(ready))
        .with_state(Arc::clone(readiness))
}

async fn ready(State(readiness): State<Arc<Readiness>>) -> Response<Body> {
    let rules = readiness.chassis.space().has_rules();
    let look = spawn_blocking(move || readiness.standing()).await;
    let word = match look.unwrap_or_else(|_panic| Standing::Unknown("a bug in txco".to_owned())) {
        Standing::On => "on",
        Standing::Off => "off",
        Standing::Partial => "partial",
        Standing::Unknown(reason) => {
            return json_reply(503, &json!({ "status": "unavailable", "reason": reason, "rules": rules }));
        }
    };
    json_reply(200, &json!({ "status": "ready", "secret_store": word, "rules": rules }))
}
