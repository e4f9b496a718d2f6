//! From C and back: `abi!`, the types of arguments and answers, and the wall that no panic
//! passes.

use std::ffi::{CStr, c_char, c_int, c_long, c_short, c_ulong, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{ptr, slice};

use crate::errno::Errno;
use crate::frees;

/// Makes C functions of functions with safe bodies. The arguments' types are [`Arg`]s, the
/// answer's is an [`Answer`].
macro_rules! abi {
    ($(
        $(#[$doc:meta])*
        fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $answer:ty $body:block
    )*) => {
        #[allow(unused_imports, reason = "not all functions take all kinds of arguments")]
        use crate::abi::{In, Out};
        $(
            $(#[$doc])*
            ///
            /// # Safety
            /// The arguments are as `zmq.h` demands.
            #[unsafe(no_mangle)]
            #[allow(unused_mut, reason = "some bodies write through the argument")]
            pub(crate) unsafe extern "C" fn $name(
                $($arg: <$type as $crate::abi::Arg>::C),*
            ) -> <$answer as $crate::abi::Answer>::C {
                $(
                    // SAFETY: A1.
                    let mut $arg = unsafe { <$type as $crate::abi::Arg>::from_c($arg) };
                )*
                $crate::abi::call(move || -> $answer { $body })
            }
        )*
    };
}

/// Runs the body of a C function.
#[inline(always)]
pub(crate) fn call<A: Answer>(body: impl FnOnce() -> A) -> A::C {
    match frees::during(|| catch_unwind(AssertUnwindSafe(body))) {
        Ok(answer) => answer.into_c(),
        Err(_) => fault::<A>(),
    }
}

#[cold]
fn fault<A: Answer>() -> A::C {
    log::error!(target: "ferrozmq", "a call of the C interface has panicked");
    Errno::FAULT.set();
    A::failure()
}

/// An argument of a C function.
pub(crate) trait Arg {
    type C;

    /// # Safety
    /// A1.
    unsafe fn from_c(c: Self::C) -> Self;
}

/// Arguments that are what they are: numbers and functions.
macro_rules! plain_arg {
    ($($type:ty),*) => {$(
        impl Arg for $type {
            type C = Self;

            unsafe fn from_c(c: Self) -> Self {
                c
            }
        }
    )*};
}

/// `void (*)(void *data, void *hint)`, for `zmq_msg_init_data`.
pub(crate) type FreeFn = Option<unsafe extern "C" fn(*mut c_void, *mut c_void)>;
/// `void (*)(int timer_id, void *arg)`, for timers.
pub(crate) type TimerFn = Option<unsafe extern "C" fn(c_int, *mut c_void)>;
/// `void (*)(void *)`, for threads.
pub(crate) type ThreadFn = Option<unsafe extern "C" fn(*mut c_void)>;

plain_arg!(
    c_int, c_short, c_long, u32, u64, usize, FreeFn, TimerFn, ThreadFn
);

/// A pointer to what is read.
#[derive(Debug)]
pub(crate) struct In<T>(*const T);

impl<T> Clone for In<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for In<T> {}

impl<T> Arg for In<T> {
    type C = *const T;

    unsafe fn from_c(c: *const T) -> Self {
        Self(c)
    }
}

impl<T> In<T> {
    pub(crate) fn as_ptr(&self) -> *const T {
        self.0
    }

    pub(crate) fn is_null(&self) -> bool {
        self.0.is_null()
    }

    pub(crate) fn get(&self) -> Option<&T> {
        // SAFETY: A1.
        unsafe { self.0.as_ref() }
    }

    /// `count` of them; none if there is no pointer for any.
    pub(crate) fn slice(&self, count: usize) -> Option<&[T]> {
        if count == 0 {
            return Some(&[]);
        }
        if self.0.is_null() {
            return None;
        }
        // SAFETY: A1.
        Some(unsafe { slice::from_raw_parts(self.0, count) })
    }
}

impl In<c_void> {
    /// So many bytes; none if there is no pointer for any.
    #[inline]
    pub(crate) fn bytes(&self, len: usize) -> Option<&[u8]> {
        if len == 0 {
            return Some(&[]);
        }
        if self.0.is_null() {
            return None;
        }
        // SAFETY: A1.
        Some(unsafe { slice::from_raw_parts(self.0.cast(), len) })
    }
}

impl In<c_char> {
    pub(crate) fn c_str(&self) -> Option<&CStr> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: A1.
        Some(unsafe { CStr::from_ptr(self.0) })
    }

    /// A text.
    ///
    /// # Errors
    /// `EINVAL` if there is none, or it is not UTF-8.
    pub(crate) fn text(&self) -> Result<&str, Errno> {
        let text = self.c_str().ok_or(Errno::INVALID)?;
        text.to_str().map_err(|_| Errno::INVALID)
    }
}

/// A pointer to what is written, and perhaps read before.
#[derive(Debug)]
pub(crate) struct Out<T>(*mut T);

impl<T> Arg for Out<T> {
    type C = *mut T;

    unsafe fn from_c(c: *mut T) -> Self {
        Self(c)
    }
}

impl<T> Out<T> {
    pub(crate) fn as_ptr(&self) -> *mut T {
        self.0
    }

    pub(crate) fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// What is there, for reading and writing.
    #[inline]
    pub(crate) fn get(&mut self) -> Option<&mut T> {
        // SAFETY: A1.
        unsafe { self.0.as_mut() }
    }

    /// Writes without looking at what is there. False if there is no place.
    #[inline]
    pub(crate) fn put(&mut self, value: T) -> bool {
        if self.0.is_null() {
            return false;
        }
        // SAFETY: A1.
        unsafe { self.0.write(value) };
        true
    }

    /// `count` of them; none if there is no pointer for any.
    pub(crate) fn slice(&mut self, count: usize) -> Option<&mut [T]> {
        if count == 0 {
            return Some(&mut []);
        }
        if self.0.is_null() {
            return None;
        }
        // SAFETY: A1.
        Some(unsafe { slice::from_raw_parts_mut(self.0, count) })
    }
}

impl Out<c_void> {
    /// Writes bytes. False if there is no place for any.
    #[inline]
    pub(crate) fn copy(&mut self, bytes: &[u8]) -> bool {
        if bytes.is_empty() {
            return true;
        }
        if self.0.is_null() {
            return false;
        }
        let to = self.0.cast::<u8>();
        // The two of these may overlap: small bodies are not worth a call.
        if let (Some(first), Some(last)) = (bytes.first_chunk::<16>(), bytes.last_chunk::<16>()) {
            if bytes.len() <= 32 {
                // SAFETY: A1; there is room for all of `bytes`, which are 16 at least.
                unsafe { to.cast::<[u8; 16]>().write_unaligned(*first) };
                let end = to.wrapping_add(bytes.len() - 16);
                // SAFETY: as above.
                unsafe { end.cast::<[u8; 16]>().write_unaligned(*last) };
                return true;
            }
        }
        // SAFETY: A1; what is written lies in memory of our own.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        true
    }
}

/// A pointer that is passed through, to be given to a callback.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opaque(pub *mut c_void);

// SAFETY: A4: it is looked at by C alone.
unsafe impl Send for Opaque {}
// SAFETY: as above.
unsafe impl Sync for Opaque {}

impl Arg for Opaque {
    type C = *mut c_void;

    unsafe fn from_c(c: *mut c_void) -> Self {
        Self(c)
    }
}

/// What a C function returns.
pub(crate) trait Answer {
    type C;

    fn into_c(self) -> Self::C;

    /// What says that the call failed.
    fn failure() -> Self::C;
}

macro_rules! plain_answer {
    ($($type:ty: $failure:expr),*) => {$(
        impl Answer for $type {
            type C = Self;

            fn into_c(self) -> Self {
                self
            }

            fn failure() -> Self {
                $failure
            }
        }
    )*};
}

plain_answer!((): (), c_int: -1, c_long: -1, c_ulong: 0, u32: 0, usize: 0, *mut c_void: ptr::null_mut());

/// A static text, or one that lives as long as the argument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text(pub *const c_char);

impl Answer for Text {
    type C = *const c_char;

    fn into_c(self) -> *const c_char {
        self.0
    }

    fn failure() -> *const c_char {
        ptr::null()
    }
}

/// The place that the caller gave for a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextPlace(pub *mut c_char);

impl Answer for TextPlace {
    type C = *mut c_char;

    fn into_c(self) -> *mut c_char {
        self.0
    }

    fn failure() -> *mut c_char {
        ptr::null_mut()
    }
}

/// The place that the caller gave for bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BytesPlace(pub *mut u8);

impl Answer for BytesPlace {
    type C = *mut u8;

    fn into_c(self) -> *mut u8 {
        self.0
    }

    fn failure() -> *mut u8 {
        ptr::null_mut()
    }
}

/// Success that is said by 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done;

impl Answer for Done {
    type C = c_int;

    fn into_c(self) -> c_int {
        0
    }

    fn failure() -> c_int {
        -1
    }
}

impl<A: Answer> Answer for Result<A, Errno> {
    type C = A::C;

    #[inline]
    fn into_c(self) -> A::C {
        match self {
            Ok(answer) => answer.into_c(),
            Err(errno) => {
                errno.set();
                A::failure()
            }
        }
    }

    fn failure() -> A::C {
        A::failure()
    }
}

impl Opaque {
    /// The same pointer, for looking up a handle.
    pub(crate) fn as_in(self) -> In<c_void> {
        In(self.0)
    }
}
