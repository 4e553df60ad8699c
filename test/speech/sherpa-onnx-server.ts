/** The online server of sherpa-onnx: 32-bit floats, segments by number. `python` is the smaller one, which tells no times. */
import { createUtterances, type Decode, textOf, type UtteranceSaid } from './decode.ts';
import { type SpeechService, startSocketService } from './socket-service.ts';

const rate = 16_000;

export function startSherpaOnnx(options: {
  readonly decode: Decode;
  readonly python?: boolean;
}): Promise<SpeechService> {
  return startSocketService((connection) => {
    const utterances = createUtterances(options.decode, rate);
    const result = ({ index, words, final }: UtteranceSaid, isEnd = false): object => {
      const said = { text: textOf(words), segment: index };
      if (options.python === true) return said;
      const startMs = Math.max(0, (words[0]?.startMs ?? 0) - 200);
      return {
        ...said,
        is_final: final,
        is_eof: isEnd,
        tokens: words.map(({ text }) => ` ${text}`),
        start_time: startMs / 1_000,
        timestamps: words.map((word) => (word.startMs - startMs) / 1_000),
      };
    };
    const tell = (said: readonly UtteranceSaid[]): void => {
      for (const one of said) (one.final ? connection.sayFinal : connection.sayPart)(result(one));
    };
    return {
      text(message) {
        if (message !== 'Done') return;
        tell(utterances.flush());
        if (options.python !== true) connection.say('Done!');
        connection.close(1000);
      },
      binary(bytes) {
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        const samples = Int16Array.from({ length: bytes.byteLength >> 2 }, (_, at) =>
          Math.round(Math.max(-1, Math.min(1, view.getFloat32(at * 4, true))) * 32_767),
        );
        tell(utterances.push(samples));
        connection.took((samples.length * 1_000) / rate);
      },
    };
  });
}
