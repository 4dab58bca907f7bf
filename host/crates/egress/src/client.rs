//! The one tenant client: no redirects, no proxy, everything bounded.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use ipnet::IpNet;
use model::{Destination, Failure, Fault, Path, Scheme, Sealed};
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderValue};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::{Host, Url};
use vault::{Bonds, Credentials, SecretBag, Splice};
use zeroize::Zeroizing;

use crate::address::{AddressPolicy, Blocked, Judge};
use crate::arriving::{self, Taken};
use crate::coding::{Coding, Undone};
use crate::draft::Draft;
use crate::error::Error;
use crate::records::{RecordsError, txt_records};
use crate::resolver::{Ask, NoAddress, Resolver, bare, is_localhost, system};
use crate::retry;
use crate::scrub::{Found, Mask};
use crate::splice::{Spliced, splice};
use crate::tls;

/// The most bytes the header of a reply may have.
pub const MAX_REPLY_HEADER_BYTES: usize = 64 * 1024;
/// Replies up to this size are masked on the request's own thread: it takes less time than
/// a hop to another.
const INLINE_MASK_BYTES: usize = 64 * 1024;
/// How many replies are unpacked and masked at once where nobody knows how many cores there are.
const MANY: usize = 8;
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(10);

/// What the operator decides about the way out.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What may be dialled.
    pub policy: AddressPolicy,
    /// Networks that may be dialled whatever the policy says.
    pub allow: Vec<IpNet>,
    /// Networks that may not.
    pub deny: Vec<IpNet>,
    /// Where to connect for a name instead of asking DNS. It changes resolution, never
    /// policy: TLS checks the name, and the address must be one that may be dialled (R31).
    pub connect_to: Vec<(String, SocketAddr)>,
    /// Who is asked for TXT records, instead of the machine's name servers.
    pub dns_server: Option<SocketAddr>,
    /// Certificate authorities to trust beside the system's, each a PEM file's content.
    pub extra_ca: Vec<Vec<u8>>,
    /// The chassis's own admin head, which is never dialled.
    pub own_admin: Option<SocketAddr>,
    /// The most bytes the body of a reply may have.
    pub max_reply_bytes: usize,
    /// `User-Agent`, such as `txco/0.1.0`.
    pub agent: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            policy: AddressPolicy::Private,
            allow: Vec::new(),
            deny: Vec::new(),
            connect_to: Vec::new(),
            dns_server: None,
            extra_ca: Vec::new(),
            own_admin: None,
            max_reply_bytes: 8 * 1024 * 1024,
            agent: concat!("txco/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// The way out for tenants' requests. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    judge: Arc<Judge>,
    connect_to: Arc<HashMap<String, SocketAddr>>,
    /// For every port but one.
    plain: reqwest::Client,
    /// For requests to the port of our own admin head: its resolver judges with that port.
    /// A resolver is not told the port, so each of the two has a client of its own.
    at_admin_port: Option<(u16, reqwest::Client)>,
    max_reply_bytes: usize,
    /// How many replies are unpacked and masked at once, each with a thread and its whole body.
    cleaning: Arc<Semaphore>,
    agent: String,
    dns_server: Option<SocketAddr>,
}

/// A reply, masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The standard phrase for it; what the upstream wrote there is not looked at.
    pub reason: String,
    /// Headers in the order received, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, whatever it is.
    pub body: Vec<u8>,
    /// How many echoes of secrets were masked.
    pub masked: u32,
    /// Whether bytes equal to a very short secret are left in it.
    pub echo_unmasked_short: bool,
    /// Where credentials were left out of the body, because this rule did not put them there.
    pub not_sent: Vec<Path>,
    /// The credentials that arrived, and where: there the body has only their fixed text.
    pub arrived: Vec<(Path, Sealed)>,
    /// How often the request was sent.
    pub attempts: u32,
}

impl Reply {
    /// What a good answer with this JSON body would have been.
    #[must_use]
    pub fn mocked(body: Vec<u8>) -> Self {
        Self {
            status: 200,
            reason: "OK".to_owned(),
            headers: Vec::new(),
            body,
            masked: 0,
            echo_unmasked_short: false,
            not_sent: Vec::new(),
            arrived: Vec::new(),
            attempts: 0,
        }
    }

    /// Whether the upstream did what was asked.
    ///
    /// # Errors
    /// A [`Failure`] with [`Fault::UpstreamRedirect`] for 3xx, naming only the host it
    /// points to, or [`Fault::UpstreamStatus`] for what else is not 2xx.
    pub fn verdict(&self) -> Result<(), Failure> {
        match self.status {
            200..=299 => Ok(()),
            300..=399 => {
                let location = self.headers.iter().find(|(name, _)| name == "location");
                let host = location.and_then(|(_, to)| Url::parse(to).ok()?.host_str().map(str::to_owned));
                let to =
                    host.map_or_else(|| "its own host".to_owned(), |host| host.chars().take(253).collect());
                let detail = format!("status {} to {to}; redirects are not followed", self.status);
                Err(Failure::new(Fault::UpstreamRedirect, detail))
            }
            status => {
                let detail = format!("status {status} {}", self.reason);
                Err(Failure::new(Fault::UpstreamStatus, detail.trim_end()))
            }
        }
    }
}

