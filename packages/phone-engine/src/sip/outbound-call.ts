/**
 * Owns how a call we place begins: the INVITE, what rings, early media, the answer, the refusal, and the tries after it: with all candidates, with a
 * longer session interval, where a redirect points. Must never send an INVITE before the microphone is there, unless none is wanted.
 */
import type { CallId } from '@patchcord/call-protocol';
import { errorCode } from '@patchcord/call-protocol';
import { Inviter } from 'sip.js/lib/api/inviter.js';
import { SessionState } from 'sip.js/lib/api/session-state.js';
import type { IncomingResponse } from 'sip.js/lib/core/messages/incoming-response.js';
import type { IncomingResponseMessage } from 'sip.js/lib/core/messages/incoming-response-message.js';
import type { IncomingByeRequest } from 'sip.js/lib/core/messages/methods/bye.js';
import type { PrackableIncomingResponseWithSession } from 'sip.js/lib/core/messages/methods/invite.js';
import type { URI } from 'sip.js/lib/grammar/uri.js';
import type { KeptDialog } from '../ports.ts';
import type { ActingSurroundings } from './call-acts.ts';
import type { EndedBy } from './call-surroundings.ts';
import { tellableCallId } from './caller-headers.ts';
import { reasonHeader, reasonText } from './reason.ts';
import { nextTarget, targetUri } from './redirection.ts';
import { SipCall } from './sip-call.ts';

/** How long an unanswered call survives a lost line; the answer would go to the dead connection. */
const lostLineMs = 5_000;
/** After a description in a provisional response: how long sound may take before the agent hears a local ringback instead. */
const soundWithinMs = 600;

const isUnanswered = ({ state }: Inviter): boolean =>
  state === SessionState.Initial || state === SessionState.Establishing;

/** Of a call that was to be taken over. */
const tooLate = 'Somebody else took it, or the caller gave up.';

/** A far side that answers and hangs up at once: sip.js drops a BYE that comes while the answer is still being applied, and answers nothing. */
class PlacedSession extends Inviter {
  protected override onByeRequest(request: IncomingByeRequest): void {
    if (this.state === SessionState.Establishing) request.accept();
    else super.onByeRequest(request);
  }
}

export interface OutboundOptions {
  /** The number that the far side shall see. */
  readonly callerId?: string;
  /** Header lines of the INVITE. */
  readonly headers?: readonly string[];
  /** `call-id;to-tag=…;from-tag=…`, and `;early-only`: the dialog of somebody else that this call takes over (RFC 3891). */
  readonly takesOver?: string;
  /** Nobody speaks on it. */
  readonly withoutMicrophone?: boolean;
  /** It takes the place of a call of ours: what that was dialled as, who we were in it, and the way it took. */
  readonly inPlaceOf?: { readonly number: string; readonly from: URI | undefined; readonly routes: readonly string[] };
}

export class OutboundCall extends SipCall {
  readonly direction = 'outbound';
  readonly #options: OutboundOptions;
  #target: URI;
  /** Where it has been sent to. */
  readonly #visited: string[];
  #triedFully = false;
  #listening = false;
  #soundCame = false;
  #lostTimer: unknown;
  #failure: { by: EndedBy; code: number; reason: string } | undefined;

  constructor(id: CallId, target: URI, around: ActingSurroundings, options: OutboundOptions = {}) {
    super(id, around);
    this.#options = options;
    this.#target = target;
    this.#visited = [target.toString()];
    this.identify({ number: target.user ?? '' }, true);
    this.#triedFully = around.candidates() === 'full';
  }

  /**
   * Prepares and sends the INVITE. The microphone and the candidates are fetched side by side.
   * @param microphoneGranted false until this page was allowed to use the microphone: before that the browser masks its addresses.
   */
  async place(microphoneGranted: boolean): Promise<void> {
    if (await this.prepare(microphoneGranted)) await this.send();
  }

