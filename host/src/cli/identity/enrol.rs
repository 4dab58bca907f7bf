//! Becoming somebody: by the secret of a chassis's start, or by an invitation.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::super::client::{self, Refusal};
use super::super::home::{Home, Meta, NONE};
use super::super::output::{Complaint, Console};
use super::super::profile::{Profile, Source};
use super::super::signer::{Signer, fingerprint};
use super::super::target::{Access, Agreed, Target};
use super::choice::{KeyFlags, Mint};

/// The longest secret or token.
const MOST: usize = 4096;
/// How the secret is asked for.
const ENROL: &str = "enroll secret: ";

/// Flags of `txco auth bootstrap-local`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct BootstrapFlags {
    #[command(flatten)]
    pub(super) key: KeyFlags,
    /// The secret that the chassis printed at its start; asked for when absent
    #[arg(long, value_name = "WORDS")]
    secret: Option<String>,
    /// Mint a key of the profile's own instead of using ~/.ssh/id_ed25519-txco
    #[arg(long, conflicts_with_all = ["ssh_agent", "ssh_key"])]
    new_key: bool,
}

/// Flags of `txco auth enroll`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct EnrolFlags {
    #[command(flatten)]
    pub(super) key: KeyFlags,
    /// The enrolment secret of the chassis; asked for when absent
    #[arg(long, value_name = "WORDS")]
    secret: Option<String>,
}

/// Flags of `txco auth accept`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct AcceptFlags {
    #[command(flatten)]
    pub(super) key: KeyFlags,
    /// The token of the invitation; asked for, or read from a pipe, when absent
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
}

/// Flags of `txco auth init`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct InitFlags {
    /// Name of the profile
    #[arg(long, value_name = "NAME", default_value = "local", alias = "profile")]
    name: String,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Mints a key for a profile.
pub(super) fn init(flags: &InitFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let home = Home::needed(console.environment)?;
    let name = super::super::home::checked(&flags.name)?;
    let path = home.key_path(name);
    let signer = Signer::mint(&path, name)?;
    let public = signer.public_b64();
    if flags.json {
        return console
            .print(&json!({ "key": path.display().to_string(), "public_key_b64": public }).to_string());
    }
    console.print(&format!("key: {}\npublic_key_b64: {public}", path.display()))
}

/// Becomes the first actor of a chassis.
pub(super) fn bootstrap(flags: &BootstrapFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    if flags.new_key {
        return afresh(flags, console);
    }
    let newcomer = Newcomer::new(&flags.key, Mint::IfMissing, console)?;
    if let Some(actor) = newcomer.known(console)? {
        let url = &newcomer.target.url;
        return newcomer.already(
            console,
            &format!("Already enrolled at {url} as {actor} (no action needed)."),
            &actor,
        );
    }
    newcomer.by_secret(flags.secret.as_deref(), console)
}

/// The same with a key that is minted for it: last of all, so that who gives up leaves none behind.
fn afresh(flags: &BootstrapFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let key = &flags.key;
    Signer::vacant(&Home::needed(console.environment)?.key_path(&key.profile(console)?))?;
    Target::unsigned(&key.chassis, console.environment)?.may_enrol(console, Agreed::of(key.yes, key.json))?;
    let secret = asked(flags.secret.as_deref(), ENROL, console)?;
    Newcomer::new(key, Mint::Fresh, console)?.with_secret(secret, console)
}

/// Becomes an actor with a key that is there.
pub(super) fn enrol(flags: &EnrolFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    Newcomer::new(&flags.key, Mint::Never, console)?.by_secret(flags.secret.as_deref(), console)
}

/// Accepts an invitation.
pub(super) fn accept(flags: &AcceptFlags, console: &mut Console<'_>) -> Result<(), Complaint> {
    let newcomer = Newcomer::new(&flags.key, Mint::IfMissing, console)?;
    newcomer.target.may_enrol(console, Agreed::of(flags.key.yes, flags.key.json))?;
    let token = asked(flags.token.as_deref(), "invitation token: ", console)?;
    let mut body = newcomer.body();
    put(&mut body, "token", &token);
    let answer = client::ask(&newcomer.target, "POST", "/auth/invitations/consume", Some(&body), Vec::new())?;
    newcomer.settle(&answer.map_err(Refusal::complaint)?.body, console)
}

