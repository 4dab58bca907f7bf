//! What happens to versions after they were made: listed, brought back, destroyed.

use jiff::Timestamp;
use model::Id;
use store::{By, Deed, Metadata, SealedSecret, SecretAddress, VersionFacts, Writing};

use crate::admin::{existing, recorded};
use crate::error::Error;
use crate::vault::Vault;

/// How many versions a prune leaves: the one in use counts, one that is retiring stays too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep(pub u32);

impl Vault {
    /// The versions of a secret, newest first, with their uses up to now.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`].
    pub fn versions(&self, address: &SecretAddress<'_>) -> Result<(Metadata, Vec<VersionFacts>), Error> {
        let metadata = self.show(address)?;
        let mut versions = self.store.versions(&metadata.secret_id)?;
        for (version_no, uses, last) in self.uses.of(&metadata.secret_id) {
            if let Some(version) = versions.iter_mut().find(|one| one.version_no == version_no) {
                version.uses = version.uses.saturating_add(uses);
                version.last_used_at = later(version.last_used_at.take(), last);
            }
        }
        Ok((metadata, versions))
    }

    /// Adds to what is known of a secret the uses that are not written down yet.
    pub(crate) fn counted(&self, mut metadata: Metadata) -> Metadata {
        for (_, uses, last) in self.uses.of(&metadata.secret_id) {
            metadata.uses = metadata.uses.saturating_add(uses);
            metadata.last_used_at = later(metadata.last_used_at.take(), last);
        }
        metadata
    }

    /// Writes down how often versions were used since the last time.
    ///
    /// # Errors
    /// [`Error::Store`]; what was counted is kept for the next time.
    pub fn write_uses(&self) -> Result<(), Error> {
        let counted = self.uses.take();
        self.store.note_uses(&counted).map_err(|error| {
            self.uses.put_back(&counted);
            Error::Store(error)
        })
    }

