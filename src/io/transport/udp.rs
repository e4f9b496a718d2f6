//! udp sockets: to bind, to send from, and membership of multicast groups.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nix::net::if_::if_nametoindex;
use socket2::{Domain, Socket, Type};

use super::tcp;
use crate::endpoint::{Host, HostPort, UdpAddress};
use crate::error::{Error, Result};
use crate::io::resolver;
use crate::options::Options;

/// A udp socket that does not block, and where it is bound or sends to.
#[derive(Debug)]
pub(crate) struct Udp {
    pub socket: Socket,
    pub address: SocketAddr,
    /// With numbers for names, and the real port.
    pub endpoint: String,
}

/// A socket that receives at an address of this host, or from a multicast group.
///
/// Blocks while a host name is looked up.
pub(crate) fn bind(address: &UdpAddress, options: &Options) -> Result<Udp> {
    let mut last = Error::NoDevice;
    for local in resolver::addresses(&address.target, options.tcp.ipv6) {
        let interface = interface(address, local)?;
        match bind_to(local, interface, options) {
            Ok(socket) => return described(socket, local.ip()),
            Err(error) if tcp::is_absent(&error) => last = Error::from_address(error),
            Err(error) => return Err(Error::from_address(error)),
        }
    }
    Err(last)
}

/// A socket that sends to an address, from whatever address the system chooses.
///
/// Blocks while a host name is looked up.
pub(crate) fn connect(address: &UdpAddress, options: &Options) -> Result<Udp> {
    let found = resolver::addresses(&address.target, options.tcp.ipv6);
    let to = *found.first().ok_or(Error::NoDevice)?;
    let socket = open(to, options)?;
    if to.ip().is_multicast() {
        set_multicast(&socket, to, interface(address, to)?, options)?;
    } else {
        interface(address, to)?;
    }
    Ok(Udp {
        socket,
        address: to,
        endpoint: text(to),
    })
}

fn bind_to(local: SocketAddr, interface: Interface, options: &Options) -> io::Result<Socket> {
    let socket = open(local, options)?;
    if local.ip().is_multicast() {
        // All receivers of a group on this host receive all of it.
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
    }
    socket.bind(&receiving_at(local, interface).into())?;
    match local.ip() {
        IpAddr::V4(group) if group.is_multicast() => {
            socket.join_multicast_v4(&group, &interface.address)?;
        }
        IpAddr::V6(group) if group.is_multicast() => {
            socket.join_multicast_v6(&group, interface.index)?;
        }
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    Ok(socket)
}

/// The address itself, so that nothing else is received. But each link has groups of its own, and
/// whoever receives from one of these without saying from which link is bound to all addresses.
fn receiving_at(local: SocketAddr, interface: Interface) -> SocketAddr {
    let SocketAddr::V6(mut group) = local else {
        return local;
    };
    let is_of_link = matches!(group.ip().segments()[0], 0xff01 | 0xff02 | 0xff11 | 0xff12);
    if is_of_link && group.scope_id() == 0 {
        if interface.index == 0 {
            return (Ipv6Addr::UNSPECIFIED, local.port()).into();
        }
        group.set_scope_id(interface.index);
    }
    group.into()
}

fn open(end: SocketAddr, options: &Options) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(end), Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    if end.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    tcp::bind_to_device(&socket, &options.tcp)?;
    tcp::set_packets(&socket, end, options)?;
    Ok(socket)
}

fn set_multicast(
    socket: &Socket,
    group: SocketAddr,
    interface: Interface,
    options: &Options,
) -> io::Result<()> {
    let multicast = &options.multicast;
    if group.is_ipv4() {
        socket.set_multicast_loop_v4(multicast.to_self)?;
        socket.set_multicast_ttl_v4(multicast.hops)?;
        socket.set_multicast_if_v4(&interface.address)
    } else {
        socket.set_multicast_loop_v6(multicast.to_self)?;
        socket.set_multicast_hops_v6(multicast.hops)?;
        socket.set_multicast_if_v6(interface.index)
    }
}

/// The interface for multicast: IPv4 knows it by an address, IPv6 by its number. By default it is
/// the system's choice.
#[derive(Clone, Copy, Debug)]
struct Interface {
    address: Ipv4Addr,
    index: u32,
}

