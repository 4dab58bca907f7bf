//! What can be read off a component without running or compiling it.

use model::{Delivery, Digest, MANIFEST_SECTION, OpManifest};
use wasmparser::{ComponentTypeRef, Encoding, Parser, Payload};

use crate::Error;
use crate::shape::Shape;

/// The interface by which secrets are shown, and the one by which they are used.
const SECRETS: &str = "txco:op/secrets@";
const KEYS: &str = "txco:op/keys@";
const PAGE: u64 = 64 << 10;

/// What can be read off a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many they are.
    pub size: u64,
    /// What it imports, by name.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// What it says of itself.
    pub manifest: OpManifest,
    /// The same as it is written.
    pub manifest_text: String,
    /// Bytes of memory it begins with, all its memories together.
    pub memory: u64,
    /// Elements of tables it begins with, all together.
    pub table_elements: u64,
    /// How many functions it has.
    pub functions: u64,
}

impl Facts {
    /// Reads them.
    ///
    /// # Errors
    /// [`Error::Component`]: not a component, one that is malformed or would take too long to
    /// compile, or one without a manifest.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        if !bytes.starts_with(b"\0asm") {
            return Err(Error::Component("it is not WebAssembly".to_owned()));
        }
        let mut found = Found::default();
        found.look(bytes).map_err(|error| Error::Component(format!("it is malformed: {error}")))?;
        if !found.component {
            return Err(Error::Component("it is a core module, not a component".to_owned()));
        }
        if let Some(excess) = found.shape.excess() {
            return Err(Error::Component(excess));
        }
        let no_manifest = || {
            let section = MANIFEST_SECTION;
            Error::Component(format!("it has no section {section}; `txco op build` puts op.toml there"))
        };
        if found.manifests.len() > 1 {
            return Err(Error::Component("it says twice what it is (two op.toml)".to_owned()));
        }
        let manifest_text = found.manifests.pop().ok_or_else(no_manifest)?;
        let manifest =
            OpManifest::parse(&manifest_text).map_err(|error| Error::Component(error.to_string()))?;
        Ok(Self {
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            imports: found.imports,
            exports: found.exports,
            manifest,
            manifest_text,
            memory: found.memory,
            table_elements: found.table_elements,
            functions: found.functions,
        })
    }

    /// How it is given secrets: handles when it imports those and never asks to be shown one.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        if self.imports(KEYS) && !self.reveals() { Delivery::Use } else { Delivery::Reveal }
    }

    /// Whether it asks to be shown secrets.
    #[must_use]
    pub fn reveals(&self) -> bool {
        self.imports(SECRETS)
    }

    /// Whether it uses secrets through handles.
    #[must_use]
    pub fn uses_keys(&self) -> bool {
        self.imports(KEYS)
    }

    fn imports(&self, interface: &str) -> bool {
        self.imports.iter().any(|import| import.starts_with(interface))
    }
}

#[derive(Default)]
struct Found {
    component: bool,
    imports: Vec<String>,
    exports: Vec<String>,
    manifests: Vec<String>,
    memory: u64,
    table_elements: u64,
    functions: u64,
    shape: Shape,
}

impl Found {
    /// `parse_all` goes into nested modules and components by itself; `depth` tells where.
    fn look(&mut self, bytes: &[u8]) -> Result<(), wasmparser::BinaryReaderError> {
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            self.shape.count(&payload)?;
            #[expect(
                clippy::wildcard_enum_match_arm,
                reason = "every other section tells nothing that is asked"
            )]
            match payload {
                Payload::Version { encoding, .. } => {
                    depth += 1;
                    if depth == 1 {
                        self.component = encoding == Encoding::Component;
                    }
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::CustomSection(section) if depth == 1 && section.name() == MANIFEST_SECTION => {
                    self.manifests.push(String::from_utf8_lossy(section.data()).into_owned());
                }
                Payload::ComponentImportSection(imports) if depth == 1 => {
                    for import in imports {
                        let import = import?;
                        // The names of types are no power.
                        if !matches!(import.ty, ComponentTypeRef::Type(_)) {
                            self.imports.push(import.name.name.to_owned());
                        }
                    }
                }
                Payload::ComponentExportSection(exports) if depth == 1 => {
                    for export in exports {
                        self.exports.push(export?.name.name.to_owned());
                    }
                }
                Payload::MemorySection(memories) => {
                    for memory in memories {
                        self.memory = self.memory.saturating_add(memory?.initial.saturating_mul(PAGE));
                    }
                }
                Payload::TableSection(tables) => {
                    for table in tables {
                        self.table_elements = self.table_elements.saturating_add(table?.ty.initial);
                    }
                }
                Payload::FunctionSection(functions) => self.functions += u64::from(functions.count()),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::with_manifest;

    const SIGNER: &[u8] = include_bytes!("../../../../tests/guests/dist/reveal.wasm");
    const MANIFEST: &str = "name = \"my-signer\"\n";

    #[test]
    fn a_component_tells() {
        let bytes = with_manifest(SIGNER, MANIFEST);
        let facts = Facts::read(&bytes).unwrap();
        assert_eq!((facts.manifest.name.as_str(), facts.manifest_text.as_str()), ("my-signer", MANIFEST));
        assert_eq!((facts.digest, facts.size), (Digest::of(&bytes), bytes.len() as u64));
        assert!(facts.imports.iter().any(|import| import.starts_with("txco:op/secrets@1")), "{facts:?}");
        assert!(facts.exports.contains(&"handle".to_owned()), "{facts:?}");
        assert_eq!(facts.delivery(), Delivery::Reveal);
        assert!(facts.memory >= PAGE && facts.functions > 0, "{facts:?}");
    }

    #[test]
    fn what_is_no_op_is_told() {
        let said = |bytes: &[u8]| Facts::read(bytes).unwrap_err().to_string();
        assert_eq!(said(b"hello"), "no op: it is not WebAssembly");
        assert!(said(b"\0asm\x01\0\0\0").contains("a core module, not a component"));
        assert!(said(b"\0asm\x0d\0\x01\0").contains("no section txco:manifest"));
        assert!(said(&with_manifest(SIGNER, "name = 5")).contains("op.toml"));
        assert!(said(&with_manifest(&with_manifest(SIGNER, MANIFEST), MANIFEST)).contains("twice"));
        let (cut, _) = SIGNER.split_at(SIGNER.len() / 2);
        assert!(said(cut).contains("malformed"));
    }
}
