/** What the relay learns of which frame holds the calls: it misses a call's frame only where the mirrors, which stay, say that they are mirrors. */
import type { PanelMessage } from '@patchcord/call-protocol';
import { FakeClock } from '@patchcord/phone-engine/testing';
import { expect, it } from 'vitest';
import { createLiveLink, type LiveSocket } from '../../../packages/softphone-ui/src/live-link.ts';
import { profile } from '../../panel/sample-profile.ts';
import { settle } from './panel-lab.ts';

/** A link, and what its sockets were told, newest last. `answer`: the relay takes the newest socket. */
function open() {
  const said: PanelMessage[] = [];
  const sockets: LiveSocket[] = [];
  const clock = new FakeClock();
  const link = createLiveLink({
    url: 'wss://relay.example.test/v1/live',
    openSocket: () => {
      const socket: LiveSocket = {
        send: (text) => void said.push(JSON.parse(String(text)) as PanelMessage),
        close: () => {},
        onopen: null,
        onmessage: null,
        onclose: null,
        onerror: null,
      };
      sockets.push(socket);
      return socket;
    },
    clock,
    authentication: () => Promise.resolve({ token: 'a-token', proof: 'a-proof' }),
    tokenRefused: () => {},
    callEvents: () => Promise.resolve({ events: [], more: false }),
  });
  const newest = (): WebSocket => sockets.at(-1) as WebSocket;
  const greet = (): void => newest().onopen?.(new Event('open'));
  const welcome = (): void => {
    const data = JSON.stringify({ type: 'authenticated', agent: profile.agent });
    newest().onmessage?.(new MessageEvent('message', { data }));
  };
  link.open();
  return {
    link,
    said,
    greet,
    welcome,
    answer: () => {
      greet();
      welcome();
    },
    lose: async () => {
      newest().onclose?.(new Event('close') as CloseEvent);
      link.nudge();
      await settle();
    },
  };
}
const joins = (mirror: boolean) => ({ type: 'authenticate', token: 'a-token', proof: 'a-proof', mirror });

it('joins as a mirror, and tells the relay once it holds the calls, though it has nothing to tell of them', async () => {
  const { link, said, answer } = open();
  await settle();
  answer();
  expect(said).toEqual([joins(true)]);
  link.holdCalls(true);
  link.holdCalls(true);
  expect(said).toEqual([joins(true), { type: 'publish', events: [] }]);
});

it('tells it also when the calls came while it was joining', async () => {
  const { link, said, greet, welcome } = open();
  await settle();
  greet();
  link.holdCalls(true);
  welcome();
  expect(said).toEqual([joins(true), { type: 'publish', events: [] }]);
});

it('joins as what it is: with the calls after a lost connection, and as a mirror when they went elsewhere', async () => {
  const { link, said, answer, lose } = open();
  link.holdCalls(true);
  await settle();
  answer();
  await lose();
  answer();
  expect(said).toEqual([joins(false), joins(false)]);
  link.holdCalls(false);
  await lose();
  answer();
  expect(said.at(-1)).toEqual(joins(true));
});
