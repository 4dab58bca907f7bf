//! Compiled code on disk, so that a second start compiles nothing (R27).
#![allow(unsafe_code, reason = "wasmtime trusts compiled code that it loads; the MAC below is why we may")]

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hmac::{Hmac, KeyInit, Mac};
use model::Digest;
use sha2::Sha256;
use vault::CodeCacheKey;
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

/// Length of the MAC before the code.
const MAC_BYTES: usize = 32;
/// How the names of all files end.
const END: &str = ".cwasm";
/// How those of files end that are being written.
const PART: &str = ".part";
/// After this long nobody is writing any more.
const BROKEN_OFF: Duration = Duration::from_hours(1);
/// How many bytes are kept: some 70 interpreters, or 40,000 small ops (decision 0079).
const MOST_BYTES: u64 = 2 << 30;

/// Where compiled code is kept between starts.
pub enum CodeCache {
    /// Nowhere: with the secret store off there is no key to authenticate it.
    Off,
    /// In a folder of ours (0700), each file under a MAC. Whoever can write there and has
    /// not the key cannot make us run their machine code.
    At {
        /// The folder; made when absent.
        folder: PathBuf,
        /// The key, derived from the master key.
        key: CodeCacheKey,
    },
}

/// Code as the engine has it: of a whole component, or of one module of it.
pub(crate) trait Code: Sized {
    /// What tells its file from one of the other kind.
    const SUFFIX: &str;

    /// Compiles it.
    fn compile(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Self>;

    /// Its bytes, to be kept.
    fn kept(&self) -> wasmtime::Result<Vec<u8>>;

    /// # Safety
    /// The bytes were made by [`Code::kept`]: the engine runs what they say.
    unsafe fn found(engine: &Engine, code: &[u8]) -> wasmtime::Result<Self>;
}

/// The engine has the same three functions for both, and no trait of its own.
macro_rules! code {
    ($($kind:ty, $suffix:literal;)+) => {$(
        impl Code for $kind {
            const SUFFIX: &str = $suffix;

            fn compile(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Self> {
                Self::from_binary(engine, wasm)
            }

            fn kept(&self) -> wasmtime::Result<Vec<u8>> {
                self.serialize()
            }

            unsafe fn found(engine: &Engine, code: &[u8]) -> wasmtime::Result<Self> {
                // SAFETY: the caller's promise.
                unsafe { Self::deserialize(engine, code) }
            }
        }
    )+};
}
code! {
    Component, "-component";
    // Kept only when its component was found to be wired as usual: the number is that of the rules for it.
    Module, "-direct1";
}

/// Whether code was compiled now or found compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Compiled,
    Cached,
}

impl CodeCache {
    /// The compiled code of `wasm`, in the component with this digest: found, or made and kept.
    pub(crate) fn code<C: Code>(
        &self,
        engine: &Engine,
        digest: &Digest,
        wasm: &[u8],
    ) -> wasmtime::Result<(C, Origin)> {
        if let Some(code) = self.find(engine, digest) {
            return Ok((code, Origin::Cached));
        }
        let code = C::compile(engine, wasm)?;
        self.keep(engine, digest, &code);
        Ok((code, Origin::Compiled))
    }

    /// Lets go of what was compiled under another key: with a new master key that is all of it,
    /// and one line tells. Its key is in a file's name, so that what stands under a name of ours
    /// and does not verify was changed, and is told by itself. Of what is too much, and of what
    /// was never finished, too.
    pub(crate) fn tidy(&self) {
        let Self::At { folder, key } = self else { return };
        let Some(ours) = end_of(key) else { return };
        let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let others = files.filter(|path| {
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            name.ends_with(END.as_bytes()) && !name.ends_with(ours.as_bytes())
        });
        let removed = others.filter(|path| fs::remove_file(path).is_ok()).count();
        if removed > 0 {
            let folder = folder.display();
            tracing::warn!(%folder, removed, "compiled ops were made under another master key; compiled again");
        }
        shrink(folder, MOST_BYTES);
    }

    pub(crate) fn find<C: Code>(&self, engine: &Engine, digest: &Digest) -> Option<C> {
        let Self::At { folder, key } = self else { return None };
        let name = file_name::<C>(engine, digest, key)?;
        let path = folder.join(&name);
        // Checked and used from one buffer: what changes on disk in between changes nothing here.
        let file = match fs::read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return unusable(&path, &error.kind().to_string()),
        };
        let Some((mac, code)) = file.split_at_checked(MAC_BYTES) else {
            return unusable(&path, "it is cut short");
        };
        let authentic = mac_over(key, &name, code).is_some_and(|m| m.verify_slice(mac).is_ok());
        if !authentic {
            return unusable(&path, "its MAC does not match: it was changed");
        }
        // SAFETY: the MAC says that these are bytes which this program wrote under this very
        // name, in `keep`.
        match unsafe { C::found(engine, code) } {
            Ok(code) => {
                // What is used last goes last. Whoever cannot say so loses it sooner, and nothing else.
                let _used = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
                Some(code)
            }
            Err(_) => unusable(&path, "the engine does not take it"),
        }
    }

