//! Where profiles lie: who somebody is at which chassis, in the files that the existing command line keeps.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::output::Complaint;
use crate::config::Environment;

/// The profile that is no profile: requests are not signed.
pub(super) const NONE: &str = "none";
/// The profile that is used when nobody says.
pub(super) const LOCAL: &str = "local";

/// The folder of the profiles: `$TXCO_HOME`, `$XDG_CONFIG_HOME/txco` or `~/.config/txco`.
#[derive(Debug, Clone)]
pub(super) struct Home(PathBuf);

/// What is known of a profile; what this version does not know is kept as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Meta {
    pub(super) actor_id: String,
    pub(super) key_id: String,
    pub(super) chassis_url: String,
    pub(super) label: String,
    pub(super) enrolled_at: String,
    /// `file` or `ssh-agent`.
    pub(super) key_source: String,
    pub(super) public_key_b64: String,
    pub(super) key_path: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) default_tenant: String,
    #[serde(flatten)]
    pub(super) other: Map<String, Value>,
}

impl Home {
    /// The folder that the environment names; nothing when it names none.
    pub(super) fn of(environment: &dyn Environment) -> Option<Self> {
        let variable = |name: &str| environment.variable(name).map(PathBuf::from);
        let own = variable("TXCO_HOME").or_else(|| variable("XDG_CONFIG_HOME").map(|x| x.join("txco")));
        own.or_else(|| variable("HOME").map(|home| home.join(".config/txco"))).map(Self)
    }

    /// The same, or a complaint.
    pub(super) fn needed(environment: &dyn Environment) -> Result<Self, Complaint> {
        Self::of(environment)
            .ok_or_else(|| Complaint::failed("no folder for profiles: set TXCO_HOME or HOME"))
    }

    /// The active profile, when one was chosen.
    pub(super) fn active(&self) -> Option<String> {
        let text = fs::read_to_string(self.0.join("active")).ok()?;
        Some(text.trim().to_owned()).filter(|name| !name.is_empty())
    }

    /// Makes a profile the active one.
    pub(super) fn activate(&self, name: &str) -> Result<(), Complaint> {
        write_whole(&self.0.join("active"), format!("{name}\n").as_bytes())
    }

    /// Where the private key of a profile lies that has none elsewhere.
    pub(super) fn key_path(&self, name: &str) -> PathBuf {
        self.0.join("keys").join(format!("{name}.ed25519"))
    }

    /// Where what is known of a profile is written.
    pub(super) fn meta_path(&self, name: &str) -> PathBuf {
        self.0.join("keys").join(format!("{name}.meta.json"))
    }

    /// What is known of a profile; nothing when there is none.
    pub(super) fn meta(&self, name: &str) -> Result<Option<Meta>, Complaint> {
        let older = self.0.join("keys").join(format!("{name}.ed25519.meta.json"));
        match read_meta(&self.meta_path(name))? {
            Some(meta) => Ok(Some(meta)),
            None => read_meta(&older),
        }
    }

    /// Writes what is known of a profile.
    pub(super) fn save(&self, name: &str, meta: &Meta) -> Result<(), Complaint> {
        let text = serde_json::to_string_pretty(meta).map_err(|e| Complaint::failed(e.to_string()))?;
        write_whole(&self.meta_path(name), format!("{text}\n").as_bytes())
    }

    /// All profiles, by name.
    pub(super) fn profiles(&self) -> Result<Vec<(String, Meta)>, Complaint> {
        let folder = self.0.join("keys");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(&folder, &error)),
        };
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let name = name.strip_suffix(".meta.json")?;
                Some(name.strip_suffix(".ed25519").unwrap_or(name).to_owned())
            })
            .collect();
        names.sort();
        names.dedup();
        let mut all = Vec::new();
        for name in names {
            if let Some(meta) = self.meta(&name)? {
                all.push((name, meta));
            }
        }
        Ok(all)
    }

    /// Removes a profile's files below this folder; keys elsewhere stay.
    pub(super) fn remove(&self, name: &str) -> Result<Vec<PathBuf>, Complaint> {
        let mut gone = Vec::new();
        for end in [".meta.json", ".ed25519.meta.json", ".ed25519", ".ed25519.pub"] {
            let path = self.0.join("keys").join(format!("{name}{end}"));
            match fs::remove_file(&path) {
                Ok(()) => gone.push(path),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(Complaint::failed(format!("cannot remove {}: {error}", path.display())));
                }
            }
        }
        Ok(gone)
    }
}

/// What is known of the key beside it.
pub(super) fn read_meta(path: &Path) -> Result<Option<Meta>, Complaint> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| Complaint::failed(format!("{} is not a profile: {error}", path.display()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Complaint {
    Complaint::failed(format!("cannot read {}: {error}", path.display()))
}

/// A name that is a file's and not a way out of the folder.
pub(super) fn checked(name: &str) -> Result<&str, Complaint> {
    let good = !name.is_empty()
        && name.len() <= 64
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    if good {
        return Ok(name);
    }
    Err(Complaint::usage(format!("not a profile name: {name:?} (letters, digits, _, - and ., at most 64)")))
}

/// Writes a file at once, readable by its owner alone; its folder is made.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Complaint> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let wrong = |error: io::Error| Complaint::failed(format!("cannot write {}: {error}", path.display()));
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(wrong)?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = PathBuf::from(name);
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new).map_err(wrong)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(wrong)?;
    fs::rename(&new, path).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_folder_is_found_as_people_know_it() {
        let home = |pairs: &[(&'static str, &'static str)]| {
            let environment: BTreeMap<&str, &str> = pairs.iter().copied().collect();
            Home::of(&environment).map(|home| home.0)
        };
        let all = [("TXCO_HOME", "/t"), ("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(home(&all), Some("/t".into()));
        assert_eq!(home(&all[1..]), Some("/x/txco".into()));
        assert_eq!(home(&all[2..]), Some("/h/.config/txco".into()));
        assert_eq!(home(&[]), None);
    }

    #[test]
    fn files_of_the_existing_command_line_are_read_and_their_rest_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home(folder.path().to_owned());
        fs::create_dir(folder.path().join("keys")).unwrap();
        let older = r#"{"actor_id":"actor_1","key_id":"key_1","chassis_url":"http://a:1","future":7}"#;
        fs::write(folder.path().join("keys/old.ed25519.meta.json"), older).unwrap();
        let meta = home.meta("old").unwrap().unwrap();
        assert_eq!((meta.actor_id.as_str(), meta.default_tenant.as_str()), ("actor_1", ""));
        home.save("old", &meta).unwrap();
        let text = fs::read_to_string(home.meta_path("old")).unwrap();
        assert!(text.contains(r#""future": 7"#), "{text}");
        assert_eq!(home.profiles().unwrap().len(), 1, "one profile, however often it is written");
        home.activate("old").unwrap();
        assert_eq!(home.active().as_deref(), Some("old"));
        assert_eq!(home.remove("old").unwrap().len(), 2);
        assert!(home.profiles().unwrap().is_empty() && home.meta("old").unwrap().is_none());
        fs::write(home.meta_path("bad"), "{").unwrap();
        assert!(home.meta("bad").unwrap_err().message.contains("is not a profile"));
        for bad in ["", "../x", ".x", "a/b", "a b", &"x".repeat(65)] {
            assert_eq!(checked(bad).unwrap_err().code, 2, "{bad}");
        }
        assert!(checked(&"x".repeat(64)).is_ok());
    }
}
