/** What a call needs of its seat beside its surroundings: the door to what it does only now and then. Owns no behaviour. */
import type { sendCallDigits } from './call-digits.ts';
import type { CallSurroundings } from './call-surroundings.ts';
import type { ExtrasDoor } from './extras-door.ts';
import type { HandingOver } from './handing-over.ts';
import type { SentOn } from './sent-on.ts';

/** The part of `call-extras.ts` that a call uses by itself. */
export interface CallActs {
  readonly sendCallDigits: typeof sendCallDigits;
  readonly HandingOver: typeof HandingOver;
  readonly SentOn: typeof SentOn;
}

export interface ActingSurroundings extends CallSurroundings {
  readonly extras: ExtrasDoor<CallActs>;
}
