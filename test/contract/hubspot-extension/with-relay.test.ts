import { Alert, Button, Heading, LoadingButton, Select, StatusTag, Text } from '@hubspot/ui-extensions';
import type { Renderer } from '@hubspot/ui-extensions/testing';
import { createMemoryRelay } from '@patchcord/crm-adapters/relay';
import type { ComponentType } from 'react';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { signatureV3 } from '../../../sandbox/src/hubspot/signature.ts';
import { type RelayInTest, startRelayInTest, testConfig, testTenant } from '../../unit/server/relay-in-test.ts';
import { draw, extensionAt, give, hubSpotFetches, relayOrigin } from './card-world.ts';

const secret = 'a-client-secret-that-only-tests-know';
const grace = '901';
const stranger = '999';

let relay: RelayInTest;
let CallsCard: ComponentType;
let SettingsPage: ComponentType;
/** Requests whose answer is lost once, so that HubSpot sends them again. */
let lost: string[] = [];
let sent: string[] = [];

beforeAll(async () => {
  const crm = {
    kind: 'hubspot' as const,
    portalId: 4_242,
    appId: 77,
    clientId: 'client',
    clientSecret: secret,
    refreshToken: 'refresh',
  };
  const agents = [
    { id: 'ada', name: 'Ada Byron', extension: '1001', crmUserId: grace, role: 'admin' as const },
    { id: 'bob', name: 'Bob Moog', extension: '1002', crmUserId: '902' },
  ];
  const numbers = [{ number: '+14155550101', label: 'Phone' }];
  [relay, CallsCard, SettingsPage] = await Promise.all([
    startRelayInTest(testConfig({ publicUrl: relayOrigin, tenants: [testTenant({ crm, agents })] }), {
      connectCrm: () => ({ ...createMemoryRelay({ records: [] }), numbersOf: async () => numbers }),
    }),
    extensionAt('app/cards/CallsCard.tsx', 'CallsCard'),
    extensionAt('app/settings/SettingsPage.tsx', 'SettingsPage'),
  ]);
});
afterAll(() => relay.closed());
beforeEach(() => {
  lost = [];
  sent = [];
});
afterEach(() => vi.unstubAllGlobals());

/** What HubSpot's server makes of `hubspot.fetch`: it names the person, signs the public address, and sends it again when the connection fails. */
function lookAs(userId: string): void {
  hubSpotFetches(async (url, { method = 'GET', body }) => {
    const named = `${url}?userId=${userId}&portalId=4242&userEmail=ada%40example.com&appId=77`;
    const text = JSON.stringify(body);
    const timestamp = String(Date.now());
    const once = () =>
      fetch(named.replace(relayOrigin, `http://127.0.0.1:${relay.relay.port}`), {
        method,
        body: text,
        headers: {
          'content-type': 'application/json',
          'x-hubspot-request-timestamp': timestamp,
          'x-hubspot-signature-v3': signatureV3({ secret, method, url: named, body: text, timestamp }),
        },
      });
    const path = url.replace(relayOrigin, '');
    sent.push(path);
    const response = await once();
    if (!lost.includes(path)) return response;
    await response.text();
    sent.push(path);
    return once();
  });
}

type Card = Renderer<'crm.record.sidebar'>;
const shown = (card: Card) => card.waitFor(() => void card.findByTestId(Button, 'reload'), { timeoutInMs: 5_000 });
const titles = (card: Pick<Card, 'findAll'>) => card.findAll(Alert).map(({ props }) => props.title);
async function cardAs(userId: string): Promise<Card> {
  lookAs(userId);
  const card = draw(CallsCard, 'crm.record.sidebar', (opening) => {
    Object.assign(opening.mocks.context.crm, { objectTypeId: '0-1', objectId: 501 });
    const settled = { error: null, isLoading: false, isRefetching: false, refetch: async () => {} };
    opening.mocks.useCrmProperties.willCall(() => ({ properties: { phone: '(415) 555-0101' }, ...settled }));
  });
  await shown(card);
  return card;
}
const wait = { timeoutInMs: 5_000 };

