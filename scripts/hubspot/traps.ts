/**
 * What makes a HubSpot set-up fail without a word (HubSpot contract, sections 1.9 and 5), each looked at where a script can look. Reads the
 * checkout's own app file and asks the panel's address; changes nothing.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { variablesIn, withVariables } from '../hubspot-extension/project.ts';
import { isObject } from './api.ts';

export interface Trap {
  readonly id: string;
  /** `look`: only a person can see it. */
  readonly verdict: 'good' | 'bad' | 'look';
  readonly text: string;
}

const appFile = join('hubspot-extension', 'src', 'app', 'app-hsmeta.json');
/** Whose values HubSpot puts into the app file at the upload. */
const profileFile = join('hubspot-extension', 'src', 'hsprofile.production.json');
const frameOrigin = 'https://app.hubspot.com';

export async function trapsOf(options: {
  readonly root: string;
  readonly panelUrl: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly fetcher: typeof fetch;
}): Promise<readonly Trap[]> {
  const { settings } = options;
  const flag = (id: string, isGood: boolean, text: string): Trap => ({ id, verdict: isGood ? 'good' : 'bad', text });
  return [
    flag('ready', settings.isReady === true, 'isReady: only a ready app is offered as a calling provider.'),
    flag(
      'inbound',
      settings.supportsInboundCalling === true,
      'supportsInboundCalling: without it HubSpot ignores incoming calls and says nothing.',
    ),
    flag(
      'window',
      settings.usesCallingWindow === true && settings.usesRemote === true,
      'usesCallingWindow and usesRemote: without them a navigation in HubSpot interrupts the sound of a call.',
    ),
    flag(
      'custom-objects',
      settings.supportsCustomObjects !== true,
      'supportsCustomObjects: with it the install asks for a right that ordinary users lack, and only the page may make logs.',
    ),
    ...(await ofPanel(options.panelUrl, options.fetcher)),
    ofAppFile(options.root, new URL(options.panelUrl).origin),
    {
      id: 'provider',
      verdict: 'look',
      text: 'Each user chooses the provider: HubSpot > Settings > General > Calling > "Make and receive calls through". The app cannot do it for them.',
    },
    {
      id: 'overrides',
      verdict: 'look',
      text: 'A browser that once tried a development app overrides these settings: remove LocalSettings:Calling:* from the local storage of app.hubspot.com.',
    },
    {
      id: 'seat',
      verdict: 'look',
      text: 'Transcripts need a paid Sales or Service seat for the user; some accounts need one for calling apps at all.',
    },
  ];
}

/** What the frame will meet: HubSpot does not follow a redirect into its frame, and a page that refuses to be framed stays blank. */
async function ofPanel(panelUrl: string, fetcher: typeof fetch): Promise<readonly Trap[]> {
  let response: Response;
  try {
    response = await fetcher(panelUrl, { redirect: 'manual', signal: AbortSignal.timeout(10_000) });
    await response.body?.cancel();
  } catch {
    const text = `${panelUrl} does not answer from here. It must from every agent's browser.`;
    return [{ id: 'panel', verdict: 'bad', text }];
  }
  const policy = response.headers.get('content-security-policy') ?? '';
  const framers = /frame-ancestors ([^;]*)/.exec(policy)?.[1]?.split(/\s+/) ?? [];
  const mayFrame = framers.some((one) => one === frameOrigin || /^https:\/\/(?:app[\w-]*|\*)\.hubspot\.com$/.test(one));
  const isPage = response.status === 200 && `${response.headers.get('content-type')}`.includes('text/html');
  return [
    {
      id: 'panel',
      verdict: isPage ? 'good' : 'bad',
      text: isPage
        ? `${panelUrl} answers with a page.`
        : `${panelUrl} answers ${response.status}${response.status >= 300 && response.status < 400 ? ', a redirect: HubSpot loses the phone on it' : ''}. Give the address of the page itself.`,
    },
    {
      id: 'framing',
      verdict: mayFrame ? 'good' : 'bad',
      text: mayFrame
        ? 'The page lets HubSpot frame it.'
        : `The page does not let HubSpot frame it: add ${frameOrigin} (or the origin of your region, e.g. https://app-eu1.hubspot.com) to "hostOrigins" of the relay.`,
    },
  ];
}

/** The project must name the origin as it is uploaded, or the frame stays blank and cards reach nobody. */
function ofAppFile(root: string, origin: string): Trap {
  const id = 'permitted-urls';
  const read = (file: string): unknown => JSON.parse(readFileSync(join(root, file), 'utf8'));
  const missing = 'put it there and upload the project again, or the frame stays blank.';
  try {
    const app = read(appFile);
    const usesProfile = variablesIn(app).includes('RELAY_URL');
    const profile = usesProfile ? read(profileFile) : {};
    const variables = isObject(profile) && isObject(profile.variables) ? profile.variables : {};
    const file = withVariables(app, variables);
    const config = isObject(file) && isObject(file.config) ? file.config.permittedUrls : undefined;
    const lists = isObject(config) ? [config.iframe, config.fetch] : [];
    const isListed = lists.length === 2 && lists.every((list) => Array.isArray(list) && list.includes(origin));
    if (isListed) return { id, verdict: 'good', text: `The project permits ${origin} for frames and cards.` };
    const text = usesProfile
      ? `${profileFile} names another relay than ${origin} (RELAY_URL): ${missing}`
      : `${appFile} does not list ${origin} under permittedUrls.iframe and permittedUrls.fetch: ${missing}`;
    return { id, verdict: 'bad', text };
  } catch {
    return { id, verdict: 'look', text: `${appFile} can't be read here: its permittedUrls must list ${origin}.` };
  }
}
