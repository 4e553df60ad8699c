/**
 * A SIP port without SIP: keeps the port's obligations, remembers every command, and has pedals for the far side and the network.
 * By itself it registers, holds and resumes at once, as a good network would; set `registers`, `holds` or `transfers` for other weather.
 * Signals arrive during the command or the pedal that causes them.
 */
import { type CallId, newCallId, type Party } from '@patchcord/call-protocol';
import type { IceServer, KeptDialog, MixedCall, SipAccount, SipCredential, SipPort, Watching } from '../ports.ts';
import type { DeclineCode, Mailbox, RecoveryWay, SipSignal, Watched } from '../state.ts';

export type SipCommand =
  | { readonly type: 'start'; readonly account: SipAccount; readonly credential: SipCredential }
  | { readonly type: 'renew'; readonly credential: SipCredential }
  | { readonly type: 'stop' }
  | { readonly type: 'dial'; readonly call: CallId; readonly target: string; readonly callerId?: string }
  | { readonly type: 'pick-up'; readonly call: CallId; readonly extension: string; readonly code: string | null }
  | { readonly type: 'redirect'; readonly call: CallId; readonly to: string }
  | { readonly type: 'cancel-transfer'; readonly call: CallId }
  | { readonly type: 'mix'; readonly members: readonly MixedCall[] }
  | { readonly type: 'watch'; readonly watching: Watching }
  | { readonly type: 'send-code'; readonly code: string }
  | { readonly type: 'answer'; readonly call: CallId }
  | { readonly type: 'decline'; readonly call: CallId; readonly code: DeclineCode }
  | { readonly type: 'hang-up'; readonly call: CallId }
  | { readonly type: 'hold'; readonly call: CallId; readonly on: boolean }
  | { readonly type: 'mute'; readonly call: CallId; readonly muted: boolean }
  | { readonly type: 'send-digits'; readonly call: CallId; readonly digits: string }
  | { readonly type: 'transfer'; readonly call: CallId; readonly to: string }
  | { readonly type: 'transfer-attended'; readonly call: CallId; readonly consult: CallId }
  | { readonly type: 'take-up'; readonly dialogs: readonly KeptDialog[] }
  | { readonly type: 'hand-over' };

type Phase = 'dialing' | 'incoming' | 'up';
interface FakeCall {
  phase: Phase;
  readonly direction: 'inbound' | 'outbound';
  readonly number: string;
  readonly sipCallId: string;
  held: boolean;
  farHeld: boolean;
  muted: boolean;
  /** Of an earlier owner, and not up again yet. */
  lost: boolean;
  /** The transfer under way: ended together when it is done. */
  transfer: { readonly consult: CallId | null } | null;
}

export class FakeSip implements SipPort {
  readonly commands: SipCommand[] = [];
  /** `wait`: the registrar is silent until `register()` or `reject()`. */
  registers: 'at-once' | 'wait' = 'at-once';
  /** `wait`: the far side is silent until `holdDone()` or `refuseHold()`. */
  holds: 'at-once' | 'refuse' | 'wait' = 'at-once';
  /** `wait`: nothing happens until `transferRings()`, `acceptTransfer()` or `refuseTransfer()`. */
  transfers: 'at-once' | 'refuse' | 'wait' = 'wait';
  codes: 'at-once' | 'refuse' = 'at-once';
  /** What becomes of connected calls of an earlier owner once the line is ready. `wait`: until `recover()`, `ringAgain()` or `failRecovery()`. */
  recovers: 'at-once' | 'refuse' | 'wait' = 'at-once';
  /** What every far side calls itself. */
  peer = 'Fake/1.0';
  readonly server = 'wss://sip.example.test';
  #started = false;
  #ready = false;
  #telling = false;
  #rejected = false;
  #rejectNext = false;
  #next = 1;
  readonly #name: string;
  readonly #calls = new Map<CallId, FakeCall>();
  readonly #holding = new Map<CallId, boolean>();
  #watched: readonly Watched[] = [];
  readonly #listeners = new Set<(signal: SipSignal) => void>();
  readonly #dialogListeners = new Set<(dialogs: readonly KeptDialog[]) => void>();

