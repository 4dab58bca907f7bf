//! Ops in JavaScript, C and Python become components by their languages' own tools.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use model::Digest;

use crate::source::{Language, Source, write};
use crate::tool::{Tool, first_line};
use crate::{Error, Surroundings, component, sdk};

/// The tool for JavaScript (npm), and the one for Python (PyPI).
const COMPONENTIZE_JS: &str = "0.23.0";
const COMPONENTIZE_PY: &str = "0.25.1";
/// What is installed for them, to the last package and its digest: a package that changed is refused.
const NPM: &[(&str, &str)] = &[
    ("package.json", include_str!("tools/package.json")),
    ("package-lock.json", include_str!("tools/package-lock.json")),
];
const PIP: &[(&str, &str)] = &[("requirements.txt", include_str!("tools/requirements.txt"))];
/// The interfaces of the contract that a source may import.
const INTERFACES: [&str; 5] = ["call", "secrets", "keys", "random", "log"];
const WORLD: &str = "source";
/// How the folder of a tool is called until all of it is there.
const PART: &str = ".part-";

/// A language's compiler, found.
pub(crate) struct Toolchain {
    language: Language,
    /// clang, npm or python3.
    program: PathBuf,
    /// What decides the bytes, beside the sources.
    pub(crate) identity: String,
}

impl Toolchain {
    /// Finds it.
    ///
    /// # Errors
    /// [`Error::NoCompiler`] with the command that installs it.
    pub(crate) fn find(language: Language, surroundings: &Surroundings) -> Result<Self, Error> {
        let (name, needs, packages) = match language {
            Language::C => ("clang", &["clang", "wasm-ld"][..], "clang lld wasi-libc"),
            Language::JavaScript => ("npm", &["npm", "node"][..], "nodejs npm"),
            Language::Python | Language::Rust => ("python3", &["python3"][..], "python3 python3-pip"),
        };
        for need in needs {
            if surroundings.program(need).is_none() {
                let word = language.word();
                return Err(Error::NoCompiler(format!(
                    "ops in {word} need {need}, which is not on the path: apt-get install {packages}"
                )));
            }
        }
        let program = surroundings.program(name).unwrap_or_default();
        let said = first_line(&program, &["--version"], Self::environment(surroundings));
        let said = said.ok_or_else(|| Error::NoCompiler(format!("{} does not run", program.display())))?;
        let identity = match language {
            Language::JavaScript => format!("componentize-js {COMPONENTIZE_JS}+{}", digest(NPM)),
            Language::Python => format!("componentize-py {COMPONENTIZE_PY}+{}", digest(PIP)),
            Language::C | Language::Rust => said,
        };
        Ok(Self { language, program, identity })
    }

    /// The tools start others by name, from where they were found themselves.
    fn environment(surroundings: &Surroundings) -> Vec<(&'static str, OsString)> {
        let folders: Vec<&Path> = surroundings.path.iter().map(PathBuf::as_path).collect();
        surroundings.environment(&folders)
    }

