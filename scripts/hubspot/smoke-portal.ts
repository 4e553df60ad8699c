/**
 * What only a real account can answer, one question each: asked with the account's token, answered in HubSpot's own words. Reading only; what
 * writes stands in smoke-writes.ts. Never shows a number, a name or a token.
 */
import { type HubSpotApi, isObject, listOf, said, textOf } from './api.ts';
import { apiVersions, settingsPath } from './settings.ts';

export interface Finding {
  readonly question: string;
  readonly verdict: 'good' | 'bad' | 'open';
  readonly seen: string;
  /** The open question of the HubSpot contract that this settles, wholly or in part. */
  readonly settles?: string;
}

/** What the relay asks for, and what only makes something better. */
const neededScopes = [
  'oauth',
  'crm.objects.contacts.read',
  'crm.objects.contacts.write',
  'crm.objects.companies.read',
  'crm.objects.owners.read',
];
const betterScopes: Readonly<Record<string, string>> = {
  'crm.schemas.contacts.write': 'the relay makes its properties itself',
  'crm.objects.deals.read': 'deals are offered for a call',
  tickets: 'tickets are offered for a call',
  'crm.extensions_calling_transcripts.write': 'transcripts go into HubSpot',
};

export async function scopesAreGranted(portal: HubSpotApi, token: string): Promise<Finding> {
  const question = 'The token has the scopes of the app';
  // The token is its own key here: the newer introspection wants the app's secret, which no administrator should have to give.
  const answer = await portal.request('GET', `/oauth/v1/access-tokens/${encodeURIComponent(token)}`);
  const scopes = isObject(answer.body) && Array.isArray(answer.body.scopes) ? answer.body.scopes.map(String) : null;
  if (answer.status >= 400 || scopes === null)
    return {
      question,
      verdict: 'open',
      seen: `HubSpot does not tell of this token (${answer.status}). The next answers show it.`,
    };
  const missing = neededScopes.filter((scope) => !scopes.includes(scope));
  const without = Object.entries(betterScopes).filter(([scope]) => !scopes.includes(scope));
  return {
    question,
    verdict: missing.length === 0 ? 'good' : 'bad',
    seen: [
      missing.length === 0
        ? 'all that are needed'
        : `missing: ${missing.join(', ')}. Add them to the app and connect again`,
      ...without.map(([scope, good]) => `with ${scope} ${good}`),
    ].join('; '),
  };
}

export async function settingsWay(developer: HubSpotApi, appId: string, kind: string): Promise<Finding> {
  const seen: string[] = [];
  let taken = 0;
  for (const version of apiVersions) {
    const answer = await developer.request('GET', settingsPath(version, appId)).catch((error: unknown) => error);
    const status = isObject(answer) && typeof answer.status === 'number' ? answer.status : 0;
    if (status > 0 && status < 300) taken += 1;
    seen.push(`${version}: ${status === 0 ? 'no answer' : status}`);
  }
  return {
    question: `Which versions of the calling settings take ${kind === 'hapikey' ? 'a developer API key' : 'a developer token'}`,
    verdict: taken > 0 ? 'good' : 'bad',
    seen: seen.join(' · '),
    settles: '4: which sign-in the settings of a 2026 app take',
  };
}

export async function appIsReady(developer: HubSpotApi, path: string): Promise<Finding> {
  const question = 'The app is offered as a provider, and for incoming calls';
  const answer = await developer.request('GET', path);
  const settings = isObject(answer.body) ? answer.body : {};
  if (answer.status >= 400)
    return { question, verdict: 'bad', seen: `${said(answer)}. Run: npm run hubspot -- configure` };
  const isGood = settings.isReady === true && settings.supportsInboundCalling === true;
  return {
    question,
    verdict: isGood ? 'good' : 'bad',
    seen: `isReady ${settings.isReady}, supportsInboundCalling ${settings.supportsInboundCalling}${isGood ? '' : '. Run: npm run hubspot -- configure'}`,
  };
}

export async function providersOfUsers(portal: HubSpotApi, appId: string | undefined): Promise<Finding> {
  const question = 'Users have chosen Patchcord as their provider';
  const answer = await portal.request('GET', '/crm/extensions/calling/v3/connection-statuses');
  if (answer.status >= 400) return { question, verdict: 'open', seen: said(answer) };
  const users = listOf(answer.body);
  const provider = (one: Record<string, unknown>): Record<string, unknown> =>
    isObject(one.provider) ? one.provider : {};
  const ours = users.filter((one) => appId !== undefined && String(provider(one).appId) === appId);
  const others = users.filter((one) => one.connected === true && !ours.includes(one));
  return {
    question,
    verdict: ours.length > 0 ? 'good' : 'open',
    seen: `${users.length} users: ${ours.length} with this app, ${others.length} with another provider, ${users.length - ours.length - others.length} with none${ours.length > 0 ? '' : '. They choose it under Settings > General > Calling'}`,
  };
}

