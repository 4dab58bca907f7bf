//! `txco init [STACK] [DIR]`: a workspace with an example that runs.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use model::StackName;

use crate::cli::output::{Complaint, Console};
use crate::cli::typed::quoted;

/// The arguments of `txco init`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct InitArgs {
    /// The stack
    #[arg(value_name = "STACK", default_value = "hello")]
    stack: String,
    /// The workspace; it is made when it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

const RULE: &str = "# Every request comes here first: scope 100 of this stack. The answer is the envelope
# without the names that begin with _.
EMIT .hello = \"world\",
     .method = @web.req.method,
     .path = @web.req.url.path
";

const PROJECT: &str =
    "# Where `txco apply` goes. A target has chassis:, and when it needs them profile:, tenant:
# and mock: deny (mocks stay here).
target: local
targets:
  local:
    chassis: http://localhost:8081
";

const IGNORED: &str = ".txco/\n";

/// Makes it; nothing that is there is changed.
pub(super) fn run(args: &InitArgs, console: &mut Console<'_>) -> Result<(), Complaint> {
    let stack =
        StackName::parse(&args.stack).map_err(|error| Complaint::usage(format!("STACK: {}", error.rule)))?;
    if stack.as_str().split('/').any(|segment| segment.starts_with(|c: char| c.is_ascii_digit())) {
        return Err(Complaint::usage("STACK: a folder that begins with a digit is a scope"));
    }
    if let Some(own) = ["boot", "_sys"].into_iter().find(|own| stack.as_str().split('/').next() == Some(own))
    {
        return Err(Complaint::usage(format!("STACK: stacks below {own} are the chassis's own")));
    }
    let rule = Path::new("OPS").join(stack.as_str()).join("100/hello.txcl");
    let folder = args.dir.join("OPS").join(stack.as_str());
    if folder.exists() {
        return Err(Complaint::failed(format!("{} is there already", folder.display())));
    }
    let mut made = vec![rule.clone()];
    write(&args.dir.join(&rule), RULE)?;
    for (name, text) in [("txco.yaml", PROJECT), (".gitignore", IGNORED)] {
        if !args.dir.join(name).exists() {
            write(&args.dir.join(name), text)?;
            made.push(PathBuf::from(name));
        }
    }
    for path in made {
        console.print(&format!("created {}", args.dir.join(path).display()))?;
    }
    let there = if args.dir == Path::new(".") {
        String::new()
    } else {
        format!("cd {} && ", quoted(&args.dir.to_string_lossy()))
    };
    console.note(&format!(
        "next: {there}txco dev            (a chassis for this workspace; it reloads as you edit)\n\
         or:   {there}txco apply          (to the chassis that txco.yaml names)"
    ));
    Ok(())
}

/// A new file; the folders above it are made.
fn write(path: &Path, text: &str) -> Result<(), Complaint> {
    let failed = |error: std::io::Error| Complaint::failed(format!("{}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}
