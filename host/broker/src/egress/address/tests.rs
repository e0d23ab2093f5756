use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use super::*;

/// Addresses of no public network: the ends of every block, and what lies
/// between.
const REFUSED: &[(&str, Special)] = &[
    ("0.0.0.0", Special::Unspecified),
    ("0.0.0.1", Special::Unspecified),
    ("0.255.255.255", Special::Unspecified),
    ("10.0.0.0", Special::Private),
    ("10.1.2.3", Special::Private),
    ("10.255.255.255", Special::Private),
    ("100.64.0.0", Special::Shared),
    ("100.100.100.199", Special::Shared),
    ("100.100.100.200", Special::Metadata),
    ("100.127.255.255", Special::Shared),
    ("127.0.0.0", Special::Loopback),
    ("127.0.0.1", Special::Loopback),
    ("127.0.0.53", Special::Loopback),
    ("127.1.1.1", Special::Loopback),
    ("127.255.255.254", Special::Loopback),
    ("127.255.255.255", Special::Loopback),
    ("168.63.129.16", Special::Metadata),
    ("169.254.0.0", Special::LinkLocal),
    ("169.254.169.253", Special::LinkLocal),
    ("169.254.169.254", Special::Metadata),
    ("169.254.170.2", Special::Metadata),
    ("169.254.255.255", Special::LinkLocal),
    ("172.16.0.0", Special::Private),
    ("172.17.0.1", Special::Private),
    ("172.31.255.255", Special::Private),
    ("192.0.0.0", Special::Reserved),
    ("192.0.0.8", Special::Reserved),
    ("192.0.0.170", Special::Reserved),
    ("192.0.0.192", Special::Metadata),
    ("192.0.0.255", Special::Reserved),
    ("192.0.2.0", Special::Documentation),
    ("192.0.2.255", Special::Documentation),
    ("192.88.99.0", Special::Reserved),
    ("192.88.99.1", Special::Reserved),
    ("192.88.99.255", Special::Reserved),
    ("192.168.0.0", Special::Private),
    ("192.168.1.1", Special::Private),
    ("192.168.255.255", Special::Private),
    ("198.18.0.0", Special::Reserved),
    ("198.19.255.255", Special::Reserved),
    ("198.51.100.0", Special::Documentation),
    ("198.51.100.255", Special::Documentation),
    ("203.0.113.0", Special::Documentation),
    ("203.0.113.255", Special::Documentation),
    ("224.0.0.0", Special::Multicast),
    ("224.0.0.251", Special::Multicast),
    ("233.252.0.1", Special::Multicast),
    ("239.255.255.250", Special::Multicast),
    ("239.255.255.255", Special::Multicast),
    ("240.0.0.0", Special::Reserved),
    ("250.1.2.3", Special::Reserved),
    ("255.255.255.254", Special::Reserved),
    ("255.255.255.255", Special::Broadcast),
];

/// The same, of version 6 alone.
const REFUSED_V6: &[(&str, Special)] = &[
    ("::", Special::Unspecified),
    ("::1", Special::Loopback),
    ("::2", Special::Unspecified),
    ("::1.2.3.4", Special::Reserved),
    ("::ffff:0:127.0.0.1", Special::Reserved),
    ("0:0:0:1::", Special::Reserved),
    ("64:ff9b:1::", Special::Private),
    ("64:ff9b:1:ffff::8.8.8.8", Special::Private),
    ("64:ff9b:2::", Special::Reserved),
    ("64:ff9b::1:0:0", Special::Reserved),
    ("100::", Special::Reserved),
    ("100::ffff:ffff:ffff:ffff", Special::Reserved),
    ("100:0:0:1::", Special::Reserved),
    ("1fff:ffff::", Special::Reserved),
    ("2001:1::1", Special::Reserved),
    ("2001:2::", Special::Reserved),
    ("2001:10::", Special::Reserved),
    ("2001:20::1", Special::Reserved),
    ("2001:1ff:ffff::", Special::Reserved),
    ("2001:db8::", Special::Documentation),
    (
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        Special::Documentation,
    ),
    ("3fff::", Special::Documentation),
    ("3fff:fff:ffff::", Special::Documentation),
    ("4000::", Special::Reserved),
    ("5f00::1", Special::Reserved),
    ("8000::1", Special::Reserved),
    ("fbff::1", Special::Reserved),
    ("fc00::", Special::Private),
    ("fd00::1", Special::Private),
    ("fd00:ec2::254", Special::Metadata),
    ("fd20:ce::254", Special::Metadata),
    ("fdff:ffff::1", Special::Private),
    ("fe00::1", Special::Reserved),
    ("fe80::", Special::LinkLocal),
    ("fe80::1", Special::LinkLocal),
    ("febf:ffff::1", Special::LinkLocal),
    ("fec0::1", Special::Private),
    ("feff:ffff::1", Special::Private),
    ("ff00::", Special::Multicast),
    ("ff02::1", Special::Multicast),
    ("ff0e::1", Special::Multicast),
    (
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        Special::Multicast,
    ),
];

