//! From a folder of sources to the components of an op.

use std::fs;
use std::path::{Path, PathBuf};

use model::{Delivery, Digest, OpName};

use crate::cache::Cache;
use crate::compiler::Compiler;
use crate::foreign::Toolchain;
use crate::source::{Language, Source};
use crate::{Error, Facts, Surroundings, component, rust, sdk};

/// An op, built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Its name.
    pub name: OpName,
    /// Its components, the one that reveals first.
    pub builds: Vec<(Delivery, Vec<u8>)>,
    /// Which compiler made it.
    pub compiler: String,
    /// Whether it was made before.
    pub cached: bool,
}

/// Builds `source`, or takes what was built of the same sources by the same compiler before.
/// What the compiler says goes to `progress`, line by line.
///
/// # Errors
/// [`Error::NoCompiler`], [`Error::Compile`], [`Error::Component`], [`Error::Sources`],
/// [`Error::File`].
pub fn build(
    source: &Source,
    surroundings: &Surroundings,
    progress: &mut dyn FnMut(&str),
) -> Result<Built, Error> {
    let cache = Cache::open(surroundings)?;
    let maker = Maker::find(source.language, surroundings)?;
    let identity = maker.identity();
    let built =
        |builds, cached| Built { name: source.manifest.name.clone(), builds, compiler: maker.told(), cached };
    if let Some(builds) = cache.find(&source.key(&identity)) {
        return Ok(built(builds, true));
    }
    progress(&format!("building {} with {}", source.manifest.name, maker.told()));
    let bench = cache.bench()?;
    let modules = match &maker {
        Maker::Rust(compiler) => rust::build(source, compiler, surroundings, &bench.work, progress)?,
        Maker::Foreign(toolchain) => {
            vec![(Delivery::Reveal, toolchain.build(source, surroundings, &bench.work, progress)?)]
        }
    };
    let builds = components(source, modules)?;
    // Cargo's list of versions may be new, and is part of the sources from now on.
    let now = Source::read(&source.folder)?;
    keep(&cache, &now.key(&identity), &builds, progress);
    Ok(built(builds, false))
}

/// What cannot be kept, on a full disk, is made again next time: it is none the worse now.
fn keep(cache: &Cache, key: &Digest, builds: &[(Delivery, Vec<u8>)], progress: &mut dyn FnMut(&str)) {
    if let Err(error) = cache.keep(key, builds) {
        progress(&format!("not kept for the next time: {error}"));
    }
}

/// What makes an op of a language.
enum Maker {
    Rust(Compiler),
    Foreign(Toolchain),
}

impl Maker {
    fn find(language: Language, surroundings: &Surroundings) -> Result<Self, Error> {
        match language {
            Language::Rust => Compiler::find(surroundings).map(Self::Rust),
            Language::JavaScript | Language::C | Language::Python => {
                Toolchain::find(language, surroundings).map(Self::Foreign)
            }
        }
    }

    /// What decides what comes out, beside the sources.
    fn identity(&self) -> String {
        match self {
            Self::Rust(compiler) => rust::identity(compiler),
            Self::Foreign(toolchain) => format!("{} sdk {}", toolchain.identity, sdk::digest()),
        }
    }

    /// How people call it.
    fn told(&self) -> String {
        match self {
            Self::Rust(compiler) => compiler.version.clone(),
            Self::Foreign(toolchain) => toolchain.identity.clone(),
        }
    }
}

/// A sole build is what its imports say: it may have no need to be shown anything.
fn components(source: &Source, modules: Vec<(Delivery, Vec<u8>)>) -> Result<Vec<(Delivery, Vec<u8>)>, Error> {
    let alone = modules.len() == 1;
    let component = |(delivery, module): (Delivery, Vec<u8>)| {
        let component = component::of_module(&module)?;
        let component = component::with_manifest(&component, &source.manifest_text);
        let facts = Facts::read(&component)?;
        if delivery == Delivery::Use && facts.reveals() {
            return Err(Error::Component("its build with use-keys asks to be shown secrets".to_owned()));
        }
        Ok((if alone { facts.delivery() } else { delivery }, component))
    };
    modules.into_iter().map(component).collect()
}

/// The folders below `folder` that hold an op, by path.
#[must_use]
pub fn sources_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = open.pop() {
        if folder.join("op.toml").is_file() {
            found.push(folder);
            continue;
        }
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if depth < MOST_DEPTH && !hidden && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push((entry.path(), depth + 1));
            }
        }
    }
    found.sort();
    found
}

/// How deep below `OPS` an op may lie, as for rules.
const MOST_DEPTH: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_kept_is_told_and_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        let mut surroundings = Surroundings::read(|_| Some("/nowhere".to_owned())).unwrap();
        surroundings.cache = folder.path().join("ops");
        let cache = Cache::open(&surroundings).unwrap();
        // Where the folder of what was built would be.
        fs::write(surroundings.cache.join("built"), "").unwrap();
        let (key, mut said) = (Digest::of(b"key"), Vec::new());
        keep(&cache, &key, &[(Delivery::Use, vec![1])], &mut |line| said.push(line.to_owned()));
        assert_eq!((said.len(), cache.find(&key)), (1, None));
        assert!(said[0].starts_with("not kept for the next time: "), "{said:?}");
    }
}
