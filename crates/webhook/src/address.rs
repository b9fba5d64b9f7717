use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far an endpoint may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Addresses of the public Internet only.
    Public,
    /// Any address: the seller's own network, too.
    Anywhere,
}

/// An address that an endpoint must not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {range}, and only public addresses are allowed")]
pub struct AddressRefused {
    /// The address.
    pub address: IpAddr,
    /// Why it is refused.
    pub range: RefusedRange,
}

/// What an address is that is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedRange {
    /// This machine.
    Loopback,
    /// A private network (RFC 1918, RFC 4193).
    Private,
    /// Behind a carrier's NAT (RFC 6598); Alibaba Cloud's metadata service is there.
    Shared,
    /// The same link (RFC 3927, RFC 4291); AWS's metadata service is there.
    LinkLocal,
    /// A cloud's own service on a public-looking address.
    CloudService,
    /// An IPv6 address that carries an IPv4 address: mapped, translated or tunnelled.
    CarriesIpv4,
    /// Unspecified, multicast, for documentation, or reserved.
    Special,
}

impl fmt::Display for RefusedRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Loopback => "this machine",
            Self::Private => "in a private network",
            Self::Shared => "behind a carrier's NAT",
            Self::LinkLocal => "on the same link",
            Self::CloudService => "a cloud's own service",
            Self::CarriesIpv4 => "an IPv4 address inside IPv6",
            Self::Special => "of a reserved range",
        })
    }
}

impl Reach {
    /// Judges an address.
    ///
    /// # Errors
    /// An address that is out of reach, with the range that it is of.
    pub fn judge(self, address: IpAddr) -> Result<(), AddressRefused> {
        let range = match (self, address) {
            (Self::Anywhere, _) => None,
            (Self::Public, IpAddr::V4(address)) => refused_v4(address),
            (Self::Public, IpAddr::V6(address)) => refused_v6(address),
        };
        range.map_or(Ok(()), |range| Err(AddressRefused { address, range }))
    }
}

/// By IANA's registry of special-purpose IPv4 addresses.
fn refused_v4(address: Ipv4Addr) -> Option<RefusedRange> {
    match address.octets() {
        [127, ..] => Some(RefusedRange::Loopback),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some(RefusedRange::Private),
        [100, 64..=127, ..] => Some(RefusedRange::Shared),
        [169, 254, ..] => Some(RefusedRange::LinkLocal),
        // Azure's platform service.
        [168, 63, 129, 16] => Some(RefusedRange::CloudService),
        [0 | 224..=255, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => Some(RefusedRange::Special),
        _ => None,
    }
}

/// By IANA's registry of special-purpose IPv6 addresses: only `2000::/3` is public, and not all of it.
fn refused_v6(address: Ipv6Addr) -> Option<RefusedRange> {
    if address == Ipv6Addr::LOCALHOST {
        return Some(RefusedRange::Loopback);
    }
    match address.segments() {
        // Mapped, compatible or translated; NAT64; Teredo; 6to4.
        [0, 0, 0, 0, 0xffff, ..]
        | [0, 0, 0, 0, 0, 0xffff, ..]
        | [0x64, 0xff9b, ..]
        | [0x2001, 0, ..]
        | [0x2002, ..] => Some(RefusedRange::CarriesIpv4),
        [0xfc00..=0xfdff, ..] => Some(RefusedRange::Private),
        [0xfe80..=0xfeff, ..] => Some(RefusedRange::LinkLocal),
        [0x2001, 0x0001..=0x01ff | 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Some(RefusedRange::Special),
        [0x2000..=0x3fff, ..] => None,
        _ => Some(RefusedRange::Special),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> Option<RefusedRange> {
        Reach::Public.judge(text.parse().unwrap()).err().map(|refused| refused.range)
    }

    #[test]
    fn public_addresses_are_reached() {
        for text in
            ["1.1.1.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "223.5.5.5"]
        {
            assert_eq!(judged(text), None, "{text}");
        }
        for text in ["2606:4700:4700::1111", "2001:4860:4860::8888", "2a00::1", "3fff:1000::1"] {
            assert_eq!(judged(text), None, "{text}");
        }
    }

    #[test]
    fn addresses_inside_are_refused() {
        use RefusedRange::{CarriesIpv4, CloudService, LinkLocal, Loopback, Private, Shared, Special};
        for (text, range) in [
            ("127.0.0.1", Loopback),
            ("127.255.0.9", Loopback),
            ("::1", Loopback),
            ("10.0.0.1", Private),
            ("172.16.0.1", Private),
            ("172.31.255.255", Private),
            ("192.168.1.1", Private),
            ("fd00:ec2::254", Private),
            ("fc00::1", Private),
            ("100.64.0.1", Shared),
            ("100.100.100.200", Shared),
            ("169.254.169.254", LinkLocal),
            ("169.254.170.2", LinkLocal),
            ("fe80::1", LinkLocal),
            ("fec0::1", LinkLocal),
            ("168.63.129.16", CloudService),
            ("::ffff:127.0.0.1", CarriesIpv4),
            ("::ffff:8.8.8.8", CarriesIpv4),
            ("::ffff:0:127.0.0.1", CarriesIpv4),
            ("64:ff9b::7f00:1", CarriesIpv4),
            ("64:ff9b:1::a9fe:a9fe", CarriesIpv4),
            ("2002:7f00:1::", CarriesIpv4),
            ("2001::1", CarriesIpv4),
            ("0.0.0.0", Special),
            ("224.0.0.1", Special),
            ("255.255.255.255", Special),
            ("192.0.0.170", Special),
            ("198.18.0.1", Special),
            ("203.0.113.7", Special),
            ("::", Special),
            ("::7f00:1", Special),
            ("ff02::1", Special),
            ("2001:db8::1", Special),
            ("3fff::1", Special),
        ] {
            assert_eq!(judged(text), Some(range), "{text}");
        }
    }

    #[test]
    fn anywhere_reaches_the_sellers_own_network() {
        for text in ["127.0.0.1", "10.0.0.1", "fd00::1"] {
            assert_eq!(Reach::Anywhere.judge(text.parse().unwrap()), Ok(()), "{text}");
        }
    }
}
