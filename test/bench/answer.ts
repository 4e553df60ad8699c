/** Answer → 200 OK on the wire → first sound, for a call that comes in from a plain SIP phone. */
import { type Row, toRow } from './measurement.ts';
import { type IceCase, runSipBench, subjectNames } from './sip-bench.ts';

const iceCases: readonly IceCase[] = ['no STUN', 'dead STUN', 'coturn'];

/** Two rows per case and subject; the ratio is against Patchcord in the same case and span. */
export async function run(rounds: number): Promise<readonly Row[]> {
  const results = await runSipBench({
    iceCases,
    rounds: () => rounds,
    async act(page, farPhone, extension) {
      await page.answerNext();
      await farPhone.dial(extension);
    },
    done: (marks) => !Number.isNaN(marks.ok) && !Number.isNaN(marks.sound),
  });
  const spans = [
    ['answer → 200 OK', 'ok'],
    ['answer → first sound', 'sound'],
  ] as const;
  return iceCases.flatMap((iceCase) =>
    spans.flatMap(([span, mark]) => {
      const samples = (subject: string): number[] =>
        results.filter((r) => r.subject === subject && r.iceCase === iceCase).map((r) => r.marks[mark] - r.marks.start);
      return subjectNames.map((subject) =>
        toRow(
          { bench: 'answer', case: `${span}, ${iceCase}`, subject, unit: 'ms', samples: samples(subject) },
          { name: 'Patchcord', samples: samples('Patchcord') },
        ),
      );
    }),
  );
}
