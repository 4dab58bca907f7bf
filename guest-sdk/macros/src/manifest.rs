//! What `op.toml` says, as far as the code must agree with it.

use std::path::PathBuf;
use std::{env, fs};

use proc_macro2::{Span, TokenStream};
use quote::quote;
use toml::de::{DeTable, DeValue};

/// The manifest of the op that is being compiled.
pub(crate) struct Manifest {
    pub(crate) name: String,
    /// Its first failure code.
    pub(crate) code: String,
    params: Vec<String>,
    outputs: Vec<Declared>,
}

/// One of its outputs.
struct Declared {
    path: String,
    param: Option<String>,
    class: String,
}

impl Manifest {
    /// The `op.toml` beside `Cargo.toml`; `None` when there is none.
    pub(crate) fn find(at: Span) -> syn::Result<Option<Self>> {
        let path = path();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(syn::Error::new(at, format!("{}: {error}", path.display()))),
        };
        let wrong = |words: String| syn::Error::new(at, format!("op.toml: {words}"));
        let table = DeTable::parse(&text).map_err(|error| wrong(error.to_string()))?;
        Self::read(table.get_ref()).map(Some).map_err(wrong)
    }

    fn read(table: &DeTable<'_>) -> Result<Self, String> {
        let name = text(table, "name").ok_or("it must begin with: name = \"…\"")?;
        let failures = table.get("failures").and_then(|list| list.get_ref().as_array());
        let code = failures.and_then(|codes| codes.first()?.get_ref().as_str());
        let params = table.get("params").and_then(|params| params.get_ref().as_table());
        let outputs = table.get("outputs").and_then(|outputs| outputs.get_ref().as_array());
        Ok(Self {
            name,
            code: code.unwrap_or("failed").to_owned(),
            params: params
                .into_iter()
                .flat_map(|table| table.keys())
                .map(|name| name.get_ref().to_string())
                .collect(),
            outputs: outputs
                .into_iter()
                .flatten()
                .map(|output| Declared::read(output.get_ref()))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Fails when the code names a parameter that is not declared.
    pub(crate) fn check_param(&self, name: &str, at: Span) -> syn::Result<()> {
        if self.params.iter().any(|param| param == name) {
            return Ok(());
        }
        let key = if name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
            name.to_owned()
        } else {
            format!("{name:?}")
        };
        Err(syn::Error::new(
            at,
            format!("op.toml does not declare the parameter {name:?}; add: [params.{key}]"),
        ))
    }

    /// Fails when the code returns a field that is not declared just so: the chassis would
    /// refuse it.
    pub(crate) fn check_output(
        &self,
        path: &str,
        param: Option<&str>,
        class: &str,
        at: Span,
    ) -> syn::Result<()> {
        let same = |declared: &Declared| {
            plain(&declared.path) == plain(path)
                && declared.class == class
                && declared.param.as_deref() == param
        };
        if self.outputs.iter().any(same) {
            return Ok(());
        }
        let param = param.map(|param| format!("\nparam = {param:?}")).unwrap_or_default();
        let add = format!("[[outputs]]\npath = {path:?}{param}\nclass = {class:?}");
        Err(syn::Error::new(at, format!("op.toml does not declare this output; add:\n{add}")))
    }
}

impl Declared {
    fn read(output: &DeValue<'_>) -> Result<Self, String> {
        let table = output.as_table().ok_or("outputs: expected tables")?;
        let needed = |key: &str| text(table, key).ok_or_else(|| format!("outputs: {key} is missing"));
        Ok(Self { path: needed("path")?, param: text(table, "param"), class: needed("class")? })
    }
}

fn text(table: &DeTable<'_>, key: &str) -> Option<String> {
    table.get(key).and_then(|value| value.get_ref().as_str()).map(str::to_owned)
}

/// A path without the spellings that mean the same.
fn plain(path: &str) -> String {
    let path = path.strip_prefix('.').unwrap_or(path);
    path.strip_prefix('@').map_or_else(|| path.to_owned(), |rest| format!("_txc.{rest}"))
}

fn path() -> PathBuf {
    PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("op.toml")
}

/// Makes the compiler look again when `op.toml` changes.
pub(crate) fn watch() -> TokenStream {
    quote! {
        const _: &str = ::core::include_str!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/op.toml"));
    }
}