    /// Keeps compiled code for the next start. A cache that cannot be written costs time at
    /// the next start and nothing else, so that is only reported.
    pub(crate) fn keep<C: Code>(&self, engine: &Engine, digest: &Digest, code: &C) {
        let Self::At { folder, key } = self else { return };
        let kept = code.kept().map_err(io::Error::other).and_then(|code| {
            let no_mac = || io::Error::other("no MAC");
            let name = file_name::<C>(engine, digest, key).ok_or_else(no_mac)?;
            let mac = mac_over(key, &name, &code).ok_or_else(no_mac)?;
            write(folder, &name, &mac.finalize().into_bytes(), &code)?;
            shrink(folder, MOST_BYTES);
            Ok(())
        });
        if let Err(error) = kept {
            let folder = folder.display();
            tracing::warn!(%folder, %error, "compiled ops are not kept; the next start compiles again");
        }
    }
}

/// Everything that decides whether compiled code fits: the component, the engine's version,
/// its settings and this processor; and the key that it is believed under.
fn file_name<C: Code>(engine: &Engine, digest: &Digest, key: &CodeCacheKey) -> Option<String> {
    let mut settings = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut settings);
    Some(format!("{digest}{}-{:016x}{}", C::SUFFIX, settings.finish(), end_of(key)?))
}

/// How the names of files under this key end: with eight bytes that tell it from others, and
/// are none of its own.
fn end_of(key: &CodeCacheKey) -> Option<String> {
    let tag = mac_over(key, "", b"the name of this key")?.finalize().into_bytes();
    let tag = tag.first_chunk::<8>().map(|tag| u64::from_be_bytes(*tag))?;
    Some(format!("-{tag:016x}{END}"))
}

/// HMAC-SHA256 over the name, its length first, and the code: a file moved to another
/// name does not verify.
fn mac_over(key: &CodeCacheKey, name: &str, code: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).ok()?;
    mac.update(&(name.len() as u64).to_be_bytes());
    mac.update(name.as_bytes());
    mac.update(code);
    Some(mac)
}

/// Removes what was used longest ago until no more than `most` bytes are kept, and what somebody
/// began to write long ago and did not finish. What cannot be removed is tried again next time.
fn shrink(folder: &Path, most: u64) {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().filter_map(|entry| {
        let about = entry.metadata().ok()?;
        Some((about.modified().ok()?, about.len(), entry.path()))
    });
    let ends = |path: &Path, end: &str| path.as_os_str().as_encoded_bytes().ends_with(end.as_bytes());
    let (mut kept, others): (Vec<_>, Vec<_>) = files.partition(|(_, _, path)| ends(path, END));
    for (since, _, path) in others {
        if ends(&path, PART) && since.elapsed().is_ok_and(|age| age > BROKEN_OFF) {
            let _next_time = fs::remove_file(path);
        }
    }
    kept.sort();
    let mut bytes: u64 = kept.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, its, path) in kept {
        if bytes <= most {
            break;
        }
        bytes -= its;
        let _next_time = fs::remove_file(path);
    }
}

fn unusable<C>(path: &Path, why: &str) -> Option<C> {
    tracing::warn!(path = %path.display(), why, "compiled op is not used and will be compiled again");
    None
}

fn write(folder: &Path, name: &str, mac: &[u8], code: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let rights = fs::metadata(folder)?.permissions();
    if rights.mode() & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    let whole = folder.join(name);
    let part = folder.join(format!("{name}.{}{PART}", std::process::id()));
    let written =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part).and_then(
            |mut file| {
                file.write_all(mac)?;
                file.write_all(code)?;
                fs::rename(&part, &whole)
            },
        );
    if written.is_err() {
        // The part is of no use to anyone; that it stays is no worse than the error itself.
        let _left_over = fs::remove_file(&part);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let hours = |ago: u64| SystemTime::now() - Duration::from_hours(ago);
        let made = |name: &str, ago: u64| {
            let path = folder.path().join(name);
            fs::write(&path, [0; 10]).unwrap();
            File::open(&path).unwrap().set_modified(hours(ago)).unwrap();
        };
        made("old.cwasm", 3);
        made("older-of-another-name.cwasm", 4);
        made("new.cwasm", 1);
        made("left.cwasm.7.part", 2);
        made("written-now.cwasm.8.part", 0);
        made("key", 9);
        let names = || {
            let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<_> = files.map(|name| name.into_string().unwrap()).collect();
            names.sort();
            names
        };
        shrink(folder.path(), 30);
        let all =
            ["key", "new.cwasm", "old.cwasm", "older-of-another-name.cwasm", "written-now.cwasm.8.part"];
        assert_eq!(names(), all);
        shrink(folder.path(), 29);
        assert_eq!(names(), ["key", "new.cwasm", "old.cwasm", "written-now.cwasm.8.part"]);
        shrink(folder.path(), 10);
        assert_eq!(names(), ["key", "new.cwasm", "written-now.cwasm.8.part"]);
        shrink(folder.path(), 0);
        assert_eq!(names(), ["key", "written-now.cwasm.8.part"]);
    }
}
