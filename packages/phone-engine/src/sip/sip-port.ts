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
import type { ClockPort, IceServer, MixedCall, SipAccount, SipCredential, SipPort, SoundPort, Watching } from '../ports.ts';
import type { DeclineCode, SipSignal } from '../state.ts';
import type { CallSurroundings, Following } from './call-surroundings.ts';
import { Conference } from './conference.ts';
import { serveDialogRequests } from './dialog-requests.ts';
import { dialFeatureCode } from './feature-code.ts';
import { followTransfer } from './followed-transfer.ts';
import { InboundCall } from './inbound-call.ts';
import { Line } from './line.ts';
import { OutboundCall, type OutboundOptions } from './outbound-call.ts';
import { targetUri } from './redirection.ts';
import { intervalTooShort } from './session-timer.ts';
import { answerChallenges } from './sign-in.ts';
import type { SipCall } from './sip-call.ts';
import type { SipLog } from './sip-log.ts';
import { SipSocket, type SipSocketOptions } from './sip-socket.ts';
import { whyUnusable } from './sound-description.ts';
import { followAnsweredContact } from './target-refresh.ts';
import type { FollowedTarget } from './transfer-request.ts';
import { mayCarrySip, preloadedRoute } from './transport-rule.ts';
import { watchForWake } from './wake-watch.ts';
import { Watcher } from './watching.ts';
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

/** One account at work. */
interface Seat {
  readonly account: SipAccount;
  readonly userAgent: UserAgent;
  readonly socket: SipSocket;
  readonly line: Line;
  readonly around: CallSurroundings;
  readonly calls: Map<CallId, OutboundCall | InboundCall>;
  readonly watcher: Watcher;
  /** Ends watching for sleep and changed networks. */
  readonly stopWatching: () => void;
  stopped: boolean;
}

