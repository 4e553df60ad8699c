/**
 * Owns how a call we place begins: the INVITE, what rings, early media, the answer, the refusal, the second try with all candidates.
 * Must never send an INVITE before the microphone is there.
 */
import type { CallId } from '@patchcord/call-protocol';
import { errorCode } from '@patchcord/call-protocol';
import { Inviter } from 'sip.js/lib/api/inviter.js';
import { SessionState } from 'sip.js/lib/api/session-state.js';
import type { IncomingResponse } from 'sip.js/lib/core/messages/incoming-response.js';
import type { IncomingByeRequest } from 'sip.js/lib/core/messages/methods/bye.js';
import type { PrackableIncomingResponseWithSession } from 'sip.js/lib/core/messages/methods/invite.js';
import type { URI } from 'sip.js/lib/grammar/uri.js';
import { type CallSurroundings, type EndedBy, reasonText, SipCall, tellableCallId } from './sip-call.ts';

/** How long an unanswered call survives a lost line; the answer would go to the dead connection. */
const lostLineMs = 5_000;
/** After a description in a provisional response: how long sound may take before the agent hears a local ringback instead. */
const soundWithinMs = 600;

/** A far side that answers and hangs up at once: sip.js drops a BYE that comes while the answer is still being applied, and answers nothing. */
class PlacedSession extends Inviter {
  protected override onByeRequest(request: IncomingByeRequest): void {
    if (this.state === SessionState.Establishing) request.accept();
    else super.onByeRequest(request);
  }
}

export class OutboundCall extends SipCall {
  readonly direction = 'outbound';
  readonly #target: URI;
  #triedFully = false;
  #listening = false;
  #soundCame = false;
  #lostTimer: unknown;
  #failure: { by: EndedBy; code: number; reason: string } | undefined;

  constructor(id: CallId, target: URI, around: CallSurroundings) {
    super(id, around);
    this.#target = target;
    this.#triedFully = around.candidates() === 'full';
  }

  /**
   * Prepares and sends the INVITE. The microphone and the candidates are fetched side by side.
   * @param microphoneGranted false until this page was allowed to use the microphone: before that the browser masks its addresses.
   */
  async place(microphoneGranted: boolean): Promise<void> {
    try {
      const microphone = this.media.openMicrophone();
      if (!microphoneGranted) await microphone;
      // Both are awaited below; a failure of the one must not leave the other unhandled.
      const offer = this.media.offer();
      await Promise.all([microphone, offer]);
    } catch (error) {
      return this.#fail(error);
    }
    await this.#invite();
  }

  protected giveUp(): void {
    const session = this.session;
    if (
      session instanceof Inviter &&
      (session.state === SessionState.Initial || session.state === SessionState.Establishing)
    )
      void session.cancel().catch(() => {});
  }

  /** Responses to our INVITE went down with the connection: nobody would notice the answer. */
  lineLost(): void {
    if (this.established || this.ended || !this.session) return;
    this.#lostTimer ??= this.around.clock.setTimeout(() => this.lineCameBack(), lostLineMs);
  }

  protected lineCameBack(): void {
    this.around.clock.clearTimeout(this.#lostTimer);
    if (this.ended || this.established) return;
    this.giveUp();
    this.finish('network', 0, 'The connection to the PBX was lost while the call was being placed.');
  }

  protected onEstablished(): void {
    this.around.clock.clearTimeout(this.#lostTimer);
    this.markAnswered();
  }

  protected explainEnd(): { by: EndedBy; code: number; reason: string } {
    if (this.unusable !== undefined) return { by: 'network', code: 488, reason: this.unusable };
    return this.#failure ?? { by: 'network', code: 0, reason: 'The call could not be set up.' };
  }

  async #invite(): Promise<void> {
    if (this.ended) return;
    if (!this.around.connected()) return this.finish('network', 0, 'The line is down.');
    const session = new PlacedSession(this.around.userAgent, this.#target, {
      // Early media is applied here, as a provisional answer: sip.js's own way ends the call when the INVITE was forked.
      earlyMedia: false,
    });
    session.delegate = this.sharedDelegate;
    this.adopt(session);
    try {
      await session.invite({
        requestDelegate: {
          onProgress: (response) => this.#onProgress(response as PrackableIncomingResponseWithSession),
          onReject: (response) => this.#onFinal(session, response),
          onRedirect: (response) => this.#onFinal(session, response),
        },
      });
      this.signal({ type: 'sip.dialing', call: this.id, sipCallId: tellableCallId(session.request.callId) });
    } catch (error) {
      this.#fail(error);
    }
  }

  #onProgress(response: PrackableIncomingResponseWithSession): void {
    if (this.ended || this.established) return;
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
      this.#soundCame = await this.media.soundArrives(() => this.established);
      if (this.#soundCame) tell();
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
      void this.media
        .offer()
        .then(() => this.#invite())
        .catch((error: unknown) => this.#fail(error));
      // The first session is done with; the call goes on with the next.
      this.session = undefined;
      return;
    }
    // A timeout or a lost socket comes as a response that sip.js made up itself; it has no Via.
    const network = response.message.getHeader('via') === undefined;
    this.#failure = {
      by: network ? 'network' : 'far-side',
      code,
      reason: reasonText(response.message.getHeader('reason')) || (response.message.reasonPhrase ?? ''),
    };
    this.finish(this.#failure.by, code, this.#failure.reason);
  }

  #fail(error: unknown): void {
    if (this.ended) return;
    const reason = error instanceof Error ? error.message : 'The call could not be prepared.';
    this.around.log('warn', 'call.not-placed', { call: this.id, code: errorCode(error) });
    this.giveUp();
    this.finish('network', 0, reason);
  }
}
