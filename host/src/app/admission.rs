//! Who may administer, by the settings: the proofs that count, the secret of the first actor, TLS.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use store::Actors;
use zeroize::Zeroizing;

use super::{BootError, Role};
use crate::config::{AuthMode, Config, ConfigError};
use crate::http::admin::EnrolSecret;
use crate::http::authentication::{Authentication, Credentials, Secret, Until};
use crate::http::throttle::Throttle;

/// What stands between the admin port and administration.
pub(super) struct Admission {
    pub(super) authentication: Authentication,
    pub(super) enrol_secret: EnrolSecret,
    pub(super) throttle: Throttle,
    /// A minted secret, to be told to the operator once.
    pub(super) told: Option<Zeroizing<String>>,
}

/// Refuses an admin head that others could reach without proof of who they are (R32).
pub(super) fn refuse_exposed(config: &Config) -> Result<(), BootError> {
    let wrong = |place: &str, reason: &str| {
        let (place, reason) = (place.to_owned(), reason.to_owned());
        Err(BootError::Config(ConfigError { place, reason }))
    };
    let (user, password) = (!config.admin_user.is_empty(), config.admin_pass.is_some());
    if user != password {
        return wrong("--admin-user", "--admin-user and --admin-pass count only together");
    }
    if config.admin_tls_cert.is_some() != config.admin_tls_key.is_some() {
        return wrong("--admin-tls-cert", "--admin-tls-cert and --admin-tls-key go together");
    }
    if config.web_tls_cert.is_some() != config.web_tls_key.is_some() {
        return wrong("--web-tls-cert", "--web-tls-cert and --web-tls-key go together");
    }
    if config.admin_addr.is_loopback() {
        return Ok(());
    }
    match config.auth_mode {
        None => Err(BootError::AdminExposed(config.admin_addr.0)),
        Some(AuthMode::Basic) if !user => wrong(
            "--auth-mode",
            "basic needs --admin-user and --admin-pass (or their variables) for an --admin-addr that others can reach",
        ),
        Some(AuthMode::Basic | AuthMode::Signed | AuthMode::Both) => Ok(()),
    }
}

/// The admission of these settings.
pub(super) fn admission(config: &Config, role: Role, actors: Arc<Actors>) -> Result<Admission, BootError> {
    let open = match role {
        _ if !config.admin_addr.is_loopback() => Until::Never,
        Role::Serve => Until::Enrolment,
        Role::Dev => Until::Forever,
    };
    let password = config.admin_pass.as_ref().map_or("", crate::config::Password::text);
    let credentials = Credentials::new(&config.admin_user, password);
    let clear = config.admin_tls_cert.is_none() && !config.admin_addr.is_loopback();
    if credentials.is_some() && clear {
        tracing::warn!(
            "the password of the admin head travels in the clear; use --admin-tls-cert and --admin-tls-key, or a TLS proxy"
        );
    }
    let (enrol_secret, told) = match &config.auth_dev_enroll_secret {
        Some(secret) => (EnrolSecret::Given(Secret::new(secret.text().as_bytes())), None),
        None if role == Role::Serve && actors.active()? == 0 => {
            let minted = eight_words()?;
            (EnrolSecret::Minted(Secret::new(minted.as_bytes())), Some(minted))
        }
        None => (EnrolSecret::Off, None),
    };
    let authentication =
        Authentication { mode: config.auth_mode.unwrap_or(AuthMode::Both), credentials, open, actors };
    let throttle = Throttle::new(config.throttle_rate, config.throttle_window);
    Ok(Admission { authentication, enrol_secret, throttle, told })
}

