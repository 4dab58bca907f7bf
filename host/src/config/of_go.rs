//! Settings of the Go chassis that this one does not have: taken, and told once each.

use std::ffi::{OsStr, OsString};

use super::env::{Environment, variable_of};

/// Settings with a value.
const VALUES: &[&str] = &[
    "admin-cors-origins",
    "ai-default-timeout",
    "artifact-store",
    "artifact-store-file-dir",
    "compute-max-memory-mb",
    "compute-max-wall",
    "continuation-file-dir",
    "continuation-stale-resume-after",
    "continuation-store",
    "continuation-store-file-dir",
    "db-auth-dsn",
    "db-runtime-dsn",
    "db-schema-dir",
    "deferred-join-slack",
    "feed-sink",
    "feed-source",
    "kvstore",
    "kvstore-addrs",
    "log-ops",
    "log-ops-dir",
    "op-metrics-regex",
    "personalities",
    "structured-host-suffix",
    "system-opstacks-dir",
    "tcp-listen-addrs",
    "web-debug",
    "web-idle-timeout",
    "web-pass",
    "web-read-timeout",
    "web-user",
];

/// A command of the Go chassis, and those of its flags that ours does not have: with a value, and without.
type Command = (&'static str, &'static [&'static str], &'static [&'static str]);

/// Name and password on a command line everybody on the machine can read.
const WHO: &[&str] = &["pass", "user"];

/// Not among them is what would do harm when it is ignored: `dev --no-chassis`, since here a chassis is all there
/// is, `activate --dry-run`, `op run --secret`.
const COMMANDS: &[Command] = &[
    ("activate", &["pass", "skip", "user"], &["changed", "force", "no-validate", "verbose"]),
    ("apply", WHO, &[]),
    ("auth accept", &[], &["new-key"]),
    ("auth tenant hostnames add", &["method"], &[]),
    ("auth tenant hostnames attach", &["method"], &[]),
    ("auth tenant hostnames list", &["method", "stack"], &["mint"]),
    ("auth tenant hostnames ls", &["method", "stack"], &["mint"]),
    ("auth tenant hostnames remove", &["method", "stack"], &["mint"]),
    ("auth tenant hostnames rm", &["method", "stack"], &["mint"]),
    ("auth tenant hostnames verify", &[], &["mint"]),
    ("cat", WHO, &[]),
    ("deactivate", WHO, &[]),
    ("demo", &["admin-addr", "web-addr"], &["no-browser", "verbose"]),
    (
        "dev",
        &["chassis-addr", "target", "watch-ignore"],
        &["apply", "dns", "force-opstacks", "lmtp", "tcp", "ui", "verbose", "watch"],
    ),
    ("diff", WHO, &[]),
    ("draft", WHO, &[]),
    ("pull", WHO, &["yes"]),
    ("push", WHO, &[]),
    ("serve", &[], &[]),
    ("status", WHO, &["verbose"]),
    ("versions", WHO, &[]),
];

/// The command that these words begin with, if the Go chassis has flags for it that ours does not have.
pub(crate) fn command(words: &[&str]) -> Option<&'static str> {
    let begins = |command: &str| command.split(' ').zip(words).filter(|(a, b)| a == *b).count();
    let whole = |(command, ..): &&Command| begins(command) == command.split(' ').count();
    COMMANDS.iter().find(whole).map(|(command, ..)| *command)
}

/// Whether it is one that starts a chassis, and so takes settings.
pub(crate) fn starts(command: &str) -> bool {
    ["serve", "dev"].contains(&command)
}

/// What is read in place of a flag that is not.
pub(crate) fn instead(flag: &str) -> &'static str {
    if ["--user", "--pass"].contains(&flag) { "; TXCO_ADMIN_USER and TXCO_ADMIN_PASS are read" } else { "" }
}

/// Settings that are on or off; alone they mean on.
const SWITCHES: &[&str] = &[
    "admin-allow-open",
    "ai-chat-env-fallback",
    "debug-breakpoints",
    "debug-private",
    "demo-mode",
    "dev-auto-verify-local-hostnames",
    "system-opstacks-watch",
    "telemetry-enabled",
    "throttle-disabled",
    "usage-enabled",
];

/// The first words of settings for what only the Go chassis does: mail, name servers, certificates
/// of its own, fleets, vectors, data sets, and what is left of docker and etcd.
const FAMILIES: &[&str] = &[
    "acme", "dataset", "datasets", "dkim", "dmarc", "dns", "docker", "etcd", "fleet", "imap", "lmtp", "mail",
    "mx", "smtp", "spf", "tls", "vector", "vectors",
];

fn of_a_family(name: &str) -> bool {
    name.split('-').next().is_some_and(|first| FAMILIES.contains(&first))
}

/// Takes flags of the Go chassis out of the line of a command; those that
/// `known` says are ours stay. Gives what is left, and the flags that were there.
pub(crate) fn without_flags(
    command: &str,
    arguments: Vec<OsString>,
    known: impl Fn(&str) -> bool,
) -> (Vec<OsString>, Vec<String>) {
    let (mut left, mut found) = (Vec::new(), Vec::new());
    let none: Command = ("", &[], &[]);
    let (_, values, switches) = COMMANDS.iter().find(|(name, ..)| *name == command).unwrap_or(&none);
    let starts = starts(command);
    let mut arguments = arguments.into_iter().peekable();
    while let Some(argument) = arguments.next() {
        let Some((flag, value)) = split(&argument) else {
            left.push(argument);
            continue;
        };
        let is_among = |all: &[&str], settings: &[&str]| {
            all.contains(&flag.as_str()) || starts && settings.contains(&flag.as_str())
        };
        if known(&flag) {
            left.push(argument);
        } else if is_among(switches, SWITCHES) {
            found.push(flag);
        } else if is_among(values, VALUES) {
            if value.is_none() {
                drop(arguments.next());
            }
            found.push(flag);
        } else if starts && of_a_family(&flag) {
            // Whether it takes a value nobody here knows. These commands take no words of their
            // own, so a word behind it is its value.
            let word = |next: &OsString| !next.to_string_lossy().starts_with('-');
            if value.is_none() {
                drop(arguments.next_if(word));
            }
            found.push(flag);
        } else {
            left.push(argument);
        }
    }
    found.sort_unstable();
    found.dedup();
    (left, found)
}

/// The name and the value behind `=` of `--name=value` or `-name`.
fn split(argument: &OsStr) -> Option<(String, Option<String>)> {
    let text = argument.to_str()?;
    let name = text.strip_prefix("--").or_else(|| text.strip_prefix('-')).filter(|name| !name.is_empty())?;
    Some(match name.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (name.to_owned(), None),
    })
}

