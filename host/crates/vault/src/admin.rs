//! What administration does to secrets: every verb but looking at a value.

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::{Id, IdKind, SecretName, StackName, TenantId};
use store::{By, Deed, Metadata, NewVersion, PolicyRow, SecretAddress, Writing};

use crate::cleartext::{Cleartext, SecretValue, Shown};
use crate::context::{Context, digest, written};
use crate::encoding::Encoding;
use crate::error::{Error, MAX_DESCRIPTION_BYTES};
use crate::key::decoded;
use crate::rebind::Shut;
use crate::terms::{PolicyChange, Terms};
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
    /// [`Error::NameTaken`] when there is one, [`Error::DescriptionTooLong`],
    /// [`Error::KeyEncoding`], [`Error::PolicyRequired`], [`Error::PolicyTooLong`],
    /// [`Error::Store`].
    #[expect(clippy::needless_pass_by_value, reason = "a value is used up by being stored")]
    pub fn create(
        &self,
        address: &SecretAddress<'_>,
        terms: &Terms<'_>,
        value: SecretValue,
    ) -> Result<Metadata, Error> {
        bounded(terms.description)?;
        self.store.write(|writing| {
            let metadata = self.create_in(writing, address, terms, &value.0)?;
            recorded(writing, Deed::on_secret(terms.by, "create", address), &metadata)
        })
    }

    /// Stores `value` whether or not there is such a secret, in one transaction. A
    /// description that is given replaces the old one; one that is not leaves it. What
    /// was there is not opened, and a secret of a lost key is replaced like any other; only
    /// a policy that it had must be said again then.
    ///
    /// # Errors
    /// As [`create`](Self::create) but for the name, and [`Error::PolicyUnproven`].
    #[expect(clippy::needless_pass_by_value, reason = "a value is used up by being stored")]
    pub fn set(
        &self,
        address: &SecretAddress<'_>,
        terms: &Terms<'_>,
        value: SecretValue,
    ) -> Result<(Metadata, Written), Error> {
        bounded(terms.description)?;
        self.store.write(|writing| {
            self.set_in(writing, Deed::on_secret(terms.by, "set", address), address, terms, &value.0)
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
        terms: &Terms<'_>,
        values: Vec<(SecretName, SecretValue)>,
    ) -> Result<Vec<(Metadata, Written)>, Error> {
        let mut names = BTreeSet::new();
        if let Some((name, _)) = values.iter().find(|(name, _)| !names.insert(name)) {
            return Err(Error::NameTaken { name: name.clone() });
        }
        self.store.write(|writing| {
            let set = |(name, value): &(SecretName, SecretValue)| {
                bounded(terms.description)?;
                let address = SecretAddress { tenant, stack, name };
                let deed = Deed::on_secret(terms.by, "import", &address);
                self.set_in(writing, deed, &address, terms, &value.0)
            };
            values.iter().map(set).collect()
        })
    }

    /// Stores a new version of an existing secret.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::KeyEncoding`], [`Error::PolicyUnproven`],
    /// [`Error::Store`].
    #[expect(clippy::needless_pass_by_value, reason = "a value is used up by being stored")]
    pub fn rotate(
        &self,
        address: &SecretAddress<'_>,
        terms: &Terms<'_>,
        value: SecretValue,
    ) -> Result<Metadata, Error> {
        self.store.write(|writing| {
            let found = existing(writing, address)?;
            let metadata = self.append_in(writing, address, &found, terms, &value.0)?;
            recorded(writing, Deed::on_secret(terms.by, "rotate", address), &metadata)
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
        terms: &Terms<'_>,
        byte_len: usize,
    ) -> Result<(Metadata, Shown), Error> {
        bounded(terms.description)?;
        let shown = Shown::generate(byte_len, encoding_of(terms, None))?;
        let metadata = self.store.write(|writing| {
            let metadata = self.create_in(writing, address, terms, &shown.0)?;
            recorded(writing, Deed::on_secret(terms.by, "generate", address), &metadata)
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
        terms: &Terms<'_>,
        byte_len: usize,
    ) -> Result<(Metadata, Shown), Error> {
        self.store.write(|writing| {
            let found = existing(writing, address)?;
            let shown = Shown::generate(byte_len, encoding_of(terms, Some(&found)))?;
            let metadata = self.append_in(writing, address, &found, terms, &shown.0)?;
            Ok((recorded(writing, Deed::on_secret(terms.by, "rotate_generated", address), &metadata)?, shown))
        })
    }

    /// Changes a secret's policy. The DEKs of all versions that still have their bytes are
    /// wrapped anew under it, in one transaction, so that the old policy opens none of them.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::PolicyTooLong`], [`Error::PolicyRequired`],
    /// [`Error::Undecryptable`] when a version does not open: nothing is changed then,
    /// [`Error::Store`].
    pub fn policy(&self, address: &SecretAddress<'_>, terms: &Terms<'_>) -> Result<Metadata, Error> {
        self.store.write(|writing| {
            let found = existing(writing, address)?;
            let policy = self.policy_in(writing, address, &found, terms, Shut::Fails)?;
            let digest =
                policy.as_ref().and_then(PolicyRow::policy).map(|policy| policy.digest().to_string());
            let deed = Deed::on_secret(terms.by, "policy", address).fact("policy", digest);
            recorded(writing, deed, &found)?;
            existing(writing, address)
        })
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
        let found =
            self.store.secret(address)?.ok_or_else(|| Error::NotFound { name: address.name.clone() })?;
        Ok(self.counted(found))
    }

    /// What is known of all active secrets of a tenant, by name and stack.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn list(&self, tenant: &TenantId) -> Result<Vec<Metadata>, Error> {
        Ok(self.store.secrets(tenant)?.into_iter().map(|one| self.counted(one)).collect())
    }

    fn set_in(
        &self,
        writing: &Writing<'_>,
        deed: Deed<'_>,
        address: &SecretAddress<'_>,
        terms: &Terms<'_>,
        value: &Cleartext,
    ) -> Result<(Metadata, Written), Error> {
        let (metadata, written) = match writing.secret(address)? {
            Some(found) => {
                if let Some(description) = terms.description {
                    writing.describe(&found.secret_id, description)?;
                }
                (self.append_in(writing, address, &found, terms, value)?, Written::Rotated)
            }
            None => (self.create_in(writing, address, terms, value)?, Written::Created),
        };
        Ok((recorded(writing, deed, &metadata)?, written))
    }

    fn create_in(
        &self,
        writing: &Writing<'_>,
        address: &SecretAddress<'_>,
        terms: &Terms<'_>,
        value: &Cleartext,
    ) -> Result<Metadata, Error> {
        // Not left to the unique index: old files may lack it.
        if writing.secret(address)?.is_some() {
            return Err(Error::NameTaken { name: address.name.clone() });
        }
        let policy = terms.policy_after(None)?;
        let id = writing.mint(IdKind::Secret)?;
        writing.add_secret(&id, address, terms.description, terms.by)?;
        writing.put_policy(&id, policy.as_ref().and_then(PolicyRow::policy).map(AsRef::as_ref))?;
        let bound = Bound { id: &id, encoding: encoding_of(terms, None), policy: policy.as_ref() };
        self.add_in(writing, address, &bound, terms, value)?;
        existing(writing, address)
    }

    fn append_in(
        &self,
        writing: &Writing<'_>,
        address: &SecretAddress<'_>,
        found: &Metadata,
        terms: &Terms<'_>,
        value: &Cleartext,
    ) -> Result<Metadata, Error> {
        let id = &found.secret_id;
        if terms.policy == PolicyChange::Keep && found.policy.is_some() {
            self.prove_policy(writing, address, found)?;
        }
        let policy = self.policy_in(writing, address, found, terms, Shut::StaysBehind)?;
        let bound = Bound { id, encoding: encoding_of(terms, Some(found)), policy: policy.as_ref() };
        self.add_in(writing, address, &bound, terms, value)?;
        // A rotation ends any overlap that was, and may begin one (R22).
        let overlap = terms.overlap.filter(|_| found.version_no > 0);
        let until = overlap.and_then(|overlap| Timestamp::now().checked_add(overlap).ok());
        writing.retire(id, until.map(|until| (found.version_no, until)))?;
        writing.mark_rotated(id)?;
        existing(writing, address)
    }

    fn add_in(
        &self,
        writing: &Writing<'_>,
        address: &SecretAddress<'_>,
        bound: &Bound<'_>,
        terms: &Terms<'_>,
        value: &Cleartext,
    ) -> Result<(), Error> {
        let Bound { id, encoding, policy } = *bound;
        if encoding != Encoding::Text {
            decoded(value, encoding).map_err(|why| Error::KeyEncoding { why })?;
        }
        let unknown = |why| Error::Undecryptable { name: address.name.clone(), why };
        let policy = digest(policy).map_err(unknown)?;
        let version_no = writing.next_version(id)?;
        let sealed = self.seal(Context::at(address, id, version_no, encoding, policy), value)?;
        let key_encoding = Some(encoding).filter(|one| *one != Encoding::Text).map(Encoding::word);
        let new = NewVersion { sealed: &sealed, key_encoding, expires_at: terms.expires_at };
        writing.add_version(id, version_no, new, terms.by)?;
        self.keep_value_mac(writing, id, version_no, value)
    }
}

/// What a new version is bound to, beside its place.
#[derive(Clone, Copy)]
struct Bound<'a> {
    id: &'a Id,
    encoding: Encoding,
    policy: Option<&'a PolicyRow>,
}

/// How a new version is read: as it is said, or as the one before, or as text.
fn encoding_of(terms: &Terms<'_>, found: Option<&Metadata>) -> Encoding {
    let said = terms.key_encoding.filter(|encoding| *encoding != Encoding::Declared);
    let before = || Encoding::parse(written(found?.key_encoding.as_deref()));
    said.or_else(before).unwrap_or(Encoding::Text)
}

pub(crate) fn existing(writing: &Writing<'_>, address: &SecretAddress<'_>) -> Result<Metadata, Error> {
    writing.secret(address)?.ok_or_else(|| Error::NotFound { name: address.name.clone() })
}

/// Records what was done to the secret that `metadata` tells of, in the same transaction.
pub(crate) fn recorded(
    writing: &Writing<'_>,
    deed: Deed<'_>,
    metadata: &Metadata,
) -> Result<Metadata, Error> {
    writing.record(&deed.fact("version", metadata.version_no))?;
    Ok(metadata.clone())
}

fn bounded(description: Option<&str>) -> Result<(), Error> {
    match description.map_or(0, str::len) {
        found if found > MAX_DESCRIPTION_BYTES => Err(Error::DescriptionTooLong { found }),
        _ => Ok(()),
    }
}
