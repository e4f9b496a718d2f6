//! Endpoints: `tcp://…`, `ipc://…`, `inproc://…` and `udp://…` as text and as values.
//!
//! Pure grammar. What a name means (which interface, which host, which file) is found out in
//! `io`; nothing here looks at the system, and no text makes it panic.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::error::{Error, Result};

/// What fits before the NUL of a Unix socket address.
const MAX_IPC: usize = 107;
/// The longest inproc name.
const MAX_INPROC: usize = 256;
/// The longest host name there can be.
const MAX_HOST: usize = 255;

/// A part of an endpoint, or why it cannot be read.
type Parsed<T> = std::result::Result<T, &'static str>;

/// Where a socket is bound or connected to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Endpoint {
    /// A name within the context.
    Inproc(String),
    /// A Unix domain socket.
    Ipc(IpcAddress),
    /// A tcp host and port.
    Tcp(TcpAddress),
    /// Datagrams at a host and port.
    Udp(UdpAddress),
}

/// The name of a Unix domain socket.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum IpcAddress {
    /// A file.
    Path(String),
    /// A name that is no file; Linux only. Written `@name`, held without the `@`.
    Abstract(String),
    /// A fresh file in a directory of its own; for bind only.
    Wildcard,
}

/// A tcp endpoint.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct TcpAddress {
    /// The local end of a connection, if it matters.
    pub source: Option<HostPort>,
    /// What is bound or connected to.
    pub target: HostPort,
}

/// A udp endpoint.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct UdpAddress {
    /// Where a multicast group is joined or sent to; the system chooses if it is not said.
    pub interface: Option<Host>,
    /// What is received at or sent to: an address or a multicast group.
    pub target: HostPort,
}

/// A host and a port; port 0 leaves the choice to the system.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct HostPort {
    pub host: Host,
    pub port: u16,
}

/// The host part of a tcp endpoint.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Host {
    /// `*`: all addresses of this host.
    Any,
    V4(Ipv4Addr),
    /// An address and its zone: the name or number of an interface.
    V6(Ipv6Addr, Option<String>),
    /// An interface or a host in DNS; which of them, the lookup tells.
    Name(String),
}

/// What an endpoint is wanted for; the grammars differ.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Bind,
    Connect,
}

impl Endpoint {
    /// Reads an endpoint to bind to.
    pub(crate) fn for_bind(text: &str) -> Result<Self> {
        Self::parse(text, Role::Bind)
    }

    /// Reads an endpoint to connect to.
    pub(crate) fn for_connect(text: &str) -> Result<Self> {
        Self::parse(text, Role::Connect)
    }

    fn parse(text: &str, role: Role) -> Result<Self> {
        let invalid = |reason| Error::InvalidEndpoint {
            endpoint: text.to_owned(),
            reason,
        };
        let (scheme, rest) = split_scheme(text).map_err(invalid)?;
        match scheme {
            "inproc" => inproc_name(rest).map(Self::Inproc).map_err(invalid),
            "ipc" if rest.len() > MAX_IPC => Err(Error::NameTooLong),
            "ipc" => IpcAddress::parse(rest, role)
                .map(Self::Ipc)
                .map_err(invalid),
            "tcp" => TcpAddress::parse(rest, role)
                .map(Self::Tcp)
                .map_err(invalid),
            "udp" => UdpAddress::parse(rest, role)
                .map(Self::Udp)
                .map_err(invalid),
            other => Err(Error::ProtocolNotSupported(other.to_owned())),
        }
    }
}

impl IpcAddress {
    fn parse(text: &str, role: Role) -> Parsed<Self> {
        // The system would end the name there and use another one than was asked for.
        if text.contains('\0') {
            return Err("an ipc name cannot hold a zero byte");
        }
        match (text.strip_prefix('@'), role) {
            (Some(""), Role::Bind | Role::Connect) => Err("the abstract name is empty"),
            (Some(name), Role::Bind | Role::Connect) => Ok(Self::Abstract(name.to_owned())),
            (None, Role::Bind) if text == "*" => Ok(Self::Wildcard),
            (None, Role::Connect) if text == "*" => Err("a wildcard can only be bound to"),
            (None, Role::Bind | Role::Connect) => Ok(Self::Path(text.to_owned())),
        }
    }
}

impl TcpAddress {
    fn parse(text: &str, role: Role) -> Parsed<Self> {
        match role {
            Role::Bind => Ok(Self {
                source: None,
                target: HostPort::parse(text)?,
            }),
            Role::Connect => Self::parse_connect(text),
        }
    }

    fn parse_connect(text: &str) -> Parsed<Self> {
        Self::with_source(text, HostPort::parse_target)
    }

