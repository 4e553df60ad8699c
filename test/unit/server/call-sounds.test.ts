/**
 * Streams of calls at relays on one store: who has a stream, how many an agent has, and what becomes of one that nobody sends. The store and the
 * channels are fakes; what relays do by the clock is done when a test says so.
 */
import { type CallId, errorCode, newCallId, type SoundAnswer, type TranscriptLine } from '@patchcord/call-protocol';
import { Registry } from '@prometheus-io/client';
import { beforeEach, describe, expect, it } from 'vitest';
import type { SessionOwner } from '../../../server/src/identity/sessions.ts';
import type { TranscriptTeller } from '../../../server/src/live/transcripts.ts';
import { createLog } from '../../../server/src/logging.ts';
import { CallSounds, type CallSoundsParts, type SoundSeat } from '../../../server/src/sound/call-sounds.ts';
import { createSoundMetrics } from '../../../server/src/sound/sound-metrics.ts';
import type { Channel, ChannelLine, ChannelOptions } from '../../../server/src/speech/channel-contract.ts';
import type { SoundPosition, SoundStore } from '../../../server/src/store/contract.ts';
import { Tenants } from '../../../server/src/tenants.ts';
import { testTenant } from './relay-in-test.ts';

let now = 0;
let rows: Map<CallId, { holder: string; position: SoundPosition | null }>;
/** A store that is away rejects; one that is slow waits for this. */
let store: Promise<void>;
beforeEach(() => {
  now = 1_000_000;
  rows = new Map();
  store = Promise.resolve();
});

const sound: SoundStore = {
  claim: async ({ callId }, holder) => {
    await store;
    const position = rows.get(callId)?.position ?? null;
    rows.set(callId, { holder, position });
    return position;
  },
  put: async (positions) => {
    await store;
    const lost = positions.filter(({ callId, holder }) => rows.get(callId)?.holder !== holder);
    for (const { callId, holder, position } of positions)
      if (rows.get(callId)?.holder === holder) rows.set(callId, { holder, position });
    return lost.map(({ callId }) => callId);
  },
  remove: async (callId, holder) => {
    await store;
    if (rows.get(callId)?.holder === holder) rows.delete(callId);
  },
  forget: () => Promise.resolve(),
};

class PedalChannel implements Channel {
  readonly options: ChannelOptions;
  settledMs = 0;
  isDropped = false;
  /** What it makes final when it is to finish. */
  lastWords: ChannelLine | null = null;

  constructor(options: ChannelOptions) {
    this.options = options;
  }
  hear(): void {}
  forget(): void {}
  finish(): Promise<void> {
    if (this.lastWords !== null) this.options.onLine(this.lastWords);
    return Promise.resolve();
  }
  drop(): void {
    this.isDropped = true;
  }
  say(text: string, startMs: number, endMs: number): void {
    this.options.onLine({ line: 0, text, startMs, endMs, final: true });
  }
}

class RelayOfTest {
  readonly sounds: CallSounds;
  readonly channels: PedalChannel[] = [];
  readonly told: TranscriptLine[] = [];
  /** Calls that nothing is told of any more. */
  readonly dropped: string[] = [];

  constructor() {
    const transcripts: TranscriptTeller = {
      tell: (_tenant, _agent, _call, line) => {
        this.told.push(line);
        return Promise.resolve();
      },
      forget: () => {},
      release: () => {},
      drop: (_tenant, call) => void this.dropped.push(call),
      close: () => Promise.resolve(),
    };
    const service = { kind: 'deepgram', key: 'none' } as const;
    const recording = { mode: 'never', countries: {}, notice: 'none', resumeAfterSeconds: 0 } as const;
    const tenant = { ...testTenant({ transcription: { service, language: 'en' } }), recording };
    this.sounds = new CallSounds({
      tenants: new Tenants([tenant] as never, () => ({}) as never),
      store: { sound, calls: { readCalls: async () => new Map() } as unknown as CallSoundsParts['store']['calls'] },
      transcripts,
      // Nothing is recorded here.
      recordings: {} as CallSoundsParts['recordings'],
      recorded: () => {},
      openService: () => ({ open: () => Promise.reject(new Error('nobody opens it')) as never }),
      createChannel: (options) => {
        const channel = new PedalChannel(options);
        this.channels.push(channel);
        return channel;
      },
      metrics: createSoundMetrics(new Registry()),
      log: createLog('silent'),
      now: () => now,
      random: () => 0.5,
    });
  }

  open(call: CallId, sender: FakePage = new FakePage()): Promise<SoundSeat> {
    return this.sounds.open(ada, call, sender);
  }
}

class FakePage {
  readonly answers: SoundAnswer[] = [];
  closed: number | null = null;
  send(answer: SoundAnswer): void {
    this.answers.push(answer);
  }
  close(code: number): void {
    this.closed = code;
  }
}

const ada = {
  sessionId: 's',
  tenant: 'acme',
  agent: 'ada',
  device: 'd',
  role: 'agent',
  expiresAt: 9e15,
} as SessionOwner;
const take = (seat: SoundSeat, from: number, to: number): void => {
  for (let number = from; number < to; number += 1) {
    const pcm = new Uint8Array(3_200).fill(1);
    expect(seat.take({ number, startMs: number * 100, samples: 1_600, agent: pcm, farSide: pcm })).toBe('heard');
  }
};
const settle = (relay: RelayOfTest, ms: number): void => {
  for (const channel of relay.channels) channel.settledMs = ms;
};
/** What was told is where it stays. */
const kept = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const texts = (relay: RelayOfTest): readonly string[] => relay.told.map(({ line, text }) => `${line} ${text}`);

