//! [`Handle`]: what a `void *` of the interface points to.
//!
//! A handle begins with a tag, and its memory is never given back: a closed one is kept to be
//! opened again, after all others. So whoever uses a handle that is closed is told so, and a
//! socket that one thread closes while another uses it is no harm. The lock is what makes every
//! socket usable from any thread.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};

use crate::abi::In;
use crate::errno::Errno;

/// What a handle can stand for.
pub(crate) trait Kind: Send + Sized + 'static {
    const TAG: u32;
    /// What is said of a handle that is none of this kind.
    const BAD: Errno;

    fn closed() -> &'static Pool<Self>;
}

/// The tag of a handle that is closed.
const CLOSED: u32 = 0xdead_beef;

/// Handles that are closed are opened again only if there are so many.
const KEPT: usize = 64;

#[derive(Debug)]
#[repr(C)]
pub(crate) struct Handle<T> {
    tag: AtomicU32,
    value: Mutex<Option<T>>,
}

/// The closed handles of a kind, the one closed first first.
pub(crate) type Pool<T> = Mutex<VecDeque<&'static Handle<T>>>;

/// Exclusive use of what a handle stands for.
pub(crate) type Guard<T> = MappedMutexGuard<'static, T>;

impl<T: Kind> Handle<T> {
    /// A handle of `value`.
    pub(crate) fn open(value: T) -> &'static Self {
        let mut pool = T::closed().lock();
        let handle = if pool.len() > KEPT {
            pool.pop_front()
        } else {
            None
        };
        drop(pool);
        let handle = handle.unwrap_or_else(|| {
            Box::leak(Box::new(Self {
                tag: AtomicU32::new(CLOSED),
                value: Mutex::new(None),
            }))
        });
        *handle.value.lock() = Some(value);
        handle.tag.store(T::TAG, Ordering::Release);
        handle
    }

    pub(crate) fn as_ptr(&'static self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// The handle at a place.
    ///
    /// # Errors
    /// [`Kind::BAD`] if there is none, or a closed one, or one of another kind.
    #[inline]
    pub(crate) fn find(place: In<c_void>) -> Result<&'static Self, Errno> {
        let tag = place.as_ptr().cast::<AtomicU32>();
        if tag.is_null() || !place.as_ptr().cast::<Self>().is_aligned() {
            return Err(T::BAD);
        }
        // SAFETY: A1 and A2: it can be read.
        let tag = unsafe { &*tag };
        if tag.load(Ordering::Acquire) != T::TAG {
            return Err(T::BAD);
        }
        // SAFETY: A2: its tag says that it is one of ours.
        Ok(unsafe { &*place.as_ptr().cast() })
    }

    /// What it stands for.
    ///
    /// # Errors
    /// [`Kind::BAD`] if it has been closed.
    #[inline]
    pub(crate) fn lock(&'static self) -> Result<Guard<T>, Errno> {
        MutexGuard::try_map(self.value.lock(), Option::as_mut).map_err(|_| T::BAD)
    }

    /// Closes it.
    ///
    /// # Errors
    /// [`Kind::BAD`] if another thread has.
    pub(crate) fn close(&'static self) -> Result<T, Errno> {
        let value = self.value.lock().take().ok_or(T::BAD)?;
        self.tag.store(CLOSED, Ordering::Release);
        T::closed().lock().push_back(self);
        Ok(value)
    }
}

/// Implements [`Kind`].
macro_rules! kind {
    ($type:ty, $tag:expr, $bad:expr) => {
        impl $crate::handle::Kind for $type {
            const TAG: u32 = $tag;
            const BAD: $crate::errno::Errno = $bad;

            fn closed() -> &'static $crate::handle::Pool<Self> {
                static CLOSED: $crate::handle::Pool<$type> =
                    parking_lot::Mutex::new(std::collections::VecDeque::new());
                &CLOSED
            }
        }
    };
}
pub(crate) use kind;
