//! The ops whose sources lie beside the rules go before the rules that call them.

use serde_json::json;

use super::local::Local;
use super::remote::Remote;
use crate::cli::client;
use crate::cli::op::parcel;
use crate::cli::output::{Complaint, Console};

/// Whether something is really done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// It is.
    Really,
    /// It is only said what would be.
    Dry,
}

/// Builds every op below `OPS`, and pushes those that the chassis has not, or with other bytes.
/// Gives their names.
pub(super) fn ship(
    local: &Local,
    remote: &Remote<'_>,
    doing: Doing,
    console: &mut Console<'_>,
) -> Result<Vec<String>, Complaint> {
    let folders = workshop::sources_below(&local.folder.join("OPS"));
    if folders.is_empty() {
        return Ok(Vec::new());
    }
    let there = remote.ops(console)?;
    let mut shipped: Vec<String> = Vec::new();
    for folder in folders {
        let parcel = parcel(&folder, console)?;
        let of_name = there.iter().filter(|[name, ..]| *name == parcel.name).count();
        if of_name == parcel.digests.len() && parcel.digests.iter().all(|one| there.contains(one)) {
            continue;
        }
        if shipped.contains(&parcel.name) {
            return Err(Complaint::failed(format!("two ops below OPS are called {}", parcel.name)));
        }
        if doing == Doing::Really {
            let path = format!("ops/{}", client::encoded(&parcel.name));
            remote.call("PUT", &path, Some(&json!({ "builds": parcel.builds })), console)?;
        }
        shipped.push(parcel.name);
    }
    Ok(shipped)
}
