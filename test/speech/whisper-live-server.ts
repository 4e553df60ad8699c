/** WhisperLive: a first message with settings, `SERVER_READY`, then the last segments again and again, with times as text. */
import { createUtterances, type Decode, textOf, toSamples, type UtteranceSaid } from './decode.ts';
import { type SpeechService, startSocketService } from './socket-service.ts';

const rate = 16_000;
const lastSegments = 10;

interface Segment {
  readonly start: string;
  readonly end: string;
  readonly text: string;
  readonly completed: boolean;
}

/** @param options.waitMinutes It is full: says so, and closes @param options.trouble What it says, once, when the first sound comes */
export function startWhisperLive(options: {
  readonly decode: Decode;
  readonly waitMinutes?: number;
  readonly trouble?: 'ERROR' | 'DISCONNECT';
}): Promise<SpeechService> {
  return startSocketService((connection) => {
    const utterances = createUtterances(options.decode, rate);
    let uid = '';
    let done: Segment[] = [];
    const segment = ({ words }: UtteranceSaid, completed: boolean): Segment => ({
      start: ((words[0]?.startMs ?? 0) / 1_000).toFixed(3),
      end: ((words.at(-1)?.endMs ?? 0) / 1_000).toFixed(3),
      text: ` ${textOf(words)}`,
      completed,
    });
    const tell = (said: readonly UtteranceSaid[]): void => {
      for (const one of said) {
        if (one.final) {
          done = [...done, segment(one, true)].slice(-lastSegments);
          connection.sayFinal({ uid, segments: done });
        } else connection.sayPart({ uid, segments: [...done, segment(one, false)].slice(-lastSegments) });
      }
    };
    return {
      text(message) {
        const settings = JSON.parse(message) as { uid: string; audio_format?: string };
        uid = settings.uid;
        if (options.waitMinutes !== undefined) {
          connection.say({ uid, status: 'WAIT', message: options.waitMinutes });
          connection.close(1000);
        } else if (settings.audio_format !== 'int16') connection.close(1003, 'floats');
        else {
          connection.say({ uid, message: 'SERVER_READY', backend: 'in-test' });
          connection.say({ uid, language: 'en', language_prob: 0.99 });
        }
      },
      binary(bytes) {
        if (bytes.toString() === 'END_OF_AUDIO') {
          // what is not completed stays as it is
          for (const one of utterances.flush()) connection.say({ uid, segments: [...done, segment(one, false)] });
          connection.close(1000);
          return;
        }
        if (options.trouble === 'ERROR') connection.say({ uid, status: 'ERROR', message: 'no memory' });
        if (options.trouble === 'DISCONNECT') connection.say({ uid, message: 'DISCONNECT' });
        tell(utterances.push(toSamples(bytes)));
        connection.took((bytes.byteLength * 500) / rate);
      },
    };
  });
}
