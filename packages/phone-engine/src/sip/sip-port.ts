/**
 * The SIP port over sip.js 0.21.2: one account, its line and its calls, turned into commands and signals.
 * Owns the table of calls and the life of the user agent; sip.js is imported nowhere outside this folder. Must never let an error of sip.js, of a
 * malformed message or of a listener escape to its caller: every outcome is a signal.
 */
import { type CallId, newCallId } from '@patchcord/call-protocol';
import type { Invitation } from 'sip.js/lib/api/invitation.js';
import type { Session } from 'sip.js/lib/api/session.js';
import type { SessionDescriptionHandler } from 'sip.js/lib/api/session-description-handler.js';
import { UserAgent } from 'sip.js/lib/api/user-agent.js';
import { SIPExtension } from 'sip.js/lib/api/user-agent-options.js';
import { URI } from 'sip.js/lib/grammar/uri.js';
import type { ClockPort, IceServer, SipAccount, SipCredential, SipPort, SoundPort } from '../ports.ts';
import type { SipSignal } from '../state.ts';
import { InboundCall } from './inbound-call.ts';
import { Line } from './line.ts';
import { OutboundCall } from './outbound-call.ts';
import type { CallSurroundings, SipCall } from './sip-call.ts';
import type { SipLog } from './sip-log.ts';
import { SipSocket, type SipSocketOptions } from './sip-socket.ts';
import { followAnsweredContact } from './target-refresh.ts';
import { mayCarrySip } from './transport-rule.ts';

export interface SipPortOptions {
  readonly sound: SoundPort;
  /** Default: the system's. */
  readonly clock?: ClockPort;
  /** Default: nothing is logged. */
  readonly log?: SipLog;
  /** From 0 up to but not including 1; default `Math.random`. Spreads retries, decides nothing secret. */
  readonly random?: () => number;
  readonly newPeerConnection?: (configuration: RTCConfiguration) => RTCPeerConnection;
}

/** One account at work. */
interface Seat {
  readonly account: SipAccount;
  readonly userAgent: UserAgent;
  readonly socket: SipSocket;
  readonly line: Line;
  readonly around: CallSurroundings;
  readonly calls: Map<CallId, OutboundCall | InboundCall>;
  stopped: boolean;
}

const stopMs = 2_000;
const lateFarewellMs = 60_000;
/** A PBX decides how long it lets a phone ring; this only keeps a forgotten INVITE from ringing for ever. */
const ringSeconds = 180;

const systemClock: ClockPort = {
  now: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
};

/** Creates the SIP port. Nothing happens on the network before `start`. */
export function createSipPort(options: SipPortOptions): SipPort {
  return new SipJsPort(options);
}

class SipJsPort implements SipPort {
  readonly #sound: SoundPort;
  readonly #clock: ClockPort;
  readonly #log: SipLog;
  readonly #random: () => number;
  readonly #newPeerConnection: (configuration: RTCConfiguration) => RTCPeerConnection;
  readonly #listeners = new Set<(signal: SipSignal) => void>();
  /** Servers that refused an offer with host candidates only; for the life of the page. */
  readonly #wantsFullCandidates = new Set<string>();
  #seat: Seat | undefined;
  #iceServers: readonly IceServer[] = [];
  #microphoneGranted = false;

