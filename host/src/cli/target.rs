//! Which chassis and which tenant a command is about, and what may be sent there.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::home::Home;
use super::output::{Complaint, Console};
use super::profile::{Profile, Source};
use super::signer::Signer;
use crate::config::Environment;

const DEFAULT_URL: &str = "http://localhost:8081";

/// Flags that choose a chassis.
#[derive(Debug, Default, Clone, clap::Args)]
pub(crate) struct ChassisFlags {
    /// Admin address of the chassis [default: $TXCO_ADMIN_ADDR, the profile's, or http://localhost:8081]
    #[arg(long, value_name = "URL", alias = "addr")]
    pub url: Option<String>,
    /// The same, or the name of a profile
    #[arg(long, value_name = "URL|PROFILE")]
    pub target: Option<String>,
    /// Sign as this profile [default: $TXCO_PROFILE, or the active one; `none` signs nothing]
    #[arg(long, value_name = "NAME", alias = "name")]
    pub profile: Option<String>,
}

/// Flags that choose a tenant of a chassis.
#[derive(Debug, Default, Clone, clap::Args)]
pub(crate) struct TenantFlags {
    #[command(flatten)]
    pub chassis: ChassisFlags,
    /// Tenant [default: $TXCO_TENANT, the profile's, or default]
    #[arg(long, value_name = "SLUG")]
    pub tenant: Option<String>,
}

impl TenantFlags {
    /// The tenant: flag, variable, profile, `default`.
    pub(super) fn slug(&self, environment: &dyn Environment) -> String {
        let typed = self.tenant.clone().filter(|slug| !slug.is_empty());
        let of_profile = || {
            let named = self.chassis.named_profile();
            let profile = Profile::choose(named, environment).ok().flatten()?;
            Some(profile.meta.default_tenant).filter(|slug| !slug.is_empty())
        };
        let named = typed.or_else(|| environment.variable("TXCO_TENANT")).or_else(of_profile);
        named.unwrap_or_else(|| "default".to_owned())
    }
}

impl ChassisFlags {
    /// Whether a flag says which chassis.
    pub(super) fn is_named(&self) -> bool {
        [&self.url, &self.target, &self.profile].into_iter().flatten().any(|word| !word.is_empty())
    }

    /// The profile that a flag names.
    fn named_profile(&self) -> Option<&str> {
        let target = self.target.as_deref().filter(|text| !text.contains(':'));
        self.profile.as_deref().or(target).filter(|name| !name.is_empty())
    }
}

/// How a request says who sends it.
pub(super) enum Access {
    /// It does not.
    Unsigned,
    /// By name and password.
    Basic(Zeroizing<String>),
    /// By a signature.
    Signed(Box<Profile>, Signer),
}

/// Prints no password.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned => f.write_str("Unsigned"),
            Self::Basic(_) => f.write_str("Basic"),
            Self::Signed(profile, signer) => write!(f, "Signed({}, {signer:?})", profile.name),
        }
    }
}

/// A chassis to talk to.
#[derive(Debug)]
pub(super) struct Target {
    /// Its admin URL, without a slash at the end.
    pub(super) url: String,
    pub(super) access: Access,
    scheme: String,
    host: String,
}

/// Whether a command sends or fetches a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carries {
    /// Names and descriptions only.
    Metadata,
    /// The cleartext of a secret.
    Value,
}

/// Whether a person has agreed in advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agreed {
    /// `--yes`.
    Yes,
    /// They have to be asked.
    Ask,
    /// They cannot be asked (`--json`).
    CannotAsk,
}

impl Agreed {
    pub(super) fn of(yes: bool, json: bool) -> Self {
        match (yes, json) {
            (true, _) => Self::Yes,
            (false, true) => Self::CannotAsk,
            (false, false) => Self::Ask,
        }
    }
}

