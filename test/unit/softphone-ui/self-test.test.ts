/** The self-test without a browser: what each check finds in good and bad surroundings, one after the other, and the text that is passed on. */
import { type Agent, PatchcordError, type Profile, type Session } from '@patchcord/call-protocol';
import type { SelfCheck } from '@patchcord/crm-adapters/panel';
import { emptyPhone, type PhoneState } from '@patchcord/phone-engine';
import { FakeClock, FakeSound } from '@patchcord/phone-engine/testing';
import { signal } from '@preact/signals';
import { describe, expect, it } from 'vitest';
import type { LiveStatus } from '../../../packages/softphone-ui/src/live-link.ts';
import type { MicrophonePermission } from '../../../packages/softphone-ui/src/microphone-permission.ts';
import { type SelfTestSubject, selfChecksOf } from '../../../packages/softphone-ui/src/self-checks.ts';
import { createSelfTest, masked, verdictOf } from '../../../packages/softphone-ui/src/self-test.ts';
import { profile } from '../../panel/sample-profile.ts';

class Surroundings {
  readonly clock = new FakeClock();
  readonly sound = new FakeSound();
  readonly microphone = signal<MicrophonePermission>('allowed');
  readonly phone = signal<PhoneState>({ ...emptyPhone, line: { status: 'ready', reason: '' } });
  live: LiveStatus = 'joined';
  level = 50;
  aheadMs: number | null = 0;
  probeFault: Error | null = null;
  session: Session | null = { token: 't', expiresAt: 1, refresh: 'r', endsAt: 2, agent: profile.agent as Agent };
  profileFault: Error | null = null;
  started = true;
  startProblem: string | null = null;
  held: 'here' | 'elsewhere' = 'here';
  crm: 'salesforce' | 'hubspot' = 'salesforce';
  hostChecks: () => Promise<readonly SelfCheck[]> = () => Promise.resolve([]);
  readonly #liveListeners = new Set<(status: LiveStatus) => void>();

  setLive(status: LiveStatus): void {
    this.live = status;
    for (const listener of this.#liveListeners) listener(status);
  }

  get subject(): SelfTestSubject {
    return {
      host: { crm: this.crm, selfChecks: () => this.hostChecks() },
      relay: {
        probe: () =>
          this.probeFault === null ? Promise.resolve({ aheadMs: this.aheadMs }) : Promise.reject(this.probeFault),
        session: () => this.session,
        profile: () =>
          this.profileFault === null ? Promise.resolve(profile as Profile) : Promise.reject(this.profileFault),
        live: {
          status: () => this.live,
          onStatus: (listener) => {
            this.#liveListeners.add(listener);
            return () => this.#liveListeners.delete(listener);
          },
        },
      },
      microphone: this.microphone,
      sound: this.sound,
      openMeter: () => ({ level: () => this.level, close: () => undefined }),
      clock: this.clock,
      startProblem: () => this.startProblem,
      phone: () => (this.started ? { state: this.phone, held: this.held } : null),
      lineServer: () => 'wss://sip.example.test',
    };
  }

  /** What one check finds; time passes as long as it waits. */
  async look(
    id: string,
    listen = true,
  ): Promise<{ readonly verdict: string; readonly found: string; readonly advice?: string }> {
    const check = (await selfChecksOf(this.subject, listen)).find((one) => one.id === id);
    if (check === undefined) throw new Error(`there is no check ${id}`);
    return await this.#pass(check.run());
  }

  async #pass<T>(work: Promise<T>): Promise<T> {
    let done = false;
    void work.finally(() => {
      done = true;
    });
    while (!done) {
      await new Promise((resolve) => setImmediate(resolve));
      if (!done) this.clock.advance(100);
    }
    return await work;
  }

  pass = <T>(work: Promise<T>): Promise<T> => this.#pass(work);
}

