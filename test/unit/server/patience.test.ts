/** How long a body may take: little for what is small, as long as it likes for a recording. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import express from 'express';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bodyInTime } from '../../../server/src/http/patience.ts';
import { isUpload } from '../../../server/src/http/recordings.ts';

let server: Server;
beforeAll(async () => {
  const app = express();
  app.use(bodyInTime(isUpload, 20));
  app.use(express.text({ type: () => true }));
  app.use((request, response) => {
    response.json({ took: (request.body as string).length });
  });
  server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** Sends the head of a request and half of its ten bytes. */
async function begin(line: string): Promise<{ readonly socket: Socket; readonly answer: Promise<string> }> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(socket, 'connect');
  const answer = once(socket, 'data').then(([data]: unknown[]) => String(data));
  socket.write(`${line} HTTP/1.1\r\nhost: relay\r\ncontent-length: 10\r\n\r\nhello`);
  return { socket, answer };
}

it('a request that stops half-way is answered and its connection closed', async () => {
  const { socket, answer } = await begin('POST /v1/sessions');
  const closed = once(socket, 'close');
  expect(await answer).toMatch(/^HTTP\/1\.1 408 .*\r\n[\s\S]*did not arrive in time/);
  await closed;
});

it.each([
  ['PUT /v1/recordings/acme/asterisk/calls/abc', true],
  ['PUT /V1/Recordings/acme/asterisk/sip/abc/', true],
  ['PUT /v1/recordings/acme/asterisk/sip/a%2Fb', true],
  ['PUT /v1/recordings/acme/asterisk', false],
  ['PUT /v1/recordings/acme/asterisk/sip/a/b', false],
  ['PUT /v1/recordings/acme/asterisk/other/abc', false],
  ['PUT /v1/recordings/../sessions', false],
  ['POST /v1/recordings/acme/asterisk/sip/abc', false],
  ['PUT /x/v1/recordings/acme/asterisk/sip/abc', false],
])('%s is an upload of sound: %s', (line, isOne) => {
  const [method = '', path = ''] = line.split(' ');
  expect(isUpload(method, path)).toBe(isOne);
});

it('a recording is waited for', async () => {
  const slow = await begin('PUT /v1/recordings/acme/asterisk/sip/abc');
  // Whoever came after it was given up meanwhile.
  const { answer } = await begin('POST /v1/sessions');
  expect(await answer).toMatch(/^HTTP\/1\.1 408 /);
  slow.socket.write('world');
  expect(await slow.answer).toMatch(/^HTTP\/1\.1 200 [\s\S]*"took":10/);
  slow.socket.destroy();
});
