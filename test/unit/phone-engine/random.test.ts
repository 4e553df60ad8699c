/** Long random lives of up to four calls, replacements included: the rules that hold for two calls hold there too. */
import type { CallId } from '@patchcord/call-protocol';
import { emptyPhone, transition } from '@patchcord/phone-engine';
import { deepFreeze } from '@patchcord/phone-engine/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { callInputs, checkStep, lineInputs } from './machine-rules.ts';

const ids = ['a', 'b', 'c', 'd'] as CallId[];
const ofCalls = ids.flatMap((call, n) => callInputs(call, ids[(n + 1) % ids.length] ?? call));
const ready = [
  { type: 'line.connect', at: 1 },
  { type: 'sip.registered', server: 's', at: 1 },
] as const;

it('keeps every rule through random lives', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          { weight: 20, arbitrary: fc.constantFrom(...ofCalls) },
          { weight: 1, arbitrary: fc.constantFrom(...lineInputs) },
        ),
        {
          maxLength: 400,
          size: 'max',
        },
      ),
      (inputs) => {
        let state = emptyPhone;
        const ended = new Map<string, number>();
        const started = new Map<string, number>();
        for (const input of [...ready, ...inputs]) {
          const step = transition(state, input);
          expect(checkStep(state, input, step)).toBeNull();
          for (const effect of step.effects) {
            if (effect.type !== 'emit' || effect.event.call === undefined) continue;
            const { name, call } = effect.event;
            const counted = name === 'call.started' ? started : name === 'call.ended' ? ended : null;
            counted?.set(call, (counted.get(call) ?? 0) + 1);
          }
          state = deepFreeze(step.state);
        }
        // Over a whole life too: as many ends as starts, but for the calls that are still there.
        for (const id of ids) {
          const open = state.calls.some((it) => it.id === id && it.phase !== 'ended') ? 1 : 0;
          expect((started.get(id) ?? 0) - (ended.get(id) ?? 0)).toBe(open);
        }
      },
    ),
    { numRuns: 400 },
  );
});