impl Client {
    /// A client for `settings`.
    ///
    /// # Errors
    /// [`Error::Settings`] naming what makes no sense.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        Self::asking(settings, system)
    }

    /// The same, with another way to look names up.
    pub(crate) fn asking(settings: Settings, ask: Ask) -> Result<Self, Error> {
        let mut connect_to = HashMap::new();
        for (host, target) in settings.connect_to {
            let name = bare(&host).to_ascii_lowercase();
            match Host::parse(&name) {
                Ok(Host::Domain(canonical)) if canonical == name => {}
                _ => return Err(Error::Settings(format!("connect-to: {host:?} is not a host name"))),
            }
            if connect_to.insert(name, target).is_some() {
                return Err(Error::Settings(format!("connect-to: {host} is given twice")));
            }
        }
        let judge = Arc::new(Judge {
            policy: settings.policy,
            allow: settings.allow,
            deny: settings.deny,
            own_admin: settings.own_admin,
        });
        let connect_to = Arc::new(connect_to);
        let tls = tls::config(&settings.extra_ca)?;
        let build = |port| {
            let (judge, connect_to) = (Arc::clone(&judge), Arc::clone(&connect_to));
            let resolver = Resolver { judge, connect_to, port, ask };
            http_client(tls.clone(), Some(resolver))
        };
        Ok(Self {
            plain: build(0)?,
            at_admin_port: match settings.own_admin {
                Some(admin) => Some((admin.port(), build(admin.port())?)),
                None => None,
            },
            judge,
            connect_to,
            max_reply_bytes: settings.max_reply_bytes,
            cleaning: Arc::new(Semaphore::new(available_parallelism().map_or(MANY, |cores| 2 * cores.get()))),
            agent: settings.agent,
            dns_server: settings.dns_server,
        })
    }

    /// Whether secrets travel to `destination`: over TLS, and in the clear only within this machine
    /// where every address may be dialled.
    #[must_use]
    pub fn sends_secrets_to(&self, destination: &Destination) -> bool {
        destination.scheme() != Scheme::Http
            || (self.judge.policy == AddressPolicy::Open && is_loopback(destination))
    }

    /// The TXT records of `name`, each as one text; none when it has none, or is not there.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn txt_records(&self, name: &str) -> Result<Vec<String>, RecordsError> {
        txt_records(name, self.dns_server).await
    }

    /// Splices, sends, and masks the reply. The bag is kept until then.
    ///
    /// # Errors
    /// [`Error`]; nothing was sent unless it is about the connection or the reply.
    pub async fn send(
        &self,
        mut draft: Draft,
        bag: SecretBag<Splice>,
        credentials: &Arc<Credentials>,
    ) -> Result<Reply, Error> {
        let destination = draft.destination().clone();
        let (timeout, retries) = (draft.timeout, draft.retries);
        let arriving = std::mem::take(&mut draft.arriving);
        let hosts = std::mem::take(&mut draft.arriving_hosts);
        let Spliced { request, mask, not_sent, bears, sent } = splice(draft, &bag, credentials, &self.agent)?;
        let mut bonds = bag.bonds(destination.clone(), hosts);
        sent.into_iter().for_each(|id| credentials.bind(&mut bonds, id));
        drop(bag);
        if let Some(secret) = bears
            && !self.sends_secrets_to(&destination)
        {
            return Err(Error::OverCleartext { destination, secret });
        }
        self.judge
            .port(destination.port())
            .map_err(|why| Error::Blocked { destination: destination.clone(), why: why.to_owned() })?;
        self.judge_literal(request.url(), &destination)?;
        let (url, host) = self.dialled(request.url())?;
        let client = match &self.at_admin_port {
            Some((port, client)) if *port == destination.port() => client,
            _ => &self.plain,
        };
        let request = request.into_request(url, host);
        let (received, attempts) = self.attempts(client, request, &destination, timeout, retries).await?;
        let clean = Clean {
            mask,
            not_sent,
            arriving,
            bonds,
            attempts,
            limit: self.max_reply_bytes,
            destination,
            credentials: Arc::clone(credentials),
        };
        let nothing_to_do = clean.mask.is_empty() && received.coding == Coding::Identity;
        if (nothing_to_do && clean.arriving.is_empty()) || received.body.len() <= received.inline_bytes() {
            return clean.reply(received);
        }
        // More at once would not be quicker, and what is packed is small until its turn.
        let place = Arc::clone(&self.cleaning).acquire_owned().await;
        let place = place.map_err(|_| Error::Internal("nothing is masked any more"))?;
        let cleaned = tokio::task::spawn_blocking(move || {
            let reply = clean.reply(received);
            drop(place);
            reply
        });
        cleaned.await.unwrap_or(Err(Error::Internal("the mask's thread ended early")))
    }

    /// Sends until there is a reply that will not be better later, and within `time`. A copy
    /// of a request shares its buffers: no secret is written twice.
    async fn attempts(
        &self,
        client: &reqwest::Client,
        mut request: reqwest::Request,
        destination: &Destination,
        time: Duration,
        retries: u32,
    ) -> Result<(Received, u32), Error> {
        let deadline = Instant::now() + time;
        let mut attempt = 1_u32;
        loop {
            let again = if attempt > retries { None } else { request.try_clone() };
            let result = tokio::time::timeout_at(deadline, self.exchange(client, request, destination))
                .await
                .unwrap_or_else(|_| Err(Error::Timeout { destination: destination.clone(), after: time }));
            let wait = match &result {
                Ok(received) if retry::is_passing(received.status) => {
                    retry::pause(attempt, Some(&received.headers))
                }
                Err(error) if retry::passes(error) => retry::pause(attempt, None),
                Ok(_) | Err(_) => return result.map(|received| (received, attempt)),
            };
            // What an upstream asks for may be more than a clock can count to.
            match again.filter(|_| wait < deadline.saturating_duration_since(Instant::now())) {
                Some(next) => request = next,
                None => return result.map(|received| (received, attempt)),
            }
            tokio::time::sleep(wait).await;
            attempt = attempt.saturating_add(1);
        }
    }

    /// Judges a host that is an address: those never come to the resolver. The URL parser
    /// has already turned every spelling (decimal, octal, hex, short) into the address.
    fn judge_literal(&self, url: &Url, destination: &Destination) -> Result<(), Error> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        self.judge
            .dial(SocketAddr::new(address, destination.port()))
            .map_err(|why| Error::Blocked { destination: destination.clone(), why: why.to_string() })
    }

    /// What the library is asked to connect to. A port in the URL would win over the port
    /// of a connect-to, so it is taken out there and stays in the `Host` header.
    fn dialled(&self, url: &Url) -> Result<(Url, Option<HeaderValue>), Error> {
        let (mut url, host) = (url.clone(), url.host_str().unwrap_or_default());
        let (Some(port), true) = (url.port(), self.connect_to.contains_key(bare(host))) else {
            return Ok((url, None));
        };
        let host = HeaderValue::from_str(&format!("{host}:{port}"))
            .map_err(|_| Error::Internal("a host name is no header"))?;
        url.set_port(None).map_err(|()| Error::Internal("a URL without a port"))?;
        Ok((url, Some(host)))
    }

    async fn exchange(
        &self,
        client: &reqwest::Client,
        request: reqwest::Request,
        destination: &Destination,
    ) -> Result<Received, Error> {
        let mut response = client.execute(request).await.map_err(|e| classified(&e, destination))?;
        let too_large = |part, limit| Error::TooLarge { destination: destination.clone(), part, limit };
        let header_bytes: usize = response.headers().iter().map(|(n, v)| n.as_str().len() + v.len()).sum();
        if header_bytes > MAX_REPLY_HEADER_BYTES {
            return Err(too_large("header", MAX_REPLY_HEADER_BYTES));
        }
        let encoding = || Error::Encoding { destination: destination.clone() };
        let coding = Coding::of(response.headers()).ok_or_else(encoding)?;
        let limit = self.max_reply_bytes;
        let mut chunks = Vec::new();
        let mut size = 0_usize;
        while let Some(chunk) = response.chunk().await.map_err(|e| classified(&e, destination))? {
            size = size.saturating_add(chunk.len());
            if size > limit {
                return Err(too_large("body", limit));
            }
            chunks.push(chunk);
        }
        let mut body = Zeroizing::new(Vec::with_capacity(size));
        chunks.iter().for_each(|chunk| body.extend_from_slice(chunk));
        Ok(Received { status: response.status(), headers: response.headers().clone(), body, coding })
    }
}

