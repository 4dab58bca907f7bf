//! Tenants over HTTP: listed and created.

use std::net::SocketAddr;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{Method, Request, Response};
use axum::routing::on;

use super::doors::{Door, Doors, Who};
use super::wire::{NewTenant, TenantRecord, TenantRecords, first_of};
use super::{BODY_WITHIN, Head, MAX_BODY, answered, by_of, heard};
use crate::admin::{Actor, Deed, Effect};
use crate::http::problem::json_reply;

/// The doors.
pub(super) fn open(doors: Doors) -> Doors {
    let path = "/v1/tenants";
    let list = Door::new(Method::GET, path, "List the tenants you belong to", Who::Known)
        .gives::<TenantRecords<'static>>(200);
    let create = Door::new(Method::POST, path, "Create a tenant", Who::RulesAll)
        .takes::<NewTenant>()
        .gives::<TenantRecord<'static>>(201);
    doors.open(&list, |method| on(method, tenants)).open(&create, |method| on(method, create_tenant))
}

async fn tenants(
    State(head): Head,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response<Body> {
    let entered = heard(&head, peer, request, MAX_BODY, BODY_WITHIN).await;
    answered(move || {
        let (actor, _) = entered?;
        let all = head.admin.tenants(&actor)?;
        Ok(json_reply(200, &TenantRecords { tenants: all.iter().map(TenantRecord::of).collect() }))
    })
    .await
}

async fn create_tenant(
    State(head): Head,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response<Body> {
    let entered = heard(&head, peer, request, MAX_BODY, BODY_WITHIN).await;
    answered(move || {
        let known = entered.as_ref().ok().map(|(actor, _)| actor.clone());
        let create = |(actor, body): (Actor, Bytes)| {
            let asked: NewTenant = first_of(&body)?;
            head.admin.create_tenant(&actor, &asked.slug, asked.name.as_deref())
        };
        let result = entered.and_then(create);
        let (by, action) = (by_of(known.as_ref()), "create");
        let tenant = result.as_ref().map_or("-", |tenant| tenant.id.as_str());
        let deed = Deed { by, tenant, subject: "-", action, effect: Effect::Change };
        head.admin.audit().of_tenant(&deed, &result);
        Ok(json_reply(201, &TenantRecord::of(&result?)))
    })
    .await
}
