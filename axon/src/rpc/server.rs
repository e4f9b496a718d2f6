//! [`Server`]: has functions called.

use std::any::Any;
use std::collections::HashMap;
use std::fmt::{self, Display};
use std::future::poll_fn;
use std::panic::{self, AssertUnwindSafe};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::thread::{self, JoinHandle};
use std::{io, mem};

use ferrozmq::Ctx;
use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Method, Methods};
use crate::error::{Error, Result};
use crate::options::Options;
use crate::rep::{Rep, Request};
use crate::value::{Json, Message};

/// The name that Node's clients expect for the last parameter, which they do not send.
const CALLBACK: &str = "fn";

/// Has its functions called by clients. What a function does wrong is the reply to the call, and a panic
/// too; the server goes on.
///
/// Functions are called by the threads that [`run`](Server::run) the server, as many at once as they
/// are.
#[derive(Debug)]
pub struct Server {
    rep: Rep,
    functions: RwLock<HashMap<String, Function>>,
    /// Held by the thread that waits for the next request.
    turn: Mutex<()>,
    /// Wakes it.
    waker: Mutex<Option<Waker>>,
    stops: AtomicBool,
}

struct Function {
    params: Vec<String>,
    call: Arc<dyn Fn(Vec<Value>) -> std::result::Result<Value, Failure> + Send + Sync>,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.params.fmt(f)
    }
}

/// What a function fails with, as the client is told.
///
/// It is made by `?` and `into` of whatever can be displayed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    error: Value,
    stack: Option<String>,
}

impl Failure {
    /// A failure that tells more than a text: any value, as functions in Node may do.
    #[must_use]
    pub fn of(error: Value) -> Self {
        Self { error, stack: None }
    }

    /// Tells where it happened. Clients in Node print that in the place of their own stack.
    #[must_use]
    pub fn with_stack(mut self, stack: impl Into<String>) -> Self {
        self.stack = Some(stack.into());
        self
    }

    fn into_reply(self) -> Value {
        match self.stack {
            Some(stack) => json!({ "error": self.error, "stack": stack }),
            None => json!({ "error": self.error }),
        }
    }
}

impl<E: Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::of(Value::String(error.to_string()))
    }
}

/// A function of `A`, a tuple of up to eight arguments that serde can read, to `R`.
pub trait Handler<A, R>: Send + Sync + 'static {
    /// How many arguments it takes.
    fn arity(&self) -> usize;

    /// Calls it.
    ///
    /// # Errors
    /// If the arguments are not those that it takes.
    fn call(&self, args: Vec<Value>) -> std::result::Result<R, Failure>;
}

macro_rules! handlers {
    ($arity:literal: $($arg:ident)*) => {
        impl<F, R, $($arg),*> Handler<($($arg,)*), R> for F
        where
            F: Fn($($arg),*) -> R + Send + Sync + 'static,
            $($arg: DeserializeOwned,)*
        {
            fn arity(&self) -> usize {
                $arity
            }

            #[allow(unused_mut, unused_variables, reason = "a function may take none")]
            fn call(&self, args: Vec<Value>) -> std::result::Result<R, Failure> {
                let mut args = Given::new(args, $arity)?;
                Ok(self($(args.next::<$arg>()?),*))
            }
        }
    };
}

handlers!(0:);
handlers!(1: A);
handlers!(2: A B);
handlers!(3: A B C);
handlers!(4: A B C D);
handlers!(5: A B C D E);
handlers!(6: A B C D E G);
handlers!(7: A B C D E G H);
handlers!(8: A B C D E G H I);

/// The arguments that came.
struct Given {
    args: std::vec::IntoIter<Value>,
    count: usize,
}

impl Given {
    /// They may be fewer than the function takes: what is missing is `undefined` in JavaScript.
    fn new(args: Vec<Value>, arity: usize) -> std::result::Result<Self, Failure> {
        let count = args.len();
        if count > arity {
            return Err(
                format!("there are {count} arguments, and at most {arity} are taken").into(),
            );
        }
        let args = args.into_iter();
        Ok(Self { args, count })
    }

    fn next<T: DeserializeOwned>(&mut self) -> std::result::Result<T, Failure> {
        let number = self.count - self.args.len() + 1;
        match self.args.next() {
            Some(arg) => T::deserialize(arg).map_err(|error| format!("argument {number}: {error}")),
            None => {
                T::deserialize(Value::Null).map_err(|_| "there are too few arguments".to_owned())
            }
        }
        .map_err(Failure::from)
    }
}