/// A reply before the mask: it may hold secrets, so it stays in this file.
struct Received {
    status: reqwest::StatusCode,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
    coding: Coding,
}

impl Received {
    /// Up to how many bytes its body takes less time than a hop to another thread.
    fn inline_bytes(&self) -> usize {
        match self.coding {
            Coding::Identity => INLINE_MASK_BYTES,
            Coding::Gzip => INLINE_MASK_BYTES / 16,
        }
    }
}

/// What makes plain data of what was received.
struct Clean {
    mask: Mask,
    not_sent: Vec<Path>,
    arriving: Vec<Path>,
    bonds: Bonds,
    attempts: u32,
    limit: usize,
    destination: Destination,
    credentials: Arc<Credentials>,
}

impl Clean {
    fn reply(mut self, mut received: Received) -> Result<Reply, Error> {
        if received.coding != Coding::Identity {
            // Whoever copies the headers must not say of plain bytes that they are packed.
            received.headers.remove(CONTENT_ENCODING);
            received.headers.remove(CONTENT_LENGTH);
        }
        let destination = &self.destination;
        let mut body = received.coding.undo(received.body, self.limit).map_err(|why| match why {
            Undone::TooLarge => {
                Error::TooLarge { destination: destination.clone(), part: "body", limit: self.limit }
            }
            Undone::Broken => Error::Encoding { destination: destination.clone() },
        })?;
        let (mut arrived, mut found) = (Vec::new(), Found::default());
        if !self.arriving.is_empty() {
            // First: a secret that is echoed must not come back as a credential without its policy.
            if !self.mask.is_empty() {
                found = self.mask.search()?.apply(&mut body);
            }
            let Taken { body: rest, found: held, mask, absent } =
                arriving::take(&body, &self.arriving, &self.credentials, &self.bonds)?;
            if let (true, Some(path)) = (received.status.is_success(), absent.into_iter().next()) {
                return Err(Error::CredentialAbsent { destination: destination.clone(), path });
            }
            (body, arrived) = (rest, held);
            self.mask.join(&mask);
        }
        let search = if self.mask.is_empty() { None } else { Some(self.mask.search()?) };
        let mut clean = |text: &mut Zeroizing<Vec<u8>>| {
            if let Some(search) = &search {
                let here = search.apply(text);
                found.masked = found.masked.saturating_add(here.masked);
                found.unmasked_short |= here.unmasked_short;
            }
        };
        let mut headers = Vec::with_capacity(received.headers.len());
        for (name, value) in &received.headers {
            let mut pair = [name.as_str().as_bytes(), value.as_bytes()].map(|b| Zeroizing::new(b.to_vec()));
            pair.iter_mut().for_each(&mut clean);
            let [name, value] = pair.map(|text| String::from_utf8_lossy(&text).into_owned());
            headers.push((name, value));
        }
        clean(&mut body);
        Ok(Reply {
            status: received.status.as_u16(),
            reason: received.status.canonical_reason().unwrap_or_default().to_owned(),
            headers,
            body: std::mem::take(&mut *body),
            masked: found.masked,
            echo_unmasked_short: found.unmasked_short,
            not_sent: self.not_sent,
            arrived,
            attempts: self.attempts,
        })
    }
}

