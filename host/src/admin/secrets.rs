//! The secrets of one tenant: stored, listed, described, revoked, and never shown again.

use chassis::Chassis;
use jiff::Timestamp;
use model::{Id, SecretName, StackName, TenantId};
use store::Store;
use vault::{
    Encoding, Keep, Metadata, PolicyChange, SecretAddress, SecretValue, Shown, Terms, Vault, VersionFacts,
    Written,
};

use super::actor::{Actor, Need};
use super::error::AdminError;
use super::explain::{self, Answer, Ask, MOST_ASKS};
use super::moment::{moment, span};
use super::policy::PolicyAsked;

/// How many random bytes `generate` draws when nobody says.
const DEFAULT_BYTES: i64 = 32;

/// How many secrets are stored in one step.
pub(crate) const MAX_IMPORTED: usize = 1000;
/// How many bytes of values are stored in one step.
pub(crate) const MAX_IMPORT_BYTES: usize = 1 << 20;

/// The secrets of one tenant, handled by one actor.
pub(crate) struct Secrets<'a> {
    pub(super) vault: &'a Vault,
    /// Where the ops lie that policies name.
    pub(super) store: &'a Store,
    /// What secrets are used by.
    pub(super) chassis: &'a Chassis,
    pub(super) tenant: &'a TenantId,
    pub(super) actor: &'a Actor,
    pub(super) bounds: SecretBounds,
    pub(super) demand: Demand,
}

/// What a secret must have to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Nothing.
    Nothing,
    /// A policy (`--secrets-require-policy`).
    Policy,
}

/// How large what is stored may be (weakness S3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SecretBounds {
    /// The largest value.
    pub value: usize,
    /// The longest description.
    pub description: usize,
}

impl Default for SecretBounds {
    fn default() -> Self {
        Self { value: 64 << 10, description: 1 << 10 }
    }
}

impl SecretBounds {
    fn value(self, value: &SecretValue) -> Result<(), AdminError> {
        let (found, most) = (value.length(), self.value);
        if found > most { Err(AdminError::ValueTooLarge { found, most }) } else { Ok(()) }
    }

    fn description(self, text: Option<&str>) -> Result<(), AdminError> {
        let (found, most) = (text.map_or(0, str::len), self.description);
        if found > most { Err(AdminError::DescriptionTooLong { found, most }) } else { Ok(()) }
    }
}

/// What is said beside a value, as it came.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Beside<'a> {
    /// What it is for.
    pub description: Option<&'a str>,
    /// How it is read as a key.
    pub key_encoding: Option<&'a str>,
    /// When it expires.
    pub expires: Option<&'a str>,
    /// For how long the version before stays in use.
    pub overlap: Option<&'a str>,
    /// What it may be used for.
    pub policy: Option<&'a PolicyAsked>,
}

/// What a verb does with a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// Which secret, as it was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    name: &'a str,
    stack: Option<&'a str>,
}

/// What a verb that stores does, and with what: a value, or how many random bytes.
pub(crate) enum Storing {
    /// A new secret.
    Create(SecretValue),
    /// One that is new or not (weakness S2).
    Set(SecretValue),
    /// A new version of one that is there.
    Rotate(SecretValue),
    /// A new secret, minted.
    Generate(Option<i64>),
    /// A new version, minted.
    RotateGenerated(Option<i64>),
}

/// What a verb that stores answers.
pub(crate) struct Stored {
    /// What is known of the secret now.
    pub metadata: Metadata,
    /// Whether it is new.
    pub written: Written,
    /// The minted value, to be shown once.
    pub shown: Option<Shown>,
}

impl<'a> Secrets<'a> {
    /// All active ones that the actor may see, by name and stack.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`] for who may see none at all, [`AdminError::Vault`].
    pub(crate) fn list(&self) -> Result<Vec<Metadata>, AdminError> {
        self.actor.may(self.tenant, Need::SOME_SECRET_READ)?;
        let mut all = self.vault.list(self.tenant)?;
        all.retain(|one| self.actor.can(self.tenant, Need::secret_read(one.name.as_str())));
        Ok(all)
    }

    /// What is known of one, at exactly this place.
    ///
    /// # Errors
    /// [`AdminError`]: the name, the stack, or there is none.
    pub(crate) fn show(&self, asked: Asked<'_>) -> Result<Metadata, AdminError> {
        self.at(asked, Access::Read, |address| Ok(self.vault.show(address)?))
    }

