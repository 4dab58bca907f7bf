//! The doors of the admin head: each is opened and described at once, so that `/v1/openapi.json` knows what is served.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Method, Response, header};
use axum::routing::{MethodFilter, MethodRouter, get};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::AdminHead;
use crate::admin::Need;

/// Who comes through a door; the use-case behind it asks, this only says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Everybody.
    Anybody,
    /// Whoever is known.
    Known,
    /// Whoever has in the tenant what the use-case asks for.
    Capable(Need<'static>),
    /// Whoever may do everything.
    RulesAll,
}

/// What a body looks like.
type Shape = fn(&mut SchemaGenerator) -> Schema;

/// One method of one path.
pub(super) struct Door {
    method: Method,
    path: String,
    says: &'static str,
    who: Who,
    takes: Option<Shape>,
    gives: Vec<(u16, Option<Shape>)>,
    asks: Vec<&'static str>,
}

impl Door {
    pub(super) fn new(method: Method, path: &str, says: &'static str, who: Who) -> Self {
        Self { method, path: path.to_owned(), says, who, takes: None, gives: Vec::new(), asks: Vec::new() }
    }

    /// The body that it takes.
    pub(super) fn takes<T: JsonSchema>(mut self) -> Self {
        self.takes = Some(|schemas| schemas.subschema_for::<T>());
        self
    }

    /// A status and body that it gives.
    pub(super) fn gives<T: JsonSchema>(mut self, status: u16) -> Self {
        self.gives.push((status, Some(|schemas| schemas.subschema_for::<T>())));
        self
    }

    /// A status that it gives without a body, or with one that is no JSON.
    pub(super) fn ends(mut self, status: u16) -> Self {
        self.gives.push((status, None));
        self
    }

    /// A member of the query that it understands.
    pub(super) fn asks(mut self, member: &'static str) -> Self {
        self.asks.push(member);
        self
    }
}

/// What every error looks like.
#[derive(JsonSchema)]
#[schemars(rename = "Error")]
#[expect(dead_code, reason = "described only; `problem` writes it")]
struct Problem {
    /// The code, stable.
    error: String,
    /// A sentence for people.
    message: Option<String>,
    /// What the code is about, by name.
    detail: Option<Map<String, Value>>,
}

/// The doors so far.
pub(super) struct Doors {
    router: Router<Arc<AdminHead>>,
    schemas: SchemaGenerator,
    paths: Map<String, Value>,
}

impl Doors {
    pub(super) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12()
            .with(|settings| settings.definitions_path = "/components/schemas".into());
        Self { router: Router::new(), schemas: settings.into_generator(), paths: Map::new() }
    }

    /// Opens a door.
    pub(super) fn open(
        mut self,
        door: &Door,
        leads: impl FnOnce(MethodFilter) -> MethodRouter<Arc<AdminHead>>,
    ) -> Self {
        self.describe(door);
        // A method that axum has no filter for is none of ours.
        if let Ok(filter) = MethodFilter::try_from(door.method.clone()) {
            self.router = self.router.route(&door.path, leads(filter));
        }
        self
    }

    /// Opens doors that lead beside the admin head: what is served there needs none of it.
    pub(super) fn beside(mut self, doors: &[Door], serves: Router) -> Self {
        doors.iter().for_each(|door| self.describe(door));
        self.router = self.router.merge(serves.with_state::<Arc<AdminHead>>(()));
        self
    }

    fn describe(&mut self, door: &Door) {
        let mut responses = Map::new();
        for (status, body) in &door.gives {
            let mut response = json!({ "description": "done" });
            if let Some(schema) = body {
                put(&mut response, "content", json_content(&schema(&mut self.schemas)));
            }
            responses.insert(status.to_string(), response);
        }
        let problem = self.schemas.subschema_for::<Problem>();
        responses.insert(
            "default".to_owned(),
            json!({ "description": "not done; the code says why", "content": json_content(&problem) }),
        );
        let id: Vec<_> = door.path.split('/').filter(|part| !part.is_empty()).collect();
        let id = format!("{} {}", door.method.as_str().to_ascii_lowercase(), id.join(" "));
        let id: String = id.chars().filter(|c| !matches!(c, '{' | '}')).collect();
        let mut operation = json!({
            "operationId": id.replace([' ', '.', '-'], "_"),
            "summary": door.says,
            "parameters": parameters(door),
            "responses": responses,
        });
        if let Some(takes) = door.takes {
            let content = json_content(&takes(&mut self.schemas));
            put(&mut operation, "requestBody", json!({ "content": content }));
        }
        match door.who {
            Who::Anybody => put(&mut operation, "security", json!([])),
            Who::Known => {}
            Who::Capable(need) => put(&mut operation, "x-txco-capability", need.text().into()),
            Who::RulesAll => put(&mut operation, "x-txco-capability", "super_admin".into()),
        }
        let path = self.paths.entry(door.path.clone()).or_insert_with(|| json!({}));
        put(path, &door.method.as_str().to_ascii_lowercase(), operation);
    }

    /// The router, with the description at its own door.
    pub(super) fn close(mut self) -> Router<Arc<AdminHead>> {
        let path = "/v1/openapi.json";
        self.describe(
            &Door::new(Method::GET, path, "This description", Who::Anybody).gives::<Map<String, Value>>(200),
        );
        let text = format!("{}\n", self.document());
        let served = move || {
            let mut reply = Response::new(Body::from(text.clone()));
            reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            std::future::ready(reply)
        };
        self.router.route(path, get(served))
    }

    fn document(&mut self) -> Value {
        let schemas = self.schemas.take_definitions(true);
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "txco admin API",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "Requests are signed by RFC 9421 with ed25519 over \"@method\" \"@path\" \"@query\" \
                    \"@authority\" \"content-digest\", or carry HTTP Basic credentials; on loopback, until somebody is \
                    enrolled, they need neither.",
            },
            "security": [{ "signature": [] }, { "basic": [] }, {}],
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {
                    "basic": { "type": "http", "scheme": "basic" },
                    "signature": {
                        "type": "apiKey", "in": "header", "name": "Signature-Input",
                        "description": "RFC 9421: Signature-Input, Signature and Content-Digest",
                    },
                },
            },
        })
    }
}

/// The segments of the path that vary, and what the query may say.
fn parameters(door: &Door) -> Vec<Value> {
    let text = json!({ "type": "string" });
    let segments = door.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let segments =
        segments.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": text }));
    let members = door.asks.iter().map(|name| json!({ "name": name, "in": "query", "schema": text }));
    segments.chain(members).collect()
}

fn json_content(schema: &Schema) -> Value {
    json!({ "application/json": { "schema": schema } })
}

fn put(object: &mut Value, member: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(member.to_owned(), value);
    }
}
