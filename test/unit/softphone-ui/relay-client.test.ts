import {
  type AgentId,
  type DeviceId,
  errorCode,
  type IdentityProof,
  newCallId,
  toE164,
} from '@patchcord/call-protocol';
import { FakeClock } from '@patchcord/phone-engine/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createRelayClient, type RelayClient } from '../../../packages/softphone-ui/src/relay-client.ts';
import { FakeRelay, fakeSessionKey } from '../../panel/fake-relay.ts';
import { ada, profile, relatedToAda } from '../../panel/sample-profile.ts';
import { settle, until } from './panel-lab.ts';

const code: IdentityProof = { kind: 'pairing-code', code: 'K7M2QX' };

function open(proof: IdentityProof | null = code) {
  const clock = new FakeClock();
  const relay = new FakeRelay({ profile, now: () => clock.now() });
  const proofs = vi.fn(() => Promise.resolve(proof));
  const client = createRelayClient({
    origin: 'https://relay.example.test',
    device: crypto.randomUUID() as DeviceId,
    clock,
    random: () => 1,
    fetch: (input, init) => relay.fetch(input, init),
    openSocket: relay.openSocket,
    openKey: () => Promise.resolve(fakeSessionKey),
    proveIdentity: proofs,
  });
  onTestFinished(() => client.close());
  return { clock, relay, client, proofs };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'none';
  } catch (error) {
    return errorCode(error);
  }
}

