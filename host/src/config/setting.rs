//! How the text of a setting becomes what it means.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// A kind of setting: parsed from the text of a flag or a variable. The error says what
/// was expected, and never repeats the text.
pub trait Setting: Sized {
    /// Whether the flag may be repeated.
    const LIST: bool = false;
    /// What the flag means when it stands alone (`--only-signed`); nothing when it cannot.
    const ALONE: Option<&'static str> = None;

    /// The meaning of `text`; an empty text is what an absent default looks like.
    ///
    /// # Errors
    /// What was expected, in words.
    fn parse(text: &str) -> Result<Self, String>;
}

impl Setting for String {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Setting for PathBuf {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("expected a path".to_owned()) } else { Ok(Self::from(text)) }
    }
}

impl Setting for SocketAddr {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "expected ADDRESS:PORT".to_owned())
    }
}

/// An absent setting is the empty text.
impl<T: Setting> Setting for Option<T> {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::parse(text).map(Some) }
    }
}

/// A list: repeat the flag, or separate by commas.
impl<T: Setting> Setting for Vec<T> {
    const LIST: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(T::parse).collect()
    }
}

impl Setting for u32 {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "expected a whole number".to_owned())
    }
}

impl Setting for u64 {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "expected a whole number".to_owned())
    }
}

/// `250ms`, `1.5s`, `1m30s`, `1h0m0s` as in Go; a bare number is seconds.
impl Setting for Duration {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "expected a duration such as 250ms, 5s or 10m".to_owned();
        let mut time = Self::ZERO;
        let mut rest = text;
        while !rest.is_empty() {
            let of_number = |b: &u8| b.is_ascii_digit() || *b == b'.';
            let number = rest.bytes().take_while(of_number).count();
            let unit = rest.bytes().skip(number).take_while(|b| !of_number(b)).count();
            let (number, behind) = rest.split_at_checked(number).ok_or_else(wrong)?;
            let (unit, after) = behind.split_at_checked(unit).ok_or_else(wrong)?;
            let seconds = match unit {
                "ns" => 1e-9,
                "us" | "µs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "" if number == text => 1.0,
                _ => return Err(wrong()),
            };
            let number: f64 = number.parse().map_err(|_| wrong())?;
            let part = Self::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
            time = time.checked_add(part).ok_or_else(wrong)?;
            rest = after;
        }
        if time < Self::from_millis(1) { Err(wrong()) } else { Ok(time) }
    }
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch(pub bool);

impl Setting for Switch {
    const ALONE: Option<&'static str> = Some("yes");

    fn parse(text: &str) -> Result<Self, String> {
        match plain(text) {
            "yes" => Ok(Self(true)),
            "no" => Ok(Self(false)),
            _ => Err("expected yes or no".to_owned()),
        }
    }
}

/// `yes` or `no` for what is as good, in Go too; anything else as it is.
fn plain(text: &str) -> &str {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => "yes",
        "0" | "f" | "F" | "false" | "FALSE" | "False" => "no",
        other => other,
    }
}

/// A number of bytes: `4194304`, `512KiB`, `4MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub usize);

impl Setting for Bytes {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "expected a number of bytes such as 4194304, 512KiB or 4MiB".to_owned();
        let (number, factor) = match text {
            t if t.ends_with("KiB") => (t.trim_end_matches("KiB"), 1 << 10),
            t if t.ends_with("MiB") => (t.trim_end_matches("MiB"), 1 << 20),
            t => (t, 1),
        };
        let number: usize = number.trim().parse().map_err(|_| wrong())?;
        number.checked_mul(factor).map(Self).ok_or_else(wrong)
    }
}

/// The stack of a guest: 64 KiB to 1 MiB, half of what a thread has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StackSize(pub usize);

impl Setting for StackSize {
    fn parse(text: &str) -> Result<Self, String> {
        // A guest that may go deeper than its thread has stack would end the process.
        let Bytes(bytes) = Bytes::parse(text)?;
        let fits = (64 << 10..=1 << 20).contains(&bytes);
        if fits { Ok(Self(bytes)) } else { Err("expected 64KiB to 1MiB".to_owned()) }
    }
}

/// An address to listen on: `127.0.0.1:8081`, `[::1]:8081`, `localhost:8081`, or `:8080`
/// for every interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen(pub SocketAddr);

impl Listen {
    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_loopback(self) -> bool {
        self.0.ip().to_canonical().is_loopback()
    }
}

