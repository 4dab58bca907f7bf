//! `txco cat PATH`: a file of a stack, as the chassis has it.

use serde_json::json;

use super::SpaceFlags;
use super::compare::chosen;
use super::patience::Patience;
use super::remote::{Remote, text};
use super::versions::numbered;
use crate::cli::client;
use crate::cli::output::{Complaint, Console};

/// The arguments of `txco cat`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct CatArgs {
    /// The file, such as shop/100/hello.txcl; or its stack, before the path in it
    #[arg(value_name = "FILE")]
    file: String,
    /// The path in the stack, when FILE is only the stack
    #[arg(value_name = "PATH")]
    path: Option<String>,
    /// Of this version [default: the active one]
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    #[command(flatten)]
    pub(super) space: SpaceFlags,
}

/// Prints the file byte for byte, or as JSON with its digest.
pub(super) fn run(args: &CatArgs, console: &mut Console<'_>) -> Result<(), Complaint> {
    let (stack, path) = match &args.path {
        Some(path) => (args.file.clone(), path.clone()),
        None => split(&args.file)
            .ok_or_else(|| Complaint::usage(format!("FILE: {} names no file below a scope", args.file)))?,
    };
    let version = args.version.as_deref().map(numbered).transpose()?;
    let chosen = chosen(&args.space, console)?;
    chosen.target.may_read()?;
    let remote = Remote { target: &chosen.target, tenant: &chosen.tenant, patience: Patience::NONE };
    let version = version.map(|version| format!("&version={version}")).unwrap_or_default();
    let rest = format!("stacks/{}/cat?path={}{version}", client::encoded(&stack), client::encoded(&path));
    let file = remote.call("GET", &rest, None, console)?.body;
    if args.space.json {
        let digest = text(&file, "content_hash");
        let line = json!({ "stack": stack, "path": path, "content": text(&file, "content"), "content_hash": digest });
        return console.print(&line.to_string());
    }
    console.write(text(&file, "content"))
}

/// A path as `txco diff` prints it: the folders before the first scope are the stack.
fn split(file: &str) -> Option<(String, String)> {
    let file = file.strip_prefix("OPS/").unwrap_or(file);
    let scope = |segment: &str| segment.starts_with(|c: char| c.is_ascii_digit());
    let before: Vec<_> = file.split('/').take_while(|segment| !scope(segment)).collect();
    let stack = before.join("/");
    let path = file.strip_prefix(&stack)?.strip_prefix('/')?;
    (!stack.is_empty() && path.contains('/')).then(|| (stack, path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_split_before_its_scope() {
        let is = |stack: &str, path: &str| Some((stack.to_owned(), path.to_owned()));
        assert_eq!(split("shop/100/a.txcl"), is("shop", "100/a.txcl"));
        assert_eq!(split("OPS/shop/eu/100/x/a.txcl"), is("shop/eu", "100/x/a.txcl"));
        for wrong in ["shop", "shop/100", "100/a.txcl", "shop/a.txcl", "", "/"] {
            assert_eq!(split(wrong), None, "{wrong}");
        }
    }
}
