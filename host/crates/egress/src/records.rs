//! What a name says about itself: its TXT records, asked of the operator's name servers.
//!
//! Over TCP, which every name server speaks (RFC 7766): no answer is cut short, and nobody who cannot read what is
//! asked can answer it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use std::{fs, io};

use model::{Failure, Fault};
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long one name server may take.
const WITHIN: Duration = Duration::from_secs(5);
/// How many name servers of the machine are asked, as its resolver does.
const SERVERS: usize = 3;
/// How many aliases are followed.
const ALIASES: usize = 16;
/// Where the machine's name servers stand.
const CONFIG: &str = "/etc/resolv.conf";
/// Who is asked where it names none.
const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 53);

/// Why a name's records are not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// Too long, or not made of labels.
    #[error("it is no name of DNS")]
    Name,
    /// Silence.
    #[error("the name server {0} did not answer in time")]
    Timeout(SocketAddr),
    /// It is not there, or hangs up.
    #[error("the name server {0} cannot be asked: {1}")]
    Unreachable(SocketAddr, io::ErrorKind),
    /// Anything but an answer, such as `ServerFailure`.
    #[error("the name server {0} answers {1}")]
    Refused(SocketAddr, String),
}

impl RecordsError {
    /// What it means to whoever asked.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let fault = match self {
            Self::Name => Fault::UpstreamUrlInvalid,
            Self::Timeout(_) => Fault::UpstreamTimeout,
            Self::Unreachable(..) => Fault::UpstreamUnreachable,
            Self::Refused(..) => Fault::UpstreamProtocol,
        };
        Failure::new(fault, self.to_string())
    }
}

/// The TXT records of `name`, each as one text: of `server`, or else of the first of the machine's name servers that
/// answers. An alias (CNAME) is followed. None when the name has none, or is not there.
///
/// # Errors
/// [`RecordsError`].
pub(crate) async fn txt_records(name: &str, server: Option<SocketAddr>) -> Result<Vec<String>, RecordsError> {
    let servers =
        server.map_or_else(|| servers(&fs::read_to_string(CONFIG).unwrap_or_default()), |one| vec![one]);
    let mut servers = servers.into_iter();
    let mut said = ask(name, servers.next().unwrap_or(HERE)).await;
    for server in servers {
        if matches!(said, Ok(_) | Err(RecordsError::Name)) {
            break;
        }
        said = ask(name, server).await;
    }
    said
}

/// Those that `resolv.conf` names.
fn servers(config: &str) -> Vec<SocketAddr> {
    let named = config.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let address = (words.next()? == "nameserver").then(|| words.next())??;
        Some(SocketAddr::new(address.parse::<IpAddr>().ok()?, 53))
    });
    named.take(SERVERS).collect()
}

async fn ask(name: &str, server: SocketAddr) -> Result<Vec<String>, RecordsError> {
    let name = Name::new(name).map_err(|_| RecordsError::Name)?;
    // One question a connection, so that any number is as good.
    let mut query = Packet::new_query(1);
    query.set_flags(PacketFlag::RECURSION_DESIRED);
    let (kind, class) = (QTYPE::TYPE(TYPE::TXT), QCLASS::CLASS(CLASS::IN));
    query.questions.push(Question::new(name.clone(), kind, class, false));
    let query = query.build_bytes_vec().map_err(|_| RecordsError::Name)?;
    let said = tokio::time::timeout(WITHIN, exchange(&query, server)).await;
    let said = said.map_err(|_| RecordsError::Timeout(server))?;
    let said = said.map_err(|error| RecordsError::Unreachable(server, error.kind()))?;
    let refused = |why: &str| RecordsError::Refused(server, why.to_owned());
    let answer = Packet::parse(&said).map_err(|_| refused("what is no answer"))?;
    if answer.id() != 1 || !answer.has_flags(PacketFlag::RESPONSE) {
        return Err(refused("what was not asked"));
    }
    let rcode = answer.rcode();
    if rcode != RCODE::NoError && rcode != RCODE::NameError {
        return Err(refused(&format!("{rcode:?}")));
    }
    Ok(texts(&answer, &name))
}

async fn exchange(query: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(query.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    stream.write_all(&[&length.to_be_bytes(), query].concat()).await?;
    let mut said = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut said).await?;
    Ok(said)
}