impl Setting for Listen {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "expected an address to listen on, such as 127.0.0.1:8081 or :8080".to_owned();
        if let Some(port) = text.strip_prefix(':') {
            let port = port.parse().map_err(|_| wrong())?;
            return Ok(Self(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))));
        }
        if let Ok(address) = text.parse() {
            return Ok(Self(address));
        }
        // Of the names only `localhost` is accepted: what another resolves to tomorrow is not known.
        match text.strip_prefix("localhost:") {
            Some(_) => text.to_socket_addrs().ok().and_then(|mut all| all.next()).map(Self).ok_or_else(wrong),
            None => Err(wrong()),
        }
    }
}

/// A replaced address for a host: `api.stripe.com=127.0.0.1:8443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectTo {
    /// The name or address as a URL spells it, lower-case.
    pub host: String,
    /// Where the connection goes instead.
    pub address: SocketAddr,
}

impl Setting for ConnectTo {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "expected HOST=ADDRESS:PORT".to_owned();
        let (host, address) = text.split_once('=').ok_or_else(wrong)?;
        let address = address.parse().map_err(|_| wrong())?;
        if host.is_empty() { Err(wrong()) } else { Ok(Self { host: host.to_ascii_lowercase(), address }) }
    }
}

/// A public key whose signatures over ops count, printed as `ed25519:BASE64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrustKey([u8; 32]);

impl TrustKey {
    /// What a key's text begins with.
    const KIND: &'static str = "ed25519:";

    /// Takes the 32 bytes of an Ed25519 public key (RFC 8032).
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Reads `ed25519:BASE64`.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        Self::of(&STANDARD.decode(text.strip_prefix(Self::KIND)?).ok()?)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for TrustKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::KIND, STANDARD.encode(self.0))
    }
}

impl Setting for TrustKey {
    fn parse(text: &str) -> Result<Self, String> {
        Self::read(text)
            .ok_or_else(|| "expected ed25519:BASE64, as `txco op sign --new-key` prints it".to_owned())
    }
}

/// A base64 master key as it was given; wiped when dropped, and not printable.
pub struct InlineKey(Zeroizing<String>);

impl InlineKey {
    /// The text, for decoding.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl Setting for InlineKey {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

/// A password or another secret of the start: wiped when dropped, not printable.
pub struct Password(Zeroizing<String>);

impl Password {
    /// The text, for comparing.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl Setting for Password {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

/// Defines a setting that is one of a few words.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident $(@alone $alone:literal)?: $($(#[$variant_meta:meta])* $word:literal $(| $alias:literal)* => $variant:ident,)*) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_meta])* $variant,)* }

