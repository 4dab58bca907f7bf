//! The ssh-agent: which ed25519 keys it holds, and signatures by one of them.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::Environment;

/// Agents answer at once, or ask a person who has to confirm.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest message; an agent with many certificates has long lists.
const MOST: usize = 1 << 20;

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
const ED25519: &[u8] = b"ssh-ed25519";

/// A running agent.
#[derive(Debug, Clone)]
pub(super) struct Agent(PathBuf);

/// A key that an agent holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) public: [u8; 32],
    pub(super) comment: String,
}

impl Agent {
    /// The agent that `SSH_AUTH_SOCK` names.
    pub(super) fn of(environment: &dyn Environment) -> Option<Self> {
        environment.variable("SSH_AUTH_SOCK").map(|path| Self(PathBuf::from(path)))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The ed25519 keys that it holds.
    pub(super) fn keys(&self) -> io::Result<Vec<Held>> {
        let reply = self.ask(&[REQUEST_IDENTITIES])?;
        let mut reply = Fields(&reply);
        if reply.byte()? != IDENTITIES {
            return Err(refused("the ssh-agent lists no keys"));
        }
        let mut held = Vec::new();
        for _ in 0..reply.number()? {
            let (blob, comment) = (reply.text()?, reply.text()?);
            let mut blob = Fields(blob);
            if blob.text()? == ED25519
                && let Ok(public) = blob.text()?.try_into()
            {
                held.push(Held { public, comment: String::from_utf8_lossy(comment).into_owned() });
            }
        }
        Ok(held)
    }

    /// A signature over `message` by the key with this public half.
    pub(super) fn sign(&self, public: &[u8; 32], message: &[u8]) -> io::Result<Vec<u8>> {
        let mut blob = Vec::new();
        put(&mut blob, ED25519);
        put(&mut blob, public);
        let mut request = vec![SIGN_REQUEST];
        put(&mut request, &blob);
        put(&mut request, message);
        request.extend([0; 4]);
        let reply = self.ask(&request)?;
        let mut reply = Fields(&reply);
        if reply.byte()? != SIGN_RESPONSE {
            return Err(refused(
                "the ssh-agent does not sign with this key (is it still loaded? ssh-add -l)",
            ));
        }
        let mut signature = Fields(reply.text()?);
        if signature.text()? != ED25519 {
            return Err(refused("the ssh-agent made a signature of another kind"));
        }
        Ok(signature.text()?.to_vec())
    }

    fn ask(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = UnixStream::connect(&self.0)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut framed = Vec::new();
        put(&mut framed, request);
        stream.write_all(&framed)?;
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > MOST {
            return Err(refused("the ssh-agent answers with more than it could"));
        }
        let mut reply = vec![0; length];
        stream.read_exact(&mut reply)?;
        Ok(reply)
    }
}

fn refused(why: &str) -> io::Error {
    io::Error::other(why.to_owned())
}

/// A field: its length, then its bytes.
fn put(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    to.extend(bytes);
}

/// The rest of a message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let (head, rest) =
            self.0.split_at_checked(length).ok_or_else(|| refused("the ssh-agent's answer breaks off"))?;
        self.0 = rest;
        Ok(head)
    }

    fn byte(&mut self) -> io::Result<u8> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }

    fn number(&mut self) -> io::Result<u32> {
        Ok(self.take(4)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn text(&mut self) -> io::Result<&'a [u8]> {
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use ring::signature::{Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

    use super::*;

    /// An agent that holds one ed25519 key and one of another kind, for `times` questions.
    fn agent(folder: &Path, times: usize) -> (Agent, [u8; 32], thread::JoinHandle<()>) {
        let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let public: [u8; 32] = key.public_key().as_ref().try_into().unwrap();
        let listener = UnixListener::bind(folder.join("agent")).unwrap();
        let serving = thread::spawn(move || {
            for _ in 0..times {
                let (mut stream, _) = listener.accept().unwrap();
                let mut length = [0; 4];
                stream.read_exact(&mut length).unwrap();
                let mut request = vec![0; u32::from_be_bytes(length) as usize];
                stream.read_exact(&mut request).unwrap();
                let mut request = Fields(&request);
                let mut reply = Vec::new();
                match request.byte().unwrap() {
                    REQUEST_IDENTITIES => {
                        reply.extend([IDENTITIES, 0, 0, 0, 2]);
                        for (kind, bytes) in [(b"ssh-rsa".as_slice(), [1; 32]), (ED25519, public)] {
                            let mut blob = Vec::new();
                            put(&mut blob, kind);
                            put(&mut blob, &bytes);
                            put(&mut reply, &blob);
                            put(&mut reply, b"me@here");
                        }
                    }
                    SIGN_REQUEST => {
                        let mut blob = Fields(request.text().unwrap());
                        let (_, asked) = (blob.text().unwrap(), blob.text().unwrap());
                        if asked == public {
                            let mut signature = Vec::new();
                            put(&mut signature, ED25519);
                            put(&mut signature, key.sign(request.text().unwrap()).as_ref());
                            reply.push(SIGN_RESPONSE);
                            put(&mut reply, &signature);
                        } else {
                            reply.push(5);
                        }
                    }
                    _ => reply.push(5),
                }
                let mut framed = Vec::new();
                put(&mut framed, &reply);
                stream.write_all(&framed).unwrap();
            }
        });
        (Agent(folder.join("agent")), public, serving)
    }

    #[test]
    fn an_agent_lists_its_keys_and_signs() {
        let folder = tempfile::tempdir().unwrap();
        let (agent, public, serving) = agent(folder.path(), 3);
        assert_eq!(agent.keys().unwrap(), [Held { public, comment: "me@here".to_owned() }]);
        let signature = agent.sign(&public, b"text").unwrap();
        let key = UnparsedPublicKey::new(&ring::signature::ED25519, public);
        assert!(key.verify(b"text", &signature).is_ok() && key.verify(b"other", &signature).is_err());
        assert!(agent.sign(&[9; 32], b"text").unwrap_err().to_string().contains("ssh-add -l"));
        serving.join().unwrap();
        drop(folder);
        assert!(agent.keys().is_err(), "no agent");
    }

    #[test]
    fn an_answer_has_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("agent")).unwrap();
        let serving = thread::spawn(move || {
            for length in [MOST, MOST + 1] {
                let (mut stream, _) = listener.accept().unwrap();
                stream.read_exact(&mut [0; 5]).unwrap();
                stream.write_all(&u32::try_from(length).unwrap().to_be_bytes()).unwrap();
                let mut reply = vec![0; length];
                reply[0] = IDENTITIES;
                // Whoever refuses does not read on.
                stream.write_all(&reply).ok();
            }
        });
        let agent = Agent(folder.path().join("agent"));
        assert_eq!(agent.keys().unwrap(), []);
        assert!(agent.keys().unwrap_err().to_string().contains("more than it could"));
        serving.join().unwrap();
    }

    #[test]
    fn an_answer_that_breaks_off_is_an_error() {
        let mut fields = Fields(&[0, 0, 0, 9, 1]);
        assert!(fields.text().unwrap_err().to_string().contains("breaks off"));
        assert!(Fields(&[0, 0]).number().is_err() && Fields(&[]).byte().is_err());
    }
}
