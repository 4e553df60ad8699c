/**
 * Owns one SIP session of a call: its descriptions, re-INVITE and UPDATE in both directions, and what the far side says about itself.
 * Must never end the call or tell the agent anything: the call decides what it means.
 */
import type { Party } from '@patchcord/call-protocol';
import type { Session } from 'sip.js/lib/api/session.js';
import { SessionState } from 'sip.js/lib/api/session-state.js';
import type { SessionDialog } from 'sip.js/lib/core/dialogs/session-dialog.js';
import { getBody } from 'sip.js/lib/core/messages/body.js';
import type { IncomingRequest } from 'sip.js/lib/core/messages/incoming-request.js';
import type { IncomingRequestMessage } from 'sip.js/lib/core/messages/incoming-request-message.js';
import type { ResponseOptions } from 'sip.js/lib/core/messages/outgoing-response.js';
import { SessionState as DialogState } from 'sip.js/lib/core/session/session.js';
import type { KeptDialog } from '../ports.ts';
import type { CallMedia } from './call-media.ts';
import type { CallSurroundings } from './call-surroundings.ts';
import { type HeaderSource, identified } from './caller-headers.ts';
import { dialogOf, sendInside } from './dialog-requests.ts';
import { plain } from './party.ts';
import { Renegotiation, type RenegotiationOutcome } from './renegotiation.ts';
import { SessionDescription } from './session-description.ts';
import type { SessionTimer } from './session-timer.ts';
import { refreshTarget } from './target-refresh.ts';

export interface CallDialogOptions {
  readonly session: Session;
  readonly media: CallMedia;
  readonly timer: SessionTimer;
  readonly around: CallSurroundings;
  readonly weCalled: boolean;
  /** The far side's description is in place. `held`: it sends nothing but music, or nothing at all. */
  readonly onRemote: (held: boolean) => void;
  readonly onUnusable: (reason: string) => void;
  readonly onIdentified: (farSide: Party) => void;
  /** The far side no longer knows the call. */
  readonly onLost: (reason: string) => void;
}

/** What sip.js keeps to itself, and the only way to it. */
interface OpenSession {
  pendingReinvite: boolean;
  onInviteRequest(request: IncomingRequest): void;
}

/** Longest Supported, Allow and Server that are kept. */
const longestList = 1_000;
const longestName = 200;

/** RFC 3261 section 8.2.3. Taken for a re-INVITE without an offer, it would get one of ours, never answer it, and so end the call. */
export const unknownType: ResponseOptions = { statusCode: 415, extraHeaders: ['Accept: application/sdp'] };

/** A body that is no description, and that may not be passed over. */
export function isForeign(message: IncomingRequestMessage): boolean {
  const body = getBody(message);
  if (!body || body.contentDisposition === 'session') return false;
  return !/;\s*handling\s*=\s*"?optional/i.test(message.getHeader('content-disposition') ?? '');
}

export class CallDialog {
  readonly #options: CallDialogOptions;
  readonly #description: SessionDescription;
  readonly #renegotiation: Renegotiation;
  #allows: string | undefined;
  #supports = '';
  #peer = '';

