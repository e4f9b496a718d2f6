//! Where sockets bind and connect, in axon's forms.
//!
//! | form | is |
//! |---|---|
//! | `3999`, `(3999, "127.0.0.1")` | tcp; without a host `0.0.0.0` |
//! | `"tcp://127.0.0.1:3999"`, `"tcp://:3999"`, `"tcp://[::1]:3999"` | tcp |
//! | `"unix:///tmp/x.sock"`, `"unix:/tmp/x.sock"` | a unix socket |
//! | `"/tmp/x.sock"`, `"./x.sock"`, `"x.sock"`, a [`Path`] | a unix socket |
//!
//! Paths are taken as they are, where Node's url parser cuts or escapes some.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Where a socket binds or connects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint(Address);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Address {
    Tcp { host: String, port: u16 },
    Unix(String),
}

/// The host where none is said: all interfaces to bind to, this host to connect to.
const ANY_HOST: &str = "0.0.0.0";

/// Where a socket can bind and connect: a port, a port and a host, a text, a path or an address.
pub trait IntoEndpoint {
    /// The endpoint.
    ///
    /// # Errors
    /// [`Error::Endpoint`] if it is none.
    fn into_endpoint(self) -> Result<Endpoint>;
}

impl Endpoint {
    fn tcp(host: &str, port: u16) -> Self {
        let host = if host.is_empty() { ANY_HOST } else { host };
        let host = host.to_owned();
        Self(Address::Tcp { host, port })
    }

    fn parse(text: &str) -> std::result::Result<Self, &'static str> {
        if let Some(rest) = text.strip_prefix("tcp:") {
            let rest = rest
                .strip_prefix("//")
                .ok_or("tcp is followed by two slashes")?;
            return parse_tcp(rest);
        }
        for scheme in ["unix:", "ipc:"] {
            if let Some(rest) = text.strip_prefix(scheme) {
                return unix(rest.strip_prefix("//").unwrap_or(rest));
            }
        }
        if text.contains("://") {
            return Err("the scheme is neither tcp nor unix");
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
            return Err(
                "a port is a number and not a text; a file of that name is ./ and the name",
            );
        }
        if !text.contains('/') && port_behind_host(text) {
            return Err("a host and a port stand behind tcp://; a file of that name behind ./");
        }
        unix(text)
    }

    /// The endpoint in the words of the engine.
    pub(crate) fn to_engine(&self, bind: bool) -> String {
        match &self.0 {
            Address::Tcp { host, port: 0 } if bind => format!("tcp://{}:*", bracketed(host)),
            Address::Tcp { host, port } => format!("tcp://{}:{port}", bracketed(host)),
            // Names that the engine would take for more than a path.
            Address::Unix(path) if path.starts_with(['@', '*']) => format!("ipc://./{path}"),
            Address::Unix(path) => format!("ipc://{path}"),
        }
    }

    /// Whether the host is an address of IPv6.
    pub(crate) fn is_v6(&self) -> bool {
        matches!(&self.0, Address::Tcp { host, .. } if host.contains(':'))
    }
}

/// What the engine calls an endpoint, in the words of axon: `tcp://host:port`, or a path.
pub(crate) fn from_engine(endpoint: &str) -> String {
    endpoint
        .strip_prefix("ipc://")
        .unwrap_or(endpoint)
        .to_owned()
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

fn parse_tcp(rest: &str) -> std::result::Result<Endpoint, &'static str> {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = rest.rsplit_once(':').ok_or("there is no port")?;
    let port = port
        .parse()
        .map_err(|_| "the port is not a number up to 65535")?;
    let host = match host.strip_prefix('[') {
        Some(host) => host.strip_suffix(']').ok_or("a bracket is not closed")?,
        None if host.contains(':') => return Err("an address of IPv6 stands in brackets"),
        None => host,
    };
    if host.contains(['/', '[', ']', ';']) {
        return Err("the host is none");
    }
    let host = if host == "*" { ANY_HOST } else { host };
    Ok(Endpoint::tcp(host, port))
}

fn unix(path: &str) -> std::result::Result<Endpoint, &'static str> {
    if path.is_empty() {
        return Err("the path is empty");
    }
    Ok(Endpoint(Address::Unix(path.to_owned())))
}

/// Whether a text looks like `localhost:3999`, which no axon understands.
fn port_behind_host(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
}

impl IntoEndpoint for Endpoint {
    fn into_endpoint(self) -> Result<Self> {
        Ok(self)
    }
}

impl IntoEndpoint for &Endpoint {
    fn into_endpoint(self) -> Result<Endpoint> {
        Ok(self.clone())
    }
}

impl IntoEndpoint for u16 {
    fn into_endpoint(self) -> Result<Endpoint> {
        Ok(Endpoint::tcp(ANY_HOST, self))
    }
}

