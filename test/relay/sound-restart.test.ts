/** A relay is killed in the middle of a call and started again: nothing that a phone still has is lost, nothing is told twice, the rest is marked. */
import { newCallId, type RelayMessage, type TranscriptLine } from '@patchcord/call-protocol';
import { afterEach, expect, it } from 'vitest';
import { deepgramKey, startDeepgram } from '../speech/deepgram-server.ts';
import type { SpeechService } from '../speech/socket-service.ts';
import { newDevice, type RelayProcess, relayProcess } from '../store/relay-process.ts';
import { type Panel, testTenant } from '../unit/server/relay-in-test.ts';
import { SoundPage } from './sound-page.ts';
import { bothEars, far, near, silent } from './sound-stage.ts';

let cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.reverse()) await clean();
  cleanups = [];
});

async function stage(): Promise<{
  readonly relay: RelayProcess;
  readonly token: string;
  readonly speech: SpeechService;
}> {
  const speech = await startDeepgram({ decode: bothEars });
  cleanups.push(() => speech.close());
  const service = { kind: 'deepgram', url: `${speech.url}/v1/listen`, key: deepgramKey } as const;
  const relay = await relayProcess({
    tenants: [testTenant({ transcription: { service, language: 'en' }, transcripts: { keep: true } })],
  });
  cleanups.push(() => relay.remove());
  await relay.start();
  return { relay, speech, token: await relay.signIn('acme', 'ada', newDevice()) };
}

/** Every final line that a panel hears, the last word on each. */
class Words {
  readonly #lines = new Map<string, TranscriptLine>();
  listen(panel: Panel): void {
    cleanups.push(() => panel.socket.terminate());
    const more = async (): Promise<void> => {
      for (;;) {
        const { event } = await panel.next<Extract<RelayMessage, { type: 'event' }>>(
          (message) => message.type === 'event' && message.event.type === 'dev.patchcord.transcript.final.v1',
        );
        const line = event.data as TranscriptLine;
        this.#lines.set(`${line.speaker} ${line.line}`, line);
      }
    };
    void more();
  }
  get lines(): readonly TranscriptLine[] {
    return [...this.#lines.values()].sort((a, b) => a.startMs - b.startMs);
  }
  of(speaker: string): string {
    return this.lines
      .filter((line) => line.speaker === speaker && line.gap === undefined)
      .map(({ text }) => text)
      .join(' ');
  }
}

it('what the phone still has is heard once, by whoever is there', async () => {
  const { relay, token } = await stage();
  const words = new Words();
  words.listen(await relay.connect(token));
  const page = new SoundPage(newCallId());
  cleanups.push(() => page.socket.terminate());
  await page.connect({ url: relay.url, token });
  page.speak(near('ba', 'be', 'bi', 'bo'), silent);
  page.hush(900);
  page.speak(silent, far('ka', 'ke', 'ki'));
  page.hush(900);
  await expect.poll(() => words.of('far-side'), { timeout: 20_000 }).toBe('ka ke ki');
  await expect.poll(() => page.settled, { timeout: 20_000 }).toBeGreaterThan(5);

  // In the middle of a sentence.
  page.speak(near('da', 'de'), far('pa'));
  await relay.kill();
  await page.closed;
  page.speak(near('di', 'do', 'ga'), far('pe'));
  await relay.start();
  words.listen(await relay.connect(token));
  await page.connect({ url: relay.url, token });
  page.speak(near('ge'), far('pi', 'po'));
  page.say({ type: 'end' });
  expect(await page.closed).toMatchObject({ code: 1000 });
  await expect.poll(() => words.of('agent'), { timeout: 20_000 }).toBe('ba be bi bo da de di do ga ge');
  expect(words.of('far-side')).toBe('ka ke ki pa pe pi po');
  expect(words.lines.filter(({ gap }) => gap !== undefined)).toEqual([]);
});

it('what the phone has no more is marked with its length', async () => {
  const { relay, token } = await stage();
  const words = new Words();
  words.listen(await relay.connect(token));
  const page = new SoundPage(newCallId());
  cleanups.push(() => page.socket.terminate());
  await page.connect({ url: relay.url, token });
  page.speak(near('ba', 'be', 'bi'), silent);
  page.hush(900);
  await expect.poll(() => page.settled, { timeout: 20_000 }).toBeGreaterThan(4);
  const heardTo = page.settled * 100;
  await relay.kill();
  await page.closed;
  // Forty seconds of a call, of which thirty are kept.
  page.speak(near('mo', 'mo', 'mo'), silent);
  page.hush(39_500);
  page.speak(near('da', 'de'), silent);
  const oldest = page.kept.keys().next().value ?? 0;
  await relay.start();
  words.listen(await relay.connect(token));
  await page.connect({ url: relay.url, token });
  page.say({ type: 'end' });
  await page.closed;
  await expect.poll(() => words.of('agent'), { timeout: 20_000 }).toBe('ba be bi da de');
  const gaps = words.lines.filter(({ gap }) => gap !== undefined);
  expect(gaps).toMatchObject([{ gap: 'lost', startMs: heardTo, endMs: oldest * 100, text: '' }]);
});