    /// Stores a value, or mints one, in one step.
    ///
    /// # Errors
    /// [`AdminError`]: the name, the stack, a size, what is said beside it; that the secret
    /// exists, or that it does not.
    pub(crate) fn store(
        &self,
        asked: Asked<'_>,
        beside: &Beside<'_>,
        storing: Storing,
    ) -> Result<Stored, AdminError> {
        let new = matches!(storing, Storing::Create(_) | Storing::Generate(_));
        let terms = self.terms(&if new { beside.named() } else { *beside })?;
        self.at(asked, Access::Write, |address| {
            let ((metadata, shown), written) = match storing {
                Storing::Create(value) => {
                    self.bounds.value(&value)?;
                    ((self.vault.create(address, &terms, value)?, None), Written::Created)
                }
                Storing::Set(value) => {
                    self.bounds.value(&value)?;
                    let (metadata, written) = self.vault.set(address, &terms, value)?;
                    ((metadata, None), written)
                }
                Storing::Rotate(value) => {
                    self.bounds.value(&value)?;
                    ((self.vault.rotate(address, &terms, value)?, None), Written::Rotated)
                }
                Storing::Generate(bytes) => {
                    let (metadata, shown) = self.vault.generate(address, &terms, length(bytes)?)?;
                    ((metadata, Some(shown)), Written::Created)
                }
                Storing::RotateGenerated(bytes) => {
                    let (metadata, shown) = self.vault.rotate_generated(address, &terms, length(bytes)?)?;
                    ((metadata, Some(shown)), Written::Rotated)
                }
            };
            Ok(Stored { metadata, written, shown })
        })
    }

    /// Stores several in one step, new or not: all of them or none.
    ///
    /// # Errors
    /// [`AdminError`]: a name, the stack, a value, a name that stands twice, or one that the
    /// actor may not write.
    pub(crate) fn import(
        &self,
        stack: Option<&str>,
        values: Vec<(String, SecretValue)>,
    ) -> Result<Vec<Stored>, AdminError> {
        let stack = stack_of(stack)?;
        let named = values.into_iter().map(|(name, value)| {
            let name = SecretName::parse(&name).map_err(|e| AdminError::InvalidName(e.rule.to_owned()))?;
            self.bounds.value(&value)?;
            self.actor.may(self.tenant, Need::secret_write(name.as_str()))?;
            Ok((name, value))
        });
        let named = named.collect::<Result<Vec<_>, AdminError>>()?;
        let stored =
            self.vault.import(self.tenant, stack.as_ref(), &self.terms(&Beside::default())?, named)?;
        let stored = stored.into_iter();
        Ok(stored.map(|(metadata, written)| Stored { metadata, written, shown: None }).collect())
    }

    /// Replaces the description.
    ///
    /// # Errors
    /// [`AdminError`]: the name, the stack, the description, or there is none.
    pub(crate) fn describe(&self, asked: Asked<'_>, description: &str) -> Result<Metadata, AdminError> {
        self.at(asked, Access::Write, |address| {
            self.bounds.description(Some(description))?;
            Ok(self.vault.describe(address, self.actor.by(), description)?)
        })
    }

    /// Revokes one and frees its name.
    ///
    /// # Errors
    /// [`AdminError`]: the name, the stack, or there is none.
    pub(crate) fn revoke(&self, asked: Asked<'_>) -> Result<Metadata, AdminError> {
        self.at(asked, Access::Write, |address| Ok(self.vault.revoke(address, self.actor.by())?))
    }

    /// The versions of one, newest first.
    ///
    /// # Errors
    /// [`AdminError`]: the name, the stack, or there is none.
    pub(crate) fn versions(&self, asked: Asked<'_>) -> Result<(Metadata, Vec<VersionFacts>), AdminError> {
        self.at(asked, Access::Read, |address| Ok(self.vault.versions(address)?))
    }

    /// Puts an older version back into use.
    ///
    /// # Errors
    /// [`AdminError`]: the name, the stack, or there is no such version to go back to.
    pub(crate) fn roll_back(&self, asked: Asked<'_>, to: Option<u32>) -> Result<Metadata, AdminError> {
        self.at(asked, Access::Write, |address| Ok(self.vault.roll_back(address, self.actor.by(), to)?))
    }

    /// Destroys all but the newest versions; tells which.
    ///
    /// # Errors
    /// [`AdminError`]: the name, the stack, the number, or files that could not be cleaned.
    pub(crate) fn prune(
        &self,
        asked: Asked<'_>,
        keep: Option<u32>,
    ) -> Result<(Metadata, Vec<u32>), AdminError> {
        let keep = keep.filter(|keep| *keep > 0).ok_or(AdminError::InvalidKeep)?;
        self.at(asked, Access::Write, |address| Ok(self.vault.prune(address, self.actor.by(), Keep(keep))?))
    }

    /// Destroys one version.
    ///
    /// # Errors
    /// [`AdminError`]: the name, the stack, the version, or files that could not be cleaned.
    pub(crate) fn destroy(&self, asked: Asked<'_>, version_no: u32) -> Result<Metadata, AdminError> {
        self.at(asked, Access::Write, |address| {
            Ok(self.vault.destroy(address, self.actor.by(), version_no)?)
        })
    }

