//! A workspace's rules go into a chassis, and again when they change: broken ones never
//! replace good ones.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use chassis::{Chassis, LoadErrors, RuleSet};
use model::StackName;
use tokio::signal::unix::Signal;
use txcl::{Color, Mode};

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
}

impl Rules {
    /// Reads and checks them.
    ///
    /// # Errors
    /// Everything that is wrong, as text for people: file, line, caret.
    pub(crate) fn load(&self) -> Result<RuleSet, String> {
        let loaded = RuleSet::load(&self.workspace, self.stack.as_ref(), self.mode);
        let rules = loaded.map_err(|errors| self.told(&errors))?;
        for file in rules.let_pass() {
            for finding in file.iter() {
                let (line, column) = (finding.line, finding.column);
                tracing::warn!(file = file.path(), line, column, "rule let pass: {}", finding.message);
            }
        }
        Ok(rules)
    }

    /// Loads them again at each of `hangups`.
    pub(crate) async fn on_hangup(
        self,
        mut hangups: Signal,
        chassis: Arc<Chassis>,
        mut say: impl Write + Send,
    ) {
        while hangups.recv().await.is_some() {
            self.reload(&chassis, &mut say);
        }
    }

    /// Loads them again whenever a file of theirs changes.
    pub(crate) async fn on_change(self, chassis: Arc<Chassis>, mut watch: Watch, mut say: impl Write + Send) {
        while watch.changed().await {
            self.reload(&chassis, &mut say);
        }
    }

    fn reload(&self, chassis: &Chassis, say: &mut (impl Write + Send)) {
        match self.load() {
            Ok(rules) => {
                tracing::info!(stack = %rules.entry(), rules = rules.rules(), files = rules.files(), "rules reloaded");
                chassis.install(rules);
            }
            Err(told) => {
                // Nobody reads it: the log line below still says that it happened.
                let _unread = say.write_all(told.as_bytes()).and_then(|()| say.flush());
                if chassis.rules().is_some() {
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
