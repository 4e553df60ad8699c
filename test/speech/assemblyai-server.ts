/** AssemblyAI's streaming protocol, version 3: messages of 50 to 1000 ms, turns that are told again once they are formatted. */
import { createUtterances, type Decode, textOf, toSamples, type UtteranceSaid } from './decode.ts';
import { type SpeechService, startSocketService } from './socket-service.ts';

export const assemblyAiKey = 'assemblyai-key-in-tests';

export function startAssemblyAi(options: { readonly decode: Decode }): Promise<SpeechService> {
  return startSocketService(
    (connection) => {
      const rate = Number(connection.url.searchParams.get('sample_rate'));
      const utterances = createUtterances(options.decode, rate);
      const turn = ({ index, words }: UtteranceSaid, ended: boolean, formatted: boolean): object => ({
        type: 'Turn',
        turn_order: index,
        end_of_turn: ended,
        turn_is_formatted: formatted,
        transcript: textOf(words),
        end_of_turn_confidence: ended ? 0.9 : 0.1,
        words: words.map(({ text, startMs, endMs }) => ({
          start: Math.round(startMs),
          end: Math.round(endMs),
          confidence: 0.9,
          text,
          word_is_final: true,
        })),
      });
      const tell = (said: readonly UtteranceSaid[]): void => {
        for (const one of said) {
          connection.sayPart(turn(one, one.final, false));
          if (one.final) connection.sayFinal(turn(one, true, true));
        }
      };
      return {
        opened: () => connection.say({ type: 'Begin', id: 'in-test', expires_at: 0 }),
        text(message) {
          if ((JSON.parse(message) as { type: string }).type !== 'Terminate') return;
          tell(utterances.flush());
          const seconds = utterances.soundMs / 1_000;
          connection.sayFinal({
            type: 'Termination',
            audio_duration_seconds: seconds,
            session_duration_seconds: seconds,
          });
          setTimeout(() => connection.close(1000), (connection.faults.finalAfterMs ?? 0) + 20).unref();
        },
        binary(bytes) {
          const ms = (bytes.byteLength * 500) / rate;
          if (ms < 50 || ms > 1_000) {
            connection.close(3007, 'Input duration violation');
            return;
          }
          tell(utterances.push(toSamples(bytes)));
          connection.took(ms);
        },
      };
    },
    { key: { header: 'authorization', value: assemblyAiKey } },
  );
}
