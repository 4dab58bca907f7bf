//! `txco demo`: one event through a real chassis, everything it did shown, and every place
//! of the run searched for the secrets it used.

mod search;
mod upstream;
mod workspace;
mod process;
mod report;

use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use model::RequestId;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use zeroize::Zeroizing;

use super::output::{Complaint, Console};
use super::trace::Record;
use super::typed::{program, quoted};
use process::{Chassis, Reply, STDERR, STDOUT};
use report::{Color, Delivered, Event, Fired, Report};
use search::{Kind, Search};
use upstream::{Agreed, Upstream};
use workspace::{API_KEY, CLIENT_SECRET, IN_CHECKOUT, PARTNER, WEBHOOK_SECRET};

/// The event that is sent.
const EVENT: &str = r#"{"type":"order.paid","order":{"id":1042,"total":4200}}"#;
/// The exit code for a leak.
const LEAK: u8 = 3;

/// The arguments of `txco demo`.
#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Keep the folder of the run, and say where it is
    #[arg(long)]
    keep: bool,
    /// Write one of the secrets into the run's folder, to see that it is found
    #[arg(long, hide = true)]
    plant_canary: bool,
}

/// Runs the demo. Exit code 0 only if the signature verified and nothing leaked, 3 if
/// something leaked.
pub(super) fn run(args: &DemoArgs, console: &mut Console<'_>) -> ExitCode {
    let report = match perform(args) {
        Ok(report) => report,
        Err(complaint) => return console.end(args.json, Err(complaint.of("demo"))),
    };
    let colored = console.environment.variable("NO_COLOR").is_none() && io::stdout().is_terminal();
    let text = if args.json {
        format!("{:#}", json!(report))
    } else {
        report.render(if colored { Color::Yes } else { Color::No }).trim_end().to_owned()
    };
    match console.print(&text) {
        Ok(()) if report.leaks > 0 => ExitCode::from(LEAK),
        Ok(()) if report.ok => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        failed => console.end(args.json, failed),
    }
}

/// The secrets of one run, each minted for it.
struct Secrets([(&'static str, Zeroizing<String>); 3]);

impl Secrets {
    fn mint() -> Result<Self, Complaint> {
        let fresh = |before: &str| {
            let mut bytes = Zeroizing::new([0_u8; 32]);
            getrandom::fill(bytes.as_mut()).map_err(|e| Complaint::failed(format!("no randomness: {e}")))?;
            Ok::<_, Complaint>(Zeroizing::new(format!(
                "{before}{}",
                BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice())
            )))
        };
        Ok(Self([
            (WEBHOOK_SECRET, fresh("whsec_")?),
            (API_KEY, fresh("pk_demo_")?),
            // Characters that JSON and URLs escape, so that those spellings are really others.
            (CLIENT_SECRET, fresh("cs&\"demo\"/")?),
        ]))
    }

    fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }

    fn value(&self, name: &str) -> String {
        self.pairs().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned()).unwrap_or_default()
    }
}

/// The run's folder, and all that came out of it but is no file.
struct Run<'a> {
    folder: &'a Path,
    secrets: &'a Secrets,
    runtime: &'a Runtime,
}

fn perform(args: &DemoArgs) -> Result<Report, Complaint> {
    let began = Instant::now();
    let folder = tempfile::Builder::new()
        .prefix("txco-demo-")
        .tempdir()
        .map_err(|e| failed("a temporary folder", &e))?;
    let secrets = Secrets::mint()?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| failed("a runtime", &e))?;
    let run = Run { folder: folder.path(), secrets: &secrets, runtime: &runtime };
    let mut report = run.report(args)?;
    report.millis = began.elapsed().as_secs_f64() * 1_000.0;
    if args.keep {
        report.kept = Some(folder.keep().display().to_string());
    }
    report.next = next(report.kept.as_deref());
    Ok(report)
}