impl Target {
    /// The chassis that flags, a second positional, the environment and the profile name, in
    /// this order, and who calls it.
    pub(super) fn choose(
        flags: &ChassisFlags,
        positional: Option<&str>,
        environment: &dyn Environment,
    ) -> Result<Self, Complaint> {
        let words = [flags.target.as_deref(), positional];
        let words = || words.into_iter().flatten().filter(|text| !text.is_empty());
        let url = flags.url.as_deref().filter(|url| !url.is_empty());
        let url = url.or_else(|| words().find(|text| text.contains(':')));
        let name = flags.profile.as_deref().or_else(|| words().find(|text| !text.contains(':')));
        let profile = Profile::choose(name, environment).map_err(|complaint| {
            if flags.profile.is_some() || name.is_none() {
                return complaint;
            }
            // Never repeated: people put values here by mistake.
            Complaint::usage(
                "the target is neither a URL nor the name of a profile; a value is never given on the command line \
                 (type it at the prompt, pipe it in, or use --from-file)",
            )
        })?;
        let of_profile = profile.as_ref().map(|p| p.meta.chassis_url.clone()).filter(|url| !url.is_empty());
        let url = url.map(str::to_owned).or_else(|| environment.variable("TXCO_ADMIN_ADDR")).or(of_profile);
        let mut target = Self::parse(url.as_deref().unwrap_or(DEFAULT_URL))?;
        target.access = target.access(profile, environment)?;
        Ok(target)
    }

    /// Who calls: a profile that was asked for, credentials of the environment, or the
    /// profile at hand, when it belongs to this chassis or there is no other way in.
    fn access(&self, profile: Option<Profile>, environment: &dyn Environment) -> Result<Access, Complaint> {
        let profile = profile.filter(Profile::signs);
        let explicit = profile.as_ref().is_some_and(Profile::is_explicit);
        let credential = |name: &str| environment.variable(name);
        if let (false, Some(user), Some(password)) =
            (explicit, credential("TXCO_ADMIN_USER"), credential("TXCO_ADMIN_PASS"))
        {
            let whole = Zeroizing::new(format!("{user}:{}", *Zeroizing::new(password)));
            return Ok(Access::Basic(Zeroizing::new(format!("Basic {}", STANDARD.encode(whole.as_bytes())))));
        }
        let profile = match profile {
            Some(profile) if explicit || self.is_of(&profile) => Some(profile),
            Some(other) => self.own(environment)?.or_else(|| (!self.is_local()).then_some(other)),
            None => None,
        };
        let Some(profile) = profile else { return Ok(Access::Unsigned) };
        let signer = profile.signer(environment)?;
        Ok(Access::Signed(Box::new(profile), signer))
    }

    /// The profile of this chassis, where the one at hand is of another and there is only one.
    fn own(&self, environment: &dyn Environment) -> Result<Option<Profile>, Complaint> {
        let Some(home) = Home::of(environment) else { return Ok(None) };
        let named = |(name, meta)| Profile::of(&home, name, Source::Chassis, meta);
        let all = home.profiles()?.into_iter().map(named);
        let mut own = all.filter(|profile| profile.signs() && self.is_of(profile));
        let first = own.next();
        Ok(if own.next().is_none() { first } else { None })
    }

    /// Whether a profile was enrolled at this chassis; the names of this machine are one.
    fn is_of(&self, profile: &Profile) -> bool {
        let Ok(other) = Self::parse(&profile.meta.chassis_url) else { return false };
        let port = |target: &Self| {
            target.url.rsplit_once(':').map(|(_, port)| port.to_owned()).filter(|p| p.parse::<u16>().is_ok())
        };
        let same_host = self.host == other.host || self.is_loopback() && other.is_loopback();
        self.scheme == other.scheme && same_host && port(self) == port(&other)
    }