  /** @param name Begins the SIP Call-IDs: phones that report to one relay need names of their own. */
  constructor(name = 'fake') {
    this.#name = name;
  }

  start(account: SipAccount, credential: SipCredential, _iceServers: readonly IceServer[]): void {
    this.commands.push({ type: 'start', account, credential });
    this.#started = true;
    this.#rejected = false;
    this.#connect();
  }

  renew(credential: SipCredential, _iceServers: readonly IceServer[]): void {
    this.commands.push({ type: 'renew', credential });
    if (!this.#rejected) return;
    this.#rejected = false;
    this.#connect();
  }

  stop(): Promise<void> {
    this.commands.push({ type: 'stop' });
    this.#started = false;
    this.#ready = false;
    for (const call of [...this.#calls.keys()]) this.#end(call, 'agent', 0, 'The phone was signed out');
    this.#signal({ type: 'sip.stopped' });
    return Promise.resolve();
  }

  dial(call: CallId, target: string, callerId?: string): void {
    this.commands.push({ type: 'dial', call, target, ...(callerId === undefined ? {} : { callerId }) });
    this.#begin(call, target);
  }

  pickUp(call: CallId, extension: string, code: string | null): void {
    this.commands.push({ type: 'pick-up', call, extension, code });
    if (code !== null || this.#watched.some((it) => it.extension === extension && it.canTake)) {
      this.#begin(call, extension);
    } else this.#signal({ type: 'sip.ended', call, by: 'network', code: 0, reason: 'Nothing is shown there' });
  }

  #begin(call: CallId, number: string): void {
    if (this.#calls.has(call)) throw new Error('this call was already dialled');
    const fake = this.#add(call, 'dialing', 'outbound', number);
    if (this.#started) this.#signal({ type: 'sip.dialing', call, sipCallId: fake.sipCallId });
    else this.#end(call, 'network', 0, 'The phone is not connected');
  }

  #add(call: CallId, phase: Phase, direction: FakeCall['direction'], number: string, sipCallId?: string): FakeCall {
    const fake: FakeCall = {
      phase,
      direction,
      number,
      sipCallId: sipCallId ?? `${this.#name}-${this.#next++}`,
      held: false,
      farHeld: false,
      muted: false,
      lost: false,
      transfer: null,
    };
    this.#calls.set(call, fake);
    this.#changed();
    return fake;
  }

  answer(call: CallId): void {
    this.commands.push({ type: 'answer', call });
    const fake = this.#calls.get(call);
    if (fake?.phase !== 'incoming' || fake.lost) return;
    fake.phase = 'up';
    this.#changed();
    this.#signal({ type: 'sip.answered', call });
  }

  redirect(call: CallId, to: string): void {
    this.commands.push({ type: 'redirect', call, to });
    this.#end(call, 'agent', 302, 'Moved Temporarily');
  }

  decline(call: CallId, code: DeclineCode): void {
    this.commands.push({ type: 'decline', call, code });
    this.#end(call, 'agent', code, 'Declined');
  }

  hangUp(call: CallId): void {
    this.commands.push({ type: 'hang-up', call });
    this.#end(call, 'agent', 0, '');
  }

  hold(call: CallId, on: boolean): void {
    this.commands.push({ type: 'hold', call, on });
    const fake = this.#calls.get(call);
    if (fake?.phase !== 'up' || fake.lost) return;
    this.#holding.set(call, on);
    if (this.holds === 'at-once') this.holdDone(call);
    if (this.holds === 'refuse') this.refuseHold(call);
  }

  mute(call: CallId, muted: boolean): void {
    this.commands.push({ type: 'mute', call, muted });
    const fake = this.#calls.get(call);
    if (fake === undefined) return;
    fake.muted = muted;
    this.#changed();
  }

  sendDigits(call: CallId, digits: string): void {
    this.commands.push({ type: 'send-digits', call, digits });
  }

  transfer(call: CallId, to: string): void {
    this.commands.push({ type: 'transfer', call, to });
    this.#askTransfer(call, null);
  }

  transferAttended(call: CallId, consult: CallId): void {
    this.commands.push({ type: 'transfer-attended', call, consult });
    this.#askTransfer(call, consult);
  }

  cancelTransfer(call: CallId): void {
    this.commands.push({ type: 'cancel-transfer', call });
    if (this.#calls.get(call)?.transfer != null) this.refuseTransfer(call, 'Taken back');
  }

  mix(members: readonly MixedCall[]): void {
    this.commands.push({ type: 'mix', members });
  }

  watch(watching: Watching): void {
    this.commands.push({ type: 'watch', watching });
    this.watched(
      watching.extensions.map((extension) => ({
        ...{ extension, status: 'unknown', farSide: null, direction: null, canTake: false },
      })),
    );
  }

  sendCode(code: string): void {
    this.commands.push({ type: 'send-code', code });
    if (this.codes === 'refuse') this.#signal({ type: 'sip.code-refused', code, reason: '404 Not Found' });
    else this.#signal({ type: 'sip.code-done', code });
  }

  takeUp(dialogs: readonly KeptDialog[]): void {
    this.commands.push({ type: 'take-up', dialogs });
    for (const dialog of dialogs) {
      const phase = ({ inviting: 'dialing', invited: 'incoming', confirmed: 'up' } as const)[dialog.stage];
      const fake = this.#add(dialog.call, phase, dialog.direction, dialog.number, dialog.callId);
      Object.assign(fake, { lost: true, held: dialog.held, farHeld: dialog.farHeld, muted: dialog.muted });
    }
    if (this.#ready) this.#recoverAll();
  }

  onDialogs(listener: (dialogs: readonly KeptDialog[]) => void): () => void {
    this.#dialogListeners.add(listener);
    return () => this.#dialogListeners.delete(listener);
  }

  handOver(): Promise<readonly KeptDialog[]> {
    this.commands.push({ type: 'hand-over' });
    const dialogs = this.dialogs;
    this.#started = false;
    this.#ready = false;
    this.#calls.clear();
    this.#holding.clear();
    return Promise.resolve(dialogs);
  }

  onSignal(listener: (signal: SipSignal) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Pedal: the registrar says yes. */
  register(): void {
    this.#ready = true;
    this.#signal({ type: 'sip.registered', server: this.server });
    this.#recoverAll();
  }

  /** Pedal: the registrar says no. */
  reject(code = 403, reason = 'Forbidden'): void {
    this.#rejected = true;
    this.#signal({ type: 'sip.rejected', code, reason });
  }

  /** Pedal: the registrar says no to whoever registers next. */
  rejectNext(): void {
    this.#rejectNext = true;
  }

  /** Pedal: the socket is gone; calls go on. `register()` brings it back. */
  lose(reason = 'The connection was lost'): void {
    this.#ready = false;
    this.#signal({ type: 'sip.lost', reason });
  }

  /** Pedal: the far side calls. Returns the call's id. */
  invite(
    from: Party = { number: '+14155550101', name: 'Ada Example' },
    options: {
      readonly call?: CallId;
      readonly replaces?: CallId;
      readonly diverted?: { readonly from: Party; readonly reason: string };
      readonly verified?: 'passed' | 'failed';
      readonly answersAfterMs?: number;
    } = {},
  ): CallId {
    const call = options.call ?? newCallId();
    const { sipCallId } = this.#add(call, 'incoming', 'inbound', from.number);
    const { call: _, ...more } = options;
    this.#signal({ type: 'sip.invited', call, from, sipCallId, ...more });
    return call;
  }

  /** Pedal: the far side rings. */
  ring(call: CallId, earlyMedia = false): void {
    this.#mustBe(call, 'dialing');
    this.#signal({ type: 'sip.ringing', call, earlyMedia });
  }

  /** Pedal: the far side answers. */
  answered(call: CallId): void {
    this.#mustBe(call, 'dialing').phase = 'up';
    this.#changed();
    this.#signal({ type: 'sip.answered', call });
  }

  /** Pedal: a call of an earlier owner is up again. */
  recover(call: CallId, way: RecoveryWay = 'resume'): void {
    this.#mustBe(call, 'up').lost = false;
    this.#signal({ type: 'sip.recovery-tried', call, way, peer: this.peer, worked: true });
    this.#signal({ type: 'sip.recovered', call, way, peer: this.peer });
  }

  /** Pedal: the caller's INVITE arrives here once more. */
  ringAgain(call: CallId): void {
    this.#mustBe(call, 'incoming').lost = false;
    this.#signal({ type: 'sip.recovered', call, way: 'rung-again', peer: this.peer });
  }

  /** Pedal: one way of taking the call up does not work. */
  failWay(call: CallId, way: RecoveryWay): void {
    this.#mustBe(call, 'up');
    this.#signal({ type: 'sip.recovery-tried', call, way, peer: this.peer, worked: false });
  }

  /** Pedal: no way works, or the caller does not ring here again. */
  failRecovery(call: CallId, reason = 'The far side does not know it any more'): void {
    this.#mustBe(call);
    this.#end(call, 'network', 0, reason);
  }

  /** Pedal: the far side refuses (486 and the like), cancels or hangs up, whatever the call's phase makes of it. */
  end(
    call: CallId,
    how: { readonly code?: number; readonly reason?: string; readonly elsewhere?: boolean } = {},
  ): void {
    this.#mustBe(call);
    this.#end(call, 'far-side', how.code ?? 0, how.reason ?? '', how.elsewhere === true);
  }

  /** Pedal: the call is lost on the way. */
  drop(call: CallId, reason = 'No sound arrives any more'): void {
    this.#mustBe(call);
    this.#end(call, 'network', 0, reason);
  }

  /** Pedal: the network says who the far side is now. */
  identify(call: CallId, farSide: Party): void {
    this.#mustBe(call);
    this.#signal({ type: 'sip.identified', call, farSide });
  }

  /** Pedal: what the watched extensions do. */
  watched(watched: readonly Watched[]): void {
    this.#watched = watched;
    this.#signal({ type: 'sip.watched', watched });
  }

  /** Pedal: messages wait, or none. */
  mailbox(mailbox: Mailbox | null): void {
    this.#signal({ type: 'sip.mailbox', mailbox });
  }

  /** Pedal: the far side holds us, or takes it back. */
  farHold(call: CallId, on: boolean): void {
    this.#mustBe(call, 'up').farHeld = on;
    this.#changed();
    this.#signal({ type: on ? 'sip.far-held' : 'sip.far-resumed', call });
  }

  /** Pedal: the far side agrees to the hold or resume asked last. */
  holdDone(call: CallId): void {
    const on = this.#takeHold(call);
    this.#mustBe(call).held = on;
    this.#changed();
    this.#signal({ type: on ? 'sip.held' : 'sip.resumed', call });
  }

  /** Pedal: the far side does not agree to it. */
  refuseHold(call: CallId, reason = '488 Not Acceptable Here'): void {
    this.#takeHold(call);
    this.#signal({ type: 'sip.hold-refused', call, reason });
  }

  /** Pedal: the transfer's target rings. */
  transferRings(call: CallId): void {
    if (this.#mustBe(call, 'up').transfer === null) throw new Error('no transfer is under way on this call');
    this.#signal({ type: 'sip.transfer-ringing', call });
  }

  /** Pedal: the target took the call; ours end. */
  acceptTransfer(call: CallId): void {
    const { transfer } = this.#mustBe(call, 'up');
    if (transfer === null) throw new Error('no transfer is under way on this call');
    this.#signal({ type: 'sip.transferred', call });
    if (transfer.consult !== null) this.#end(transfer.consult, 'far-side', 0, '');
    this.#end(call, 'agent', 0, '');
  }

  /** Pedal: the target did not take it. */
  refuseTransfer(call: CallId, reason = '486 Busy Here'): void {
    const fake = this.#mustBe(call, 'up');
    if (fake.transfer === null) throw new Error('no transfer is under way on this call');
    fake.transfer = null;
    this.#signal({ type: 'sip.transfer-refused', call, reason });
  }

  /** Pedal: the digits asked for did not get through. */
  refuseDigits(call: CallId, reason = 'The far side takes no digits'): void {
    this.#mustBe(call, 'up');
    this.#signal({ type: 'sip.digits-refused', call, reason });
  }

  /** Calls that have not ended. */
  get live(): readonly CallId[] {
    return [...this.#calls.keys()];
  }

  /** What a successor must know, as it stands. */
  get dialogs(): readonly KeptDialog[] {
    return [...this.#calls].map(([call, it]) => ({
      call,
      stage: it.phase === 'up' ? 'confirmed' : it.phase === 'dialing' ? 'inviting' : 'invited',
      direction: it.direction,
      callId: it.sipCallId,
      localTag: 'local',
      remoteTag: it.phase === 'dialing' ? '' : 'remote',
      localUri: 'sip:2001@example.test',
      remoteUri: `sip:${it.number}@example.test`,
      remoteTarget: it.phase === 'dialing' ? '' : `sip:${it.number}@192.0.2.1`,
      routes: [],
      localSequence: 1,
      remoteSequence: null,
      inviting:
        it.phase === 'dialing' ? { uri: `sip:${it.number}@example.test`, branch: 'z9hG4bK-fake', routes: [] } : null,
      number: it.number,
      supports: 'replaces',
      allows: 'INVITE,ACK,BYE,CANCEL',
      peer: this.peer,
      held: it.held,
      farHeld: it.farHeld,
      muted: it.muted,
      sessionSeconds: 0,
    }));
  }

  /** Commands of one type, in order. */
  sent<T extends SipCommand['type']>(type: T): readonly Extract<SipCommand, { readonly type: T }>[] {
    return this.commands.filter(
      (command): command is Extract<SipCommand, { readonly type: T }> => command.type === type,
    );
  }

  #connect(): void {
    this.#signal({ type: 'sip.connecting', server: this.server });
    if (this.#rejectNext) {
      this.#rejectNext = false;
      this.reject();
    } else if (this.registers === 'at-once') this.register();
  }

  /** What the network does with calls of an earlier owner, once it can be asked. */
  #recoverAll(): void {
    for (const [call, it] of [...this.#calls]) {
      if (!it.lost) continue;
      if (it.phase === 'dialing') this.#end(call, 'agent', 0, '');
      else if (it.phase === 'up' && this.recovers === 'at-once') this.recover(call);
      else if (it.phase === 'up' && this.recovers === 'refuse') this.failRecovery(call);
    }
  }

  /** Told once per task, as the real ones do. */
  #changed(): void {
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      for (const listener of [...this.#dialogListeners]) listener(this.dialogs);
    });
  }

  #askTransfer(call: CallId, consult: CallId | null): void {
    const fake = this.#calls.get(call);
    if (fake?.phase !== 'up' || fake.lost) return;
    fake.transfer = { consult };
    if (this.transfers === 'at-once') this.acceptTransfer(call);
    if (this.transfers === 'refuse') this.refuseTransfer(call);
  }

  #takeHold(call: CallId): boolean {
    this.#mustBe(call, 'up');
    const on = this.#holding.get(call);
    if (on === undefined) throw new Error('no hold was asked for on this call');
    this.#holding.delete(call);
    return on;
  }

  #mustBe(call: CallId, phase?: Phase): FakeCall {
    const fake = this.#calls.get(call);
    if (fake === undefined) throw new Error('the fake knows no such call, or it has ended');
    if (phase !== undefined && fake.phase !== phase) throw new Error(`the call is ${fake.phase}, not ${phase}`);
    return fake;
  }

  /** Exactly one end a call: an end of a call that is not there is nothing. */
  #end(call: CallId, by: 'agent' | 'far-side' | 'network', code: number, reason: string, elsewhere = false): void {
    if (!this.#calls.delete(call)) return;
    this.#holding.delete(call);
    this.#changed();
    this.#signal({ type: 'sip.ended', call, by, code, reason, ...(elsewhere ? { elsewhere } : {}) });
  }

  #signal(signal: SipSignal): void {
    for (const listener of [...this.#listeners]) listener(signal);
  }
}
