//! What the demo saw, for people (at most 40 lines of 80 columns) and for machines.

use serde::Serialize;

use super::search::Place;
use super::upstream::{Received, Verdict};
use crate::cli::trace::{Given, Record, shown_millis};

/// The width that every line but a command to be typed keeps to.
const COLUMNS: usize = 80;
/// How many headers of the request are shown.
const HEADERS: usize = 8;
/// How many places with a leak are named.
const LEAKS: usize = 3;

/// All that is reported. Built from masked texts only.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The signature verified, both spliced secrets arrived, and nothing leaked.
    pub(super) ok: bool,
    /// How long the whole run took.
    pub(super) millis: f64,
    pub(super) event: Event,
    pub(super) rules: Vec<Fired>,
    pub(super) upstream: Option<Delivered>,
    /// How many of the searched places hold a cleartext.
    pub(super) leaks: usize,
    /// How many secrets were looked for, and in how many spellings altogether.
    pub(super) secrets: usize,
    pub(super) spellings: usize,
    pub(super) searched: Vec<Place>,
    /// The folder of the run, when it was kept.
    pub(super) kept: Option<String>,
    pub(super) next: Vec<String>,
}

/// The event that was sent, and its answer.
#[derive(Debug, Serialize)]
pub(super) struct Event {
    pub(super) request: String,
    pub(super) status: u16,
    pub(super) answer: String,
    pub(super) millis: f64,
    pub(super) request_id: Option<String>,
}

/// A rule that fired.
#[derive(Debug, Serialize)]
pub(super) struct Fired {
    pub(super) rule: String,
    pub(super) operation: String,
    pub(super) millis: f64,
    pub(super) error: Option<String>,
    pub(super) secrets: Vec<Given>,
}

/// The request as the upstream received it, with the secrets' values masked.
#[derive(Debug, Serialize)]
pub(super) struct Delivered {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    pub(super) verdict: Verdict,
}

impl Fired {
    /// The rules of a traced request.
    pub(super) fn of(record: &Record) -> Vec<Self> {
        let fired = |step: &crate::cli::trace::StepRecord| Self {
            rule: step.rule(),
            operation: step.operation.clone(),
            millis: step.duration_ms,
            error: step.error.as_ref().map(|error| error.code.clone()),
            secrets: step.secrets.clone(),
        };
        record.steps.iter().map(fired).collect()
    }
}

impl Delivered {
    /// The request with every value of `secrets` (name, cleartext) masked.
    pub(super) fn masked(received: &Received, secrets: &[(&str, &str)]) -> Self {
        let mask = |text: &str| {
            secrets.iter().fold(text.to_owned(), |text, (name, value)| {
                let shown = format!("[{name}]");
                let escaped = serde_json::to_string(value).unwrap_or_default();
                text.replace(*value, &shown).replace(escaped.trim_matches('"'), &shown)
            })
        };
        Self {
            method: received.method.clone(),
            path: mask(&received.path),
            headers: received.headers.iter().map(|(name, value)| (name.clone(), mask(value))).collect(),
            body: mask(&received.body),
            verdict: received.verdict,
        }
    }
}

/// Whether headings are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Color {
    Yes,
    No,
}

impl Report {
    /// The report for people.
    pub(super) fn render(&self, color: Color) -> String {
        let mut page = Page { text: String::new(), color };
        page.line(&format!(
            "txco demo: one event in, one signed request out  ({})",
            shown_millis(self.millis)
        ));
        page.gap();
        page.head("EVENT", &self.event.request);
        let id = self.event.request_id.as_deref().unwrap_or("no request id");
        let (status, answer) = (self.event.status, self.event.answer.trim());
        page.body(&format!("{status} {answer} in {} ({id})", shown_millis(self.event.millis)));
        page.gap();
        self.rules(&mut page);
        page.gap();
        self.upstream(&mut page);
        page.gap();
        self.search(&mut page);
        page.gap();
        self.next(&mut page);
        page.text
    }

    fn rules(&self, page: &mut Page) {
        let mut head = "RULES";
        for fired in &self.rules {
            let operation = if fired.operation.is_empty() { "-" } else { &fired.operation };
            page.head(head, &format!("{:<20} {operation:<36} {}", fired.rule, shown_millis(fired.millis)));
            head = "";
            for given in &fired.secrets {
                let named = format!("{} {}", given.name, version(given));
                page.body(&format!("  {named:<25} {}", how(given)));
            }
            if let Some(error) = &fired.error {
                page.body(&format!("  FAILED {error}"));
            }
        }
        if self.rules.is_empty() {
            page.head(head, "none fired");
        }
    }