/// Whether a setting, as a flag or a variable, keeps strangers out of the web head: to ignore
/// it would let them in.
pub(crate) fn guards(setting: &str) -> bool {
    ["--web-user", "--web-pass", "TXCO_WEB_USER", "TXCO_WEB_PASS"].contains(&setting)
}

/// The variables of the Go chassis that are set, except those that `known` says are ours.
pub(crate) fn variables(environment: &dyn Environment, known: impl Fn(&str) -> bool) -> Vec<String> {
    let named = VALUES.iter().chain(SWITCHES).map(|name| (*name).to_owned());
    let of_families = environment.flags().into_iter().filter(|name| of_a_family(name));
    let all = named.chain(of_families).filter(|name| !known(name)).map(|name| variable_of(&name));
    all.filter(|name| environment.variable(name).is_some()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_only_the_go_chassis_knows_is_taken_out() {
        let line = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        let given = "serve --personalities web,admin --env=prod -web-read-timeout 15 --debug-private --usage-enabled=true \
                     --smtp-relay -tls-cache-dir ./certs --etcd-endpoints=a,b --web-addr :1";
        let (left, found) = without_flags("serve", line(given), |_| false);
        assert_eq!(left, line("serve --env=prod --web-addr :1"));
        assert_eq!(
            found,
            [
                "debug-private",
                "etcd-endpoints",
                "personalities",
                "smtp-relay",
                "tls-cache-dir",
                "usage-enabled",
                "web-read-timeout"
            ]
        );
        let (left, found) =
            without_flags("serve", line("serve --dns-server 1.1.1.1:53 --webaddr :1"), |name| {
                name == "dns-server"
            });
        assert_eq!((left.len(), found.len()), (5, 0), "a misspelt flag stays, and is refused");
        let (left, found) =
            without_flags("serve", line("serve --personalities x"), |name| name == "personalities");
        assert_eq!((left.len(), found.len()), (3, 0), "what we have ourselves stays");
        let (left, found) =
            without_flags("dev", line("dev --watch=false --watch-ignore x --no-chassis"), |_| false);
        assert_eq!((left, found.len()), (line("dev --no-chassis"), 2));
    }

    #[test]
    fn commands_are_known_by_all_of_their_words() {
        assert_eq!(command(&["apply", "some-folder"]), Some("apply"));
        assert_eq!(command(&["auth", "tenant", "hostnames", "list"]), Some("auth tenant hostnames list"));
        for none in [&["auth"][..], &["auth", "tenant"], &["lint", "apply"], &[]] {
            assert_eq!(command(none), None, "{none:?}");
        }
    }

    #[test]
    fn its_variables_are_told_by_name_and_never_by_value() {
        let set = BTreeMap::from([
            ("TXCO_WEB_PASS", "s3cret"),
            ("TXCO_ENV", "prod"),
            ("TXCO_LMTP_ADDR", ":24"),
            ("TXCO_DNS_SERVER", "1.1.1.1:53"),
        ]);
        assert_eq!(variables(&set, |name| name == "dns-server"), ["TXCO_WEB_PASS", "TXCO_LMTP_ADDR"]);
    }
}
