/** Long random lives of up to four calls, replacements included: the rules that hold for two calls hold there too. */
import type { CallId } from '@patchcord/call-protocol';
import { emptyPhone, type Input, recordingSteps, transition } from '@patchcord/phone-engine';
import { deepFreeze } from '@patchcord/phone-engine/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { callInputs, checkRecording, checkStep, lineInputs, recordingInputs, takeUpOf } from './machine-rules.ts';

const ids = ['a', 'b', 'c', 'd'] as CallId[];
const anything: readonly Input[] = [
  ...lineInputs,
  ...ids.flatMap((call, n) => [...callInputs(call, ids[(n + 1) % ids.length] ?? call), ...recordingInputs(call)]),
];
const ready = [
  { type: 'line.connect', at: 1 },
  { type: 'sip.registered', server: 's', at: 1 },
] as const;

/** What ends calls or the line: rare in a random life, or nothing else would ever happen. */
const final = /^(sip\.ended|sip\.stopped|timer\.|call\.(hang-up|decline|submit)|line\.|sip\.(lost|rejected))/;
const choice = fc.record({
  n: fc.nat(),
  rude: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.constant(true)),
});

it('keeps every rule through random lives', () => {
  let bothUp = 0;
  let takenUp = 0;
  fc.assert(
    fc.property(fc.array(choice, { minLength: 20, maxLength: 120 }), (choices) => {
      let state = emptyPhone;
      const ended = new Map<string, number>();
      const started = new Map<string, number>();
      const take = (input: Input): void => {
        const step = transition(state, input, recordingSteps);
        expect(checkStep(state, input, step) ?? checkRecording(state, input, step)).toBeNull();
        for (const effect of step.effects) {
          if (effect.type !== 'emit' || effect.event.call === undefined) continue;
          const { name, call } = effect.event;
          const counted = name === 'call.started' ? started : name === 'call.ended' ? ended : null;
          counted?.set(call, (counted.get(call) ?? 0) + 1);
        }
        state = deepFreeze(step.state);
        if (state.calls.filter((it) => it.phase === 'active').length > 1) bothUp++;
      };
      for (const input of ready) take(input);
      for (const { n, rude } of choices) {
        // Now and then the owner goes, and the next one takes up what has a dialog.
        if (n % 37 === 0) {
          const { calls } = state;
          state = emptyPhone;
          for (const input of ready) take(input);
          // What was never in the state of this owner has ended or not begun: nothing is counted twice.
          take(
            takeUpOf(
              calls,
              calls.filter((_, index) => (n >> index) % 3 !== 0).map(({ id }) => id),
            ),
          );
          if (state.calls.some(({ recovering }) => recovering)) takenUp++;
          continue;
        }
        if (rude) {
          // Anything at all, most of it out of place.
          take(anything[n % anything.length] ?? ready[0]);
          continue;
        }
        const fitting = anything.filter((it) => !final.test(it.type) && transition(state, it).state !== state);
        take(fitting[n % fitting.length] ?? ready[1]);
      }
      // Over a whole life: as many ends as starts, but for the calls that are still there.
      for (const id of ids) {
        const open = state.calls.some((it) => it.id === id && it.phase !== 'ended') ? 1 : 0;
        expect((started.get(id) ?? 0) - (ended.get(id) ?? 0)).toBe(open);
      }
    }),
    // So many that two calls are up together often enough, whatever the lives are by chance.
    { numRuns: 2_500 },
  );
  // The lives went somewhere.
  expect(bothUp).toBeGreaterThan(200);
  expect(takenUp).toBeGreaterThan(200);
}, 120_000);
