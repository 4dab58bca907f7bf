//! The documents of `host/docs`, part of the API documentation so that they cannot be lost.

#[doc = include_str!("../docs/life-of-a-request.md")]
pub mod life_of_a_request {}

#[doc = include_str!("../docs/life-of-a-secret.md")]
pub mod life_of_a_secret {}

#[doc = include_str!("../docs/run.md")]
pub mod run {}

#[doc = include_str!("../docs/egress.md")]
pub mod egress {}

#[doc = include_str!("../docs/continuations.md")]
pub mod continuations {}

#[doc = include_str!("../docs/audit.md")]
pub mod audit {}

#[doc = include_str!("../docs/ops-languages.md")]
pub mod ops_languages {}

#[doc = include_str!("../docs/threat-model.md")]
pub mod threat_model {}

#[doc = include_str!("../docs/materialisation.md")]
pub mod materialisation {}

#[doc = include_str!("../docs/survival.md")]
pub mod survival {}

#[doc = include_str!("../docs/speed.md")]
pub mod speed {}

#[doc = include_str!("../docs/keys.md")]
pub mod keys {}

#[doc = include_str!("../docs/admin-api.md")]
pub mod admin_api {}
