/**
 * Owns what every call does once there is a SIP session for it: hold, mute, digits, staying alive over a lost line, and its one end. Its session is
 * `CallDialog`'s, its transfers are `HandingOver`'s; `OutboundCall` and `InboundCall` own how it begins.
 * Must never signal twice that it ended, or anything at all after that.
 */
import type { CallId, Party } from '@patchcord/call-protocol';
import type { Bye } from 'sip.js/lib/api/bye.js';
import type { Invitation } from 'sip.js/lib/api/invitation.js';
import type { Inviter } from 'sip.js/lib/api/inviter.js';
import type { Notification } from 'sip.js/lib/api/notification.js';
import type { Referral } from 'sip.js/lib/api/referral.js';
import { SessionState } from 'sip.js/lib/api/session-state.js';
import type { SessionDialog } from 'sip.js/lib/core/dialogs/session-dialog.js';
import type { IncomingRequest } from 'sip.js/lib/core/messages/incoming-request.js';
import type { IncomingRequestMessage } from 'sip.js/lib/core/messages/incoming-request-message.js';
import { SessionState as DialogState } from 'sip.js/lib/core/session/session.js';
import type { KeptDialog } from '../ports.ts';
import type { SipSignal } from '../state.ts';
import type { ActingSurroundings } from './call-acts.ts';
import { CallDialog } from './call-dialog.ts';
import { CallMedia } from './call-media.ts';
import type { EndedBy, Following } from './call-surroundings.ts';
import { Farewell } from './farewell.ts';
import type { HandingOver } from './handing-over.ts';
import { Holding } from './holding.ts';
import { keptDialog } from './kept-dialog.ts';
import type { LineReturn } from './line.ts';
import { PathMending } from './path-mending.ts';
import { reasonHeader, reasonText } from './reason.ts';
import type { RenegotiationOutcome } from './renegotiation.ts';
import type { SentOn } from './sent-on.ts';
import { SessionTimer } from './session-timer.ts';
import { SilenceWatch } from './silence-watch.ts';

export abstract class SipCall {
  readonly id: CallId;
  readonly media: CallMedia;
  protected readonly around: ActingSurroundings;
  protected readonly timer: SessionTimer;
  protected session: Inviter | Invitation | undefined;
  protected dialog: CallDialog | undefined;
  /** Why the far side's last description could not be used. */
  protected unusable: string | undefined;
  #handing: HandingOver | undefined;
  readonly #farewell: Farewell;
  #sentOn: SentOn | undefined;
  readonly #holding: Holding;
  readonly #mending: PathMending;
  #silence: SilenceWatch | undefined;
  #ended = false;
  #established = false;
  #answered = false;
  #muted = false;
  #farHeld = false;
  #known = '';
  #moving: Following | undefined;