describe('requests', () => {
  it('sign in, then carry the token in the header and nowhere else', async () => {
    const { client, relay } = open();
    const sent = vi.spyOn(relay, 'fetch');
    const session = await client.signIn(code);
    expect((await client.profile()).agent.name).toBe('Maria Santos');
    expect(relay.requests).toEqual(['POST /v1/sessions', 'GET /v1/profile']);
    expect(JSON.stringify(sent.mock.calls.map(([url]) => url))).not.toContain(session.token);
  });

  it('ask for what a call with a record may be about, by its object and id', async () => {
    const { client, relay } = open();
    const sent = vi.spyOn(relay, 'fetch');
    relay.related = { [ada.record.id]: relatedToAda };
    await client.signIn(code);
    expect(await client.related(ada.record)).toEqual(relatedToAda);
    expect(sent.mock.lastCall?.[0]).toBe(
      `https://relay.example.test/v1/records/related?object=Contact&id=${ada.record.id}`,
    );
    relay.related = { [ada.record.id]: [{ record: { crm: 'salesforce' } } as never] };
    expect(await codeOf(client.related(ada.record))).toBe('internal');
  });

  it('look whether the relay is there and how its clock is, without a token', async () => {
    const { client, relay } = open();
    const sent = vi.spyOn(relay, 'fetch');
    relay.aheadMs = 90_000;
    const { aheadMs } = await client.probe();
    // The header has no parts of a second.
    expect(Math.abs((aheadMs ?? 0) - 90_000)).toBeLessThan(1_000);
    expect(JSON.stringify(sent.mock.lastCall)).not.toContain('authorization');
    relay.failures.set('/healthz', { status: 502, code: 'x', message: 'a proxy' });
    expect(await codeOf(client.probe())).toBe('relay.unreachable');
    relay.goAway();
    expect(await codeOf(client.probe())).toBe('relay.unreachable');
  });

  it('renew a session that is about to run out before using it', async () => {
    const { client, relay, clock, proofs } = open();
    await client.signIn(code);
    clock.advance(relay.sessionMs - 1_000);
    await client.profile();
    expect(proofs).not.toHaveBeenCalled();
    expect(relay.requests).toEqual(['POST /v1/sessions', 'POST /v1/sessions/resume', 'GET /v1/profile']);
  });

  it('renew without asking anybody when only the access has run out', async () => {
    const { client, relay, proofs } = open();
    await client.signIn(code);
    relay.forgetAccess();
    await Promise.all([client.profile(), client.credentials(), client.history(5)]);
    expect(proofs).not.toHaveBeenCalled();
    expect(relay.requests.filter((one) => one.includes('resume'))).toHaveLength(1);
  });

  it('go on after a reload with what the cookie keeps, only where the host says whom the page is for', async () => {
    const { client, relay } = open(null);
    relay.keepsCookies = true;
    client.begin('page:alone');
    await client.signIn(code);
    const again = (audience: string | null) => {
      const loaded = createRelayClient({
        origin: 'https://relay.example.test',
        device: crypto.randomUUID() as DeviceId,
        clock: new FakeClock(),
        fetch: relay.fetch,
        openSocket: relay.openSocket,
        openKey: () => Promise.resolve(fakeSessionKey),
        proveIdentity: () => Promise.resolve(null),
      });
      onTestFinished(() => loaded.close());
      loaded.begin(audience);
      return loaded;
    };
    expect(await again(null).resume()).toBe(false);
    const loaded = again('page:alone');
    expect(await loaded.resume()).toBe(true);
    expect((await loaded.profile()).agent.name).toBe('Maria Santos');
    await loaded.signOut();
    expect(loaded.session()).toBeNull();
    expect(await again('page:alone').resume()).toBe(false);
  });

  it('learn the relay’s time when this computer’s clock is wrong', async () => {
    const { client, relay } = open();
    relay.aheadMs = 2 * 3_600_000;
    await client.signIn(code);
    await client.profile();
    expect(relay.requests).toEqual(['POST /v1/sessions', 'POST /v1/sessions', 'GET /v1/profile']);
  });

  it('renew once when the relay no longer takes the token, however many ask', async () => {
    const { client, relay, proofs } = open();
    await client.signIn(code);
    relay.forgetTokens();
    await Promise.all([client.profile(), client.credentials(), client.history(5)]);
    expect(proofs).toHaveBeenCalledTimes(1);
  });

  it('say that the session is over when only the agent can bring it back', async () => {
    const { client, relay } = open(null);
    await client.signIn(code);
    const told = vi.fn();
    client.onSession(told);
    relay.forgetTokens();
    expect(await codeOf(client.profile())).toBe('identity.required');
    expect(told).toHaveBeenLastCalledWith(null);
  });

  it('work for one agent: a session of another, by code or handed over, is named and not used', async () => {
    const { client, relay } = open(null);
    const bob = { ...profile.agent, id: 'bob' as AgentId, name: 'Bob Novak' };
    relay.otherCodes.set('B0B', bob);
    const session = await client.signIn(code);
    const strangers = vi.fn();
    client.onStranger(strangers);
    expect(await codeOf(client.signIn({ kind: 'pairing-code', code: 'B0B' }))).toBe('identity.refused');
    expect(strangers).toHaveBeenCalledExactlyOnceWith(bob);
    expect(client.adopt({ ...session, token: 'token-of-bob', agent: bob })).toBe(false);
    expect(client.session()).toBe(session);
    expect(client.adopt({ ...session, token: 'another-token' })).toBe(true);
  });

  it('take no profile of another agent', async () => {
    const { client, relay } = open();
    const session = await client.signIn(code);
    vi.spyOn(relay, 'fetch').mockResolvedValue(
      Response.json({ ...profile, agent: { ...profile.agent, id: 'bob' as AgentId } }),
    );
    const other = createRelayClient({
      origin: 'https://relay.example.test',
      device: crypto.randomUUID() as DeviceId,
      clock: new FakeClock(),
      fetch: relay.fetch,
      openSocket: relay.openSocket,
      openKey: () => Promise.resolve(fakeSessionKey),
      proveIdentity: () => Promise.resolve(null),
    });
    onTestFinished(() => other.close());
    other.adopt(session);
    expect(await codeOf(other.profile())).toBe('profile.invalid');
  });

  it('tell a wrong code from a relay that is away', async () => {
    const { client, relay } = open();
    expect(await codeOf(client.signIn({ kind: 'pairing-code', code: 'WRONG' }))).toBe('identity.refused');
    relay.away = true;
    const failed = client.signIn(code);
    expect(await codeOf(failed)).toBe('relay.unreachable');
    await expect(failed).rejects.toMatchObject({ retryable: true });
  });

  it('give up on an answer that does not come', async () => {
    const { client, clock, relay } = open();
    await client.signIn(code);
    relay.matchGate = new Promise(() => undefined);
    const asked = codeOf(client.matches(toE164('+14155550101')));
    await until(() => relay.requests.includes('GET /v1/matches'));
    clock.advance(10_000);
    expect(await asked).toBe('relay.unreachable');
  });

  it('refuse a profile that does not fit, naming where', async () => {
    const { client, relay } = open();
    await client.signIn(code);
    relay.profile = { ...profile, screenPop: 'always' as never };
    await expect(client.profile()).rejects.toMatchObject({
      code: 'profile.invalid',
      message: expect.stringContaining('screenPop'),
    });
  });

  it('take a proxy’s error page for a relay that is away', async () => {
    const { relay } = open();
    const page = new Response('<html>Bad gateway</html>', { status: 502, headers: { 'retry-after': '3' } });
    const broken = createRelayClient({
      origin: 'https://relay.example.test',
      device: crypto.randomUUID() as DeviceId,
      clock: new FakeClock(),
      fetch: () => Promise.resolve(page),
      openSocket: relay.openSocket,
      openKey: () => Promise.resolve(fakeSessionKey),
      proveIdentity: () => Promise.resolve(code),
    });
    await expect(broken.signIn(code)).rejects.toMatchObject({ code: 'relay.unreachable', retryAfterMs: 3_000 });
  });

  it('pass on the relay’s own words', async () => {
    const { client, relay } = open();
    await client.signIn(code);
    relay.failures.set('/v1/credentials', { status: 403, code: 'credential.revoked', message: 'Ended by the admin.' });
    await expect(client.credentials()).rejects.toMatchObject({
      code: 'credential.revoked',
      message: 'Ended by the admin.',
      retryable: false,
    });
  });
});

