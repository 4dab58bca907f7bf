//! A workspace's rules go into a chassis, and again when they change: broken ones never
//! replace good ones.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use chassis::{LoadErrors, Operations, RuleSet};
use model::StackName;
use tokio::signal::unix::Signal;
use tokio::task::block_in_place;
use txcl::{Color, Mode};
use workshop::Surroundings;

use crate::admin::TenantOps;
use crate::own_ops::build_and_push;
use crate::watch::Watch;

/// Which rules, and how what is wrong with them is shown.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// The workspace: the folder with `OPS/`.
    pub(crate) workspace: PathBuf,
    /// The stack that events enter, when it was said.
    pub(crate) stack: Option<StackName>,
    /// How strictly they are taken.
    pub(crate) mode: Mode,
    /// Whether diagnostics are coloured.
    pub(crate) color: Color,
    /// Where their own ops come from.
    pub(crate) own_ops: OwnOps,
    /// Which names of ops stand for addresses.
    pub(crate) operations: Operations,
}

/// Where the ops come from that rules call by `op://NAME`.
#[derive(Debug, Clone)]
pub(crate) enum OwnOps {
    /// They were pushed.
    Pushed,
    /// Those whose sources lie in the workspace are built, with what this machine has.
    Built(Surroundings),
}

impl Rules {
    /// Reads and checks them.
    ///
    /// # Errors
    /// Everything that is wrong, as text for people: file, line, caret.
    pub(crate) fn load(&self) -> Result<RuleSet, String> {
        let loaded = RuleSet::load_with(&self.operations, &self.workspace, self.stack.as_ref(), self.mode);
        let rules = loaded.map_err(|errors| self.told(&errors))?;
        for file in rules.let_pass() {
            for finding in file.iter() {
                let (line, column) = (finding.line, finding.column);
                tracing::warn!(file = file.path(), line, column, "rule let pass: {}", finding.message);
            }
        }
        for one in rules.cannot_wait() {
            tracing::warn!(file = one.path, "{}; {}", one.message, one.hint);
        }
        Ok(rules)
    }

    /// Makes what was loaded the current rules of a chassis, and says in the log which ops
    /// they are pinned to.
    ///
    /// # Errors
    /// The ops that they call and that cannot be had, as text for people.
    pub(crate) fn install(&self, rules: RuleSet, ops: &TenantOps) -> Result<Arc<RuleSet>, String> {
        let rules = ops.install(rules).map_err(|errors| self.told(&errors))?;
        let pinned = rules.ops();
        if !pinned.is_empty() {
            tracing::info!(ops = pinned, "ops pinned");
        }
        Ok(rules)
    }

    /// Builds what there is to build, loads and installs.
    ///
    /// # Errors
    /// Everything that is wrong, as text for people.
    pub(crate) fn renew(&self, ops: &TenantOps, say: &mut dyn Write) -> Result<Arc<RuleSet>, String> {
        let rules = self.load();
        let built = match &self.own_ops {
            OwnOps::Pushed => Ok(()),
            OwnOps::Built(surroundings) => {
                let mut progress = |line: &str| {
                    // Nobody reads it: then nobody waits for it.
                    let _unread = writeln!(say, "{}", line.trim_end()).and_then(|()| say.flush());
                };
                build_and_push(&self.workspace, surroundings, ops, &mut progress)
            }
        };
        match (rules, built) {
            (Ok(rules), Ok(())) => self.install(rules, ops),
            (Err(told), Ok(())) | (Ok(_), Err(told)) => Err(told),
            (Err(rules), Err(ops)) => Err(format!("{}\n{ops}", rules.trim_end())),
        }
    }

    /// Loads them again at each of `hangups`.
    pub(crate) async fn on_hangup(
        self,
        mut hangups: Signal,
        ops: Arc<TenantOps>,
        mut say: impl Write + Send,
    ) {
        while hangups.recv().await.is_some() {
            block_in_place(|| self.reload(&ops, &mut say));
        }
    }

    /// Loads them again whenever a file of theirs changes.
    pub(crate) async fn on_change(self, ops: Arc<TenantOps>, mut watch: Watch, mut say: impl Write + Send) {
        while watch.changed().await {
            // Compiling takes its time, and the thread serves requests otherwise.
            block_in_place(|| self.reload(&ops, &mut say));
        }
    }

    fn reload(&self, ops: &TenantOps, say: &mut (impl Write + Send)) {
        match self.renew(ops, say) {
            Ok(rules) => {
                tracing::info!(
                    stack = entry(&rules),
                    rules = rules.rules(),
                    files = rules.files(),
                    "rules reloaded"
                );
            }
            Err(told) => {
                // Nobody reads it: the log line below still says that it happened.
                let _unread = writeln!(say, "{}", told.trim_end()).and_then(|()| say.flush());
                if ops.has_rules() {
                    tracing::warn!("rules not reloaded: the last good ones stay");
                } else {
                    tracing::warn!("rules not loaded: the web head answers 404 until they are mended");
                }
            }
        }
    }

    fn told(&self, errors: &LoadErrors) -> String {
        let text = errors.render(self.color);
        format!("{}\n", text.trim_end())
    }
}

/// The stack that events enter, for logs.
pub(crate) fn entry(rules: &RuleSet) -> &str {
    rules.entry().map_or("-", StackName::as_str)
}