impl Run<'_> {
    fn report(&self, args: &DemoArgs) -> Result<Report, Complaint> {
        workspace::write(&self.folder.join("workspace")).map_err(|e| failed("the workspace", &e))?;
        let agreed = Agreed {
            webhook_secret: self.secrets.value(WEBHOOK_SECRET),
            api_key: self.secrets.value(API_KEY),
            client_secret: self.secrets.value(CLIENT_SECRET),
        };
        let upstream = self
            .runtime
            .block_on(Upstream::start(PARTNER, agreed))
            .map_err(|e| failed("the upstream", &e))?;
        let chassis = Chassis::start(self.folder, &self.flags(&upstream)?).map_err(Complaint::failed)?;
        let admin_replies = self.store(&chassis)?;
        let sent = Instant::now();
        let reply = process::post(chassis.web, EVENT).map_err(|e| failed("an answer to the event", &e))?;
        let millis = sent.elapsed().as_secs_f64() * 1_000.0;
        // Ended before the search, so that every file is whole.
        let ended_well = chassis.stop();
        if args.plant_canary {
            let canary = BASE64_STANDARD.encode(format!("planted {}", self.secrets.value(API_KEY)));
            fs::write(self.folder.join("planted.txt"), canary).map_err(|e| failed("the canary", &e))?;
        }
        let record = reply
            .header("x-request-id")
            .and_then(|id| RequestId::parse(&id).ok())
            .and_then(|id| Record::read(&self.folder.join("trace"), &id).ok());
        let received = upstream.received();
        let search =
            self.search(&admin_replies, &reply, &received).map_err(|e| failed("the leak search", &e))?;
        let spellings = search.spellings();
        let searched = search.into_places();
        let leaks = searched.iter().filter(|place| !place.sightings.is_empty()).count();
        let pairs: Vec<_> = self.secrets.pairs().collect();
        let upstream = match received.as_slice() {
            [only] => Some(Delivered::masked(only, &pairs)),
            _ => None,
        };
        let verified = upstream.as_ref().is_some_and(|delivered| delivered.verdict.good());
        Ok(Report {
            ok: verified && leaks == 0 && reply.status == 202 && ended_well,
            millis: 0.0,
            event: Event {
                request: format!("POST / {EVENT}"),
                status: reply.status,
                answer: reply.body.clone(),
                millis,
                request_id: reply.header("x-request-id"),
            },
            rules: record.as_ref().map(Fired::of).unwrap_or_default(),
            upstream,
            leaks,
            secrets: pairs.len(),
            spellings,
            searched,
            kept: None,
            next: Vec::new(),
        })
    }

    /// `txco serve` with all its state here, and the partner's name led to our upstream.
    fn flags(&self, upstream: &Upstream) -> Result<Vec<OsString>, Complaint> {
        let authority = self.folder.join("upstream-ca.pem");
        fs::write(&authority, &upstream.certificate).map_err(|e| failed("the upstream's certificate", &e))?;
        let below = |name: &str| self.folder.join(name).into_os_string();
        let flags = [
            ("--workspace", below("workspace")),
            ("--db-root-dir", below("db")),
            ("--secret-master-key", below("secrets/txco-master.key")),
            ("--cache-dir", below("cache/ops")),
            ("--trace-dir", below("trace")),
            ("--trace-mode", "full".into()),
            ("--log-level", "debug".into()),
            ("--egress-connect-to", format!("{PARTNER}={}", upstream.address).into()),
            ("--egress-ca", authority.into_os_string()),
            ("--egress-allow-cidrs", "127.0.0.1/32".into()),
        ];
        Ok(flags.into_iter().flat_map(|(flag, value)| [OsString::from(flag), value]).collect())
    }

    /// Stores the secrets the way the command line does, and lists them.
    fn store(&self, chassis: &Chassis) -> Result<Vec<(String, Vec<u8>)>, Complaint> {
        const SECRETS: &str = "/v1/tenants/default/secrets";
        let client = egress::AdminClient::new(&format!("http://{}", chassis.admin))
            .map_err(|e| Complaint::failed(e.to_string()))?;
        let call = |method: &str, body: Option<serde_json::Value>| {
            let body = body.map(|body| Zeroizing::new(body.to_string().into_bytes()));
            let called = self.runtime.block_on(client.call(method, SECRETS, body));
            match called.map_err(|e| Complaint::failed(e.to_string()))? {
                reply if reply.is_success() => Ok(reply.body().to_vec()),
                reply => Err(Complaint::failed(format!("{method} {SECRETS}: {}", reply.refusal()))),
            }
        };
        let mut replies = Vec::new();
        for (name, value) in self.secrets.pairs() {
            let body = json!({ "name": name, "value": value, "description": "minted by txco demo" });
            replies.push((format!("POST {SECRETS} ({name})"), call("POST", Some(body))?));
        }
        replies.push((format!("GET {SECRETS}"), call("GET", None)?));
        Ok(replies)
    }

    /// Looks everywhere but into the requests that the upstream got: there the secrets must be.
    fn search(
        &self,
        admin_replies: &[(String, Vec<u8>)],
        reply: &Reply,
        received: &[upstream::Received],
    ) -> io::Result<Search> {
        let mut search = Search::new(self.secrets.pairs().map(|(name, value)| (name, value.as_bytes())))?;
        search.folder(self.folder, |name| match name {
            STDOUT | STDERR => Kind::LogStream,
            _ => Kind::File,
        })?;
        for (name, bytes) in admin_replies {
            search.place(Kind::AdminReply, name.as_str(), bytes);
        }
        search.place(Kind::WebReply, "POST /", &reply.bytes);
        for request in received {
            let name = format!("{} https://{PARTNER}{}", request.method, request.path);
            search.place(Kind::UpstreamReply, name, request.reply.as_bytes());
        }
        Ok(search)
    }
}

fn failed(what: &str, error: &io::Error) -> Complaint {
    Complaint::failed(format!("{what}: {error}"))
}

/// Three commands as they can be typed here.
fn next(kept: Option<&str>) -> Vec<String> {
    let program = program();
    let generate = format!("{program} auth tenant secrets generate {WEBHOOK_SECRET}");
    let preview = r#"curl --json '{"type":"order.preview","order":{"id":7}}' localhost:8080"#;
    if let Some(kept) = kept {
        let kept = quoted(kept);
        return vec![
            format!("{program} trace last --trace-dir {kept}/trace"),
            format!("{program} dev {kept}/workspace"),
            generate,
        ];
    }
    if Path::new(IN_CHECKOUT).join("OPS").is_dir() {
        return vec![format!("{program} dev {IN_CHECKOUT}"), generate, preview.to_owned()];
    }
    vec![
        format!("{program} demo --keep"),
        format!("{program} dev --help"),
        format!("{program} auth tenant secrets --help"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secrets_of_a_run_are_fresh() {
        let values = |secrets: &Secrets| secrets.pairs().map(|(_, v)| v.to_owned()).collect::<Vec<_>>();
        let (one, other) = (Secrets::mint().unwrap(), Secrets::mint().unwrap());
        assert!(values(&one).iter().all(|value| !values(&other).contains(value) && value.len() > 40));
    }
}
