/**
 * Brings the app's calling settings at HubSpot to what Patchcord needs: reads them, makes or changes what differs, reads them again, and says what
 * was different and which traps are left. Running it again changes nothing.
 */
import { type HubSpotApi, HubSpotFailure, isObject, said } from './api.ts';
import {
  type ApiVersion,
  type CallingSettings,
  type Difference,
  differences,
  inWords,
  settingsPath,
} from './settings.ts';
import { type Trap, trapsOf } from './traps.ts';
import { ownProperties, type PropertyState } from './unique-property.ts';

export interface ConfigureOptions {
  readonly root: string;
  readonly developer: HubSpotApi;
  /** The account's own token, where the properties are to be looked after. */
  readonly portal: HubSpotApi | undefined;
  readonly appId: string;
  readonly version: ApiVersion;
  readonly wanted: CallingSettings;
  /** Null: recordings are left alone. */
  readonly recordingUrl: string | null;
  /** Null: the help desk's channel is left alone. */
  readonly channelUrl: string | null;
  readonly dryRun: boolean;
  readonly fetcher: typeof fetch;
}

export interface Part {
  readonly what: string;
  readonly action: 'created' | 'changed' | 'unchanged' | 'would be created' | 'would be changed';
  readonly differences: readonly Difference[];
}

export interface Configured {
  readonly appId: string;
  readonly apiVersion: ApiVersion;
  readonly dryRun: boolean;
  readonly parts: readonly Part[];
  readonly properties: readonly PropertyState[];
  readonly traps: readonly Trap[];
}

/** @throws HubSpotFailure */
export async function configure(options: ConfigureOptions): Promise<Configured> {
  const { developer, appId, version, dryRun, recordingUrl, channelUrl } = options;
  const path = (part = ''): string => settingsPath(version, appId, part);
  const main = await bring(developer, path(), 'calling settings', options.wanted, dryRun);
  const parts: Part[] = [main.part];
  // HubSpot keeps recordings and the channel beside the settings: without those there is nothing to keep them beside.
  if (recordingUrl !== null) {
    const wanted = { urlToRetrieveAuthedRecording: recordingUrl };
    parts.push((await bring(developer, path('/recording'), 'recordings', wanted, dryRun)).part);
  }
  if (channelUrl !== null) {
    const wanted = { url: channelUrl, isReady: true };
    parts.push((await bring(developer, path('/channel-connection'), 'channel of the help desk', wanted, dryRun)).part);
  }
  const properties = options.portal === undefined ? [] : await ownProperties(options.portal, dryRun);
  const traps = await trapsOf({
    root: options.root,
    panelUrl: options.wanted.url,
    settings: main.settings,
    fetcher: options.fetcher,
  });
  return { appId, apiVersion: version, dryRun, parts, properties, traps };
}

/** GET, then POST where there is nothing, else PATCH of what differs; and once more GET, for what is said is not what is kept. */
async function bring(
  api: HubSpotApi,
  path: string,
  what: string,
  wanted: object,
  dryRun: boolean,
): Promise<{ readonly part: Part; readonly settings: Readonly<Record<string, unknown>> }> {
  const found = await api.request('GET', path);
  if (found.status >= 400 && found.status !== 404) throw refused(what, 'read', said(found), found.status);
  const isThere = found.status !== 404;
  const before = isThere && isObject(found.body) ? found.body : {};
  const changes = differences(wanted, before);
  const done = (action: Part['action'], settings: object) => ({
    part: { what, action, differences: changes },
    settings: { ...settings },
  });
  if (changes.length === 0) return done('unchanged', before);
  if (dryRun) return done(isThere ? 'would be changed' : 'would be created', { ...before, ...wanted });
  const made = isThere ? null : await api.request('POST', path, wanted);
  // Somebody made them between our two requests, or HubSpot shows them to nobody yet: then they are changed.
  const exists = made !== null && /ALREADY_EXISTS/.test(said(made));
  const answer =
    made === null || exists
      ? await api.request('PATCH', path, Object.fromEntries(changes.map(({ name, after }) => [name, after])))
      : made;
  if (answer.status >= 400) throw refused(what, isThere ? 'change' : 'create', said(answer), answer.status);
  const after = await api.request('GET', path);
  const left = differences(wanted, after.body);
  if (left.length > 0)
    throw new HubSpotFailure(
      `HubSpot took the ${what} and shows something else: ${left.map((one) => inWords({ ...one, after: one.before, before: one.after })).join('; ')}. Run this again in a minute; if it stays, try another --api-version.`,
    );
  return done(made === null || exists ? 'changed' : 'created', isObject(after.body) ? after.body : {});
}

function refused(what: string, doing: string, words: string, status: number): HubSpotFailure {
  const advice =
    status === 403
      ? 'The key or token must be of the developer account that owns the app, with developers-read and developers-write.'
      : status === 404
        ? 'Check --app-id: it stands in the app’s page in your developer account.'
        : 'Another --api-version (v3, 2026-03, 2026-09) or the other kind of --auth may be what this app takes.';
  return new HubSpotFailure(
    `HubSpot does not let the ${what} be ${doing === 'read' ? 'read' : `${doing}d`}: ${words}. ${advice}`,
    status,
  );
}

/** For a person. */
export function report({ appId, apiVersion, dryRun, parts, properties, traps }: Configured): readonly string[] {
  const mark = { good: '✔', bad: '✘', look: '·' } as const;
  return [
    `App ${appId}, API ${apiVersion}${dryRun ? ', tried only: nothing was changed' : ''}`,
    ...parts.flatMap(({ what, action, differences: changes }) => [
      `${action === 'unchanged' ? '✔' : '→'} ${what}: ${action}`,
      ...changes.map((change) => `    ${inWords(change)}`),
    ]),
    ...properties.map(({ name, state }) => `${state === 'there' ? '✔' : '→'} property ${name} of calls: ${state}`),
    ...(properties.length === 0
      ? ['· properties of calls: not looked at (give the account’s token: HUBSPOT_PORTAL_TOKEN or --portal-token-file)']
      : []),
    '',
    'Known traps',
    ...traps.map(({ verdict, text }) => `${mark[verdict]} ${text}`),
  ];
}