/// # Errors
/// [`Error::NoDevice`] if there is no such interface; [`Error::InvalidArgument`] if one is given for
/// what is no multicast group.
fn interface(address: &UdpAddress, end: SocketAddr) -> Result<Interface> {
    let mut interface = Interface {
        address: Ipv4Addr::UNSPECIFIED,
        index: 0,
    };
    let Some(host) = &address.interface else {
        return Ok(interface);
    };
    if !end.ip().is_multicast() {
        return Err(Error::InvalidArgument(
            "only a multicast group has an interface to choose",
        ));
    }
    if let Host::Name(name) = host {
        interface.index = if_nametoindex(name.as_str()).map_err(|_| Error::NoDevice)?;
    }
    if *host != Host::Any {
        let host = HostPort {
            host: host.clone(),
            port: 0,
        };
        match resolver::resolve_source(&host, end) {
            Ok(SocketAddr::V4(found)) => interface.address = *found.ip(),
            Ok(SocketAddr::V6(found)) => interface.index = interface.index.max(found.scope_id()),
            // By its number it may be known, though it has no address.
            Err(_) if end.is_ipv6() && interface.index != 0 => {}
            Err(_) => return Err(Error::NoDevice),
        }
    }
    Ok(interface)
}

/// What was bound to `ip`, or receives for it.
fn described(socket: Socket, ip: IpAddr) -> Result<Udp> {
    let bound = socket.local_addr()?.as_socket();
    let address = SocketAddr::new(ip, bound.ok_or(Error::NoDevice)?.port());
    Ok(Udp {
        socket,
        address,
        endpoint: text(address),
    })
}

/// The endpoint of an address. IPv4 inside IPv6 is written as IPv4.
fn text(address: SocketAddr) -> String {
    let address = match address.ip().to_canonical() {
        v4 @ IpAddr::V4(_) => SocketAddr::new(v4, address.port()),
        IpAddr::V6(_) => address,
    };
    format!("udp://{address}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Endpoint;
    use crate::options::SocketType;

    fn sender(endpoint: &str, options: &Options) -> Result<Udp> {
        let Ok(Endpoint::Udp(address)) = Endpoint::for_connect(endpoint) else {
            panic!("{endpoint}");
        };
        connect(&address, options)
    }

    #[test]
    fn who_sends_to_a_group_says_how_far_and_through_what() {
        let mut options = Options::new(SocketType::RADIO);
        let endpoint = "udp://127.0.0.1;239.1.2.3:5555";
        for (hops, to_self) in [(1, true), (7, false)] {
            (options.multicast.hops, options.multicast.to_self) = (hops, to_self);
            let Udp {
                socket, address, ..
            } = sender(endpoint, &options).unwrap();
            assert_eq!(address.to_string(), "239.1.2.3:5555");
            assert_eq!(socket.multicast_ttl_v4().unwrap(), hops);
            assert_eq!(socket.multicast_loop_v4().unwrap(), to_self);
            assert_eq!(socket.multicast_if_v4().unwrap(), Ipv4Addr::LOCALHOST);
        }
    }

    #[test]
    fn packets_have_the_options_of_tcp() {
        let mut options = Options::new(SocketType::RADIO);
        options.tcp.tos = 0x10;
        options.send_buffer = Some(8192);
        let udp = sender("udp://127.0.0.1:5555", &options).unwrap();
        assert_eq!(udp.socket.tos_v4().unwrap(), 0x10);
        assert!(udp.socket.send_buffer_size().unwrap() >= 8192);
    }

    #[test]
    fn a_group_of_each_link_can_be_received_from_without_naming_a_link() {
        let mut options = Options::new(SocketType::DISH);
        options.tcp.ipv6 = true;
        let Ok(Endpoint::Udp(address)) = Endpoint::for_bind("udp://[ff02::1234]:*") else {
            panic!("it is an endpoint");
        };
        match bind(&address, &options) {
            Ok(udp) => {
                assert_eq!(
                    udp.endpoint,
                    format!("udp://[ff02::1234]:{}", udp.address.port())
                );
                assert_ne!(udp.address.port(), 0);
            }
            // A system without IPv6, or without a route for it.
            Err(error) => assert!(matches!(error, Error::NoDevice | Error::Io(_)), "{error}"),
        }
    }

    #[test]
    fn a_literal_of_the_other_family_is_no_device() {
        let options = Options::new(SocketType::RADIO);
        let refused = sender("udp://[::1]:5555", &options);
        assert!(matches!(refused, Err(Error::NoDevice)), "{refused:?}");
    }
}