  constructor(options: SipPortOptions) {
    this.#sound = options.sound;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? (() => {});
    this.#random = options.random ?? Math.random;
    this.#newPeerConnection = options.newPeerConnection ?? ((configuration) => new RTCPeerConnection(configuration));
    this.#watchMicrophonePermission();
    // A changed network is the usual reason for a dead socket that still looks open.
    if (typeof globalThis.addEventListener === 'function')
      globalThis.addEventListener('online', () => this.#seat?.line.doubt());
  }

  start(account: SipAccount, credential: SipCredential, iceServers: readonly IceServer[]): void {
    if (this.#seat) void this.#vacate(this.#seat);
    this.#seat = undefined;
    this.#iceServers = iceServers;
    const servers = account.servers.filter(mayCarrySip);
    if (servers.length === 0) {
      this.#emit({
        type: 'sip.rejected',
        code: 0,
        reason:
          'No server address of the profile may be used: it must begin with wss: (ws: only inside this computer).',
      });
      return;
    }
    try {
      const seat = this.#seatFor(account, credential, servers);
      this.#seat = seat;
      seat.line.start();
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
    if (!this.#seat) return;
    // sip.js reads both for every challenge, so a running registration and running calls take the new ones.
    this.#seat.userAgent.configuration.authorizationUsername = credential.username;
    this.#seat.userAgent.configuration.authorizationPassword = credential.password;
    this.#seat.line.renew();
  }

  async stop(): Promise<void> {
    const seat = this.#seat;
    this.#seat = undefined;
    if (seat) await this.#vacate(seat);
    this.#emit({ type: 'sip.stopped' });
  }

  dial(call: CallId, target: string): void {
    const seat = this.#seat;
    const uri = seat && targetUri(target, seat.account.domain);
    const refuse = (reason: string) => this.#emit({ type: 'sip.ended', call, by: 'network', code: 0, reason });
    if (!seat || !uri || !seat.socket.isConnected()) {
      // Commands return at once; the outcome comes after.
      queueMicrotask(() =>
        refuse(uri || !seat ? 'The line is not ready.' : 'This is not a number that can be dialled.'),
      );
      return;
    }
    if (seat.calls.has(call)) return;
    this.#guard(call, () => {
      const placed = new OutboundCall(call, uri, seat.around);
      seat.calls.set(call, placed);
      void placed.place(this.#microphoneGranted).then(() => {
        this.#microphoneGranted ||= !placed.ended;
      });
    });
  }

  answer(call: CallId): void {
    const found = this.#find(call);
    if (found instanceof InboundCall) found.answer();
  }

  decline(call: CallId, code: 486 | 603 | 480): void {
    const found = this.#find(call);
    if (found instanceof InboundCall) found.decline(code);
  }

  hangUp(call: CallId): void {
    this.#find(call)?.hangUp();
  }

  hold(call: CallId, on: boolean): void {
    this.#find(call)?.hold(on);
  }

  mute(call: CallId, muted: boolean): void {
    this.#find(call)?.mute(muted);
  }

  sendDigits(call: CallId, digits: string): void {
    this.#find(call)?.sendDigits(digits);
  }

  transfer(call: CallId, to: string): void {
    const found = this.#find(call);
    const uri = this.#seat && targetUri(to, this.#seat.account.domain);
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

  onSignal(listener: (signal: SipSignal) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #seatFor(account: SipAccount, credential: SipCredential, servers: readonly string[]): Seat {
    const calls: Seat['calls'] = new Map();
    const socketOptions: SipSocketOptions = {
      clock: this.#clock,
      log: this.#log,
      onHeard: (what) => seat.line.heard(what),
      onGone: (reason) => seat.line.gone(reason),
    };
    const userAgent = new UserAgent({
      uri: new URI('sip', account.extension, account.domain),
      authorizationUsername: credential.username,
      authorizationPassword: credential.password,
      displayName: account.displayName.replace(/["\\\r\n]/g, ''),
      instanceId: account.instance,
      transportConstructor: SipSocket as unknown as NonNullable<
        NonNullable<ConstructorParameters<typeof UserAgent>[0]>['transportConstructor']
      >,
      transportOptions: socketOptions,
      sessionDescriptionHandlerFactory: (session: Session) => session.data as SessionDescriptionHandler,
      // Shortcoming 12: off by default, and the header is then ignored.
      sipExtensionReplaces: SIPExtension.Supported,
      allowLegacyNotifications: true,
      noAnswerTimeout: ringSeconds,
      gracefulShutdown: false,
      userAgentString: 'Patchcord',
      // sip.js logs dialog ids, which are secrets.
      logBuiltinEnabled: false,
      logConfiguration: false,
      logLevel: 'error',
      delegate: { onInvite: (invitation) => this.#onInvite(seat, invitation) },
    });
    followAnsweredContact(userAgent.userAgentCore);
    const socket = userAgent.transport as unknown as SipSocket;
    const line: Line = new Line({
      account,
      servers,
      userAgent,
      socket,
      clock: this.#clock,
      random: this.#random,
      log: this.#log,
      signal: (signal) => {
        if (!seat.stopped) this.#emit(signal);
      },
      onReady: (again) => {
        if (!again) return;
        for (const call of [...calls.values()]) call.rejoin(userAgent.contact.pubGruu !== undefined);
        for (const run of waiting.splice(0)) run();
      },
      onLost: () => {
        for (const call of [...calls.values()]) call.lineLost();
      },
    });
    const waiting: (() => void)[] = [];
    const around: CallSurroundings = {
      account,
      userAgent,
      sound: this.#sound,
      clock: this.#clock,
      random: this.#random,
      log: this.#log,
      newPeerConnection: this.#newPeerConnection,
      iceServers: () => this.#iceServers,
      candidates: () => (this.#wantsFullCandidates.has(line.server) ? 'full' : account.candidates),
      learnFullCandidates: () => this.#wantsFullCandidates.add(line.server),
      connected: () => socket.isConnected(),
      signal: (signal) => this.#emit(signal),
      over: (call: SipCall) => calls.delete(call.id),
      whenReady: (run) => {
        waiting.push(run);
        this.#clock.setTimeout(() => {
          const index = waiting.indexOf(run);
          if (index >= 0) waiting.splice(index, 1);
        }, lateFarewellMs);
      },
    };
    const seat: Seat = { account, userAgent, socket, line, around, calls, stopped: false };
    void userAgent.start();
    return seat;
  }

  async #vacate(seat: Seat): Promise<void> {
    for (const call of [...seat.calls.values()]) call.hangUp();
    seat.stopped = true;
    await Promise.race([seat.line.stop(), new Promise<void>((resolve) => this.#clock.setTimeout(resolve, stopMs))]);
    seat.socket.abandon();
    await seat.userAgent.stop().catch(() => {});
  }

  #onInvite(seat: Seat, invitation: Invitation): void {
    if (seat.stopped) return;
    if (invitation.body && !/^a=fingerprint:/m.test(invitation.body)) {
      // Unencrypted media is refused before it rings: the browser could not carry it anyway.
      this.#log('warn', 'call.unencrypted-refused');
      void invitation.reject({ statusCode: 488 }).catch(() => {});
      return;
    }
    const replaced = invitation.replacee && this.#callOf(seat, invitation.replacee);
    const id = newCallId();
    this.#guard(id, () => {
      const call = new InboundCall(id, invitation, replaced, seat.around);
      seat.calls.set(id, call);
      this.#emit({
        type: 'sip.invited',
        call: id,
        from: call.from,
        sipCallId: call.sipCallId,
        ...(replaced ? { replaces: replaced.id } : {}),
      });
    });
  }

  #callOf(seat: Seat, session: Session): SipCall | undefined {
    return [...seat.calls.values()].find((call) => call.currentSession === session);
  }

  #find(call: CallId): OutboundCall | InboundCall | undefined {
    return this.#seat?.calls.get(call);
  }

  #guard(call: CallId, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#seat?.calls.delete(call);
      this.#log('warn', 'call.not-created', { call });
      const reason = error instanceof Error ? error.message : 'The call could not be created.';
      queueMicrotask(() => this.#emit({ type: 'sip.ended', call, by: 'network', code: 0, reason }));
    }
  }

  #emit(signal: SipSignal): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(signal);
      } catch {
        // A listener's mistake is the listener's; SIP goes on.
        this.#log('warn', 'signal.listener-failed', { signal: signal.type });
      }
    }
  }

  /** Before the first grant Chromium masks our addresses (mDNS), so the very first call waits for the microphone before it gathers. */
  #watchMicrophonePermission(): void {
    const permissions = globalThis.navigator?.permissions;
    permissions
      ?.query({ name: 'microphone' as PermissionName })
      .then((status) => {
        const note = () => {
          this.#microphoneGranted = status.state === 'granted';
        };
        note();
        status.addEventListener('change', note);
      })
      .catch(() => {});
  }
}

/** The Request-URI for what the agent dialled: a user part of the account's domain. Undefined when it cannot be one. */
function targetUri(target: string, domain: string): URI | undefined {
  const user = target.replace(/[\s()]/g, '');
  if (!/^[A-Za-z0-9+*#._~$&=!,'-]{1,128}$/.test(user)) return undefined;
  return UserAgent.makeURI(`sip:${user.replace(/#/g, '%23')}@${domain}`);
}
