/**
 * S6: what nobody should ever send. Seeded inputs, sensible ones broken in small ways and plain rubbish, against every parser and validator of
 * the relay and against its running routes and socket; in the laboratory also torture messages against the SIP edge. Counts crashes, answers
 * that blame the relay, promises nobody handled, and inputs that hold the event loop for longer than 50 ms of processor time.
 */
import { randomUUID } from 'node:crypto';
import { PatchcordError, parseEvent } from '@patchcord/call-protocol';
import { verifyHubSpotSignature } from '@patchcord/crm-adapters/relay';
import { redactCards } from '../../server/src/call-log/card-numbers.ts';
import { checkConfig } from '../../server/src/config.ts';
import { retryAfter } from '../../server/src/delivery/deliver-webhook.ts';
import { readCookie } from '../../server/src/http/cookies.ts';
import { readCursor } from '../../server/src/live/stream.ts';
import { loggable, maskText } from '../../server/src/logging.ts';
import { traceIdOf } from '../../server/src/tracing.ts';
import type { Drill, DrillResult } from '../drill.ts';
import { insideLab } from '../sip-lab/namespaces.ts';
import { answeredCall, envelopes, startRelayInTest, testConfig } from '../unit/server/relay-in-test.ts';
import { Mutations } from './mutations.ts';

export const drill: Drill = {
  about: 'malformed input: parsers, routes and socket of the relay; SIP torture messages at the edge',
  async run({ seed, short, say }): Promise<DrillResult> {
    const parsers = fuzzParsers(seed, short ? 20_000 : 1_000_000);
    say(`parsers: ${JSON.stringify(parsers)}`);
    const wire = await fuzzRelay(seed, short ? 300 : 10_000);
    say(`routes and socket: ${JSON.stringify(wire)}`);
    const sip = insideLab() ? await (await import('./s6-sip-torture.ts')).tortureEdge(seed, short ? 60 : 3_000) : null;
    const crashes = parsers.crashes + wire.crashes + (sip?.crashes ?? 0);
    const hangs = parsers.hangs + (sip?.hangs ?? 0);
    return {
      passed: crashes === 0 && hangs === 0 && wire.unhandled === 0,
      tried: parsers.tried + wire.tried + (sip?.tried ?? 0),
      succeeded: crashes + hangs + wire.unhandled,
      crashes,
      hangs,
      unhandled: wire.unhandled,
      sip: sip?.tried ?? 0,
      ...(parsers.first === null ? {} : { note: parsers.first }),
      ...(sip === null ? { note: 'outside of the laboratory no SIP message was sent' } : {}),
    };
  },
};

/** Every parser and validator that sees what others write. What it throws must be ours. */
export function fuzzParsers(
  seed: number,
  count: number,
): { tried: number; crashes: number; hangs: number; slowestMs: number; first: string | null } {
  const mutations = new Mutations(seed);
  const good = envelopes(randomUUID(), answeredCall);
  const goodConfig = testConfig();
  /** Makes an input, and gives what reads it: the same input can be read again. */
  const parsers: readonly (readonly [string, (m: Mutations) => () => unknown])[] = [
    ['event', (m) => reading(m.json(m.pick(good)), parseEvent)],
    ['event text', (m) => reading(m.string(JSON.stringify(m.pick(good))), (text) => parseEvent(JSON.parse(text)))],
    ['cards', (m) => reading(m.text() + m.text() + m.text(), redactCards)],
    ['mask', (m) => reading(m.text() + m.text(), maskText)],
    ['log line', (m) => reading(m.json({ err: new Error(m.text()), list: good, token: 'x' }), loggable)],
    ['cursor', (m) => reading(m.string('1a.2b'), readCursor)],
    ['retry-after', (m) => reading(m.text(), (text) => retryAfter(text, 0))],
    ['trace', (m) => reading(m.text(), traceIdOf)],
    ['cookie', (m) => reading(m.string('a=b; c=d'), (cookie) => readCookie({ headers: { cookie } } as never, 'c'))],
    ['configuration', (m) => reading(m.json(goodConfig), checkConfig)],
    [
      'HubSpot signature',
      (m) =>
        reading(
          {
            method: 'POST',
            url: `https://phone.example.com/v1/hubspot/pairing-codes?${m.string('userId=1&portalId=2&appId=3')}`,
            body: Buffer.from(m.text()),
            headers: { 'x-hubspot-signature-v3': m.text(), 'x-hubspot-request-timestamp': m.string('1700000000000') },
            clientSecret: 'secret',
            now: 1_700_000_000_000,
          },
          verifyHubSpotSignature,
        ),
    ],
  ];
  let crashes = 0;
  let hangs = 0;
  let slowestMs = 0;
  let first: string | null = null;
  for (let index = 0; index < count; index += 1) {
    const [name, parse] = parsers[index % parsers.length] as (typeof parsers)[number];
    const read = parse(mutations);
    let ms = cpuMs(() => {
      try {
        read();
      } catch (error) {
        // What JSON.parse says of a text that is no JSON is the caller's to catch, and is.
        if (error instanceof PatchcordError || (error instanceof SyntaxError && name === 'event text')) return;
        crashes += 1;
        first ??= `${name}: ${error instanceof Error ? `${error.name} ${error.message}` : String(error)}`;
      }
    });
    // Collecting garbage is nobody's input: only what is slow each time counts.
    for (let again = 0; again < 3 && ms > 50; again += 1)
      ms = Math.min(
        ms,
        cpuMs(() => quietly(read)),
      );
    slowestMs = Math.max(slowestMs, ms);
    if (ms > 50) {
      hangs += 1;
      first ??= `${name} took ${Math.round(ms)} ms`;
    }
  }
  return { tried: count, crashes, hangs, slowestMs: Math.round(slowestMs), first };
}

