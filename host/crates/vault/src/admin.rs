//! What administration does to secrets: every verb but looking at a value.

use std::collections::BTreeSet;

use model::{IdKind, SecretName, StackName, TenantId};
use store::{By, Deed, Metadata, SecretAddress, Writing};

use crate::cleartext::{Cleartext, SecretValue, Shown};
use crate::error::{Error, MAX_DESCRIPTION_BYTES};
use crate::vault::Vault;

/// What [`Vault::set`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// There was none; this is version 1.
    Created,
    /// There was one; this is its newest version.
    Rotated,
}

impl Vault {
    /// Stores a new secret.
    ///
    /// # Errors
    /// [`Error::NameTaken`] when there is one, [`Error::DescriptionTooLong`], [`Error::Store`].
    #[expect(clippy::needless_pass_by_value, reason = "a value is used up by being stored")]
    pub fn create(
        &self,
        address: &SecretAddress<'_>,
        description: Option<&str>,
        by: By<'_>,
        value: SecretValue,
    ) -> Result<Metadata, Error> {
        bounded(description)?;
        self.store.write(|writing| {
            let metadata = self.create_in(writing, address, description, by, &value.0)?;
            recorded(writing, Deed::on_secret(by, "create", address), &metadata)
        })
    }

    /// Stores `value` whether or not there is such a secret, in one transaction. A
    /// description that is given replaces the old one; one that is not leaves it. What
    /// was there is not opened, so a secret of a lost key is replaced like any other.
    ///
    /// # Errors
    /// [`Error::DescriptionTooLong`], [`Error::Store`].
    #[expect(clippy::needless_pass_by_value, reason = "a value is used up by being stored")]
    pub fn set(
        &self,
        address: &SecretAddress<'_>,
        description: Option<&str>,
        by: By<'_>,
        value: SecretValue,
    ) -> Result<(Metadata, Written), Error> {
        bounded(description)?;
        self.store.write(|writing| {
            self.set_in(writing, Deed::on_secret(by, "set", address), address, (description, by), &value.0)
        })
    }

    /// Stores all of `values` in one place, each as [`set`](Self::set) does, in one
    /// transaction: all of them are stored or none is.
    ///
    /// # Errors
    /// Those of [`set`](Self::set); [`Error::NameTaken`] when a name stands twice.
    #[expect(clippy::needless_pass_by_value, reason = "values are used up by being stored")]
    pub fn import(
        &self,
        tenant: &TenantId,
        stack: Option<&StackName>,
        by: By<'_>,
        values: Vec<(SecretName, SecretValue)>,
    ) -> Result<Vec<(Metadata, Written)>, Error> {
        let mut names = BTreeSet::new();
        if let Some((name, _)) = values.iter().find(|(name, _)| !names.insert(name)) {
            return Err(Error::NameTaken { name: name.clone() });
        }
        self.store.write(|writing| {
            let set = |(name, value): &(SecretName, SecretValue)| {
                let address = SecretAddress { tenant, stack, name };
                let deed = Deed::on_secret(by, "import", &address);
                self.set_in(writing, deed, &address, (None, by), &value.0)
            };
            values.iter().map(set).collect()
        })
    }

    /// Stores a new version of an existing secret.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    #[expect(clippy::needless_pass_by_value, reason = "a value is used up by being stored")]
    pub fn rotate(
        &self,
        address: &SecretAddress<'_>,
        by: By<'_>,
        value: SecretValue,
    ) -> Result<Metadata, Error> {
        self.store.write(|writing| {
            let metadata = self.rotate_in(writing, address, by, &value.0)?;
            recorded(writing, Deed::on_secret(by, "rotate", address), &metadata)
        })
    }

    /// Makes a random value of `byte_len` bytes and stores its text as a new secret. What
    /// is returned to be shown is committed already, and is exactly what ops will use (D2).
    ///
    /// # Errors
    /// [`Error::ByteLength`], and those of [`create`](Self::create).
    pub fn generate(
        &self,
        address: &SecretAddress<'_>,
        description: Option<&str>,
        by: By<'_>,
        byte_len: usize,
    ) -> Result<(Metadata, Shown), Error> {
        bounded(description)?;
        let shown = Shown::generate(byte_len)?;
        let metadata = self.store.write(|writing| {
            let metadata = self.create_in(writing, address, description, by, &shown.0)?;
            recorded(writing, Deed::on_secret(by, "generate", address), &metadata)
        })?;
        Ok((metadata, shown))
    }

    /// Makes a random value and stores its text as a new version of an existing secret.
    ///
    /// # Errors
    /// [`Error::ByteLength`], and those of [`rotate`](Self::rotate).
    pub fn rotate_generated(
        &self,
        address: &SecretAddress<'_>,
        by: By<'_>,
        byte_len: usize,
    ) -> Result<(Metadata, Shown), Error> {
        let shown = Shown::generate(byte_len)?;
        let metadata = self.store.write(|writing| {
            let metadata = self.rotate_in(writing, address, by, &shown.0)?;
            recorded(writing, Deed::on_secret(by, "rotate_generated", address), &metadata)
        })?;
        Ok((metadata, shown))
    }

