//! The memory of a running chassis, read from outside and searched: what a debugger or a core dump would find.
//!
//! The process is stopped while it is read, so that what is found was there at one moment. Every page that is
//! present or swapped out is searched, whatever may be done with it; only mapped files that nobody can have
//! written to are left out.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use aho_corasick::AhoCorasick;
use rustix::process::{Pid, Signal, kill_process};

/// One piece of memory is read at a time.
const PIECE: usize = 1 << 20;
/// What the kernel shows there is its own and cannot be read.
const KERNELS: [&str; 4] = ["[vvar]", "[vvar_vclock]", "[vsyscall]", "[uprobes]"];
/// In an entry of `/proc/PID/pagemap`: the page is in memory, or swapped out.
const THERE: u64 = 0b11 << 62;

/// What a search of a process's memory found.
#[derive(Debug, Default)]
pub struct Found {
    /// Each place where a secret stands, or eight bytes of it.
    pub sightings: Vec<Sighting>,
    /// How many bytes were searched.
    pub searched: u64,
    /// How many of these a core dump would hold.
    pub in_dumps: u64,
}

/// One place.
#[derive(Debug)]
pub struct Sighting {
    /// In which form it stands there.
    pub form: &'static str,
    /// Where.
    pub address: u64,
    /// The mapping: `[heap]`, a file, or its rights when it has no name.
    pub mapping: String,
    /// Whether a core dump would hold it.
    pub in_dumps: bool,
}

impl Found {
    /// How many sightings a core dump would hold.
    #[must_use]
    pub fn dumped(&self) -> usize {
        self.sightings.iter().filter(|sighting| sighting.in_dumps).count()
    }
}

