//! The process as the kernel sees it: time, memory, files, threads.

use std::fs;
use std::time::SystemTime;

use super::{Family, Kind, Point};

/// Reads what there is; where there is no `/proc` there is less.
pub(super) fn read(started: SystemTime) -> Vec<Family> {
    let mut families = Vec::new();
    let mut put = |name, prometheus, unit, help, kind, value: Option<f64>| {
        let points = value.map(Point::bare);
        families.extend(points.map(|points| Family { name, prometheus, unit, help, kind, points }));
    };
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let stat = Stat::parse(&stat);
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    let page = rustix::param::page_size() as f64;
    let of = |read: fn(&Stat) -> u64| stat.as_ref().map(|stat| read(stat) as f64);
    put(
        "process.cpu.time",
        "process_cpu_seconds_total",
        "s",
        "Time on the processor, in user and system mode.",
        Kind::Counter,
        of(|stat| stat.ticks).map(|count| count / ticks),
    );
    put(
        "process.memory.usage",
        "process_resident_memory_bytes",
        "By",
        "Memory that is resident.",
        Kind::Gauge,
        of(|stat| stat.resident_pages).map(|pages| pages * page),
    );
    put(
        "process.memory.virtual",
        "process_virtual_memory_bytes",
        "By",
        "Memory that is mapped.",
        Kind::Gauge,
        of(|stat| stat.virtual_bytes),
    );
    put("process.thread.count", "process_threads", "1", "Threads.", Kind::Gauge, of(|stat| stat.threads));
    put(
        "process.open_file_descriptor.count",
        "process_open_fds",
        "1",
        "Open file descriptors.",
        Kind::Gauge,
        fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as f64),
    );
    put(
        "process.open_file_descriptor.limit",
        "process_max_fds",
        "1",
        "The most file descriptors that may be open.",
        Kind::Gauge,
        rustix::process::getrlimit(rustix::process::Resource::Nofile).current.map(|most| most as f64),
    );
    put(
        "process.start.time",
        "process_start_time_seconds",
        "s",
        "When the process started, in seconds since 1970.",
        Kind::Gauge,
        started.duration_since(SystemTime::UNIX_EPOCH).ok().map(|since| since.as_secs_f64()),
    );
    families
}

/// What is read of `/proc/self/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    ticks: u64,
    threads: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Stat {
    /// The fields after the name, which may hold spaces and brackets itself (proc_pid_stat(5)).
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |number: usize| fields.get(number.checked_sub(3)?)?.parse::<u64>().ok();
        Some(Self {
            ticks: field(14)?.checked_add(field(15)?)?,
            threads: field(20)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_is_read_over() {
        let text =
            "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 30 12 0 0 20 0 5 0 9 8192000 77 18446744073709551615";
        let expected = Stat { ticks: 42, threads: 5, virtual_bytes: 8_192_000, resident_pages: 77 };
        assert_eq!(Stat::parse(text), Some(expected));
        assert_eq!(Stat::parse(""), None);
    }

    #[test]
    fn this_process_has_memory_and_files() {
        let families = read(SystemTime::now());
        let value = |name: &str| families.iter().find(|f| f.prometheus == name).unwrap().points[0].value;
        assert!(value("process_resident_memory_bytes") > 100_000.0);
        assert!(value("process_open_fds") >= 3.0 && value("process_max_fds") >= value("process_open_fds"));
        assert!(value("process_threads") >= 1.0);
    }
}
