import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { DpopKey } from '../dpop-key.ts';
import { startRelayInTest } from '../unit/server/relay-in-test.ts';

it('keeps its cookie from scripts, from other hosts and from plain http, and gives nothing for it without the key', async () => {
  const one = await startRelayInTest();
  try {
    const key = new DpopKey();
    const post = (path: string, body: unknown, headers: Readonly<Record<string, string>> = {}, by = key) =>
      fetch(`http://127.0.0.1:${one.relay.port}${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: {
          'content-type': 'application/json',
          ...by.headers({ method: 'POST', url: `${one.relay.url}${path}` }),
          ...headers,
        },
      });
    const { code } = await one.relay.createPairingCode('acme', 'ada');
    const opened = await post('/v1/sessions', {
      device: randomUUID(),
      proof: { kind: 'pairing-code', code },
      remember: true,
    });
    expect(opened.status).toBe(201);
    const cookies = opened.headers.getSetCookie();
    expect(cookies).toHaveLength(1);
    const [cookie = ''] = cookies;
    expect(cookie).toMatch(/^__Host-/);
    for (const attribute of ['Secure', 'HttpOnly', 'Path=/', 'SameSite=None', 'Partitioned'])
      expect(cookie).toContain(attribute);
    expect(cookie).not.toContain('Domain');
    expect(cookie.length).toBeLessThan(4_096);
    const sent = { cookie: cookie.split(';')[0] ?? '' };
    // The one ambient authority there is: useless to a page of another origin, and to anybody without the key.
    expect((await post('/v1/sessions/resume', {}, { ...sent, origin: 'https://evil.example' })).status).toBe(403);
    expect((await post('/v1/sessions/resume', {}, sent, new DpopKey())).status).toBeGreaterThanOrEqual(400);
    expect((await post('/v1/sessions/resume', {}, sent)).status).toBeLessThan(300);
  } finally {
    await one.closed();
  }
});
