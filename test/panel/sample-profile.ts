/** A profile, an agent and records for tests of the panel: one small company in San Francisco with neighbours in Germany. */
import {
  type Agent,
  type AgentId,
  type CallId,
  type CallSummary,
  type Extension,
  type Features,
  type Match,
  newCallId,
  type Profile,
  type Related,
  type TenantId,
  toE164,
  type Voicemail,
} from '@patchcord/call-protocol';
import metadata from 'libphonenumber-js/min/metadata';

export const agent: Agent = {
  id: 'maria' as AgentId,
  tenant: 'northwind' as TenantId,
  name: 'Maria Santos',
  extension: '201',
};

interface Metadata {
  readonly version: number;
  readonly country_calling_codes: Readonly<Record<string, readonly string[]>>;
  readonly countries: Readonly<Record<string, unknown>>;
}

/** Metadata as the relay cuts it: whole countries, nothing else. */
export function metadataOf(...countries: readonly string[]): Record<string, unknown> {
  const all = metadata as unknown as Metadata;
  const codes = Object.entries(all.country_calling_codes)
    .map(([code, members]) => [code, members.filter((member) => countries.includes(member))] as const)
    .filter(([, members]) => members.length > 0);
  return {
    version: all.version,
    country_calling_codes: Object.fromEntries(codes),
    countries: Object.fromEntries(Object.entries(all.countries).filter(([country]) => countries.includes(country))),
    nonGeographic: {},
  };
}

/** A phone system that knows calls and nothing else. */
export const plainFeatures: Features = {
  mostCalls: 6,
  callWaiting: true,
  busyCode: 486,
  declineCode: 486,
  conference: { mostMembers: 5, room: null },
  park: null,
  pickup: { directed: null, group: null, byDialog: false },
  forwarding: null,
  doNotDisturb: 'by-phone',
  autoAnswer: 'never',
  voicemail: null,
  callerIds: [],
  watch: [],
  moveTo: [],
  followTransfers: false,
  doNotCall: 'off',
};

/** A phone system that knows everything. */
export const officeFeatures: Features = {
  ...plainFeatures,
  conference: { mostMembers: 5, room: '8{extension}' },
  park: { to: '700', slots: ['701', '702', '703'] },
  pickup: { directed: '**{extension}', group: '*8', byDialog: true },
  forwarding: 'by-phone',
  autoAnswer: 'idle',
  voicemail: { number: '*97', deposit: '*97201', watched: true, listed: true },
  callerIds: [
    { number: '+14155550100', label: 'Main number' },
    { number: '+14155550120', label: 'Support' },
  ],
  watch: [
    { extension: '202' as Extension, name: 'Noor Haddad' },
    { extension: '203' as Extension, name: 'Jonas Weber' },
    { extension: '204' as Extension, name: 'Priya Raman' },
  ],
  moveTo: [{ number: '1201', label: 'Desk phone' }],
  doNotCall: 'ask',
};

/** The same where the phone system keeps the messages to itself. */
export const mailboxFeatures: Features = {
  ...officeFeatures,
  voicemail: { number: '*97', deposit: null, watched: true, listed: false },
};

export const profile: Profile = {
  tenant: { id: agent.tenant, name: 'Northwind Traders', crm: 'salesforce' },
  agent,
  sip: {
    domain: 'sip.example.test',
    servers: ['wss://sip.example.test'],
    registerSeconds: 120,
    candidates: 'first-host',
    outboundProxy: null,
    failBackSeconds: 300,
    callerIdIn: 'p-preferred-identity',
    sessionSeconds: 1_800,
    recovery: { way: 'auto', applications: [], known: [] },
  },
  media: {
    codecs: ['opus', 'G722', 'PCMU', 'PCMA'],
    opus: { fec: true, dtx: false },
    digits: 'rfc4733',
    noiseSuppression: 'browser',
  },
  features: plainFeatures,
  iceTransportPolicy: 'all',
  numbers: { country: 'US', metadata: metadataOf('US', 'DE', 'GB') },
  dispositions: [
    { value: 'reached', label: 'Reached' },
    { value: 'voicemail', label: 'Left a message' },
    { value: 'callback', label: 'Call back' },
    { value: 'wrong', label: 'Wrong number' },
  ],
  dispositionRequired: false,
  wrapUpSeconds: 0,
  screenPop: {
    inbound: 'ring',
    outbound: 'never',
    known: { open: 'record' },
    several: { open: 'choice' },
    unknown: { open: 'nothing' },
  },
  transcription: 'off',
  recording: { mode: 'never', countries: {}, notice: 'none', resumeAfterSeconds: 120 },
  pageCommands: { dial: 'ask', answer: 'refuse', control: 'allow' },
};