describe('a stream that another relay has by now', () => {
  const stage = async (): Promise<{ here: RelayOfTest; there: RelayOfTest; call: CallId; first: FakePage }> => {
    const [here, there, call, first] = [new RelayOfTest(), new RelayOfTest(), newCallId(), new FakePage()];
    const seat = await here.open(call, first);
    take(seat, 0, 20);
    here.channels[0]?.say('good morning', 100, 900);
    settle(here, 1_000);
    await kept();
    await here.sounds.look();
    expect(first.answers.at(-1)).toEqual({ type: 'settled', next: 10 });
    seat.leave();
    return { here, there, call, first };
  };

  it('goes on under its numbers, from where the first had come', async () => {
    const { there, call } = await stage();
    const seat = await there.open(call);
    expect(seat.next).toBe(10);
    expect(there.channels[0]?.options.firstLine).toBe(1);
    take(seat, 10, 30);
    there.channels[0]?.say('how are you', 1_200, 2_400);
    expect(texts(there)).toEqual(['1 how are you']);
  });

  it('is told of by that relay alone, although the first hears last words', async () => {
    const { here, there, call } = await stage();
    await there.open(call);
    here.channels[0]?.say('how are', 1_200, 1_900);
    await here.sounds.look();
    expect(texts(here)).toEqual(['0 good morning']);
    expect(here.channels.map(({ isDropped }) => isDropped)).toEqual([true, true]);
    expect(here.dropped).toEqual([call]);
    expect(rows.get(call)?.position).toMatchObject({ next: 10 });
  });

  it('is let go of by the first, although nothing of it moved', async () => {
    const { here, there, call } = await stage();
    await here.sounds.look();
    expect(here.dropped).toEqual([]);
    await there.open(call);
    await here.sounds.look();
    expect(here.dropped).toEqual([call]);
  });

  it('is let go of where the connection only seems to be there', async () => {
    const [here, there, call, page] = [new RelayOfTest(), new RelayOfTest(), newCallId(), new FakePage()];
    take(await here.open(call, page), 0, 5);
    await here.sounds.look();
    await there.open(call);
    await here.sounds.look();
    expect(page.closed).toBe(4_409);
  });

  it('tells last words of a page that is gone while the store is away: nobody can have it', async () => {
    const { here } = await stage();
    store = Promise.reject(new Error('away'));
    store.catch(() => {});
    here.channels[0]?.say('how are you', 1_200, 1_900);
    await expect.poll(() => texts(here)).toEqual(['0 good morning', '1 how are you']);
  });
});

describe('a stream that nobody sends', () => {
  it('is given up after a minute with its last words, and goes on under new numbers when its page comes after all', async () => {
    const [relay, call] = [new RelayOfTest(), newCallId()];
    const seat = await relay.open(call);
    take(seat, 0, 20);
    relay.channels[0]?.say('good morning', 100, 900);
    settle(relay, 2_000);
    await kept();
    await relay.sounds.look();
    seat.leave();
    now += 61_000;
    const [agent] = relay.channels;
    if (agent !== undefined)
      agent.lastWords = { line: 1, text: 'how are you', startMs: 1_000, endMs: 1_900, final: true };
    await relay.sounds.look();
    // A page that comes while last words are waited for waits with it.
    const again = await relay.open(call);
    expect(texts(relay)).toEqual(['0 good morning', '1 how are you']);
    expect(again.next).toBe(20);
    expect(relay.channels.map(({ isDropped }) => isDropped)).toEqual([true, true, false, false]);
    expect(relay.channels[2]?.options.firstLine).toBe(2);
  });

  it('is forgotten when its call is over, and taken no more', async () => {
    const [relay, call] = [new RelayOfTest(), newCallId()];
    const seat = await relay.open(call);
    take(seat, 0, 3);
    const { promise, resolve } = Promise.withResolvers<void>();
    store = promise;
    const ended = seat.end();
    expect(await relay.open(call).catch(errorCode)).toBe('call.unknown');
    resolve();
    await ended;
    expect(rows.size).toBe(0);
  });
});

it('an agent has eight streams at most, however many are begun at once', async () => {
  const relay = new RelayOfTest();
  const { promise, resolve } = Promise.withResolvers<void>();
  store = promise;
  const seats = Array.from({ length: 20 }, () => relay.open(newCallId()).then(() => 'open', errorCode));
  resolve();
  const results = await Promise.all(seats);
  expect(results.filter((result) => result === 'open')).toHaveLength(8);
  expect(results.filter((result) => result === 'request.too-many')).toHaveLength(12);
});

it('a relay that stops takes no stream any more, not even one that was being opened', async () => {
  const relay = new RelayOfTest();
  const { promise, resolve } = Promise.withResolvers<void>();
  store = promise;
  const opening = relay.open(newCallId()).catch(errorCode);
  await relay.sounds.stop(1_000);
  resolve();
  expect(await opening).toBe('relay.unreachable');
});
