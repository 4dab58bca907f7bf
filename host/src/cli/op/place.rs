//! Where an op is: a folder of sources, built when it must be, or a component.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use model::{Class, Delivery, OpManifest, OpRule, Policy};
use sandbox::{CodeCache, Layered, Limits, Op, Sandbox, Trust};
use vault::MasterKey;
use workshop::{Facts, Source, Surroundings};
use zeroize::Zeroizing;

use super::beside::{is_rule, op_of};
use crate::cli::output::{Complaint, Console};
use crate::config::Environment;

/// The largest component that is read: what a chassis takes by default.
const MOST: u64 = 20 << 20;

/// An op to work with.
pub(super) struct Place {
    /// What it says of itself.
    pub(super) manifest: OpManifest,
    /// Its components, the one that reveals first.
    pub(super) components: Vec<Component>,
}

/// One component.
pub(super) struct Component {
    pub(super) delivery: Delivery,
    pub(super) bytes: Vec<u8>,
    pub(super) facts: Facts,
    /// Where it lies, or will.
    pub(super) file: PathBuf,
}

impl Place {
    /// The op at `path`: a folder is built, of a component its other build is found too, and a rule's is the one beside it.
    pub(super) fn at(path: &Path, console: &mut Console<'_>) -> Result<Self, Complaint> {
        if is_rule(path) {
            return Self::at(&op_of(path)?, console);
        }
        if path.is_dir() {
            return Self::built(path, console);
        }
        let one = Component::read(path)?;
        let other =
            path.to_str().and_then(|path| path.strip_suffix(".wasm")).filter(|s| !s.ends_with(".use"));
        let other = other.map(|stem| PathBuf::from(format!("{stem}.use.wasm"))).filter(|file| file.is_file());
        let mut components = vec![one];
        if let Some(other) = other {
            components.push(Component::read(&other)?);
        }
        Self::of(components)
    }

    fn built(folder: &Path, console: &mut Console<'_>) -> Result<Self, Complaint> {
        let surroundings =
            Surroundings::read(|name| console.environment.variable(name)).map_err(Complaint::failed)?;
        let source = Source::read(folder).map_err(|e| Complaint::failed(e.to_string()))?;
        let built = workshop::build(&source, &surroundings, &mut |line| console.note(line));
        let built = built.map_err(|error| Complaint::failed(error.in_short()))?;
        let name = source.manifest.name.as_str();
        let components = built.builds.into_iter().enumerate().map(|(at, (_, bytes))| {
            let file = if at == 0 { format!("{name}.wasm") } else { format!("{name}.use.wasm") };
            Component::of(folder.join(file), bytes)
        });
        Self::of(components.collect::<Result<_, _>>()?)
    }

    fn of(components: Vec<Component>) -> Result<Self, Complaint> {
        let manifest = components.first().map(|one| one.facts.manifest.clone());
        let manifest = manifest.ok_or_else(|| Complaint::failed("there is no component"))?;
        if let Some(other) = components.iter().find(|one| one.facts.manifest.name != manifest.name) {
            let (file, other) = (other.file.display(), &other.facts.manifest.name);
            return Err(Complaint::failed(format!(
                "{file} is of another op: {other}, not {}",
                manifest.name
            )));
        }
        Ok(Self { manifest, components })
    }

    /// The policy of a secret that lets these builds return `class` after they were shown it (R21).
    pub(super) fn policy(&self, class: Class) -> Option<Policy> {
        let digests = self.components.iter().map(|one| one.facts.digest).collect();
        let rule = OpRule::Tenant { name: self.manifest.name.clone(), returns: class, digests };
        Policy::asked(BTreeSet::new(), BTreeSet::new(), BTreeSet::from([rule]))
    }

    /// Checks every component as a chassis does when it is pushed.
    pub(super) fn check(&self, sandbox: &Sandbox, limits: &Limits) -> Result<(), Complaint> {
        for one in &self.components {
            let facts = &one.facts;
            let limits = limits.of_component(one.bytes.len());
            let over = |what: &str, has: u64, most: usize| {
                (has > most as u64).then(|| {
                    let file = one.file.display();
                    Complaint::failed(format!("{file}: it begins with {has} {what}, and may have {most}"))
                })
            };
            let refused = over("bytes of memory", facts.memory, limits.memory)
                .or_else(|| over("table elements", facts.table_elements, limits.tables));
            if let Some(refused) = refused {
                return Err(refused);
            }
            one.load(sandbox, Trust::Tenant)?;
        }
        Ok(())
    }
}

