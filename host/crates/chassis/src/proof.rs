//! Questions about a host: to itself, on the way that tenants' requests take, and to its name servers.

use std::sync::Arc;
use std::time::Duration;

use egress::Draft;
use model::Failure;
use vault::{Credentials, SecretBag, Splice};

use crate::chassis::Chassis;

/// How long it may take.
const WITHIN: Duration = Duration::from_secs(10);

impl Chassis {
    /// What is said at `url`: status and body. What tenants may not call is not asked either, and redirects are not followed.
    ///
    /// # Errors
    /// [`Failure`] of the address policy or the connection.
    pub async fn asked_at(&self, url: &str) -> Result<(u16, Vec<u8>), Failure> {
        let draft = Draft::new(url, "GET").map_err(|error| error.failure())?.timeout(WITHIN);
        let bag = SecretBag::<Splice>::empty(draft.destination().clone());
        let sent = self.rooms.egress.send(draft, bag, &Arc::new(Credentials::new())).await;
        let reply = sent.map_err(|error| error.failure())?;
        Ok((reply.status, reply.body))
    }

    /// The TXT records of `name`. The name servers are the operator's, so no policy is asked.
    ///
    /// # Errors
    /// [`Failure`] of the name or its server.
    pub async fn records_of(&self, name: &str) -> Result<Vec<String>, Failure> {
        self.rooms.egress.txt_records(name).await.map_err(|error| error.failure())
    }
}
