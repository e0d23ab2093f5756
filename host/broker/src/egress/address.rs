//! May this address be dialled? Pure.
//!
//! Only addresses of the public internet may, and those that the operator named.
//! An address that carries another inside (mapped, translated, tunnelled) is
//! judged by what it carries as well, since that is where packets come out.
//! IPv6 is refused unless it is known to be public.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What an address is, when it is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// No address, or "this network".
    Unspecified,
    /// This machine.
    Loopback,
    /// A network of somebody's own, unique-local and site-local included.
    Private,
    /// Shared between a provider and its customers.
    Shared,
    /// This link only.
    LinkLocal,
    /// Where clouds keep credentials.
    Metadata,
    /// Many receivers.
    Multicast,
    /// All receivers.
    Broadcast,
    /// For examples.
    Documentation,
    /// Not given to anybody, or for a special purpose.
    Reserved,
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Special::Unspecified => "unspecified",
            Special::Loopback => "loopback",
            Special::Private => "private",
            Special::Shared => "shared",
            Special::LinkLocal => "link-local",
            Special::Metadata => "metadata",
            Special::Multicast => "multicast",
            Special::Broadcast => "broadcast",
            Special::Documentation => "documentation",
            Special::Reserved => "reserved",
        })
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

/// IANA's IPv4 Special-Purpose Address Registry, the more special first, and the
/// clouds' metadata addresses.
const V4: [(Ipv4Net, Special); 21] = [
    (v4(169, 254, 169, 254, 32), Special::Metadata),
    (v4(169, 254, 170, 2, 32), Special::Metadata),
    (v4(100, 100, 100, 200, 32), Special::Metadata),
    (v4(168, 63, 129, 16, 32), Special::Metadata),
    (v4(192, 0, 0, 192, 32), Special::Metadata),
    (v4(255, 255, 255, 255, 32), Special::Broadcast),
    (v4(0, 0, 0, 0, 8), Special::Unspecified),
    (v4(10, 0, 0, 0, 8), Special::Private),
    (v4(100, 64, 0, 0, 10), Special::Shared),
    (v4(127, 0, 0, 0, 8), Special::Loopback),
    (v4(169, 254, 0, 0, 16), Special::LinkLocal),
    (v4(172, 16, 0, 0, 12), Special::Private),
    (v4(192, 0, 0, 0, 24), Special::Reserved),
    (v4(192, 0, 2, 0, 24), Special::Documentation),
    (v4(192, 88, 99, 0, 24), Special::Reserved),
    (v4(192, 168, 0, 0, 16), Special::Private),
    (v4(198, 18, 0, 0, 15), Special::Reserved),
    (v4(198, 51, 100, 0, 24), Special::Documentation),
    (v4(203, 0, 113, 0, 24), Special::Documentation),
    (v4(224, 0, 0, 0, 4), Special::Multicast),
    (v4(240, 0, 0, 0, 4), Special::Reserved),
];

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// The same for IPv6. What is in no row and carries no other address is public
/// inside [`GLOBAL`], except in [`PROTOCOLS`], and reserved outside of it.
const V6: [(Ipv6Net, Special); 11] = [
    (
        Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254), 128),
        Special::Metadata,
    ),
    (
        Ipv6Net::new_assert(Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254), 128),
        Special::Metadata,
    ),
    (
        Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128),
        Special::Unspecified,
    ),
    (
        Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128),
        Special::Loopback,
    ),
    (v6(0x0064, 0xff9b, 1, 48), Special::Private),
    (v6(0x2001, 0x0db8, 0, 32), Special::Documentation),
    (v6(0x3fff, 0, 0, 20), Special::Documentation),
    (v6(0xfc00, 0, 0, 7), Special::Private),
    (v6(0xfe80, 0, 0, 10), Special::LinkLocal),
    (v6(0xfec0, 0, 0, 10), Special::Private),
    (v6(0xff00, 0, 0, 8), Special::Multicast),
];

/// Where public addresses come from.
const GLOBAL: Ipv6Net = v6(0x2000, 0, 0, 3);
/// Benchmarking, ORCHID and other protocols' own. Teredo lies in here, too.
const PROTOCOLS: Ipv6Net = v6(0x2001, 0, 0, 23);
const NAT64: Ipv6Net = v6(0x0064, 0xff9b, 0, 96);
const SIX_TO_FOUR: Ipv6Net = v6(0x2002, 0, 0, 16);
const TEREDO: Ipv6Net = v6(0x2001, 0, 0, 32);

/// Whether an address may be dialled under a grant that names these networks:
/// it is public, or one of them contains it. Says what it is if not.
pub fn judge(address: IpAddr, granted: &[IpNet]) -> Result<(), Special> {
    let Some(special) = special(address) else {
        return Ok(());
    };
    // `::ffff:127.0.0.1` and `127.0.0.1` are one destination.
    let address = address.to_canonical();
    match granted.iter().any(|net| net.contains(&address)) {
        true => Ok(()),
        false => Err(special),
    }
}

/// What an address is; none when it is public.
pub fn special(address: IpAddr) -> Option<Special> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<Special> {
    let row = V4.iter().find(|(net, _)| net.contains(&address));
    row.map(|(_, special)| *special)
}

fn special_v6(address: Ipv6Addr) -> Option<Special> {
    let bits = address.to_bits();
    let at = |shift: u32| Ipv4Addr::from_bits((bits >> shift) as u32);
    if let Some(mapped) = address.to_ipv4_mapped() {
        return special_v4(mapped);
    }
    let row = V6.iter().find(|(net, _)| net.contains(&address));
    if let Some((_, special)) = row {
        return Some(*special);
    }
    // `::a.b.c.d`, long gone; nothing answers there but a local stack.
    if bits >> 32 == 0 {
        return Some(special_v4(at(0)).unwrap_or(Special::Reserved));
    }
    if NAT64.contains(&address) {
        return special_v4(at(0));
    }
    if SIX_TO_FOUR.contains(&address) {
        return special_v4(at(80));
    }
    if TEREDO.contains(&address) {
        let client = Ipv4Addr::from_bits(!(bits as u32));
        return special_v4(at(64)).or_else(|| special_v4(client));
    }
    let public = GLOBAL.contains(&address) && !PROTOCOLS.contains(&address);
    (!public).then_some(Special::Reserved)
}

#[cfg(test)]
mod tests;
