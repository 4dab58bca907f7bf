//! `txco auth secrets rewrap`: every stored version moves to the active key, while the chassis serves.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;
use vault::{Progress, Rewrap, SchemeOne};

use super::bar::Bar;
use super::place::{Place, shut, vault_failed};
use crate::cli::output::{Complaint, Console};

/// Flags of `txco auth secrets rewrap`.
#[derive(clap::Args)]
pub(crate) struct Flags {
    /// Also seal what is in the layout of the Go chassis anew, in ours; it cannot read it then
    #[arg(long)]
    upgrade: bool,
    /// At most so many rows a second; 0 is as fast as it goes
    #[arg(long, value_name = "ROWS", default_value_t = 5000)]
    rate: u32,
    /// So many rows in one transaction, during which nobody else writes
    #[arg(long, value_name = "ROWS", default_value_t = 250, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
    #[command(flatten)]
    pub(super) place: Place,
}

pub(super) fn run(flags: &Flags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let scheme_one = if flags.upgrade { SchemeOne::Upgrade } else { SchemeOne::Keep };
    let opened = flags.place.open(console)?;
    let store = opened.store.clone();
    let vault = opened.vault()?;
    let mut rewrap = vault.rewrap(scheme_one).map_err(vault_failed)?;
    let mut bar = Bar::new("rows", vault.to_rewrap(scheme_one).map_err(vault_failed)?);
    let started = Instant::now();
    loop {
        let progress = vault.rewrap_step(&mut rewrap, flags.batch).map_err(vault_failed)?;
        let done = rewrap.rewrapped + rewrap.upgraded + rewrap.shut;
        bar.show(done, console);
        if progress == Progress::Done {
            break;
        }
        // What was killed here goes on where it was: it asks for the rows that are left.
        sleep(pause(done, flags.rate, started.elapsed()));
    }
    bar.end(console);
    let active = vault.key_ids().first().map(ToString::to_string).unwrap_or_default();
    say(&rewrap, &active, flags.place.json, console)?;
    match &rewrap.first_shut {
        None => Ok(()),
        Some(first) => Err(Complaint::failed(shut(first, rewrap.shut, store.as_deref()))),
    }
}

/// How long to wait so that `done` rows took as long as they should have.
fn pause(done: u64, rate: u32, elapsed: Duration) -> Duration {
    match u64::from(rate) {
        0 => Duration::ZERO,
        rate => Duration::from_millis(done.saturating_mul(1000) / rate).saturating_sub(elapsed),
    }
}

fn say(rewrap: &Rewrap, active: &str, as_json: bool, console: &mut Console<'_>) -> Result<(), Complaint> {
    if as_json {
        // What did not open is an error of its own, on standard error.
        return console.print(
            &json!({ "key_id": active, "rewrapped": rewrap.rewrapped, "upgraded": rewrap.upgraded,
                     "not_opened": rewrap.shut })
            .to_string(),
        );
    }
    if rewrap.rewrapped + rewrap.upgraded == 0 && rewrap.shut == 0 {
        return console.print(&format!("every row is under key {active}; nothing to do"));
    }
    let upgraded = match rewrap.upgraded {
        0 => String::new(),
        count => format!(", {count} of the Go chassis's sealed anew"),
    };
    console.print(&format!("{} rows moved to key {active}{upgraded}", rewrap.rewrapped))?;
    console.print("keep the older keys for as long as you keep backups of the database from before")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept_and_zero_is_none() {
        let ms = Duration::from_millis;
        assert_eq!(pause(500, 1000, ms(100)), ms(400));
        assert_eq!(pause(500, 1000, ms(900)), Duration::ZERO);
        assert_eq!(pause(500, 0, ms(0)), Duration::ZERO);
        assert_eq!(pause(u64::MAX, 1, ms(0)), ms(u64::MAX));
    }
}
