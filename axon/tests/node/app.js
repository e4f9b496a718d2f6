// What the daemons of pm2 run in tests. Every line on its standard input has it do something.
'use strict';

process.on('SIGHUP', () => console.log('got SIGHUP'));
process.on('message', (packet) => {
  if (packet.topic === 'throw') does.throw();
  else if (packet.topic) console.log(`got ${packet.topic} ${JSON.stringify(packet.data)}`);
});

const does = {
  err: () => console.error('to stderr'),
  message: () => process.send({ type: 'process:msg', data: { any: ['thing'] } }),
  raw: () => process.send('a text'),
  topic: () => process.send({ type: 'my:topic', data: { n: 1 } }),
  forged: () => process.send({ type: 'log:out', data: { not: 'text' } }),
  throw: () => {
    throw new Error('as it must');
  },
  exit: () => process.exit(3),
};

console.log(`hello from ${process.env.NAME} ${process.argv.slice(2).join(' ')}`);

let rest = '';
process.stdin.on('data', (chunk) => {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop();
  for (const line of lines) (does[line] || (() => console.log(`got ${line}`)))();
});
// A daemon that was killed leaves nobody behind.
process.on('disconnect', () => process.exit());
// In cluster mode its input is at its end at once, and it goes on all the same.
setInterval(() => {}, 1 << 30);
