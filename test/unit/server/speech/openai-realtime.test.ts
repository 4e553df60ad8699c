import { afterEach, describe, expect, it, vi } from 'vitest';
import { createOpenAiRealtime } from '../../../../server/src/speech/adapters/openai-realtime.ts';
import { openAiKey, startOpenAiRealtime } from '../../../speech/openai-realtime-server.ts';
import type { SpeechService } from '../../../speech/socket-service.ts';
import { toneDecoder } from '../../../speech/tone-alphabet.ts';
import { feed, hearingStage, sayPhrases } from './hearing.ts';

/** Sound is computed here: a busy machine takes its time. */
vi.setConfig({ testTimeout: 120_000 });

/** The machine may be busy. */
const patient = { timeout: 20_000 };
const stage = hearingStage();
const { started, open } = stage;
afterEach(() => stage.clean());
const decode = toneDecoder('near');

describe('OpenAI realtime', () => {
  const options = {
    key: openAiKey,
    keyHeader: 'authorization',
    model: 'gpt-4o-transcribe',
    shape: 'ga',
    turns: 'service',
  } as const;
  const settingsOf = async (server: SpeechService): Promise<unknown> => {
    await expect.poll(() => server.sessions[0]?.texts.length, patient).toBeGreaterThan(0);
    return JSON.parse(server.sessions[0]?.texts[0] ?? '');
  };

  it('is told its settings in the present shape, and in the older one', async () => {
    const server = await started(startOpenAiRealtime({ decode }));
    await open(createOpenAiRealtime({ ...options, url: server.url }), ['Patchcord', 'SIP']).opened;
    expect(await settingsOf(server)).toEqual({
      type: 'session.update',
      session: {
        type: 'transcription',
        audio: {
          input: {
            format: { type: 'audio/pcm', rate: 24_000 },
            transcription: { model: 'gpt-4o-transcribe', language: 'en', prompt: 'Patchcord, SIP' },
            turn_detection: { type: 'server_vad', silence_duration_ms: 500 },
          },
        },
      },
    });
    expect(server.sessions[0]?.path).toBe('/?intent=transcription');
    const older = await started(startOpenAiRealtime({ decode, shape: 'flat' }));
    await open(createOpenAiRealtime({ ...options, url: older.url, shape: 'flat', turns: 'relay' })).opened;
    expect(await settingsOf(older)).toEqual({
      type: 'session.update',
      session: {
        input_audio_format: 'pcm16',
        input_audio_transcription: { model: 'gpt-4o-transcribe', language: 'en' },
        turn_detection: null,
      },
    });
    expect(older.sessions[0]?.path).toBe('/?intent=transcription&model=gpt-4o-transcribe');
  });

  it('tells items in their order although they are completed in another', async () => {
    // without deltas: what is told too early has no words
    const server = await started(startOpenAiRealtime({ decode, outOfOrder: true, shape: 'flat' }));
    const one = open(createOpenAiRealtime({ ...options, url: server.url, shape: 'flat' }));
    const said = sayPhrases(['ba', 'be', 'bi', 'bo'].map((word) => ({ words: [word, 'mi'], pauseMs: 800 })));
    await feed(one.session, said.sound);
    await expect.poll(() => one.finals(), patient).toEqual(['ba mi', 'be mi', 'bi mi', 'bo mi']);
  });

  it('tells deltas as partial words', async () => {
    const server = await started(startOpenAiRealtime({ decode }));
    server.faults.neverFinal = true;
    const one = open(createOpenAiRealtime({ ...options, url: server.url }));
    await feed(one.session, sayPhrases([{ words: ['ba', 'be'], pauseMs: 800 }]).sound);
    await expect.poll(() => one.heard.map(({ text }) => text), patient).toEqual(['ba', 'ba be']);
  });

  it('is refused where it does not have the model', async () => {
    const server = await started(startOpenAiRealtime({ decode, model: 'whisper-large' }));
    expect(await open(createOpenAiRealtime({ ...options, url: server.url })).ended).toMatchObject({ why: 'refused' });
  });

  it.each([
    ['item', 'rate_limit_exceeded', 'limited'],
    ['item', 'server_error', 'away'],
    ['item', 'insufficient_quota', 'refused'],
    ['session', 'session_expired', 'expired'],
    ['session', 'rate_limit_exceeded', 'limited'],
    ['session', 'server_error', 'away'],
  ] as const)('of which an %s has the error %s: %s', async (of, code, why) => {
    const server = await started(startOpenAiRealtime({ decode, trouble: { of, code } }));
    const one = open(createOpenAiRealtime({ ...options, url: server.url }));
    await feed(one.session, sayPhrases([{ words: ['ba', 'be'], pauseMs: 800 }]).sound);
    expect(await one.ended).toMatchObject({ why });
    expect(one.finals()).toEqual([]);
  });

  it('goes on after an item that could not be transcribed', async () => {
    const trouble = { of: 'item', code: 'audio_unintelligible' } as const;
    const server = await started(startOpenAiRealtime({ decode, trouble }));
    const one = open(createOpenAiRealtime({ ...options, url: server.url }));
    const said = ['ba', 'be'].map((word) => ({ words: [word, 'mi'], pauseMs: 800 }));
    await feed(one.session, sayPhrases(said).sound);
    await expect.poll(() => one.finals(), patient).toEqual(['be mi']);
    expect(one.ends).toEqual([]);
  });

  it.each([
    ['invalid_request_error.session_expired', 'expired'],
    ['rate_limit_exceeded', 'limited'],
    ['invalid_request_error.invalid_api_key', 'refused'],
    ['insufficient_quota', 'refused'],
    ['', 'away'],
  ])('closed with 3000 %s: %s', async (reason, why) => {
    const server = await started(startOpenAiRealtime({ decode }));
    const service = createOpenAiRealtime({ ...options, url: server.url });
    expect(await stage.endOfClose(server, service, { code: 3_000, reason })).toMatchObject({ why });
  });
});