/** A running relay: every route with broken bodies and addresses, the socket with broken messages. */
export async function fuzzRelay(
  seed: number,
  count: number,
): Promise<{ tried: number; crashes: number; unhandled: number }> {
  const mutations = new Mutations(seed);
  const one = await startRelayInTest(testConfig({ trustProxy: 1 }));
  let unhandled = 0;
  const note = (): void => {
    unhandled += 1;
  };
  process.on('unhandledRejection', note);
  let tried = 0;
  let crashes = 0;
  try {
    const session = await one.signIn();
    const good = envelopes(randomUUID(), answeredCall);
    const bodies: readonly unknown[] = [
      { device: randomUUID(), proof: { kind: 'pairing-code', code: 'AAAA-AAAA' } },
      { tenant: 'acme', agent: 'ada' },
      { id: 'crm.log x', reason: 'x' },
      good,
    ];
    const routes = one.relay.routes.filter(({ path }) => path !== '/v1/live/events' && path !== '/v1/sessions/current');
    for (let index = 0; index < count; index += 1) {
      const { method, path } = mutations.pick(routes);
      const address = path.replace(/:\w+/g, () => encodeURIComponent(wellFormed(mutations.text().slice(0, 200))));
      const response = await one.fetch(
        `${address}?${encodeURIComponent(wellFormed(mutations.text().slice(0, 200)))}=${index % 3}`,
        {
          method,
          redirect: 'manual',
          ...(index % 2 === 0 ? { token: session.token } : {}),
          headers: {
            'x-forwarded-for': `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`,
            ...(method === 'GET'
              ? {}
              : {
                  'content-type': mutations.pick([
                    'application/json',
                    'text/plain',
                    'application/x-www-form-urlencoded',
                    'application/json; charset=x',
                  ]),
                }),
          },
          ...(method === 'GET'
            ? {}
            : { body: mutations.string(JSON.stringify(mutations.json(mutations.pick(bodies))) ?? '') }),
        },
      );
      const text = await response.text();
      tried += 1;
      // A page that is not built answers 503; a webhook or PBX of this fuzz is not there.
      if (response.status === 500 || /\bat .*\.ts:\d/.test(text)) crashes += 1;
    }
    let socket = await one.connect(session.token);
    for (let index = 0; index < count; index += 1) {
      if (socket.socket.readyState !== 1) socket = await one.connect(session.token);
      const message = { type: 'publish', events: [mutations.json(mutations.pick(good))] };
      socket.send(
        index % 5 === 0 ? mutations.string(JSON.stringify(message)).slice(0, 60_000) : JSON.stringify(message),
      );
      if (index % 20 === 19) await new Promise((resolve) => setImmediate(resolve));
      tried += 1;
    }
    if ((await one.fetch('/healthz')).status !== 200) crashes += 1;
    socket.socket.terminate();
  } finally {
    await one.closed();
    process.off('unhandledRejection', note);
  }
  return { tried, crashes, unhandled };
}

function reading<T>(input: T, read: (input: T) => unknown): () => unknown {
  return () => read(input);
}

function quietly(work: () => unknown): void {
  try {
    work();
  } catch {
    // it was counted the first time
  }
}

/** Processor time, so that a busy machine counts for nothing. */
function cpuMs(work: () => void): number {
  const begun = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / 1_000;
}

/** `encodeURIComponent` takes no half of a surrogate pair. */
function wellFormed(text: string): string {
  return text.replace(/[\ud800-\udfff]/g, '�') || 'x';
}
