/** Owns the list of Apex classes that are deployed in the emulated org; a class is one file beside this one and one line here. */
import type { ApexClass } from './apex-class.ts';
import { patchcordBoard } from './board.ts';
import { patchcordCallHistory } from './call-history.ts';
import { patchcordIdentity } from './identity.ts';
import { patchcordSetup } from './setup.ts';

export const apexClasses: readonly ApexClass[] = [
  patchcordIdentity,
  patchcordCallHistory,
  patchcordBoard,
  patchcordSetup,
];