describe('the microphone', () => {
  it('works, with the level that was heard', async () => {
    expect(await new Surroundings().look('microphone')).toMatchObject({
      verdict: 'good',
      found: expect.stringContaining('50'),
    });
  });

  it('kept back by the page is told apart from one the browser refuses, and from none', async () => {
    const at = new Surroundings();
    at.microphone.value = 'not-passed-on';
    expect(await at.look('microphone')).toMatchObject({
      verdict: 'bad',
      advice: expect.stringContaining('Trusted URLs'),
    });
    at.crm = 'hubspot';
    expect((await at.look('microphone')).advice).not.toContain('Salesforce');
    at.microphone.value = 'refused';
    const refused = await at.look('microphone');
    expect(refused).toMatchObject({ verdict: 'bad', found: expect.stringContaining('browser') });
    at.microphone.value = 'unknown';
    at.sound.failMicrophone('media.denied');
    expect(await at.look('microphone')).toEqual(refused);
    at.sound.failMicrophone('media.no-device');
    expect(await at.look('microphone')).toMatchObject({ verdict: 'bad', found: 'There is no microphone.' });
  });

  it('is not opened unasked, and what can be seen from outside is told all the same', async () => {
    const at = new Surroundings();
    let opened = 0;
    at.sound.microphone = () => {
      opened += 1;
      return Promise.reject(new Error('was opened'));
    };
    expect(await at.look('microphone', false)).toMatchObject({
      verdict: 'unsure',
      advice: expect.stringContaining('Run again'),
    });
    at.microphone.value = 'refused';
    expect(await at.look('microphone', false)).toMatchObject({ verdict: 'bad' });
    const test = createSelfTest(at.subject);
    await at.pass(test.run(false));
    expect(opened).toBe(0);
  });

  it('that hears nothing is unclear, and is closed again', async () => {
    const at = new Surroundings();
    at.level = 3;
    const opened: MediaStreamTrack[] = [];
    const open = at.sound.microphone.bind(at.sound);
    at.sound.microphone = async () => {
      const track = await open();
      opened.push(track);
      return track;
    };
    expect(await at.look('microphone')).toMatchObject({
      verdict: 'unsure',
      found: expect.stringContaining('nothing was heard'),
    });
    expect(opened.map(({ readyState }) => readyState)).toEqual(['ended']);
  });

  it('that the browser is still asking for is not waited for without an end, nor left open when it comes after all', async () => {
    const at = new Surroundings();
    let give = (_: MediaStreamTrack): void => undefined;
    at.sound.microphone = () =>
      new Promise((resolve) => {
        give = resolve;
      });
    expect(await at.look('microphone')).toMatchObject({ verdict: 'unsure', found: expect.stringContaining('asks') });
    let stopped = false;
    give({
      stop: () => {
        stopped = true;
      },
    } as unknown as MediaStreamTrack);
    await new Promise((resolve) => setImmediate(resolve));
    expect(stopped).toBe(true);
  });
});

