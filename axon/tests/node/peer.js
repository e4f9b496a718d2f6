// A program on Node's side of a test. It is told what to do by lines of JSON on its standard input, and
// tells what happens by lines of JSON on its standard output. It ends with its input.
//
// node peer.js <directory with node_modules> <axon or pm2-axon> <axon-rpc or pm2-axon-rpc>
'use strict';

const path = require('node:path');
const readline = require('node:readline');
const { createRequire } = require('node:module');

const [directory, axonName, rpcName] = process.argv.slice(2);
const load = createRequire(path.join(directory, 'peer.js'));
const axon = load(axonName);
const rpc = load(rpcName);

// How many bytes may wait in a stream before a flood pauses.
const HIGH = 1 << 20;
// How many requests of a flood are in flight.
const WINDOW = 500;

let socket;
let server;
let client;
// Set while messages are counted instead of told: how many are expected.
let counting;
// What is done with messages that come before anybody says.
let inOrder = 0;

function tell(event, fields) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + '\n');
}

// Bytes travel between this program and the test as {$buffer: hex}.
function pack(value) {
  return Buffer.isBuffer(value) ? { $buffer: value.toString('hex') } : value;
}

function unpack(value) {
  return value && typeof value.$buffer === 'string' ? Buffer.from(value.$buffer, 'hex') : value;
}

// The socket that has the streams and the events.
function base() {
  return socket.sock || socket;
}

function received(args) {
  // pm2-axon's sub adds the stream.
  args = args.filter((arg) => !(arg && typeof arg.setNoDelay === 'function'));
  if (counting === undefined) {
    tell('message', { args: args.map(pack) });
    return;
  }
  // The number is the last argument, whatever stands before it.
  const number = args[args.length - 1];
  if (number !== inOrder) {
    tell('counted', { count: inOrder, wrong: number });
    counting = undefined;
    return;
  }
  inOrder += 1;
  if (inOrder === counting) {
    tell('counted', { count: inOrder });
    counting = undefined;
  }
}

const makers = {
  push: () => {},
  pub: () => {},
  'pub-emitter': () => {},
  req: () => {},
  pull: () => socket.on('message', (...args) => received(args)),
  sub: () => socket.on('message', (...args) => received(args)),
  'sub-emitter': () => {},
  rep: () =>
    socket.on('message', (...args) => {
      const reply = args.pop();
      if (args[0] === 'never') return;
      if (args[0] === 'late') {
        setTimeout(() => reply(...args), 50);
        return;
      }
      reply(...args);
    }),
};

const commands = {
  socket({ type }) {
    socket = axon.socket(type);
    makers[type]();
    for (const name of ['bind', 'connect', 'disconnect', 'reconnect attempt', 'close']) {
      base().on(name, () => tell(name, name === 'bind' ? { address: base().address() } : {}));
    }
  },
  set({ name, value }) {
    base().set(name, value);
  },
  bind({ at }) {
    socket.bind(at);
  },
  connect({ at }) {
    socket.connect(at);
  },
  close() {
    socket.close();
  },
  subscribe({ pattern, regexp }) {
    socket.subscribe(regexp ? new RegExp(pattern) : pattern);
  },
  on({ pattern, regexp }) {
    socket.on(regexp ? new RegExp(pattern) : pattern, (...args) => {
      if (counting !== undefined) received(args);
      else tell('call', { pattern, args: args.map(pack) });
    });
  },
  off({ pattern }) {
    socket.off(pattern);
  },
  send({ args }) {
    args = args.map(unpack);
    if (socket.emit && socket.sock) socket.emit(...args);
    else socket.send(...args);
  },
  request({ args }) {
    socket.send(...args.map(unpack), (...reply) => tell('reply', { args: reply.map(pack) }));
  },
  count({ count }) {
    counting = count;
    inOrder = 0;
  },
  // Sends `count` numbers, each behind `args`, and waits when the stream has enough.
  flood({ count, args }) {
    args = args.map(unpack);
    const send = socket.sock ? socket.emit.bind(socket) : socket.send.bind(socket);
    let next = 0;
    (function some() {
      const stream = base().socks[0];
      if (!stream) {
        tell('flooded', { count: next, wrong: 'the stream is gone' });
        return;
      }
      while (next < count && stream.writableLength < HIGH) send(...args, next++);
      if (next < count) stream.once('drain', some);
      else tell('flooded', { count });
    })();
  },
  // Sends `count` requests, and looks whether each has its own reply.
  requests({ count }) {
    let sent = 0;
    let replies = 0;
    let wrong;
    function some() {
      while (sent < count && sent - replies < WINDOW) {
        const number = sent++;
        socket.send('number', number, (text, back) => {
          replies += 1;
          if (text !== 'number' || back !== number) wrong = [number, text, back];
          if (wrong || replies === count) {
            tell('answered', { count: replies, wrong });
            replies = sent = count;
            wrong = undefined;
          } else if (sent - replies < WINDOW / 2) {
            some();
          }
        });
      }
    }
    some();
  },
  serve() {
    // No echo beside it.
    socket.removeAllListeners('message');
    server = new rpc.Server(socket);
    server.expose('add', function (a, b, fn) {
      fn(null, a + b);
    });
    server.expose('nothing', function (fn) {
      fn();
    });
    server.expose('many', function (fn) {
      fn(null, 1, 'two', { three: 3 });
    });
    server.expose('fail', function (fn) {
      fn(new Error('it failed'));
    });
    server.expose('failWith', function (what, fn) {
      fn(what);
    });
    server.expose('never', function (fn) {});
    server.expose('later', function (ms, value, fn) {
      setTimeout(() => fn(null, value), ms);
    });
  },
  client() {
    client = new rpc.Client(socket);
  },
  call({ method, args }) {
    client.call(method, ...args, (error, ...results) =>
      tell('result', { error: error && { message: error.message, stack: error.stack }, results }));
  },
  methods() {
    client.methods((error, methods) => tell('result', { error, results: [methods] }));
  },
};

readline
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = JSON.parse(line);
    commands[command.do](command);
    tell('done', { what: command.do });
  })
  .on('close', () => process.exit(0));
