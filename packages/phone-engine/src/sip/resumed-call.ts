/**
 * Owns a call of an earlier owner, on the dialog that is left of it: up as far as the signalling goes, without sound until an offer of ours is taken.
 * Must never mend or hold itself before it is taken up: `Recovery` decides by which way that happens.
 */
import type { KeptDialog } from '../ports.ts';
import type { ActingSurroundings } from './call-acts.ts';
import type { EndedBy } from './call-surroundings.ts';
import type { LineReturn } from './line.ts';
import type { RenegotiationOutcome } from './renegotiation.ts';
import { ResumedSession } from './resumed-session.ts';
import { SipCall } from './sip-call.ts';

export class ResumedCall extends SipCall {
  readonly direction: 'inbound' | 'outbound';
  readonly number: string;
  /** The line came back while it was being taken up. Undefined: it is up. */
  onLineBack: (() => void) | undefined = () => {};
  readonly #session: ResumedSession;
  /** An offer was made that has not left yet. */
  #prepared = false;

  /** @throws where the dialog cannot be used */
  constructor(kept: KeptDialog, around: ActingSurroundings) {
    super(kept.call, around);
    this.direction = kept.direction;
    this.number = kept.number;
    try {
      this.#session = new ResumedSession(around.userAgent, kept);
    } catch (error) {
      this.letGo();
      throw error;
    }
    this.#session.delegate = this.sharedDelegate;
    this.adopt(this.#session);
    this.goOn(kept);
  }

  /** Fetches microphone, connection and offer while there is no line yet. Without a microphone the far side is at least heard. */
  async prepare(microphoneGranted: boolean): Promise<void> {
    const microphone = this.#openMicrophone();
    if (!microphoneGranted) await microphone;
    this.#prepared = true;
    await Promise.all([microphone, this.media.offer()]);
  }

  override offerAnew(afresh: boolean): Promise<RenegotiationOutcome> {
    this.#session.tellContact();
    const again = afresh && !this.#prepared;
    this.#prepared = false;
    void this.#openMicrophone();
    return super.offerAnew(again);
  }

  #openMicrophone(): Promise<void> {
    return this.media.openMicrophone().catch(() => this.around.log('warn', 'call.speechless', { call: this.id }));
  }

  override rejoin(hasStableContact: boolean, how: LineReturn): void {
    if (!this.onLineBack) {
      super.rejoin(hasStableContact, how);
      return;
    }
    // What was asked over the old connection is answered there, where nobody listens any more.
    if (how !== 'moved') this.dialog?.offerAgain();
    this.onLineBack();
  }

  override hold(on: boolean): void {
    if (!this.onLineBack) super.hold(on);
    else this.signal({ type: 'sip.hold-refused', call: this.id, reason: 'The call is just being taken up again.' });
  }

  /** It has sound again. */
  isBack(): void {
    this.onLineBack = undefined;
    // Another call may have taken its place.
    if (!this.ended) this.watchSound();
  }

  lineLost(): void {}

  protected override get mendsItself(): boolean {
    return this.onLineBack === undefined;
  }
  protected giveUp(): void {}
  protected lineCameBack(): void {}
  protected onEstablished(): void {}
  protected explainEnd(): { by: EndedBy; code: number; reason: string } {
    return { by: 'network', code: 0, reason: this.unusable ?? 'The call broke off.' };
  }
}