impl Component {
    /// Reads the component in `file`.
    pub(super) fn read(file: &Path) -> Result<Self, Complaint> {
        let cannot = |why: String| Complaint::failed(format!("cannot read {}: {why}", file.display()));
        let length = fs::metadata(file).map_err(|e| cannot(e.to_string()))?.len();
        if length > MOST {
            return Err(cannot(format!("it has {length} bytes, at most {MOST}")));
        }
        Self::of(file.to_owned(), fs::read(file).map_err(|e| cannot(e.to_string()))?)
    }

    fn of(file: PathBuf, bytes: Vec<u8>) -> Result<Self, Complaint> {
        let facts = Facts::read(&bytes).map_err(|e| Complaint::failed(format!("{}: {e}", file.display())))?;
        Ok(Self { delivery: facts.delivery(), bytes, facts, file })
    }

    /// Compiles it.
    pub(super) fn load(&self, sandbox: &Sandbox, trust: Trust) -> Result<Op, Complaint> {
        let op = sandbox.load(self.facts.manifest.name.clone(), &self.bytes, trust);
        op.map_err(|e| Complaint::failed(format!("{}: {e}", self.file.display())))
    }

    /// Puts it where it lies: all of it or nothing.
    pub(super) fn write(&self) -> Result<(), Complaint> {
        let cannot =
            |e: std::io::Error| Complaint::failed(format!("cannot write {}: {e}", self.file.display()));
        let folder = self.file.parent().unwrap_or_else(|| Path::new("."));
        // With the rights of any new file.
        let (rights, mut part) = (Permissions::from_mode(0o666), tempfile::Builder::new());
        let mut part = part.permissions(rights).suffix(".wasm").tempfile_in(folder).map_err(cannot)?;
        part.write_all(&self.bytes).map_err(cannot)?;
        part.persist(&self.file).map_err(|e| cannot(e.error))?;
        Ok(())
    }

    /// The file with somebody's signature over it.
    pub(super) fn signature_file(&self) -> PathBuf {
        signature_file(&self.file)
    }
}

/// In which way a chassis calls an op, in words.
pub(super) fn called(layered: Option<Layered>) -> String {
    layered.map_or_else(
        || "directly".to_owned(),
        |why| format!("through the engine's component layer, as {why}"),
    )
}

/// Where the signature over a component lies.
pub(super) fn signature_file(component: &Path) -> PathBuf {
    let mut name = component.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

/// An engine with the limits of a chassis. What it compiles it finds again the next time: an
/// interpreter takes half a minute.
pub(super) fn sandbox(limits: &Limits, environment: &dyn Environment) -> Result<Sandbox, Complaint> {
    let cache = code_cache(environment).unwrap_or(CodeCache::Off);
    Sandbox::new(limits.clone(), cache).map_err(|e| Complaint::failed(e.to_string()))
}

/// An engine that compiles everything, to see how long that takes.
pub(super) fn forgetful(limits: &Limits) -> Result<Sandbox, Complaint> {
    Sandbox::new(limits.clone(), CodeCache::Off).map_err(|e| Complaint::failed(e.to_string()))
}

/// Compiled code in the workshop's folder, under a key that lies there too: who can write to it
/// could as well change the ops that were built there.
fn code_cache(environment: &dyn Environment) -> Option<CodeCache> {
    let folder = Surroundings::read(|name| environment.variable(name)).ok()?.cache.join("code");
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).ok()?;
    let file = folder.join("key");
    let mut key = Zeroizing::new([0_u8; 32]);
    getrandom::fill(&mut *key).ok()?;
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file) {
        Ok(mut made) => made.write_all(&*key).ok()?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let kept = Zeroizing::new(fs::read(&file).ok()?);
            *key = kept.as_slice().try_into().ok()?;
        }
        Err(_) => return None,
    }
    let key = MasterKey::from_bytes(&mut *key).ok()?.code_cache_key().ok()?;
    Some(CodeCache::At { folder, key })
}
