/** Who answers at which number in the demo: the switch's directory, fitting the people in the CRMs (`people.ts`). Owns that pairing only. */
import { demoColleagues } from './people.ts';
import type { CallerDescription } from './switch/index.ts';

export const demoCallers: readonly CallerDescription[] = [
  { number: '+14155550101', name: 'Elena Marchetti', kind: 'echo' },
  { number: '+14155550102', name: 'Theo Okafor', kind: 'announcement', toneHz: 1200 },
  { number: '+14155550103', name: 'Mina Sato', kind: 'person', toneHz: 600 },
  { number: '+442079460958', name: 'Oliver Whitcombe', kind: 'person', toneHz: 850 },
  { number: '+14155550104', name: 'Priya Raman', kind: 'busy' },
  { number: '+14155550105', name: 'Luis Ortega', kind: 'no-answer' },
  { number: '+14155550123', name: 'Cedar Street Clinic', kind: 'person', toneHz: 700 },
  { number: '+493023125007', name: 'Jonas Weber', kind: 'person', toneHz: 950 },
  ...demoColleagues.map(({ extension, firstName, lastName }, index) => ({
    number: extension,
    name: `${firstName} ${lastName}`,
    kind: 'colleague' as const,
    toneHz: 650 + 100 * index,
  })),
];
