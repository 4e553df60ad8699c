import { afterEach, describe, expect, it, vi } from 'vitest';
import { openSpeechService } from '../../../../server/src/speech/services.ts';
import { toneDecoder } from '../../../speech/tone-alphabet.ts';
import { adapterKinds } from './adapter-kinds.ts';
import { feed, hearing, sayPhrases } from './hearing.ts';

/** Sound is computed here: a busy machine takes its time. */
vi.setConfig({ testTimeout: 120_000 });

/** The machine may be busy. */
const patient = { timeout: 20_000 };
let cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  cleanups = [];
});

const phrases = [
  { words: ['ba', 'be', 'bi'], pauseMs: 900 },
  { words: ['do', 'do'], pauseMs: 1_200 },
  { words: ['mi', 'ga', 'ba', 'mo'], pauseMs: 40 },
];
const texts = phrases.map(({ words }) => words.join(' '));
const { sound, times } = sayPhrases(phrases);

describe.each(adapterKinds)('$name', (kind) => {
  const start = async (rightKey = true) => {
    const server = await kind.start(toneDecoder('near'));
    cleanups.push(() => server.close());
    const service = openSpeechService(kind.settings(server.url, rightKey));
    const open = () => {
      const one = hearing(service);
      cleanups.push(() => one.session.drop());
      return one;
    };
    return { server, service, open };
  };

  it('hears every word finally, once, in order, at its time', async () => {
    const { open } = await start();
    const one = open();
    await feed(one.session, sound);
    one.session.finish(5_000);
    expect(await one.ended).toMatchObject({ why: 'finished' });
    expect(one.finals()).toEqual(texts);
    const finals = one.heard.filter(({ final, text }) => final && text !== '');
    expect(new Set(finals.map(({ utterance }) => utterance)).size).toBe(3);
    finals.forEach(({ startMs, endMs }, index) => {
      expect(Math.abs(startMs - (times[index]?.startMs ?? 0))).toBeLessThanOrEqual(kind.toleranceMs);
      expect(Math.abs(endMs - (times[index]?.endMs ?? 0))).toBeLessThanOrEqual(kind.toleranceMs);
    });
  });

  it('waits for finals that come late', async () => {
    const { server, open } = await start();
    server.faults.finalAfterMs = 150;
    const one = open();
    await feed(one.session, sound);
    one.session.finish(5_000);
    expect(await one.ended).toMatchObject({ why: 'finished' });
    expect(one.finals()).toEqual(texts);
  });

  it('keeps a second of sound until the service answers, and dates words right when it was more', async () => {
    const { open } = await start();
    const one = open();
    const { sound: late, times: lateTimes } = sayPhrases([{ words: ['be', 'ba'], pauseMs: 300 }]);
    one.session.send(new Uint8Array(64_000));
    one.session.send(late);
    expect(one.session.waitingBytes).toBeLessThanOrEqual(32_000);
    await one.opened;
    one.session.finish(5_000);
    await one.ended;
    expect(one.finals()).toEqual(['be ba']);
    const told = one.heard.find(({ final, text }) => final && text !== '');
    expect(Math.abs((told?.startMs ?? 0) - 2_000 - (lateTimes[0]?.startMs ?? 0))).toBeLessThanOrEqual(
      Math.min(kind.toleranceMs, 2_000),
    );
  });

  it('is refused for good where the key is wrong, and repeats no key', async () => {
    const { server, open } = await start(false);
    if (!kind.hasKey) server.faults.refuse = { status: 403 };
    const one = open();
    const end = await one.ended;
    expect(end.why).toBe('refused');
    expect(end.message).not.toMatch(/key-in-tests|wrong-key/);
  });

  it('sends the key in a header only', async () => {
    const { server, open } = await start();
    const one = open();
    await one.opened;
    expect(server.sessions[0]?.path).not.toContain('in-tests');
    expect(server.sessions[0]?.texts.join()).not.toContain('in-tests');
  });

  it('says how long to wait when there is too much to do', async () => {
    const { server, open } = await start();
    server.faults.refuse = { status: 429, headers: { 'Retry-After': '7' } };
    expect(await open().ended).toMatchObject({ why: 'limited', retryAfterMs: 7_000 });
    server.faults.refuse = { status: 503 };
    expect(await open().ended).toMatchObject({ why: 'away' });
    server.faults.refuse = { status: 404 };
    expect(await open().ended).toMatchObject({ why: 'refused' });
  });

  it('is away when the connection breaks in the middle of an utterance, and says so once', async () => {
    const { server, open } = await start();
    server.faults.closeAfterMs = 1_600;
    const one = open();
    await feed(one.session, sound);
    expect(await one.ended).toMatchObject({ why: 'away' });
    one.session.send(sound);
    one.session.finish(10);
    await expect.poll(() => server.sessions[0]?.isClosed, patient).toBe(true);
    expect(one.ends).toHaveLength(1);
    expect(one.finals().length).toBeLessThan(3);
    expect(one.session.waitingBytes).toBe(0);
  });

  it('is away when it gets nothing but rubbish', async () => {
    const { server, open } = await start();
    const one = open();
    await one.opened;
    server.faults.garbage = true;
    server.faults.repeat = 10;
    await feed(one.session, sound);
    one.session.finish(400);
    expect(await one.ended).toMatchObject({ why: 'away' });
    expect(one.finals()).toEqual([]);
  });

  it('tells a word once that it is told ten times', async () => {
    const { server, open } = await start();
    const one = open();
    await one.opened;
    if (kind.isStrict !== true) server.faults.repeat = 10;
    await feed(one.session, sound);
    one.session.finish(5_000);
    expect(await one.ended).toMatchObject({ why: 'finished' });
    expect(one.finals()).toEqual(texts);
  });

  it('says nothing of an utterance that is final, although its parts come again behind it', async () => {
    const { server, open } = await start();
    server.faults.lateParts = kind.isStrict !== true;
    const one = open();
    await feed(one.session, sound);
    one.session.finish(5_000);
    expect(await one.ended).toMatchObject({ why: 'finished' });
    expect(one.finals()).toEqual(texts);
    one.heard.forEach(({ utterance, final }, index) => {
      if (final) expect(one.heard.slice(index + 1).map((later) => later.utterance)).not.toContain(utterance);
    });
  });

  it('takes sound without waiting from whoever speaks to a service that does not read, and is away then', async () => {
    const { server, open } = await start();
    const one = open();
    await one.opened;
    server.faults.stalled = true;
    const second = new Uint8Array(32_000);
    for (let count = 0; count < 1_500 && one.ends.length === 0; count++) {
      one.session.send(second);
      // as much as lies in sockets; what comes behind it is seen
      if (count % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await one.ended).toMatchObject({ why: 'away' });
    expect(one.session.waitingBytes).toBe(0);
  });

  it('ends when its last words do not come in time', async () => {
    const { server, open } = await start();
    const one = open();
    await one.opened;
    await feed(one.session, sound);
    server.faults.mute = true;
    server.faults.stalled = true;
    one.session.finish(50);
    expect(['away', 'finished']).toContain((await one.ended).why);
  });

  it('tells nothing after it was dropped, and leaves no connection', async () => {
    const { server, open } = await start();
    const one = open();
    await feed(one.session, sound);
    const told = one.heard.length;
    one.session.drop();
    await expect.poll(() => server.sessions.every((session) => session.isClosed), patient).toBe(true);
    expect(one.heard).toHaveLength(told);
    expect(one.ends).toEqual([]);
  });

  it('is away when nobody listens at its address', async () => {
    const { server, service } = await start();
    await server.close();
    const end = await hearing(service).ended;
    expect(end).toMatchObject({ why: 'away' });
    expect(end.message).toContain('ECONNREFUSED');
  });
});