    /// `http://host:port`, `https://…`, or `host:port` and `:port` as the chassis's own
    /// `--admin-addr` has them.
    fn parse(text: &str) -> Result<Self, Complaint> {
        let wrong = || Complaint::usage(format!("not an admin URL: {text} (expected http://HOST:PORT)"));
        let text_with_scheme = match text {
            t if t.contains("://") => t.to_owned(),
            t if t.starts_with(':') => format!("http://localhost{t}"),
            t => format!("http://{t}"),
        };
        let (scheme, rest) = text_with_scheme.split_once("://").ok_or_else(wrong)?;
        let scheme = scheme.to_ascii_lowercase();
        let rest = rest.trim_end_matches('/');
        if !matches!(scheme.as_str(), "http" | "https") || rest.is_empty() {
            return Err(wrong());
        }
        if rest.contains(['/', '?', '#', '@', '\\'])
            || rest.chars().any(|c| c.is_whitespace() || c.is_control())
        {
            return Err(wrong());
        }
        let host = match rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
            Some((host, _)) => host,
            None => rest.split_once(':').map_or(rest, |(host, _)| host),
        };
        if host.is_empty() {
            return Err(wrong());
        }
        let host = host.to_ascii_lowercase();
        Ok(Self { url: format!("{scheme}://{rest}"), access: Access::Unsigned, scheme, host })
    }

    /// Whether the chassis is on this machine, by name.
    fn is_local(&self) -> bool {
        self.is_loopback() || self.host.ends_with(".localhost")
    }

    /// Whether nothing that is sent there can leave this machine. `*.localhost` is a name
    /// that a resolver may send anywhere.
    fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    }

    /// The same chassis, called in another way.
    pub(super) fn with(&self, access: Access) -> Self {
        let Self { url, scheme, host, .. } = self;
        Self { url: url.clone(), access, scheme: scheme.clone(), host: host.clone() }
    }

    /// Lets a command through that changes nothing.
    pub(super) fn may_read(&self) -> Result<(), Complaint> {
        self.check_password()?;
        if self.is_local() || !matches!(self.access, Access::Unsigned) { Ok(()) } else { Err(no_key()) }
    }

    /// A password is a value, whatever it is sent with.
    fn check_password(&self) -> Result<(), Complaint> {
        if matches!(self.access, Access::Basic(_)) && self.scheme == "http" && !self.is_loopback() {
            return Err(Complaint::failed(format!(
                "a password is never sent over plain http to another machine ({}); use https, or a profile that signs",
                self.url
            )));
        }
        Ok(())
    }

    /// As [`Self::may_change`], for a request by which somebody becomes known.
    pub(super) fn may_enrol(&self, console: &mut Console<'_>, agreed: Agreed) -> Result<(), Complaint> {
        self.confirm(console, agreed, Carries::Value)
    }

    /// Lets a command through that changes nothing and sends a value to be looked for.
    pub(super) fn may_look_for_a_value(&self) -> Result<(), Complaint> {
        if self.scheme == "http" && !self.is_loopback() { Err(self.in_the_clear()) } else { self.may_read() }
    }

    fn in_the_clear(&self) -> Complaint {
        Complaint::failed(format!(
            "a value is never sent over plain http to another machine ({}); use https, or a tunnel to a local port",
            self.url
        ))
    }

    /// Says where a change goes and, unless that is here, has it confirmed. Before any
    /// value is asked for.
    pub(super) fn may_change(
        &self,
        console: &mut Console<'_>,
        agreed: Agreed,
        carries: Carries,
    ) -> Result<(), Complaint> {
        self.confirm(console, agreed, carries)?;
        self.may_read()
    }

    fn confirm(&self, console: &mut Console<'_>, agreed: Agreed, carries: Carries) -> Result<(), Complaint> {
        console.note(&format!("→ {} ({})", if self.is_local() { "local" } else { &self.host }, self.url));
        if carries == Carries::Value && self.scheme == "http" && !self.is_loopback() {
            return Err(self.in_the_clear());
        }
        if self.is_local() {
            return Ok(());
        }
        match agreed {
            Agreed::Yes => {}
            Agreed::Ask if console.input.is_terminal() => {
                write!(console.err, "proceed? [y/N]: ").and_then(|()| console.err.flush()).ok();
                let answer = console.input.line().ok().flatten().unwrap_or_default();
                if !matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
                    return Err(Complaint::failed("aborted"));
                }
            }
            Agreed::Ask | Agreed::CannotAsk => {
                return Err(Complaint::failed(format!(
                    "refusing to modify non-local chassis {} without confirmation; re-run with --yes",
                    self.url
                )));
            }
        }
        Ok(())
    }
}

