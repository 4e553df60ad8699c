import { afterEach, describe, expect, it, vi } from 'vitest';
import { createAssemblyAi } from '../../../../server/src/speech/adapters/assemblyai.ts';
import { createDeepgram } from '../../../../server/src/speech/adapters/deepgram.ts';
import { createPcmWs } from '../../../../server/src/speech/adapters/pcm-ws.ts';
import { speakSherpaOnnx } from '../../../../server/src/speech/adapters/sherpa-onnx.ts';
import type { Heard } from '../../../../server/src/speech/speech-to-text.ts';
import { assemblyAiKey, startAssemblyAi } from '../../../speech/assemblyai-server.ts';
import { deepgramKey, startDeepgram } from '../../../speech/deepgram-server.ts';
import { startSherpaOnnx } from '../../../speech/sherpa-onnx-server.ts';
import { toneDecoder } from '../../../speech/tone-alphabet.ts';
import { startVosk } from '../../../speech/vosk-server.ts';
import { startWhisperLive } from '../../../speech/whisper-live-server.ts';
import { feed, hearingStage, sayPhrases } from './hearing.ts';

/** Sound is computed here: a busy machine takes its time. */
vi.setConfig({ testTimeout: 120_000 });

/** The machine may be busy. */
const patient = { timeout: 20_000 };
const stage = hearingStage();
const { started, open } = stage;
afterEach(() => stage.clean());
const decode = toneDecoder('near');
const { sound } = sayPhrases([{ words: ['ba', 'be'], pauseMs: 100 }]);

describe('Deepgram', () => {
  const deepgram = (url: string) =>
    createDeepgram({ url: `${url}/v1/listen?redact=pci`, key: deepgramKey, model: 'nova-3' });

  it('is asked for linear PCM with partial results, our words, and what the address says', async () => {
    const server = await started(startDeepgram({ decode }));
    await open(deepgram(server.url), ['Patchcord', 'Kamailio edge']).opened;
    const query = new URL(server.sessions[0]?.path ?? '', 'http://localhost').searchParams;
    expect(Object.fromEntries(query)).toMatchObject({
      model: 'nova-3',
      language: 'en-US',
      encoding: 'linear16',
      sample_rate: '16000',
      channels: '1',
      interim_results: 'true',
      redact: 'pci',
    });
    expect(query.getAll('keyterm')).toEqual(['Patchcord', 'Kamailio edge']);
  });

  it('stays open without sound, because it is told so as text, and makes final what was said', async () => {
    const server = await started(startDeepgram({ decode, silentAfterMs: 5_000 }));
    const one = open(deepgram(server.url));
    await one.opened;
    await feed(one.session, sound);
    await expect.poll(() => one.finals(), { timeout: 5_000 }).toEqual(['ba be']);
    await expect.poll(() => server.sessions[0]?.texts.length, { timeout: 12_000, interval: 200 }).toBe(3);
    expect(server.sessions[0]?.texts).toEqual(['{"type":"Finalize"}', '{"type":"KeepAlive"}', '{"type":"KeepAlive"}']);
    expect(one.ends).toEqual([]);
  });

  it('tells that sound without words is settled', async () => {
    const server = await started(startDeepgram({ decode }));
    const one = open(deepgram(server.url));
    await feed(one.session, new Uint8Array(32_000 * 5));
    await expect.poll(() => one.heard.at(-1), patient).toMatchObject({ text: '', startMs: 0, final: true });
    expect(one.heard.at(-1)?.endMs).toBeGreaterThanOrEqual(3_000);
  });

  it.each([
    [1011, 'NET-0001', 'away'],
    [1011, 'NET-0000', 'away'],
    [1008, 'DATA-0000', 'refused'],
    [1000, '', 'away'],
  ])('closed with %i %s: %s', async (code, reason, why) => {
    const server = await started(startDeepgram({ decode }));
    expect(await stage.endOfClose(server, deepgram(server.url), { code, reason })).toMatchObject({ why });
  });
});

