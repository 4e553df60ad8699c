/** A server that stops does not wait for connections on which nobody asked anything. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { watchSilentSockets } from '../../../server/src/http/silent-sockets.ts';

let server: Server;
let closeSilent: () => void;
let answer: () => void;

beforeEach(async () => {
  server = createServer((_request, response) => {
    answer = () => response.end('done');
    server.emit('asked');
  });
  closeSilent = watchSilentSockets(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function connected(): Promise<Socket> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await Promise.all([once(socket, 'connect'), once(server, 'connection')]);
  return socket;
}

it('closes a connection that never asked, and lets a request be answered', async () => {
  const silent = await connected();
  const asking = await connected();
  const asked = once(server, 'asked');
  asking.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await asked;
  const gone = once(silent, 'close');
  closeSilent();
  await gone;
  const told = once(asking, 'data');
  answer();
  expect(String((await told)[0])).toContain('done');
  asking.destroy();
});
