/**
 * What happens in one sequence: acts of an agent and of far sides, and faults between them. Owns the choice, which the seed and the index decide
 * alone, so that a sequence can be repeated without those before it. Must know no page and no server.
 */
import { seeded } from '../faults/office.ts';

/** What somebody does. One that does not fit the moment (nothing to hold, nobody to transfer to) is left out when its turn comes. */
export type Act =
  | 'dial'
  | 'ring'
  | 'answer'
  | 'decline'
  | 'caller-gives-up'
  | 'hold'
  | 'resume'
  | 'mute'
  | 'unmute'
  | 'note'
  | 'swap'
  | 'merge'
  | 'transfer'
  /** Asks somebody first, joins the two, or goes back to the first. */
  | 'consult'
  | 'complete'
  | 'back'
  | 'hang-up'
  | 'far-hangs-up';

export type Fault =
  /** The page is loaded anew. */
  | 'reload'
  /** The renderer of the panel is killed; the agent loads the page anew. */
  | 'kill'
  /** Another tab with the phone is opened, and this one closed. */
  | 'other-tab'
  /** The renderer of the panel is killed while another tab with the phone is open; the agent goes on there. */
  | 'kill-beside-tab'
  /** The agent says "use the phone here" in another browser, and closes this one's page. */
  | 'other-device'
  /** Every WebSocket of the phone system is cut. */
  | 'socket'
  /** The same, and nobody gets in for a moment: a server that is started anew, or another that takes its place. */
  | 'server'
  /** The computer has no network for a moment. */
  | 'network'
  | 'relay';

export type Step =
  | { readonly do: Act /** Goes on at once: what comes next meets it half done. */; readonly hurry: boolean }
  | { readonly fault: Fault; readonly hurry: boolean };

export interface Plan {
  readonly index: number;
  readonly steps: readonly Step[];
}

const faults: readonly Fault[] = [
  ...(['reload', 'reload', 'reload', 'kill', 'kill', 'other-tab', 'kill-beside-tab', 'other-device'] as const),
  ...(['socket', 'socket', 'server', 'network', 'relay'] as const),
];
const acts: readonly Act[] = [
  ...(['hold', 'resume', 'mute', 'unmute', 'note', 'note', 'swap', 'merge'] as const),
  ...([
    'transfer',
    'consult',
    'consult',
    'complete',
    'complete',
    'back',
    'hang-up',
    'far-hangs-up',
    'dial',
    'ring',
    'answer',
    'answer',
    'decline',
    'caller-gives-up',
  ] as const),
];

/** The sequence with this index in the run of this seed. */
export function planOf(seed: number, index: number): Plan {
  const random = seeded(seed * 1_000_003 + index);
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const steps: Step[] = [];
  const act = (name: Act, hurry: number): void => void steps.push({ do: name, hurry: random() < hurry });
  const fault = (): void => void steps.push({ fault: one(faults), hurry: random() < 0.15 });
  if (random() < 0.55) act('dial', 0.25);
  else {
    act('ring', 0.2);
    if (random() < 0.3) fault();
    act('answer', 0.25);
  }
  const rounds = 1 + Math.floor(random() * 3);
  for (let round = 0; round < rounds; round += 1) {
    if (random() < 0.7) act(one(acts), 0.35);
    fault();
  }
  if (random() < 0.5) act(one(acts), 0.2);
  return { index, steps };
}

/** A step in a word, as it is printed. */
export const stepWord = (step: Step): string =>
  `${'do' in step ? step.do : step.fault.toUpperCase()}${step.hurry ? '!' : ''}`;
