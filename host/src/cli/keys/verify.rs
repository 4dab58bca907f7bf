//! `txco auth secrets verify`: opens every stored version, and tells the first that does not open.

use serde_json::json;
use vault::{Progress, Verify};

use super::bar::Bar;
use super::place::{Place, shut, vault_failed};
use crate::cli::output::{Complaint, Console};

const PAGE: u32 = 500;

/// Flags of `txco auth secrets verify`.
#[derive(clap::Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    pub(super) place: Place,
}

pub(super) fn run(flags: &Flags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let opened = flags.place.open(console)?;
    let (store, database) = (opened.store.clone(), opened.database.display().to_string());
    let vault = opened.vault()?;
    let all = vault.census().map_err(vault_failed)?.versions;
    let mut verify = Verify::default();
    let mut bar = Bar::new("versions", all);
    while vault.verify_step(&mut verify, PAGE).map_err(vault_failed)? == Progress::More {
        bar.show(verify.open + verify.shut, console);
    }
    bar.end(console);
    if flags.place.json {
        console.print(&json!({ "open": verify.open, "not_opened": verify.shut }).to_string())?;
    } else {
        let of = verify.open + verify.shut;
        console.print(&format!("{} of {of} versions in {database} open", verify.open))?;
    }
    match &verify.first_shut {
        None => Ok(()),
        Some(first) => Err(Complaint::failed(shut(first, verify.shut, store.as_deref()))),
    }
}