const stopMs = 2_000;
const lateFarewellMs = 60_000;
/** A PBX decides how long it lets a phone ring; this only keeps a forgotten INVITE from ringing for ever. */
const ringSeconds = 180;

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
  readonly #newAudioContext: () => AudioContext;
  readonly #conference: Conference;
  #mixed: readonly MixedCall[] = [];
  #watching: Watching = { extensions: [], mailbox: false };
  readonly #listeners = new Set<(signal: SipSignal) => void>();
  /** Servers that refused an offer with host candidates only; for the life of the page. */
  readonly #wantsFullCandidates = new Set<string>();
  #seat: Seat | undefined;
  #iceServers: readonly IceServer[] = [];
  #microphoneGranted = false;

  constructor(options: SipPortOptions) {
    this.#sound = options.sound;
    this.#clock = options.clock ?? createWorkerClock();
    this.#log = options.log ?? (() => {});
    this.#random = options.random ?? Math.random;
    this.#newPeerConnection = options.newPeerConnection ?? ((configuration) => new RTCPeerConnection(configuration));
    this.#newAudioContext = options.newAudioContext ?? (() => new AudioContext());
    this.#conference = new Conference(this.#newAudioContext);
    this.#watchMicrophonePermission();
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

  dial(call: CallId, target: string, callerId?: string): void {
    const uri = this.#seat && targetUri(target, this.#seat.account.domain);
    this.#place(call, uri, callerId === undefined ? {} : { callerId });
  }

  pickUp(call: CallId, extension: string, code: string | null): void {
    const replaces = this.#seat?.watcher.replaces(extension) ?? null;
    if (replaces !== null) {
      const uri = this.#seat && targetUri(extension, this.#seat.account.domain);
      this.#place(call, uri, { headers: [`Replaces: ${replaces}`] });
    } else if (code !== null) this.dial(call, code);
    else {
      const reason = 'The phone system does not show this call, and the profile has no code to pick it up with.';
      queueMicrotask(() => this.#emit({ type: 'sip.ended', call, by: 'network', code: 0, reason }));
    }
  }

  watch(watching: Watching): void {
    this.#watching = watching;
    this.#seat?.watcher.set(watching);
  }

  /** Places a call; without an address it ends at once, and says why. */
  #place(call: CallId, uri: URI | undefined, options: OutboundOptions): void {
    const seat = this.#seat;
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
      const placed = new OutboundCall(call, uri, seat.around, options);
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

  decline(call: CallId, code: DeclineCode): void {
    const found = this.#find(call);
    if (found instanceof InboundCall) found.decline(code);
  }

  redirect(call: CallId, to: string): void {
    const found = this.#find(call);
    const uri = this.#seat && targetUri(to, this.#seat.account.domain);
    if (!(found instanceof InboundCall)) return;
    if (uri) found.redirect(uri);
    else found.decline(480);
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

  cancelTransfer(call: CallId): void {
    this.#find(call)?.cancelTransfer();
  }

  sendCode(code: string): void {
    const seat = this.#seat;
    const uri = seat && targetUri(code, seat.account.domain);
    if (!seat || !uri || !seat.socket.isConnected()) {
      const reason = uri || !seat ? 'The line is not ready.' : 'This is not a code that can be dialled.';
      queueMicrotask(() => this.#emit({ type: 'sip.code-refused', code, reason }));
      return;
    }
    const call = dialFeatureCode(code, uri, seat.around);
    seat.calls.set(call.id, call);
    void call.place(true);
  }

  mix(members: readonly MixedCall[]): void {
    this.#mixed = members;
    this.#conference.seat(
      members.flatMap(({ call, silenced }) => {
        const member = this.#find(call)?.media;
        return member ? [{ member, silenced }] : [];
      }),
    );
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
      preloadedRouteSet: preloadedRoute(account.outboundProxy),
      transportConstructor: SipSocket as unknown as NonNullable<
        NonNullable<ConstructorParameters<typeof UserAgent>[0]>['transportConstructor']
      >,
      transportOptions: socketOptions,
      sessionDescriptionHandlerFactory: (session: Session) => session.data as SessionDescriptionHandler,
      // Shortcoming 12: off by default, and the header is then ignored.
      sipExtensionReplaces: SIPExtension.Supported,
      sipExtension100rel: SIPExtension.Supported,
      sipExtensionExtraSupported: ['timer', 'answermode'],
      // Ringing is the call's to tell, once it may ring at all.
      sendInitialProvisionalResponse: false,
      allowLegacyNotifications: true,
      noAnswerTimeout: ringSeconds,
      gracefulShutdown: false,
      userAgentString: 'Patchcord',
      // sip.js logs dialog ids, which are secrets.
      logBuiltinEnabled: false,
      logConfiguration: false,
      logLevel: 'error',
      delegate: {
        onInvite: (invitation) => this.#onInvite(seat, invitation),
        onNotify: (notification) => {
          const known = watcher.takeUnsolicited(notification.request);
          void (known ? notification.accept() : notification.reject({ statusCode: 489 })).catch(() => {});
        },
      },
    });
    followAnsweredContact(userAgent.userAgentCore);
    serveDialogRequests(userAgent.userAgentCore, (message) => {
      const owner = [...calls.values()].find((call) => call.owns(message));
      return owner && ((request) => owner.take(request));
    });
    answerChallenges(userAgent.userAgentCore, () => ({
      username: userAgent.configuration.authorizationUsername,
      password: userAgent.configuration.authorizationPassword,
    }));
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
        watcher.lineReady();
        if (!again) return;
        for (const call of [...calls.values()]) call.rejoin(userAgent.contact.pubGruu !== undefined);
        for (const run of waiting.splice(0)) run();
      },
      onLost: () => {
        watcher.lineLost();
        for (const call of [...calls.values()]) call.lineLost();
      },
      settingUp: () => [...calls.values()].some((call) => !call.established),
    });
    const watcher: Watcher = new Watcher({
      userAgent,
      domain: account.domain,
      extension: account.extension,
      clock: this.#clock,
      random: this.#random,
      signal: (signal) => {
        if (!seat.stopped) this.#emit(signal);
      },
    });
    const waiting: (() => void)[] = [];
    const forget = (call: SipCall) => {
      for (const [id, it] of calls) if (it === call) calls.delete(id);
    };
    const around: CallSurroundings = {
      account,
      userAgent,
      sound: this.#sound,
      clock: this.#clock,
      random: this.#random,
      log: this.#log,
      newPeerConnection: this.#newPeerConnection,
      newAudioContext: this.#newAudioContext,
      iceServers: () => this.#iceServers,
      candidates: () => (this.#wantsFullCandidates.has(line.server) ? 'full' : account.candidates),
      learnFullCandidates: () => this.#wantsFullCandidates.add(line.server),
      connected: () => socket.isConnected(),
      signal: (signal) => this.#emit(signal),
      over: (call) => forget(call),
      follow: (old, target) => this.#follow(seat, old, target),
      whenReady: (run) => {
        waiting.push(run);
        this.#clock.setTimeout(() => {
          const index = waiting.indexOf(run);
          if (index >= 0) waiting.splice(index, 1);
        }, lateFarewellMs);
      },
    };
    const stopWatching = watchForWake({
      clock: this.#clock,
      onDoubt: () => line.doubt(),
      onOnline: () => line.networkCameBack(),
      onWake: () => line.woke(),
    });
    const seat: Seat = { account, userAgent, socket, line, around, calls, watcher, stopWatching, stopped: false };
    watcher.set(this.#watching);
    void userAgent.start();
    return seat;
  }

  async #vacate(seat: Seat): Promise<void> {
    for (const call of [...seat.calls.values()]) call.hangUp();
    seat.stopped = true;
    seat.stopWatching();
    seat.watcher.stop();
    await Promise.race([seat.line.stop(), new Promise<void>((resolve) => this.#clock.setTimeout(resolve, stopMs))]);
    seat.socket.abandon();
    await seat.userAgent.stop().catch(() => {});
  }

  #onInvite(seat: Seat, invitation: Invitation): void {
    if (seat.stopped) return;
    const unusable = invitation.body ? whyUnusable(invitation.body, seat.account.codecs) : null;
    if (unusable !== null) {
      // Refused before it rings: no agent could hear it.
      this.#log('warn', 'call.sound-refused', { reason: unusable });
      const warning = `Warning: 399 ${seat.account.domain} "${unusable}"`;
      void invitation.reject({ statusCode: 488, extraHeaders: [warning] }).catch(() => {});
      return;
    }
    const tooShort = intervalTooShort(invitation.request);
    if (tooShort) {
      void invitation.reject({ statusCode: 422, extraHeaders: tooShort }).catch(() => {});
      return;
    }
    const replaced = invitation.replacee && this.#callOf(seat, invitation.replacee);
    if (invitation.replacee && (!replaced || (replaced instanceof InboundCall && !replaced.established))) {
      // A call that only rings here is its caller's to replace, not ours (RFC 3891 section 3).
      void invitation.reject({ statusCode: 481 }).catch(() => {});
      return;
    }
    const id = newCallId();
    this.#guard(id, () => {
      const call = new InboundCall(id, invitation, replaced, seat.around);
      seat.calls.set(id, call);
      call.ring();
      this.#emit({
        type: 'sip.invited',
        call: id,
        from: call.from,
        sipCallId: call.sipCallId,
        ...call.particulars,
        ...(replaced ? { replaces: replaced.id } : {}),
      });
    });
  }

  /** The far side of a call sent us somewhere else: the call goes on there, under the same id. */
  #follow(seat: Seat, old: SipCall, target: FollowedTarget): Following | undefined {
    if (seat.stopped || !seat.socket.isConnected()) return undefined;
    return followTransfer(
      old,
      target,
      seat.around,
      (call) => {
        seat.calls.set(newCallId(), call);
        void call.place(true);
      },
      (call) => {
        seat.around.over(call);
        seat.calls.set(call.id, call);
        this.mix(this.#mixed);
      },
    );
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
