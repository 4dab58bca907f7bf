//! The admin head: routes, the gate, and one audit line for each request about a secret.

mod policy;
mod wire;
mod doors;
mod gate;
mod secrets;
mod tenants;
mod governing;
mod people;
mod enrolment;
mod ops;
mod stacks;
mod versions;
mod hostnames;
mod runs;
mod audit;

use std::sync::Arc;

use super::authentication::Authentication;
use super::throttle::Throttle;
use crate::admin::Admin;
use axum::Router;
use axum::http::{Method, StatusCode};
use axum::routing::on;
use doors::{Door, Doors, Who};
use ops::Turns;
use schemars::JsonSchema;

pub(crate) use enrolment::EnrolSecret;

/// The largest body: the largest value, every byte of it escaped as JSON can, and the rest.
const MAX_BODY: usize = vault::MAX_VALUE_BYTES * 6 + vault::MAX_DESCRIPTION_BYTES * 6 + (16 << 10);

/// What the admin head needs.
pub(crate) struct AdminHead {
    /// The use-cases.
    pub admin: Admin,
    /// How somebody proves who they are.
    pub authentication: Arc<Authentication>,
    /// The secret by which somebody becomes an actor.
    pub enrol_secret: EnrolSecret,
    /// How often one machine may try it.
    pub throttle: Throttle,
    /// Who may push an op now.
    turns: Turns,
}

impl AdminHead {
    pub(crate) fn new(
        admin: Admin,
        authentication: Authentication,
        enrol_secret: EnrolSecret,
        throttle: Throttle,
    ) -> Self {
        let authentication = Arc::new(authentication);
        Self { admin, authentication, enrol_secret, throttle, turns: Turns::default() }
    }
}

/// Whether the chassis can answer, as `ready` writes it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "described only")]
struct Ready {
    /// `ready` or `unavailable`.
    status: String,
    /// `on`, `off` or `partial`.
    secret_store: Option<String>,
    /// Whether any rules are installed.
    rules: Option<bool>,
    /// Why it is not ready.
    reason: Option<String>,
}

/// What is served beside administration, and needs none of it.
pub(crate) struct Aside {
    /// Whether the chassis can answer.
    pub readiness: Router,
    /// The numbers.
    pub metrics: Router,
}

/// The routes of the admin head.
pub(crate) fn router(head: AdminHead, aside: Aside) -> Router {
    let healthz = Door::new(Method::GET, "/healthz", "Whether the chassis runs", Who::Anybody).ends(200);
    let readyz = ["/readyz", "/_txc/readyz"].map(|path| {
        let says = "Whether it can answer, and how its secret store is";
        let door = Door::new(Method::GET, path, says, Who::Anybody);
        door.gives::<Ready>(200).gives::<Ready>(503)
    });
    let doors =
        Doors::new().open(&healthz, |method| on(method, async || "ok\n")).beside(&readyz, aside.readiness);
    let metrics =
        Door::new(Method::GET, "/metrics", "The numbers, for whoever works on this machine", Who::Anybody);
    let doors = audit::open(doors.beside(&[metrics.ends(200)], aside.metrics));
    let doors = secrets::open(people::open(tenants::open(enrolment::open(ops::open(doors)))));
    let doors = runs::open(doors);
    let doors = governing::open(hostnames::open(versions::open(stacks::open(doors))));
    doors
        .close()
        .fallback(|| async { (StatusCode::NOT_FOUND, "404 page not found\n") })
        .with_state(Arc::new(head))
}

#[cfg(test)]
mod tests;
