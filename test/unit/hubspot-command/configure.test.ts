/** `npm run hubspot -- configure` against the emulated HubSpot: what it makes, what it changes, what it says, and that it shows no secret. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type StandIn, startStandIn } from './stand-in.ts';

let at: StandIn;
beforeAll(async () => {
  at = await startStandIn();
});
afterAll(() => at.close());
beforeEach(() => at.sandbox.calling.set(null));
afterEach(() => {
  at.sandbox.faults.clear();
  at.page(200, {});
});

const base = (): string[] => ['configure', '--app-id', '99', '--url', at.relay];
const configure = (...more: string[]) => at.run([...base(), ...more]);
const writes = async (work: () => Promise<unknown>): Promise<readonly string[]> => {
  const before = at.sandbox.requests().length;
  await work();
  return at.sandbox
    .requests()
    .slice(before)
    .filter(({ method, path }) => method !== 'GET' && path.includes('/settings'))
    .map(({ method, path }) => `${method} ${path}`);
};

describe('the calling settings', () => {
  it.each(['v3', '2026-03', '2026-09'])(
    'are made where there are none, and left alone when they are right (%s)',
    async (version) => {
      const first = await configure('--api-version', version);
      expect(first).toMatchObject({ code: 0 });
      expect(first.text).toMatch(/calling settings: created\n {4}name: \(not set\) → "Patchcord"/);
      expect(at.sandbox.calling.settings()).toEqual({
        name: 'Patchcord',
        url: `${at.relay}/hubspot/`,
        width: 400,
        height: 640,
        isReady: true,
        supportsCustomObjects: false,
        supportsInboundCalling: true,
        usesCallingWindow: true,
        usesRemote: true,
      });
      expect(at.sandbox.calling.recordingUrl()).toBe(`${at.relay}/v1/hubspot/recordings/%s`);
      expect(await writes(() => configure('--api-version', version))).toEqual([]);
    },
  );

  it('are changed where they differ, only that, and every difference is said', async () => {
    await configure();
    const settings = at.sandbox.calling.settings();
    if (settings === null) throw new Error('no settings');
    at.sandbox.calling.set({ ...settings, isReady: false, supportsInboundCalling: false });
    const done = await configure();
    expect(done.text).toMatch(
      /calling settings: changed\n {4}isReady: false → true\n {4}supportsInboundCalling: false → true\n/,
    );
    expect(at.sandbox.requests().findLast(({ method }) => method === 'PATCH')?.body).toEqual({
      isReady: true,
      supportsInboundCalling: true,
    });
    expect(at.sandbox.calling.settings()).toEqual(settings);
  });

  it('that somebody else makes meanwhile are changed instead', async () => {
    await configure();
    let hidden = true;
    const fetcher: typeof fetch = async (input, init) => {
      const isRead = (init?.method ?? 'GET') === 'GET' && new URL(String(input)).pathname.endsWith('/settings');
      if (!hidden || !isRead) return fetch(input, init);
      hidden = false;
      return new Response('{"category":"OBJECT_NOT_FOUND"}', { status: 404 });
    };
    const done = await at.run([...base(), '--name', 'Our phone'], {
      env: { HUBSPOT_DEVELOPER_TOKEN: at.sandbox.calling.developer.token },
      fetcher,
    });
    expect(done.text).toContain('calling settings: changed');
    expect(at.sandbox.calling.settings()?.name).toBe('Our phone');
  });

  it('are only looked at with --dry-run', async () => {
    let text = '';
    expect(
      await writes(async () => {
        text = (await configure('--dry-run', '--channel', `${at.relay}/numbers`)).text;
      }),
    ).toEqual([]);
    expect(text).toMatch(/nothing was changed[\s\S]*would be created/);
    expect(at.sandbox.calling.settings()).toBeNull();
  });

  it('come with the channel of the help desk where one is given, and without recordings where they are not wanted', async () => {
    await configure('--channel', `${at.relay}/v1/numbers`);
    expect(at.sandbox.calling.channel()).toEqual({ url: `${at.relay}/v1/numbers`, isReady: true });
    expect(await writes(() => configure('--no-recordings', '--name', 'Other'))).toEqual([
      'PATCH /crm/v3/extensions/calling/99/settings',
    ]);
  });

  it('keep the whole address of a page that is given', async () => {
    await at.run(['configure', '--app-id', '99', '--url', `${at.relay}/hubspot/?tenant=acme`]);
    expect(at.sandbox.calling.settings()?.url).toBe(`${at.relay}/hubspot/?tenant=acme`);
  });
});

describe('the properties of calls', () => {
  it('are made with the account’s token, once', async () => {
    const token = await at.token();
    const file = join(at.folder, 'portal-token');
    writeFileSync(file, `${token}\n`);
    const first = await configure('--portal-token-file', file);
    expect(first.text).toContain('property patchcord_call_id of calls: created');
    expect(at.sandbox.portal.property('calls', 'patchcord_call_id')).toMatchObject({ hasUniqueValue: true });
    expect((await configure('--portal-token-file', file)).text).toContain('property patchcord_call_id of calls: there');
    expect(first.text).not.toContain(token);
  });

  it('that keep nothing apart are refused with what to do', async () => {
    const fetcher: typeof fetch = async (input, init) =>
      String(input).endsWith('/properties/calls')
        ? new Response(JSON.stringify({ results: [{ name: 'patchcord_call_id', hasUniqueValue: false }] }))
        : fetch(input, init);
    const done = await at.run(base(), {
      env: { HUBSPOT_DEVELOPER_API_KEY: at.sandbox.calling.developer.apiKey, HUBSPOT_PORTAL_TOKEN: 'x'.repeat(20) },
      fetcher,
    });
    expect(done).toMatchObject({ code: 1, text: expect.stringMatching(/unique values.*Delete it/s) });
  });
});

describe('the traps', () => {
  it('are all seen, for a machine too', async () => {
    const done = await configure('--json');
    expect(done.code).toBe(0);
    const result = JSON.parse(done.text) as { traps: { id: string; verdict: string }[]; parts: { action: string }[] };
    expect(Object.fromEntries(result.traps.map(({ id, verdict }) => [id, verdict]))).toEqual({
      ready: 'good',
      inbound: 'good',
      window: 'good',
      'custom-objects': 'good',
      panel: 'good',
      framing: 'good',
      'permitted-urls': 'good',
      provider: 'look',
      overrides: 'look',
      seat: 'look',
    });
    expect(result.parts.map(({ action }) => action)).toContain('created');
  });

  it.each([
    [302, { location: '/elsewhere' }, /a redirect: HubSpot loses the phone/],
    [404, {}, /answers 404/],
    [200, { 'content-security-policy': "frame-ancestors 'self'" }, /does not let HubSpot frame it.*hostOrigins/],
    [200, { 'content-security-policy': 'frame-ancestors https://evil.hubspot.com.example' }, /does not let HubSpot/],
  ])('a page that answers %i %o is said, and it is no success', async (status, headers, text) => {
    at.page(status, headers as Record<string, string>);
    expect(await configure()).toMatchObject({ code: 1, text: expect.stringMatching(text) });
  });

  it('an origin that the project does not permit', async () => {
    const done = await at.run(['configure', '--app-id', '99', '--url', 'http://localhost:9/']);
    expect(done).toMatchObject({ code: 1, text: expect.stringMatching(/does not list http:\/\/localhost:9/) });
    expect(done.text).toContain('http://localhost:9/hubspot/ does not answer from here');
  });

  it.each([
    ['this relay', (relay: string) => relay, 0, /✔ The project permits http/],
    ['another relay', () => 'https://phone.example.com', 1, /hsprofile\.production\.json names another relay/],
  ])('an app file that takes the address from an upload profile with %s', async (_name, named, code, text) => {
    const src = join(at.folder, 'hubspot-extension', 'src');
    const [app, profile] = [join(src, 'app', 'app-hsmeta.json'), join(src, 'hsprofile.production.json')];
    const before = readFileSync(app, 'utf8');
    const address = ['$', '{RELAY_URL}'].join('');
    const permittedUrls = { iframe: [address], fetch: [address] };
    writeFileSync(app, JSON.stringify({ config: { permittedUrls } }));
    writeFileSync(profile, JSON.stringify({ accountId: 1, variables: { RELAY_URL: named(at.relay) } }));
    try {
      expect(await configure()).toMatchObject({ code, text: expect.stringMatching(text) });
    } finally {
      writeFileSync(app, before);
      rmSync(profile);
    }
  });
});

describe('what goes wrong is said with what to do, and no secret is shown', () => {
  const key = 'not-the-key-0123456789abcdef';
  it.each([
    ['a wrong key', { HUBSPOT_DEVELOPER_API_KEY: key }, 1, /does not take the developer API key/],
    ['a wrong token', { HUBSPOT_DEVELOPER_TOKEN: key }, 1, /developers-read|does not take the token/],
    ['no key', {}, 2, /HUBSPOT_DEVELOPER_API_KEY/],
  ])('%s', async (_name, env, code, text) => {
    const done = await at.run(base(), { env });
    expect(done).toMatchObject({ code, text: expect.stringMatching(text) });
    expect(done.text).not.toContain(key);
  });

  it('another app, an outage, a page instead of an answer, and nobody there', async () => {
    expect(await at.run(['configure', '--app-id', '98', '--url', at.relay])).toMatchObject({
      code: 1,
      text: expect.stringContaining('--app-id'),
    });
    at.sandbox.faults.add({ fault: 'unavailable', on: '* */settings*' });
    expect(await configure()).toMatchObject({ code: 1, text: expect.stringContaining('503') });
    const down: typeof fetch = async (input) => {
      throw new TypeError(`fetch failed for ${String(input)}`, { cause: { code: 'ECONNREFUSED' } });
    };
    const env = { HUBSPOT_DEVELOPER_API_KEY: key };
    const done = await at.run(base(), { env, fetcher: down });
    expect(done).toMatchObject({ code: 1, text: expect.stringMatching(/did not answer.*ECONNREFUSED/) });
    expect(done.text).not.toContain(key);
  });

  it.each([
    [['configure'], /--app-id is missing/],
    [['configure', '--app-id', 'x1'], /digits/],
    [['configure', '--app-id', '99'], /--url is missing/],
    [['configure', '--app-id', '99', '--url', 'http://phone.acme.test'], /https/],
    [['configure', '--app-id', '99', '--url', 'https://phone.example.com'], /example address/],
    [['configure', '--app-id', '99', '--url', 'https://a.test', '--api-version', 'v9'], /2026-09/],
    [['configure', '--app-id', '99', '--url', 'https://a.test', '--width', '4'], /pixels/],
    [['configure', '--app-id', '99', '--url', 'https://a.test', '--secret-file', '/nowhere/at/all'], /can't be read/],
    [['configure', '--hapikey', 'secret'], /hapikey/],
    [['destroy'], /not a command/],
    [[], /npm run hubspot/],
  ])('%j is explained', async (args, text) => {
    expect(await at.run(args)).toMatchObject({ code: 2, text: expect.stringMatching(text) });
  });

  it('--help says all of it', async () => {
    const { code, text } = await at.run(['--help']);
    expect(code).toBe(0);
    for (const word of ['--dry-run', '--secret-file', 'HUBSPOT_PORTAL_TOKEN', '--write', '--json'])
      expect(text).toContain(word);
  });
});
