/**
 * Owns what the portal does when an app says that a recording is ready: it asks the app's signed endpoint for an address, downloads with a
 * range, and looks whether people can seek and whether it can be transcribed (the HubSpot contract, section 1.9). Must never keep the sound.
 */
import type { ServerResponse } from 'node:http';
import { type HttpReply, isObject, text } from '../http.ts';
import { isWebAddress } from './calling-settings.ts';
import { notFound, type Portal, Refusal } from './records.ts';
import { signatureV3 } from './signature.ts';

export interface RecordingState {
  readonly engagementId: string;
  readonly state: 'asked' | 'playable' | 'failed';
  /** What a person would complain about: no seeking, no transcript, nothing to hear. Empty when all is well. */
  readonly problems: readonly string[];
  readonly contentType?: string;
  readonly bytes?: number;
  readonly channels?: number;
}

export interface Recordings {
  /** `recordings/ready`. Answers at once; the download comes after. @throws Refusal */
  ready(engagementId: unknown): void;
  all(): readonly RecordingState[];
  of(engagementId: string): RecordingState | undefined;
  /** The sound for the page's player, fetched as HubSpot does: a fresh address for every play. */
  play(engagementId: string, range: string | undefined): Promise<HttpReply>;
  /** Until every download that was begun is through. */
  settled(): Promise<void>;
}

const patienceMs = 10_000;
const needed = ['hs_call_external_id', 'hs_call_external_account_id', 'hs_call_app_id', 'hs_call_source'] as const;

export function createRecordings(parts: {
  portal: Portal;
  appId: number;
  clientSecret: string;
  recordingUrl: () => string | null;
  onChange: () => void;
}): Recordings {
  const states = new Map<string, RecordingState>();
  const running = new Set<Promise<void>>();

  function keep(state: RecordingState): void {
    states.set(state.engagementId, state);
    parts.onChange();
  }

  /** Asks the app for the address of one recording, signed. @throws Error that says what went wrong */
  async function address(engagementId: string): Promise<string> {
    const template = parts.recordingUrl();
    if (template === null) throw new Error('The app has no recording settings.');
    const call = parts.portal.get('calls', engagementId);
    const { hs_call_external_id: externalId, hs_call_external_account_id: account } = call?.properties ?? {};
    const query = new URLSearchParams({ appId: `${parts.appId}`, externalAccountId: account ?? '' });
    const url = `${template.replace('%s', encodeURIComponent(externalId ?? ''))}?${query}`;
    const timestamp = `${Date.now()}`;
    const response = await fetch(url, {
      headers: {
        'X-HubSpot-Signature-v3': signatureV3({ secret: parts.clientSecret, method: 'GET', url, body: '', timestamp }),
        'X-HubSpot-Request-Timestamp': timestamp,
      },
      signal: AbortSignal.timeout(patienceMs),
    });
    if (!response.ok) throw new Error(`The app's recording address answered ${response.status}.`);
    const answer: unknown = await response.json().catch(() => undefined);
    if (!isObject(answer) || typeof answer.authenticatedUrl !== 'string' || !isWebAddress(answer.authenticatedUrl))
      throw new Error('The app answered without an https authenticatedUrl.');
    return answer.authenticatedUrl;
  }

  async function download(engagementId: string): Promise<void> {
    const problems: string[] = [];
    const { properties } = parts.portal.get('calls', engagementId) ?? {
      properties: {} as Record<string, string | null>,
    };
    for (const name of needed) if (!properties[name]) problems.push(`The call has no ${name}.`);
    try {
      const url = await address(engagementId);
      const response = await fetch(url, {
        headers: { range: 'bytes=0-65535' },
        signal: AbortSignal.timeout(patienceMs),
      });
      const head = Buffer.from(await response.arrayBuffer());
      if (!response.ok || head.length === 0) throw new Error(`The recording's address answered ${response.status}.`);
      const range = /^bytes 0-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '');
      if (response.status !== 206 || !range) problems.push('No 206 for a range: nobody can wind forward or back.');
      const contentType = response.headers.get('content-type') ?? '';
      if (!contentType.startsWith('application/octet-stream'))
        problems.push(`Served as ${contentType || 'nothing'}, not as an octet-stream.`);
      const channels = channelsOf(head);
      if (channels === undefined) problems.push('No WAV, FLAC or MP4: it is not transcribed.');
      else if (channels === 1) problems.push('One channel for both speakers: it is not transcribed.');
      keep({
        engagementId,
        state: 'playable',
        problems,
        contentType,
        bytes: range ? Number(range[1]) : head.length,
        ...(channels === undefined ? {} : { channels }),
      });
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
      keep({ engagementId, state: 'failed', problems });
    }
  }

  return {
    ready(engagementId) {
      if (typeof engagementId !== 'number' || !Number.isSafeInteger(engagementId))
        throw new Refusal(400, 'engagementId must be a number', 'VALIDATION_ERROR');
      const id = `${engagementId}`;
      if (!parts.portal.get('calls', id)) throw notFound();
      if (parts.recordingUrl() === null)
        throw new Refusal(400, 'The app has no recording settings', 'VALIDATION_ERROR');
      keep({ engagementId: id, state: 'asked', problems: [] });
      const work = download(id).finally(() => running.delete(work));
      running.add(work);
    },
    all: () => [...states.values()],
    of: (engagementId) => states.get(engagementId),
    async play(engagementId, range) {
      if (!states.has(engagementId)) return text(404, 'text/plain', 'No recording is known for this call.');
      try {
        const url = await address(engagementId);
        const response = await fetch(url, {
          headers: range === undefined ? {} : { range },
          signal: AbortSignal.timeout(patienceMs),
        });
        const sound = Buffer.from(await response.arrayBuffer());
        const contentRange = response.headers.get('content-range');
        return {
          stream: (to: ServerResponse) => {
            to.writeHead(response.status, {
              'content-type': soundType(sound) ?? 'audio/wav',
              'accept-ranges': 'bytes',
              ...(contentRange === null ? {} : { 'content-range': contentRange }),
            });
            to.end(sound);
          },
        };
      } catch (error) {
        return text(502, 'text/plain', error instanceof Error ? error.message : String(error));
      }
    },
    settled: async () => void (await Promise.all([...running])),
  };
}

/** How many channels a WAV or FLAC file has; two for MP4, where the sandbox does not look; nothing for another format. */
export function channelsOf(head: Buffer): number | undefined {
  const text = (from: number, to: number): string => head.toString('latin1', from, to);
  if (text(0, 4) === 'RIFF' && text(8, 12) === 'WAVE') {
    for (let at = 12; at + 12 <= head.length; at += 8 + head.readUInt32LE(at + 4) + (head.readUInt32LE(at + 4) % 2))
      if (text(at, at + 4) === 'fmt ') return head.readUInt16LE(at + 10);
    return undefined;
  }
  // STREAMINFO: 20 bits of rate, then 3 bits of channels less one.
  if (text(0, 4) === 'fLaC' && head.length >= 21) return ((head.readUInt8(20) >> 1) & 7) + 1;
  return text(4, 8) === 'ftyp' ? 2 : undefined;
}

function soundType(head: Buffer): string | undefined {
  const start = head.toString('latin1', 0, 4);
  return start === 'RIFF'
    ? 'audio/wav'
    : start === 'fLaC'
      ? 'audio/flac'
      : start.startsWith('OggS')
        ? 'audio/ogg'
        : undefined;
}