/// Somebody about to become known.
pub(super) struct Newcomer<'a> {
    flags: &'a KeyFlags,
    home: Home,
    name: String,
    target: Target,
    signer: Signer,
}

impl<'a> Newcomer<'a> {
    pub(super) fn new(flags: &'a KeyFlags, mint: Mint, console: &mut Console<'_>) -> Result<Self, Complaint> {
        let home = Home::needed(console.environment)?;
        let name = flags.profile(console)?;
        let target = Target::unsigned(&flags.chassis, console.environment)?;
        let signer = flags.key(&home, &name, mint, console)?;
        Ok(Self { flags, home, name, target, signer })
    }

    /// What is sent of oneself.
    fn body(&self) -> Value {
        json!({
            "public_key_b64": self.signer.public_b64(),
            "algorithm": "ed25519",
            "label": self.flags.label.as_deref().unwrap_or(&self.name),
            "kind": self.flags.kind,
        })
    }

    /// Who one is there already, by what the profile says and the chassis confirms.
    fn known(&self, console: &Console<'_>) -> Result<Option<String>, Complaint> {
        let Some(meta) = self.home.meta(&self.name)? else { return Ok(None) };
        let same = meta.public_key_b64 == self.signer.public_b64() && meta.chassis_url == self.target.url;
        if same && self.is_good(meta.clone(), console)? { Ok(Some(meta.actor_id)) } else { Ok(None) }
    }

    fn is_good(&self, meta: Meta, console: &Console<'_>) -> Result<bool, Complaint> {
        let profile = Profile::of(&self.home, self.name.clone(), Source::Flag, meta);
        if !profile.signs() {
            return Ok(false);
        }
        let signer = profile.signer(console.environment)?;
        let target = self.target.signed(profile, signer);
        Ok(client::ask(&target, "GET", "/auth/whoami", None, Vec::new())?.is_ok())
    }

    pub(super) fn by_secret(&self, secret: Option<&str>, console: &mut Console<'_>) -> Result<(), Complaint> {
        self.target.may_enrol(console, Agreed::of(self.flags.yes, self.flags.json))?;
        self.with_secret(asked(secret, ENROL, console)?, console)
    }

    fn with_secret(&self, secret: Zeroizing<String>, console: &mut Console<'_>) -> Result<(), Complaint> {
        let headers = vec![("x-txco-enroll-secret", secret)];
        match client::ask(&self.target, "POST", "/auth/dev/enroll", Some(&self.body()), headers)? {
            Ok(reply) => self.settle(&reply.body, console),
            Err(refusal) if refusal.code == "key_already_enrolled" => self.taken(&refusal, console),
            Err(refusal) => Err(hinted(refusal)),
        }
    }

    /// The key is enrolled there: it is ours, so the chassis has only to confirm it.
    fn taken(&self, refusal: &Refusal, console: &mut Console<'_>) -> Result<(), Complaint> {
        let meta = self.meta(&refusal.detail);
        if !self.is_good(meta.clone(), console)? {
            return Err(Complaint::failed(refusal.text.clone()));
        }
        self.home.save(&self.name, &meta)?;
        let said =
            format!("Already enrolled at {} as {} (no action needed).", self.target.url, meta.actor_id);
        self.already(console, &said, &meta.actor_id)
    }

    fn already(&self, console: &mut Console<'_>, said: &str, actor: &str) -> Result<(), Complaint> {
        if self.flags.json {
            return console.print(&json!({ "actor_id": actor, "already_enrolled": true }).to_string());
        }
        console.print(said)
    }

    fn meta(&self, identity: &Value) -> Meta {
        let text = |member: &str| identity.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
        Meta {
            actor_id: text("actor_id"),
            key_id: text("key_id"),
            chassis_url: self.target.url.clone(),
            label: self.flags.label.clone().unwrap_or_else(|| self.name.clone()),
            enrolled_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            key_source: if self.signer.path().is_some() { "file" } else { "ssh-agent" }.to_owned(),
            public_key_b64: self.signer.public_b64(),
            key_path: self.signer.path().map(|path| absolute(path).display().to_string()).unwrap_or_default(),
            default_tenant: text("tenant_slug"),
            ..Meta::default()
        }
    }

