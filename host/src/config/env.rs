//! The environment, read here and nowhere else, behind one method so that tests pass a map.

use std::collections::BTreeMap;

/// Where a setting may stand when no flag gives it.
pub trait Environment {
    /// The variable `name`; an empty one counts as not set.
    fn variable(&self, name: &str) -> Option<String>;
}

/// The environment of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Option<String> {
        let value = std::env::var_os(name)?;
        Some(value.to_string_lossy().into_owned()).filter(|text| !text.is_empty())
    }
}

/// No environment at all, or exactly these variables.
impl Environment for BTreeMap<&str, &str> {
    fn variable(&self, name: &str) -> Option<String> {
        self.get(name).filter(|text| !text.is_empty()).map(|text| (*text).to_owned())
    }
}

/// The variable that stands in for `flag`: `--web-addr` is `TXCO_WEB_ADDR`.
#[must_use]
pub fn variable_of(flag: &str) -> String {
    let upper = flag.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_uppercase() });
    "TXCO_".chars().chain(upper).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_names_its_variable() {
        assert_eq!(variable_of("secret-master-key-b64"), "TXCO_SECRET_MASTER_KEY_B64");
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        let map = BTreeMap::from([("A", ""), ("B", "x")]);
        assert_eq!(map.variable("A"), None);
        assert_eq!(map.variable("B").as_deref(), Some("x"));
        assert_eq!(map.variable("C"), None);
    }
}