describe('the card with a relay', () => {
  it('shows a code that signs this agent in', async () => {
    const card = await cardAs(grace);
    card.findByTestId(LoadingButton, 'pair').trigger('onClick');
    await card.waitFor(() => expect(card.find(Heading).text).toMatch(/^[A-Z2-9]{4}-[A-Z2-9]{4}$/), wait);
    const signedIn = await relay.fetch('/v1/sessions', {
      json: { device: crypto.randomUUID(), proof: { kind: 'pairing-code', code: card.find(Heading).text } },
    });
    expect(await signedIn.json()).toMatchObject({ agent: { id: 'ada' } });
  });

  it('tells somebody without a phone so, and offers nothing to press', async () => {
    const card = await cardAs(stranger);
    expect(titles(card)).toEqual(['No phone is set up for you']);
    expect(card.findAll(LoadingButton)).toEqual([]);
  });

  it('says that no phone is open, and dials nothing', async () => {
    const card = await cardAs(grace);
    card.findByTestId(LoadingButton, 'call').trigger('onClick');
    await card.waitFor(() => expect(titles(card)).toEqual(['Your phone is not open']), wait);
  });

  it('reaches the agent’s phone once, though HubSpot sent the request twice', async () => {
    const session = await relay.signIn('ada');
    const phone = await relay.connect(session.token);
    lost = ['/v1/hubspot/card/dial'];
    const card = await cardAs(grace);
    card.findByTestId(LoadingButton, 'call').trigger('onClick');
    const { data } = await phone.event('dial.asked');
    expect(data).toMatchObject({ number: '(415) 555-0101', record: { crm: 'hubspot', object: 'contact', id: '501' } });
    await card.waitFor(() => expect(titles(card)).toEqual(['Sent to your phone']), wait);
    expect(sent.filter((path) => path.endsWith('/dial'))).toHaveLength(2);
    // The next click is another wish: had the repeat been told too, it would come first.
    lost = [];
    card.findByTestId(LoadingButton, 'call').trigger('onClick');
    const second = (await phone.event('dial.asked')).data as { wish: string };
    expect(second.wish).not.toBe((data as { wish: string }).wish);
    phone.socket.terminate();
  });

  it('plans one call-back though HubSpot sent it twice, shows it on the next card, and finishes it', async () => {
    const session = await relay.signIn('ada');
    const open = async () => {
      const response = await relay.fetch('/v1/to-call', { token: session.token });
      return ((await response.json()) as { entries: { note: string; record: unknown }[] }).entries;
    };
    lost = ['/v1/hubspot/card/call-backs'];
    const card = await cardAs(grace);
    card.findByTestId(Button, 'plan').trigger('onClick');
    await card.waitFor(() => void card.findByTestId(Select, 'when'));
    give(card.findByTestId(Select, 'when'), 'onChange', 'tomorrow');
    await card.waitFor(() => expect(card.findByTestId(Select, 'when').props.value).toBe('tomorrow'));
    card.findByTestId(LoadingButton, 'save').trigger('onClick');
    await card.waitFor(() => expect(titles(card)[0]).toMatch(/^Planned for/), wait);
    expect(sent.filter((path) => path.endsWith('/call-backs'))).toHaveLength(2);
    expect(await open()).toMatchObject([{ record: { crm: 'hubspot', object: 'contact', id: '501' } }]);

    const next = await cardAs(grace);
    expect(next.findByTestId(Text, 'call-back').text).toContain('(415) 555-0101');
    next.findByTestId(LoadingButton, 'done').trigger('onClick');
    await next.waitFor(() => expect(titles(next)).toEqual(['Marked as done.']), wait);
    expect(await open()).toEqual([]);
    next.findByTestId(Button, 'undo').trigger('onClick');
    await next.waitFor(() => void next.findByTestId(Text, 'call-back'), wait);
    expect(await open()).toHaveLength(1);
  });
});

describe('the settings page with a relay', () => {
  const pageAs = async (userId: string) => {
    lookAs(userId);
    const page = draw(SettingsPage, 'settings');
    await page.waitFor(() => void page.findByTestId(LoadingButton, 'run'), wait);
    return page;
  };

  it('shows an administrator the agents and changes a policy', async () => {
    const page = await pageAs(grace);
    expect(`${page.getRootNode()}`).toContain('Bob Moog');
    give(page.findByTestId(Select, 'screen-pop.inbound'), 'onChange', 'never');
    await page.waitFor(() => expect(page.findByTestId(Select, 'screen-pop.inbound').props.value).toBe('never'), wait);
    expect(`${page.getRootNode()}`).toContain('Changed by Ada Byron');
  });

  it('runs the self-test and shows what was found', async () => {
    const page = await pageAs(grace);
    page.findByTestId(LoadingButton, 'run').trigger('onClick');
    await page.waitFor(() => expect(page.findAll(StatusTag).length).toBeGreaterThan(3), wait);
  });

  it('lets nobody else change anything', async () => {
    const page = await pageAs('902');
    expect(page.maybeFind(Select)).toBeNull();
    expect(`${page.getRootNode()}`).toContain('Only an administrator');
  });
});
