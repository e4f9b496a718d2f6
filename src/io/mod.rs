//! What touches the system: descriptors, name lookups, the clock, and the threads that wait for
//! them. Owns no code itself; must never import from routing or patterns.

mod resolver;
mod transport;
