/**
 * Owns the people of the demo: who is in both CRMs, how their numbers were typed, and the agents who call them.
 * Everybody is fictional and every number is from a range reserved for fiction. Must never hold a real number.
 */

/** How a number was typed into the CRM, and what it means in E.164. Kept side by side because CRMs keep what was typed. */
export interface DemoNumber {
  readonly kind: 'work' | 'mobile';
  readonly typed: string;
  readonly e164: string;
}

export interface DemoPerson {
  readonly key: string;
  readonly kind: 'contact' | 'lead';
  readonly firstName: string;
  readonly lastName: string;
  readonly title: string;
  readonly company: string;
  readonly companyPhone?: DemoNumber;
  readonly email: string;
  /** ISO 3166-1 alpha-2. */
  readonly country: 'US' | 'GB' | 'DE';
  readonly city: string;
  readonly numbers: readonly [DemoNumber, ...DemoNumber[]];
  /** Has asked not to be called. */
  readonly doNotCall?: boolean;
  /** What answers when this number is called through the sandbox switch. */
  readonly answers?: string;
}

/** An agent: the same person in every CRM, so that one sign-in story fits all pages. */
export interface DemoAgent {
  readonly key: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly email: string;
  /** The numeric user and owner ids used on the HubSpot side. */
  readonly hubspotUserId: number;
  readonly hubspotOwnerId: string;
}

export const demoPeople: readonly DemoPerson[] = [
  {
    key: 'elena',
    kind: 'contact',
    firstName: 'Elena',
    lastName: 'Marchetti',
    title: 'Head of purchasing',
    company: 'Northlight Cameras',
    companyPhone: { kind: 'work', typed: '(415) 555-0150', e164: '+14155550150' },
    email: 'elena.marchetti@northlight.example',
    country: 'US',
    city: 'San Francisco',
    numbers: [{ kind: 'work', typed: '(415) 555-0101', e164: '+14155550101' }],
    answers: 'an echo',
  },
  {
    key: 'theo',
    kind: 'contact',
    firstName: 'Theo',
    lastName: 'Okafor',
    title: 'Dispatch manager',
    company: 'Harbor & Pine Freight',
    companyPhone: { kind: 'work', typed: '+1 415 555 0151', e164: '+14155550151' },
    email: 'theo.okafor@harborpine.example',
    country: 'US',
    city: 'Oakland',
    numbers: [{ kind: 'work', typed: '+1 415-555-0102', e164: '+14155550102' }],
    answers: 'an announcement with keys to press',
  },
  {
    key: 'mina',
    kind: 'contact',
    firstName: 'Mina',
    lastName: 'Sato',
    title: 'Practice owner',
    company: 'Juniper Dental',
    email: 'mina.sato@juniperdental.example',
    country: 'US',
    city: 'Berkeley',
    numbers: [{ kind: 'mobile', typed: '415.555.0103', e164: '+14155550103' }],
    answers: 'a person',
  },
  {
    key: 'oliver',
    kind: 'contact',
    firstName: 'Oliver',
    lastName: 'Whitcombe',
    title: 'Bookseller',
    company: 'Thames Row Books',
    companyPhone: { kind: 'work', typed: '020 7946 0900', e164: '+442079460900' },
    email: 'oliver@thamesrow.example',
    country: 'GB',
    city: 'London',
    numbers: [{ kind: 'work', typed: '020 7946 0958', e164: '+442079460958' }],
    answers: 'a second person',
  },
  {
    key: 'priya',
    kind: 'contact',
    firstName: 'Priya',
    lastName: 'Raman',
    title: 'Clinic lead',
    company: 'Cedar Street Clinic',
    email: 'priya.raman@cedarclinic.example',
    country: 'US',
    city: 'San Francisco',
    numbers: [
      { kind: 'work', typed: '(415) 555-0123', e164: '+14155550123' },
      { kind: 'mobile', typed: '+1 (415) 555 0104', e164: '+14155550104' },
    ],
    answers: 'busy on the mobile',
  },
  {
    key: 'luis',
    kind: 'contact',
    firstName: 'Luis',
    lastName: 'Ortega',
    title: 'Front desk',
    company: 'Cedar Street Clinic',
    email: 'luis.ortega@cedarclinic.example',
    country: 'US',
    city: 'San Francisco',
    numbers: [
      { kind: 'work', typed: '415-555-0123', e164: '+14155550123' },
      { kind: 'mobile', typed: '1-415-555-0105', e164: '+14155550105' },
    ],
    answers: 'nobody on the mobile',
  },
  {
    key: 'jonas',
    kind: 'lead',
    firstName: 'Jonas',
    lastName: 'Weber',
    title: 'Managing director',
    company: 'Kranich Werkzeuge GmbH',
    email: 'j.weber@kranich.example',
    country: 'DE',
    city: 'Berlin',
    numbers: [{ kind: 'work', typed: '+49 30 23125 007', e164: '+493023125007' }],
    doNotCall: true,
  },
];

export const demoAgents: readonly [DemoAgent, ...DemoAgent[]] = [
  {
    key: 'robin',
    firstName: 'Robin',
    lastName: 'Avery',
    email: 'robin@patchcord.example',
    hubspotUserId: 4201,
    hubspotOwnerId: '7701',
  },
  {
    key: 'sam',
    firstName: 'Sam',
    lastName: 'Castellan',
    email: 'sam@patchcord.example',
    hubspotUserId: 4202,
    hubspotOwnerId: '7702',
  },
];

/** Somebody of the agents' own house: an extension, and no record in a CRM. */
export interface DemoColleague {
  readonly extension: string;
  readonly firstName: string;
  readonly lastName: string;
}

/** Their phones ring and talk by themselves in the demo, so that there is somebody to watch and to pick up from. */
export const demoColleagues: readonly DemoColleague[] = [
  { extension: '2001', firstName: 'Dana', lastName: 'Holt' },
  { extension: '2002', firstName: 'Ravi', lastName: 'Menon' },
  { extension: '2003', firstName: 'Lena', lastName: 'Brandt' },
  { extension: '2004', firstName: 'Marcus', lastName: 'Bell' },
];

/** "Call me": who should seem to call, and which agent's line should ring. Numbers in E.164; a withheld caller is `anonymous`. */
export interface CallMeRequest {
  readonly from: string;
  readonly name?: string;
  /** The agent's e-mail address: the one identity all demo pages share. */
  readonly agent: string;
  readonly kind?: 'contact' | 'unknown' | 'withheld';
}

export type CallMe = (request: CallMeRequest) => Promise<void>;

/** A number nobody in the demo has. */
export const unknownCaller = '+14155550187';