describe('relay, sign-in, live connection and line', () => {
  it('tell a clock that is off, and which way', async () => {
    const at = new Surroundings();
    expect((await at.look('relay')).found).toContain('clocks agree');
    at.aheadMs = 95_000;
    expect(await at.look('relay')).toMatchObject({ verdict: 'bad', found: expect.stringContaining('95 s slow') });
    at.aheadMs = -95_000;
    expect((await at.look('relay')).found).toContain('95 s fast');
    at.aheadMs = null;
    expect(await at.look('relay')).toMatchObject({ verdict: 'good' });
    at.probeFault = new PatchcordError('relay.unreachable', 'The relay can’t be reached.');
    expect(await at.look('relay')).toMatchObject({ verdict: 'bad', found: 'The relay can’t be reached.' });
  });

  it('say who is signed in, or why nobody is', async () => {
    const at = new Surroundings();
    expect((await at.look('sign-in')).found).toContain('Maria Santos');
    at.profileFault = new PatchcordError('relay.unreachable', 'Away.');
    expect(await at.look('sign-in')).toMatchObject({ verdict: 'bad', found: 'Away.' });
    at.session = null;
    expect(await at.look('sign-in')).toMatchObject({ verdict: 'bad', found: 'You are not signed in.' });
    at.startProblem = 'Nobody gave you a phone.';
    expect((await at.look('sign-in')).found).toBe('Nobody gave you a phone.');
  });

  it('give a live connection that is just coming its time, and no more', async () => {
    const at = new Surroundings();
    at.live = 'joining';
    at.clock.setTimeout(() => at.setLive('joined'), 2_000);
    expect(await at.look('live')).toMatchObject({ verdict: 'good' });
    at.live = 'away';
    expect(await at.look('live')).toMatchObject({ verdict: 'bad' });
    at.live = 'closed';
    expect(await at.look('live')).toMatchObject({ verdict: 'unsure' });
  });

  it('name the server of the line, the reason of a refusal, and the tab that holds it', async () => {
    const at = new Surroundings();
    expect(await at.look('line')).toMatchObject({
      verdict: 'good',
      found: expect.stringContaining('wss://sip.example.test'),
    });
    at.held = 'elsewhere';
    expect((await at.look('line')).found).toContain('Another tab');
    at.held = 'here';
    at.phone.value = { ...at.phone.value, line: { status: 'rejected', reason: 'Refused (403 Forbidden).' } };
    expect(await at.look('line')).toMatchObject({ verdict: 'bad', found: 'Refused (403 Forbidden).' });
    at.phone.value = { ...at.phone.value, line: { status: 'connecting', reason: '' } };
    at.clock.setTimeout(() => {
      at.phone.value = { ...at.phone.value, line: { status: 'ready', reason: '' } };
    }, 1_000);
    expect(await at.look('line')).toMatchObject({ verdict: 'good' });
    at.phone.value = { ...at.phone.value, line: { status: 'offline', reason: '' } };
    expect(await at.look('line')).toMatchObject({ verdict: 'bad' });
    at.started = false;
    expect(await at.look('line')).toMatchObject({ verdict: 'unsure' });
  });
});

