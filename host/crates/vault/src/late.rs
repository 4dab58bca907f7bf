//! A vault that may be opened later: until then the secret store is off.

use std::sync::{Arc, OnceLock};

use crate::vault::Vault;

/// The place of a vault, shared by all who may need it. Once there is one, it stays.
#[derive(Clone, Default)]
pub struct LateVault(Arc<OnceLock<Arc<Vault>>>);

impl LateVault {
    /// The vault, when it is open.
    #[must_use]
    pub fn get(&self) -> Option<&Arc<Vault>> {
        self.0.get()
    }

    /// From now on everybody who looks here has this vault, unless there is one already.
    pub fn open(&self, vault: Arc<Vault>) {
        self.0.get_or_init(|| vault);
    }
}

impl From<Option<Arc<Vault>>> for LateVault {
    fn from(vault: Option<Arc<Vault>>) -> Self {
        let late = Self::default();
        if let Some(vault) = vault {
            late.open(vault);
        }
        late
    }
}
