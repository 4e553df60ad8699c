/**
 * Owns the dialling of a feature code: a call without microphone and without sound, which hangs up by itself. Must never show as a call.
 */
import { newCallId } from '@patchcord/call-protocol';
import type { URI } from 'sip.js/lib/grammar/uri.js';
import type { ActingSurroundings } from './call-acts.ts';
import { GatedSound } from './gated-sound.ts';
import { OutboundCall } from './outbound-call.ts';

/** How long the phone system may let it ring. */
const answerMs = 20_000;
/** After the answer most systems hang up by themselves, once they have said "saved". */
const listenMs = 3_000;

/** Dials the code; tells `sip.code-done` or `sip.code-refused` once. @returns the call, which the line has to know */
export function dialFeatureCode(code: string, target: URI, around: ActingSurroundings): OutboundCall {
  const { clock } = around;
  let answered = false;
  let silent = false;
  const call = new OutboundCall(
    newCallId(),
    target,
    {
      ...around,
      sound: new GatedSound(around.sound),
      signal: (signal) => {
        if (signal.type === 'sip.answered') {
          answered = true;
          clock.clearTimeout(timer);
          timer = clock.setTimeout(() => call.hangUp(), listenMs);
        } else if (signal.type === 'sip.ended') {
          clock.clearTimeout(timer);
          around.signal(
            answered
              ? { type: 'sip.code-done', code }
              : { type: 'sip.code-refused', code, reason: silent ? silence : refusalWords(signal.code, signal.reason) },
          );
        }
      },
    },
    { withoutMicrophone: true },
  );
  let timer = clock.setTimeout(() => {
    silent = true;
    call.hangUp();
  }, answerMs);
  return call;
}

const silence = 'The phone system did not answer.';

function refusalWords(code: number, reason: string): string {
  if (code === 404 || code === 484 || code === 604) return 'The phone system does not know this code.';
  if (code === 403 || code === 401 || code === 407) return 'The phone system does not allow this code from this phone.';
  if (code === 486 || code === 600) return 'The phone system is busy; try again in a moment.';
  if (code === 408 || code === 480) return silence;
  if (code === 0) return reason || 'The line was lost.';
  return `The phone system refused the code (${code}${reason === '' ? '' : ` ${reason.slice(0, 80)}`}).`;
}
