/** The least a Node process can do and still answer HTTP: what a cold start is measured against. */
import { createServer } from 'node:http';

const server = createServer((_request, response) => response.end('{}'));
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
