/** Deepgram's live protocol, version 1, as its documents have it: what the adapter is tested against, and what hears calls in tests. */
import { createUtterances, type Decode, textOf, toSamples, type UtteranceSaid } from './decode.ts';
import { type SpeechService, startSocketService } from './socket-service.ts';

/** It says of sound without words, too, that it is final. */
const quietStepMs = 3_000;

export const deepgramKey = 'deepgram-key-in-tests';

/** @param options.silentAfterMs Closes with NET-0001 when neither sound nor KeepAlive comes for so long. Default 10 s, as Deepgram does */
export function startDeepgram(options: {
  readonly decode: Decode;
  readonly silentAfterMs?: number;
}): Promise<SpeechService> {
  const silentAfterMs = options.silentAfterMs ?? 10_000;
  return startSocketService(
    (connection) => {
      const rate = Number(connection.url.searchParams.get('sample_rate'));
      const utterances = createUtterances(options.decode, rate);
      let silent: NodeJS.Timeout | undefined;
      /** Where the words that are not final begin. */
      let fromMs = 0;
      const alive = (): void => {
        clearTimeout(silent);
        silent = setTimeout(() => connection.close(1011, 'NET-0001'), silentAfterMs);
        silent.unref();
      };
      const results = (words: UtteranceSaid['words'], final: boolean, extra: object = {}): object => ({
        type: 'Results',
        channel_index: [0, 1],
        start: fromMs / 1_000,
        duration: (utterances.soundMs - fromMs) / 1_000,
        is_final: final,
        speech_final: final,
        ...extra,
        channel: {
          alternatives: [
            {
              transcript: textOf(words),
              confidence: words.length === 0 ? 0 : 0.98,
              words: words.map(({ text, startMs, endMs }) => ({
                word: text,
                start: startMs / 1_000,
                end: endMs / 1_000,
                confidence: 0.98,
              })),
            },
          ],
        },
        metadata: { request_id: 'in-test' },
      });
      const tell = (said: readonly UtteranceSaid[], extra: object = {}): void => {
        for (const { words, final } of said) {
          if (!final) connection.sayPart(results(words, false));
          else {
            connection.sayFinal(results(words, true, extra));
            fromMs = utterances.soundMs;
          }
        }
      };
      return {
        opened: alive,
        text(message) {
          const { type } = JSON.parse(message) as { type: string };
          if (type === 'KeepAlive') alive();
          if (type === 'Finalize') tell(utterances.flush(), { from_finalize: true });
          if (type !== 'CloseStream') return;
          clearTimeout(silent);
          tell(utterances.flush());
          // as late as the finals before it
          connection.sayFinal({
            type: 'Metadata',
            request_id: 'in-test',
            duration: utterances.soundMs / 1_000,
            channels: 1,
          });
          setTimeout(() => connection.close(1000), (connection.faults.finalAfterMs ?? 0) + 20).unref();
        },
        binary(bytes) {
          alive();
          tell(utterances.push(toSamples(bytes)));
          const { quietMs } = utterances;
          if (quietMs - fromMs >= quietStepMs) {
            connection.sayFinal(results([], true, { duration: (quietMs - fromMs) / 1_000 }));
            fromMs = quietMs;
          }
          connection.took(bytes.byteLength / (rate / 500));
        },
      };
    },
    { key: { header: 'authorization', value: `Token ${deepgramKey}` } },
  );
}
