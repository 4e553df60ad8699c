/**
 * What of an office phone the sandbox switch plays along with, in the words of a tenant's configuration: the numbers are those of
 * `switch/number-plan.ts`. Owns that pairing only.
 */
import { demoColleagues } from './people.ts';

/** Ready for `features` of a tenant. */
export const officeFeatures = {
  conference: { room: '8{extension}' },
  park: { to: '700', slots: ['701', '702', '703', '704', '705'] },
  pickup: { directed: '**{extension}', group: '*8', byDialog: true },
  forwarding: { on: '*72{number}', off: '*73' },
  doNotDisturb: { on: '*78', off: '*79' },
  autoAnswer: 'idle' as const,
  voicemail: { number: '*97', deposit: '*97{extension}', watched: true },
  callerIds: [
    { number: '+14155550100', label: 'Main number' },
    { number: '+14155550120', label: 'Support' },
  ],
  watch: demoColleagues.map(({ extension, firstName, lastName }) => ({
    extension,
    name: `${firstName} ${lastName}`,
  })),
  moveTo: [{ number: '9{extension}', label: 'Desk phone' }],
};
