/**
 * The SIP port over sip.js 0.21.2: commands in, signals out, for one account at a time; what that account is doing is its `Seat`'s.
 * sip.js is imported nowhere outside this folder. Must never let an error of sip.js, of a malformed message or of a listener escape to its caller:
 * every outcome is a signal.
 */
import type { CallId } from '@patchcord/call-protocol';
import type { URI } from 'sip.js/lib/grammar/uri.js';
import { readDialogs } from '../kept-dialogs.ts';
import type {
  ClockPort,
  IceServer,
  KeptDialog,
  MixedCall,
  SipAccount,
  SipCredential,
  SipPort,
  SoundPort,
  Watching,
} from '../ports.ts';
import type { DeclineCode, SipSignal } from '../state.ts';
import type { Conference } from './conference.ts';
import { ExtrasDoor } from './extras-door.ts';
import { InboundCall } from './inbound-call.ts';
import { MicrophoneGrant } from './microphone-grant.ts';
import type { OutboundOptions } from './outbound-call.ts';
import { type Page, Seat } from './seat.ts';
import type { SipLog } from './sip-log.ts';
import { mayCarrySip } from './transport-rule.ts';
import { createWorkerClock } from './worker-clock.ts';

export interface SipPortOptions {
  readonly sound: SoundPort;
  /** Default: the system's, with timers that a hidden page keeps. */
  readonly clock?: ClockPort;
  /** Default: nothing is logged. */
  readonly log?: SipLog;
  /** From 0 up to but not including 1; default `Math.random`. Spreads retries, decides nothing secret. */
  readonly random?: () => number;
  readonly newPeerConnection?: (configuration: RTCConfiguration) => RTCPeerConnection;
  /** For conferences and key tones. */
  readonly newAudioContext?: () => AudioContext;
}

const mixAgainMs = 700;

/** Creates the SIP port. Nothing happens on the network before `start`. */
export function createSipPort(options: SipPortOptions): SipPort {
  return new SipJsPort(options);
}

class SipJsPort implements SipPort {
  readonly #page: Page;
  #conference: Conference | undefined;
  readonly #listeners = new Set<(signal: SipSignal) => void>();
  readonly #log: SipLog;
  #mixed: readonly MixedCall[] = [];
  #watching: Watching = { extensions: [], mailbox: false };
  #seat: Seat | undefined;
  #iceServers: readonly IceServer[] = [];
  readonly #dialogListeners = new Set<(dialogs: readonly KeptDialog[]) => void>();
  /** Waits for `start`. */
  #inherited: readonly KeptDialog[] = [];
  /** Ended before there was a line to say so. */
  readonly #farewells: KeptDialog[] = [];
  #told = '[]';
  #telling = false;

  constructor(options: SipPortOptions) {
    const microphone = new MicrophoneGrant();
    const newAudioContext = options.newAudioContext ?? (() => new AudioContext());
    this.#log = options.log ?? (() => {});
    const clock = options.clock ?? createWorkerClock();
    this.#page = {
      sound: options.sound,
      clock,
      random: options.random ?? Math.random,
      log: this.#log,
      extras: new ExtrasDoor(clock, () => import('./call-extras.ts')),
      newPeerConnection: options.newPeerConnection ?? ((configuration) => new RTCPeerConnection(configuration)),
      newAudioContext,
      iceServers: () => this.#iceServers,
      wantsFullCandidates: new Set(),
      microphoneGranted: () => microphone.granted,
      microphoneOpened: () => microphone.opened(),
      signal: (signal) => this.#emit(signal),
      mediaChanged: () => this.mix(this.#mixed),
      dialogsChanged: () => this.#tellDialogs(),
    };
  }