  /** Fetches what the INVITE needs. False: it could not, and the call has ended. */
  async prepare(microphoneGranted: boolean): Promise<boolean> {
    try {
      const { withoutMicrophone, inPlaceOf } = this.#options;
      const opened = withoutMicrophone ? undefined : this.media.openMicrophone();
      // Of a call that is up already the far side is at least heard.
      const microphone = inPlaceOf ? opened?.catch(() => {}) : opened;
      if (!microphoneGranted) await microphone;
      // Both are awaited below; a failure of the one must not leave the other unhandled.
      const offer = this.media.offer();
      await Promise.all([microphone, offer]);
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  /** Sends the INVITE that was prepared. */
  send(): Promise<void> {
    return this.#invite();
  }

  get number(): string {
    return this.#options.inPlaceOf?.number ?? this.#target.user ?? '';
  }

  /** Nobody takes up a code that hangs up by itself. */
  override get kept(): KeptDialog | undefined {
    return this.#options.withoutMicrophone ? undefined : super.kept;
  }

  protected giveUp(...extraHeaders: string[]): void {
    const session = this.session;
    if (session instanceof Inviter && isUnanswered(session)) {
      const heard = this.owe();
      session.stateChange.addListener((state) => {
        if (state === SessionState.Terminated) heard();
      });
      const cancel = () => {
        if (isUnanswered(session)) void session.cancel({ extraHeaders }).catch(() => {});
      };
      // Into a dead connection it would be lost, and somebody would answer to nobody.
      if (this.around.connected()) cancel();
      else this.around.whenReady(cancel);
    }
  }

  /** Responses to our INVITE went down with the connection: nobody would notice the answer. */
  lineLost(): void {
    if (this.established || this.ended || !this.session) return;
    this.#lostTimer ??= this.around.clock.setTimeout(() => this.lineCameBack(), lostLineMs);
  }

  protected lineCameBack(): void {
    this.around.clock.clearTimeout(this.#lostTimer);
    if (this.ended || this.established) return;
    const { kept } = this;
    this.giveUp(reasonHeader(503, 'Connection lost'));
    // sip.js waits with its CANCEL for a provisional response that may have gone down with the connection.
    if (kept) this.around.endLost(kept);
    this.finish('network', 0, 'The connection to the PBX was lost while the call was being placed.');
  }

  protected onEstablished(): void {
    this.around.clock.clearTimeout(this.#lostTimer);
    this.markAnswered();
  }

  protected explainEnd(): { by: EndedBy; code: number; reason: string } {
    if (this.unusable !== undefined) return { by: 'network', code: 488, reason: this.unusable };
    const reason = this.established ? 'The call broke off.' : 'The call could not be set up.';
    return this.#failure ?? { by: 'network', code: 0, reason };
  }

  async #invite(): Promise<void> {
    if (this.ended) return;
    if (!this.around.connected()) return this.finish('network', 0, 'The line is down.');
    const session = new PlacedSession(this.around.userAgent, this.#target, {
      ...this.#identity(),
      // Early media is applied here, as a provisional answer: sip.js's own way ends the call when the INVITE was forked.
      earlyMedia: false,
    });
    session.delegate = this.sharedDelegate;
    this.adopt(session);
    try {
      await session.invite({
        requestDelegate: {
          onAccept: ({ message }) => {
            if (this.session !== session || this.ended) return;
            this.timer.agreed(message);
            this.dialog?.heard(message);
          },
          onProgress: (response) => this.#onProgress(session, response as PrackableIncomingResponseWithSession),
          onReject: (response) => this.#onFinal(session, response),
          onRedirect: (response) => this.#onFinal(session, response),
        },
      });
      this.signal({ type: 'sip.dialing', call: this.id, sipCallId: tellableCallId(session.request.callId) });
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Who calls, and what else the INVITE says. */
  #identity(): {
    readonly extraHeaders: string[];
    readonly params?: { readonly fromUri?: URI; readonly routeSet?: string[] };
  } {
    const { account } = this.around;
    const { callerId, headers = [], takesOver, inPlaceOf } = this.#options;
    const replaces = takesOver === undefined ? [] : [`Replaces: ${takesOver}`];
    const extraHeaders = [...headers, ...replaces, ...this.timer.requestHeaders()];
    if (inPlaceOf) {
      const { from, routes } = inPlaceOf;
      return {
        extraHeaders,
        params: { ...(from && { fromUri: from }), ...(routes.length > 0 && { routeSet: [...routes] }) },
      };
    }
    const shown = callerId === undefined ? undefined : targetUri(callerId, account.domain);
    if (!shown) return { extraHeaders };
    if (account.callerIdIn === 'from') return { extraHeaders, params: { fromUri: shown } };
    return { extraHeaders: [...extraHeaders, `P-Preferred-Identity: <${shown.toString()}>`] };
  }

  #onProgress(session: Inviter, response: PrackableIncomingResponseWithSession): void {
    if (this.ended || this.established || this.session !== session) return;
    // One branch of a forked call is over (RFC 6228); nothing rings there any more.
    if (response.message.statusCode === 199) return;
    this.dialog?.heard(response.message);
    const { answer } = response.session;
    if (!answer) {
      this.signal({ type: 'sip.ringing', call: this.id, earlyMedia: this.#soundCame });
      return;
    }
    // Only one branch of a forked call can be heard before the answer: the first that offers sound.
    if (this.#listening) return;
    this.#listening = true;
    void this.#listenEarly(answer.content);
  }

  /** Early media counts as such when sound really comes: many PBX send a description and then silence, and the agent would hear nothing at all. */
  async #listenEarly(answer: string): Promise<void> {
    const { clock, log } = this.around;
    const tell = () => {
      if (!this.ended && !this.established)
        this.signal({ type: 'sip.ringing', call: this.id, earlyMedia: this.#soundCame });
    };
    const silent = clock.setTimeout(tell, soundWithinMs);
    try {
      await this.media.takeRemote(answer, true);
      const over = () => this.established || this.ended;
      while (await this.media.path.soundComes(over)) {
        clock.clearTimeout(silent);
        this.#soundCame = true;
        tell();
        // An announcement may end long before somebody answers: the agent then hears that it goes on ringing.
        if (!(await this.media.path.soundStops(over))) break;
        this.#soundCame = false;
        tell();
      }
    } catch {
      log('warn', 'call.early-media-unusable', { call: this.id });
      tell();
    } finally {
      clock.clearTimeout(silent);
    }
  }

  #onFinal(session: Inviter, response: IncomingResponse): void {
    if (this.ended || this.session !== session) return;
    const code = response.message.statusCode ?? 0;
    // What a first host candidate is worth depends on the PBX: some refuse an offer with private addresses only.
    if (code === 488 && !this.#triedFully) {
      this.#triedFully = true;
      this.around.learnFullCandidates();
      this.media.gatherFully();
      this.#inviteAgain();
      return;
    }
    if (code === 422 && this.timer.tooShort(response.message)) {
      this.#inviteAgain();
      return;
    }
    const redirected = code >= 300 && code < 400 ? this.#redirected(response.message) : undefined;
    if (redirected === '') return;
    // A timeout or a lost socket comes as a response that sip.js made up itself; it has no Via.
    const network = response.message.getHeader('via') === undefined;
    this.#failure = {
      by: network ? 'network' : 'far-side',
      code,
      reason:
        (code === 481 && this.#options.takesOver !== undefined ? tooLate : undefined) ??
        redirected ??
        (reasonText(response.message.getHeader('reason')) || (response.message.reasonPhrase ?? '').slice(0, 120)),
    };
    this.finish(this.#failure.by, code, this.#failure.reason);
  }

  /** Goes where a 3xx points; says in plain words why not, or nothing. */
  #redirected(response: IncomingResponseMessage): string {
    const next = nextTarget(response, this.#visited, this.around.account.domain);
    if (typeof next === 'string') return next;
    this.#target = next;
    this.#visited.push(next.toString());
    this.#inviteAgain();
    return '';
  }

  /** The first session is done with; the call goes on with the next. */
  #inviteAgain(): void {
    this.session = undefined;
    // What was heard of the first cannot be taken back on the same connection.
    if (this.#listening) this.media.startAfresh();
    this.#listening = this.#soundCame = false;
    void this.media
      .offer()
      .then(() => this.#invite())
      .catch((error: unknown) => this.#fail(error));
  }

  #fail(error: unknown): void {
    if (this.ended) return;
    const reason = error instanceof Error ? error.message : 'The call could not be prepared.';
    this.around.log('warn', 'call.not-placed', { call: this.id, code: errorCode(error) });
    this.giveUp();
    this.finish('network', 0, reason);
  }
}
