//! Finds a Rust compiler that can make WebAssembly, or says what to install.

use std::path::{Path, PathBuf};

use crate::tool::first_line;
use crate::{Error, Surroundings};

/// The oldest compiler that takes the SDK.
const OLDEST: (u32, u32) = (1, 95);
const WASM: &str = "wasm32-unknown-unknown";
const WASIP2: &str = "wasm32-wasip2";

/// A compiler for ops in Rust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compiler {
    pub(crate) cargo: PathBuf,
    /// What `rustc --version` says.
    pub(crate) version: String,
    pub(crate) sysroot: PathBuf,
    pub(crate) way: Way,
    /// The linker, where the compiler has none of its own.
    pub(crate) linker: Option<PathBuf>,
}

/// How it makes WebAssembly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It has the libraries of `wasm32-unknown-unknown`.
    Target,
    /// It has their source, and makes them on the way.
    Source,
    /// It has the libraries of `wasm32-wasip2`, whose linker makes a component by itself.
    Wasip2,
}

impl Way {
    /// The target's name.
    pub(crate) const fn target(self) -> &'static str {
        match self {
            Self::Target | Self::Source => WASM,
            Self::Wasip2 => WASIP2,
        }
    }
}

impl Compiler {
    /// The first usable one: the one that was chosen, those on the path, Debian's.
    ///
    /// # Errors
    /// [`Error::NoCompiler`] with what was looked at, what each lacks, and the commands that
    /// install one.
    pub(crate) fn find(surroundings: &Surroundings) -> Result<Self, Error> {
        let debian = PathBuf::from("/usr/bin/cargo");
        let mut candidates: Vec<PathBuf> = match &surroundings.cargo {
            Some(chosen) => vec![chosen.clone()],
            None => {
                surroundings.programs("cargo").chain(Some(debian).filter(|cargo| cargo.is_file())).collect()
            }
        };
        candidates.dedup();
        let mut lacking = Vec::new();
        for cargo in candidates {
            match Self::at(&cargo, surroundings) {
                Ok(compiler) => return Ok(compiler),
                Err(why) => lacking.push(format!("  {}: {why}", cargo.display())),
            }
        }
        Err(Error::NoCompiler(told(&lacking)))
    }

    /// Looks at one; says what it lacks.
    fn at(cargo: &Path, surroundings: &Surroundings) -> Result<Self, String> {
        let bin = cargo.parent().unwrap_or_else(|| Path::new("/"));
        let rustc = bin.join("rustc");
        let ask = |arguments: &[&str]| first_line(&rustc, arguments, surroundings.environment(&[bin]));
        let version = ask(&["--version"]).ok_or("there is no rustc beside it that runs")?;
        let number = number(&version).ok_or_else(|| format!("its rustc says {version:?}"))?;
        if number < OLDEST {
            return Err(format!("{version} is too old: {}.{} or later is needed", OLDEST.0, OLDEST.1));
        }
        let sysroot = PathBuf::from(ask(&["--print", "sysroot"]).ok_or("its rustc names no sysroot")?);
        let libraries = sysroot.join("lib/rustlib");
        let own_linker = std::fs::read_dir(&libraries).into_iter().flatten().flatten();
        let own_linker = own_linker.map(|host| host.path().join("bin/rust-lld")).any(|lld| lld.is_file());
        let linker = surroundings.program("wasm-ld").filter(|_| !own_linker);
        let way = if libraries.join(WASM).join("lib").is_dir() {
            Way::Target
        } else if libraries.join("src/rust/library/core/Cargo.toml").is_file() {
            Way::Source
        } else if libraries.join(WASIP2).join("lib").is_dir() {
            return Ok(Self { cargo: cargo.to_owned(), version, sysroot, way: Way::Wasip2, linker: None });
        } else {
            return Err(format!(
                "{version} has neither the target {WASM} nor the source of its core library"
            ));
        };
        if !own_linker && linker.is_none() {
            return Err(format!("{version} has no linker for WebAssembly (wasm-ld, in the package lld)"));
        }
        Ok(Self { cargo: cargo.to_owned(), version, sysroot, way, linker })
    }
}

/// What to do without one.
fn told(lacking: &[String]) -> String {
    let seen = if lacking.is_empty() { "  no cargo at all".to_owned() } else { lacking.join("\n") };
    format!(
        "no compiler here makes WebAssembly. Install one, by one of:\n\
         \x20 rustup target add {WASM}\n\
         \x20 rustup component add rust-src\n\
         \x20 apt-get install rustc-web cargo-web rust-web-src lld             (Debian 12)\n\
         \x20 apt-get install rustc cargo rust-src libstd-rust-dev-wasm32 lld  (later Debian)\n\
         looked at:\n{seen}"
    )
}

/// The number in `rustc 1.96.0 (…)`.
fn number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(' ').nth(1)?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A rustc that says what it is told to, with these files in its sysroot.
    fn toolchain(version: &str, has: &[&str]) -> (tempfile::TempDir, Surroundings) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for file in has {
            crate::source::write(&root.join(file), b"").unwrap();
        }
        let script =
            format!("#!/bin/sh\n[ \"$1\" = --print ] && echo '{}' || echo '{version}'\n", root.display());
        for (name, text) in [("rustc", script.as_str()), ("cargo", ""), ("wasm-ld", "")] {
            if name == "wasm-ld" && !has.contains(&"bin/wasm-ld") {
                continue;
            }
            let path = root.join("bin").join(name);
            crate::source::write(&path, text.as_bytes()).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = root.join("bin").display().to_string();
        let cargo = root.join("bin/cargo").display().to_string();
        let surroundings = Surroundings::read(|name| match name {
            "HOME" => Some("/nowhere".to_owned()),
            "PATH" => Some(path.clone()),
            "TXCO_OPS_CARGO" => Some(cargo.clone()),
            _ => None,
        });
        (folder, surroundings.unwrap())
    }

    const NEW: &str = "rustc 1.96.0 (ac68faa20 2026-05-25)";
    const CORE: &str = "lib/rustlib/src/rust/library/core/Cargo.toml";
    const LLD: &str = "lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld";
    const TARGET: &str = "lib/rustlib/wasm32-unknown-unknown/lib/x";

    #[test]
    fn each_way_is_found() {
        for (has, way, linked) in [
            (&[TARGET, CORE, LLD][..], Way::Target, false),
            (&[CORE, LLD], Way::Source, false),
            (&[CORE, "bin/wasm-ld"], Way::Source, true),
            (&["lib/rustlib/wasm32-wasip2/lib/x"], Way::Wasip2, false),
        ] {
            let (_kept, surroundings) = toolchain(NEW, has);
            let compiler = Compiler::find(&surroundings).unwrap();
            assert_eq!((compiler.way, compiler.linker.is_some()), (way, linked), "{has:?}");
        }
    }

    #[test]
    fn without_one_it_is_said_what_each_lacks_and_what_to_install() {
        for (version, has, lack) in [
            (NEW, &[][..], "has neither the target"),
            (NEW, &[CORE], "has no linker"),
            ("rustc 1.85.0 (x)", &[TARGET, LLD], "is too old: 1.95"),
        ] {
            let (_kept, surroundings) = toolchain(version, has);
            let said = Compiler::find(&surroundings).unwrap_err().to_string();
            assert!(said.contains(lack) && said.contains("bin/cargo"), "{said}");
            assert!(said.contains("rustup target add wasm32-unknown-unknown\n"), "{said}");
            assert!(said.contains("apt-get install rustc-web cargo-web rust-web-src lld "), "{said}");
        }
    }
}
