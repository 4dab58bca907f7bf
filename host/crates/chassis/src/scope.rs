//! One scope: its matching rules at once, their outputs merged in a fixed order.

use futures_util::future::join_all;
use model::{Envelope, Failure, Fault, Object};
use txcl::{Clock, Prepared, Rule, Written};

use crate::dispatch::{Done, Gives, Place};
use crate::merge::{merge, weight};
use crate::modes::{may_wait, promised};
use crate::ruleset::File;
use crate::trace::{Shown, Step};

/// What a scope left behind.
pub(crate) struct ScopeEnd {
    pub(crate) envelope: Envelope,
    pub(crate) steps: Vec<Step>,
    /// The first failure, in the order of file names, and the rule's name.
    pub(crate) failure: Option<(Failure, String)>,
}

/// What a scope came to.
pub(crate) struct ScopeRun<'r> {
    pub(crate) came: Came<'r>,
    /// Jobs for workers whose outputs join the request later; none when the scope failed.
    pub(crate) joins: Vec<Job<'r>>,
}

/// How a scope ends.
pub(crate) enum Came<'r> {
    /// To its end.
    End(ScopeEnd),
    /// To workers, who are to say what some of its rules add to the envelope.
    Waits(Pending<'r>),
}

impl Came<'_> {
    /// The same, failed all the same.
    pub(crate) fn failed(self, failure: (Failure, String)) -> ScopeEnd {
        match self {
            Self::End(end) => ScopeEnd { failure: Some(failure), ..end },
            Self::Waits(Pending { envelope, steps, .. }) => {
                ScopeEnd { envelope, steps, failure: Some(failure) }
            }
        }
    }
}

/// A scope that waits: its envelope when it was entered, and what its rules came to, in order.
pub(crate) struct Pending<'r> {
    pub(crate) envelope: Envelope,
    pub(crate) parts: Vec<Part<'r>>,
    /// Of the rules that are done.
    pub(crate) steps: Vec<Step>,
}

/// What one rule of a scope came to.
pub(crate) enum Part<'r> {
    Added(Added<'r>),
    Waits(Box<Job<'r>>),
}

impl<'r> Part<'r> {
    pub(crate) fn job(&self) -> Option<&Job<'r>> {
        if let Self::Waits(job) = self { Some(job) } else { None }
    }
}

/// A rule whose job is for a worker.
pub(crate) struct Job<'r> {
    pub(crate) rule: &'r Rule,
    pub(crate) prepared: Prepared,
    pub(crate) step: Step,
    /// What a mock says in the worker's place.
    pub(crate) mock: Option<Object>,
}

/// Whether a file runs beside others. Alone in its scope it has already merged what it
/// added; beside others that is done again, in order, once all have finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Company {
    Alone,
    Others,
}

/// What a rule adds to the envelope.
pub(crate) struct Added<'r> {
    pub(crate) rule: &'r Rule,
    pub(crate) output: Object,
    /// What its SET after SELECT wrote and later rules of the file have seen: an `&uuid`
    /// they saw is the one that stays. Absent for the file's last rule: its SETs wait for
    /// the merged envelope.
    pub(crate) written: Option<Written>,
}

/// What one file did: its rules run one after the other (R8).
struct FileEnd<'r> {
    /// What each rule that ran adds; kept for the merge with other files.
    outputs: Vec<Added<'r>>,
    /// The envelope as the file's last rule left it.
    envelope: Envelope,
    steps: Vec<Step>,
    failure: Option<(Failure, String)>,
    /// The file's last rule, when its job is for a worker.
    job: Option<Box<Job<'r>>>,
    /// Jobs of its rules that it does not wait for.
    joins: Vec<Job<'r>>,
    /// For the trace: why each of its rules fired or did not.
    considered: Vec<serde_json::Value>,
}

