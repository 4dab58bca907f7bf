//! Notices when the files of a workspace's rules change, once per burst of changes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

/// A burst is over when nothing has changed for this long: editors save in several steps.
const QUIET: Duration = Duration::from_millis(120);
/// A burst is taken as it is after this long, so that a busy folder is reloaded at all.
const LONGEST: Duration = Duration::from_secs(2);

/// Watches `OPS/` of a workspace.
pub(crate) struct Watch {
    watcher: RecommendedWatcher,
    ops: PathBuf,
    changes: mpsc::UnboundedReceiver<Change>,
}

enum Change {
    /// Something below `OPS`.
    Rules,
    /// `OPS` itself came or went: the new folder has to be watched.
    Folder,
}

impl Watch {
    /// Starts to watch the rules of `workspace`.
    ///
    /// # Errors
    /// When the operating system cannot watch: the folder is missing, or too many are
    /// being watched already.
    pub(crate) fn start(workspace: &Path) -> notify::Result<Self> {
        // The watcher reports paths below what it was given, links resolved or not alike.
        let ops = workspace.join("OPS");
        let (tell, changes) = mpsc::unbounded_channel();
        let below = ops.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if let Ok(event) = event
                && let Some(change) = change(&event, &below)
            {
                // Nobody listens any more: the chassis is shutting down.
                let _unheard = tell.send(change);
            }
        })?;
        let mut watch = Self { watcher, ops, changes };
        watch.watcher.watch(workspace, RecursiveMode::NonRecursive)?;
        watch.watch_ops();
        Ok(watch)
    }

    /// Waits for the next burst of changes and for its end; false when none can come.
    pub(crate) async fn changed(&mut self) -> bool {
        let Some(first) = self.changes.recv().await else { return false };
        self.note(&first);
        let end = Instant::now() + LONGEST;
        while let Ok(Ok(Some(more))) = timeout_at(end, timeout(QUIET, self.changes.recv())).await {
            self.note(&more);
        }
        true
    }

    fn note(&mut self, change: &Change) {
        if matches!(change, Change::Folder) {
            self.watch_ops();
        }
    }

    /// A missing folder is no error: it is watched when it comes.
    fn watch_ops(&mut self) {
        if self.ops.is_dir()
            && let Err(error) = self.watcher.watch(&self.ops, RecursiveMode::Recursive)
        {
            tracing::warn!(%error, path = %self.ops.display(), "rules are not watched");
        }
    }
}

/// What an event means for the rules; nothing when they were only read.
fn change(event: &Event, ops: &Path) -> Option<Change> {
    if matches!(event.kind, EventKind::Access(_)) {
        return None;
    }
    if event.paths.iter().any(|path| path == ops) {
        return Some(Change::Folder);
    }
    event.paths.iter().any(|path| path.starts_with(ops) && !is_made(path, ops)).then_some(Change::Rules)
}

/// What compilers leave among the sources of an op: thousands of files that are none of the rules'.
fn is_made(path: &Path, ops: &Path) -> bool {
    let below = path.strip_prefix(ops).unwrap_or(path);
    below.iter().any(|part| MADE.iter().any(|made| part == *made))
}

const MADE: [&str; 4] = [".txco", "target", "node_modules", "__pycache__"];

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    async fn notices(watch: &mut Watch) -> bool {
        timeout(Duration::from_secs(5), watch.changed()).await.unwrap_or(false)
    }

    async fn stays_quiet(watch: &mut Watch) -> bool {
        timeout(Duration::from_millis(400), watch.changed()).await.is_err()
    }

    #[tokio::test]
    async fn every_kind_of_edit_is_noticed_and_reading_is_not() {
        let workspace = tempfile::tempdir().unwrap();
        let scope = workspace.path().join("OPS/shop/100");
        fs::create_dir_all(&scope).unwrap();
        fs::write(scope.join("a.txcl"), "EMIT .a = 1").unwrap();
        let mut watch = Watch::start(workspace.path()).unwrap();

        fs::read(scope.join("a.txcl")).unwrap();
        assert!(stays_quiet(&mut watch).await, "reading is no change");
        fs::create_dir_all(workspace.path().join(".txco/dev/trace")).unwrap();
        fs::write(workspace.path().join(".txco/dev/trace/x"), "").unwrap();
        assert!(stays_quiet(&mut watch).await, "traces are no rules");

        fs::create_dir_all(scope.join("signer/target/debug")).unwrap();
        assert!(notices(&mut watch).await, "a folder of an op");
        fs::write(scope.join("signer/target/debug/x"), "").unwrap();
        assert!(stays_quiet(&mut watch).await, "what a compiler makes is no rule");

        fs::write(scope.join("a.txcl"), "EMIT .a = 2").unwrap();
        assert!(notices(&mut watch).await, "a write");
        fs::write(scope.join("a.tmp"), "EMIT .a = 3").unwrap();
        fs::rename(scope.join("a.tmp"), scope.join("a.txcl")).unwrap();
        assert!(notices(&mut watch).await, "an editor's rename");
        fs::create_dir_all(workspace.path().join("OPS/shop/200")).unwrap();
        assert!(notices(&mut watch).await, "a new folder");
        fs::write(workspace.path().join("OPS/shop/200/b.txcl"), "EMIT .b = 1").unwrap();
        assert!(notices(&mut watch).await, "a file in the new folder");
        fs::remove_file(scope.join("a.txcl")).unwrap();
        assert!(notices(&mut watch).await, "a removal");
    }

    #[tokio::test]
    async fn a_burst_is_one_change() {
        let workspace = tempfile::tempdir().unwrap();
        fs::create_dir(workspace.path().join("OPS")).unwrap();
        let mut watch = Watch::start(workspace.path()).unwrap();
        for n in 0..50 {
            fs::write(workspace.path().join(format!("OPS/{n}.txcl")), "x").unwrap();
        }
        assert!(notices(&mut watch).await);
        assert!(stays_quiet(&mut watch).await);
    }

    #[tokio::test]
    async fn a_replaced_ops_folder_is_watched_again() {
        let workspace = tempfile::tempdir().unwrap();
        let ops = workspace.path().join("OPS");
        let mut watch = Watch::start(workspace.path()).unwrap();
        fs::create_dir_all(&ops).unwrap();
        assert!(notices(&mut watch).await, "OPS came");
        fs::write(ops.join("a.txcl"), "x").unwrap();
        assert!(notices(&mut watch).await, "a file in it");
        fs::rename(&ops, workspace.path().join("OLD")).unwrap();
        fs::create_dir_all(&ops).unwrap();
        assert!(notices(&mut watch).await, "OPS was replaced");
        fs::write(ops.join("b.txcl"), "x").unwrap();
        assert!(notices(&mut watch).await, "a file in the new one");
    }
}
