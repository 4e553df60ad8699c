/**
 * Owns one account at work: its user agent, its line, what it watches and the table of its calls; and takes what comes in by itself.
 * Must never outlive `leave`: after it nothing of this account is told any more.
 */
import { type CallId, newCallId } from '@patchcord/call-protocol';
import type { Invitation } from 'sip.js/lib/api/invitation.js';
import type { Notification } from 'sip.js/lib/api/notification.js';
import type { UserAgent } from 'sip.js/lib/api/user-agent.js';
import type { URI } from 'sip.js/lib/grammar/uri.js';
import type { KeptDialog, SipAccount, SipCredential, Watching } from '../ports.ts';
import type { SipSignal } from '../state.ts';
import type { ActingSurroundings } from './call-acts.ts';
import { isForeign, unknownType } from './call-dialog.ts';
import type { Following, SentCall } from './call-surroundings.ts';
import type { ExtrasDoor } from './extras-door.ts';
import { InboundCall } from './inbound-call.ts';
import { Inheritance } from './inheritance.ts';
import { Line, type LineReturn } from './line.ts';
import { OutboundCall, type OutboundOptions } from './outbound-call.ts';
import { mustMove } from './recovery-way.ts';
import { targetUri } from './redirection.ts';
import type { ResumedCall } from './resumed-call.ts';
import { intervalTooShort } from './session-timer.ts';
import type { SipSocket } from './sip-socket.ts';
import { whyUnusable } from './sound-description.ts';
import type { FollowedTarget } from './transfer-request.ts';
import { makeUserAgent } from './user-agent.ts';
import { watchForWake } from './wake-watch.ts';
import { WatcherDoor } from './watcher-door.ts';

/** What a seat gets from the page it is in. */
export type Page = Pick<
  ActingSurroundings,
  'sound' | 'clock' | 'random' | 'log' | 'newPeerConnection' | 'newAudioContext' | 'iceServers'
> & {
  readonly extras: ExtrasDoor<typeof import('./call-extras.ts')>;
  /** Servers that refused an offer with host candidates only; for the life of the page. */
  readonly wantsFullCandidates: Set<string>;
  /** The page was allowed to use the microphone. */
  microphoneGranted(): boolean;
  /** A microphone was opened. */
  microphoneOpened(): void;
  signal(signal: SipSignal): void;
  /** Another session goes on under the id of a call. */
  mediaChanged(): void;
  /** What a successor must know may have changed. */
  dialogsChanged(): void;
};

type AnyCall = OutboundCall | InboundCall | ResumedCall;

const stopMs = 2_000;
/** A living connection answers within this time, so that no second one is opened for nothing. */
const headStartMs = 120;
const lateFarewellMs = 60_000;

export class Seat {
  readonly #account: SipAccount;
  readonly #page: Page;
  readonly #userAgent: UserAgent;
  readonly #socket: SipSocket;
  readonly #line: Line;
  readonly #watcher: WatcherDoor;
  readonly #around: ActingSurroundings;
  readonly #calls = new Map<CallId, AnyCall>();
  readonly #inheritance: Inheritance;
  /** Dialogs whose end the other side may not know, and whether it was said over the connection that is. */
  readonly #owed = new Map<KeptDialog, boolean>();
  /** What runs when the line is ready again. */
  readonly #waiting = new Set<() => void>();
  readonly #stopListening: () => void;
  #left = false;
  /** Somebody else has the calls. */
  #handedOver = false;