/// Runs the files of a scope on `envelope`.
pub(crate) async fn run_scope<'r>(
    place: &Place<'_>,
    files: &'r [std::sync::Arc<File>],
    envelope: Envelope,
) -> ScopeRun<'r> {
    let failed = |envelope, steps, failure| {
        let came = Came::End(ScopeEnd { envelope, steps, failure: Some(failure) });
        ScopeRun { came, joins: Vec::new() }
    };
    let best = match foremost(files, &envelope, &place.clock) {
        Ok(best) => best,
        Err(failure) => return failed(envelope, Vec::new(), failure),
    };
    let chosen: Vec<&File> = match best {
        Some((file, _)) => vec![file],
        None => files.iter().map(AsRef::as_ref).collect(),
    };
    if let Err(failure) = alone(&chosen, &envelope, &place.clock) {
        return failed(envelope, Vec::new(), failure);
    }
    let waits = may_wait(chosen.iter().flat_map(|file| &file.rules));
    let company = if chosen.len() == 1 && !waits { Company::Alone } else { Company::Others };
    let shown = Shown::new();
    let passed = best.map_or_else(Vec::new, |best| passed_over(place, files, best, &envelope, &shown));
    let (mut ends, envelope) = match chosen.as_slice() {
        // Nobody else reads it: it is changed where it is.
        [file] if company == Company::Alone => {
            (vec![run_file(place, file, envelope, &shown, company).await], Envelope::default())
        }
        _ => {
            let one = |file: &&'r File| run_file(place, file, envelope.clone(), &shown, company);
            (join_all(chosen.iter().map(one)).await, envelope)
        }
    };
    tell(place, passed, &mut ends);
    let steps: Vec<Step> = ends.iter_mut().flat_map(|end| std::mem::take(&mut end.steps)).collect();
    let failure = ends.iter_mut().find_map(|end| end.failure.take());
    if let Some(failure) = failure {
        // Alone, as far as it came.
        let came = ends.pop().filter(|_| company == Company::Alone).map(|end| end.envelope);
        return failed(came.unwrap_or(envelope), steps, failure);
    }
    let joins = ends.iter_mut().flat_map(|end| std::mem::take(&mut end.joins)).collect();
    if ends.iter().any(|end| end.job.is_some()) {
        let parts = ends
            .into_iter()
            .flat_map(|end| end.outputs.into_iter().map(Part::Added).chain(end.job.map(Part::Waits)));
        let came = Came::Waits(Pending { envelope, parts: parts.collect(), steps });
        return ScopeRun { came, joins };
    }
    let merged = match company {
        Company::Alone => Ok(ends.pop().map_or(envelope, |end| end.envelope)),
        Company::Others => {
            let added: Vec<_> = ends.into_iter().flat_map(|end| end.outputs).collect();
            merge_all(&added, envelope, place)
        }
    };
    let end = ended(place, merged, steps);
    let joins = if end.failure.is_none() { joins } else { Vec::new() };
    ScopeRun { came: Came::End(end), joins }
}

/// The end of a scope whose rules waited, and are all done now.
pub(crate) fn joined(place: &Place<'_>, envelope: Envelope, added: &[Added<'_>]) -> ScopeEnd {
    ended(place, merge_all(added, envelope, place), Vec::new())
}

fn ended(place: &Place<'_>, merged: Result<Envelope, (Failure, String)>, steps: Vec<Step>) -> ScopeEnd {
    match merged.and_then(|envelope| within(place, envelope)) {
        Ok(envelope) => ScopeEnd { envelope, steps, failure: None },
        Err(failure) => ScopeEnd { envelope: Envelope::default(), steps, failure: Some(failure) },
    }
}

/// A continuable rule that applies is the only one: its client leaves in the middle of the
/// scope. What rules further down in a file come to see is not known yet and not counted.
fn alone(files: &[&File], envelope: &Envelope, clock: &Clock) -> Result<(), (Failure, String)> {
    let all = || files.iter().flat_map(|file| &file.rules);
    let Some(rule) = promised(all()) else { return Ok(()) };
    let applies = |rule: &&Rule| rule.matches(envelope, clock).unwrap_or(false);
    let other = all().find(|other| other.name() != rule.name() && applies(other));
    match other.filter(|_| applies(&rule)) {
        None => Ok(()),
        Some(other) => {
            let why = format!("a continuable rule is alone in its scope, and {} applies too", other.name());
            Err((Failure::new(Fault::RuleFailed, why), rule.name().to_owned()))
        }
    }
}

/// PRIORITY chooses among files: when a matching rule has one above 0, only the first file
/// with the highest runs (spec txcl §6.2, R8). That file and rule.
fn foremost<'f>(
    files: &'f [std::sync::Arc<File>],
    envelope: &Envelope,
    clock: &Clock,
) -> Result<Option<(&'f File, &'f Rule)>, (Failure, String)> {
    let mut best: Option<(&File, &Rule)> = None;
    for file in files {
        for rule in &file.rules {
            if rule.priority() > best.map_or(0, |(_, best)| best.priority())
                && matches(rule, envelope, clock)?
            {
                best = Some((file, rule));
            }
        }
    }
    Ok(best)
}

/// For the trace: why the rules of other files than the chosen one do not run. Those whose WHEN does not
/// hold would not have anyway, whatever their own PRIORITY.
fn passed_over(
    place: &Place<'_>,
    files: &[std::sync::Arc<File>],
    (chosen, first): (&File, &Rule),
    envelope: &Envelope,
    shown: &Shown,
) -> Vec<serde_json::Value> {
    if !place.recording.is_on() {
        return Vec::new();
    }
    let because = format!("{} has PRIORITY {}", first.name(), first.priority());
    let others = files.iter().filter(|file| !std::ptr::eq(file.as_ref(), chosen));
    let told = |rule: &Rule| match rule.matches(envelope, &place.clock) {
        // What a rule further down in a file would have seen nobody knows.
        Ok(false) if rule.position() == 0 => {
            place.recording.considered(rule, envelope, shown, &place.clock, false)
        }
        Ok(_) | Err(_) => place.recording.passed_over(rule, &because),
    };
    others.flat_map(|file| &file.rules).filter_map(told).collect()
}