        impl Setting for $name {
            $(const ALONE: Option<&'static str> = Some($alone);)?

            fn parse(text: &str) -> Result<Self, String> {
                match plain(text) {
                    $($word $(| $alias)* => Ok(Self::$variant),)*
                    _ => Err(format!("expected one of: {}", [$($word),*].join(", "))),
                }
            }
        }
    };
}

words! {
    /// Which addresses ops may call.
    EgressPolicy:
    /// Public addresses only.
    "private" => Private,
    /// Any address.
    "open" => Open,
}

words! {
    /// How administrators prove who they are.
    AuthMode:
    /// Name and password.
    "basic" => Basic,
    /// Signed requests.
    "signed" => Signed,
    /// Either.
    "both" => Both,
}

words! {
    /// How much of each request is written to the trace folder.
    TraceMode:
    /// Nothing.
    "off" => Off,
    /// What ran, how long, how it ended.
    "summary" => Summary,
    /// Also what went in and came out of every op.
    "full" => Full,
}

words! {
    /// Which secret an op sees when its own stack has none of that name.
    StackFallback:
    /// The parents of a nested stack, then the tenant's.
    "parents" => Parents,
    /// The tenant's, as the Go chassis does.
    "exact" => Exact,
}

words! {
    /// Whether ops must be signed.
    OnlySigned @alone "yes":
    /// By a key that `--op-trust-key` names.
    "yes" => Yes,
    /// They need not be.
    "no" => No,
}

words! {
    /// Whether every secret must have a policy.
    RequirePolicy @alone "yes":
    /// One without is refused when it is set or generated.
    "yes" => Yes,
    /// It may be used for anything in its tenant.
    "no" => No,
}

words! {
    /// Whether answers that a workspace keeps for its ops may stand for them.
    Mock:
    /// Where a rule or a caller asks for it.
    "allow" => Allow,
    /// Never.
    "deny" => Deny,
}

words! {
    /// Whether callers may choose mocks.
    WebMockHeader @alone "yes":
    /// By `X-Txco-Mocks`.
    "yes" => Yes,
    /// They may not.
    "no" => No,
}

words! {
    /// What it takes to activate rules that name a secret they did not name before.
    SecretsUse:
    /// The capability to activate is enough.
    "implied" => Implied,
    /// `secret:NAME:use`.
    "explicit" => Explicit,
}

words! {
    /// What happens to a request whose host nobody bound.
    MissAction:
    /// It belongs to the only tenant, when there is only one.
    "fallthrough" => Fallthrough,
    /// It is nobody's.
    "reject" => Reject,
}

words! {
    /// How mistakes in rules are taken that the Go chassis lets pass.
    RuleMode:
    /// They are errors.
    "strict" => Strict,
    /// They are told, and mean what they mean there.
    "lenient" => Lenient,
}

impl RuleMode {
    /// As `txcl` calls it.
    pub(crate) fn mode(self) -> txcl::Mode {
        match self {
            Self::Strict => txcl::Mode::Strict,
            Self::Lenient => txcl::Mode::Lenient,
        }
    }
}

words! {
    /// How log lines look.
    Logger:
    /// For people.
    "console" | "env" => Console,
    /// One JSON object a line.
    "json" => Json,
}

words! {
    /// What is worth a log line.
    LogLevel:
    /// What failed.
    "error" => Error,
    /// What an operator should look at.
    "warn" => Warn,
    /// What happened.
    "info" => Info,
    /// What happens in each request.
    "debug" => Debug,
    /// Everything.
    "trace" => Trace,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let listen = |text: &str| Listen::parse(text).map(|l| l.0.to_string());
        assert_eq!(listen(":8080").unwrap(), "0.0.0.0:8080");
        assert_eq!(listen("127.0.0.1:0").unwrap(), "127.0.0.1:0");
        assert_eq!(listen("[::1]:8081").unwrap(), "[::1]:8081");
        assert!(Listen::parse("localhost:8081").unwrap().is_loopback());
        assert!(Listen::parse("[::ffff:127.0.0.1]:1").unwrap().is_loopback());
        assert!(!Listen::parse(":8081").unwrap().is_loopback());
        for wrong in ["", "8080", ":x", ":99999", "example.com:80", "127.0.0.1"] {
            assert!(listen(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_and_sizes() {
        assert_eq!(Duration::parse("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(Duration::parse("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(Duration::parse("15"), Ok(Duration::from_secs(15)));
        assert_eq!(Duration::parse("1h0m30.5s"), Ok(Duration::from_millis(3_630_500)));
        for wrong in [
            "",
            "s",
            "5x",
            "1.2.3s",
            "5s10",
            "1m 30s",
            "-1s",
            "0",
            "99999999999999999999s",
            "18446744073709551615h",
            "5µs",
        ] {
            assert!(Duration::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Bytes::parse("512KiB"), Ok(Bytes(524_288)));
        assert_eq!(Bytes::parse("4194304"), Ok(Bytes(4_194_304)));
        for wrong in ["", "KiB", "-1", "99999999999999999MiB", "4MB"] {
            assert!(Bytes::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(StackSize::parse("64KiB"), Ok(StackSize(65_536)));
        assert_eq!(StackSize::parse("1MiB"), Ok(StackSize(1_048_576)));
        for wrong in ["", "65535", "1048577", "64MiB"] {
            assert!(StackSize::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn yes_and_no_in_the_words_of_go() {
        for (word, is) in
            [("true", true), ("T", true), ("1", true), ("False", false), ("0", false), ("no", false)]
        {
            assert_eq!(Switch::parse(word), Ok(Switch(is)), "{word}");
            let said = if is { OnlySigned::Yes } else { OnlySigned::No };
            assert_eq!(OnlySigned::parse(word), Ok(said), "{word}");
        }
        assert!(WebMockHeader::parse("tru").is_err());
    }

    #[test]
    fn lists_and_replaced_addresses() {
        let two = Vec::<ConnectTo>::parse("API.example=127.0.0.1:1, b=[::1]:2").unwrap();
        assert_eq!(two.first().map(|c| c.host.as_str()), Some("api.example"));
        assert_eq!(two.len(), 2);
        assert!(ConnectTo::parse("=127.0.0.1:1").is_err());
        assert!(ConnectTo::parse("a=b:1").is_err());
        assert_eq!(Vec::<u32>::parse(""), Ok(Vec::new()));
    }

    #[test]
    fn an_error_never_repeats_the_text() {
        for message in [
            Listen::parse("s3cret").map(|_| ()).unwrap_err(),
            Duration::parse("s3cret").map(|_| ()).unwrap_err(),
            EgressPolicy::parse("s3cret").map(|_| ()).unwrap_err(),
        ] {
            assert!(!message.contains("s3cret"), "{message}");
        }
    }
}
