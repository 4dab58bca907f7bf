//! What attacks by ops share: a hostile guest, pushed as a tenant's op and granted a secret by a rule.

use serde_json::{Value, json};
use support::{Builder, Call, Canary, Host, Output, Reply, Upstream};

use crate::TXCO;
use crate::attack::fault;

/// Is shown its secret (`tests/guests/hostile.wat`).
pub(crate) const HOSTILE: Guest = Guest {
    name: "hostile",
    component: include_bytes!("../guests/dist/hostile.wasm"),
    manifest: "name = \"hostile\"\nfailures = [\"no-such-slot\", \"denied\"]\n\
               [slots.key]\n[[outputs]]\npath = \"p\"\nclass = \"credential\"\n",
};

/// Uses its secret through handles (`tests/guests/forger.wat`).
pub(crate) const FORGER: Guest = Guest {
    name: "forger",
    component: include_bytes!("../guests/dist/forger.wasm"),
    manifest: "name = \"forger\"\nfailures = [\"no-such-slot\"]\n\
               [slots.key]\n[[outputs]]\npath = \"p\"\nclass = \"digest\"\n",
};

/// Looks for what others left (`tests/guests/scavenger.wat`).
pub(crate) const SCAVENGER: Guest = Guest {
    name: "scavenger",
    component: include_bytes!("../guests/dist/scavenger.wasm"),
    manifest: "name = \"scavenger\"\n[[outputs]]\npath = \"p\"\nclass = \"data\"\n",
};

/// Long enough for everything that is not about time, on any machine.
const PATIENT: [&str; 2] = ["--sandbox-wall", "30s"];

/// A guest of `tests/guests` and what it says of itself.
#[derive(Clone, Copy)]
pub(crate) struct Guest {
    pub(crate) name: &'static str,
    component: &'static [u8],
    manifest: &'static str,
}

impl Guest {
    /// The component with its manifest: what a tenant pushes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let content = [sized(b"txco:manifest"), self.manifest.as_bytes().to_vec()].concat();
        // A custom section, at the level of the component itself.
        [self.component.to_vec(), vec![0], sized(&content)].concat()
    }

    /// The rule that calls it, when an event says with which attack.
    pub(crate) fn rule(&self) -> String {
        format!(
            "WHEN .body.attack != null\nEXEC \"op://{}\"\n\
             WITH secrets.key.secret = \"THE_SECRET\", attack = .body.attack\n",
            self.name
        )
    }
}

/// Bytes behind their own length, an unsigned LEB128.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let mut sized = Vec::new();
    let mut left = bytes.len();
    while left > 0x7f {
        sized.push(0x80 | u8::try_from(left & 0x7f).unwrap());
        left >>= 7;
    }
    sized.push(u8::try_from(left).unwrap());
    sized.extend_from_slice(bytes);
    sized
}

/// `txco op ARGS…` against this chassis.
pub(crate) fn op(host: &mut Host, args: &[&str]) -> Output {
    let call = args.iter().fold(Call::new(&["op"]), |call, arg| call.arg(arg));
    let url = format!("http://{}", host.admin_address());
    host.run(&call.arg("--url").arg(&url))
}

/// Pushes the guest.
#[track_caller]
pub(crate) fn push(host: &mut Host, guest: &Guest) {
    let file = format!("{}.wasm", guest.name);
    host.write(&file, guest.bytes());
    op(host, &["push", &file]).succeeds();
}

/// A chassis with `guest` pushed, its secret stored and its rule loaded. It was started again after that, so
/// that nothing but calls brings the secret into its memory.
pub(crate) fn with_guests(builder: Builder, guests: &[&Guest]) -> (Host, Canary) {
    let mut host = builder.rule("OPS/web/50/hello.txcl", "EMIT .hello = 1\n").start();
    let secret = host.store("THE_SECRET");
    for guest in guests {
        push(&mut host, guest);
    }
    host.stop();
    for guest in guests {
        host.write(&format!("workspace/OPS/web/100/{}.txcl", guest.name), guest.rule());
    }
    host.start();
    (host, secret)
}

/// The same for one guest, with time for everything.
pub(crate) fn with_guest(guest: &Guest) -> (Host, Canary) {
    with_guests(Host::serve(TXCO).flags(&PATIENT), &[guest])
}

/// The same, and a vendor behind `api.vendor.com`.
pub(crate) fn with_guest_and_vendor(guest: &Guest, vendor: &Upstream) -> (Host, Canary) {
    with_guests(Host::serve(TXCO).flags(&PATIENT).upstream(vendor, "api.vendor.com:443"), &[guest])
}

/// Sends the event that makes the guest attack.
pub(crate) fn attack(host: &mut Host, attack: u32) -> Reply {
    host.event("/", &json!({ "attack": attack }))
}

/// The attack ends in exactly `code`, which the client sees as `outside`; the next request is served; and no
/// copy of the secret is left, anywhere in the memory of the chassis.
#[track_caller]
pub(crate) fn ends(mut host: Host, secret: &Canary, number: u32, code: &str, outside: (u16, &str)) -> Trace {
    let reply = attack(&mut host, number);
    assert_eq!(
        (reply.status, reply.json()["error"]["code"].as_str()),
        (outside.0, Some(outside.1)),
        "{}",
        reply.text()
    );
    assert_eq!(fault(&host), code);
    host.forgot(secret, &format!("attack {number}"));
    served(&mut host);
    host.forgot(secret, "an honest call after it");
    let trace = Trace::of(&mut host);
    host.finish();
    trace
}

/// An honest call of the guest succeeds.
#[track_caller]
pub(crate) fn served(host: &mut Host) {
    let reply = attack(host, 0);
    assert_eq!(reply.status, 200, "the next request: {}", reply.text());
    assert!(reply.json()["p"].is_string(), "{}", reply.text());
}

/// All that a run's traces say.
pub(crate) struct Trace(String);

impl Trace {
    pub(crate) fn of(host: &mut Host) -> Self {
        Self(host.files("data/trace").iter().map(|file| host.read(file)).collect())
    }

    /// The traces say this somewhere.
    #[track_caller]
    pub(crate) fn says(&self, words: &str) {
        assert!(self.0.contains(words), "{words:?} is not in {}", self.0);
    }
}

/// What an honest reply says at `p`.
pub(crate) fn said(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["p"].clone()
}