describe('the run', () => {
  const check = (id: string, run: SelfCheck['run']): SelfCheck => ({ id, title: id, run });
  const good = () => Promise.resolve({ verdict: 'good', found: 'ok' } as const);

  it('looks at one thing after the other, the host’s first', async () => {
    const at = new Surroundings();
    at.hostChecks = () => Promise.resolve([check('host', good)]);
    const test = createSelfTest(at.subject);
    const running = new Set<string>();
    test.rows.subscribe((rows) => {
      const now = rows.filter(({ state }) => state === 'running').map(({ id }) => id);
      expect(now.length).toBeLessThanOrEqual(1);
      for (const id of now) running.add(id);
    });
    await at.pass(test.run(true));
    expect([...running]).toEqual(['host', 'microphone', 'relay', 'sign-in', 'live', 'line']);
    expect(verdictOf(test.rows.value)).toEqual({ state: 'good', words: 'Everything works.' });
    expect(test.running.value).toBe(false);
  });

  it('comes to its end whatever a check does', async () => {
    const at = new Surroundings();
    const test = createSelfTest(at.subject, () =>
      Promise.resolve([
        check('throws', () => Promise.reject(new Error('boom'))),
        check('hangs', () => new Promise(() => undefined)),
        check('works', good),
        check('fails', () => Promise.resolve({ verdict: 'bad', found: 'no', advice: 'do' })),
      ]),
    );
    await at.pass(test.run(true));
    expect(test.rows.value.map(({ state }) => state)).toEqual(['unsure', 'unsure', 'good', 'bad']);
    expect(verdictOf(test.rows.value).words).toBe('One thing is wrong, 2 are unclear.');
  });

  it('works where the host’s own checks can’t be loaded', async () => {
    const at = new Surroundings();
    at.hostChecks = () => Promise.reject(new Error('chunk is gone'));
    const test = createSelfTest(at.subject);
    await at.pass(test.run(true));
    expect(test.rows.value).toHaveLength(5);
  });

  it('run again lets go of what was under way', async () => {
    const at = new Surroundings();
    let finish = (): void => undefined;
    let asked = 0;
    const test = createSelfTest(at.subject, () =>
      Promise.resolve([
        check('slow', () => {
          asked += 1;
          if (asked > 1) return good();
          return new Promise((resolve) => {
            finish = () => resolve({ verdict: 'bad', found: 'old news', advice: '' });
          });
        }),
      ]),
    );
    const first = test.run(true);
    await new Promise((resolve) => setImmediate(resolve));
    await test.run(true);
    finish();
    await first;
    expect(test.rows.value).toMatchObject([{ state: 'good', found: 'ok' }]);
  });

  it('passes on no number, no name and no secret', async () => {
    const at = new Surroundings();
    const token = 'eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl';
    const test = createSelfTest(at.subject, () =>
      Promise.resolve([
        check('all', () =>
          Promise.resolve({
            verdict: 'bad',
            found: `Maria Santos (+1 415 555 0101, maria@northwind.example) at wss://10.20.30.40:7443 with ${token}`,
            advice: `Ask Maria. ${'a1B2'.repeat(12)}`,
          }),
        ),
      ]),
    );
    await at.pass(test.run(true));
    const text = test.asText(['salesforce'], ['Maria Santos']);
    expect(text.split('\n')[2]).toBe(
      '[Wrong] all: [name] (•••01, [email]) at wss://10.20.30.40:7443 with [hidden] → Ask [name]. [hidden]',
    );
    for (const secret of ['Maria', '415', 'eyJ', 'a1B2']) expect(text).not.toContain(secret);
  });

  it('leaves the reason out while nobody knows which words of it are a name', async () => {
    const at = new Surroundings();
    at.session = null;
    at.startProblem = 'Nobody gave Maria Santos a phone.';
    const test = createSelfTest(at.subject);
    await at.pass(test.run(true));
    expect(test.asText([], [])).not.toContain('Maria');
    expect(test.rows.value.some(({ found }) => found.includes('Maria'))).toBe(true);
  });

  it.each([
    ['(415) 555-0101 and 030 901820', '•••01 and •••20'],
    ['call (tel:4155551212) now', 'call (tel:•••12) now'],
    ['0049 30/901820-12', '•••12'],
    ['+1.415.555.0101, (4155551212)', '•••01, •••12'],
    ['extension 201, x4711 and 1044', 'extension •••, x••• and •••'],
    [
      'GET https://api.example.test/v1/matches?key=abc123&number=5#top failed',
      'GET https://api.example.test/v1/matches failed',
    ],
    ['https://user:pass@crm.example.test:8443/phone/4155551212.', 'https://crm.example.test:8443/phone/•••12.'],
    ['user:pass@host and maria@northwind.example.', '[email] and [email].'],
    ['/services/x?key=abc and token=t0p', '/services/x[hidden] and [hidden]'],
    ['sip:201@10.20.30.40', '[email]'],
  ])('lets through nothing of %j', (text, clean) => {
    expect(masked(text, [])).toBe(clean);
  });

  it.each([
    'It answers after 1234 ms. wss://sip.example.test:7443',
    'Registered with wss://10.20.30.40:7443.',
    'The script came from acme--uat.sandbox.my.salesforce.com:8443, localhost:4100 or 192.168.100.200:5061.',
    'It works: level 43 of 100. 2 of 7. API 66.0',
    'The server refused (403 Forbidden).',
  ])('leaves servers, spans and answers alone: %j', (text) => {
    expect(masked(text, [])).toBe(text);
  });
});