describe('AssemblyAI', () => {
  const assemblyAi = (url: string) => createAssemblyAi({ url: `${url}/v3/ws`, key: assemblyAiKey });

  it('gets messages of 50 to 1000 ms from whatever pieces come, the last one filled up', async () => {
    const server = await started(startAssemblyAi({ decode }));
    const one = open(assemblyAi(server.url));
    await one.opened;
    for (let from = 0; from < sound.byteLength; from += 640) one.session.send(sound.subarray(from, from + 640));
    one.session.send(new Uint8Array(32_000 + 320));
    one.session.finish(5_000);
    expect(await one.ended).toMatchObject({ why: 'finished' });
    expect(one.finals()).toEqual(['ba be']);
    const sizes = server.sessions[0]?.binary ?? [];
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(1_600);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(32_000);
  });

  it.each([
    [4001, 'refused'],
    [4002, 'refused'],
    [4029, 'limited'],
    [3009, 'limited'],
    [3008, 'expired'],
    [3005, 'away'],
    [3006, 'away'],
    [3007, 'away'],
    [1011, 'away'],
    [4003, 'refused'],
  ])('closed with %i: %s', async (code, why) => {
    const server = await started(startAssemblyAi({ decode }));
    expect(await stage.endOfClose(server, assemblyAi(server.url), { code, reason: '' })).toMatchObject({ why });
  });

  it.each([
    ['Unauthorized Connection: Too many concurrent sessions', 'limited'],
    ['Unauthorized Connection: Missing Authorization header', 'refused'],
  ])('closed with 1008 %s: %s', async (reason, why) => {
    const server = await started(startAssemblyAi({ decode }));
    expect(await stage.endOfClose(server, assemblyAi(server.url), { code: 1_008, reason })).toMatchObject({ why });
  });
});