/// A client of the library with everything off that we do not want. Only here is one built.
pub(crate) fn http_client(
    tls: rustls::ClientConfig,
    resolver: Option<Resolver>,
) -> Result<reqwest::Client, Error> {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE)
        .http1_max_headers(256)
        .http2_max_header_list_size(64 * 1024);
    let builder = match resolver {
        Some(resolver) => builder.dns_resolver(resolver),
        None => builder,
    };
    builder.build().map_err(|_| Error::Internal("the HTTP client could not be built"))
}

/// Whether a destination is this machine, judged by its name (D6, R31).
fn is_loopback(destination: &Destination) -> bool {
    let host = destination.host();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or_else(|_| is_localhost(host), |address| address.to_canonical().is_loopback())
}

/// What a failure of the library means. Its own text is not used: it has the URL in it.
fn classified(error: &reqwest::Error, destination: &Destination) -> Error {
    let destination = destination.clone();
    let mut unreachable = None;
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(at) = cause {
        if let Some(blocked) = at.downcast_ref::<Blocked>() {
            return Error::Blocked { destination, why: blocked.to_string() };
        }
        if at.is::<NoAddress>() {
            return Error::Unreachable { destination, why: NoAddress.to_string() };
        }
        if let Some(tls) = tls::complaint(at) {
            return Error::Tls { destination, why: tls };
        }
        unreachable = tls::io_kind(at).or(unreachable);
        // The library does not let us name this error's type.
        if at.to_string() == "message head is too large" {
            return Error::TooLarge { destination, part: "header", limit: MAX_REPLY_HEADER_BYTES };
        }
        cause = at.source();
    }
    if error.is_timeout() {
        return Error::Timeout { destination, after: CONNECT_TIMEOUT };
    }
    match unreachable {
        Some(kind) if error.is_connect() => Error::Unreachable { destination, why: kind.to_string() },
        None if error.is_connect() => Error::Unreachable { destination, why: "no connection".to_owned() },
        _ if error.is_request() => {
            Error::Protocol { destination, why: "the upstream broke off or did not speak HTTP" }
        }
        _ => Error::Protocol { destination, why: "the reply broke off" },
    }
}