    /// Makes an older version the one in use again: `to`, or the newest before the one that is.
    /// Newer ones are taken out of use and keep their bytes, so that a rollback can be taken
    /// back. The policy stays today's (R11).
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NoSuchVersion`], [`Error::NothingBefore`],
    /// [`Error::Destroyed`], [`Error::Store`].
    pub fn roll_back(
        &self,
        address: &SecretAddress<'_>,
        by: By<'_>,
        to: Option<u32>,
    ) -> Result<Metadata, Error> {
        self.store.write(|writing| {
            let found = existing(writing, address)?;
            let versions = writing.versions(&found.secret_id)?;
            let name = || address.name.clone();
            let chosen = match to {
                Some(version_no) => versions
                    .iter()
                    .find(|one| one.version_no == version_no)
                    .ok_or_else(|| Error::NoSuchVersion { name: name(), version_no })?,
                None => versions
                    .iter()
                    .find(|one| one.version_no < found.version_no && one.destroyed_at.is_none())
                    .ok_or_else(|| Error::NothingBefore { name: name() })?,
            };
            let version_no = chosen.version_no;
            if chosen.destroyed_at.is_some() {
                return Err(Error::Destroyed { name: name(), version_no });
            }
            if version_no != found.version_no {
                writing.retire(&found.secret_id, None)?;
                writing.bring_back(&found.secret_id, version_no)?;
                writing.mark_rotated(&found.secret_id)?;
            }
            let now = existing(writing, address)?;
            recorded(writing, Deed::on_secret(by, "rollback", address), &now)
        })
    }

    /// Destroys all but the `keep` newest versions: of those in use or once in use first, then
    /// of those that a rollback has taken out of use. Tells which.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`], and when the files could not be cleaned.
    pub fn prune(
        &self,
        address: &SecretAddress<'_>,
        by: By<'_>,
        Keep(keep): Keep,
    ) -> Result<(Metadata, Vec<u32>), Error> {
        let now = Timestamp::now();
        let (metadata, gone, needles) = self.store.write(|writing| {
            let found = existing(writing, address)?;
            let mut held = writing.versions(&found.secret_id)?;
            held.retain(|one| one.destroyed_at.is_none());
            held.sort_by_key(|one| one.revoked_at.is_some());
            let kept = usize::try_from(keep.max(1)).unwrap_or(usize::MAX);
            let gone: Vec<u32> = held
                .iter()
                .skip(kept)
                .filter(|one| !is_retiring(one, now))
                .map(|one| one.version_no)
                .collect();
            let needles = destroy_in(writing, &found.secret_id, &gone, by)?;
            let deed = Deed::on_secret(by, "prune", address).fact("destroyed", gone.clone());
            Ok::<_, Error>((recorded(writing, deed, &existing(writing, address)?)?, gone, needles))
        })?;
        if !gone.is_empty() {
            self.store.erase(&needles)?;
        }
        Ok((metadata, gone))
    }

    /// Destroys the bytes of one version: this database's files hold them no more. Older
    /// backups of the database still do. A version that is destroyed already is destroyed
    /// again, so that a log that was in use can be emptied later.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NoSuchVersion`], [`Error::InUse`], [`Error::Store`], and
    /// when the files could not be cleaned.
    pub fn destroy(
        &self,
        address: &SecretAddress<'_>,
        by: By<'_>,
        version_no: u32,
    ) -> Result<Metadata, Error> {
        let (metadata, needles) = self.store.write(|writing| {
            let found = existing(writing, address)?;
            let name = || address.name.clone();
            let versions = writing.versions(&found.secret_id)?;
            if !versions.iter().any(|one| one.version_no == version_no) {
                return Err(Error::NoSuchVersion { name: name(), version_no });
            }
            if version_no == found.version_no {
                return Err(Error::InUse { name: name(), version_no });
            }
            let needles = destroy_in(writing, &found.secret_id, &[version_no], by)?;
            let deed = Deed::on_secret(by, "destroy", address).fact("destroyed", version_no);
            Ok::<_, Error>((recorded(writing, deed, &existing(writing, address)?)?, needles))
        })?;
        self.store.erase(&needles)?;
        Ok(metadata)
    }

    /// Destroys the bytes of every version of the revoked secrets that were at this place:
    /// nothing uses them, and they are kept for the audit's sake alone. Tells which.
    ///
    /// # Errors
    /// [`Error::NotFound`] where none was revoked, [`Error::Store`], and when the files could
    /// not be cleaned.
    pub fn destroy_revoked(&self, address: &SecretAddress<'_>, by: By<'_>) -> Result<Vec<(Id, u32)>, Error> {
        let (gone, needles) = self.store.write(|writing| {
            let revoked = writing.revoked(address)?;
            if revoked.is_empty() {
                return Err(Error::NotFound { name: address.name.clone() });
            }
            let (mut gone, mut needles) = (Vec::new(), Vec::new());
            for id in revoked {
                let held = writing.versions(&id)?.into_iter().filter(|one| one.destroyed_at.is_none());
                let versions: Vec<u32> = held.map(|one| one.version_no).collect();
                needles.extend(destroy_in(writing, &id, &versions, by)?);
                gone.extend(versions.into_iter().map(|version_no| (id.clone(), version_no)));
            }
            let deed = Deed::on_secret(by, "destroy_revoked", address).fact("destroyed", gone.len());
            writing.record(&deed)?;
            Ok::<_, Error>((gone, needles))
        })?;
        self.store.erase(&needles)?;
        Ok(gone)
    }
}

/// Takes the bytes out of their rows; returns them, so that the files can be searched for them.
fn destroy_in(
    writing: &Writing<'_>,
    secret: &Id,
    versions: &[u32],
    by: By<'_>,
) -> Result<Vec<Vec<u8>>, Error> {
    let mut needles = Vec::new();
    for version in writing.held(secret)?.into_iter().filter(|one| versions.contains(&one.version_no)) {
        if let Some(sealed) = &version.sealed {
            needles.extend(traces(sealed));
        }
        writing.destroy(secret, version.version_no, by)?;
        writing.forget_value_mac(secret, version.version_no)?;
    }
    Ok(needles)
}

/// Pieces by which a copy is found wherever a page ends: of the halves of the DEK one is whole
/// in any copy, and without the DEK the value is noise; of the value its beginning and end.
fn traces(sealed: &SealedSecret) -> Vec<Vec<u8>> {
    let halves = sealed.wrapped_dek.chunks(sealed.wrapped_dek.len() / 2);
    let ends = [sealed.ciphertext.first_chunk::<16>(), sealed.ciphertext.last_chunk::<16>()];
    halves.map(<[u8]>::to_vec).chain(ends.into_iter().flatten().map(|end| end.to_vec())).collect()
}

fn is_retiring(version: &VersionFacts, now: Timestamp) -> bool {
    let until = version.retiring_until.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
    version.revoked_at.is_none() && until.is_some_and(|until| until > now)
}

fn later(known: Option<String>, last: Timestamp) -> Option<String> {
    let last = last.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    Some(known.filter(|known| *known > last).unwrap_or(last))
}
