// A peer of feedd: the design of 2011 in Node.js, JSONP long polls behind the fanout exchange of an author.
//
//     node node_gateway.js PORT AMQP_URL shared|peruser
//
// shared: one queue for the process; peruser: a queue for each user, as it was. No login, no friends, no database.

const http = require('http');
const url = require('url');
const amqp = require('amqplib');

const [port, broker, queues] = process.argv.slice(2);
const EXCHANGE = 'node_feedExchange';
const viewers = {};

function flush(viewer) {
  if (!viewer.response || !viewer.pending.length) return;
  const answer = `/**/${viewer.callback}(${JSON.stringify({ cursor: viewer.cursor, items: viewer.pending })});`;
  viewer.pending = [];
  viewer.response.writeHead(200, {
    'Content-Type': 'application/javascript; charset=utf-8',
    'Content-Length': Buffer.byteLength(answer),
  });
  viewer.response.end(answer);
  viewer.response = null;
}

function hear(viewer, item) {
  viewer.cursor++;
  viewer.pending.push(item);
  flush(viewer);
}

async function viewerOf(channel, name) {
  if (viewers[name]) return viewers[name];
  const viewer = (viewers[name] = { pending: [], cursor: 0, response: null });
  if (queues === 'peruser') {
    await channel.assertQueue('_node' + name, { autoDelete: true });
    await channel.bindQueue('_node' + name, EXCHANGE, '');
    await channel.consume('_node' + name, (message) => hear(viewer, JSON.parse(message.content)), { noAck: true });
  }
  return viewer;
}

async function hearAll(channel) {
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, EXCHANGE, '');
  await channel.consume(queue, (message) => {
    const item = JSON.parse(message.content);
    for (const name in viewers) hear(viewers[name], item);
  }, { noAck: true });
}

async function main() {
  const channel = await (await amqp.connect(broker)).createChannel();
  await channel.assertExchange(EXCHANGE, 'fanout', { durable: true });
  if (queues !== 'peruser') await hearAll(channel);
  const server = http.createServer(async (request, response) => {
    const { pathname, query } = url.parse(request.url, true);
    if (pathname === '/poll') {
      const viewer = await viewerOf(channel, query.user);
      viewer.callback = query.callback;
      viewer.response = response;
      flush(viewer);
    } else if (pathname === '/pub') {
      let body = '';
      request.on('data', (data) => (body += data));
      request.on('end', () => {
        channel.publish(EXCHANGE, '', Buffer.from(body));
        response.end('ok');
      });
    } else {
      response.writeHead(404).end();
    }
  });
  server.keepAliveTimeout = 300000;
  server.requestTimeout = 0;
  server.listen(+port, '127.0.0.1', 20000);
}

main();
