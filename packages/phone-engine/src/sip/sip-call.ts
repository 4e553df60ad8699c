/**
 * Owns what every call does once there is a SIP session for it: hold, mute, digits, transfers, staying alive over a lost line, and its one end.
 * `OutboundCall` and `InboundCall` own how a call begins. Must never signal twice that it ended, or anything at all after that.
 */
import type { CallId } from '@patchcord/call-protocol';
import type { Bye } from 'sip.js/lib/api/bye.js';
import type { Session } from 'sip.js/lib/api/session.js';
import { SessionState } from 'sip.js/lib/api/session-state.js';
import type { UserAgent } from 'sip.js/lib/api/user-agent.js';
import { SessionState as DialogState } from 'sip.js/lib/core/session/session.js';
import type { ClockPort, IceServer, SipAccount, SoundPort } from '../ports.ts';
import type { SipSignal } from '../state.ts';
import { CallMedia } from './call-media.ts';
import { parseDigits } from './digits.ts';
import { Renegotiation, type RenegotiationOutcome } from './renegotiation.ts';
import { SessionDescription } from './session-description.ts';
import type { SipLog } from './sip-log.ts';
import { referToReplacing, Transfer } from './transfer.ts';

/** What a call needs from the port around it. */
export interface CallSurroundings {
  readonly account: SipAccount;
  readonly userAgent: UserAgent;
  readonly sound: SoundPort;
  readonly clock: ClockPort;
  readonly random: () => number;
  readonly log: SipLog;
  readonly newPeerConnection: (configuration: RTCConfiguration) => RTCPeerConnection;
  iceServers(): readonly IceServer[];
  /** The candidate policy for the server in use, with what was learned about it. */
  candidates(): SipAccount['candidates'];
  /** The server in use refused an offer with host candidates only. */
  learnFullCandidates(): void;
  connected(): boolean;
  signal(signal: SipSignal): void;
  /** Called once, right after `sip.ended`. */
  over(call: SipCall): void;
  /** Runs when the line is ready again; dropped if that takes longer than a minute. */
  whenReady(run: () => void): void;
}

export type EndedBy = 'agent' | 'far-side' | 'network';

/** After a transfer the far side normally hangs up by itself; if not, we do. */
const farewellMs = 2_000;

export abstract class SipCall {
  readonly id: CallId;
  readonly media: CallMedia;
  protected readonly around: CallSurroundings;
  protected session: Session | undefined;
  /** Why the far side's last description could not be used. */
  protected unusable: string | undefined;
  #renegotiation: Renegotiation | undefined;
  #transfer: Transfer | undefined;
  #ended = false;
  #established = false;
  #answered = false;
  #held = false;
  #farHeld = false;
  #farewell: unknown;

  constructor(id: CallId, around: CallSurroundings) {
    this.id = id;
    this.around = around;
    const urls = around.iceServers().flatMap((server) => server.urls);
    this.media = new CallMedia({
      call: id,
      sound: around.sound,
      clock: around.clock,
      iceServers: around.iceServers(),
      newPeerConnection: around.newPeerConnection,
      policy: {
        candidates: around.candidates(),
        iceTransportPolicy: around.account.iceTransportPolicy,
        expectsRelay: urls.some((url) => /^turns?:/i.test(url)),
      },
      onBroken: () => this.#mendPath(),
    });
  }

  abstract readonly direction: 'inbound' | 'outbound';
  /** Ends a call that has no established session yet. */
  protected abstract giveUp(): void;
  /** The line is ready again, and this call had not been answered when it was lost. */
  protected abstract lineCameBack(): void;

  get ended(): boolean {
    return this.#ended;
  }
  get established(): boolean {
    return this.#established && !this.#ended;
  }
  get currentSession(): Session | undefined {
    return this.session;
  }

