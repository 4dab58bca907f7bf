//! What of this machine the workshop may use; it reads no environment itself.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Variables that a compiler may see although its environment is cleared: where the user's
/// toolchains and packages are, and how this machine reaches the network. None of them is in
/// what is built.
const PASSED: &[&str] = &[
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "CARGO_NET_OFFLINE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "npm_config_registry",
    "npm_config_cafile",
    "PIP_CERT",
    "PIP_INDEX_URL",
];

/// What of this machine the workshop may use.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The user's home.
    pub home: PathBuf,
    /// Where programs are looked for, in order.
    pub path: Vec<PathBuf>,
    /// The workshop's own folder, for what is expensive to make again.
    pub cache: PathBuf,
    /// The cargo to use, when somebody chose one.
    pub cargo: Option<PathBuf>,
    passed: Vec<(&'static str, OsString)>,
}

impl Surroundings {
    /// Reads them by `variable`.
    ///
    /// # Errors
    /// Which variable is missing, and what it is for.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let home =
            variable("HOME").map(PathBuf::from).ok_or("HOME is not set: there is no place for a build")?;
        let cache = variable("TXCO_OP_CACHE").map(PathBuf::from).unwrap_or_else(|| {
            let caches = variable("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
            caches.join("txco/ops")
        });
        let path = variable("PATH").unwrap_or_default();
        let passed = PASSED.iter().filter_map(|name| Some((*name, variable(name)?.into()))).collect();
        Ok(Self {
            path: std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect(),
            cargo: variable("TXCO_OPS_CARGO").map(PathBuf::from),
            home,
            cache,
            passed,
        })
    }

    /// The first program called `name`.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        self.programs(name).next()
    }

    /// Every program called `name`, in the order of the path.
    pub(crate) fn programs(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        self.path.iter().map(move |folder| folder.join(name)).filter(|program| is_program(program))
    }

    /// The whole environment of a program that the workshop starts, with `first` before the
    /// folders of the system on its path.
    pub(crate) fn environment(&self, first: &[&Path]) -> Vec<(&'static str, OsString)> {
        let system = [Path::new("/usr/bin"), Path::new("/bin")];
        let path = std::env::join_paths(first.iter().chain(&system)).unwrap_or_default();
        let own = [("HOME", self.home.clone().into_os_string()), ("PATH", path)];
        own.into_iter().chain(self.passed.iter().cloned()).collect()
    }

    /// Where cargo keeps what it downloads.
    pub(crate) fn cargo_home(&self) -> PathBuf {
        let set = self.passed.iter().find(|(name, _)| *name == "CARGO_HOME");
        set.map_or_else(|| self.home.join(".cargo"), |(_, folder)| folder.into())
    }
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Surroundings, String> {
        Surroundings::read(|name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn a_compiler_sees_what_it_needs_and_nothing_else() {
        let all = [
            ("HOME", "/h"),
            ("PATH", "/a:relative:/b"),
            ("CARGO_HOME", "/c"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
        ];
        let surroundings = read(&all).unwrap();
        assert_eq!(surroundings.path, [Path::new("/a"), Path::new("/b")]);
        let environment = surroundings.environment(&[Path::new("/t")]);
        let names: Vec<_> = environment.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["HOME", "PATH", "CARGO_HOME"]);
        assert!(environment.contains(&("PATH", "/t:/usr/bin:/bin".into())));
    }

    #[test]
    fn the_cache_is_the_users_own() {
        assert_eq!(read(&[("HOME", "/h")]).unwrap().cache, Path::new("/h/.cache/txco/ops"));
        assert_eq!(read(&[("HOME", "/h"), ("TXCO_OP_CACHE", "/x")]).unwrap().cache, Path::new("/x"));
        assert!(read(&[]).unwrap_err().contains("HOME"));
    }
}
