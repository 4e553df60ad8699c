import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { SpeechServiceSchema } from '../../../../server/src/speech/services.ts';

const problems = (input: unknown): readonly string[] => {
  const read = v.safeParse(SpeechServiceSchema, input);
  return read.success ? [] : read.issues.map((issue) => issue.message);
};

describe('a speech-to-text service of the configuration', () => {
  it('needs no more than its kind and a key where the service is one of the known ones', () => {
    for (const kind of ['deepgram', 'assemblyai']) expect(problems({ kind, key: 'k' })).toEqual([]);
    for (const kind of ['openai-realtime', 'segments']) expect(problems({ kind })).toEqual([]);
    expect(v.parse(SpeechServiceSchema, { kind: 'deepgram', key: 'k' })).toEqual({
      kind: 'deepgram',
      url: 'wss://api.deepgram.com/v1/listen',
      key: 'k',
      model: 'nova-3',
    });
  });

  it('is encrypted unless it stays on this machine', () => {
    for (const dialect of ['vosk', 'sherpa-onnx', 'whisper-live']) {
      expect(problems({ kind: 'pcm-ws', dialect, url: 'ws://127.0.0.1:2700' })).toEqual([]);
      expect(problems({ kind: 'pcm-ws', dialect, url: 'ws://speech.example:2700' })[0]).toContain('encrypted');
    }
    expect(problems({ kind: 'segments', url: 'http://speech.example/inference' })[0]).toContain('encrypted');
    expect(problems({ kind: 'segments', url: 'wss://speech.example/' })[0]).toContain('https:');
    expect(problems({ kind: 'deepgram', key: 'k', url: 'https://api.deepgram.com' })[0]).toContain('wss:');
  });

  it('says what is wrong without repeating a key', () => {
    expect(problems({ kind: 'deepgram' })).toHaveLength(1);
    const [wrong = ''] = problems({ kind: 'deepgram', key: 'two\nlines' });
    expect(wrong).toContain('printable');
    expect(wrong).not.toContain('lines');
    expect(problems({ kind: 'whisper' })[0]).toContain('"deepgram"');
    expect(problems({ kind: 'deepgram', key: 'k', keyy: 'x' })).toHaveLength(1);
    expect(problems({ kind: 'segments', url: 'https://user:secret@speech.example/' })[0]).toContain('password');
  });
});
