//! Pub-emitter and sub-emitter: an event emitter over the network.

use std::fmt;
use std::time::Duration;

use ferrozmq::Ctx;

use crate::error::{Error, Result};
use crate::options::Options;
use crate::publish::{Pub, Sub};
use crate::topic::Pattern;
use crate::value::{Encoder, Message, ToArg, ToArgs};

/// Sends events to all sub-emitters that are there: a [`Pub`] whose messages begin with a topic.
#[derive(Debug)]
pub struct PubEmitter(Pub);

/// Calls listeners for the events of pub-emitters whose topic their pattern matches.
///
/// Listeners are called by the thread that calls [`SubEmitter::dispatch`] or [`SubEmitter::run`].
///
/// ```
/// use ferrozmq::Ctx;
/// use ferrozmq_axon::{Event, PubEmitter, SubEmitter};
///
/// # fn main() -> ferrozmq_axon::Result<()> {
/// let ctx = Ctx::new();
/// let emitter = PubEmitter::new(&ctx)?;
/// let mut events = emitter.socket().events()?;
/// emitter.socket().bind("tcp://127.0.0.1:0")?;
///
/// let mut listener = SubEmitter::new(&ctx)?;
/// listener.on("user:*", |event| {
///     assert_eq!(event.captures, ["login"]);
///     println!("{} has logged in", event.message.get(0).unwrap().text().unwrap());
/// });
/// listener.socket().connect(emitter.socket().address().expect("it is bound"))?;
/// events.find(|event| matches!(event, Event::Connect { .. }));
///
/// emitter.emit("user:login", "tobi")?;
/// assert_eq!(listener.dispatch()?, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SubEmitter {
    sub: Sub,
    listeners: Vec<Listener>,
}

/// What a listener is called with.
#[derive(Debug)]
#[non_exhaustive]
pub struct Emitted<'a> {
    /// The topic.
    pub topic: &'a str,
    /// What each `*` of the listener's pattern stands for.
    pub captures: Vec<&'a str>,
    /// The arguments behind the topic.
    pub message: &'a Message,
}

struct Listener {
    pattern: Pattern,
    call: Box<dyn FnMut(&Emitted<'_>) + Send>,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pattern.fmt(f)
    }
}

/// A topic and what comes with it.
struct Topical<'a, A: ?Sized>(&'a str, &'a A);

impl<A: ToArgs + ?Sized> ToArgs for Topical<'_, A> {
    fn encode(&self, encoder: &mut Encoder) -> std::result::Result<(), crate::EncodeError> {
        self.0.encode_arg(encoder)?;
        self.1.encode(encoder)
    }
}

impl PubEmitter {
    /// A pub-emitter with the default options.
    ///
    /// # Errors
    /// As for [`Pub::new`].
    pub fn new(ctx: &Ctx) -> Result<Self> {
        Self::with_options(ctx, &Options::new())
    }

    /// A pub-emitter.
    ///
    /// # Errors
    /// As for [`Pub::with_options`].
    pub fn with_options(ctx: &Ctx, options: &Options) -> Result<Self> {
        Pub::with_options(ctx, options).map(Self)
    }

    /// Its socket: to bind and connect it, and for its events.
    #[must_use]
    pub fn socket(&self) -> &Pub {
        &self.0
    }

    /// Sends an event, with up to 14 arguments; `()` is none.
    ///
    /// # Errors
    /// As for [`Pub::send`].
    pub fn emit(&self, topic: &str, args: impl ToArgs) -> Result<()> {
        self.0.send(Topical(topic, &args))
    }
}

impl SubEmitter {
    /// A sub-emitter with the default options.
    ///
    /// # Errors
    /// As for [`Sub::new`].
    pub fn new(ctx: &Ctx) -> Result<Self> {
        Self::with_options(ctx, &Options::new())
    }

    /// A sub-emitter.
    ///
    /// # Errors
    /// As for [`Sub::with_options`].
    pub fn with_options(ctx: &Ctx, options: &Options) -> Result<Self> {
        Ok(Self {
            sub: Sub::with_options(ctx, options)?,
            listeners: Vec::new(),
        })
    }

    /// Its socket: to bind and connect it, and for its events. It has no subscriptions of its own;
    /// what it receives itself, no listener hears of.
    #[must_use]
    pub fn socket(&self) -> &Sub {
        &self.sub
    }

    /// Has `listener` called for each event whose topic the pattern matches.
    pub fn on(
        &mut self,
        pattern: impl Into<Pattern>,
        listener: impl FnMut(&Emitted<'_>) + Send + 'static,
    ) {
        self.listeners.push(Listener {
            pattern: pattern.into(),
            call: Box::new(listener),
        });
    }

    /// Takes back all listeners of this pattern; whether there were any.
    pub fn off(&mut self, pattern: impl Into<Pattern>) -> bool {
        let pattern = pattern.into();
        let before = self.listeners.len();
        self.listeners
            .retain(|listener| listener.pattern != pattern);
        self.listeners.len() != before
    }

    /// Waits for an event and calls its listeners, in the order in which they were added; returns
    /// how many they were.
    ///
    /// # Errors
    /// [`Error::Closed`] if the context is ended.
    pub fn dispatch(&mut self) -> Result<usize> {
        let message = self.sub.recv()?;
        Ok(self.call(message))
    }

    /// As [`SubEmitter::dispatch`], for at most `timeout`.
    ///
    /// # Errors
    /// [`Error::Timeout`], [`Error::Closed`].
    pub fn dispatch_timeout(&mut self, timeout: Duration) -> Result<usize> {
        let message = self.sub.recv_timeout(timeout)?;
        Ok(self.call(message))
    }

    /// Calls listeners for all events until the context is ended.
    ///
    /// # Errors
    /// What the engine refuses.
    pub fn run(&mut self) -> Result<()> {
        loop {
            match self.dispatch() {
                Ok(_) => {}
                Err(Error::Closed) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn call(&mut self, message: Message) -> usize {
        let topic = match message.get(0) {
            Ok(topic) => topic.topic().into_owned(),
            Err(_) => "undefined".to_owned(),
        };
        let mut args = message;
        args.shift();
        let mut called = 0;
        for listener in &mut self.listeners {
            if let Some(captures) = listener.pattern.captures(&topic) {
                called += 1;
                (listener.call)(&Emitted {
                    topic: &topic,
                    captures,
                    message: &args,
                });
            }
        }
        called
    }
}
