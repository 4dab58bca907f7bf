//! Which profile a command uses: by flag, variable, choice or default, and the key that belongs to it.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::agent::Agent;
use super::home::{self, Home, LOCAL, Meta, NONE};
use super::output::Complaint;
use super::signer::Signer;
use crate::config::Environment;

/// The variable that names a private key; what is known of it lies beside it.
const KEY_VARIABLE: &str = "TXCO_PRIVATE_KEY_PATH";

/// Why this profile and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Flag,
    Variable,
    KeyVariable,
    Active,
    /// It is the only one of that chassis.
    Chassis,
    Default,
}

impl Source {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Variable => "TXCO_PROFILE",
            Self::KeyVariable => KEY_VARIABLE,
            Self::Active => "active",
            Self::Chassis => "the chassis's",
            Self::Default => "default",
        }
    }
}

/// Who somebody is at a chassis.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) source: Source,
    pub(super) meta: Meta,
    pub(super) key: PathBuf,
}

impl Profile {
    /// The profile of a command, the first that is named: by `flag`, by `TXCO_PROFILE`, by a
    /// key's own variable, by `profile use`, and `local` when it exists.
    pub(super) fn choose(
        flag: Option<&str>,
        environment: &dyn Environment,
    ) -> Result<Option<Self>, Complaint> {
        let named = flag.map(str::to_owned).map(|name| (name, Source::Flag));
        let named =
            named.or_else(|| environment.variable("TXCO_PROFILE").map(|name| (name, Source::Variable)));
        if named.is_none()
            && let Some(path) = environment.variable(KEY_VARIABLE)
        {
            return Self::beside(Path::new(&path)).map(Some);
        }
        let Some(home) = Home::of(environment) else {
            return named.map_or(Ok(None), |(name, _)| Err(missing(&name)));
        };
        let (name, source) = named
            .or_else(|| home.active().map(|name| (name, Source::Active)))
            .unwrap_or_else(|| (LOCAL.to_owned(), Source::Default));
        if name == NONE {
            return Ok(None);
        }
        let meta = home.meta(home::checked(&name)?)?;
        match meta {
            Some(meta) => Ok(Some(Self::of(&home, name, source, meta))),
            None if source == Source::Default => Ok(None),
            None => Err(missing(&name)),
        }
    }

    pub(super) fn of(home: &Home, name: String, source: Source, meta: Meta) -> Self {
        let key = if meta.key_path.is_empty() { home.key_path(&name) } else { PathBuf::from(&meta.key_path) };
        Self { name, source, meta, key }
    }

    fn beside(path: &Path) -> Result<Self, Complaint> {
        let mut name = path.as_os_str().to_owned();
        name.push(".meta.json");
        let meta = home::read_meta(Path::new(&name))?.ok_or_else(|| {
            Complaint::failed(format!("{KEY_VARIABLE}: {} is missing", Path::new(&name).display()))
        })?;
        let key = path.to_owned();
        Ok(Self { name: path.display().to_string(), source: Source::KeyVariable, meta, key })
    }

    /// Whether somebody chose it for this very command.
    pub(super) fn is_explicit(&self) -> bool {
        matches!(self.source, Source::Flag | Source::Variable | Source::KeyVariable)
    }

    /// Whether requests can be signed with it; a profile can also be an address only.
    pub(super) fn signs(&self) -> bool {
        !self.meta.key_id.is_empty()
    }

    /// Its key.
    pub(super) fn signer(&self, environment: &dyn Environment) -> Result<Signer, Complaint> {
        let mine = |complaint: Complaint| complaint.of(&format!("profile {}", self.name));
        if self.meta.key_source == "ssh-agent" {
            let agent = Agent::of(environment).ok_or_else(|| {
                mine(Complaint::failed("its key is in an ssh-agent, and SSH_AUTH_SOCK names none"))
            })?;
            let public =
                STANDARD.decode(&self.meta.public_key_b64).ok().and_then(|bytes| bytes.try_into().ok());
            let public = public.ok_or_else(|| mine(Complaint::failed("its public_key_b64 is not a key")))?;
            return Ok(Signer::Agent { agent, public });
        }
        Signer::read(&self.key).map_err(mine)
    }
}

fn missing(name: &str) -> Complaint {
    Complaint::failed(format!("there is no profile {name:?} (txco auth profiles lists them)"))
}
