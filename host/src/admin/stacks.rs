//! The stacks of a tenant: begun, filled, checked and activated; what is active is served at once.

use chassis::{Misplaced, rule_place};
use model::StackName;
use store::{
    Activated, Activation, Base, Change, Managed, RuleRow, SecretsUse, StackFile, StackRecord, StackRefusal,
    Store, Tenant, VersionAddress, VersionRecord, VersionStatus, WholeVersion,
};
use vault::Vault;

use super::actor::{Actor, Need};
use super::applied::{Applied, ServedFrom};
use super::checked::{Checked, Checking};
use super::error::AdminError;
use super::ops::Ops;

/// The longest path of a file.
const MAX_PATH: usize = 1024;
/// What lies beside rules.
const MOCKS: [&str; 2] = ["mock-request.json", "mock-response.json"];

/// The stacks of one tenant, handled by one actor.
pub(crate) struct Stacks<'a> {
    pub(super) store: &'a Store,
    pub(super) vault: Option<&'a Vault>,
    pub(super) ops: &'a Ops,
    pub(super) applied: &'a Applied,
    pub(super) tenant: &'a Tenant,
    pub(super) actor: &'a Actor,
    pub(super) checking: Checking,
}

/// What an activation did.
pub(crate) struct Done {
    pub done: Activated,
    pub checked: Checked,
    pub served: ServedFrom,
}