/// Searches the memory of `pid`.
///
/// # Errors
/// When this machine does not let one process read another's memory.
pub(crate) fn search(pid: Pid, needles: &[(&'static str, Vec<u8>)]) -> io::Result<Found> {
    let of = |file: &str| PathBuf::from(format!("/proc/{}/{file}", pid.as_raw_nonzero()));
    let memory = Memory { bytes: File::open(of("mem"))?, pages: File::open(of("pagemap"))? };
    let automaton = AhoCorasick::new(needles.iter().map(|(_, bytes)| bytes)).unwrap();
    let longest = needles.iter().map(|(_, bytes)| bytes.len()).max().unwrap_or(1);
    let _stopped = Stopped::now(pid, &of("stat"));
    let mut found = Found::default();
    for mapping in mappings(&fs::read_to_string(of("smaps"))?) {
        let mut end_of_last = 0;
        memory.each_piece(&mapping, longest - 1, |at, bytes| {
            for hit in automaton.find_iter(bytes) {
                let (start, end) = (at + hit.start() as u64, at + hit.end() as u64);
                // Pieces of one copy touch or overlap, and so do two readings of the same page.
                if start > end_of_last || end_of_last == 0 {
                    found.sightings.push(Sighting {
                        form: needles[hit.pattern().as_usize()].0,
                        address: start,
                        mapping: mapping.name.clone(),
                        in_dumps: mapping.in_dumps,
                    });
                }
                end_of_last = end_of_last.max(end);
            }
        })?;
        found.searched += mapping.present;
        found.in_dumps += if mapping.in_dumps { mapping.present } else { 0 };
    }
    Ok(found)
}

/// A process that does not run for as long as this exists.
struct Stopped(Pid);

impl Stopped {
    fn now(pid: Pid, stat: &Path) -> Self {
        kill_process(pid, Signal::STOP).expect("the chassis runs");
        let stopped = Self(pid);
        let start = Instant::now();
        // The state stands behind the name, which may hold anything.
        let state = || fs::read_to_string(stat).unwrap().rsplit(')').next().unwrap().trim().chars().next();
        while state() != Some('T') {
            assert!(start.elapsed() < Duration::from_secs(10), "the chassis does not stop");
            thread::sleep(Duration::from_millis(1));
        }
        stopped
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        kill_process(self.0, Signal::CONT).ok();
    }
}

#[derive(Debug)]
struct Mapping {
    start: u64,
    end: u64,
    name: String,
    in_dumps: bool,
    present: u64,
}

/// The mappings that can hold anything, of the text of `/proc/PID/smaps`.
fn mappings(smaps: &str) -> Vec<Mapping> {
    let mut all: Vec<Mapping> = Vec::new();
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or("");
        let range = first.split_once('-').and_then(|(start, end)| {
            Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
        });
        match (range, all.last_mut()) {
            (Some((start, end)), _) => {
                let rights = words.next().unwrap_or("");
                // Behind offset and device: the file's number, 0 for memory of no file.
                let file = words.nth(2) != Some("0");
                let name = words.collect::<Vec<_>>().join(" ");
                let name = if name.is_empty() { rights.to_owned() } else { name };
                let readable = !KERNELS.contains(&name.as_str()) && (!file || rights.contains('w'));
                let end = if readable { end } else { start };
                all.push(Mapping { start, end, name, in_dumps: true, present: 0 });
            }
            (None, Some(mapping)) if first == "Rss:" || first == "Swap:" => {
                let kib: u64 = words.next().and_then(|kib| kib.parse().ok()).unwrap_or(0);
                mapping.present += kib << 10;
            }
            (None, Some(mapping)) if first == "VmFlags:" => {
                mapping.in_dumps = !words.any(|flag| flag == "dd");
            }
            _ => {}
        }
    }
    all.retain(|mapping| mapping.present > 0 && mapping.start < mapping.end);
    all
}

struct Memory {
    bytes: File,
    pages: File,
}

impl Memory {
    /// Shows all pages of a mapping that are there, neighbouring ones as one piece; pieces of one run overlap
    /// by `overlap` bytes.
    fn each_piece(
        &self,
        mapping: &Mapping,
        overlap: usize,
        mut see: impl FnMut(u64, &[u8]),
    ) -> io::Result<()> {
        let page = rustix::param::page_size() as u64;
        let mut entries = vec![0_u8; 64 << 10];
        // What was read and not shown yet, and where it stands.
        let (mut piece, mut at) = (Vec::with_capacity(2 * PIECE), mapping.start);
        let mut next = mapping.start;
        while next < mapping.end {
            let pages = ((mapping.end - next) / page).min(entries.len() as u64 / 8);
            let entries = &mut entries[..usize::try_from(pages).unwrap() * 8];
            self.pages.read_exact_at(entries, next / page * 8)?;
            for entry in entries.chunks_exact(8) {
                if u64::from_le_bytes(entry.try_into().unwrap()) & THERE != 0 {
                    if piece.is_empty() {
                        at = next;
                    }
                    let old = piece.len();
                    piece.resize(old + usize::try_from(page).unwrap(), 0);
                    self.bytes.read_exact_at(&mut piece[old..], next)?;
                } else if !piece.is_empty() {
                    see(at, &piece);
                    piece.clear();
                }
                if piece.len() >= PIECE {
                    see(at, &piece);
                    let shown = piece.len() - overlap;
                    piece.drain(..shown);
                    at += shown as u64;
                }
                next += page;
            }
        }
        if !piece.is_empty() {
            see(at, &piece);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Call, Host};

    #[test]
    fn mappings_are_read() {
        let smaps = "5581-5582 r--p 00000000 fe:00 123 /usr/bin/txco\nRss: 4 kB\nVmFlags: rd mr\n\
                     7f00-7f10 rw-p 00000000 00:00 0 \nRss: 8 kB\nSwap: 4 kB\nVmFlags: rd wr dd\n\
                     7f20-7f30 rw-p 00000000 00:00 0 [heap]\nRss: 0 kB\nVmFlags: rd wr\n\
                     7f40-7f50 rw-p 00000000 fe:00 123 /usr/lib/a b.so\nRss: 4 kB\nVmFlags: rd wr\n";
        let all = mappings(smaps);
        let seen: Vec<_> = all.iter().map(|m| (m.start, m.name.as_str(), m.in_dumps, m.present)).collect();
        assert_eq!(seen, [(0x7f00, "rw-p", false, 12 << 10), (0x7f40, "/usr/lib/a b.so", true, 4 << 10)]);
    }

    /// A shell that keeps a text in a variable, and one that forgot it.
    #[test]
    fn what_a_process_holds_is_found() {
        let search_of = |script: &str| {
            let folder = tempfile::tempdir().unwrap();
            let canary = crate::Canary::new("kept");
            fs::write(folder.path().join("text"), canary.text()).unwrap();
            let mut shell = std::process::Command::new("/bin/sh");
            shell.args(["-c", script]).current_dir(folder.path());
            shell.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
            let mut child = shell.spawn().unwrap();
            // It says when it is ready.
            io::Read::read(child.stdout.as_mut().unwrap(), &mut [0; 16]).unwrap();
            let found = search(Pid::from_child(&child), &canary.in_memory());
            child.kill().unwrap();
            child.wait().unwrap();
            found
        };
        let kept = match search_of("read -r kept <text; echo ready; read -r more") {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Host::say_skipped("the memory of another process is not to be read here");
            }
            found => found.unwrap(),
        };
        assert!(!kept.sightings.is_empty() && kept.searched > 64 << 10, "{kept:?}");
        assert_eq!(kept.dumped(), kept.sightings.len());
        assert!(search_of("echo ready; read -r more").unwrap().sightings.is_empty());
    }

    #[test]
    fn pieces_of_it_and_the_pads_of_hmac_are_found() {
        let canary = crate::Canary::new("pads");
        let needles = canary.in_memory();
        let automaton = AhoCorasick::new(needles.iter().map(|(_, bytes)| bytes)).unwrap();
        let core = &canary.text().as_bytes()[canary.text().len() - 24..];
        for at in 0..=16 {
            for pad in [0, 0x36, 0x5c] {
                let bytes: Vec<u8> = core[at..at + 8].iter().map(|byte| byte ^ pad).collect();
                assert!(automaton.is_match(&bytes), "{at}, {pad:x}");
            }
            assert!(!automaton.is_match(&core[at..at + 7]));
        }
    }

    #[test]
    fn a_command_is_no_chassis() {
        let mut host = Host::at_rest("/bin/sh");
        host.run(&Call::new(&["-c", "true"])).succeeds();
        let canary = host.canary("x");
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| host.memory(&canary))).is_err());
        host.record("said", b"nothing to search is a failure too");
        host.finish();
    }
}
