//! A cargo package becomes core modules: one, or two when it serves both ways of delivery.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use model::Delivery;
use toml::{Table, Value};

use crate::compiler::{Compiler, Way};
use crate::source::{Source, write};
use crate::tool::Tool;
use crate::{Error, Surroundings, sdk};

/// The feature that turns an op to handles; a package that has it is built twice.
const USE_KEYS: &str = "use-keys";
/// Bytes of the guest's own stack, when `[package.metadata.txco] stack-bytes` says nothing.
const STACK: i64 = 32 << 10;
/// Changes when the flags below do: part of what decides the bytes.
const FLAGS: &str = "1";

/// What decides what comes out, beside the sources.
pub(crate) fn identity(compiler: &Compiler) -> String {
    format!("rust {FLAGS} {} {:?} sdk {}", compiler.version, compiler.way, sdk::digest())
}

/// What the compiler says of a package that wants more than was made for it.
const NO_STD: &str = "can't find crate for `std`";

/// What a package says about its build.
struct Package {
    /// The name of its library, as the file is called.
    library: String,
    both: bool,
    stack: i64,
}

/// Builds `source` in `work`, which holds nothing else at this time.
pub(crate) fn build(
    source: &Source,
    compiler: &Compiler,
    surroundings: &Surroundings,
    work: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<(Delivery, Vec<u8>)>, Error> {
    let folder = work.join("op");
    source.copy_to(&folder)?;
    sdk::put(&folder)?;
    let package = prepare(source, &folder)?;
    let mut modules = Vec::new();
    for delivery in Delivery::ALL {
        if delivery == Delivery::Reveal || package.both {
            modules
                .push((delivery, one(source, &package, delivery, (compiler, surroundings), work, progress)?));
        }
    }
    // What was resolved belongs to the sources: the same versions the next time, anywhere.
    let lock = fs::read(folder.join("Cargo.lock")).map_err(Error::file(&folder))?;
    if source.text("Cargo.lock").map(str::as_bytes) != Some(&lock) {
        write(&source.folder.join("Cargo.lock"), &lock)?;
    }
    Ok(modules)
}

fn one(
    source: &Source,
    package: &Package,
    delivery: Delivery,
    (compiler, surroundings): (&Compiler, &Surroundings),
    work: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<u8>, Error> {
    let target = compiler.way.target();
    let mut attempt = |std: &str, hopeless: Option<&'static str>| {
        let folder = work.join("op");
        let mut arguments: Vec<OsString> =
            ["build", "--release", "--lib", "--target", target].map(Into::into).to_vec();
        if compiler.way == Way::Source {
            arguments.push(format!("-Zbuild-std={std}").into());
        }
        if delivery == Delivery::Use {
            arguments.extend(["--features", USE_KEYS].map(Into::into));
        }
        let environment = environment(package, compiler, surroundings, work);
        let program = &compiler.cargo;
        let shown = Shown { folder: &source.folder };
        Tool { name: "cargo", program, arguments, environment, folder: &folder, hopeless }
            .run(&source.folder, &mut |line| progress(&shown.line(line)))
            .map_err(|error| shown.error(error))
    };
    // A standard library is made only for an op that asks for one, itself or by a package of its.
    let hopeless = (compiler.way == Way::Source).then_some(NO_STD);
    match attempt("core,alloc", hopeless) {
        Err(Error::Compile { said, .. }) if hopeless.is_some_and(|words| said.contains(words)) => {
            attempt("std,panic_abort", None)?;
        }
        other => other?,
    }
    let module = work.join("target").join(target).join("release").join(format!("{}.wasm", package.library));
    fs::read(&module).map_err(Error::file(&module))
}

/// Everything cargo sees: no path of this machine gets into the module, and a panic is a trap.
fn environment(
    package: &Package,
    compiler: &Compiler,
    surroundings: &Surroundings,
    work: &Path,
) -> Vec<(&'static str, OsString)> {
    let mut flags: Vec<OsString> = Vec::new();
    let real = fs::canonicalize(compiler.sysroot.join("lib/rustlib/src/rust"));
    let remapped = [
        (surroundings.cargo_home(), "/cargo"),
        (work.join("op"), "/op"),
        (real.unwrap_or_else(|_| compiler.sysroot.clone()), "/rust"),
        (compiler.sysroot.clone(), "/rust"),
    ];
    for (from, to) in remapped {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(from);
        flag.push("=");
        flag.push(to);
        flags.push(flag);
    }
    if compiler.way == Way::Source {
        flags.extend(
            ["-Zunstable-options", "-Cpanic=immediate-abort", "-Zlocation-detail=none"].map(Into::into),
        );
    }
    flags.push("-Ctarget-feature=+simd128".into());
    flags.push(match compiler.way {
        Way::Wasip2 => format!("-Clink-arg=-Wl,-zstack-size={}", package.stack).into(),
        Way::Target | Way::Source => format!("-Clink-arg=-zstack-size={}", package.stack).into(),
    });
    let bin = compiler.cargo.parent().unwrap_or_else(|| Path::new("/usr/bin"));
    let mut all = surroundings.environment(&[bin]);
    all.push(("CARGO_ENCODED_RUSTFLAGS", flags.join(OsString::from("\u{1f}").as_os_str())));
    all.push(("CARGO_TARGET_DIR", work.join("target").into()));
    all.push(("CARGO_TERM_COLOR", "never".into()));
    if compiler.way == Way::Source {
        all.push(("RUSTC_BOOTSTRAP", "1".into()));
    }
    if let Some(linker) = &compiler.linker {
        all.push(("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker.into()));
    }
    all
}

/// Makes the copied package one of its own, with the SDK of this txco below it. Cargo hashes
/// the path of a package from the workspace's root into its symbols, so that with everything
/// below one root the bytes do not depend on where it lies.
fn prepare(source: &Source, folder: &Path) -> Result<Package, Error> {
    let refuse = |reason: String| Error::Sources { folder: source.folder.clone(), reason };
    let text = source.text("Cargo.toml").ok_or_else(|| refuse("Cargo.toml is not UTF-8".to_owned()))?;
    let mut manifest: Table = text.parse().map_err(|error| refuse(format!("Cargo.toml: {error}")))?;
    let package = package(&manifest).map_err(|reason| refuse(format!("Cargo.toml: {reason}")))?;
    let dependencies = manifest.get_mut("dependencies").and_then(Value::as_table_mut);
    for (name, line) in dependencies.into_iter().flatten() {
        if name == "txco-op" {
            *line = ours(line);
        } else if let Some(path) = line.get("path").and_then(Value::as_str)
            && (Path::new(path).is_absolute() || path.split('/').any(|part| part == ".."))
        {
            return Err(refuse(format!(
                "Cargo.toml: {name} lies outside the op's folder ({path}); an op is built from its own folder alone"
            )));
        }
    }
    let mut workspace = Table::new();
    workspace.insert("exclude".to_owned(), Value::Array(vec![".txco".into()]));
    manifest.insert("workspace".to_owned(), Value::Table(workspace));
    write(&folder.join("Cargo.toml"), manifest.to_string().as_bytes())?;
    Ok(package)
}

/// The dependency on the SDK, whatever it was, as one on ours; its features stay.
fn ours(line: &Value) -> Value {
    let mut kept: Table = line.as_table().cloned().unwrap_or_default();
    for word in ["version", "git", "branch", "tag", "rev", "registry", "workspace"] {
        kept.remove(word);
    }
    kept.insert("path".to_owned(), sdk::FOLDER.into());
    Value::Table(kept)
}

fn package(manifest: &Table) -> Result<Package, String> {
    let table = |name: &str| manifest.get(name).and_then(Value::as_table);
    let name = table("package").and_then(|package| package.get("name")).and_then(Value::as_str);
    let name = name.ok_or("[package] has no name")?;
    let library = table("lib");
    let kinds = library.and_then(|library| library.get("crate-type")).and_then(Value::as_array);
    if !kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind.as_str() == Some("cdylib"))) {
        return Err("[lib] needs crate-type = [\"cdylib\", \"rlib\"]".to_owned());
    }
    let library = library.and_then(|library| library.get("name")).and_then(Value::as_str).unwrap_or(name);
    let both = table("features").is_some_and(|features| features.contains_key(USE_KEYS));
    let metadata = table("package").and_then(|package| package.get("metadata")).and_then(|m| m.get("txco"));
    let stack = metadata.and_then(|own| own.get("stack-bytes")).map_or(Some(STACK), Value::as_integer);
    let stack = stack.filter(|bytes| (1 << 10..=8 << 20).contains(bytes) && bytes % 16 == 0);
    let stack =
        stack.ok_or("package.metadata.txco.stack-bytes: expected 1024 to 8388608, a multiple of 16")?;
    Ok(Package { library: library.replace('-', "_"), both, stack })
}

/// Cargo's words with the places of the user's files instead of the copy's.
struct Shown<'a> {
    folder: &'a Path,
}

