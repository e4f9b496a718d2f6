//! Options of security: who a socket is to its peers, and whom it asks about them.
//!
//! [`Socket::set_security`] sets a mechanism as a whole. The raw options, one for each of libzmq's,
//! overwrite what the socket is in the order in which they are set. All of them take effect for
//! endpoints bound or connected later, over tcp and ipc; what stays within the process has no
//! handshake.

use crate::error::{Error, Result};
use crate::keys::{PublicKey, SecretKey};
use crate::security::{Mechanism, Password, Security};
use crate::socket::Socket;

/// The longest user name, password and domain.
const TEXT_MAX: usize = 255;

plain_options! {
    /// Sets whether ZAP is asked only if there is a domain, and whether nobody is let in without
    /// an answer (`ZMQ_ZAP_ENFORCE_DOMAIN`). Without it a CURVE server always asks, and lets
    /// everybody in if there is nobody to ask; a PLAIN server always asks and demands an answer.
    /// Default false. Takes effect for endpoints bound or connected later.
    set_zap_enforce_domain, is_zap_enforce_domain: bool = security.zap.enforce_domain;

    /// Sets whether a peer waits whose ZAP handler goes away before it has answered, until it leaves
    /// or the time for the handshake is over, as with libzmq; else its handshake fails at once.
    /// Default false. Takes effect for endpoints bound or connected later.
    set_zap_wait_for_lost_handler, is_zap_wait_for_lost_handler: bool = security.zap.waits_for_lost;
}

fn text(text: &str) -> Result<&str> {
    if text.is_empty() || text.len() > TEXT_MAX {
        return Err(Error::InvalidArgument("the text has 1 to 255 bytes"));
    }
    Ok(text)
}

