// A peer in Node for the benches: node peer.js <package> <role> <address> <size> <seconds>
//
// Receivers and repliers bind, and print `ready` and where. Who measures prints a line with what it
// has counted per second, from half a second after the first message on.
'use strict';

const [, , path, role, address, size, seconds] = process.argv;
const axon = require(path);
const payload = Buffer.alloc(Number(size), 7);
const WARM_UP = 500;

// Calls back with the rate when the time is over; to be told of each message.
function meter(done) {
  let count = 0, since = 0, begun = 0;
  return () => {
    count += 1;
    if (count % 256 !== 1) return;
    const now = process.hrtime.bigint();
    if (begun === 0) begun = now;
    if (since === 0) {
      if (now - begun >= BigInt(WARM_UP) * 1000000n) { since = now; count = 1; }
      return;
    }
    const elapsed = Number(now - since) / 1e9;
    if (elapsed >= Number(seconds)) done((count - 1) / elapsed);
  };
}

function report(rate) {
  console.log(`rate ${rate.toFixed(0)}`);
  process.exit(0);
}

function bind(sock) {
  sock.on('bind', () => {
    const at = sock.address();
    console.log(`ready ${typeof at === 'string' ? at : at.string}`);
  });
  sock.bind(address);
}

// Sends as fast as the stream takes it.
function pump(sock, send) {
  const stream = sock.socks[0];
  if (!stream) return;
  for (let n = 0; n < 64; n++) send();
  if (stream.writableNeedDrain) stream.once('drain', () => pump(sock, send));
  else setImmediate(pump, sock, send);
}

const roles = {
  pull() {
    const sock = axon.socket('pull'), count = meter(report);
    sock.on('message', count);
    bind(sock);
  },
  sub() {
    const sock = axon.socket('sub'), count = meter(report);
    sock.on('message', count);
    bind(sock);
  },
  push() {
    const sock = axon.socket('push');
    sock.connect(address);
    sock.on('connect', () => pump(sock, () => sock.send(payload)));
  },
  pub() {
    const sock = axon.socket('pub');
    sock.connect(address);
    sock.on('connect', () => pump(sock, () => sock.send(payload)));
  },
  rep() {
    const sock = axon.socket('rep');
    sock.on('message', (body, reply) => reply(body));
    bind(sock);
  },
  req() {
    const sock = axon.socket('req'), count = meter(report);
    sock.connect(address);
    const ask = () => sock.send(payload, () => { count(); ask(); });
    sock.on('connect', ask);
  },
};
roles[role]();
