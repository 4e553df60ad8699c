import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createMemoryRelay } from '@patchcord/crm-adapters/relay';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { signatureV3 } from '../../../sandbox/src/hubspot/signature.ts';
import { type RelayInTest, startRelayInTest, testConfig, testTenant } from '../../unit/server/relay-in-test.ts';
import { buildCard, extensionFolder, type HubSpotFetch, mountCard } from './card-in-page.ts';

const json = (path: string) => JSON.parse(readFileSync(join(extensionFolder, path), 'utf8'));
const app = json('src/app/app-hsmeta.json');
const card = json('src/app/cards/phone-card-hsmeta.json');
const source = readFileSync(join(extensionFolder, 'src', card.config.entrypoint), 'utf8');
const relayOrigin = /const RELAY = '([^']+)'/.exec(source)?.[1] ?? '';

let script = '';
let inputs: readonly string[] = [];
beforeAll(async () => {
  ({ script, inputs } = await buildCard(card.config.entrypoint));
});

const button = () => document.querySelector('button') as HTMLButtonElement;
const text = () => document.body.textContent ?? '';

describe('the project as HubSpot reads it', () => {
  it('has the three keys and the platform version the format asks for', () => {
    expect(json('hsproject.json')).toEqual({ name: 'patchcord', srcDir: 'src', platformVersion: '2026.03' });
  });

  it('gives every component a type, an id of its own and no unknown key', () => {
    for (const component of [app, card]) {
      expect(Object.keys(component).sort()).toEqual(['config', 'type', 'uid']);
      expect(component.uid).toMatch(/^[a-zA-Z0-9_.-]{1,64}$/);
    }
    expect(app.uid).not.toBe(card.uid);
    expect([app.type, card.type]).toEqual(['app', 'card']);
  });

  it('names a card that exists, and lets it reach the relay it was written for', () => {
    expect(existsSync(join(extensionFolder, 'src', card.config.entrypoint))).toBe(true);
    expect(app.config.permittedUrls.fetch).toEqual([relayOrigin]);
    expect(app.config.permittedUrls.iframe).toEqual([relayOrigin]);
  });

  it('imports HubSpot and React, and nothing of ours', () => {
    expect(inputs.filter((input) => !/node_modules|^hubspot:/.test(input))).toEqual([
      'hubspot-extension/src/app/cards/PhoneCard.tsx',
    ]);
  });
});

describe('the card', () => {
  it('says what it is for and asks nothing before the agent does', async () => {
    const fetch = vi.fn<HubSpotFetch>();
    await mountCard(script, fetch);
    expect(text()).toContain('Your phone asks for a code');
    expect(button().textContent).toBe('Connect my phone');
    expect(fetch).not.toHaveBeenCalled();
  });

  it('is busy until the answer comes, then shows the code and until when it is good', async () => {
    let answer: (response: Response) => void = () => {};
    const answered = new Promise<Response>((resolve) => {
      answer = resolve;
    });
    await mountCard(script, () => answered);
    button().click();
    await vi.waitFor(() => expect(button().disabled).toBe(true));
    answer(Response.json({ code: 'ABCD-2345', expiresAt: Date.now() + 300_000 }, { status: 201 }));
    await vi.waitFor(() => expect(document.querySelector('h2')?.textContent).toBe('ABCD-2345'));
    expect(text()).toMatch(/once and until \d{1,2}:\d{2}/);
    expect(button().textContent).toBe('Get a new code');
    expect(button().disabled).toBe(false);
  });

  it('takes a code away that is too old', async () => {
    await mountCard(script, async () => Response.json({ code: 'ABCD-2345', expiresAt: Date.now() }));
    button().click();
    await vi.waitFor(() => expect(text()).toContain('too old'));
    expect(text()).not.toContain('ABCD-2345');
  });

  it.each([
    ['HubSpot cannot reach the relay', () => Promise.reject(new Error('self-made'))],
    ['the answer is no JSON', async () => new Response('<h1>502</h1>', { status: 502 })],
    ['HubSpot wraps a refusal', async () => Response.json({ status: 'BAD_GATEWAY' })],
    ['the answer is null', async () => Response.json(null)],
  ] satisfies [string, HubSpotFetch][])('says what to do when %s', async (_what, fetch) => {
    await mountCard(script, fetch);
    button().click();
    await vi.waitFor(() =>
      expect(document.querySelector('[role=alert]')?.textContent).toContain('could not be reached'),
    );
    expect(button().textContent).toBe('Get a new code');
  });
});

describe('the card with a relay', () => {
  const secret = 'a-client-secret-that-only-tests-know';
  let relay: RelayInTest;

  beforeAll(async () => {
    const crm = {
      kind: 'hubspot' as const,
      portalId: 4_242,
      appId: 77,
      clientId: 'client',
      clientSecret: secret,
      refreshToken: 'refresh',
    };
    const agents = [{ id: 'ada', name: 'Ada Byron', extension: '1001', crmUserId: '901' }];
    relay = await startRelayInTest(testConfig({ publicUrl: relayOrigin, tenants: [testTenant({ crm, agents })] }), {
      connectCrm: () => createMemoryRelay({ records: [] }),
    });
  });
  afterAll(() => relay.closed());

  /** What HubSpot's server makes of `hubspot.fetch`: it names the user in the query and signs the public address. */
  const asUser =
    (userId: string): HubSpotFetch =>
    async (url, request) => {
      const named = `${url}?userId=${userId}&portalId=4242&userEmail=ada%40example.com&appId=77`;
      const body = JSON.stringify(request?.body);
      const method = request?.method ?? 'GET';
      const timestamp = String(Date.now());
      return fetch(named.replace(relayOrigin, `http://127.0.0.1:${relay.relay.port}`), {
        method,
        body,
        headers: {
          'content-type': 'application/json',
          'x-hubspot-request-timestamp': timestamp,
          'x-hubspot-signature-v3': signatureV3({ secret, method, url: named, body, timestamp }),
        },
      });
    };

  it('shows a code that signs this agent in', async () => {
    await mountCard(script, asUser('901'));
    button().click();
    await vi.waitFor(() => expect(document.querySelector('h2')?.textContent).toMatch(/^[A-Z2-9]{4}-[A-Z2-9]{4}$/));
    const code = document.querySelector('h2')?.textContent;
    const signedIn = await relay.fetch('/v1/sessions', {
      method: 'POST',
      json: { device: crypto.randomUUID(), proof: { kind: 'pairing-code', code } },
    });
    expect(await signedIn.json()).toMatchObject({ agent: { id: 'ada' } });
  });

  it('passes on why there is no code for somebody without a phone', async () => {
    await mountCard(script, asUser('902'));
    button().click();
    await vi.waitFor(() => expect(text()).toContain('no phone is set up for you'));
  });
});
