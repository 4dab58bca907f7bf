//! A chassis in this process: rules, one secret, both heads on loopback.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use chassis::{RuleSet, Source};
use model::StackName;
use tempfile::TempDir;
use txco::config::{Config, ServeFlags};
use txco::{App, Role, Serving};

use crate::client::Client;

/// The value of the secrets that rules sign with.
pub(crate) const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A chassis that serves.
pub(crate) struct House {
    pub(crate) serving: Serving,
    _folder: TempDir,
}

impl House {
    /// Serves these files, `stack/scope/name.txcl` and the text of each; requests enter `entry`.
    pub(crate) fn new(files: Vec<(String, String)>, entry: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (data, cache, traces) = (place("db"), place("cache"), place("traces"));
        let settings = BTreeMap::from([
            ("TXCO_WEB_ADDR", "127.0.0.1:0"),
            ("TXCO_ADMIN_ADDR", "127.0.0.1:0"),
            ("TXCO_DB_ROOT_DIR", &data),
            ("TXCO_CACHE_DIR", &cache),
            ("TXCO_TRACE_DIR", &traces),
            ("TXCO_SECRET_MASTER_KEY_B64", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="),
            ("TXCO_EGRESS_POLICY", "open"),
        ]);
        let config = Config::read(ServeFlags::default(), &settings, &Vec::new()).unwrap();
        let app = App::boot(config, Role::Dev).unwrap();
        let sources = files.into_iter().map(|(path, text)| {
            let (stack, path) = path.split_once('/').unwrap();
            Source { stack: StackName::parse(stack).unwrap(), path: path.to_owned(), text }
        });
        let rules = RuleSet::of_sources(sources.collect(), txcl::Mode::Strict);
        let rules = rules.unwrap_or_else(|errors| panic_with(&errors.render(txcl::Color::Plain)));
        app.install(rules.entered_by(Some(&StackName::parse(entry).unwrap()))).unwrap();
        let house = Self { serving: app.serve().unwrap(), _folder: folder };
        let mut admin = Client::new(house.serving.admin_address());
        // One that may be shown, and one that is only used through a handle.
        for (name, terms) in [("KEY", ""), ("HANDLE", r#","policy":{"purposes":["use"]}"#)] {
            let secret = format!(r#"{{"name":"{name}","value":"{KEY}"{terms}}}"#);
            let (status, answer) = admin.ask("POST", "/v1/tenants/default/secrets", secret.as_bytes());
            assert!(status < 300, "{}", String::from_utf8_lossy(&answer));
        }
        house
    }

    pub(crate) fn web(&self) -> SocketAddr {
        self.serving.web_address()
    }
}

#[expect(clippy::panic, reason = "a bench stops at the first surprise")]
fn panic_with(text: &str) -> ! {
    panic!("{text}")
}