describe('PCM over a WebSocket', () => {
  const pcm = (url: string, dialect: 'vosk' | 'sherpa-onnx' | 'whisper-live', model?: string) =>
    createPcmWs({ url, dialect, ...(model === undefined ? {} : { model }) });

  it('Vosk is sent the next message when it has answered, in one piece, and its end word for word', async () => {
    const server = await started(startVosk({ decode, answerAfterMs: 5 }));
    const one = open(pcm(server.url, 'vosk'));
    await one.opened;
    const long = sayPhrases([{ words: ['ba', 'be', 'bi', 'bo', 'da'], pauseMs: 900 }]).sound;
    for (let from = 0; from < long.byteLength; from += 3_200) one.session.send(long.subarray(from, from + 3_200));
    expect(one.session.waitingBytes).toBeGreaterThanOrEqual(long.byteLength - 3_200);
    one.session.finish(5_000);
    expect(await one.ended).toMatchObject({ why: 'finished' });
    expect(one.finals()).toEqual(['ba be bi bo da']);
    expect(server.sessions[0]?.texts).toEqual(['{"config":{"sample_rate":16000,"words":true}}', '{"eof" : 1}']);
    expect(server.sessions[0]?.binary.every((size) => size <= 32_000)).toBe(true);
  });

  it('sherpa-onnx is sent floats and the word Done', async () => {
    const server = await started(startSherpaOnnx({ decode }));
    const one = open(pcm(server.url, 'sherpa-onnx'));
    await feed(one.session, sound);
    one.session.finish(5_000);
    await one.ended;
    const [seen] = server.sessions;
    expect(seen?.binary.reduce((total, size) => total + size, 0)).toBe(sound.byteLength * 2);
    expect(seen?.texts).toEqual(['Done']);
  });

  it('sherpa-onnx may say late that a segment is final, and the next one goes on', () => {
    const heard: Heard[] = [];
    const wire = { ready: () => {}, heard: (words: Heard) => heard.push(words), end: () => {}, soundMs: 9_000 };
    const protocol = speakSherpaOnnx({ ...wire, text: () => {}, binary: () => {} });
    const say = (segment: number, text: string, final: boolean): unknown =>
      protocol.message(JSON.stringify({ segment, text, is_final: final, start_time: segment, timestamps: [0.1] }));
    say(0, 'ba', false);
    say(1, 'be', false);
    say(0, 'ba', true);
    say(1, 'be bi', false);
    say(1, 'be bi', true);
    expect(heard.filter(({ final }) => final).map(({ text }) => text)).toEqual(['ba', 'be bi']);
  });

  it('WhisperLive is told the language, the model and 16-bit samples, and may be full', async () => {
    const server = await started(startWhisperLive({ decode }));
    await open(pcm(server.url, 'whisper-live', 'small.en'), ['Patchcord']).opened;
    expect(JSON.parse(server.sessions[0]?.texts[0] ?? '')).toMatchObject({
      language: 'en',
      task: 'transcribe',
      model: 'small.en',
      audio_format: 'int16',
      initial_prompt: 'Patchcord',
    });
    const full = await started(startWhisperLive({ decode, waitMinutes: 2 }));
    expect(await open(pcm(full.url, 'whisper-live')).ended).toMatchObject({ why: 'limited', retryAfterMs: 120_000 });
  });

  it.each([
    ['ERROR', 'away'],
    ['DISCONNECT', 'expired'],
  ] as const)('WhisperLive says %s: %s', async (trouble, why) => {
    const server = await started(startWhisperLive({ decode, trouble }));
    const one = open(pcm(server.url, 'whisper-live'));
    await one.opened;
    one.session.send(new Uint8Array(6_400));
    expect(await one.ended).toMatchObject({ why });
  });

  it.each([
    ['vosk', startVosk, 1_011, 'away'],
    ['vosk', startVosk, 1_013, 'limited'],
    ['sherpa-onnx', startSherpaOnnx, 1_011, 'away'],
    ['sherpa-onnx', startSherpaOnnx, 1_000, 'away'],
    ['whisper-live', startWhisperLive, 1_011, 'away'],
    ['whisper-live', startWhisperLive, 1_008, 'refused'],
  ] as const)('%s that closes before it is asked to (%#): %i %s', async (dialect, start, code, why) => {
    const server = await started(start({ decode }));
    expect(await stage.endOfClose(server, pcm(server.url, dialect), { code, reason: '' })).toMatchObject({ why });
  });
});

describe('a socket that does not live', () => {
  it('is given up when the service never answers', async () => {
    const server = await started(startAssemblyAi({ decode }));
    server.faults.mute = true;
    const service = createAssemblyAi({ url: server.url, key: assemblyAiKey, timing: { openMs: 150 } });
    expect(await open(service).ended).toMatchObject({ why: 'away', message: expect.stringContaining('in time') });
  });

  it('is given up when it gives no sign of life, or does not read', async () => {
    const server = await started(startDeepgram({ decode }));
    server.faults.stalled = true;
    const options = { url: server.url, key: deepgramKey, model: 'nova-3' };
    const one = open(createDeepgram({ ...options, timing: { pingMs: 30, silentMs: 120 } }));
    await one.opened;
    one.session.send(new Uint8Array(3_200));
    expect(await one.ended).toMatchObject({ why: 'away', message: expect.stringContaining('sign of life') });
    const flooded = open(createDeepgram(options));
    await flooded.opened;
    const second = new Uint8Array(32_000);
    for (let count = 0; count < 2_000 && flooded.ends.length === 0; count++) flooded.session.send(second);
    expect(await flooded.ended).toMatchObject({ why: 'away', message: expect.stringContaining('as fast as') });
  });

  it('is refused, not thrown, when the key is no header', async () => {
    const service = createDeepgram({ url: 'ws://127.0.0.1:1/', key: 'a\nb', model: 'nova-3' });
    expect(await open(service).ended).toMatchObject({ why: 'refused', message: expect.not.stringContaining('a\nb') });
  });
});
