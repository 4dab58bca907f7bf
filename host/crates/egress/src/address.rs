//! Which addresses may be dialled: the IANA special-purpose registries, in every disguise.
//!
//! The attack is a rule (or a name server) that points a request at the chassis's own
//! network: a metadata service, a database, the admin head. A name tells nothing about
//! that, so the *address* is judged, and only judged addresses are dialled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What the chassis may dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressPolicy {
    /// Only global unicast addresses, and what the operator allows by name (`serve`).
    Private,
    /// Everything but what the operator denies by name (`dev`).
    Open,
}

/// An address that is not dialled, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{address} ({why})")]
pub(crate) struct Blocked {
    pub(crate) address: IpAddr,
    pub(crate) why: &'static str,
}

/// The policy with the operator's exceptions.
#[derive(Debug, Clone)]
pub(crate) struct Judge {
    pub(crate) policy: AddressPolicy,
    pub(crate) allow: Vec<IpNet>,
    pub(crate) deny: Vec<IpNet>,
    pub(crate) own_admin: Option<SocketAddr>,
}

impl Judge {
    /// Whether `address` may be dialled. The operator's allowed networks win, then the
    /// denied ones, then the policy.
    pub(crate) fn address(&self, address: IpAddr) -> Result<(), Blocked> {
        let address = address.to_canonical();
        let blocked = |why| Err(Blocked { address, why });
        if self.allow.iter().any(|net| net.contains(&address)) {
            return Ok(());
        }
        if self.deny.iter().any(|net| net.contains(&address)) {
            return blocked("denied by the operator");
        }
        // An IPv6 address that a gateway turns into an IPv4 address is judged as both.
        if let IpAddr::V6(v6) = address
            && let Some(inner) = embedded(v6)
            && self.address(IpAddr::V4(inner)).is_err()
        {
            return blocked("private/internal address space: leads to such an IPv4 address");
        }
        match (self.policy, special(address)) {
            (AddressPolicy::Private, Some(why)) => blocked(why),
            (AddressPolicy::Private, None) | (AddressPolicy::Open, _) => Ok(()),
        }
    }

    /// Whether `address` with its port may be dialled: also not our own admin head,
    /// whatever the policy (a rule must not act as an operator).
    pub(crate) fn dial(&self, target: SocketAddr) -> Result<(), Blocked> {
        self.not_admin(target)?;
        self.address(target.ip())
    }

    /// Whether requests may go to `port`, whatever the address.
    pub(crate) fn port(&self, port: u16) -> Result<(), &'static str> {
        match self.policy {
            AddressPolicy::Private if OTHER_PROTOCOLS.contains(&port) => {
                Err("a port of another protocol, which would read the request as its own")
            }
            AddressPolicy::Private | AddressPolicy::Open => Ok(()),
        }
    }

    fn not_admin(&self, target: SocketAddr) -> Result<(), Blocked> {
        let Some(admin) = self.own_admin.filter(|admin| admin.port() == target.port()) else {
            return Ok(());
        };
        let (ours, theirs) = (admin.ip().to_canonical(), target.ip().to_canonical());
        let same = if theirs.is_unspecified() {
            // The kernel dials 0.0.0.0 and :: as the loopback address.
            ours.is_loopback() || ours.is_unspecified()
        } else if ours.is_unspecified() {
            is_ours(theirs)
        } else {
            ours == theirs
        };
        if same { Err(Blocked { address: theirs, why: "the chassis's own admin head" }) } else { Ok(()) }
    }
}

/// Whether `address` is one of this machine's: only then can a socket be bound to it.
fn is_ours(address: IpAddr) -> bool {
    address.is_loopback() || UdpSocket::bind((address, 0)).is_ok()
}

/// Ports where something else than HTTP listens that takes lines of text for commands, and
/// would find them in a request (the Fetch standard's list of bad ports).
const OTHER_PROTOCOLS: &[u16] = &[
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514,
    515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723,
    2049, 3659, 4045, 4190, 5060, 5061, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
    11211,
];

/// The registry of IPv4 special-purpose addresses, multicast and the deprecated ranges.
const V4: &[(Ipv4Net, &str)] = &[
    (v4([0, 0, 0, 0], 8), "private/internal address space: this network"),
    (v4([10, 0, 0, 0], 8), "private/internal address space: private use"),
    (v4([100, 64, 0, 0], 10), "private/internal address space: carrier-grade NAT"),
    (v4([127, 0, 0, 0], 8), "private/internal address space: loopback"),
    (v4([169, 254, 0, 0], 16), "private/internal address space: link-local"),
    (v4([172, 16, 0, 0], 12), "private/internal address space: private use"),
    (v4([192, 0, 0, 0], 24), "private/internal address space: protocol assignments"),
    (v4([192, 0, 2, 0], 24), "private/internal address space: documentation"),
    (v4([192, 31, 196, 0], 24), "private/internal address space: AS112"),
    (v4([192, 52, 193, 0], 24), "private/internal address space: AMT relays"),
    (v4([192, 88, 99, 0], 24), "private/internal address space: 6to4 relays"),
    (v4([192, 168, 0, 0], 16), "private/internal address space: private use"),
    (v4([192, 175, 48, 0], 24), "private/internal address space: AS112"),
    (v4([198, 18, 0, 0], 15), "private/internal address space: benchmarking"),
    (v4([198, 51, 100, 0], 24), "private/internal address space: documentation"),
    (v4([203, 0, 113, 0], 24), "private/internal address space: documentation"),
    (v4([224, 0, 0, 0], 4), "private/internal address space: multicast"),
    (v4([240, 0, 0, 0], 4), "private/internal address space: reserved or broadcast"),
];