export const adaNumber = toE164('+14155550101');
export const sharedNumber = toE164('+14155550102');

export const ada: Match = {
  record: { crm: 'salesforce', object: 'Contact', id: '003000000000001AAA', name: 'Ada Lindqvist' },
  number: adaNumber,
  detail: 'Head of Purchasing, Fabrikam',
  reason: 'Called you last week',
};

export const sharers: readonly Match[] = [
  {
    record: { crm: 'salesforce', object: 'Contact', id: '003000000000002AAA', name: 'Bruno Keller' },
    number: sharedNumber,
    detail: 'Logistics, Contoso',
    reason: 'You talked to him on Tuesday',
  },
  {
    record: { crm: 'salesforce', object: 'Contact', id: '003000000000003AAA', name: 'Chiara Conti' },
    number: sharedNumber,
    detail: 'Reception, Contoso',
    reason: 'Same number in Phone',
  },
  {
    record: { crm: 'salesforce', object: 'Account', id: '001000000000001AAA', name: 'Contoso Ltd' },
    number: sharedNumber,
    reason: 'Main number of the account',
  },
];

/** Open cases and opportunities of Ada. */
export const relatedToAda: readonly Related[] = [
  {
    record: { crm: 'salesforce', object: 'Case', id: '500000000000001AAA', name: '00001026 Pallets arrived wet' },
    detail: 'Working · High',
    reason: 'Open case, changed today',
  },
  {
    record: { crm: 'salesforce', object: 'Opportunity', id: '006000000000001AAA', name: 'Fabrikam, 400 pallets' },
    detail: 'Negotiation · 48 000 EUR',
    reason: 'Open opportunity of Fabrikam',
  },
];

/** Recent calls, newest first, counted back from `now`. */
export function recentCalls(now: number): readonly CallSummary[] {
  const minutes = (count: number) => now - count * 60_000;
  const call = (part: Partial<CallSummary> & Pick<CallSummary, 'startedAt'>): CallSummary => ({
    callId: newCallId() as CallId,
    direction: 'inbound',
    farSide: { number: adaNumber, e164: adaNumber },
    talkMs: 0,
    outcome: 'answered',
    record: null,
    disposition: null,
    log: 'saved',
    ...part,
  });
  return [
    call({ startedAt: minutes(4), outcome: 'missed', record: ada.record }),
    call({ startedAt: minutes(26), direction: 'outbound', talkMs: 222_000, record: ada.record }),
    call({
      startedAt: minutes(75),
      direction: 'outbound',
      outcome: 'no-answer',
      farSide: { number: '+4930901820', e164: toE164('+4930901820') },
      log: 'waiting',
    }),
    call({ startedAt: minutes(60 * 26), outcome: 'missed', farSide: { number: '' } }),
    call({
      startedAt: minutes(60 * 27),
      talkMs: 3_723_000,
      farSide: { number: sharedNumber, e164: sharedNumber },
      record: sharers[2]?.record ?? null,
      log: 'failed',
      logReason: 'The account is locked in Salesforce.',
    }),
    call({ startedAt: minutes(60 * 80), direction: 'outbound', outcome: 'cancelled', farSide: { number: '204' } }),
  ];
}

/** Messages in the mailbox, newest first, counted back from `now`: one nobody has listened to, one without a number. */
export function messagesFor(now: number): readonly Voicemail[] {
  const message = (part: Pick<Voicemail, 'at'> & Partial<Voicemail>): Voicemail => ({
    id: crypto.randomUUID(),
    from: { number: adaNumber, e164: adaNumber },
    durationMs: 1_000,
    heard: true,
    deletedAt: null,
    matches: [],
    text: null,
    ...part,
  });
  return [
    message({
      at: now - 5 * 60_000,
      durationMs: 42_000,
      heard: false,
      matches: [ada],
      text: 'Hello, this is Ada Lindqvist. Please call me about the pallets, they arrived wet again.',
    }),
    message({ at: now - 90 * 60_000, from: { number: '+4930901820', e164: toE164('+4930901820') }, noText: 'waiting' }),
    message({
      ...{ at: now - 60 * 26 * 60_000, from: { number: '' }, durationMs: 95_000 },
      noText: 'The speech-to-text service does not take the key.',
    }),
  ];
}