  /** Ends the call, whatever its phase. */
  hangUp(): void {
    if (this.#ended) return;
    if (this.#established) this.#sayBye();
    else this.giveUp();
    this.finish('agent', 0, '');
  }

  hold(on: boolean): void {
    const renegotiation = this.#renegotiation;
    if (!this.established || !renegotiation) {
      this.signal({ type: 'sip.hold-refused', call: this.id, reason: 'The call is not connected.' });
      return;
    }
    void renegotiation
      .run(() => this.media.hold(on))
      .then(async (outcome) => {
        if (this.#ended) return;
        if (outcome.ok) {
          this.#held = on;
          this.signal({ type: on ? 'sip.held' : 'sip.resumed', call: this.id });
          return;
        }
        if (this.#lostFarSide(outcome)) return;
        // Refused: the microphone (or the silence) that was there before comes back.
        await this.media.hold(this.#held).catch(() => {});
        this.signal({
          type: 'sip.hold-refused',
          call: this.id,
          reason: this.around.connected()
            ? `The far side did not accept it (${outcome.reason}).`
            : 'The line is down; try again when it is back.',
        });
      });
    // The microphone does not wait for its turn: what the agent says after pressing hold must not be heard.
    if (on) void this.media.hold(true).catch(() => {});
  }

  mute(muted: boolean): void {
    this.media.mute(muted);
  }

  /** Another call took this one's place (RFC 3891): the far side goes on there. */
  giveWay(): void {
    if (this.#ended) return;
    if (this.#established) this.#sayBye();
    else this.giveUp();
    this.finish('far-side', 0, 'The far side moved to another call.');
  }

  sendDigits(digits: string): void {
    const sendable = parseDigits(digits);
    const refuse = (reason: string) => this.signal({ type: 'sip.digits-refused', call: this.id, reason });
    if (sendable === null) refuse('Only 0-9, *, #, A-D and a comma for a pause can be sent.');
    else if (!this.#established) refuse('The call is not connected.');
    else
      void this.media.sendDigits(sendable).then((trouble) => {
        if (trouble !== '') refuse(trouble);
      });
  }

  /** Blind transfer. */
  transfer(to: string): void {
    this.#refer(`<${to}>`, () => {});
  }

  /** Attended transfer: the far side of this call takes our place in `consult`. */
  transferInto(consult: SipCall): void {
    const dialog = consult.established ? consult.session?.dialog : undefined;
    if (!dialog) {
      this.signal({
        type: 'sip.transfer-refused',
        call: this.id,
        reason: 'The second call is not connected; wait for its answer or transfer without consulting.',
      });
      return;
    }
    this.#refer(referToReplacing(dialog), () => consult.leaveAfterTransfer());
  }

  /** The line is registered again on a new connection. */
  rejoin(hasStableContact: boolean): void {
    if (this.#ended) return;
    if (!this.#established) this.lineCameBack();
    // Servers without GRUU keep sending to the dead connection until a request of ours brings them the new one (RFC 3261 section 12.2.1.1).
    else if (!hasStableContact) void this.#offerAgain(() => {});
  }

  protected signal(signal: SipSignal): void {
    if (!this.#ended) this.around.signal(signal);
  }

  /** The one way to end. Signals once, closes the media, forgets the call. */
  protected finish(by: EndedBy, code: number, reason: string, elsewhere = false): void {
    if (this.#ended) return;
    this.around.signal({
      type: 'sip.ended',
      call: this.id,
      by,
      code,
      reason,
      ...(elsewhere ? { elsewhere: true } : {}),
    });
    this.#ended = true;
    this.#transfer?.cancel();
    this.around.clock.clearTimeout(this.#farewell);
    this.media.close();
    this.around.over(this);
  }

  /** Takes a session under this call's care. */
  protected adopt(session: Session): void {
    this.session = session;
    session.data = new SessionDescription(this.media, {
      onUnusable: (reason) => {
        this.unusable = reason;
      },
      onRemote: (held) => {
        if (this.#farHeld === held) return;
        // Our own hold makes an honest far side answer recvonly or inactive; only what it does to us counts.
        if (this.#held && held) return;
        this.#farHeld = held;
        if (this.#answered) this.signal({ type: held ? 'sip.far-held' : 'sip.far-resumed', call: this.id });
      },
    });
    this.#renegotiation = new Renegotiation({
      session,
      clock: this.around.clock,
      random: this.around.random,
      weCalled: this.direction === 'outbound',
      rollBack: () => this.media.rollBack(),
    });
    session.stateChange.addListener((state) => {
      if (this.session !== session) return;
      if (state === SessionState.Established) this.#onEstablished(session);
      // The response that explains the end is delivered right after this; let it speak first.
      if (state === SessionState.Terminated)
        queueMicrotask(() => {
          if (this.session === session) this.#onSessionGone();
        });
    });
  }

  /** Delegate parts that both directions share. */
  protected get sharedDelegate() {
    return {
      onBye: (bye: Bye) => {
        void bye.accept().catch(() => {});
        this.#transfer?.farSideLeft();
        this.finish('far-side', 0, reasonText(bye.request.getHeader('reason')));
      },
      onNotify: (notification: Parameters<Transfer['take']>[0]) => {
        if (this.#transfer) this.#transfer.take(notification);
        else void notification.accept().catch(() => {});
      },
      // Shortcoming 18: without a delegate sip.js would dial wherever a stranger's REFER points.
      onRefer: (referral: { reject(options: { statusCode: number }): Promise<void> }) => {
        void referral.reject({ statusCode: 603 }).catch(() => {});
      },
    };
  }

  /** The far side is connected and knows it. */
  protected markAnswered(): void {
    if (this.#answered || this.#ended) return;
    this.#answered = true;
    this.signal({ type: 'sip.answered', call: this.id });
    if (this.#farHeld) this.signal({ type: 'sip.far-held', call: this.id });
  }

  #onEstablished(session: Session): void {
    if (this.#ended) {
      void session.bye().catch(() => {});
      return;
    }
    this.#established = true;
    if (session.dialog?.sessionState === DialogState.Terminated) {
      // The BYE overtook our handling of the answer; sip.js has closed the dialog but not the session.
      session.dispose().catch(() => {});
      this.finish('far-side', 0, '');
      return;
    }
    this.onEstablished();
    if (this.media.takeOtherBranch()) void this.#offerAgain(() => this.media.startAfresh());
  }

  protected abstract onEstablished(): void;
  /** The session ended without any of the known reasons; says why if this direction knows. */
  protected abstract explainEnd(): { by: EndedBy; code: number; reason: string };

  #onSessionGone(): void {
    if (this.#ended) return;
    const { by, code, reason } = this.explainEnd();
    this.finish(by, code, reason);
  }

  #sayBye(): void {
    const session = this.session;
    if (!session || session.state !== SessionState.Established) return;
    const bye = () => {
      if (session.state === SessionState.Established) void session.bye().catch(() => {});
    };
    // While the line is down the far side is told as soon as it is back; the agent does not wait for that.
    if (this.around.connected()) bye();
    else this.around.whenReady(bye);
  }

  #refer(referTo: string, alsoLeave: () => void): void {
    const dialog = this.established ? this.session?.dialog : undefined;
    const { userAgent, clock, connected } = this.around;
    const refuse = (reason: string) => this.signal({ type: 'sip.transfer-refused', call: this.id, reason });
    if (!dialog || !connected()) {
      refuse('The call or the line is not connected.');
      return;
    }
    if (this.#transfer && !this.#transfer.settled) {
      refuse('A transfer of this call is already under way.');
      return;
    }
    this.#transfer = new Transfer(clock, {
      onRinging: () => this.signal({ type: 'sip.transfer-ringing', call: this.id }),
      onDone: () => {
        this.signal({ type: 'sip.transferred', call: this.id });
        this.leaveAfterTransfer();
        alsoLeave();
      },
      onRefused: refuse,
    });
    this.#transfer.start(dialog, referTo, userAgent.configuration.uri.toString(), userAgent.contact.toString());
  }

  /** The others talk without us: hangs up if they do not within a moment. */
  protected leaveAfterTransfer(): void {
    if (this.#ended) return;
    this.#farewell = this.around.clock.setTimeout(() => this.hangUp(), farewellMs);
  }

  /** Shortcoming 9: nothing in sip.js notices a broken path or restarts ICE. */
  #mendPath(): void {
    this.around.log('warn', 'call.path-broken', { call: this.id });
    if (this.established && this.around.connected()) void this.#offerAgain(() => this.media.restartPath());
  }

  async #offerAgain(prepare: () => void): Promise<void> {
    const outcome = await this.#renegotiation?.run(prepare);
    if (outcome && !outcome.ok) this.#lostFarSide(outcome);
  }

  /** 481 and 408 inside a dialog mean that it is gone (RFC 5057 section 5.1). */
  #lostFarSide(outcome: RenegotiationOutcome): boolean {
    if (outcome.ok || this.#ended) return false;
    const gone = outcome.code === 481 || (outcome.code === 408 && this.around.connected());
    if (gone) {
      this.#sayBye();
      this.finish('network', 0, 'The PBX no longer knows this call.');
    }
    return gone;
  }
}

/** The text of a Reason header (RFC 3326), for people. */
export function reasonText(header: string | undefined): string {
  return /text\s*=\s*"([^"]{1,120})"/i.exec(header ?? '')?.[1] ?? '';
}

/** Longest SIP Call-ID an event carries. A PBX may send longer ones; they are cut, which still joins its own call records by their start. */
const longestCallId = 255;

/** A Call-ID as it may stand in an event. */
export function tellableCallId(callId: string): string {
  return callId.slice(0, longestCallId);
}