    /// Destroys all versions of the revoked secrets of one name; tells which.
    ///
    /// # Errors
    /// [`AdminError`]: the name, the stack, none was revoked, or files that could not be cleaned.
    pub(crate) fn destroy_revoked(&self, asked: Asked<'_>) -> Result<Vec<(Id, u32)>, AdminError> {
        self.at(asked, Access::Write, |address| Ok(self.vault.destroy_revoked(address, self.actor.by())?))
    }

    /// Replaces the policy; one with nothing in it takes it away.
    ///
    /// # Errors
    /// [`AdminError`]: the name, the stack, the policy, or a version that does not open.
    pub(crate) fn policy(&self, asked: Asked<'_>, policy: &PolicyAsked) -> Result<Metadata, AdminError> {
        let terms = self.terms(&Beside { policy: Some(policy), ..Beside::default() })?;
        self.at(asked, Access::Write, |address| Ok(self.vault.policy(address, &terms)?))
    }

    /// What rules would get of the secrets they name; opens none of them.
    ///
    /// # Errors
    /// [`AdminError`]: too many questions, a name, a stack, or the database.
    pub(crate) fn explain(&self, asks: &[Ask]) -> Result<Vec<Answer>, AdminError> {
        if asks.len() > MOST_ASKS {
            return Err(AdminError::InvalidBody(format!("at most {MOST_ASKS} asks at once")));
        }
        let answer = |ask: &Ask| {
            self.actor.may(self.tenant, Need::secret_read(&ask.name))?;
            explain::answer(self.vault, self.store, self.chassis, self.tenant, ask)
        };
        asks.iter().map(answer).collect()
    }

    fn terms<'t>(&self, beside: &Beside<'t>) -> Result<Terms<'t>, AdminError>
    where
        'a: 't,
    {
        let encoding = |word: &str| {
            Encoding::parse(word)
                .ok_or_else(|| AdminError::InvalidKeyEncoding(word.chars().take(32).collect()))
        };
        self.bounds.description(beside.description)?;
        let policy = beside.policy.map(|policy| policy.resolved(self.store, self.tenant)).transpose()?;
        let now = Timestamp::now();
        Ok(Terms {
            description: beside.description,
            by: self.actor.by(),
            key_encoding: beside.key_encoding.map(encoding).transpose()?,
            expires_at: beside
                .expires
                .map(|text| moment(text, now))
                .transpose()
                .map_err(AdminError::InvalidTime)?,
            overlap: beside.overlap.map(span).transpose().map_err(AdminError::InvalidTime)?,
            policy: policy.unwrap_or(PolicyChange::Keep),
            policy_required: self.demand == Demand::Policy,
        })
    }

    fn at<T>(
        &self,
        asked: Asked<'_>,
        access: Access,
        work: impl FnOnce(&SecretAddress<'_>) -> Result<T, AdminError>,
    ) -> Result<T, AdminError> {
        let name = SecretName::parse(asked.name).map_err(|e| AdminError::InvalidName(e.rule.to_owned()))?;
        let need = match access {
            Access::Read => Need::secret_read(name.as_str()),
            Access::Write => Need::secret_write(name.as_str()),
        };
        self.actor.may(self.tenant, need)?;
        let stack = stack_of(asked.stack)?;
        work(&SecretAddress { tenant: self.tenant, stack: stack.as_ref(), name: &name })
    }
}

impl Beside<'_> {
    /// The same for a new secret, where an empty description says nothing.
    fn named(self) -> Self {
        Self { description: self.description.filter(|text| !text.is_empty()), ..self }
    }
}

impl<'a> Asked<'a> {
    /// The secret `name` of `stack`, or of the whole tenant.
    ///
    /// # Errors
    /// [`AdminError::MissingName`].
    pub(crate) fn new(name: Option<&'a str>, stack: Option<&'a str>) -> Result<Self, AdminError> {
        let name = name.filter(|name| !name.is_empty()).ok_or(AdminError::MissingName)?;
        Ok(Self { name, stack })
    }
}

/// An empty stack is the whole tenant.
fn stack_of(text: Option<&str>) -> Result<Option<StackName>, AdminError> {
    let stack = text.filter(|stack| !stack.is_empty()).map(StackName::parse).transpose();
    stack.map_err(|e| AdminError::InvalidStack(e.rule.to_owned()))
}

/// 0 and nothing are the default, as in the existing API.
fn length(byte_len: Option<i64>) -> Result<usize, AdminError> {
    let asked = match byte_len {
        None | Some(0) => DEFAULT_BYTES,
        Some(asked) => asked,
    };
    usize::try_from(asked)
        .ok()
        .filter(|length| (1..=vault::MAX_GENERATED_BYTES).contains(length))
        .ok_or(AdminError::InvalidByteLength)
}