  start(account: SipAccount, credential: SipCredential, iceServers: readonly IceServer[]): void {
    void this.#seat?.leave();
    this.#seat = undefined;
    this.#iceServers = iceServers;
    const servers = account.servers.filter(mayCarrySip);
    if (servers.length === 0) {
      this.#emit({
        type: 'sip.rejected',
        code: 0,
        reason: 'The profile has no server address that begins with wss:.',
      });
      return;
    }
    try {
      const seat = new Seat(account, credential, servers, this.#page);
      this.#seat = seat;
      seat.watch(this.#watching);
      seat.takeUp(this.#inherited);
      this.#inherited = [];
      for (const kept of this.#farewells.splice(0)) seat.end(kept);
      seat.start();
    } catch {
      this.#emit({
        type: 'sip.rejected',
        code: 0,
        reason: 'The SIP account of the profile is not valid: check domain, extension and device id.',
      });
    }
  }

  renew(credential: SipCredential, iceServers: readonly IceServer[]): void {
    this.#iceServers = iceServers;
    this.#seat?.renew(credential);
  }

  async stop(): Promise<void> {
    const seat = this.#seat;
    this.#seat = undefined;
    const inherited = this.#inherited;
    this.#inherited = [];
    for (const { call } of inherited) this.#emit({ type: 'sip.ended', call, by: 'agent', code: 0, reason: '' });
    await seat?.leave();
    this.#emit({ type: 'sip.stopped' });
  }

  dial(call: CallId, target: string, callerId?: string): void {
    this.#place(call, target, callerId === undefined ? {} : { callerId });
  }

  pickUp(call: CallId, extension: string, code: string | null): void {
    const known = this.#seat?.takeOver(extension) ?? null;
    if (known !== null) {
      this.#place(call, extension, { takesOver: known.replaces }, known.at);
    } else if (code !== null) this.dial(call, code);
    else this.#refuse(call, 'The phone system does not show this call, and the profile has no pick-up code.');
  }

  watch(watching: Watching): void {
    this.#watching = watching;
    this.#seat?.watch(watching);
  }

  answer(call: CallId): void {
    const found = this.#find(call);
    if (found instanceof InboundCall) found.answer();
  }

  decline(call: CallId, code: DeclineCode): void {
    const found = this.#find(call);
    if (found instanceof InboundCall) found.decline(code);
  }

  redirect(call: CallId, to: string): void {
    const found = this.#find(call);
    const uri = this.#seat?.uriOf(to);
    if (!(found instanceof InboundCall)) return;
    if (uri) found.redirect(uri);
    else found.decline(480);
  }

  hangUp(call: CallId): void {
    this.#seat?.hangUp(call);
    const waiting = this.#inherited.find((kept) => kept.call === call);
    if (!waiting) return;
    this.#inherited = this.#inherited.filter((kept) => kept !== waiting);
    this.#farewells.push(waiting);
    queueMicrotask(() => this.#emit({ type: 'sip.ended', call, by: 'agent', code: 0, reason: '' }));
  }

  hold(call: CallId, on: boolean): void {
    this.#find(call)?.hold(on);
    this.#tellDialogs();
  }

  mute(call: CallId, muted: boolean): void {
    this.#find(call)?.mute(muted);
    this.#tellDialogs();
  }

  sendDigits(call: CallId, digits: string): void {
    this.#find(call)?.sendDigits(digits);
  }

  transfer(call: CallId, to: string): void {
    const found = this.#find(call);
    const uri = this.#seat?.uriOf(to);
    if (found && uri) found.transfer(uri.toString());
    else if (found)
      this.#emit({ type: 'sip.transfer-refused', call, reason: 'This is not a number that a call can be sent to.' });
  }

  transferAttended(call: CallId, consult: CallId): void {
    const found = this.#find(call);
    const target = this.#find(consult);
    if (found && target) found.transferInto(target);
    else if (found) this.#emit({ type: 'sip.transfer-refused', call, reason: 'The second call is over.' });
  }

  cancelTransfer(call: CallId): void {
    this.#find(call)?.cancelTransfer();
  }

  sendCode(code: string): void {
    const way = this.#wayTo(code, 'This is not a code that can be dialled.');
    if (typeof way !== 'string') way.seat.sendCode(code, way.uri);
    // Commands return at once; the outcome comes after.
    else queueMicrotask(() => this.#emit({ type: 'sip.code-refused', code, reason: way }));
  }

  mix(members: readonly MixedCall[]): void {
    this.#mixed = members;
    if (!this.#conference && members.length === 0) return;
    const { extras, newAudioContext, clock } = this.#page;
    extras.use(
      ({ Conference }) => {
        this.#conference ??= new Conference(newAudioContext);
        this.#conference.seat(
          this.#mixed.flatMap(({ call, silenced }) => {
            const member = this.#find(call)?.media;
            return member ? [{ member, silenced }] : [];
          }),
        );
      },
      // Until then each of them hears the agent.
      () => clock.setTimeout(() => this.mix(this.#mixed), mixAgainMs),
    );
  }

  takeUp(dialogs: readonly KeptDialog[]): void {
    const usable = readDialogs(dialogs);
    for (const { call } of dialogs)
      if (!usable.some((kept) => kept.call === call)) this.#refuse(call, 'What was kept of the call cannot be used.');
    if (this.#seat) this.#seat.takeUp(usable);
    else this.#inherited = [...this.#inherited, ...usable];
    this.#tellDialogs();
  }

  onDialogs(listener: (dialogs: readonly KeptDialog[]) => void): () => void {
    this.#dialogListeners.add(listener);
    return () => this.#dialogListeners.delete(listener);
  }

  async handOver(): Promise<readonly KeptDialog[]> {
    const seat = this.#seat;
    const inherited = this.#inherited;
    this.#seat = undefined;
    this.#inherited = [];
    // Nobody is told that the calls are gone from here: they are not over.
    this.#dialogListeners.clear();
    this.#listeners.clear();
    this.#mixed = [];
    return [...inherited, ...this.#farewells, ...((await seat?.handOver()) ?? [])];
  }

  onSignal(listener: (signal: SipSignal) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #place(call: CallId, target: string, options: OutboundOptions, at?: URI | null): void {
    const way = this.#wayTo(target, 'This is not a number that can be dialled.');
    if (typeof way === 'string') this.#refuse(call, way);
    else way.seat.place(call, at ?? way.uri, options);
  }

  /** Who dials a number and its address, or why it cannot be dialled now. */
  #wayTo(target: string, unusable: string): { readonly seat: Seat; readonly uri: URI } | string {
    const seat = this.#seat;
    if (!seat) return 'The line is not ready.';
    const uri = seat.uriOf(target);
    if (!uri) return unusable;
    return seat.connected ? { seat, uri } : 'The line is not ready.';
  }

  /** A call that cannot be placed ends; commands return at once, so it does after. */
  #refuse(call: CallId, reason: string): void {
    queueMicrotask(() => this.#emit({ type: 'sip.ended', call, by: 'network', code: 0, reason }));
  }

  #find(call: CallId): ReturnType<Seat['find']> {
    return this.#seat?.find(call);
  }

  /** Tells what a successor must know, where it changed; once per task. */
  #tellDialogs(): void {
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      const dialogs = [...this.#inherited, ...this.#farewells, ...(this.#seat?.dialogs ?? [])];
      const text = JSON.stringify(dialogs);
      if (text === this.#told) return;
      this.#told = text;
      this.#inform(this.#dialogListeners, dialogs, 'dialogs');
    });
  }

  #emit(signal: SipSignal): void {
    this.#tellDialogs();
    this.#inform(this.#listeners, signal, signal.type);
  }

  #inform<T>(listeners: ReadonlySet<(what: T) => void>, what: T, name: string): void {
    for (const listener of [...listeners]) {
      try {
        listener(what);
      } catch {
        // A listener's mistake is the listener's; SIP goes on.
        this.#log('warn', 'signal.listener-failed', { signal: name });
      }
    }
  }
}
