// Opens sessions of Socket.IO or Faye, and writes their ids, one a line.
//
//     node sessions.js socketio|faye PORT NUMBER FILE

const fs = require('fs');
const http = require('http');

const [kind, port, number, file] = process.argv.slice(2);
const AT_ONCE = 50;
const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE });

function ask(method, path, body) {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: +port, method, path, agent };
    if (kind === 'faye') options.headers = { 'Content-Type': 'application/json' };
    const request = http.request(options, (response) => {
      let text = '';
      response.on('data', (data) => (text += data));
      response.on('end', () => resolve(text));
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function socketio() {
  const path = '/socket.io/?EIO=4&transport=polling';
  const { sid } = JSON.parse((await ask('GET', path)).slice(1));
  await ask('POST', `${path}&sid=${sid}`, '40');
  await ask('GET', `${path}&sid=${sid}`);
  return sid;
}

async function faye() {
  const say = async (message) => JSON.parse(await ask('POST', '/faye', JSON.stringify([message])));
  const types = ['long-polling'];
  const [{ clientId }] = await say({ channel: '/meta/handshake', version: '1.0', supportedConnectionTypes: types });
  await say({ channel: '/meta/subscribe', clientId, subscription: '/feed' });
  await say({ channel: '/meta/connect', clientId, connectionType: types[0], advice: { timeout: 0 } });
  return clientId;
}

async function main() {
  const open = { socketio, faye }[kind];
  const ids = [];
  while (ids.length < +number) {
    const batch = Math.min(AT_ONCE, +number - ids.length);
    ids.push(...(await Promise.all(Array.from({ length: batch }, open))));
  }
  fs.writeFileSync(file, ids.join('\n') + '\n');
  process.exit();
}

main();
