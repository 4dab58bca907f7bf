//! How long traces are kept, and how much room they may take (weakness T3).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime};

use model::RequestId;

/// How often the folder is looked through when little is written.
const LOOKS_EVERY: Duration = Duration::from_secs(60);

/// What is kept of the traces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Traces that ended longer ago are removed; `None` keeps them.
    pub age: Option<Duration>,
    /// The oldest are removed beyond this many bytes; `None` is no limit.
    pub bytes: Option<u64>,
}

/// Looks through the folder on a thread of its own: once a minute, and sooner when much is written.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    /// After so many bytes it looks again.
    step: Option<u64>,
    since: AtomicU64,
    wake: Option<SyncSender<()>>,
}

impl Keeper {
    /// Keeps the traces in `folder` within `retention`.
    ///
    /// # Errors
    /// When no thread can be had.
    pub(crate) fn start(folder: &Path, retention: Retention) -> io::Result<Self> {
        if retention == Retention::default() {
            return Ok(Self::default());
        }
        let (wake, woken) = sync_channel(1);
        let folder = folder.to_owned();
        let thread = thread::Builder::new().name("trace-keeper".to_owned());
        thread.spawn(move || keep(&folder, retention, &woken))?;
        let step = retention.bytes.map(|bytes| bytes / 8);
        Ok(Self { step, since: AtomicU64::new(0), wake: Some(wake) })
    }

    /// So many bytes more were written.
    pub(crate) fn wrote(&self, bytes: usize) {
        let (Some(step), Some(wake)) = (self.step, &self.wake) else { return };
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        if self.since.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > step {
            self.since.store(0, Ordering::Relaxed);
            // When it is full the keeper is about to look anyway.
            let _awake = wake.try_send(());
        }
    }
}

/// Until nobody can wake it any more.
fn keep(folder: &Path, retention: Retention, woken: &Receiver<()>) {
    loop {
        match sweep(folder, retention, SystemTime::now()) {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "old traces removed"),
            Err(error) => tracing::warn!(%error, "old traces could not be removed"),
        }
        if woken.recv_timeout(LOOKS_EVERY) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

struct Traced {
    /// When something was last written about the request.
    ended: SystemTime,
    bytes: u64,
    folder: PathBuf,
}

/// Removes what is too old, then the oldest until the rest fits; how many requests were removed.
pub(crate) fn sweep(folder: &Path, retention: Retention, now: SystemTime) -> io::Result<u64> {
    let mut traced = Vec::new();
    for entry in fs::read_dir(folder.join("requests"))? {
        let entry = entry?;
        // Whatever else lies there is not ours.
        if entry.file_name().to_str().is_none_or(|name| RequestId::parse(name).is_err()) {
            continue;
        }
        let folder = entry.path();
        let Ok(ended) = fs::metadata(folder.join("timeline.jsonl"))
            .or_else(|_| entry.metadata())
            .and_then(|m| m.modified())
        else {
            continue;
        };
        let bytes = if retention.bytes.is_some() { size(&folder) } else { 0 };
        traced.push(Traced { ended, bytes, folder });
    }
    traced.sort_by_key(|one| one.ended);
    let mut total: u64 = traced.iter().map(|one| one.bytes).sum();
    let mut removed = 0;
    for one in traced {
        let old =
            retention.age.is_some_and(|age| now.duration_since(one.ended).is_ok_and(|passed| passed > age));
        let large = retention.bytes.is_some_and(|bytes| total > bytes);
        if !old && !large {
            break;
        }
        fs::remove_dir_all(&one.folder)?;
        total = total.saturating_sub(one.bytes);
        removed += 1;
    }
    Ok(removed)
}

/// The bytes of all files below; what vanishes meanwhile counts nothing.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests of 1000 bytes each, one an hour; the first is the oldest.
    fn traces(count: u64) -> (tempfile::TempDir, Vec<PathBuf>, SystemTime) {
        let root = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let folders = (0..count).map(|at| {
            let folder = root.path().join("requests").join(RequestId::mint().unwrap().as_str());
            fs::create_dir_all(folder.join("steps/0001-a")).unwrap();
            fs::write(folder.join("steps/0001-a/in.json"), vec![b'x'; 600]).unwrap();
            fs::write(folder.join("timeline.jsonl"), vec![b'x'; 400]).unwrap();
            let timeline = fs::File::options().write(true).open(folder.join("timeline.jsonl")).unwrap();
            timeline.set_modified(now - Duration::from_secs(3600 * (count - at))).unwrap();
            folder
        });
        let folders = folders.collect();
        (root, folders, now)
    }

    fn left(folders: &[PathBuf]) -> Vec<bool> {
        folders.iter().map(|folder| folder.exists()).collect()
    }

    #[test]
    fn what_is_old_goes() {
        let (root, folders, now) = traces(4);
        let retention = Retention { age: Some(Duration::from_secs(9000)), bytes: None };
        assert_eq!(sweep(root.path(), retention, now).unwrap(), 2);
        assert_eq!(left(&folders), [false, false, true, true]);
    }

    #[test]
    fn the_oldest_go_until_the_rest_fits() {
        let (root, folders, now) = traces(4);
        let retention = Retention { age: None, bytes: Some(2500) };
        assert_eq!(sweep(root.path(), retention, now).unwrap(), 2);
        assert_eq!(left(&folders), [false, false, true, true]);
        assert_eq!(sweep(root.path(), retention, now).unwrap(), 0);
    }

    #[test]
    fn nothing_of_others_is_removed() {
        let (root, _, now) = traces(1);
        let other = root.path().join("requests/notes");
        fs::create_dir(&other).unwrap();
        sweep(root.path(), Retention { age: Some(Duration::ZERO), bytes: Some(0) }, now).unwrap();
        assert!(other.exists());
    }

    #[test]
    fn much_that_is_written_wakes_the_keeper() {
        let (root, folders, _) = traces(3);
        let retention = Retention { age: None, bytes: Some(3500) };
        let keeper = Keeper::start(root.path(), retention).unwrap();
        fs::write(folders[2].join("more"), vec![b'x'; 1000]).unwrap();
        let start = std::time::Instant::now();
        while folders[0].exists() {
            assert!(start.elapsed() < Duration::from_secs(30), "it was not woken");
            keeper.wrote(1000);
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(left(&folders), [false, true, true]);
    }
}