    /// Builds `source` in `work`, which holds nothing else at this time.
    pub(crate) fn build(
        &self,
        source: &Source,
        surroundings: &Surroundings,
        work: &Path,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<u8>, Error> {
        let folder = work.join("op");
        source.copy_to(&folder)?;
        sdk::put(&folder)?;
        sdk::put(&source.folder)?;
        let made = work.join("made.wasm");
        let environment = Self::environment(surroundings);
        let (name, program, arguments, environment) = match self.language {
            Language::C | Language::Rust => {
                ("clang", self.program.clone(), c_arguments(source, &made), environment)
            }
            Language::JavaScript => {
                let tools = self.installed(surroundings, progress, NPM, |into| {
                    // No package of it needs to run anything to be installed.
                    let install = words(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
                    let anywhere = "--omit-lockfile-registry-resolved".into();
                    [install, vec![anywhere, "--prefix".into(), into.into()]].concat()
                })?;
                Self::check_syntax(source, surroundings, &folder, progress)?;
                let program = tools.join("node_modules/.bin/componentize-js");
                let wit =
                    worlds(work, &interfaces(source, |text, one| text.contains(&format!("txco:op/{one}@"))))?;
                let mut arguments = words(["op.js", "--world-name", WORLD, "--wit"]);
                arguments.push(wit.into());
                // The rest of WASI is empty in a chassis, but real: without `random` its random
                // numbers would be the same in every call (weakness W2).
                for feature in ["http", "fetch-event"] {
                    arguments.extend(words(["--disable", feature]));
                }
                arguments.extend([OsString::from("--out"), made.clone().into()]);
                ("componentize-js", program, arguments, environment)
            }
            Language::Python => {
                let tools = self.installed(surroundings, progress, PIP, |into| {
                    let install = words([
                        "-m",
                        "pip",
                        "install",
                        "--quiet",
                        "--disable-pip-version-check",
                        "--only-binary=:all:",
                        "--require-hashes",
                        "--requirement",
                    ]);
                    let pinned = into.join("requirements.txt").into();
                    [install, vec![pinned, "--target".into(), into.into()]].concat()
                })?;
                let program = tools.join("bin/componentize-py");
                let wit = worlds(work, &interfaces(source, imported_by_python))?;
                let mut arguments: Vec<OsString> = vec!["--wit-path".into(), wit.into()];
                arguments.extend(words([
                    "--world",
                    WORLD,
                    "componentize",
                    "--python-path",
                    ".",
                    "op",
                    "--output",
                ]));
                arguments.push(made.clone().into());
                let mut environment = environment;
                environment.extend([("PYTHONPATH", tools.into()), ("PYTHONDONTWRITEBYTECODE", "1".into())]);
                ("componentize-py", program, arguments, environment)
            }
        };
        let tool = Tool { name, program: &program, arguments, environment, folder: &folder, hopeless: None };
        tool.run(&source.folder, progress)?;
        component::of_module(&fs::read(&made).map_err(Error::file(&made))?)
    }

    /// Has node itself read `op.js` first: the tool only says that something is wrong with it.
    fn check_syntax(
        source: &Source,
        surroundings: &Surroundings,
        folder: &Path,
        progress: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        // As a module by its name, whatever a package.json says.
        let module = folder.join(".op.mjs");
        write(&module, source.text("op.js").unwrap_or_default().as_bytes())?;
        let (ours, theirs) =
            (module.display().to_string(), source.folder.join("op.js").display().to_string());
        let node = surroundings.program("node").unwrap_or_default();
        let (arguments, environment) =
            (vec!["--check".into(), module.into()], Self::environment(surroundings));
        let checked = Tool { name: "node", program: &node, arguments, environment, folder, hopeless: None }
            .run(&source.folder, &mut |line| progress(&line.replace(&ours, &theirs)));
        checked.map_err(|error| {
            let Error::Compile { folder, tool, said } = error else { return error };
            Error::Compile { said: said.replace(&ours, &theirs), folder, tool }
        })
    }

    /// The folder of the language's own tool, installed when it is not there, as `pinned` says: by
    /// its version, and under its name only once all of it is there.
    fn installed(
        &self,
        surroundings: &Surroundings,
        progress: &mut dyn FnMut(&str),
        pinned: &[(&str, &str)],
        arguments: impl Fn(&Path) -> Vec<OsString>,
    ) -> Result<PathBuf, Error> {
        let all = surroundings.cache.join("tools");
        let folder = all.join(self.identity.replace(' ', "-"));
        if folder.exists() {
            return Ok(folder);
        }
        progress(&format!("installing {} (once; hundreds of megabytes)", self.identity));
        fs::create_dir_all(&all).map_err(Error::file(&all))?;
        // Of an installation that was broken off: nobody else is at work here.
        for left in fs::read_dir(&all).map_err(Error::file(&all))?.flatten() {
            if left.file_name().as_encoded_bytes().starts_with(PART.as_bytes()) {
                fs::remove_dir_all(left.path()).map_err(Error::file(&left.path()))?;
            }
        }
        let made = tempfile::Builder::new().prefix(PART).tempdir_in(&all).map_err(Error::file(&all))?;
        for (file, text) in pinned {
            write(&made.path().join(file), text.as_bytes())?;
        }
        let name = if self.language == Language::Python { "pip" } else { "npm" };
        let (arguments, environment) = (arguments(made.path()), Self::environment(surroundings));
        Tool { name, program: &self.program, arguments, environment, folder: made.path(), hopeless: None }
            .run(&all, progress)?;
        fs::rename(made.path(), &folder).map_err(Error::file(&folder))?;
        // What it would remove when dropped has another name now.
        let _moved = made.keep();
        Ok(folder)
    }
}

/// The beginning of the digest of what is pinned: an older installation is another one.
fn digest(pinned: &[(&str, &str)]) -> String {
    let all: Vec<&str> = pinned.iter().map(|(_, text)| *text).collect();
    Digest::of(all.concat().as_bytes()).to_string().chars().take(8).collect()
}

fn words<const N: usize>(words: [&str; N]) -> Vec<OsString> {
    words.map(OsString::from).to_vec()
}

/// Of libc only what needs no operating system: an import of one would be refused.
fn c_arguments(source: &Source, made: &Path) -> Vec<OsString> {
    let mut arguments = words([
        "--target=wasm32-wasi",
        "-mexec-model=reactor",
        "-nostdlib",
        "-O2",
        "-flto",
        "-Wall",
        "-Wextra",
        "-I.txco/sdk/c",
        "-Wl,--no-entry,--stack-first,-zstack-size=32768,--strip-all,--gc-sections",
    ]);
    let sources = source.files.iter().map(|(path, _)| path.as_str());
    arguments.extend(
        sources.filter(|path| path.ends_with(".c") && !path.starts_with("tests/")).map(OsString::from),
    );
    arguments.extend(words([".txco/sdk/c/contract.c", ".txco/sdk/c/link.c", "-lc", "-o"]));
    arguments.push(made.into());
    arguments
}

/// The interfaces that the sources import: with more than those the op would ask for what it
/// does not use, and be refused where that is not granted.
fn interfaces(source: &Source, imports: impl Fn(&str, &str) -> bool) -> Vec<&'static str> {
    let texts = || source.files.iter().filter_map(|(_, bytes)| std::str::from_utf8(bytes).ok());
    INTERFACES.into_iter().filter(|one| texts().any(|text| imports(text, one))).collect()
}

fn imported_by_python(text: &str, interface: &str) -> bool {
    let is_word = |word: &str| word == interface;
    let lines = text.lines().filter(|line| line.contains("wit_world.imports"));
    lines.flat_map(|line| line.split(|c: char| !c.is_alphanumeric())).any(is_word)
}

/// The contract and a world with just these imports, as other languages' tools expect them.
fn worlds(work: &Path, interfaces: &[&str]) -> Result<PathBuf, Error> {
    let wit = work.join("wit");
    let version = sdk::version();
    let imports: String =
        interfaces.iter().map(|one| format!("    import txco:op/{one}@{version};\n")).collect();
    let world = format!(
        "package txco:workshop;\n\nworld {WORLD} {{\n    use txco:op/types@{version}.{{field, failure}};\n{imports}    \
         export handle: func() -> result<list<field>, failure>;\n}}\n"
    );
    write(&wit.join("deps/op/op.wit"), sdk::WIT.as_bytes())?;
    write(&wit.join("source.wit"), world.as_bytes())?;
    Ok(wit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_asks_for_what_it_imports() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("op.toml"), b"name = \"a\"\n").unwrap();
        write(
            &folder.path().join("op.js"),
            b"import { bytes } from 'txco:op/call@1.0.0';\nimport 'txco:op/keys@1.0.0';",
        )
        .unwrap();
        let source = Source::read(folder.path()).unwrap();
        let found = interfaces(&source, |text, one| text.contains(&format!("txco:op/{one}@")));
        assert_eq!(found, ["call", "keys"]);
        let wit = worlds(folder.path(), &found).unwrap();
        let world = fs::read_to_string(wit.join("source.wit")).unwrap();
        assert!(world.contains("import txco:op/keys@1.0.0;") && !world.contains("secrets"), "{world}");
        let python = "from wit_world.imports import call, keys\nsecrets = 1\n";
        assert!(imported_by_python(python, "keys") && !imported_by_python(python, "secrets"));
        assert!(imported_by_python("from wit_world.imports.secrets import x", "secrets"));
    }