  constructor(options: CallDialogOptions) {
    this.#options = options;
    const { session, media, timer, around } = options;
    this.#description = new SessionDescription(media, {
      onRemote: options.onRemote,
      onUnusable: options.onUnusable,
      isUp: () => session.state === SessionState.Established,
    });
    session.data = this.#description;
    this.#renegotiation = new Renegotiation({
      session,
      clock: around.clock,
      random: around.random,
      weCalled: options.weCalled,
      headers: () => timer.requestHeaders(),
      onAgreed: (response) => {
        timer.agreed(response);
        this.heard(response);
      },
      tooShort: (response) => timer.tooShort(response),
      rollBack: () => media.rollBack(),
      unusable: () => this.#description.takeUnusable(),
    });
    const open = session as unknown as OpenSession;
    const take = open.onInviteRequest.bind(session);
    open.onInviteRequest = (request) => this.#onReinvite(request, take);
  }

  /** Whether the far side's Allow names the method; undefined: it sent none. */
  allows(method: string): boolean | undefined {
    return this.#allows?.split(',').some((it) => it.trim().toUpperCase() === method);
  }

  /** Whether the far side's Supported names the option. */
  supports(option: string): boolean {
    return this.#supports.split(',').some((it) => it.trim().toLowerCase() === option);
  }

  /** What the far side said of itself so far, bounded; empty where it said nothing. */
  get farSide(): Pick<KeptDialog, 'supports' | 'allows' | 'peer'> {
    return { supports: this.#supports, allows: this.#allows ?? '', peer: this.#peer };
  }

  /** What an earlier owner heard. */
  recall({ supports, allows, peer }: KeptDialog): void {
    this.#supports = supports;
    this.#allows = allows === '' ? undefined : allows;
    this.#peer = peer;
  }

  /** Takes note of what a message of the far side says about it. */
  heard(message: HeaderSource): void {
    const allow = plain(message.getHeaders('allow').join(','), longestList);
    const supported = plain(message.getHeaders('supported').join(','), longestList);
    const peer = plain(message.getHeader('server') ?? message.getHeader('user-agent') ?? '', longestName);
    if (allow !== '') this.#allows = allow;
    if (supported !== '') this.#supports = supported;
    if (peer !== '') this.#peer = peer;
    const party = identified(message);
    if (party) this.#options.onIdentified(party);
  }

  /** Offers anew, in turn. Never rejects. 481 and 408 mean that the dialog is gone (RFC 5057 section 5.1). */
  async renegotiate(prepare: () => Promise<void> | void): Promise<RenegotiationOutcome> {
    const outcome = await this.#renegotiation.run(prepare);
    if (!outcome.ok) this.#judge(outcome.code);
    return outcome;
  }

  /** Whether the far side may go by an offer that failed here: its answer was lost. */
  get inDoubt(): boolean {
    return this.#renegotiation.inDoubt;
  }

  /** The connection that an offer of ours left over is gone: it is made again. */
  offerAgain(): void {
    this.#renegotiation.abandon();
  }

  /** Gives a sign of life: by UPDATE where the far side takes it, which leaves the sound alone. */
  refresh(): void {
    const { session, timer, around } = this.#options;
    const { dialog } = session;
    if (!dialog || session.state !== SessionState.Established) return;
    if (!this.allows('UPDATE')) {
      void this.renegotiate(() => {});
      return;
    }
    const headers = [`Contact: ${around.userAgent.contact.toString()}`, ...timer.requestHeaders()];
    sendInside(dialog as SessionDialog, 'UPDATE', headers, (response) => {
      const code = response.statusCode ?? 0;
      if (session.state !== SessionState.Established) return;
      if (code < 300) {
        timer.agreed(response);
        this.heard(response);
      } else if (code === 405 || code === 501) {
        this.#allows = this.#allows?.replace(/\bUPDATE\b/gi, '');
        this.refresh();
      } else if (code === 422 && timer.tooShort(response)) this.refresh();
      else this.#judge(code);
    });
  }

  /** Takes an UPDATE (RFC 3311): a sign of life, another identity, a new contact, or an offer. */
  update(request: IncomingRequest): void {
    const { timer, around } = this.#options;
    const { message } = request;
    const dialog = dialogOf(around.userAgent.userAgentCore, message) as SessionDialog | undefined;
    if (!dialog) return void request.reject({ statusCode: 481 });
    if (isForeign(message)) return void request.reject(unknownType);
    const { refusal, headers } = timer.answer(message);
    if (refusal) return void request.reject({ statusCode: 422, extraHeaders: headers });
    refreshTarget(dialog, message);
    this.heard(message);
    const answer = {
      statusCode: 200,
      extraHeaders: [`Contact: ${around.userAgent.contact.toString()}`, ...headers],
    };
    const offer = getBody(message);
    if (offer?.contentDisposition !== 'session') request.accept(answer);
    else void this.#answerOffer(request, dialog, offer.content, answer);
  }

  async #answerOffer(
    request: IncomingRequest,
    dialog: SessionDialog,
    offer: string,
    answer: ResponseOptions,
  ): Promise<void> {
    const { session } = this.#options;
    const open = session as unknown as OpenSession;
    if (open.pendingReinvite || dialog.reinviteUserAgentClient) return void request.reject({ statusCode: 491 });
    if (dialog.reinviteUserAgentServer)
      return void request.reject({ statusCode: 500, extraHeaders: ['Retry-After: 1'] });
    // Before the answer the browser can take no second offer.
    if (session.state !== SessionState.Established) return void request.reject({ statusCode: 488 });
    // An offer of ours waits for its turn meanwhile, as after glare.
    open.pendingReinvite = true;
    try {
      dialog.signalingStateTransition(request.message);
      await this.#description.setDescription(offer);
      const { body, contentType } = await this.#description.getDescription();
      const description = { contentDisposition: 'session', contentType, content: body };
      dialog.signalingStateTransition(description);
      request.accept({ ...answer, body: description });
    } catch {
      await this.#description.rollbackDescription().catch(() => {});
      dialog.signalingStateRollback();
      request.reject({ statusCode: 488 });
    } finally {
      open.pendingReinvite = false;
    }
  }

  #onReinvite(request: IncomingRequest, take: (request: IncomingRequest) => void): void {
    const { session, timer } = this.#options;
    // The answer to the first INVITE is still being taken in; sip.js would not answer at all. Or ours is not acknowledged yet (RFC 3261 section 14.1);
    // were the offer of no use, sip.js would say BYE too early, and throw where nobody catches.
    if (session.state !== SessionState.Established || session.dialog?.sessionState === DialogState.AckWait)
      return void request.reject({ statusCode: 491 });
    if (isForeign(request.message)) return void request.reject(unknownType);
    const { refusal, headers } = timer.answer(request.message);
    if (refusal) return void request.reject({ statusCode: 422, extraHeaders: headers });
    const accept = request.accept.bind(request);
    request.accept = (options) =>
      accept({ statusCode: 200, ...options, extraHeaders: [...(options?.extraHeaders ?? []), ...headers] });
    take(request);
    this.heard(request.message);
  }

  #judge(code: number): void {
    if (code === 481 || (code === 408 && this.#options.around.connected()))
      this.#options.onLost('The PBX no longer knows this call.');
  }
}