/// The registry of IPv6 special-purpose addresses inside `2000::/3`, where all global
/// unicast addresses lie. Outside of it only NAT64's well-known prefix is dialled.
const V6_GLOBAL: &[(Ipv6Net, &str)] = &[
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), "private/internal address space: Teredo"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "private/internal address space: protocol assignments"),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), "private/internal address space: documentation"),
    (v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48), "private/internal address space: AS112"),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "private/internal address space: documentation"),
];

/// What lies outside of `2000::/3`, by its name.
const V6_OTHER: &[(Ipv6Net, &str)] = &[
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "private/internal address space: loopback"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "private/internal address space: unspecified"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 96), "private/internal address space: IPv4-compatible"),
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), "private/internal address space: local-use NAT64"),
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), "private/internal address space: discard-only"),
    (v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64), "private/internal address space: dummy prefix"),
    (v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), "private/internal address space: segment routing"),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "private/internal address space: unique local"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "private/internal address space: link-local"),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "private/internal address space: site-local"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "private/internal address space: multicast"),
];

const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);
const SIX_TO_FOUR: Ipv6Net = v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16);
const TEREDO: Ipv6Net = v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32);
const NAT64_LOCAL: Ipv6Net = v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48);

/// The special purpose of `address`, when it has one.
fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => V4.iter().find(|(net, _)| net.contains(&address)).map(|(_, why)| *why),
        IpAddr::V6(address) if NAT64.contains(&address) => None,
        IpAddr::V6(address) if GLOBAL_UNICAST.contains(&address) => {
            V6_GLOBAL.iter().find(|(net, _)| net.contains(&address)).map(|(_, why)| *why)
        }
        IpAddr::V6(address) => {
            let named = V6_OTHER.iter().find(|(net, _)| net.contains(&address)).map(|(_, why)| *why);
            Some(named.unwrap_or("private/internal address space: not assigned"))
        }
    }
}

