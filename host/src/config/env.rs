//! The environment, read here and nowhere else, behind a trait so that tests pass a map.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use pages::wipe_variable;
use zeroize::Zeroizing;

/// Where a setting may stand when no flag gives it.
pub trait Environment {
    /// The variable `name`; an empty one counts as not set.
    fn variable(&self, name: &str) -> Option<String>;

    /// The flags that the variables with our prefix stand in for, whether we have them or not.
    fn flags(&self) -> Vec<String>;
}

/// What the names of our variables begin with.
const PREFIX: &str = "TXCO_";

/// The variable that is a secret itself.
const KEY: &str = "TXCO_SECRET_MASTER_KEY_B64";
/// What systemd calls the folder of a service's credentials.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// The environment of this process.
#[derive(Default)]
pub struct ProcessEnvironment {
    /// The master key, between [`taken`](Self::taken) and the one time it is read.
    key: Mutex<Option<Zeroizing<String>>>,
}

impl ProcessEnvironment {
    /// The environment with the master key taken out of it: from here on neither children nor
    /// `/proc` show it (weakness K5). Call it first thing in `main`, before there are threads;
    /// later the key stays where it is, and is read from there.
    #[must_use]
    pub fn taken() -> Self {
        let key = std::env::var_os(KEY).map(|key| Zeroizing::new(key.to_string_lossy().into_owned()));
        match wipe_variable(c"TXCO_SECRET_MASTER_KEY_B64") {
            pages::Wiped::Yes => Self { key: Mutex::new(key) },
            pages::Wiped::Absent | pages::Wiped::NotAlone => Self::default(),
        }
    }
}

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Option<String> {
        if name == KEY {
            let taken = self.key.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(key) = taken {
                return Some(key.as_str().to_owned()).filter(|text| !text.is_empty());
            }
        }
        let value = std::env::var_os(name)?;
        Some(value.to_string_lossy().into_owned()).filter(|text| !text.is_empty())
    }

    fn flags(&self) -> Vec<String> {
        std::env::vars_os().filter_map(|(name, _)| flag_of(name.to_str()?)).collect()
    }
}

/// No environment at all, or exactly these variables.
impl Environment for BTreeMap<&str, &str> {
    fn variable(&self, name: &str) -> Option<String> {
        self.get(name).filter(|text| !text.is_empty()).map(|text| (*text).to_owned())
    }

    fn flags(&self) -> Vec<String> {
        self.keys().filter_map(|name| flag_of(name)).collect()
    }
}

/// The flag that a variable stands in for: `TXCO_WEB_ADDR` for `--web-addr`.
fn flag_of(variable: &str) -> Option<String> {
    Some(variable.strip_prefix(PREFIX)?.to_ascii_lowercase().replace('_', "-"))
}

/// The variable that stands in for `flag`: `--web-addr` is `TXCO_WEB_ADDR`. One is systemd's.
#[must_use]
pub fn variable_of(flag: &str) -> String {
    if flag == "credentials-directory" {
        return CREDENTIALS.to_owned();
    }
    let upper = flag.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_uppercase() });
    PREFIX.chars().chain(upper).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_names_its_variable() {
        assert_eq!(variable_of("secret-master-key-b64"), "TXCO_SECRET_MASTER_KEY_B64");
        assert_eq!(variable_of("credentials-directory"), "CREDENTIALS_DIRECTORY");
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        let map = BTreeMap::from([("A", ""), ("B", "x")]);
        assert_eq!(map.variable("A"), None);
        assert_eq!(map.variable("B").as_deref(), Some("x"));
        assert_eq!(map.variable("C"), None);
    }
}