impl IntoEndpoint for (u16, &str) {
    fn into_endpoint(self) -> Result<Endpoint> {
        let (port, host) = self;
        parse_tcp(&format!("{}:{port}", bracketed(host))).map_err(|reason| Error::Endpoint {
            endpoint: format!("{host}, port {port}"),
            reason,
        })
    }
}

impl IntoEndpoint for (u16, IpAddr) {
    fn into_endpoint(self) -> Result<Endpoint> {
        Ok(Endpoint::tcp(&self.1.to_string(), self.0))
    }
}

impl IntoEndpoint for SocketAddr {
    fn into_endpoint(self) -> Result<Endpoint> {
        (self.port(), self.ip()).into_endpoint()
    }
}

impl IntoEndpoint for &str {
    fn into_endpoint(self) -> Result<Endpoint> {
        Endpoint::parse(self).map_err(|reason| Error::Endpoint {
            endpoint: self.to_owned(),
            reason,
        })
    }
}

impl IntoEndpoint for &String {
    fn into_endpoint(self) -> Result<Endpoint> {
        self.as_str().into_endpoint()
    }
}

impl IntoEndpoint for String {
    fn into_endpoint(self) -> Result<Endpoint> {
        self.as_str().into_endpoint()
    }
}

impl IntoEndpoint for &Path {
    fn into_endpoint(self) -> Result<Endpoint> {
        let invalid = |reason| Error::Endpoint {
            endpoint: self.display().to_string(),
            reason,
        };
        let path = self
            .to_str()
            .ok_or_else(|| invalid("the path is no UTF-8"))?;
        unix(path).map_err(invalid)
    }
}

impl IntoEndpoint for &PathBuf {
    fn into_endpoint(self) -> Result<Endpoint> {
        self.as_path().into_endpoint()
    }
}

impl IntoEndpoint for PathBuf {
    fn into_endpoint(self) -> Result<Endpoint> {
        self.as_path().into_endpoint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn engine(endpoint: impl IntoEndpoint) -> String {
        endpoint
            .into_endpoint()
            .expect("an endpoint")
            .to_engine(false)
    }

    #[test]
    fn the_forms_of_axon() {
        assert_eq!(engine(3999), "tcp://0.0.0.0:3999");
        assert_eq!(engine((3999, "127.0.0.1")), "tcp://127.0.0.1:3999");
        assert_eq!(engine((3999, "localhost")), "tcp://localhost:3999");
        assert_eq!(engine((3999, "::1")), "tcp://[::1]:3999");
        let address: SocketAddr = "[::1]:3999".parse().unwrap();
        assert_eq!(engine(address), "tcp://[::1]:3999");
        let texts = [
            ("tcp://127.0.0.1:3999", "tcp://127.0.0.1:3999"),
            ("tcp://:3999", "tcp://0.0.0.0:3999"),
            ("tcp://*:3999", "tcp://0.0.0.0:3999"),
            ("tcp://host:3999/", "tcp://host:3999"),
            ("tcp://[::1]:3999", "tcp://[::1]:3999"),
            ("unix:///tmp/x.sock", "ipc:///tmp/x.sock"),
            ("unix:/tmp/x.sock", "ipc:///tmp/x.sock"),
            ("unix:x.sock", "ipc://x.sock"),
            ("ipc:///tmp/x.sock", "ipc:///tmp/x.sock"),
            ("/tmp/x.sock", "ipc:///tmp/x.sock"),
            ("x.sock", "ipc://x.sock"),
            ("./3999", "ipc://./3999"),
            ("/tmp/a b#c?{}'%20", "ipc:///tmp/a b#c?{}'%20"),
            ("unix:@x", "ipc://./@x"),
            ("/tmp/host:1", "ipc:///tmp/host:1"),
        ];
        for (text, expected) in texts {
            assert_eq!(engine(text), expected, "{text}");
        }
        assert_eq!(engine(Path::new("*")), "ipc://./*");
    }

    #[test]
    fn port_0_is_any_port_to_bind_to() {
        let endpoint = 0.into_endpoint().unwrap();
        assert_eq!(endpoint.to_engine(true), "tcp://0.0.0.0:*");
    }

    #[test]
    fn what_would_be_misunderstood_is_refused() {
        for text in [
            "",
            "3999",
            "localhost:3999",
            "tcp:3999",
            "tcp://host",
            "tcp://host:",
            "tcp://host:65536",
            "tcp://::1:3999",
            "tcp://[::1:3999",
            "tcp://a;b:3999",
            "tcp://a/b:3999",
            "unix:",
            "unix://",
            "http://host:3999",
        ] {
            let refused = text.into_endpoint();
            assert!(
                matches!(refused, Err(Error::Endpoint { .. })),
                "{text}: {refused:?}"
            );
        }
    }
}
