//! The files of a draft: put all at once, or one by one.

use std::collections::BTreeMap;

use super::{MOST_FILE_BYTES, MOST_FILES, StackFile, VersionAddress, VersionStatus, manifest_of, rows};
use crate::chain::{By, Deed};
use crate::error::Error;
use crate::refusal::StackRefusal;
use crate::store::{Store, Writing};

/// Which files an upload replaces. Those that rules are made of are code; whatever else a
/// version of the Go chassis may have is data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Managed {
    /// All.
    All,
    /// Rules and their mocks.
    Code,
    /// The others.
    Data,
}

impl Managed {
    fn covers(self, path: &str) -> bool {
        // Rules and mocks lie below a scope, which is a number; the other folders are names.
        let code = path.starts_with(|c: char| c.is_ascii_digit());
        match self {
            Self::All => true,
            Self::Code => code,
            Self::Data => !code,
        }
    }
}

/// A change of one file. `base` is the digest of the text that somebody looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// It becomes this; an empty `base` makes it.
    Write {
        /// Its path.
        path: &'a str,
        /// Its text from now on.
        content: &'a str,
        /// The digest of its text until now; empty when it is new.
        base: &'a str,
    },
    /// It goes.
    Remove {
        /// Its path.
        path: &'a str,
        /// The digest of its text until now.
        base: &'a str,
    },
}

impl Store {
    /// Replaces the `managed` files of a draft. Says the manifest that it has then.
    ///
    /// # Errors
    /// [`StackRefusal`]: no such stack or version, no draft, too many or too large; or of the
    /// database. Nothing is changed then.
    pub fn put_files(
        &self,
        at: VersionAddress<'_>,
        files: &[StackFile],
        managed: Managed,
        by: By<'_>,
    ) -> Result<String, Error> {
        self.edit(at, by, |all| {
            all.retain(|path, _| !managed.covers(path));
            all.extend(files.iter().map(|file| (file.path.clone(), file.content.clone())));
            Ok(())
        })
    }

    /// Changes one file of a draft. Says the manifest that it has then.
    ///
    /// # Errors
    /// As [`Store::put_files`]; [`StackRefusal::FileChanged`], [`StackRefusal::FileExists`],
    /// [`StackRefusal::NoFile`].
    pub fn change_file(
        &self,
        at: VersionAddress<'_>,
        change: Change<'_>,
        by: By<'_>,
    ) -> Result<String, Error> {
        self.edit(at, by, |all| {
            let (path, base, content) = match change {
                Change::Write { path, content, base } => (path, base, Some(content)),
                Change::Remove { path, base } => (path, base, None),
            };
            let named = path.to_owned();
            match (all.get(path), base) {
                (Some(_), "") => return Err(StackRefusal::FileExists { path: named }),
                (None, "") if content.is_some() => {}
                (None, _) => return Err(StackRefusal::NoFile { path: named }),
                (Some(text), base) => {
                    let is = model::Digest::of(text.as_bytes());
                    if model::Digest::parse(base) != Some(is) {
                        return Err(StackRefusal::FileChanged { path: named });
                    }
                }
            }
            match content {
                Some(content) => drop(all.insert(named, content.to_owned())),
                None => drop(all.remove(path)),
            }
            Ok(())
        })
    }

    fn edit(
        &self,
        at: VersionAddress<'_>,
        by: By<'_>,
        edit: impl FnOnce(&mut BTreeMap<String, String>) -> Result<(), StackRefusal>,
    ) -> Result<String, Error> {
        self.write(|writing: &Writing<'_>| {
            let transaction = writing.transaction;
            let VersionAddress { tenant, stack: name, number } = at;
            let stack = rows::stack(transaction, tenant, name)?;
            let version = rows::version(transaction, &stack, number)?;
            if version.record.status != VersionStatus::Draft {
                return Err(Error::Stack(StackRefusal::NotDraft(number)));
            }
            let before = rows::files(transaction, version.id)?;
            let mut all: BTreeMap<_, _> = before.into_iter().map(|file| (file.path, file.content)).collect();
            edit(&mut all).map_err(Error::Stack)?;
            let files: Vec<_> = all.into_iter().map(|(path, content)| StackFile { path, content }).collect();
            within(&files).map_err(Error::Stack)?;
            let manifest = manifest_of(&files).to_string();
            transaction
                .execute("DELETE FROM stack_files WHERE version_id = ?1", [version.id])
                .map_err(Error::of)?;
            let sql =
                "INSERT INTO stack_files (version_id, path, content, content_hash) VALUES (?1, ?2, ?3, ?4)";
            let mut insert = transaction.prepare_cached(sql).map_err(Error::of)?;
            for file in &files {
                let row = (version.id, &file.path, &file.content, file.digest().to_string());
                insert.execute(row).map_err(Error::of)?;
            }
            let sql = "UPDATE stack_versions SET manifest_hash = ?2 WHERE version_id = ?1";
            transaction.execute(sql, (version.id, &manifest)).map_err(Error::of)?;
            let deed = Deed::new(by, "stack.upload", tenant.as_str(), name.as_str());
            let deed = deed.fact("version", number).fact("files", files.len());
            writing.record(&deed.fact("manifest", manifest.as_str()))?;
            Ok(manifest)
        })
    }
}

fn within(files: &[StackFile]) -> Result<(), StackRefusal> {
    let bytes: usize = files.iter().map(|file| file.path.len() + file.content.len()).sum();
    if files.len() > MOST_FILES {
        Err(StackRefusal::TooManyFiles { most: MOST_FILES })
    } else if bytes > MOST_FILE_BYTES {
        Err(StackRefusal::TooLarge { most: MOST_FILE_BYTES })
    } else {
        Ok(())
    }
}
