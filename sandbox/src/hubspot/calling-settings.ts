/**
 * Owns the calling settings of the app as its developer sets them: size, frames, inbound, recordings and the help desk's channel, in the three
 * path styles and with both ways to sign (the HubSpot contract, section 1.9). Must never believe a token of a portal: these are the developer's.
 */
import { randomBytes } from 'node:crypto';
import { type HttpRequest, isObject } from '../http.ts';
import { Refusal } from './records.ts';
import { invalid, notAllowed, objectOf, type RestCall, type RestResult } from './rest-call.ts';

export interface CallingSettings {
  readonly name: string;
  readonly url: string;
  readonly width: number;
  readonly height: number;
  /** false: the app is not offered as a provider. */
  readonly isReady: boolean;
  readonly supportsCustomObjects: boolean;
  /** false: INCOMING_CALL is ignored without a word, and the frame is a widget. */
  readonly supportsInboundCalling: boolean;
  readonly usesCallingWindow: boolean;
  readonly usesRemote: boolean;
}

export interface CallingApp {
  readonly developer: { readonly apiKey: string; readonly token: string };
  /** null until they were created. */
  settings(): CallingSettings | null;
  /** What a test or a person sets without the API. */
  set(settings: CallingSettings | null): void;
  recordingUrl(): string | null;
  channel(): { readonly url: string; readonly isReady: boolean } | null;
  /** Whether a request is the developer's; otherwise the refusal. */
  refuses(request: HttpRequest): Refusal | null;
  /** `path` is what follows `extensions/calling`: `[appId, 'settings', …]`. @throws Refusal */
  handle(call: RestCall, path: readonly string[], version: string): RestResult;
}

/** What HubSpot fills in for what is left out. Without `supportsInboundCalling` no inbound call is heard of. */
const defaults = {
  width: 400,
  height: 600,
  isReady: true,
  supportsCustomObjects: false,
  supportsInboundCalling: false,
  usesCallingWindow: true,
  usesRemote: true,
};
const kinds: Readonly<Record<string, 'string' | 'number' | 'boolean'>> = {
  name: 'string',
  url: 'string',
  width: 'number',
  height: 'number',
  isReady: 'boolean',
  supportsCustomObjects: 'boolean',
  supportsInboundCalling: 'boolean',
  usesCallingWindow: 'boolean',
  usesRemote: 'boolean',
};

