/** Vosk's server: one answer for each message, an end that is compared as text, a rate of 8 kHz until told otherwise. */
import { createUtterances, type Decode, textOf, toSamples, type UtteranceSaid, type Utterances } from './decode.ts';
import { type SpeechService, startSocketService } from './socket-service.ts';

/** @param options.answerAfterMs How long it takes for an answer; a message that comes meanwhile was not waited for and ends the session */
export function startVosk(options: {
  readonly decode: Decode;
  readonly answerAfterMs?: number;
}): Promise<SpeechService> {
  return startSocketService((connection) => {
    let rate = 8_000;
    let utterances: Utterances | null = null;
    let isBusy = false;
    const final = ({ words }: Pick<UtteranceSaid, 'words'>): object =>
      words.length === 0
        ? { text: '' }
        : {
            result: words.map(({ text, startMs, endMs }) => ({
              word: text,
              start: startMs / 1_000,
              end: endMs / 1_000,
              conf: 1,
            })),
            text: textOf(words),
          };
    /** Made final, and not told yet: an answer has room for one. */
    let done: UtteranceSaid[] = [];
    const answer = (said: readonly UtteranceSaid[]): void => {
      isBusy = false;
      done.push(...said.filter((one) => one.final));
      const last = said.at(-1);
      const next = connection.faults.neverFinal === true ? undefined : done.shift();
      if (next !== undefined) connection.sayFinal(final(next));
      else connection.say({ partial: last === undefined || last.final ? '' : textOf(last.words) });
    };
    return {
      text(message) {
        if (message === '{"eof" : 1}') {
          done.push(...(utterances?.flush() ?? []).filter((one) => one.final));
          connection.sayFinal(final({ words: done.flatMap((one) => one.words) }));
          done = [];
          setTimeout(() => connection.close(1000), (connection.faults.finalAfterMs ?? 0) + 10).unref();
          return;
        }
        rate = (JSON.parse(message) as { config: { sample_rate: number } }).config.sample_rate;
      },
      binary(bytes) {
        if (isBusy) {
          connection.close(1011, 'not waited for');
          return;
        }
        isBusy = true;
        utterances ??= createUtterances(options.decode, rate);
        const said = utterances.push(toSamples(bytes));
        if (options.answerAfterMs === undefined) answer(said);
        else setTimeout(() => answer(said), options.answerAfterMs);
        connection.took((bytes.byteLength * 500) / rate);
      },
    };
  });
}