impl Server {
    /// A server with the default options.
    ///
    /// # Errors
    /// As for [`Rep::new`].
    pub fn new(ctx: &Ctx) -> Result<Self> {
        Self::with_options(ctx, &Options::new())
    }

    /// A server. A client that does not read has [`Options::peer_hwm`] replies waiting for it, and
    /// misses others. With [`Overflow::Wait`](crate::Overflow::Wait) the server waits for it, and so do
    /// all its clients.
    ///
    /// # Errors
    /// As for [`Rep::with_options`].
    pub fn with_options(ctx: &Ctx, options: &Options) -> Result<Self> {
        Ok(Self::from(Rep::with_options(ctx, options)?))
    }

    /// Its socket: to bind and connect it, and for its events.
    #[must_use]
    pub fn socket(&self) -> &Rep {
        &self.rep
    }

    /// Has `function` called by this name. One of that name before is replaced.
    ///
    /// Its arguments are read by serde; missing ones are `null`, so that an `Option` may be left out.
    /// Its result is written by serde.
    ///
    /// ```
    /// # use ferrozmq_axon::rpc::Server;
    /// # fn expose(server: &Server) {
    /// fn greet(name: String, greeting: Option<String>) -> String {
    ///     format!("{}, {name}", greeting.as_deref().unwrap_or("hello"))
    /// }
    /// server.expose("greet", greet).params(["name", "greeting"]);
    /// # }
    /// ```
    pub fn expose<A, R: Serialize>(
        &self,
        name: impl Into<String>,
        function: impl Handler<A, R>,
    ) -> Exposed<'_> {
        let arity = function.arity();
        self.enter(name.into(), arity, move |args| {
            written(function.call(args)?)
        })
    }

    /// As [`Server::expose`], of a function that can fail. Its error is the reply, as text or as a
    /// [`Failure`].
    pub fn try_expose<A, R: Serialize, E: Into<Failure>>(
        &self,
        name: impl Into<String>,
        function: impl Handler<A, std::result::Result<R, E>>,
    ) -> Exposed<'_> {
        let arity = function.arity();
        self.enter(name.into(), arity, move |args| {
            written(function.call(args)?.map_err(E::into)?)
        })
    }

    fn enter(
        &self,
        name: String,
        arity: usize,
        call: impl Fn(Vec<Value>) -> std::result::Result<Value, Failure> + Send + Sync + 'static,
    ) -> Exposed<'_> {
        let function = Function {
            params: (1..=arity).map(|number| format!("arg{number}")).collect(),
            call: Arc::new(call),
        };
        self.functions.write().insert(name.clone(), function);
        Exposed { server: self, name }
    }

    /// Has a function called no more; whether there was one of that name.
    pub fn withdraw(&self, name: &str) -> bool {
        self.functions.write().remove(name).is_some()
    }

    /// The functions, as clients are told of them.
    #[must_use]
    pub fn methods(&self) -> Methods {
        let functions = self.functions.read();
        let methods = functions.iter().map(|(name, function)| {
            let mut params = function.params.clone();
            params.push(CALLBACK.to_owned());
            let method = Method {
                name: name.clone(),
                params,
            };
            (name.clone(), method)
        });
        methods.collect()
    }

    /// Takes calls until [`Server::stop`] or the end of the context. Several threads can do so at once.
    ///
    /// # Errors
    /// What the engine refuses.
    pub fn run(&self) -> Result<()> {
        while let Some(request) = self.next()? {
            self.serve(&request);
        }
        Ok(())
    }

    /// The next request; `None` when there will be none. One thread waits for the socket, and others
    /// for that one.
    fn next(&self) -> Result<Option<Request>> {
        let _turn = self.turn.lock();
        let mut request = pin!(self.rep.recv_async());
        let next = pollster::block_on(poll_fn(|cx| {
            // Before the look, so that a stop does not come unnoticed.
            *self.waker.lock() = Some(cx.waker().clone());
            if self.stops.load(Ordering::Acquire) {
                return Poll::Ready(Err(Error::Closed));
            }
            request.as_mut().poll(cx)
        }));
        match next {
            Ok(request) => Ok(Some(request)),
            Err(Error::Closed) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Has all calls of [`Server::run`] return when they have replied. It cannot be run again.
    pub fn stop(&self) {
        self.stops.store(true, Ordering::Release);
        if let Some(waker) = self.waker.lock().take() {
            waker.wake();
        }
    }

    /// Runs the server on so many threads of its own.
    ///
    /// # Errors
    /// If the system has no more threads.
    pub fn spawn(self, threads: usize) -> io::Result<Serving> {
        let mut serving = Serving {
            server: Arc::new(self),
            threads: Vec::new(),
        };
        for number in 0..threads.max(1) {
            let server = serving.server.clone();
            let thread = thread::Builder::new().name(format!("axon-rpc/{number}"));
            serving.threads.push(thread.spawn(move || server.run())?);
        }
        Ok(serving)
    }

    fn serve(&self, request: &Request) {
        let reply = self
            .answer(request.message())
            .unwrap_or_else(Failure::into_reply);
        // Whose client is gone or has no room is nobody's reply; one that is too large is an error.
        if let Err(Error::Encode(error)) = request.reply(Json(&reply)) {
            let _ = request.reply(Json(Failure::from(error).into_reply()));
        }
    }

    /// What is replied to a request, checked in the order of Node's servers and with their words.
    fn answer(&self, request: &Message) -> std::result::Result<Value, Failure> {
        let asked = request.get(0).and_then(|arg| arg.json::<Value>());
        let asked = asked.unwrap_or_default();
        if asked["type"] == "methods" {
            return Ok(json!({ "methods": self.methods() }));
        }
        let name = match &asked["method"] {
            falsy if is_falsy(falsy) => return Err(".method required".into()),
            Value::String(name) => name.clone(),
            other => other.to_string(),
        };
        let Some(call) = self
            .functions
            .read()
            .get(&name)
            .map(|function| function.call.clone())
        else {
            return Err(format!("method \"{name}\" does not exist").into());
        };
        let args = match asked.get("args") {
            Some(Value::Array(args)) => args.clone(),
            None => return Err(".args required".into()),
            Some(falsy) if is_falsy(falsy) => return Err(".args required".into()),
            Some(_) => return Err(".args must be an array".into()),
        };
        let called = panic::catch_unwind(AssertUnwindSafe(|| call(args)));
        let result = called.unwrap_or_else(|panic| Err(panicked(panic)))?;
        Ok(json!({ "args": [result] }))
    }
}

/// A server of a socket that is there already.
impl From<Rep> for Server {
    fn from(rep: Rep) -> Self {
        Self {
            rep,
            functions: RwLock::default(),
            turn: Mutex::default(),
            waker: Mutex::default(),
            stops: AtomicBool::new(false),
        }
    }
}

/// The result as JSON.
fn written(result: impl Serialize) -> std::result::Result<Value, Failure> {
    serde_json::to_value(result)
        .map_err(|error| format!("the result cannot be sent: {error}").into())
}

/// What JavaScript takes for false.
fn is_falsy(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(_) | Value::Object(_) => false,
    }
}

