//! Tenants over HTTP: listed and created.

use axum::body::Body;
use axum::http::{Method, Response};
use axum::routing::on;

use super::MAX_BODY;
use super::doors::{Door, Doors, Who};
use super::gate::Caller;
use super::wire::{NewTenant, TenantRecord, TenantRecords, first_of};
use crate::admin::{Deed, Effect, Kind};
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

async fn tenants(caller: Caller) -> Response<Body> {
    caller
        .served(|head, actor, _| {
            let all = head.admin.tenants(actor)?;
            Ok(json_reply(200, &TenantRecords { tenants: all.iter().map(TenantRecord::of).collect() }))
        })
        .await
}

async fn create_tenant(caller: Caller) -> Response<Body> {
    let deed = Deed::new(Kind::Tenant, "create", Effect::Change);
    caller
        .recorded(MAX_BODY, deed, |head, actor, body, deed| {
            let asked: NewTenant = first_of(body)?;
            let tenant = head.admin.create_tenant(actor, &asked.slug, asked.name.as_deref())?;
            tenant.id.as_str().clone_into(&mut deed.tenant);
            Ok(json_reply(201, &TenantRecord::of(&tenant)))
        })
        .await
}
