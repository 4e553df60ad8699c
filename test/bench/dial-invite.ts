/** Dial → INVITE on the wire, without STUN, with a dead STUN or TURN server, and with coturn. */
import { type Row, toRow } from './measurement.ts';
import { type IceCase, runSipBench, subjectNames } from './sip-bench.ts';

const iceCases: readonly IceCase[] = ['no STUN', 'dead STUN', 'dead TURN', 'coturn'];

/** Rows per case and subject; the ratio is against Patchcord without STUN. */
export async function run(rounds: number): Promise<readonly Row[]> {
  const results = await runSipBench({
    iceCases,
    // A dead server costs JsSIP 40 s a round and SimpleUser 5 s: two rounds show it.
    rounds: (subject, iceCase) =>
      subject !== 'Patchcord' && iceCase.startsWith('dead') ? Math.min(2, rounds) : rounds,
    act: (page) => page.dial('far1'),
    done: (marks) => !Number.isNaN(marks.invite),
  });
  const samples = (subject: string, iceCase: string): number[] =>
    results.filter((r) => r.subject === subject && r.iceCase === iceCase).map((r) => r.marks.invite - r.marks.start);
  const reference = { name: 'Patchcord, no STUN', samples: samples('Patchcord', 'no STUN') };
  return iceCases.flatMap((iceCase) =>
    subjectNames.map((subject) =>
      toRow(
        { bench: 'dial-invite', case: iceCase, subject, unit: 'ms', samples: samples(subject, iceCase) },
        reference,
      ),
    ),
  );
}