/// 128 random bits as eight words that can be read out: consonant, vowel, consonant, vowel,
/// consonant (proquints).
fn eight_words() -> Result<Zeroizing<String>, BootError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|_| store::Error::NoRandomness)?;
    let words = bytes.chunks(2).map(|pair| {
        let bits = pair.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        let letter = |letters: &str, at: usize, mask: usize| letters.chars().nth(bits >> at & mask);
        let (consonants, vowels) = ("bdfghjklmnprstvz", "aiou");
        let letters = [
            letter(consonants, 12, 15),
            letter(vowels, 10, 3),
            letter(consonants, 6, 15),
            letter(vowels, 4, 3),
            letter(consonants, 0, 15),
        ];
        letters.into_iter().flatten().collect::<String>()
    });
    Ok(Zeroizing::new(words.collect::<Vec<_>>().join("-")))
}

/// The TLS of the admin head and of the web head, where the settings have some.
pub(super) fn tls(config: &Config) -> Result<[Option<Tls>; 2], BootError> {
    let admin = Files::of("admin", &config.admin_tls_cert, &config.admin_tls_key);
    let web = Files::of("web", &config.web_tls_cert, &config.web_tls_key);
    Ok([admin.map(Tls::of).transpose()?, web.map(Tls::of).transpose()?])
}

/// The TLS of a head, and its certificate, which may be another one later.
pub(super) struct Tls {
    pub(super) server: Arc<ServerConfig>,
    pub(super) certificate: Arc<Certificate>,
}

impl Tls {
    fn of(files: Files) -> Result<Self, BootError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let current = RwLock::new(files.read(&provider)?);
        let certificate = Arc::new(Certificate { files, provider: Arc::clone(&provider), current });
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| BootError::Threads(std::io::Error::other(error)))?
            .with_no_client_auth();
        let mut server = server.with_cert_resolver(Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>);
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { server: Arc::new(server), certificate })
    }
}

/// A certificate as its files had it when they were read last.
#[derive(Debug)]
pub(super) struct Certificate {
    files: Files,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Whose it is: `admin` or `web`.
    pub(super) fn head(&self) -> &'static str {
        self.files.head
    }

    /// Reads the files again: new connections have what is in them now. Files that make no
    /// certificate change nothing.
    ///
    /// # Errors
    /// [`BootError::File`].
    pub(super) fn renew(&self) -> Result<(), BootError> {
        let renewed = self.files.read(&self.provider)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Where a head's certificate and key lie.
#[derive(Debug)]
struct Files {
    head: &'static str,
    flags: [&'static str; 2],
    cert: PathBuf,
    key: PathBuf,
}

impl Files {
    fn of(head: &'static str, cert: &Option<PathBuf>, key: &Option<PathBuf>) -> Option<Self> {
        let flags = match head {
            "admin" => ["admin-tls-cert", "admin-tls-key"],
            _ => ["web-tls-cert", "web-tls-key"],
        };
        let (cert, key) = (cert.clone()?, key.clone()?);
        Some(Self { head, flags, cert, key })
    }

    fn read(&self, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, BootError> {
        let [cert_flag, key_flag] = self.flags;
        let unreadable = |flag: &'static str, path: &PathBuf, why: String| BootError::File {
            flag,
            path: path.clone(),
            reason: std::io::Error::other(why),
        };
        let of_cert = |why: String| unreadable(cert_flag, &self.cert, why);
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&self.cert)
            .and_then(Iterator::collect)
            .map_err(|error| of_cert(error.to_string()))?;
        if chain.is_empty() {
            return Err(of_cert("no certificate in it".to_owned()));
        }
        let private = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| unreadable(key_flag, &self.key, error.to_string()))?;
        let certified = CertifiedKey::from_der(chain, private, provider);
        certified.map(Arc::new).map_err(|error| of_cert(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_words_are_eight_words_and_never_the_same() {
        let (one, other) = (eight_words().ok().unwrap(), eight_words().ok().unwrap());
        assert_ne!(*one, *other);
        let words: Vec<_> = one.split('-').collect();
        assert!(words.len() == 8 && words.iter().all(|word| word.len() == 5), "{words:?}");
    }
}