    /// Every package by its digest, and none by a place that only some can reach.
    #[test]
    fn what_is_installed_is_pinned() {
        let text = |files: &[(&str, &str)], name| {
            files.iter().find(|(file, _)| *file == name).map(|(_, text)| (*text).to_owned()).unwrap()
        };
        let wanted = format!("\"@bytecodealliance/componentize-js\": \"{COMPONENTIZE_JS}\"");
        assert!(text(NPM, "package.json").contains(&wanted));
        let lock = text(NPM, "package-lock.json");
        let count = |word: &str| lock.matches(word).count();
        assert!(lock.contains(&wanted) && count("\"node_modules/") > 100, "{}", count("\"node_modules/"));
        assert_eq!(count("\"integrity\": \"sha512-"), count("\"node_modules/"));
        assert_eq!(count("\"resolved\"") + count("http"), 0);
        let requirements = text(PIP, "requirements.txt");
        assert!(requirements.contains(&format!("componentize-py=={COMPONENTIZE_PY} \\")));
        assert_eq!(requirements.matches("==").count(), 1);
        assert_eq!(requirements.matches("--hash=sha256:").count(), 5);
        assert!(digest(NPM).len() == 8 && digest(NPM) != digest(PIP));
    }

    #[test]
    fn without_a_tool_it_is_said_which() {
        let mut surroundings = Surroundings::read(|_| Some("/nowhere".to_owned())).unwrap();
        surroundings.path = Vec::new();
        for (language, word) in [
            (Language::C, "need clang, which is not on the path: apt-get install clang lld wasi-libc"),
            (Language::JavaScript, "apt-get install nodejs npm"),
            (Language::Python, "apt-get install python3 python3-pip"),
        ] {
            let said = Toolchain::find(language, &surroundings).err().unwrap().to_string();
            assert!(said.contains(word), "{said}");
        }
    }
}