    /// The same, where `port` need not be said.
    pub(crate) fn parse_connect_or(text: &str, port: u16) -> Parsed<Self> {
        Self::with_source(text, |target| HostPort::parse_target_or(target, port))
    }

    fn with_source(text: &str, parse: impl FnOnce(&str) -> Parsed<HostPort>) -> Parsed<Self> {
        let (source, target) = match text.rsplit_once(';') {
            Some((source, target)) => (Some(HostPort::parse(source)?), target),
            None => (None, text),
        };
        let target = parse(target)?;
        Ok(Self { source, target })
    }
}

impl UdpAddress {
    fn parse(text: &str, role: Role) -> Parsed<Self> {
        let (interface, target) = match text.rsplit_once(';') {
            Some((interface, target)) => (Some(Host::parse(interface)?), target),
            None => (None, text),
        };
        let target = match role {
            Role::Bind => HostPort::parse(target)?,
            Role::Connect => HostPort::parse_target(target)?,
        };
        Ok(Self { interface, target })
    }
}

impl HostPort {
    /// What can be connected to.
    fn parse_target(text: &str) -> Parsed<Self> {
        let target = Self::parse(text)?;
        if target.host == Host::Any {
            return Err("the host to connect to must be named");
        }
        if target.port == 0 {
            return Err("the port to connect to must be 1 to 65535");
        }
        Ok(target)
    }

    /// The same, where `port` need not be said.
    fn parse_target_or(text: &str, port: u16) -> Parsed<Self> {
        if text.contains(':') && !text.ends_with(']') {
            return Self::parse_target(text);
        }
        Self::parse_target(&format!("{text}:{port}"))
    }

    fn parse(text: &str) -> Parsed<Self> {
        let (host, port) = text.rsplit_once(':').ok_or("the port is missing")?;
        Ok(Self {
            port: parse_port(port)?,
            host: Host::parse(host)?,
        })
    }
}

impl Host {
    fn parse(text: &str) -> Parsed<Self> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Some(rest) = text.strip_prefix('[') {
            let inner = rest.strip_suffix(']').ok_or("a bracket is not closed")?;
            return Self::parse_v6(inner);
        }
        if text.contains(':') {
            return Self::parse_v6(text);
        }
        match text.parse() {
            Ok(address) => Ok(Self::V4(address)),
            Err(_) if is_name(text) => Ok(Self::Name(text.to_owned())),
            Err(_) => Err("the host is neither an address nor a name"),
        }
    }

    fn parse_v6(text: &str) -> Parsed<Self> {
        let (address, zone) = match text.split_once('%') {
            Some((address, zone)) if is_name(zone) => (address, Some(zone.to_owned())),
            Some(_) => return Err("the zone is not an interface"),
            None => (text, None),
        };
        let address = address
            .parse()
            .map_err(|_| "the IPv6 address is malformed")?;
        Ok(Self::V6(address, zone))
    }
}

fn split_scheme(text: &str) -> Parsed<(&str, &str)> {
    match text.split_once("://") {
        None => Err("there is no '://'"),
        Some(("", _)) => Err("the transport is missing"),
        Some((_, "")) => Err("the address is missing"),
        Some(parts) => Ok(parts),
    }
}

fn inproc_name(text: &str) -> Parsed<String> {
    if text.len() > MAX_INPROC {
        return Err("the name is longer than 256 bytes");
    }
    Ok(text.to_owned())
}

fn parse_port(text: &str) -> Parsed<u16> {
    if text == "*" {
        return Ok(0);
    }
    // A sign would be fine with the standard library.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("the port is not a number");
    }
    text.parse().map_err(|_| "the port is not 0 to 65535")
}

fn is_name(text: &str) -> bool {
    text.len() <= MAX_HOST
        && text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inproc(name) => write!(f, "inproc://{name}"),
            Self::Ipc(address) => write!(f, "ipc://{address}"),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Udp(address) => write!(f, "udp://{address}"),
        }
    }
}

impl fmt::Display for IpcAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Abstract(name) => write!(f, "@{name}"),
            Self::Wildcard => f.write_str("*"),
        }
    }
}

impl fmt::Display for TcpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(f, "{source};{}", self.target),
            None => self.target.fmt(f),
        }
    }
}

impl fmt::Display for UdpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.interface {
            Some(interface) => write!(f, "{interface};{}", self.target),
            None => self.target.fmt(f),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            0 => write!(f, "{}:*", self.host),
            port => write!(f, "{}:{port}", self.host),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::V4(address) => address.fmt(f),
            Self::V6(address, None) => write!(f, "[{address}]"),
            Self::V6(address, Some(zone)) => write!(f, "[{address}%{zone}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests;