describe('the live link', () => {
  async function joined(): Promise<ReturnType<typeof open>> {
    const parts = open();
    await parts.client.signIn(code);
    parts.client.live.open();
    await until(() => parts.client.live.status() === 'joined');
    return parts;
  }

  it('authenticates before anything else and then hands over events', async () => {
    const { client, relay } = await joined();
    const acknowledged = vi.fn();
    client.live.onAcknowledged(acknowledged);
    const event = {
      specversion: '1.0',
      id: 'x:1',
      source: '/d',
      type: 'dev.patchcord.agent.available.v1',
      time: '2026-01-01T00:00:00.000Z',
      datacontenttype: 'application/json',
      data: {},
    } as const;
    expect(client.live.publish([event])).toBe(true);
    await until(() => acknowledged.mock.calls.length > 0);
    expect(acknowledged).toHaveBeenCalledWith(['x:1']);
    expect(relay.received).toHaveLength(1);
  });

  it('sends nothing while it is not joined, and says so', () => {
    const { client } = open();
    expect(client.live.publish([])).toBe(false);
  });

  it('comes back after the relay does, waiting longer each time, never giving up', async () => {
    const { client, relay, clock } = await joined();
    relay.goAway();
    expect(client.live.status()).toBe('away');
    for (let minute = 0; minute < 10; minute += 1) {
      clock.advance(60_000);
      await settle();
      expect(client.live.status()).not.toBe('joined');
    }
    relay.comeBack();
    clock.advance(30_000);
    await until(() => client.live.status() === 'joined');
  });

  it('tries at once when told that the network is back', async () => {
    const { client, relay } = await joined();
    relay.goAway();
    relay.comeBack();
    client.live.nudge();
    await until(() => client.live.status() === 'joined');
  });

  it('brings a new token when the relay forgot the old one', async () => {
    const { client, relay, clock, proofs } = await joined();
    relay.forgetTokens();
    relay.goAway();
    relay.comeBack();
    // The first attempt is refused with the old token, the next one brings a new one.
    for (let attempt = 0; attempt < 3 && client.live.status() !== 'joined'; attempt += 1) {
      clock.advance(30_000);
      await settle();
    }
    expect(client.live.status()).toBe('joined');
    expect(proofs).toHaveBeenCalledTimes(1);
  });

  it('checks what comes down: events arrive parsed, nonsense is left out', async () => {
    const { client, relay } = await joined();
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    onTestFinished(() => warn.mockRestore());
    const heard = vi.fn();
    client.live.onEvent(heard);
    const call = newCallId();
    relay.say({ type: 'nonsense' } as never);
    relay.say({ type: 'event', event: { specversion: '1.0' } } as never);
    relay.tell({ name: 'log.failed', at: 1, call, data: { reason: 'locked', retrying: false } });
    await until(() => heard.mock.calls.length > 0);
    expect(heard).toHaveBeenCalledTimes(1);
    expect(heard.mock.calls[0]?.[0]).toMatchObject({ name: 'log.failed', call, data: { reason: 'locked' } });
    expect(warn).toHaveBeenCalledTimes(2);
  });

  it('stays closed once closed', async () => {
    const { client, clock, relay } = await joined();
    const closing: RelayClient = client;
    closing.close();
    clock.advance(120_000);
    await settle();
    expect(client.live.status()).toBe('closed');
    expect(relay.joined).toBe(0);
  });
});
