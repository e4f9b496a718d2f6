//! Tests of ferrozmq against other implementations of ZeroMQ. There is nothing here but them: see
//! `tests/`. They are in a package of their own so that the library never depends on libzmq.
