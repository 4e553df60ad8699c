/** What a forged signature costs the relay, and which calls make a page of a card: without a relay around them. */
import { createHmac } from 'node:crypto';
import { type CallId, newCallId, type TenantId } from '@patchcord/call-protocol';
import { createMemoryRelay } from '@patchcord/crm-adapters/relay';
import { describe, expect, it } from 'vitest';
import { checkConfig } from '../../../server/src/config.ts';
import { fitted, pageOf } from '../../../server/src/http/hubspot-card-calls.ts';
import { signersOf } from '../../../server/src/http/hubspot-signed.ts';
import { Limits } from '../../../server/src/limits.ts';
import type { StoredCall } from '../../../server/src/store/contract.ts';
import { Tenants } from '../../../server/src/tenants.ts';
import { testConfig, testTenant } from './relay-in-test.ts';

const relayUrl = 'https://phone.example.com';
const secretOf = (app: number): string => `the-client-secret-of-app-${app}-in-tests`;

/** A relay's parts for checking signatures: `apps` says of which app each customer is. */
function checking(apps: readonly number[]) {
  const config = checkConfig(
    testConfig({
      tenants: apps.map((app, index) =>
        testTenant({
          id: `tenant-${index}`,
          crm: {
            ...{ kind: 'hubspot', portalId: 1_000 + index, appId: app, clientId: 'client', refreshToken: 'refresh' },
            clientSecret: secretOf(app),
          },
        }),
      ),
    }),
  );
  const limits = new Limits();
  const taken: number[] = [];
  const parts = {
    tenants: new Tenants(config.tenants, () => createMemoryRelay()),
    limits: {
      waitMs: limits.waitMs.bind(limits),
      take: (name: 'refused-signatures', key: string, points?: number) => {
        taken.push(points ?? 1);
        return limits.take(name, key, points);
      },
    } as Limits,
    metrics: { refused: { inc: () => {} } },
    publicUrl: () => relayUrl,
    now: Date.now,
  };
  const send = async (app: number, bytes: number, ip = '192.0.2.1') => {
    const body = Buffer.alloc(bytes, '7');
    const at = String(Date.now());
    const signature = createHmac('sha256', secretOf(app)).update(`POST${relayUrl}/x`).update(body).update(at);
    const headers = {
      'x-hubspot-signature-v3': signature.digest('base64'),
      'x-hubspot-request-timestamp': at,
    };
    const signers = await signersOf(parts, { method: 'POST', originalUrl: '/x', headers, body, ip }, 'test');
    return signers.map(({ config: { id } }) => id);
  };
  return { send, taken };
}

describe('whose app signed', () => {
  it('is tried once for each secret, and told of all who have it', async () => {
    const { send, taken } = checking([1, 1, 2, 1]);
    expect(await send(1, 100)).toEqual(['tenant-0', 'tenant-1', 'tenant-3']);
    expect(await send(2, 100)).toEqual(['tenant-2']);
    expect(taken).toEqual([]);
    await expect(send(3, 1_000_000)).rejects.toMatchObject({ code: 'identity.refused' });
    // Two secrets over a megabyte.
    expect(taken).toEqual([31]);
  });

  it('is asked no more from an address that made us hash too much in vain; small mistakes and others’ go on', async () => {
    const { send, taken } = checking([1, 2]);
    for (let index = 0; index < 200; index += 1) await expect(send(3, 500)).rejects.toThrow();
    expect(await send(1, 500)).toEqual(['tenant-0']);
    let tries = 0;
    for (; tries < 500; tries += 1) {
      const refused = await send(3, 1_000_000).catch(({ code }: { code: string }) => code);
      if (refused === 'request.too-many') break;
    }
    expect(tries).toBeLessThan(100);
    await expect(send(1, 500)).rejects.toMatchObject({ code: 'request.too-many', retryable: true });
    expect(await send(1, 500, '192.0.2.2')).toEqual(['tenant-0']);
    expect(taken.length).toBe(200 + tries);
  });
});

describe('a page of a card', () => {
  const tenant = 'acme' as TenantId;
  /** A phone system's report (by its id), joined with the call of a phone where `joined`. */
  const stored = (startedAt: number, joined: boolean): StoredCall =>
    ({
      callId: joined ? (`00000000-0000-8000-8000-${String(startedAt).padStart(12, '0')}` as CallId) : newCallId(),
      tenant,
      log: { startedAt, joinedWith: joined ? newCallId() : null },
    }) as unknown as StoredCall;

  it('is full though most of what is found is no entry of its own, and none is told twice', async () => {
    const all = Array.from({ length: 60 }, (_, index) => stored(1_000 - index, index < 30 || index % 2 === 0));
    const entries = all.filter(({ log }) => log?.joinedWith === null);
    const asked: unknown[] = [];
    const find = (after: { readonly at: number } | null): Promise<readonly StoredCall[]> => {
      asked.push(after);
      return Promise.resolve(all.filter(({ log }) => after === null || (log?.startedAt ?? 0) < after.at).slice(0, 11));
    };
    const first = await pageOf(find, null, 10);
    expect(first).toEqual({ calls: entries.slice(0, 10), more: true });
    const last = first.calls.at(-1);
    const second = await pageOf(find, { at: last?.log?.startedAt ?? 0, call: last?.callId ?? null }, 10);
    expect(second).toEqual({ calls: entries.slice(10), more: false });
    expect(asked[0]).toBeNull();
  });

  it('leaves out the words of older calls before it cuts a note, and counts bytes', () => {
    const call = (note: string, words: string | null) => ({ note, transcript: words === null ? null : [{ words }] });
    const answer = {
      more: false,
      calls: [call('one', 'é'.repeat(300)), call('two', 'é'.repeat(300)), call('three', null)],
    };
    expect(fitted(answer, 2_000)).toBe(answer);
    const { calls } = fitted(answer, 1_000);
    expect(calls.map(({ transcript }) => transcript === null)).toEqual([false, true, true]);
    expect(calls.map(({ note }) => note)).toEqual(['one', 'two', 'three']);
    const long = { calls: [call(`${'x'.repeat(4_999)}😀 and on`, 'gone')] };
    expect(fitted(long, 100).calls).toEqual([{ note: `${'x'.repeat(4_999)}…`, transcript: null }]);
  });
});
