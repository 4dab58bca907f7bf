//! Names that stand for addresses: what a rule calls as `op://NAME`, and `txco.yaml` says where it is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use model::OpName;

/// What the name of an op begins with where a rule calls it.
const CALL: &str = "\"op://";

/// Addresses by the names that rules call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Operations(BTreeMap<String, String>);

impl Operations {
    /// Takes one more; of two with the same name the later counts.
    ///
    /// # Errors
    /// Why it cannot stand in a rule.
    pub fn add(&mut self, name: &str, address: &str) -> Result<(), String> {
        OpName::parse(name).map_err(|error| error.to_string())?;
        let stands =
            address.contains("://") && !address.chars().any(|c| c.is_control() || "\"\\".contains(c));
        if !stands || address.starts_with("op://") {
            return Err(format!("{address:?} is no address such as https://api.example.com/v1"));
        }
        self.0.insert(name.to_owned(), address.to_owned());
        Ok(())
    }

    /// The text of a rule file in `folder`, with addresses for names. An op that lies beside the
    /// rule comes first, as in the Go chassis.
    #[must_use]
    pub fn put_in<'t>(&self, text: &'t str, folder: &Path) -> Cow<'t, str> {
        let mut said = Cow::Borrowed(text);
        for (name, address) in &self.0 {
            let call = format!("{CALL}{name}\"");
            let beside = || {
                folder.join(name).join("op.toml").is_file()
                    || ["wasm", "js", "ts"].iter().any(|end| folder.join(format!("{name}.{end}")).is_file())
            };
            if said.contains(&call) && !beside() {
                said = Cow::Owned(said.replace(&call, &format!("\"{address}\"")));
            }
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_way_to_its_address_unless_the_op_lies_there() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("here.wasm"), "").unwrap();
        let mut operations = Operations::default();
        for name in ["enrich", "here"] {
            operations.add(name, "https://e.example/v1?a=b").unwrap();
        }
        let put = |text| operations.put_in(text, folder.path()).into_owned();
        assert_eq!(
            put("EXEC \"op://enrich\" # op://enrich"),
            "EXEC \"https://e.example/v1?a=b\" # op://enrich"
        );
        for other in ["EXEC \"op://here\"", "EXEC \"op://enrich2\"", "EXEC \"op://enrich/x\"", "EMIT .a = 1"]
        {
            assert_eq!(put(other), other);
        }
    }

    #[test]
    fn what_cannot_stand_in_a_rule_is_no_address() {
        let add = |name: &str, address: &str| Operations::default().add(name, address);
        for bad in ["", "e.example", "https://e\" EMIT .a = \"", "https://e\\", "https://e\n", "op://other"] {
            assert!(add("enrich", bad).unwrap_err().contains("is no address"), "{bad}");
        }
        assert!(add("a b", "https://e.example/").is_err());
    }
}