impl Stacks<'_> {
    /// All of them, by name.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`], [`AdminError::Store`].
    pub(crate) fn list(&self) -> Result<Vec<StackRecord>, AdminError> {
        self.may(Need::OPS_READ)?;
        Ok(self.store.stacks(&self.tenant.id)?)
    }

    /// One.
    ///
    /// # Errors
    /// [`AdminError`]: `stack_not_found`.
    pub(crate) fn show(&self, name: &str) -> Result<StackRecord, AdminError> {
        self.may(Need::OPS_READ)?;
        let found = self.store.stack(&self.tenant.id, &named(name)?)?;
        found.ok_or(refused(StackRefusal::NoStack))
    }

    /// Its versions, newest first.
    ///
    /// # Errors
    /// [`AdminError`]: `stack_not_found`.
    pub(crate) fn versions(&self, name: &str) -> Result<Vec<VersionRecord>, AdminError> {
        self.may(Need::OPS_READ)?;
        Ok(self.store.stack_versions(&self.tenant.id, &named(name)?)?)
    }

    /// One version.
    ///
    /// # Errors
    /// [`AdminError`]: `stack_not_found`, `stack_version_not_found`.
    pub(crate) fn version(&self, name: &str, number: u32) -> Result<WholeVersion, AdminError> {
        self.may(Need::OPS_READ)?;
        self.whole(&named(name)?, number)
    }

    /// The active version.
    ///
    /// # Errors
    /// [`AdminError`]: `stack_not_found`, `no_active_version`.
    pub(crate) fn active(&self, name: &str) -> Result<WholeVersion, AdminError> {
        let active = self.show(name)?.active.ok_or(refused(StackRefusal::NothingActive))?;
        self.whole(&named(name)?, active.number)
    }

    const fn at<'a>(&'a self, stack: &'a StackName, number: u32) -> VersionAddress<'a> {
        VersionAddress { tenant: &self.tenant.id, stack, number }
    }

    fn whole(&self, name: &StackName, number: u32) -> Result<WholeVersion, AdminError> {
        Ok(self.store.stack_version(self.at(name, number))?)
    }

    /// Begins a version: `from` is empty, `active` or a number. Says the new one's.
    ///
    /// # Errors
    /// [`AdminError`]: the name, `bad_from`, `from_version_not_found`.
    pub(crate) fn draft(&self, name: &str, from: &str) -> Result<u32, AdminError> {
        self.may(Need::OPS_UPDATE)?;
        let base = match from {
            "" => Base::Nothing,
            "active" => Base::Active,
            number => Base::Version(number.parse().map_err(|_| AdminError::BadFrom)?),
        };
        let begun = self.store.begin_draft(&self.tenant.id, &named(name)?, base, self.actor.by());
        begun.map_err(|error| {
            use StackRefusal as R;
            if matches!(error, store::Error::Stack(R::NoVersion(_) | R::NothingActive)) {
                AdminError::FromNotFound
            } else {
                error.into()
            }
        })
    }

    /// Replaces the files of a draft. Says its manifest.
    ///
    /// # Errors
    /// [`AdminError`]: a path, `version_not_draft`, too many or too large.
    pub(crate) fn put(
        &self,
        name: &str,
        number: u32,
        files: &[StackFile],
        managed: Managed,
    ) -> Result<String, AdminError> {
        self.may(Need::OPS_UPDATE)?;
        let stack = named(name)?;
        for (at, file) in files.iter().enumerate() {
            good_path(&stack, &file.path)?;
            if files.iter().take(at).any(|before| before.path == file.path) {
                return Err(AdminError::DuplicatePath(file.path.clone()));
            }
        }
        Ok(self.store.put_files(self.at(&stack, number), files, managed, self.actor.by())?)
    }

    /// Changes one file of a draft. Says its manifest.
    ///
    /// # Errors
    /// [`AdminError`]: the path, `base_hash_mismatch`, `file_already_exists`, `file_not_found`.
    pub(crate) fn change(&self, name: &str, number: u32, change: Change<'_>) -> Result<String, AdminError> {
        self.may(Need::OPS_UPDATE)?;
        let stack = named(name)?;
        let (Change::Write { path, .. } | Change::Remove { path, .. }) = change;
        good_path(&stack, path)?;
        Ok(self.store.change_file(self.at(&stack, number), change, self.actor.by())?)
    }

    /// Checks a version as its activation would, and changes nothing.
    ///
    /// # Errors
    /// [`AdminError`]: there is no such version. What is wrong with its rules is an answer.
    pub(crate) fn validate(&self, name: &str, number: u32) -> Result<Checked, AdminError> {
        self.may(Need::OPS_READ)?;
        let stack = named(name)?;
        let whole = self.whole(&stack, number)?;
        self.checked(&stack, &whole)
    }

    fn checked(&self, stack: &StackName, whole: &WholeVersion) -> Result<Checked, AdminError> {
        let source = match &whole.pins {
            Some(pins) => self.ops.pinned(&self.tenant.id, pins),
            None => self.ops.current(&self.tenant.id),
        };
        let place = (self.store, self.vault, &self.tenant.id);
        self.checking.check(place, stack, &whole.files, &source, self.ops.chassis())
    }

    /// Makes a version the active one. `manifest` is that of the version that was looked at,
    /// `active` that of the version that was active then; empty for none.
    ///
    /// # Errors
    /// [`AdminError`]: what is wrong with its rules, secrets that may not be used, or that
    /// something is not what was looked at. Nothing has changed then.
    pub(crate) fn activate(
        &self,
        name: &str,
        number: u32,
        manifest: Option<&str>,
        active: Option<&str>,
    ) -> Result<Done, AdminError> {
        self.may(Need::OPS_ACTIVATE)?;
        let stack = named(name)?;
        let whole = self.whole(&stack, number)?;
        if whole.version.status == VersionStatus::Revoked {
            return Err(refused(StackRefusal::Revoked(number)));
        }
        let checked = self.checked(&stack, &whole)?;
        checked.refuse()?;
        let before = self.store.stack(&self.tenant.id, &stack)?.and_then(|stack| stack.active);
        let before = before.map(|before| self.whole(&stack, before.number)).transpose()?;
        self.may_use(&stack, before.as_ref(), &checked)?;
        let rules = checked.placed.iter().map(|rule| RuleRow {
            scope: rule.scope,
            name: &rule.name,
            text: &rule.text,
        });
        let activation = Activation {
            number,
            manifest: manifest.unwrap_or(&whole.version.manifest),
            active,
            pins: &checked.pins,
            rules: &rules.collect::<Vec<_>>(),
        };
        let done = self.store.activate(&self.tenant.id, &stack, &activation, self.actor.by())?;
        self.applied.renew_changed()?;
        Ok(Done { done, checked, served: self.applied.served_from() })
    }

    /// Lets no version be active. Says which was.
    ///
    /// # Errors
    /// [`AdminError`]: `stack_not_found`, `no_active_version`.
    pub(crate) fn deactivate(&self, name: &str) -> Result<u32, AdminError> {
        self.may(Need::OPS_ACTIVATE)?;
        let number = self.store.deactivate(&self.tenant.id, &named(name)?, self.actor.by())?;
        self.applied.renew_changed()?;
        Ok(number)
    }

    /// A secret that the active version does not use needs somebody who may let it be used.
    fn may_use(
        &self,
        stack: &StackName,
        before: Option<&WholeVersion>,
        checked: &Checked,
    ) -> Result<(), AdminError> {
        let takes = [self.checking.secrets_use, self.store.tenant_runtime(&self.tenant.id)?.secrets_use];
        if !takes.contains(&SecretsUse::Explicit) {
            return Ok(());
        }
        let old = before.and_then(|before| Checking::loaded(stack, &before.files));
        let may = |name: &model::SecretName| self.actor.can(&self.tenant.id, Need::secret_use(name.as_str()));
        let refused = chassis::unpermitted_uses(old.as_ref(), &checked.rules, may);
        match refused.first() {
            Some(first) => Err(AdminError::CapabilityDenied(format!(
                "{} (named by {})",
                Need::secret_use(first.name.as_str()).text(),
                first.file
            ))),
            None => Ok(()),
        }
    }

    /// Whether `actor` may, before what they say is looked at.
    ///
    /// # Errors
    /// [`AdminError::CapabilityDenied`].
    pub(crate) fn may(&self, need: Need<'_>) -> Result<(), AdminError> {
        self.actor.may(&self.tenant.id, need)
    }
}

const fn refused(refusal: StackRefusal) -> AdminError {
    AdminError::Store(store::Error::Stack(refusal))
}

/// The name of a stack that a tenant may have.
fn named(name: &str) -> Result<StackName, AdminError> {
    if name.is_empty() {
        return Err(AdminError::EmptyStackName);
    }
    let stack = StackName::parse(name).map_err(|e| AdminError::InvalidStack(e.rule.to_owned()))?;
    if matches!(name.split('/').next(), Some("boot" | "_sys")) {
        return Err(AdminError::ReservedStackName);
    }
    Ok(stack)
}

/// Refuses a path where neither a rule nor its mock belongs.
fn good_path(stack: &StackName, path: &str) -> Result<(), AdminError> {
    let wrong = |why: String| Err(AdminError::InvalidPath(why));
    if path.len() > MAX_PATH {
        return wrong(format!("a path has at most {MAX_PATH} bytes"));
    }
    // A mock lies where a rule could.
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let as_rule = if MOCKS.contains(&file) { format!("{folder}/mock.txcl") } else { path.to_owned() };
    match rule_place(stack, &as_rule) {
        Ok(_) => Ok(()),
        Err(Misplaced { path, message, hint }) => wrong(format!("{path}: {message}; {hint}")),
    }
}
