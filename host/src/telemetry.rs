//! Log lines on stderr: `TIME LEVEL message key=value …`, or one JSON object a line.

use std::fmt::{self, Write as _};
use std::io::IsTerminal as _;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Environment, LogLevel, Logger};

/// Starts logging to stderr, once per process.
pub fn start(level: LogLevel, logger: Logger, environment: &dyn Environment) {
    let color = environment.variable("NO_COLOR").is_none() && std::io::stderr().is_terminal();
    start_to(std::io::stderr, level, logger, if color { Color::Yes } else { Color::No });
}

/// Starts logging to `writer`, once per process; later starts change nothing.
pub fn start_to<W>(writer: W, level: LogLevel, logger: Logger, color: Color)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let registry = tracing_subscriber::registry().with(filter(level));
    let started = match logger {
        Logger::Console => registry.with(lines.event_format(Lines { color })).try_init(),
        Logger::Json => registry.with(lines.json().flatten_event(true).with_target(false)).try_init(),
    };
    // A second start in one process (an embedder with its own subscriber) keeps the first.
    drop(started);
}

/// Whether the level is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// For a terminal.
    Yes,
    /// For everything else.
    No,
}

/// Our own crates at the level asked for; all others at `info` at most, because the HTTP
/// and TLS libraries print headers and buffers below that.
fn filter(level: LogLevel) -> Targets {
    let own = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new().with_default(own.min(LevelFilter::INFO)).with_target("txco", own)
}

/// The console format: what operators grep for stands in one piece, unquoted.
struct Lines {
    color: Color,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Line::default();
        event.record(&mut line);
        let (on, off) = match self.color {
            Color::Yes => (color_of(*event.metadata().level()), "\x1b[0m"),
            Color::No => ("", ""),
        };
        let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
        writeln!(writer, "{time} {on}{}{off} {}{}", event.metadata().level(), line.message, line.fields)
    }
}

fn color_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG | Level::TRACE => "\x1b[2m",
    }
}

/// The parts of a line, gathered from an event.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Line {
    fn put(&mut self, field: &Field, text: &str) {
        let place = if field.name() == "message" {
            &mut self.message
        } else {
            let _ = write!(self.fields, " {}=", field.name());
            &mut self.fields
        };
        // A name or a path from outside must not be able to start a line of its own, or to
        // command the terminal.
        for c in text.chars() {
            if c.is_control() {
                place.extend(c.escape_default());
            } else {
                place.push(c);
            }
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, &format!("{value:?}"));
    }
}

/// What `log` logs at `level`, as the console shows it without the times; for tests.
///
/// `tracing` remembers for every place that logs whether anybody listens. Asked first from a thread without a
/// subscriber while there is only one in the process, it would remember "nobody", and the lines of a test would be
/// missing when another test passed that place a moment before. So there is a subscriber for all threads, which
/// throws its lines away.
#[cfg(test)]
pub(crate) fn logged(level: LogLevel, log: impl FnOnce()) -> Vec<String> {
    use std::io;
    use std::sync::{Arc, Mutex, Once};

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    static FOR_ALL_THREADS: Once = Once::new();
    FOR_ALL_THREADS.call_once(|| {
        tracing::subscriber::set_global_default(subscriber(LogLevel::Trace, io::sink)).unwrap();
    });
    let captured = Captured::default();
    let writer = captured.clone();
    tracing::subscriber::with_default(subscriber(level, move || writer.clone()), || {
        tracing::callsite::rebuild_interest_cache();
        log();
    });
    let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
}

#[cfg(test)]
fn subscriber<W>(level: LogLevel, writer: W) -> impl Subscriber
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).event_format(Lines { color: Color::No });
    tracing_subscriber::registry().with(filter(level)).with(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_the_runbooks_text() {
        let seen = logged(LogLevel::Info, || {
            tracing::info!(path = %"/data/txco-master.key", key_version = 1, "secret store enabled");
            tracing::warn!(err = "a b", "two words");
        });
        assert_eq!(
            seen,
            ["INFO secret store enabled path=/data/txco-master.key key_version=1", "WARN two words err=a b"]
        );
    }

    #[test]
    fn nothing_from_outside_starts_a_line_or_commands_the_terminal() {
        let seen = logged(LogLevel::Info, || {
            tracing::info!(path = "x\nINFO forged\x1b[2J", "m");
        });
        assert_eq!(seen, [r"INFO m path=x\nINFO forged\u{1b}[2J"]);
    }

    #[test]
    fn foreign_crates_never_log_below_info() {
        let seen = logged(LogLevel::Trace, || {
            tracing::debug!(target: "hyper::proto", "authorization: Bearer x");
            tracing::debug!(target: "txco_vault::bag", "ours");
            tracing::info!(target: "hyper", "theirs");
        });
        assert_eq!(seen, ["DEBUG ours", "INFO theirs"]);
        let seen = logged(LogLevel::Error, || tracing::info!(target: "hyper", "theirs"));
        assert_eq!(seen, Vec::<String>::new());
    }
}