fn panicked(panic: Box<dyn Any + Send>) -> Failure {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    match message {
        Some(message) => format!("the function panicked: {message}").into(),
        None => "the function panicked".into(),
    }
}

/// A function that was just exposed.
#[derive(Debug)]
pub struct Exposed<'s> {
    server: &'s Server,
    name: String,
}

impl Exposed<'_> {
    /// Names its parameters, for clients that ask ([`Client::methods`](super::Client::methods)). Those
    /// without a name are `arg1`, `arg2` and so on.
    pub fn params<S: Into<String>>(self, names: impl IntoIterator<Item = S>) {
        if let Some(function) = self.server.functions.write().get_mut(&self.name) {
            for (param, name) in function.params.iter_mut().zip(names) {
                *param = name.into();
            }
        }
    }
}

/// A server on threads of its own. When it is dropped, it stops and waits for them.
#[derive(Debug)]
pub struct Serving {
    server: Arc<Server>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Serving {
    /// The server, to expose more functions and for its socket.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Waits until the server ends, by [`Server::stop`] or with the context.
    ///
    /// # Errors
    /// What the engine refuses.
    pub fn wait(mut self) -> Result<()> {
        self.join()
    }

    fn join(&mut self) -> Result<()> {
        let threads = mem::take(&mut self.threads);
        // Functions that panic are caught, so a thread has none to tell.
        let ends = threads.into_iter().filter_map(|thread| thread.join().ok());
        ends.fold(Ok(()), Result::and)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.server.stop();
        let _ = self.join();
    }
}