/// No other machine's chassis takes unsigned requests.
fn no_key() -> Complaint {
    Complaint::failed(
        "no signing key configured; become known there (txco auth accept, txco auth bootstrap-local) or choose a \
         profile that is (--profile NAME)",
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cli::testing::Played;

    fn choose(
        url: Option<&str>,
        target: Option<&str>,
        positional: Option<&str>,
    ) -> Result<String, Complaint> {
        let env = BTreeMap::from([("TXCO_ADMIN_ADDR", ":9")]);
        let flags =
            ChassisFlags { url: url.map(str::to_owned), target: target.map(str::to_owned), profile: None };
        Target::choose(&flags, positional, &env).map(|t| t.url)
    }

    #[test]
    fn flags_win_over_the_positional_and_that_over_the_environment() {
        assert_eq!(
            choose(Some("http://a:1/"), Some("http://b:2"), Some("http://c:3")).unwrap(),
            "http://a:1"
        );
        assert_eq!(choose(None, Some("b:2"), Some("http://c:3")).unwrap(), "http://b:2");
        assert_eq!(choose(None, None, Some("HTTPS://c")).unwrap(), "https://c");
        assert_eq!(choose(None, None, None).unwrap(), "http://localhost:9");
        let none: BTreeMap<&str, &str> = BTreeMap::new();
        assert_eq!(Target::choose(&ChassisFlags::default(), None, &none).unwrap().url, DEFAULT_URL);
    }

    #[test]
    fn a_value_in_the_targets_place_is_not_repeated() {
        let complaint = choose(None, None, Some("sk_live_s3cret")).unwrap_err();
        assert_eq!(complaint.code, 2);
        assert!(!complaint.message.contains("s3cret"), "{}", complaint.message);
    }

    #[test]
    fn urls_with_anything_but_an_origin_are_refused() {
        for url in ["ftp://a:1", "http://u:p@a:1", "http://a:1/v1", "http://", "http://:1", "http://a:1\n"] {
            assert!(choose(Some(url), None, None).is_err(), "{url}");
        }
    }

    fn change(url: &str, agreed: Agreed, carries: Carries, played: &mut Played) -> Result<(), Complaint> {
        Target::parse(url).unwrap().may_change(&mut played.console(), agreed, carries)
    }

    #[test]
    fn a_local_chassis_needs_no_confirmation() {
        for url in ["http://localhost:8081", "http://127.0.0.1:1", "http://[::1]:1", "http://x.localhost:1"] {
            let mut played = Played::default();
            assert_eq!(change(url, Agreed::Ask, Carries::Metadata, &mut played), Ok(()), "{url}");
            assert_eq!(played.err(), format!("→ local ({url})\n"));
        }
    }

    #[test]
    fn another_machine_is_confirmed_and_never_gets_a_value_in_the_clear() {
        let mut played = Played::default();
        let refused = change("https://far.example", Agreed::Ask, Carries::Value, &mut played).unwrap_err();
        assert_eq!(
            refused.message,
            "refusing to modify non-local chassis https://far.example without confirmation; re-run with --yes"
        );
        let mut played = Played::on_terminal(&["n"]);
        let refused = change("https://far.example", Agreed::Ask, Carries::Value, &mut played).unwrap_err();
        assert_eq!(refused.message, "aborted");
        let mut played = Played::on_terminal(&["yes"]);
        let refused = change("https://far.example", Agreed::Ask, Carries::Value, &mut played).unwrap_err();
        assert!(refused.message.starts_with("no signing key configured"));
        for url in ["http://far.example", "http://10.0.0.1:1", "http://x.localhost:1"] {
            let mut played = Played::default();
            let refused = change(url, Agreed::Yes, Carries::Value, &mut played).unwrap_err();
            assert!(refused.message.contains("plain http"), "{url}");
        }
    }
}
