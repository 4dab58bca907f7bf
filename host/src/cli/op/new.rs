//! `txco op new NAME`: an op that builds, passes its test and is called by a rule.

use std::path::PathBuf;

use model::OpName;
use serde_json::json;
use workshop::Language;

use crate::cli::output::{Complaint, Console};
use crate::cli::typed::{program, quoted};

/// Flags of `txco op new`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// Its folder; the last part is its name. In OPS/STACK/SCOPE/ a rule that calls it is
    /// made too
    #[arg(value_name = "NAME")]
    path: Option<PathBuf>,
    /// What to write it in: rust, js, c or python
    #[arg(long, value_name = "LANGUAGE", default_value = "rust")]
    lang: String,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Makes it.
pub(super) fn run(flags: &Flags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let path = flags.path.as_ref().ok_or_else(|| Complaint::usage("NAME is required"))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = OpName::parse(&name).map_err(|e| Complaint::usage(e.to_string()))?;
    let language = Language::parse(&flags.lang)
        .ok_or_else(|| Complaint::usage(format!("--lang {}: expected rust, js, c or python", flags.lang)))?;
    let made = workshop::scaffold(&name, path, language).map_err(|e| Complaint::failed(e.to_string()))?;
    if flags.json {
        let (folder, rule) =
            (made.folder.display().to_string(), made.rule.map(|rule| rule.display().to_string()));
        return console.print(
            &json!({ "op": name.as_str(), "folder": folder, "rule": rule, "secret": made.secret })
                .to_string(),
        );
    }
    let (txco, folder) = (program(), quoted(&made.folder.to_string_lossy()));
    let mut said = format!("made {}", made.folder.display());
    let next = match &made.rule {
        Some(rule) => {
            said.push_str(&format!("\nmade {}", rule.display()));
            format!(
                "next: {txco} dev                                        builds it and serves the rule\n\
                 then: {txco} auth tenant secrets generate {}",
                made.secret
            )
        }
        None => format!("next: {txco} op test {folder}"),
    };
    console.print(&said)?;
    console.note(&next);
    Ok(())
}
