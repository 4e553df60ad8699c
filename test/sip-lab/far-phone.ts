/**
 * Owns what every plain SIP phone of the laboratory has in common: its interface, its list of events, its ports and voice.
 * Must never know which program the phone is; that is baresip.ts and linphone.ts.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LabNetwork } from './namespaces.ts';
import type { RtpEar } from './rtp-ear.ts';
import { writeToneWav } from './tone.ts';

export type PhoneEventKind =
  | 'registered'
  | 'dialing'
  | 'ringing'
  | 'incoming'
  | 'established'
  | 'closed'
  | 'dtmf'
  | 'transfer';

export interface PhoneEvent {
  /** Epoch milliseconds when it was noticed here. */
  readonly at: number;
  readonly kind: PhoneEventKind;
  /** The far side's URI of call events, the key of `dtmf`, the reason of `closed`; may be empty. */
  readonly detail: string;
}

/** A phone with its ear: heard, listen, hears and hearsSilence are those of RtpEar. */
export interface FarPhone extends Omit<RtpEar, 'stop'> {
  readonly user: string;
  /** sip:user@domain, what others dial. */
  readonly uri: string;
  /** Its address in the far namespace. */
  readonly address: string;
  readonly toneHz: number;
  /** Everything that has happened, oldest first. */
  readonly events: readonly PhoneEvent[];
  /** The keys received by DTMF (RFC 4733), in order. */
  readonly dtmf: readonly string[];
  /**
   * Resolves with the next event of a kind that no earlier waitFor of that kind has taken, also when it has already happened.
   * Throws after `withinMs` (default 8000) with what happened instead.
   */
  waitFor(kind: PhoneEventKind, withinMs?: number): Promise<PhoneEvent>;
  /** Dials a URI or a user of the domain. Resolves when the command is given; wait for 'established' after it. */
  dial(target: string): Promise<void>;
  answer(): Promise<void>;
  hangUp(): Promise<void>;
  hold(): Promise<void>;
  resume(): Promise<void>;
  sendDtmf(keys: string): Promise<void>;
  /** Blind transfer of the current call. */
  transfer(target: string): Promise<void>;
  stop(): Promise<void>;
}

/** The events of one phone, with waiting. */
export class PhoneEvents {
  readonly list: PhoneEvent[] = [];
  readonly #taken = new Map<PhoneEventKind, number>();
  readonly #waiting = new Set<() => void>();
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  add(kind: PhoneEventKind, detail = ''): void {
    this.list.push({ at: Date.now(), kind, detail });
    for (const wake of this.#waiting) wake();
  }

  /** See FarPhone.waitFor. */
  waitFor(kind: PhoneEventKind, withinMs = 8000): Promise<PhoneEvent> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const index = this.list.findIndex((event, at) => event.kind === kind && at >= (this.#taken.get(kind) ?? 0));
        const event = this.list[index];
        if (event === undefined) return;
        this.#taken.set(kind, index + 1);
        finish();
        resolve(event);
      };
      const timer = setTimeout(() => {
        finish();
        const seen = this.list.map((event) => `${event.kind} ${event.detail}`.trim()).join(', ') || 'nothing';
        reject(new Error(`${this.#name}: no '${kind}' within ${withinMs} ms. It saw: ${seen}.`));
      }, withinMs);
      const finish = () => {
        clearTimeout(timer);
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
      look();
    });
  }

  get dtmf(): string[] {
    return this.list.filter((event) => event.kind === 'dtmf').map((event) => event.detail);
  }
}

/** A user of the domain, a whole URI, or the inside of one, as URI. */
export function toUri(target: string, domain: string): string {
  if (target.startsWith('sip:')) return target;
  return target.includes('@') ? `sip:${target}` : `sip:${target}@${domain}`;
}

/** Media ports that only the phone at this far address uses: the ear tells phones apart by them. */
export function mediaPorts(lab: LabNetwork, address: string): { from: number; to: number } {
  const index = lab.far.addresses.indexOf(address);
  if (index < 0)
    throw new Error(`${address} is no address of the far namespace; there are ${lab.far.addresses.join(', ')}.`);
  return { from: 10_000 + index * 1000, to: 10_999 + index * 1000 };
}

/** A WAV file with ten minutes of tone (the phones play a file once, and no call of a test is that long). Made once per laboratory. */
export function voiceFile(lab: LabNetwork, hz: number): string {
  const path = join(lab.folder, `voice-${hz}.wav`);
  if (!existsSync(path)) writeToneWav(path, { hz, seconds: 600 });
  return path;
}