  /** @throws where the account cannot stand in an address */
  constructor(account: SipAccount, credential: SipCredential, servers: readonly string[], page: Page) {
    const { clock, random, log } = page;
    this.#account = account;
    this.#page = page;
    this.#userAgent = makeUserAgent(
      account,
      credential,
      {
        ...{ clock, log, onTraffic: () => page.dialogsChanged() },
        onHeard: (what) => this.#line.heard(what),
        onGone: (reason) => this.#line.gone(reason),
      },
      {
        onInvite: (invitation) => this.#onInvite(invitation),
        onNotify: (notification) => this.#onNotify(notification),
      },
      (message) => {
        const owner = [...this.#calls.values()].find((call) => call.owns(message));
        return owner && ((request) => owner.take(request));
      },
    );
    this.#socket = this.#userAgent.transport as unknown as SipSocket;
    const tell = (signal: SipSignal): void => {
      if (!this.#left) page.signal(signal);
    };
    this.#line = new Line({
      account,
      servers,
      userAgent: this.#userAgent,
      socket: this.#socket,
      clock,
      random,
      log,
      signal: tell,
      onReady: (how) => this.#onReady(how),
      onLost: () => {
        this.#watcher.lineLost();
        for (const call of [...this.#calls.values()]) call.lineLost();
      },
      settingUp: () => [...this.#calls.values()].some((call) => !call.established),
    });
    const { domain, extension } = account;
    this.#watcher = new WatcherDoor({ userAgent: this.#userAgent, domain, extension, clock, random, signal: tell });
    this.#around = this.#surroundings();
    this.#inheritance = new Inheritance({
      clock,
      signal: (signal) => this.#around.signal(signal),
      taking: () => ({
        around: this.#around,
        microphoneGranted: () => page.microphoneGranted(),
        place: (call) => this.#calls.set(newCallId(), call),
        takeOver: (call) => this.#takeOver(call as AnyCall),
      }),
    });
    this.#stopListening = watchForWake({
      clock,
      onDoubt: () => this.#doubt(() => void this.#line.doubt(headStartMs)),
      onReturn: () => this.#doubt(() => this.#line.networkCameBack()),
    });
    void this.#userAgent.start();
  }

  /** Requests can leave now. */
  get connected(): boolean {
    return this.#socket.isConnected();
  }

  /** The address of what an agent may dial; undefined when it cannot be one. */
  uriOf(target: string): URI | undefined {
    return targetUri(target, this.#account.domain);
  }

  start(): void {
    this.#line.start();
  }

  renew({ username, password }: SipCredential): void {
    // Read anew for every challenge, so a running registration and running calls take the new ones.
    this.#userAgent.configuration.authorizationUsername = username;
    this.#userAgent.configuration.authorizationPassword = password;
    this.#line.renew();
  }

  /** Ends all calls, unregisters and closes. Resolves when the connection is closed, at the latest after two seconds. */
  async leave(): Promise<void> {
    for (const call of [...this.#calls.values()]) call.hangUp();
    this.#inheritance.stop(true);
    this.#left = true;
    this.#stopListening();
    this.#watcher.stop();
    const { clock } = this.#page;
    await Promise.race([this.#line.stop(), new Promise<void>((resolve) => clock.setTimeout(resolve, stopMs))]);
    this.#socket.abandon();
    await this.#userAgent.stop().catch(() => {});
  }

  find(call: CallId): AnyCall | undefined {
    return this.#calls.get(call);
  }

  hangUp(call: CallId): void {
    const found = this.find(call);
    if (found) found.hangUp();
    else this.#inheritance.hangUp(call);
  }

  /** Calls of an earlier owner. */
  takeUp(dialogs: readonly KeptDialog[]): void {
    this.#inheritance.take(dialogs.filter(({ call }) => !this.#calls.has(call)));
  }

  /** A call of an earlier owner that the agent has ended. */
  end(kept: KeptDialog): void {
    this.#inheritance.end(kept);
  }

  /** What a successor must know. */
  get dialogs(): readonly KeptDialog[] {
    // A call under another id than its own is on its way to take the place of one, or has none that the agent knows.
    const live = [...this.#calls].flatMap(([id, call]) => (call.id === id && call.kept) || []);
    const known = [...this.#inheritance.dialogs, ...live];
    return [...known, ...[...this.#owed.keys()].filter(({ call }) => !known.some((it) => it.call === call))];
  }

  /** Lets go of everything at once, without a word to anybody. Resolves to what a successor must know. */
  async handOver(): Promise<readonly KeptDialog[]> {
    const { dialogs } = this;
    this.#handedOver = this.#left = true;
    this.#stopListening();
    this.#inheritance.stop(false);
    // From here on nothing can be sent any more.
    this.#line.letGo();
    this.#watcher.stop();
    for (const call of [...this.#calls.values()]) call.letGo();
    this.#calls.clear();
    await this.#userAgent.stop().catch(() => {});
    return dialogs;
  }

  watch(watching: Watching): void {
    this.#watcher.set(watching);
  }

  /** How to take the call at a watched extension; null when the phone system does not tell it. */
  takeOver(extension: string): ReturnType<WatcherDoor['takeOver']> {
    return this.#watcher.takeOver(extension);
  }

  /** Places a call. Whatever becomes of it is signalled. */
  place(id: CallId, uri: URI, options: OutboundOptions): void {
    if (this.#calls.has(id)) return;
    this.#guard(id, () => {
      const call = new OutboundCall(id, uri, this.#around, options);
      this.#calls.set(id, call);
      void call.place(this.#page.microphoneGranted()).then(() => {
        if (!call.ended) this.#page.microphoneOpened();
      });
    });
  }

  sendCode(code: string, uri: URI): void {
    this.#page.extras.use(
      ({ dialFeatureCode }) => {
        if (!this.#left) this.#placeBeside(dialFeatureCode(code, uri, this.#around), (call) => call.id);
      },
      (reason) => this.#around.signal({ type: 'sip.code-refused', code, reason }),
    );
  }

  /** A call that stands in the table, but not under an id that the agent knows. */
  #placeBeside(call: OutboundCall, idOf: (call: OutboundCall) => CallId): void {
    this.#calls.set(idOf(call), call);
    void call.place(true);
  }

  #surroundings(): ActingSurroundings {
    const { sound, clock, random, log, extras, newPeerConnection, newAudioContext, iceServers, wantsFullCandidates } =
      this.#page;
    return {
      account: this.#account,
      userAgent: this.#userAgent,
      ...{ sound, clock, random, log, extras, newPeerConnection, newAudioContext, iceServers },
      candidates: () => (wantsFullCandidates.has(this.#line.server) ? 'full' : this.#account.candidates),
      learnFullCandidates: () => wantsFullCandidates.add(this.#line.server),
      connected: () => this.connected,
      prove: () => this.#line.doubt(headStartMs),
      signal: (signal) => {
        if (!this.#handedOver) this.#page.signal(signal);
      },
      over: (call) => {
        for (const [id, it] of this.#calls) if (it === call) this.#calls.delete(id);
      },
      owe: (kept, call) => this.#owe(kept, call),
      endLost: (kept) => this.#inheritance.end(kept),
      follow: (old, target) => this.#follow(old, target),
      whenReady: (run) => {
        this.#waiting.add(run);
        clock.setTimeout(() => this.#waiting.delete(run), lateFarewellMs);
      },
    };
  }

  #owe(kept: KeptDialog, call: { readonly id: CallId } | undefined): () => void {
    // One that was to take the place of another is not what its id stands for.
    if (this.#left || (call && this.#calls.get(kept.call) !== call)) return () => {};
    for (const it of this.#owed.keys()) if (it.call === kept.call) this.#owed.delete(it);
    this.#owed.set(kept, this.connected);
    const { clock } = this.#page;
    const paid = () => {
      clock.clearTimeout(timer);
      if (this.#owed.delete(kept)) this.#page.dialogsChanged();
    };
    const timer = clock.setTimeout(paid, lateFarewellMs);
    this.#page.dialogsChanged();
    return paid;
  }

  /** What was said over a connection that is lost may have been lost with it. */
  #payAgain(how: LineReturn): void {
    if (how === 'moved') return;
    for (const [kept, said] of [...this.#owed]) {
      if (said && how !== 'first') this.#inheritance.end(kept);
      else this.#owed.set(kept, true);
    }
  }

  #doubt(theLine: () => void): void {
    for (const call of this.#calls.values()) call.doubtPath();
    theLine();
  }

  #onReady(how: LineReturn): void {
    this.#watcher.lineReady();
    this.#inheritance.lineReady();
    this.#page.extras.ahead();
    this.#payAgain(how);
    if (how !== 'first') {
      for (const call of [...this.#calls.values()]) {
        const rejoin = () => call.rejoin(this.#userAgent.contact.pubGruu !== undefined, how);
        const { kept } = call;
        if (
          kept?.stage === 'confirmed' &&
          kept.call === call.id &&
          !call.recovering &&
          mustMove(kept, this.#account.recovery)
        )
          this.#inheritance.move(call, rejoin);
        else rejoin();
      }
    }
    for (const run of [...this.#waiting]) run();
    this.#waiting.clear();
  }

  #onNotify(notification: Notification): void {
    const known = this.#watcher.takeUnsolicited(notification.request);
    void (known ? notification.accept() : notification.reject({ statusCode: 489 })).catch(() => {});
  }

  #onInvite(invitation: Invitation): void {
    if (this.#left) return;
    const refuse = (statusCode: number, extraHeaders: string[] = []): void => {
      void invitation.reject({ statusCode, extraHeaders }).catch(() => {});
    };
    const unusable = invitation.body ? whyUnusable(invitation.body, this.#account.codecs) : null;
    const tooShort = intervalTooShort(invitation.request);
    const { replacee } = invitation;
    const calls = [...this.#calls.values()];
    const replaced = replacee && calls.find((call) => call.currentSession === replacee);
    // A call that only rings here is its caller's to replace, not ours (RFC 3891 section 3).
    const unreplaceable = replacee && (!replaced || (replaced instanceof InboundCall && !replaced.established));
    if (isForeign(invitation.request)) refuse(415, unknownType.extraHeaders);
    else if (unusable !== null) {
      // Refused before it rings: no agent could hear it.
      this.#page.log('warn', 'call.sound-refused', { reason: unusable });
      refuse(488, [`Warning: 399 ${this.#account.domain} "${unusable}"`]);
    } else if (tooShort) refuse(422, tooShort);
    else if (unreplaceable) refuse(481);
    // A server that offers a call again when the phone comes back: it rings here already, or is up (RFC 3261 section 8.2.2.2).
    else if (calls.some(({ currentSession }) => currentSession?.request.callId === invitation.request.callId))
      refuse(482);
    else {
      const kept = this.#inheritance.claim(invitation.request.callId);
      if (kept === null) refuse(480);
      else this.#ring(invitation, replaced, kept);
    }
  }

  #ring(invitation: Invitation, replaced: AnyCall | undefined, kept: KeptDialog | undefined): void {
    const id = kept?.call ?? newCallId();
    this.#guard(id, () => {
      const call = new InboundCall(id, invitation, replaced, this.#around);
      this.#calls.set(id, call);
      call.ring();
      if (kept) return this.#inheritance.rangAgain(kept);
      this.#page.signal({
        type: 'sip.invited',
        call: id,
        from: call.from,
        sipCallId: call.sipCallId,
        ...call.particulars,
        ...(replaced ? { replaces: replaced.id } : {}),
      });
    });
  }

  /** From here on this is the call of its id. */
  #takeOver(call: AnyCall): void {
    this.#around.over(call);
    this.#calls.set(call.id, call);
    this.#page.mediaChanged();
    this.#page.dialogsChanged();
  }

  /** The far side of a call sent us somewhere else: the call goes on there, under the same id. */
  #follow(old: SentCall, target: FollowedTarget): Following | undefined {
    if (this.#left || !this.connected) return undefined;
    return this.#page.extras.there?.followTransfer(
      old,
      target,
      this.#around,
      (call) => this.#placeBeside(call, newCallId),
      (call) => this.#takeOver(call),
    );
  }

  #guard(call: CallId, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#calls.delete(call);
      this.#page.log('warn', 'call.not-created', { call });
      const reason = error instanceof Error ? error.message : 'The call could not be created.';
      queueMicrotask(() => this.#page.signal({ type: 'sip.ended', call, by: 'network', code: 0, reason }));
    }
  }
}
