/** The session behind an event stream, when it ends between the look at it and the place where news of its end would arrive. */
import type { AddressInfo } from 'node:net';
import type { AgentId, DeviceId, TenantId } from '@patchcord/call-protocol';
import express from 'express';
import { expect, it } from 'vitest';
import { liveEventRoutes } from '../../../server/src/http/live-events.ts';
import type { RelayParts } from '../../../server/src/http/parts.ts';
import type { SessionOwner } from '../../../server/src/identity/sessions.ts';
import { createLog } from '../../../server/src/logging.ts';

const session: SessionOwner = {
  sessionId: 'one',
  tenant: 'acme' as TenantId,
  agent: 'ada' as AgentId,
  device: '00000000-0000-4000-8000-000000000000' as DeviceId,
  role: 'agent',
  expiresAt: Date.now() + 3_600_000,
};

/** What a reader gets whose session was open when it was checked. */
async function read(isOpen: () => Promise<boolean>): Promise<{ readonly text: string; readonly reached: boolean }> {
  let reached = false;
  let readers = 0;
  const counted = { inc: () => {}, dec: () => {} };
  const parts = {
    now: Date.now,
    log: createLog('silent'),
    limits: { take: async () => true },
    metrics: { refused: counted },
    live: { streams: counted, streamEvents: counted },
    sessions: { check: async () => session, isOpen },
    hub: {
      add: () => {
        readers += 1;
        return () => {
          readers -= 1;
        };
      },
    },
    streams: {
      placeOf: async () => ({ cursor: 0 }),
      idOf: () => '0',
      onClose: () => () => {},
      open: async () => {
        reached = true;
        return () => {};
      },
    },
  };
  const server = express()
    .use(liveEventRoutes(parts as unknown as RelayParts))
    .listen(0, '127.0.0.1');
  try {
    await new Promise((resolve) => server.once('listening', resolve));
    const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/live/events`);
    const text = await answer.text().catch(() => 'cut off');
    expect(readers).toBe(0);
    return { text, reached };
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

it('ends the stream with a word when the session ended while the stream was opened', async () => {
  const { text, reached } = await read(async () => false);
  expect(text).toContain('event: end\ndata: {"code":4401');
  expect(reached).toBe(false);
});

it('cuts the stream off when nobody can say whether the session is open; the reader comes back by itself', async () => {
  const { text, reached } = await read(() => Promise.reject(new Error('the store is away')));
  expect(text).toBe('cut off');
  expect(reached).toBe(false);
});