/// The neighbours of the blocks, and some that everybody knows.
const PUBLIC: &[&str] = &[
    "1.0.0.0",
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.0.3.0",
    "192.88.98.255",
    "192.88.100.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "198.51.99.255",
    "198.51.101.0",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
];

const PUBLIC_V6: &[&str] = &[
    "2000::1",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2001:db7:ffff::1",
    "2001:db9::1",
    "2003::1",
    "2606:4700:4700::1111",
    "3ffe::1",
    "3fff:1000::1",
];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

/// Every way to carry an IPv4 address in an IPv6 one that leads there.
fn carriers(inside: Ipv4Addr) -> Vec<IpAddr> {
    let [a, b, c, d] = inside.octets().map(u16::from);
    let (high, low) = (a << 8 | b, c << 8 | d);
    let v6 = |segments: [u16; 8]| IpAddr::from(Ipv6Addr::from(segments));
    vec![
        v6([0, 0, 0, 0, 0, 0xffff, high, low]),
        v6([0x0064, 0xff9b, 0, 0, 0, 0, high, low]),
        v6([0x2002, high, low, 0, 0, 0, 0, 1]),
        v6([0x2001, 0, high, low, 0, 0, 0xf7f7, 0xf7f7]),
        v6([0x2001, 0, 0x0808, 0x0808, 0, 0, !high, !low]),
    ]
}

/// Every way to write an IPv4 address that a URL's host understands.
fn spellings(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets();
    let bits = address.to_bits();
    let rest = bits & 0x00ff_ffff;
    vec![
        format!("{a}.{b}.{c}.{d}"),
        format!("{a}.{b}.{c}.{d}."),
        format!("{bits}"),
        format!("{bits:#x}"),
        format!("0X{bits:X}"),
        format!("0{bits:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("000{a:o}.{b}.{c:#x}.0{d:o}"),
        format!("{a}.{rest}"),
        format!("{a:#x}.{rest:#x}"),
        format!("{a}.{b}.{}", rest & 0xffff),
    ]
}

#[test]
fn no_address_that_is_not_public_may_be_dialled() {
    let mut vectors = 0;
    for (text, special) in REFUSED.iter().chain(REFUSED_V6) {
        assert_eq!(judge(ip(text), &[]), Err(*special), "{text}");
        vectors += 1;
    }
    assert!(vectors > 90, "{vectors}");
}

#[test]
fn public_addresses_may_be_dialled() {
    for text in PUBLIC.iter().chain(PUBLIC_V6) {
        assert_eq!(judge(ip(text), &[]), Ok(()), "{text}");
    }
}

#[test]
fn an_address_inside_another_is_judged() {
    let mut vectors = 0;
    for (text, special) in REFUSED {
        for carrier in carriers(text.parse().unwrap()) {
            assert_eq!(judge(carrier, &[]), Err(*special), "{text} in {carrier}");
            vectors += 1;
        }
        let [a, b, c, d] = text.parse::<Ipv4Addr>().unwrap().octets().map(u16::from);
        let compatible = Ipv6Addr::new(0, 0, 0, 0, 0, 0, a << 8 | b, c << 8 | d);
        assert!(judge(compatible.into(), &[]).is_err(), "{compatible}");
        vectors += 1;
    }
    assert!(vectors > 300, "{vectors}");
    for text in PUBLIC {
        for carrier in carriers(text.parse().unwrap()) {
            assert_eq!(judge(carrier, &[]), Ok(()), "{text} in {carrier}");
        }
    }
}

#[test]
fn every_spelling_of_an_address_is_the_address() {
    let mut vectors = 0;
    for (text, _) in REFUSED {
        let address: Ipv4Addr = text.parse().unwrap();
        for spelling in spellings(address) {
            let url = Url::parse(&format!("http://{spelling}/")).unwrap();
            let Some(Host::Ipv4(read)) = url.host() else {
                panic!("{spelling} is no address to the parser");
            };
            assert_eq!(read, address, "{spelling}");
            assert!(judge(read.into(), &[]).is_err(), "{spelling}");
            vectors += 1;
        }
    }
    assert!(vectors > 600, "{vectors}");
}

#[test]
fn a_granted_network_may_be_dialled_and_nothing_beside_it() {
    let nets: Vec<IpNet> = ["127.0.0.0/8", "10.1.2.0/24", "fd00:1::/32"]
        .map(|net| net.parse().unwrap())
        .into();
    for text in [
        "127.0.0.1",
        "127.255.255.255",
        "::ffff:127.0.0.1",
        "10.1.2.3",
        "::ffff:10.1.2.3",
        "fd00:1::5",
    ] {
        assert_eq!(judge(ip(text), &nets), Ok(()), "{text}");
    }
    for text in [
        "::1",
        "10.1.3.3",
        "10.1.1.255",
        "fd00:2::5",
        "169.254.169.254",
        // Not the granted address but somebody who would pass packets on to it.
        "64:ff9b::127.0.0.1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "::127.0.0.1",
    ] {
        assert!(judge(ip(text), &nets).is_err(), "{text}");
    }
}
