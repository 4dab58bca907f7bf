//! Which secret, of which tenant and chassis: the flags that the verbs share.

use crate::cli::target::TenantFlags;

/// Flags of every verb.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(super) tenant: TenantFlags,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Flags of every verb about one secret.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Named {
    /// Name of the secret, such as STRIPE_API_KEY
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Admin URL of the chassis, when --url is absent
    #[arg(value_name = "TARGET")]
    pub(super) target: Option<String>,
    /// The secret of this stack instead of the tenant's
    #[arg(long, value_name = "STACK")]
    pub(super) stack: Option<String>,
    #[command(flatten)]
    pub(super) common: Common,
}