    /// Writes the profile, and says who one is now.
    fn settle(&self, identity: &Value, console: &mut Console<'_>) -> Result<(), Complaint> {
        let meta = self.meta(identity);
        self.home.save(&self.name, &meta)?;
        let active = self.home.active().filter(|name| name != NONE);
        if active.is_none() {
            self.home.activate(&self.name)?;
        }
        if self.flags.json {
            return console.print(&identity.to_string());
        }
        let listed = identity.get("capabilities").and_then(Value::as_array).into_iter().flatten();
        let capabilities: Vec<_> = listed.filter_map(Value::as_str).collect();
        let key =
            self.signer.path().map_or_else(|| "(ssh-agent)".to_owned(), |path| path.display().to_string());
        let rules_all = identity.get("super_admin").and_then(Value::as_bool) == Some(true);
        console.print(&format!(
            "enrolled {} {} capabilities=[{}]\nfingerprint: {}\nkey:  {key}\nmeta: {}\ntenant: {}{}",
            meta.actor_id,
            meta.key_id,
            capabilities.join(","),
            fingerprint(self.signer.public()),
            self.home.meta_path(&self.name).display(),
            meta.default_tenant,
            if rules_all { " (super_admin)" } else { "" },
        ))?;
        match active {
            None => console.print(&format!("active profile is now {:?}", self.name)),
            Some(other) if other != self.name => {
                console.note(&format!(
                    "the active profile is still {other:?} (txco auth profile use {})",
                    self.name
                ));
                Ok(())
            }
            Some(_) => Ok(()),
        }
    }
}

impl Target {
    /// The chassis of the flags, as somebody whom it does not know yet. A profile's name is
    /// the one to be made: what stands there already says at most where the chassis is.
    fn unsigned(
        flags: &super::super::target::ChassisFlags,
        environment: &dyn crate::config::Environment,
    ) -> Result<Self, Complaint> {
        let named = super::super::target::ChassisFlags {
            url: flags.url.clone(),
            target: flags.target.clone(),
            profile: Some(NONE.to_owned()),
        };
        let mut target = Self::choose(&named, None, environment)?;
        target.access = Access::Unsigned;
        Ok(target)
    }

    /// The same chassis, as the owner of this key.
    pub(super) fn signed(&self, profile: Profile, signer: Signer) -> Self {
        self.with(Access::Signed(Box::new(profile), signer))
    }
}

fn absolute(path: &std::path::Path) -> std::path::PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A secret or token: as given, from the terminal unseen, or the line of a pipe.
fn asked(
    given: Option<&str>,
    prompt: &str,
    console: &mut Console<'_>,
) -> Result<Zeroizing<String>, Complaint> {
    let text = match given {
        Some(given) => Zeroizing::new(given.to_owned()),
        None if console.input.is_terminal() => {
            let typed = console.input.hidden(prompt, MOST, console.err);
            let typed = typed.map_err(|error| Complaint::failed(error.to_string()))?;
            Zeroizing::new(String::from_utf8_lossy(&typed).into_owned())
        }
        None => {
            let line =
                console.input.line().map_err(|e| Complaint::failed(format!("cannot read stdin: {e}")))?;
            Zeroizing::new(line.unwrap_or_default())
        }
    };
    let text = Zeroizing::new(text.trim().to_owned());
    if text.is_empty() {
        return Err(Complaint::failed(format!("nothing given ({})", prompt.trim_end_matches([':', ' ']))));
    }
    if text.chars().any(|c| c.is_control() || !c.is_ascii()) {
        return Err(Complaint::failed("that is no secret of a chassis: it has other characters"));
    }
    Ok(text)
}

/// What to do about a refused enrolment.
fn hinted(refusal: Refusal) -> Complaint {
    let hint = match refusal.code.as_str() {
        "not_found" => {
            "\nSomebody is enrolled there already, and that ended enrolment by the printed secret.\n\
             Ask one of them for an invitation (txco auth invite), then: txco auth accept --token TOKEN"
        }
        "invalid_enrollment_secret" => {
            "\nThe secret is the eight words that the chassis printed at its last start (grep \"bootstrap-local\" in its \
             log),\nor what it was given by --auth-dev-enroll-secret."
        }
        _ => "",
    };
    Complaint::failed(refusal.text + hint)
}

fn put(body: &mut Value, member: &str, text: &str) {
    if let Value::Object(members) = body {
        members.insert(member.to_owned(), text.into());
    }
}