  constructor(id: CallId, around: ActingSurroundings) {
    this.id = id;
    this.around = around;
    const { account, clock, sound } = around;
    const urls = around.iceServers().flatMap((server) => server.urls);
    this.media = new CallMedia({
      call: id,
      sound,
      clock,
      iceServers: around.iceServers(),
      newPeerConnection: around.newPeerConnection,
      newAudioContext: around.newAudioContext,
      profile: account,
      policy: {
        candidates: around.candidates(),
        iceTransportPolicy: account.iceTransportPolicy,
        expectsRelay: urls.some((url) => /^turns?:/i.test(url)),
      },
      onBroken: () => this.#mendPath(),
    });
    this.timer = new SessionTimer({
      clock,
      wantedSeconds: account.sessionSeconds,
      connected: () => around.connected(),
      refresh: () => this.dialog?.refresh(),
      expired: (seconds) =>
        this.#breakOff(408, 'Session timer expired', `The far side gave no sign of life for ${seconds} seconds.`),
    });
    this.#farewell = new Farewell(around);
    this.#holding = new Holding({
      call: id,
      media: this.media,
      connected: () => around.connected(),
      signal: (signal) => this.signal(signal),
      ended: () => this.#ended,
    });
    this.#mending = new PathMending({
      clock,
      prove: () => around.prove(),
      connected: () => around.connected(),
      offer: () => this.#offerPath(),
      evidence: () => this.media.path.evidence(),
      ended: () => this.#ended,
    });
  }

  /** Who sent the INVITE of its session. */
  abstract readonly direction: 'inbound' | 'outbound';
  /** What was dialled, or who called: the user part. */
  abstract readonly number: string;
  /** Ends a call that has no established session yet. @param extraHeaders what a CANCEL says beside it */
  protected abstract giveUp(...extraHeaders: string[]): void;
  /** The line is ready again, and this call had not been answered when it was lost. */
  protected abstract lineCameBack(): void;
  protected abstract onEstablished(): void;
  /** A broken path is mended by a re-INVITE of the call's own. */
  protected get mendsItself(): boolean {
    return true;
  }
  /** The session ended without any of the known reasons; says why if this direction knows. */
  protected abstract explainEnd(): { by: EndedBy; code: number; reason: string };

  get ended(): boolean {
    return this.#ended;
  }
  /** It is just being taken up again. */
  get recovering(): boolean {
    return !this.mendsItself;
  }
  get established(): boolean {
    return this.#established && !this.#ended;
  }
  get currentSession(): Inviter | Invitation | undefined {
    return this.session;
  }
  get connectedDialog(): SessionDialog | undefined {
    return this.established ? (this.session?.dialog as SessionDialog | undefined) : undefined;
  }
  /** What the agent asked for last. */
  get held(): boolean {
    return this.#holding.asked;
  }
  get muted(): boolean {
    return this.#muted;
  }
  get farHeld(): boolean {
    return this.#farHeld;
  }

  /** What a successor must know of it; undefined while there is nothing to know, and when it is over. */
  get kept(): KeptDialog | undefined {
    const { id: call, session, dialog, direction, number, held, farHeld, muted } = this;
    if (this.#ended || !session || !dialog) return undefined;
    const facts = { ...{ call, direction, number, held, farHeld, muted }, ...dialog.farSide };
    return keptDialog(session, { ...facts, sessionSeconds: this.timer.seconds });
  }

  /** Its end is on its way: should the page go first, a successor says it. @returns what says that it arrived */
  protected owe(): () => void {
    const { kept } = this;
    return kept && kept.stage !== 'invited' ? this.around.owe(kept, this) : () => {};
  }

  farSupports(option: string): boolean {
    return this.dialog?.supports(option) ?? false;
  }

  /** Whether a request inside a dialog belongs to this call. */
  owns(message: IncomingRequestMessage): boolean {
    const request = this.session?.request;
    if (request?.callId !== message.callId) return false;
    return this.direction === 'outbound' ? request.fromTag === message.toTag : request.fromTag === message.fromTag;
  }

  /** Takes an UPDATE or PRACK of its dialog. */
  take(request: IncomingRequest): void {
    if (this.dialog && request.message.method === 'UPDATE') this.dialog.update(request);
    else request.reject({ statusCode: 481 });
  }

  /** Ends the call, whatever its phase. */
  hangUp(): void {
    if (this.#ended) return;
    this.#sentOn?.giveUp();
    this.#moving?.giveUp();
    if (this.#established) this.#farewell.say(this.session, this.owe());
    else this.giveUp();
    this.finish('agent', 0, '');
  }

  hold(on: boolean): void {
    this.#holding.hold(on, this.established ? this.dialog : undefined);
  }

  beginHeld(): void {
    this.#holding.begin();
  }

  mute(muted: boolean): void {
    this.#muted = muted;
    this.media.mute(muted);
  }

  /** Another call took this one's place (RFC 3891): the far side goes on there. */
  giveWay(): void {
    if (this.#ended) return;
    // So that nobody counts it as missed.
    const elsewhere = reasonHeader(200, 'Call completed elsewhere');
    if (this.#established) this.#farewell.say(this.session, this.owe(), elsewhere);
    else this.giveUp(elsewhere);
    this.finish('far-side', 0, 'The far side moved to another call.');
  }

  sendDigits(digits: string): void {
    const refuse = (reason: string): void => {
      if (reason !== '') this.signal({ type: 'sip.digits-refused', call: this.id, reason });
    };
    this.around.extras.use(({ sendCallDigits }) => {
      const { session, dialog, media, around } = this;
      void sendCallDigits(digits, media, session, dialog, () => around.connected()).then(refuse);
    }, refuse);
  }

  /** Blind transfer. */
  transfer(to: string): void {
    this.#hand((handing) => handing.blind(to));
  }

  /** Attended transfer: the far side of this call takes our place in `consult`. */
  transferInto(consult: SipCall): void {
    this.#hand((handing) => handing.attended(consult));
  }

  /** The agent wants the call back before the target answers. */
  cancelTransfer(): void {
    this.#hand((handing) => handing.takeBack());
  }

  #hand(run: (handing: HandingOver) => void): void {
    this.around.extras.use(
      ({ HandingOver }) => {
        this.#handing ??= new HandingOver(this, this.around);
        if (!this.#ended) run(this.#handing);
      },
      (reason) => this.signal({ type: 'sip.transfer-refused', call: this.id, reason }),
    );
  }

  leaveAfterTransfer(): void {
    if (this.#ended) return;
    this.#farewell.afterPatience(() => this.hangUp());
  }

  makeRoom(reason: string): Promise<void> {
    const confirmed = this.#farewell.confirmed(this.session);
    this.finish('agent', 0, reason);
    return confirmed;
  }

  /** The line is registered again on a new connection. */
  rejoin(hasStableContact: boolean, how: LineReturn): void {
    if (this.#ended) return;
    // What was asked over the old connection is answered there, where nobody listens any more.
    if (how !== 'moved') this.dialog?.offerAgain();
    if (!this.#established) this.lineCameBack();
    else if (this.#mending.underWay || (how === 'silent' && !this.#silence?.hears)) this.#mending.anew();
    // Servers without GRUU keep sending to the dead connection until a request of ours brings them the new one (RFC 3261 section 12.2.1.1).
    else if (!hasStableContact || this.dialog?.inDoubt) void this.dialog?.renegotiate(() => {});
  }

  /** Something says that the network may be another one: missing packets count sooner. */
  doubtPath(): void {
    this.#silence?.doubt();
  }

  /** Another session of ours is about to take this one's place: until that is settled the far side's farewell is for it to judge. */
  moveInto(next: Following | undefined): void {
    this.#moving = next;
  }

  /** Offers again, by a new peer connection or over the path that there is; the sound of the call depends on it. */
  async offerAnew(afresh: boolean): Promise<RenegotiationOutcome> {
    const over = { ok: false, code: 0, reason: 'the call is over' } as const;
    return (await this.dialog?.renegotiate(() => (afresh ? this.media.startAfresh() : undefined))) ?? over;
  }

  /** It could not be taken up again. */
  beLost(reason: string): void {
    this.#breakOff(503, 'Call lost', reason);
  }

  /** Ends without a word to anybody: somebody else has the call. */
  letGo(): void {
    if (!this.#ended) this.#close();
  }

  /** Goes on where an earlier owner left it. */
  protected goOn(kept: KeptDialog): void {
    this.dialog?.recall(kept);
    this.timer.recall(kept.sessionSeconds);
    this.#farHeld = kept.farHeld;
    this.#established = this.#answered = true;
    if (kept.held) this.beginHeld();
    if (kept.muted) this.mute(true);
  }

  /** Ends without a word to the agent: another session goes on under the same id. */
  retire(): void {
    if (this.#ended) return;
    this.#close();
    // Whoever sent us away hangs up by itself; if not, we do.
    this.#farewell.afterPatience(() => this.#farewell.say(this.session, () => {}));
  }

  signal(signal: SipSignal): void {
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
    this.#close();
    this.around.over(this);
  }

  #close(): void {
    this.#ended = true;
    this.timer.stop();
    this.#silence?.stop();
    this.#mending.stop();
    this.#handing?.stop();
    this.#farewell.forget();
    this.media.close();
  }

  /** Takes a session under this call's care. */
  protected adopt(session: Inviter | Invitation): void {
    this.session = session;
    this.dialog = new CallDialog({
      session,
      media: this.media,
      timer: this.timer,
      around: this.around,
      weCalled: this.direction === 'outbound',
      onUnusable: (reason) => {
        this.unusable = reason;
      },
      onRemote: (held) => {
        if (this.#farHeld === held) return;
        // Our own hold makes an honest far side answer recvonly or inactive; only what it does to us counts.
        if (this.#holding.agreed && held) return;
        this.#farHeld = held;
        if (this.#answered) this.signal({ type: held ? 'sip.far-held' : 'sip.far-resumed', call: this.id });
      },
      onIdentified: (farSide) => this.identify(farSide),
      onLost: (reason) => this.#breakOff(481, 'Call does not exist', reason),
    });
    session.stateChange.addListener((state) => {
      if (this.session !== session) return;
      if (state === SessionState.Established) this.#onEstablished();
      // The response that explains the end is delivered right after this; let it speak first.
      if (state === SessionState.Terminated)
        queueMicrotask(() => {
          if (this.session === session) this.#onSessionGone();
        });
    });
  }

  /** Who the far side is; told when it is news. `silently`: the agent knows already. */
  protected identify(farSide: Party, silently = false): void {
    const known = JSON.stringify([farSide.number, farSide.name]);
    if (known === this.#known) return;
    this.#known = known;
    if (!silently) this.signal({ type: 'sip.identified', call: this.id, farSide });
  }

  /** Delegate parts that both directions share. */
  protected get sharedDelegate() {
    return {
      onBye: (bye: Bye) => {
        void bye.accept().catch(() => {});
        this.#handing?.farSideLeft();
        if (this.#sentOn?.underWay) this.#sentOn.farSideLeft();
        else if (this.#moving) this.#moving.farSideLeft();
        else this.finish('far-side', 0, reasonText(bye.request.getHeader('reason')));
      },
      onNotify: (notification: Notification) => {
        if (this.#handing) this.#handing.notify(notification);
        else void notification.accept().catch(() => {});
      },
      onRefer: (referral: Referral) =>
        this.around.extras.use(
          ({ SentOn }) => {
            this.#sentOn ??= new SentOn(this, this.around);
            this.#sentOn.take(referral, this.connectedDialog);
          },
          () => void referral.reject({ statusCode: 603 }).catch(() => {}),
        ),
    };
  }

  /** The far side is connected and knows it. */
  protected markAnswered(): void {
    if (this.#answered || this.#ended) return;
    this.#answered = true;
    this.signal({ type: 'sip.answered', call: this.id });
    if (this.#farHeld) this.signal({ type: 'sip.far-held', call: this.id });
  }

  #onEstablished(): void {
    const { session } = this;
    if (!session) return;
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
    this.watchSound();
    this.onEstablished();
    if (this.media.takeOtherBranch()) void this.dialog?.renegotiate(() => this.media.startAfresh());
  }

  /** From here on the far side's sound is expected. */
  protected watchSound(): void {
    this.#silence = new SilenceWatch({
      clock: this.around.clock,
      received: () => this.media.path.received(),
      expected: () => !(this.held || this.#farHeld || this.#handing?.underWay),
      onSilence: () => this.#mendPath(),
    });
  }

  #onSessionGone(): void {
    if (this.#ended || this.#sentOn?.underWay || this.#moving) return;
    const { by, code, reason } = this.explainEnd();
    this.finish(by, code, reason);
  }

  /** The far side that sent us away, and hung up, could not be replaced: that is this call's end. */
  farSideGone(reason: string): void {
    this.finish('far-side', 0, reason);
  }

  #breakOff(cause: number, text: string, reason: string): void {
    if (this.#ended) return;
    this.#farewell.say(this.session, this.owe(), reasonHeader(cause, text));
    this.finish('network', 0, reason);
  }

  async #offerPath(): Promise<boolean> {
    const { media } = this;
    const before = media.farKey;
    const outcome = await this.dialog?.renegotiate(() => media.restartPath(this.around.iceServers()));
    if (!outcome?.ok) return false;
    // Another media server answers than before. Chromium stays with the dead path for 1.5 s more; a new connection is up in a tenth of that.
    if (media.farKey !== before) return (await this.offerAnew(true)).ok;
    return true;
  }

  /** Shortcoming 9: nothing in sip.js notices a broken path or restarts ICE. */
  #mendPath(): void {
    this.around.log('warn', 'call.path-broken', { call: this.id });
    if (this.established && this.mendsItself) this.#mending.begin();
  }
}