    fn upstream(&self, page: &mut Page) {
        let Some(delivered) = &self.upstream else {
            return page.head("UPSTREAM", "received nothing");
        };
        page.head("UPSTREAM", "received this (secret values masked)");
        page.body(&format!("{} {} HTTP/1.1", delivered.method, delivered.path));
        for (name, value) in delivered.headers.iter().take(HEADERS) {
            page.body(&format!("{name}: {value}"));
        }
        if delivered.headers.len() > HEADERS {
            page.body(&format!("… and {} more headers", delivered.headers.len() - HEADERS));
        }
        page.gap();
        page.wrapped(&delivered.body, 2);
        let verdict = &delivered.verdict;
        let says = |good: bool| if good { "right" } else { "WRONG" };
        page.head(
            "VERDICT",
            &format!(
                "signature {}: HMAC-SHA256 over {} bytes, recomputed there",
                if verdict.signature { "verified" } else { "NOT verified" },
                verdict.signed_bytes
            ),
        );
        page.body(&format!(
            "API key {}, client secret {}",
            says(verdict.api_key),
            says(verdict.client_secret)
        ));
    }

    fn search(&self, page: &mut Page) {
        page.head("SEARCH", &format!("cleartext found in {} of {} places", self.leaks, self.searched.len()));
        page.body(&format!(
            "{} secrets, {} spellings: raw, hex, base64, percent, JSON",
            self.secrets, self.spellings
        ));
        for place in self.searched.iter().filter(|place| !place.sightings.is_empty()).take(LEAKS) {
            let seen: Vec<_> =
                place.sightings.iter().map(|s| format!("{} ({})", s.secret, s.spelling)).collect();
            page.body(&format!("LEAK {}: {}", place.name, seen.join(", ")));
        }
        if let Some(kept) = &self.kept {
            page.typed(&format!("          kept in {kept}"));
        }
    }

    fn next(&self, page: &mut Page) {
        page.head("NEXT", "");
        for command in &self.next {
            page.typed(&format!("  {command}"));
        }
    }
}

fn version(given: &Given) -> String {
    given.version.map_or_else(|| "(not had)".to_owned(), |version| format!("v{version}"))
}

/// How a secret was given: what its mode and slot mean.
fn how(given: &Given) -> String {
    match (given.mode.as_str(), given.slot.split_once('.')) {
        ("reveal", _) => format!("revealed to the guest as `{}`", given.slot),
        ("splice", Some(("headers", name))) => format!("spliced into header `{name}`"),
        ("splice", Some(("body", field))) => format!("spliced into body field `{field}`"),
        (mode, _) => format!("{mode} `{}`", given.slot),
    }
}

/// A page that keeps its width.
struct Page {
    text: String,
    color: Color,
}

impl Page {
    fn line(&mut self, line: &str) {
        let printable: String =
            line.trim_end().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        if printable.chars().count() > COLUMNS {
            self.text.extend(printable.chars().take(COLUMNS - 1));
            self.text.push('…');
        } else {
            self.text.push_str(&printable);
        }
        self.text.push('\n');
    }

    fn gap(&mut self) {
        self.text.push('\n');
    }

    /// A line with a heading in the first ten columns.
    fn head(&mut self, head: &str, line: &str) {
        let at = self.text.len();
        self.line(&format!("{head:<10}{line}"));
        if self.color == Color::Yes && !head.is_empty() {
            self.text.insert_str(at + head.len(), "\x1b[0m");
            self.text.insert_str(at, "\x1b[1m");
        }
    }

    /// A line below a heading.
    fn body(&mut self, line: &str) {
        self.line(&format!("{:10}{line}", ""));
    }

    /// A line that is to be typed: whole, however long.
    fn typed(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A long text over at most `most` lines below a heading.
    fn wrapped(&mut self, text: &str, most: usize) {
        let chars: Vec<char> = text.chars().collect();
        for (at, piece) in chars.chunks(COLUMNS - 10).enumerate().take(most) {
            let cut = at + 1 == most && chars.len() > most * (COLUMNS - 10);
            let line: String = piece.iter().chain(cut.then_some(&'…')).collect();
            self.body(&line);
        }
    }
}

#[cfg(test)]
mod tests;
