import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { Wiretap } from '../../torture/wiretap.ts';

let pbx: WebSocketServer;
let tap: Wiretap;
beforeEach(async () => {
  pbx = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(pbx, 'listening');
  tap = await Wiretap.start(`ws://127.0.0.1:${(pbx.address() as AddressInfo).port}`);
});
afterEach(async () => {
  await tap.close();
  for (const socket of pbx.clients) socket.terminate();
  await new Promise((resolve) => pbx.close(resolve));
});

async function connect(): Promise<WebSocket> {
  const phone = new WebSocket(tap.url, 'sip');
  const reached = new Promise<void>((resolve) => {
    tap.onPhone = resolve;
  });
  await Promise.all([once(phone, 'open'), reached]);
  return phone;
}

it('reaches a phone by the connection that is left when a second one is given up again', async () => {
  const first = await connect();
  const second = await connect();
  const back = new Promise<void>((resolve) => {
    tap.onPhone = resolve;
  });
  second.close();
  await back;
  const heard = once(first, 'message');
  tap.slip('OPTIONS sip:a@b.invalid SIP/2.0');
  expect(String((await heard)[0])).toBe('OPTIONS sip:a@b.invalid SIP/2.0');
});