/// The IPv4 address that a transition mechanism would dial for `address`.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [s0, s1, s2, s3, s4, s5, s6, s7] = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low));
    if SIX_TO_FOUR.contains(&address) {
        Some(join(s1, s2))
    } else if TEREDO.contains(&address) {
        // The client's address is stored inverted (RFC 4380 §4).
        Some(join(!s6, !s7))
    } else if NAT64.contains(&address) || [s0, s1, s2, s3, s4, s5] == [0; 6] && (s6, s7 >> 1) != (0, 0) {
        Some(join(s6, s7))
    } else if NAT64_LOCAL.contains(&address) {
        // RFC 6052 §2.2 for a /48: two octets, the zero octet, two octets.
        Some(join(s3, ((s4 & 0x00ff) << 8) | (s5 >> 8)))
    } else if (s4 | 0x0200) == 0x0200 && s5 == 0x5efe {
        Some(join(s6, s7)) // ISATAP (RFC 5214 §6.1)
    } else {
        None
    }
}

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    let [a, b, c, d] = octets;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(segments: [u16; 8], prefix: u8) -> Ipv6Net {
    let [a, b, c, d, e, f, g, h] = segments;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(policy: AddressPolicy) -> Judge {
        Judge { policy, allow: Vec::new(), deny: Vec::new(), own_admin: None }
    }

    fn blocked(judge: &Judge, address: &str) -> bool {
        judge.address(address.parse().unwrap()).is_err()
    }

    #[test]
    fn every_special_purpose_address_is_blocked_first_and_last() {
        let private = judge(AddressPolicy::Private);
        let nets4 = V4.iter().map(|(net, _)| IpNet::V4(*net));
        let nets6 = V6_GLOBAL.iter().chain(V6_OTHER).map(|(net, _)| IpNet::V6(*net));
        let mut seen = 0;
        for net in nets4.chain(nets6) {
            for address in [net.network(), net.broadcast()] {
                assert!(private.address(address).is_err(), "{address}");
                assert!(judge(AddressPolicy::Open).address(address).is_ok(), "{address}");
                seen += 1;
            }
        }
        assert_eq!(seen, 2 * (18 + 5 + 11));
    }

    /// H15 of the weaknesses: the registries as IANA publishes them, and not as the table has them.
    #[test]
    fn every_entry_of_the_registries_is_blocked() {
        let registries = "0.0.0.0/8 0.0.0.0/32 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 \
            172.16.0.0/12 192.0.0.0/24 192.0.0.0/29 192.0.0.8/32 192.0.0.9/32 192.0.0.10/32 192.0.0.170/32 \
            192.0.0.171/32 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 \
            192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 255.255.255.255/32 \
            224.0.0.0/4 ::1/128 ::/128 ::ffff:0:0/104 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 \
            2001::/32 2001:1::1/128 2001:1::2/128 2001:1::3/128 2001:2::/48 2001:3::/32 2001:4:112::/48 \
            2001:10::/28 2001:20::/28 2001:30::/28 2001:db8::/32 2002:a00::/24 2620:4f:8000::/48 3fff::/20 \
            5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8 64:ff9b::a00:0/104 64:ff9b::7f00:0/104";
        let private = judge(AddressPolicy::Private);
        let nets = registries.split_whitespace().map(|net| net.parse::<IpNet>().unwrap());
        let mut seen = 0;
        for net in nets {
            for address in [net.network(), net.broadcast()] {
                assert!(private.address(address).is_err(), "{net}: {address}");
            }
            seen += 1;
        }
        assert_eq!(seen, 54);
    }

    #[test]
    fn ports_of_other_protocols_are_blocked() {
        let private = judge(AddressPolicy::Private);
        for port in [22, 25, 53, 110, 143, 389, 465, 587, 636, 6379, 6667, 11211] {
            assert!(private.port(port).is_err(), "{port}");
            assert!(judge(AddressPolicy::Open).port(port).is_ok(), "{port}");
        }
        for port in [80, 443, 3000, 5000, 8000, 8080, 8443, 9200, 65535] {
            assert!(private.port(port).is_ok(), "{port}");
        }
        assert!(OTHER_PROTOCOLS.is_sorted());
    }

    #[test]
    fn the_neighbours_of_blocked_networks_are_dialled() {
        let private = judge(AddressPolicy::Private);
        for good in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2002:101:101::1",
            "64:ff9b::101:101",
            "::ffff:1.1.1.1",
            "3ffe:ffff::1",
        ] {
            assert!(!blocked(&private, good), "{good}");
        }
    }

    #[test]
    fn an_ipv4_address_inside_an_ipv6_address_is_judged_too() {
        let private = judge(AddressPolicy::Private);
        for bad in [
            "::ffff:127.0.0.1",          // mapped
            "::ffff:a9fe:a9fe",          // mapped metadata service
            "::127.0.0.1",               // IPv4-compatible
            "::8.8.8.8",                 // IPv4-compatible, deprecated altogether
            "2002:7f00:1::1",            // 6to4
            "2002:a00:1::1",             // 6to4
            "64:ff9b::7f00:1",           // NAT64
            "64:ff9b::a9fe:a9fe",        // NAT64 metadata service
            "64:ff9b:1::808:808",        // local-use NAT64
            "2001:0:808:808::80ff:fffe", // Teredo with client 127.0.0.1
            "2606:4700::5efe:10.0.0.1",  // ISATAP
            "2606:4700::200:5efe:10.0.0.1",
        ] {
            assert!(blocked(&private, bad), "{bad}");
        }
    }

    #[test]
    fn the_operator_has_the_last_word() {
        let mut j = judge(AddressPolicy::Private);
        j.allow = vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        j.deny = vec!["127.0.0.1/32".parse().unwrap(), "1.1.1.0/24".parse().unwrap()];
        assert!(!blocked(&j, "127.0.0.1"));
        assert!(!blocked(&j, "::ffff:127.0.0.1"));
        assert!(!blocked(&j, "fd00::1"));
        assert!(blocked(&j, "fc00::1"));
        assert!(blocked(&j, "1.1.1.1"));
        assert!(blocked(&j, "::ffff:1.1.1.1"));
        assert!(blocked(&j, "64:ff9b::101:101"), "a denied address behind NAT64");
        j.policy = AddressPolicy::Open;
        assert!(blocked(&j, "1.1.1.1"), "denied by name holds under open");
        assert!(!blocked(&j, "10.0.0.1"));
    }

    #[test]
    fn our_own_admin_head_is_never_dialled() {
        let mut j = judge(AddressPolicy::Open);
        let dial = |j: &Judge, to: &str| j.dial(to.parse().unwrap()).is_ok();
        j.own_admin = Some("127.0.0.1:8081".parse().unwrap());
        for bad in ["127.0.0.1:8081", "[::ffff:127.0.0.1]:8081", "0.0.0.0:8081", "[::]:8081"] {
            assert!(!dial(&j, bad), "{bad}");
        }
        for good in ["127.0.0.1:8080", "127.0.0.2:8081", "1.1.1.1:8081"] {
            assert!(dial(&j, good), "{good}");
        }
        j.own_admin = Some("0.0.0.0:8081".parse().unwrap());
        for bad in ["127.0.0.1:8081", "127.9.9.9:8081", "[::1]:8081", "0.0.0.0:8081"] {
            assert!(!dial(&j, bad), "{bad}");
        }
        assert!(dial(&j, "1.1.1.1:8081"));
        j.allow = vec!["127.0.0.0/8".parse().unwrap()];
        assert!(!dial(&j, "127.0.0.1:8081"), "an allowed network does not open the admin head");
    }
}
