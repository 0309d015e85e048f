// A peer of feedd: Socket.IO with its polling transport only. node socketio.js PORT; no broker, no login, no database.

const http = require('http');
const { Server } = require('socket.io');

const server = http.createServer((request, response) => {
  if (request.url !== '/pub') {
    response.writeHead(404).end();
    return;
  }
  let body = '';
  request.on('data', (data) => (body += data));
  request.on('end', () => {
    io.emit('event', body);
    response.end('ok');
  });
});
const io = new Server(server, {
  transports: ['polling'],
  pingInterval: 600000,
  pingTimeout: 600000,
  perMessageDeflate: false,
  httpCompression: false,
});
server.keepAliveTimeout = 600000;
server.listen(+process.argv[2], '127.0.0.1', 20000);
