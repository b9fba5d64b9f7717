use std::net::{Ipv4Addr, SocketAddr};

use super::section::Section;

/// Health and metrics are nobody's business but the machine's own, unless the seller says otherwise.
const INTERNAL_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

const EXPECTED: &str = "expected an address and a port, such as 127.0.0.1:9090";

pub(super) fn internal(root: &Section<'_>) -> SocketAddr {
    address(root, "internal_listen").unwrap_or(INTERNAL_LISTEN)
}

pub(super) fn public(root: &Section<'_>) -> Option<SocketAddr> {
    address(root, "public_listen")
}

fn address(root: &Section<'_>, key: &'static str) -> Option<SocketAddr> {
    root.string(key)?.parse().map_err(|_| root.refuse(key, EXPECTED)).ok()
}