impl Socket {
    /// Sets how connections are secured, whatever was set before: [`Curve`](crate::Curve),
    /// [`Plain`](crate::Plain) or [`Security::none`], which is the default. A peer with another
    /// mechanism, or one too old to have any, is refused. Takes effect for endpoints bound or
    /// connected later.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn set_security(&self, security: Security) -> Result<()> {
        self.processed()?.options.security.set(security);
        Ok(())
    }

    /// The security mechanism that the options amount to (`ZMQ_MECHANISM`).
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_mechanism(&self) -> Result<Mechanism> {
        Ok(self.processed()?.options.security.mechanism)
    }

    // ── PLAIN ────────────────────────────────────────────────────────────────────────────────

    /// Makes the socket a PLAIN server, or a NULL peer if `false` (`ZMQ_PLAIN_SERVER`). Default
    /// false. Takes effect for endpoints bound or connected later.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn set_plain_server(&self, server: bool) -> Result<()> {
        let mut base = self.processed()?;
        base.options.security.set_server(Mechanism::Plain, server);
        Ok(())
    }

    /// Whether the socket is a PLAIN server.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn is_plain_server(&self) -> Result<bool> {
        Ok(self
            .processed()?
            .options
            .security
            .is_server(Mechanism::Plain))
    }

    /// Makes the socket a PLAIN client with this user name, or a NULL peer if `None`
    /// (`ZMQ_PLAIN_USERNAME`): 1 to 255 bytes. Takes effect for endpoints bound or connected
    /// later.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another length, [`Error::Term`].
    pub fn set_plain_username(&self, username: Option<&str>) -> Result<()> {
        let mut base = self.processed()?;
        let security = &mut base.options.security;
        match username {
            Some(username) => {
                security.plain_username = text(username)?.to_owned();
                security.set_client(Mechanism::Plain);
            }
            None => security.mechanism = Mechanism::Null,
        }
        Ok(())
    }

    /// The value of [`Socket::set_plain_username`]; empty if there is none.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_plain_username(&self) -> Result<String> {
        Ok(self.processed()?.options.security.plain_username.clone())
    }

    /// Makes the socket a PLAIN client with this password, or a NULL peer if `None`
    /// (`ZMQ_PLAIN_PASSWORD`): 1 to 255 bytes. Takes effect for endpoints bound or connected
    /// later.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another length, [`Error::Term`].
    pub fn set_plain_password(&self, password: Option<&str>) -> Result<()> {
        let mut base = self.processed()?;
        let security = &mut base.options.security;
        match password {
            Some(password) => {
                security.plain_password = Password::new(text(password)?);
                security.set_client(Mechanism::Plain);
            }
            None => security.mechanism = Mechanism::Null,
        }
        Ok(())
    }

    /// The value of [`Socket::set_plain_password`]; empty if there is none.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_plain_password(&self) -> Result<String> {
        let base = self.processed()?;
        Ok(base.options.security.plain_password.as_str().to_owned())
    }

    // ── CURVE ────────────────────────────────────────────────────────────────────────────────

    /// Makes the socket a CURVE server, or a NULL peer if `false` (`ZMQ_CURVE_SERVER`). It also
    /// needs [`Socket::set_curve_secretkey`]. Default false. Takes effect for endpoints bound or
    /// connected later.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn set_curve_server(&self, server: bool) -> Result<()> {
        let mut base = self.processed()?;
        base.options.security.set_server(Mechanism::Curve, server);
        Ok(())
    }

    /// Whether the socket is a CURVE server.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn is_curve_server(&self) -> Result<bool> {
        Ok(self
            .processed()?
            .options
            .security
            .is_server(Mechanism::Curve))
    }

    /// Sets the public key of a CURVE client (`ZMQ_CURVE_PUBLICKEY`): 32 bytes, or 40 characters
    /// of Z85 with or without a NUL. It must belong to [`Socket::set_curve_secretkey`], or no
    /// server lets the client in. Takes effect for endpoints bound or connected later.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for anything else, [`Error::Term`].
    pub fn set_curve_publickey(&self, key: impl AsRef<[u8]>) -> Result<()> {
        let mut base = self.processed()?;
        base.options.security.curve_public = PublicKey::parse(key.as_ref())?;
        base.options.security.mechanism = Mechanism::Curve;
        Ok(())
    }

    /// The value of [`Socket::set_curve_publickey`]; zeros if there is none.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_curve_publickey(&self) -> Result<PublicKey> {
        Ok(self.processed()?.options.security.curve_public)
    }

    /// Sets the secret key of a CURVE client or server (`ZMQ_CURVE_SECRETKEY`), in the forms of
    /// [`Socket::set_curve_publickey`]. Takes effect for endpoints bound or connected later.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for anything else, [`Error::Term`].
    pub fn set_curve_secretkey(&self, key: impl AsRef<[u8]>) -> Result<()> {
        let mut base = self.processed()?;
        base.options.security.curve_secret = SecretKey::parse(key.as_ref())?;
        base.options.security.mechanism = Mechanism::Curve;
        Ok(())
    }

    /// The value of [`Socket::set_curve_secretkey`]; zeros if there is none.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_curve_secretkey(&self) -> Result<SecretKey> {
        Ok(self.processed()?.options.security.curve_secret.clone())
    }

    /// Makes the socket a CURVE client of the server with this key (`ZMQ_CURVE_SERVERKEY`), in the
    /// forms of [`Socket::set_curve_publickey`]. Takes effect for endpoints bound or connected
    /// later.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for anything else, [`Error::Term`].
    pub fn set_curve_serverkey(&self, key: impl AsRef<[u8]>) -> Result<()> {
        let mut base = self.processed()?;
        base.options.security.curve_server = PublicKey::parse(key.as_ref())?;
        base.options.security.set_client(Mechanism::Curve);
        Ok(())
    }

    /// The value of [`Socket::set_curve_serverkey`]; zeros if there is none.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_curve_serverkey(&self) -> Result<PublicKey> {
        Ok(self.processed()?.options.security.curve_server)
    }

    // ── ZAP ──────────────────────────────────────────────────────────────────────────────────

    /// Sets the domain in which ZAP is asked about peers (`ZMQ_ZAP_DOMAIN`): 1 to 255 bytes. With
    /// a domain, a NULL socket asks too, and judges peers by their addresses. None by default.
    /// Takes effect for endpoints bound or connected later.
    ///
    /// Who answers is the authenticator of the context, [`Ctx::authenticator`], or a REP or ROUTER
    /// of the application that is bound to `inproc://zeromq.zap.01` (RFC 27).
    ///
    /// [`Ctx::authenticator`]: crate::Ctx::authenticator
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another length, [`Error::Term`].
    pub fn set_zap_domain(&self, domain: &str) -> Result<()> {
        let mut base = self.processed()?;
        text(domain)?.clone_into(&mut base.options.security.zap.domain);
        Ok(())
    }

    /// The value of [`Socket::set_zap_domain`]; empty if there is none.
    ///
    /// # Errors
    /// [`Error::Term`].
    pub fn get_zap_domain(&self) -> Result<String> {
        Ok(self.processed()?.options.security.zap.domain.clone())
    }
}
