// A peer of feedd: Faye, a Bayeux server, with long polls. node faye.js PORT; no broker, no login, no database.

const http = require('http');
const faye = require('faye');

const server = http.createServer((request, response) => response.end());
new faye.NodeAdapter({ mount: '/faye', timeout: 50 }).attach(server);
server.keepAliveTimeout = 300000;
server.listen(+process.argv[2], '127.0.0.1', 20000);