/// Those of the name that was asked for, or of what it is an alias of.
fn texts(answer: &Packet<'_>, name: &Name<'_>) -> Vec<String> {
    let mut owner = name.to_string();
    let of = |owner: &str| {
        let owner = owner.to_owned();
        answer.answers.iter().filter(move |one| one.name.to_string().eq_ignore_ascii_case(&owner))
    };
    for _ in 0..ALIASES {
        let alias = |one: &ResourceRecord<'_>| {
            if let RData::CNAME(to) = &one.rdata { Some(to.0.to_string()) } else { None }
        };
        let Some(to) = of(&owner).find_map(alias) else { break };
        owner = to;
    }
    // One that is no UTF-8 proves nothing.
    let text = |one: &ResourceRecord<'_>| {
        if let RData::TXT(text) = &one.rdata { String::try_from(text.clone()).ok() } else { None }
    };
    of(&owner).filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use simple_dns::rdata::{CNAME, TXT};
    use tokio::net::TcpListener;

    use super::*;

    const NAME: &str = "_x.shop.example";

    fn name(text: &str) -> Name<'static> {
        Name::new(text).unwrap().into_owned()
    }

    fn record(of: &str, data: RData<'static>) -> ResourceRecord<'static> {
        ResourceRecord::new(name(of), CLASS::IN, 60, data)
    }

    fn txt(strings: &[&'static str]) -> RData<'static> {
        let add = |txt: TXT<'static>, text: &&'static str| txt.with_string(text).unwrap();
        RData::TXT(strings.iter().fold(TXT::new(), add))
    }

    /// What comes of a name server that answers one query.
    async fn asked(rcode: RCODE, records: Vec<ResourceRecord<'static>>) -> Result<Vec<String>, RecordsError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut query = vec![0; stream.read_u16().await.unwrap().into()];
            stream.read_exact(&mut query).await.unwrap();
            let query = Packet::parse(&query).unwrap();
            assert!(query.has_flags(PacketFlag::RECURSION_DESIRED));
            assert_eq!(query.questions[0].qname.to_string(), NAME);
            let mut answer = query.into_reply();
            *answer.rcode_mut() = rcode;
            answer.answers = records;
            let answer = answer.build_bytes_vec_compressed().unwrap();
            stream.write_u16(answer.len().try_into().unwrap()).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        });
        let records = txt_records(NAME, Some(address)).await;
        serving.await.unwrap();
        records
    }

    #[tokio::test]
    async fn records_of_the_name_and_of_its_alias_count_and_no_others() {
        let several = vec![
            record("_X.Shop.Example", txt(&["one"])),
            record(NAME, txt(&["in two ", "strings"])),
            record("else.example", txt(&["not asked for"])),
        ];
        assert_eq!(asked(RCODE::NoError, several).await.unwrap(), ["one", "in two strings"]);
        let alias = vec![
            record(NAME, RData::CNAME(CNAME(name("a.example")))),
            record("a.example", RData::CNAME(CNAME(name("b.example")))),
            record("b.example", txt(&["there"])),
        ];
        assert_eq!(asked(RCODE::NoError, alias).await.unwrap(), ["there"]);
        let circle = vec![record(NAME, RData::CNAME(CNAME(name(NAME))))];
        assert_eq!(asked(RCODE::NoError, circle).await, Ok(Vec::new()));
        let long = (0..300).map(|_| record(NAME, txt(&[concat!("0123456789", "0123456789")]))).collect();
        assert_eq!(asked(RCODE::NoError, long).await.unwrap().len(), 300, "more than fits a datagram");
    }

    #[tokio::test]
    async fn what_is_no_answer_is_told_apart_from_no_records() {
        assert_eq!(asked(RCODE::NoError, Vec::new()).await, Ok(Vec::new()));
        assert_eq!(asked(RCODE::NameError, Vec::new()).await, Ok(Vec::new()));
        let failed = asked(RCODE::ServerFailure, Vec::new()).await.unwrap_err();
        assert!(failed.to_string().ends_with("answers ServerFailure"), "{failed}");
        let long = format!("_x.{}example", "a.".repeat(130));
        assert_eq!(txt_records(&long, Some(([127, 0, 0, 1], 9).into())).await, Err(RecordsError::Name));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let gone = listener.local_addr().unwrap();
        drop(listener);
        let told = txt_records(NAME, Some(gone)).await.unwrap_err();
        assert_eq!(told, RecordsError::Unreachable(gone, io::ErrorKind::ConnectionRefused));
    }

    #[test]
    fn the_machines_name_servers() {
        let config = "# nameserver 9.9.9.9\nsearch example\nnameserver 10.0.0.2\nnameserver fe80::1%eth0\nnameserver ::1\n";
        assert_eq!(servers(config), ["10.0.0.2:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
        assert_eq!(servers(""), []);
    }
}