    /// Replaces a secret's description; an empty one clears it. The value is not touched.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::DescriptionTooLong`], [`Error::Store`].
    pub fn describe(
        &self,
        address: &SecretAddress<'_>,
        by: By<'_>,
        description: &str,
    ) -> Result<Metadata, Error> {
        bounded(Some(description))?;
        self.store.write(|writing| {
            let found = existing(writing, address)?;
            writing.describe(&found.secret_id, description)?;
            recorded(writing, Deed::on_secret(by, "describe", address), &found)?;
            existing(writing, address)
        })
    }

    /// Revokes a secret and frees its name; tells what was revoked.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub fn revoke(&self, address: &SecretAddress<'_>, by: By<'_>) -> Result<Metadata, Error> {
        self.store.write(|writing| {
            let found = existing(writing, address)?;
            writing.revoke(&found.secret_id)?;
            recorded(writing, Deed::on_secret(by, "revoke", address), &found)
        })
    }

    /// What is known of one secret, at exactly this place.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub fn show(&self, address: &SecretAddress<'_>) -> Result<Metadata, Error> {
        self.store.secret(address)?.ok_or_else(|| Error::NotFound { name: address.name.clone() })
    }

    /// What is known of all active secrets of a tenant, by name and stack.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn list(&self, tenant: &TenantId) -> Result<Vec<Metadata>, Error> {
        Ok(self.store.secrets(tenant)?)
    }

    fn set_in(
        &self,
        writing: &Writing<'_>,
        deed: Deed<'_>,
        address: &SecretAddress<'_>,
        (description, by): (Option<&str>, By<'_>),
        value: &Cleartext,
    ) -> Result<(Metadata, Written), Error> {
        let (metadata, written) = match writing.secret(address)? {
            Some(found) => {
                if let Some(description) = description {
                    writing.describe(&found.secret_id, description)?;
                }
                (self.append_in(writing, address, &found, by, value)?, Written::Rotated)
            }
            None => (self.create_in(writing, address, description, by, value)?, Written::Created),
        };
        Ok((recorded(writing, deed, &metadata)?, written))
    }

    fn create_in(
        &self,
        writing: &Writing<'_>,
        address: &SecretAddress<'_>,
        description: Option<&str>,
        by: By<'_>,
        value: &Cleartext,
    ) -> Result<Metadata, Error> {
        // Not left to the unique index: old files may lack it.
        if writing.secret(address)?.is_some() {
            return Err(Error::NameTaken { name: address.name.clone() });
        }
        let id = writing.mint(IdKind::Secret)?;
        let sealed = self.seal(address, &id, 1, value)?;
        writing.add_secret(&id, address, description, by)?;
        writing.add_version(&id, 1, &sealed, by)?;
        self.keep_value_mac(writing, &id, 1, value)?;
        existing(writing, address)
    }

    fn rotate_in(
        &self,
        writing: &Writing<'_>,
        address: &SecretAddress<'_>,
        by: By<'_>,
        value: &Cleartext,
    ) -> Result<Metadata, Error> {
        let found = existing(writing, address)?;
        self.append_in(writing, address, &found, by, value)
    }

    fn append_in(
        &self,
        writing: &Writing<'_>,
        address: &SecretAddress<'_>,
        found: &Metadata,
        by: By<'_>,
        value: &Cleartext,
    ) -> Result<Metadata, Error> {
        let id = &found.secret_id;
        let version_no = writing.next_version(id)?;
        let sealed = self.seal(address, id, version_no, value)?;
        writing.add_version(id, version_no, &sealed, by)?;
        self.keep_value_mac(writing, id, version_no, value)?;
        writing.mark_rotated(id)?;
        existing(writing, address)
    }
}

fn existing(writing: &Writing<'_>, address: &SecretAddress<'_>) -> Result<Metadata, Error> {
    writing.secret(address)?.ok_or_else(|| Error::NotFound { name: address.name.clone() })
}

/// Records what was done to the secret that `metadata` tells of, in the same transaction.
fn recorded(writing: &Writing<'_>, deed: Deed<'_>, metadata: &Metadata) -> Result<Metadata, Error> {
    writing.record(&deed.fact("version", metadata.version_no))?;
    Ok(metadata.clone())
}

fn bounded(description: Option<&str>) -> Result<(), Error> {
    match description.map_or(0, str::len) {
        found if found > MAX_DESCRIPTION_BYTES => Err(Error::DescriptionTooLong { found }),
        _ => Ok(()),
    }
}
