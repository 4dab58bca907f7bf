//! `txco serve`: a chassis in the foreground.

use std::process::ExitCode;

use txcl::Color;

use super::output::{Complaint, Console};
use super::passphrase::ask;
use super::project::Project;
use crate::app::{App, Role, Serving};
use crate::config::{Config, Environment, Otel, Sampler, ServeFlags, Signal};
use crate::reload::{OwnOps, Rules, entry};
use crate::telemetry;

/// The arguments of `txco serve`.
#[derive(clap::Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    chassis: ServeFlags,
}

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(args: ServeArgs, console: &mut Console<'_>) -> ExitCode {
    let served = serve(args, console).map_err(|complaint| complaint.of("serve"));
    console.end(false, served)
}

fn serve(args: ServeArgs, console: &mut Console<'_>) -> Result<(), Complaint> {
    let config = Config::read(args.chassis, console.environment, &Vec::new())
        .map_err(|error| Complaint::usage(error.to_string()))?;
    telemetry::start(config.log_level, config.logger, console.environment);
    let operations =
        config.workspace.as_deref().map(Project::read).transpose()?.unwrap_or_default().operations();
    let rules = config.workspace.clone().map(|workspace| Rules {
        workspace,
        operations,
        stack: config.stack.clone(),
        mode: config.rule_mode.mode(),
        color: if console.color { Color::Coloured } else { Color::Plain },
        // A production chassis compiles nothing of what lies in a workspace.
        own_ops: OwnOps::Pushed,
    });
    // Rules first: what is broken there is said before anything is opened or minted.
    let loaded = match &rules {
        Some(rules) => Some(rules.load().map_err(|told| broken(rules, &told, console))?),
        None => None,
    };
    let app = App::boot_asking(config, Role::Serve, &mut |path| ask(console, path))
        .map_err(|error| Complaint::failed(error.to_string()))?;
    match loaded.zip(rules.as_ref()) {
        Some((loaded, rules)) => {
            let installed = rules.install(loaded, app.ops());
            let loaded = installed.map_err(|told| broken(rules, &told, console))?;
            tracing::info!(
                stack = entry(&loaded),
                rules = loaded.rules(),
                files = loaded.files(),
                "rules loaded"
            );
        }
        None => app.applied().tell(),
    }
    let hangups = app.hangups().map_err(|error| Complaint::failed(error.to_string()))?;
    let (ops, applied) = (app.ops().clone(), app.applied().clone());
    export_spans(console.environment, &app);
    let served = app.serve_until_signal(|serving| {
        export_metrics(console.environment, serving);
        match rules {
            Some(rules) => serving.spawn(rules.on_hangup(hangups, ops, std::io::stderr())),
            None => serving.spawn(applied.on_hangup(hangups)),
        }
    });
    served.map_err(|error| Complaint::failed(error.to_string()))
}

/// Exports numbers to the collector that the environment names. What is wrong with it is a
/// warning: telemetry does not keep a chassis from starting.
pub(super) fn export_metrics(environment: &dyn Environment, serving: &Serving) {
    match Otel::read(environment, Signal::Metrics) {
        Ok(otel) => otel.into_iter().for_each(|otel| serving.export_metrics(otel)),
        Err(error) => tracing::warn!(%error, "metrics are not exported"),
    }
}

/// The same for spans, before the first request.
pub(super) fn export_spans(environment: &dyn Environment, app: &App) {
    let sampled = |otel: Option<Otel>| otel.map(|otel| Ok((otel, Sampler::read(environment)?))).transpose();
    match Otel::read(environment, Signal::Traces).and_then(sampled) {
        Ok(traces) => traces.into_iter().for_each(|(otel, sampler)| app.export_spans(otel, sampler)),
        Err(error) => tracing::warn!(%error, "spans are not exported"),
    }
}

/// The diagnostics are shown as they are, coloured or not, above the complaint.
fn broken(rules: &Rules, told: &str, console: &mut Console<'_>) -> Complaint {
    console.note(told.trim_end());
    Complaint::failed(format!("the rules of {} cannot be used", rules.workspace.display()))
}