export async function callProperties(portal: HubSpotApi): Promise<Finding> {
  const question = 'Calls have our properties, and the outcomes are the options of hs_call_disposition';
  const answer = await portal.request('GET', '/crm/v3/properties/calls');
  if (answer.status >= 400) return { question, verdict: 'bad', seen: said(answer) };
  const named = (name: string) => listOf(answer.body).find((one) => one.name === name);
  const key = named('patchcord_call_id');
  const options = listOf(named('hs_call_disposition'), 'options').map((one) => textOf(one.value));
  const legacy = await portal.request('GET', '/calling/v1/dispositions');
  const older = Array.isArray(legacy.body)
    ? legacy.body
        .filter(isObject)
        .filter((one) => one.deleted !== true)
        .map((one) => textOf(one.id))
    : null;
  const same = older !== null && older.length === options.length && older.every((id) => options.includes(id));
  const missed = listOf(named('hs_call_status'), 'options').some((one) => one.value === 'MISSED');
  const keyWords =
    key === undefined
      ? 'patchcord_call_id is not there yet (configure or the first log makes it)'
      : `patchcord_call_id ${key.hasUniqueValue === true ? 'keeps calls apart' : 'DOES NOT keep calls apart: delete it'}`;
  return {
    question,
    verdict: key === undefined ? 'open' : key.hasUniqueValue === true ? 'good' : 'bad',
    seen: `${keyWords}; group ${textOf(named('hs_call_title')?.groupName) || '?'}; ${options.length} outcomes, ${older === null ? `older list: ${said(legacy)}` : same ? 'the same as in the older list' : 'NOT the same as in the older list'}; hs_call_status ${missed ? 'has' : 'has no'} MISSED`,
    settles: '2.1: that the options are the outcomes; that MISSED is a status',
  };
}

export async function ownersHaveUsers(portal: HubSpotApi): Promise<Finding> {
  const question = 'Owners name their users';
  const answer = await portal.request('GET', '/crm/v3/owners?limit=100');
  if (answer.status >= 400) return { question, verdict: 'bad', seen: said(answer) };
  const owners = listOf(answer.body);
  const withUser = owners.filter((one) => one.userId !== undefined && one.userId !== null);
  const [first] = withUser;
  const byUser =
    first === undefined ? null : await portal.request('GET', `/crm/v3/owners/${first.userId}?idProperty=userId`);
  const isGood = byUser !== null && byUser.status === 200 && isObject(byUser.body) && byUser.body.id === first?.id;
  return {
    question,
    verdict: isGood ? 'good' : 'bad',
    seen: `${withUser.length} of ${owners.length} owners have a user id; by user id: ${byUser === null ? 'not tried' : byUser.status}`,
  };
}

/** The five conditions of our search, each alone: a number that nobody has. */
const nobody = '+12025550143';
const conditions: readonly (readonly [name: string, operator: string, value: object])[] = [
  ['hs_searchable_calculated_phone_number', 'EQ', { value: nobody.slice(2) }],
  ['hs_searchable_calculated_mobile_number', 'EQ', { value: nobody.slice(2) }],
  ['hs_searchable_calculated_international_phone_number', 'EQ', { value: nobody }],
  ['hs_searchable_calculated_international_mobile_number', 'EQ', { value: nobody }],
  ['phone', 'IN', { values: [nobody, nobody.slice(2)] }],
];

export async function searchIsTaken(portal: HubSpotApi, pause: (ms: number) => Promise<void>): Promise<Finding> {
  const question = 'The search for a caller is taken, condition by condition';
  const refused: string[] = [];
  let limits = 'no limits';
  for (const [propertyName, operator, value] of conditions) {
    const answer = await portal.request('POST', '/crm/v3/objects/contacts/search', {
      filterGroups: [{ filters: [{ propertyName, operator, ...value }] }],
      properties: ['phone', 'notes_last_contacted'],
      sorts: [],
      limit: 1,
      after: '0',
    });
    if (answer.status >= 400) refused.push(`${propertyName} ${operator} (${said(answer)})`);
    if (answer.headers.has('x-hubspot-ratelimit-max')) limits = 'limits';
    await pause(300);
  }
  return {
    question,
    verdict: refused.length === 0 ? 'good' : refused.length === conditions.length ? 'bad' : 'open',
    seen: `${refused.length === 0 ? 'all five are taken' : `refused: ${refused.join(', ')}`}; answers to searches tell ${limits}`,
    settles: '2.4: which calculated properties can be searched',
  };
}

export async function numbersAreCalculated(portal: HubSpotApi): Promise<Finding> {
  const question = 'How HubSpot writes the numbers that it calculates';
  const names = [
    'phone',
    'hs_searchable_calculated_phone_number',
    'hs_searchable_calculated_international_phone_number',
    'hs_calculated_phone_number',
  ];
  const answer = await portal.request('GET', `/crm/v3/objects/contacts?limit=50&properties=${names.join(',')}`);
  if (answer.status >= 400) return { question, verdict: 'open', seen: said(answer) };
  const rows = listOf(answer.body)
    .map((one) => (isObject(one.properties) ? one.properties : {}))
    .filter((one) => textOf(one.phone) !== '');
  if (rows.length === 0) return { question, verdict: 'open', seen: 'no contact among the first 50 has a number' };
  /** Shapes, never numbers: every digit is a 9. */
  const shapes = (name: string): string =>
    [...new Set(rows.map((one) => textOf(one[name]).replaceAll(/\d/g, '9') || '(none)'))].slice(0, 4).join(' | ');
  return {
    question,
    verdict: 'good',
    seen: names.map((name) => `${name}: ${shapes(name)}`).join('; '),
    settles: '2.4: national and international forms',
  };
}

export async function limitsAreTold(portal: HubSpotApi): Promise<Finding> {
  const question = 'What the account grants';
  const answer = await portal.request('GET', '/crm/v3/objects/contacts?limit=1');
  const told = ['Max', 'Interval-Milliseconds', 'Daily'].map((name) => {
    const value = answer.headers.get(`x-hubspot-ratelimit-${name.toLowerCase()}`);
    return `${name} ${value ?? 'not told'}`;
  });
  return {
    question,
    verdict: answer.status < 400 ? 'good' : 'bad',
    seen: answer.status < 400 ? told.join(', ') : said(answer),
  };
}