export function createCallingApp(options: { appId: number; settings: CallingSettings | null }): CallingApp {
  const developer = { apiKey: randomBytes(18).toString('hex'), token: `dev-${randomBytes(24).toString('base64url')}` };
  let settings = options.settings;
  let stamps = { createdAt: new Date().toISOString(), updatedAt: new Date().toISOString() };
  let recording: { urlToRetrieveAuthedRecording: string } | null = null;
  let channel: { url: string; isReady: boolean } | null = null;
  const missing = (): Refusal => new Refusal(404, `No calling settings for app ${options.appId}`, 'OBJECT_NOT_FOUND');

  /** Known keys only, each of its kind. */
  function read(body: Record<string, unknown>): Partial<CallingSettings> {
    for (const [name, value] of Object.entries(body)) {
      const kind = kinds[name];
      if (kind === undefined) throw invalid(`Unrecognized field "${name}"`);
      if (typeof value !== kind) throw invalid(`Invalid input JSON: "${name}" must be a ${kind}`);
      if (kind === 'number' && (!Number.isInteger(value) || Number(value) < 1))
        throw invalid(`"${name}" must be a positive integer`);
    }
    if (typeof body.url === 'string' && !isWebAddress(body.url)) throw invalid('"url" must be an https URL');
    return body;
  }

  function ofApp(call: RestCall, version: string): RestResult {
    if (call.method === 'POST') {
      const given = read(objectOf(call.body));
      // The newest API wants every one of them; the older ones fill in.
      const needed = version === '2026-09' ? Object.keys(kinds) : ['name', 'url'];
      const absent = needed.filter((name) => !(name in given));
      if (absent.length > 0) throw invalid(`Required fields were not set: ${absent.join(', ')}`);
      if (settings)
        throw new Refusal(
          400,
          `Calling settings for app ${options.appId} exist already`,
          'VALIDATION_ERROR',
          [],
          'CallingSettingError.SETTINGS_ALREADY_EXISTS',
        );
      settings = { ...defaults, ...given } as CallingSettings;
      stamps = { createdAt: new Date().toISOString(), updatedAt: new Date().toISOString() };
      return { status: 200, body: { ...settings, ...stamps } };
    }
    if (call.method === 'DELETE') {
      settings = null;
      return { status: 204 };
    }
    if (!settings) throw missing();
    if (call.method === 'PATCH') {
      settings = { ...settings, ...read(objectOf(call.body)) };
      stamps = { ...stamps, updatedAt: new Date().toISOString() };
    } else if (call.method !== 'GET') throw notAllowed();
    return { status: 200, body: { ...settings, ...stamps } };
  }

  function ofRecording(call: RestCall): RestResult {
    if (call.method === 'POST' || call.method === 'PATCH') {
      if (call.method === 'PATCH' && !recording) throw missing();
      const { urlToRetrieveAuthedRecording: url } = objectOf(call.body);
      if (typeof url !== 'string' || !isWebAddress(url.replace('%s', 'id')) || url.split('%s').length !== 2)
        throw invalid('urlToRetrieveAuthedRecording must be an https URL with exactly one %s');
      recording = { urlToRetrieveAuthedRecording: url };
    } else if (call.method !== 'GET') throw notAllowed();
    if (!recording) throw missing();
    return { status: 200, body: recording };
  }

  function ofChannel(call: RestCall): RestResult {
    if (call.method === 'DELETE') {
      channel = null;
      return { status: 204 };
    }
    if (call.method === 'POST' || call.method === 'PATCH') {
      if (call.method === 'PATCH' && !channel) throw missing();
      const { url = channel?.url, isReady = channel?.isReady ?? false } = objectOf(call.body);
      if (typeof url !== 'string' || !isWebAddress(url) || typeof isReady !== 'boolean')
        throw invalid('channel-connection takes "url" (https) and "isReady"');
      channel = { url, isReady };
    } else if (call.method !== 'GET') throw notAllowed();
    if (!channel) throw missing();
    return { status: 200, body: channel };
  }

  return {
    developer,
    settings: () => settings,
    set(next) {
      settings = next;
    },
    recordingUrl: () => recording?.urlToRetrieveAuthedRecording ?? null,
    channel: () => channel,
    refuses(request) {
      const key = request.query.get('hapikey');
      const bearer = `${request.headers.authorization ?? ''}`.replace(/^Bearer /i, '');
      if (key === developer.apiKey || bearer === developer.token) return null;
      if (key !== null) return new Refusal(401, 'The API key provided is invalid.', 'INVALID_AUTHENTICATION');
      if (bearer === '') return new Refusal(401, 'Authentication credentials not found.', 'INVALID_AUTHENTICATION');
      return new Refusal(403, 'This token lacks the scopes developers-read and developers-write.', 'MISSING_SCOPES');
    },
    handle(call, [appId, , part], version) {
      if (appId !== `${options.appId}`) throw new Refusal(404, 'resource not found', 'OBJECT_NOT_FOUND');
      if (part === undefined) return ofApp(call, version);
      if (part === 'recording') return ofRecording(call);
      if (part === 'channel-connection') return ofChannel(call);
      throw new Refusal(404, 'resource not found', 'OBJECT_NOT_FOUND');
    },
  };
}

/** https, or the sandbox's own loopback. */
export function isWebAddress(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || (protocol === 'http:' && (hostname === 'localhost' || hostname === '127.0.0.1'));
}

/** The settings the demo starts with, or with what a test changes about them. */
export function demoSettings(url: string, change: Partial<CallingSettings> = {}): CallingSettings {
  return { ...defaults, name: 'Patchcord', url, height: 640, supportsInboundCalling: true, ...change };
}

/** Numbers for the help desk's channel as an app answers with them; null for anything else. */
export function channelNumbers(
  answer: unknown,
): readonly { number: string; name: string; selectable: boolean }[] | null {
  if (!isObject(answer) || !Array.isArray(answer.phoneNumbers)) return null;
  return answer.phoneNumbers.flatMap((one: unknown) => {
    if (!isObject(one) || typeof one.e164PhoneNumber !== 'string') return [];
    // A number with an extension is listed but cannot be chosen; a name is cut at 24 characters.
    const name = typeof one.friendlyName === 'string' ? one.friendlyName.slice(0, 24) : '';
    return [{ number: one.e164PhoneNumber, name, selectable: one.extension === undefined }];
  });
}