/// Tells the trace why each rule of the scope fired or did not.
fn tell(place: &Place<'_>, passed: Vec<serde_json::Value>, ends: &mut [FileEnd<'_>]) {
    if !place.recording.is_on() {
        return;
    }
    let mut rules: Vec<_> = ends.iter_mut().flat_map(|end| std::mem::take(&mut end.considered)).collect();
    rules.extend(passed);
    place.recording.event(
        "stage.rules",
        || serde_json::json!({ "stack": place.stack.as_str(), "scope": place.scope, "rules": rules }),
    );
}

fn matches(rule: &Rule, envelope: &Envelope, clock: &Clock) -> Result<bool, (Failure, String)> {
    rule.matches(envelope, clock).map_err(|failure| (failure, rule.name().to_owned()))
}

async fn run_file<'r>(
    place: &Place<'_>,
    file: &'r File,
    envelope: Envelope,
    shown: &Shown,
    company: Company,
) -> FileEnd<'r> {
    let mut end = FileEnd {
        outputs: Vec::new(),
        envelope,
        steps: Vec::new(),
        failure: None,
        job: None,
        joins: Vec::new(),
        considered: Vec::new(),
    };
    // Of the envelope that the file's own rules have changed.
    let mut changed: Option<Shown> = None;
    for (at, rule) in file.rules.iter().enumerate() {
        let held = matches(rule, &end.envelope, &place.clock);
        let fired = held.as_ref().is_ok_and(|held| *held);
        let shown = changed.as_ref().unwrap_or(shown);
        end.considered.extend(place.recording.considered(rule, &end.envelope, shown, &place.clock, fired));
        match held {
            Ok(true) => {}
            Ok(false) => continue,
            Err(failure) => {
                end.failure = Some(failure);
                return end;
            }
        }
        let Done { step, prepared, gives } = place.run(rule, place.rules.mock(file), &end.envelope).await;
        let (output, prepared) = match (gives, prepared) {
            (Some(Gives::Job { mock }), Some(prepared)) => {
                let job = Job { rule, prepared, step, mock };
                if rule.waits().joins_at().is_some() {
                    end.joins.push(job);
                    continue;
                }
                end.job = Some(Box::new(job));
                return end;
            }
            (Some(Gives::Output(output)), prepared) => (Some(output), prepared),
            (_, prepared) => (None, prepared),
        };
        place.told(rule, prepared.as_ref(), &step, output.as_ref());
        // It shares the envelope, which is about to be changed.
        drop(prepared);
        let failure = step.failure.clone();
        end.steps.push(step);
        let Some(output) = output else {
            end.failure = failure.map(|failure| (failure, rule.name().to_owned()));
            return end;
        };
        if company == Company::Others && at + 1 == file.rules.len() {
            end.outputs.push(Added { rule, output, written: None });
            return end;
        }
        let kept = (company == Company::Others).then(|| output.clone());
        end.envelope.absorb(output, merge);
        changed = Some(Shown::new());
        match rule.after(&mut end.envelope, &place.clock) {
            Ok(written) => {
                end.outputs.extend(kept.map(|output| Added { rule, output, written: Some(written) }));
            }
            Err(failure) => {
                end.failure = Some((failure, rule.name().to_owned()));
                return end;
            }
        }
    }
    end
}

/// Outputs in the order of files and rules, then each rule's SET after SELECT.
fn merge_all(
    all: &[Added<'_>],
    mut envelope: Envelope,
    place: &Place<'_>,
) -> Result<Envelope, (Failure, String)> {
    for added in all {
        envelope.absorb(added.output.clone(), merge);
    }
    for Added { rule, written, .. } in all {
        let done = match written {
            Some(written) => written.again(&mut envelope),
            None => rule.after(&mut envelope, &place.clock).map(drop),
        };
        done.map_err(|failure| (failure, rule.name().to_owned()))?;
    }
    Ok(envelope)
}

/// Refuses an envelope that has grown beyond its limit.
fn within(place: &Place<'_>, envelope: Envelope) -> Result<Envelope, (Failure, String)> {
    let limit = place.rooms.settings.envelope_bytes;
    if weight(envelope.document()) <= limit {
        return Ok(envelope);
    }
    let detail = format!("the envelope has grown beyond {limit} bytes");
    Err((Failure::new(Fault::BudgetExhausted, detail), String::new()))
}
