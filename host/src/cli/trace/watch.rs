//! `txco trace --watch`: requests as they end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::super::output::{Complaint, Console};
use super::record::{self, Record};
use super::{folders, rows};

/// How often the folder is looked at.
const EVERY: Duration = Duration::from_millis(250);
/// A request that has not ended after this is shown as it is.
const PATIENCE: Duration = Duration::from_secs(15);

/// Shows requests until the process is interrupted or nobody reads any more.
pub(super) fn follow(traces: &Path, grep: Option<&str>, console: &mut Console<'_>) -> Result<(), Complaint> {
    let mut seen: BTreeSet<PathBuf> = folders(traces)?.into_iter().collect();
    let mut waiting: Vec<(PathBuf, Instant)> = Vec::new();
    let mut header = true;
    loop {
        for folder in folders(traces)? {
            if seen.insert(folder.clone()) {
                waiting.push((folder, Instant::now()));
            }
        }
        let mut ended = Vec::new();
        waiting.retain(|(folder, since)| match Record::read_folder(folder) {
            Ok(record) if record.ended.is_some() || since.elapsed() > PATIENCE => {
                if grep.is_none_or(|text| record::holds(folder, text)) {
                    ended.push(record);
                }
                false
            }
            Ok(_) => true,
            // Being written, or removed already.
            Err(_) => since.elapsed() < PATIENCE,
        });
        if !ended.is_empty() {
            let text = rows(&ended);
            let bare = text.split_once('\n').map_or("", |(_header, rest)| rest);
            console.print(if header { &text } else { bare })?;
            header = false;
        }
        thread::sleep(EVERY);
    }
}