impl Shown<'_> {
    fn line(&self, line: &str) -> String {
        match line.split_once("--> ") {
            Some((before, place)) if !place.trim_start().starts_with('/') => {
                format!("{before}--> {}", self.folder.join(place).display())
            }
            _ => line.to_owned(),
        }
    }

    fn error(&self, error: Error) -> Error {
        let Error::Compile { folder, tool, said } = error else { return error };
        // What was compiled before is not what went wrong.
        let told = said.lines().filter(|line| !line.trim_start().starts_with("Compiling "));
        Error::Compile { folder, tool, said: told.map(|line| self.line(line)).collect::<Vec<_>>().join("\n") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Package, String> {
        package(&text.parse().unwrap())
    }

    #[test]
    fn a_package_says_what_to_build() {
        let text = "[package]\nname = \"my-op\"\n[lib]\ncrate-type = [\"cdylib\"]\n";
        let plain = of(text).unwrap();
        assert_eq!((plain.library.as_str(), plain.both, plain.stack), ("my_op", false, STACK));
        let both =
            of(&format!("{text}[features]\nuse-keys = []\n[package.metadata.txco]\nstack-bytes = 65536\n"));
        let both = both.unwrap();
        assert_eq!((both.both, both.stack), (true, 65_536));
        let named = "[package]\nname = \"a\"\n[lib]\nname = \"b-c\"\ncrate-type = [\"cdylib\"]\n";
        assert_eq!(of(named).unwrap().library, "b_c");
        assert!(of("[package]\nname = \"a\"\n").err().unwrap().contains("cdylib"));
        let stack = format!("{text}[package.metadata.txco]\nstack-bytes = 5\n");
        assert!(of(&stack).err().unwrap().contains("stack-bytes"));
    }

    #[test]
    fn the_sdk_is_ours_wherever_it_was_said_to_be() {
        let line = |text: &str| ours(&text.parse::<Table>().unwrap()["x"]).to_string();
        assert_eq!(line("x = \"1\""), "{ path = \".txco/sdk\" }");
        let featured = line("x = { version = \"1\", features = [\"std\"], git = \"y\" }");
        assert!(featured.contains("features = [\"std\"]") && !featured.contains("version"), "{featured}");
    }

    #[test]
    fn errors_name_the_users_files() {
        let shown = Shown { folder: Path::new("OPS/a/100/my-op") };
        assert_eq!(shown.line(" --> src/lib.rs:3:5"), " --> OPS/a/100/my-op/src/lib.rs:3:5");
        assert_eq!(shown.line(" --> /cargo/x.rs:1"), " --> /cargo/x.rs:1");
    }
}
