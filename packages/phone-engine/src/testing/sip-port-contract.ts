/**
 * The obligations of `SipPort` as a test suite: the fake and every real port pass the same. The harness brings the port and two far ends
 * with pedals; how they are joined (in memory, over a socket, through a real server) is its own business.
 */
import { type CallId, newCallId } from '@patchcord/call-protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { IceServer, KeptDialog, SipAccount, SipCredential, SipPort } from '../ports.ts';
import type { SipSignal } from '../state.ts';

/** One far end. Every pedal resolves when the far end has done its part; what the port makes of it comes as a signal. */
export interface FarEnd {
  /** What to dial or to transfer to in order to reach it. */
  readonly target: string;
  /** Calls the port. */
  invites(): Promise<void>;
  /** Rings for the call that came in, with or without sound of its own (183 with SDP). */
  rings(earlyMedia?: boolean): Promise<void>;
  answers(): Promise<void>;
  /** Final refusal of the call that came in. */
  refuses(code: number): Promise<void>;
  /** CANCEL of its own call; `elsewhere` with Reason "Call completed elsewhere" (RFC 3326). */
  cancels(elsewhere?: boolean): Promise<void>;
  /** BYE. */
  hangsUp(): Promise<void>;
  holds(on: boolean): Promise<void>;
  /** The next re-INVITE it gets is refused. */
  refusesNextHold(): void;
  /** Answers the REFER it got last with 202 and tells in NOTIFY that the target rings, then took the call (or refused with `code`). */
  acceptsTransfer(): Promise<void>;
  refusesTransfer(code: number): Promise<void>;
  /** Digits it heard so far (RFC 4733). */
  heardDigits(): string;
}

export interface SipPortHarness {
  readonly port: SipPort;
  readonly account: SipAccount;
  readonly credential: SipCredential;
  readonly iceServers: readonly IceServer[];
  readonly far: readonly [FarEnd, FarEnd];
  /** The registrar refuses whoever registers next. */
  refusesRegistration(): void;
  /** Cuts the socket under the port; `restoresSocket` lets it connect again. */
  dropsSocket(): Promise<void>;
  restoresSocket(): Promise<void>;
  /** The port of the next page, not started, with the same far ends. `close` looks after it too. */
  successor(): Promise<SipPort>;
  /** Stops the port when the test did not, and everything around it. */
  close(): Promise<void>;
}

export interface SipPortContractOptions {
  /** Longest wait for one signal, in ms. */
  readonly signalMs?: number;
}

type SignalOf<T extends SipSignal['type']> = Extract<SipSignal, { readonly type: T }>;

/** Keeps the signals, and lets a test wait for one without sleeping. */
class SignalLog {
  readonly all: SipSignal[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #signalMs: number;

  constructor(port: SipPort, signalMs: number) {
    this.#signalMs = signalMs;
    port.onSignal((signal) => {
      this.all.push(signal);
      for (const look of [...this.#waiting]) look();
    });
  }

  /** The first signal of this type (of this call, after `from`) that came or comes. */
  until<T extends SipSignal['type']>(type: T, call?: CallId, from = 0): Promise<SignalOf<T>> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = this.all
          .slice(from)
          .find((it) => it.type === type && (call === undefined || ('call' in it && it.call === call)));
        if (found === undefined) return;
        clearTimeout(deadline);
        this.#waiting.delete(look);
        resolve(found as SignalOf<T>);
      };
      const deadline = setTimeout(() => {
        this.#waiting.delete(look);
        const seen = this.all.map((it) => it.type).join(', ');
        reject(new Error(`no ${type} within ${this.#signalMs} ms; signals so far: ${seen || 'none'}`));
      }, this.#signalMs);
      this.#waiting.add(look);
      look();
    });
  }

  of<T extends SipSignal['type']>(type: T, call?: CallId): SignalOf<T>[] {
    return this.all.filter(
      (it): it is SignalOf<T> => it.type === type && (!call || ('call' in it && it.call === call)),
    );
  }

  types(call: CallId): string[] {
    return this.all.filter((it) => 'call' in it && it.call === call).map((it) => it.type);
  }
}

/** Declares the suite. `makeHarness` makes a fresh port, not started, for every test. */
export function sipPortContract(
  name: string,
  makeHarness: () => Promise<SipPortHarness>,
  options: SipPortContractOptions = {},
): void {
  describe(`SipPort contract: ${name}`, () => {
    let harness: SipPortHarness;
    let port: SipPort;
    let signals: SignalLog;

    beforeEach(async () => {
      harness = await makeHarness();
      port = harness.port;
      signals = new SignalLog(port, options.signalMs ?? 10_000);
    });
    afterEach(() => harness.close());

    const start = (): void => port.start(harness.account, harness.credential, harness.iceServers);
    const ready = async (): Promise<void> => {
      start();
      await signals.until('sip.registered');
    };
    /** An outbound call that far end `n` answered. */
    const connected = async (n: 0 | 1 = 0): Promise<CallId> => {
      const call = newCallId();
      port.dial(call, harness.far[n].target);
      await signals.until('sip.dialing', call);
      await harness.far[n].answers();
      await signals.until('sip.answered', call);
      return call;
    };
    const invited = async (): Promise<CallId> => {
      const from = signals.all.length;
      await harness.far[0].invites();
      return (await signals.until('sip.invited', undefined, from)).call;
    };
    /** Stops the port, after which every late signal has had its chance, and counts the ends. */
    const endedOnce = async (...calls: readonly CallId[]): Promise<void> => {
      await port.stop();
      for (const call of calls) {
        expect(signals.of('sip.ended', call)).toHaveLength(1);
        expect(signals.types(call).at(-1)).toBe('sip.ended');
      }
    };

    describe('line', () => {
      it('connects, then registers', async () => {
        await ready();
        const types = signals.all.map((it) => it.type);
        expect(types.indexOf('sip.connecting')).toBeLessThan(types.indexOf('sip.registered'));
      });

      it('says that the registrar refused', async () => {
        harness.refusesRegistration();
        start();
        expect((await signals.until('sip.rejected')).code).toBeGreaterThanOrEqual(400);
        expect(signals.of('sip.registered')).toHaveLength(0);
      });

      it('says that the socket is gone, and registers again by itself', async () => {
        await ready();
        const from = signals.all.length;
        await harness.dropsSocket();
        await signals.until('sip.lost', undefined, from);
        await harness.restoresSocket();
        await signals.until('sip.registered', undefined, from);
      });

      it('keeps a call through a lost socket', async () => {
        await ready();
        const call = await connected();
        const from = signals.all.length;
        await harness.dropsSocket();
        await signals.until('sip.lost', undefined, from);
        await harness.restoresSocket();
        await signals.until('sip.registered', undefined, from);
        expect(signals.of('sip.ended', call)).toHaveLength(0);
        port.hangUp(call);
        await signals.until('sip.ended', call);
        await endedOnce(call);
      });

      it('takes a new credential without losing a call', async () => {
        await ready();
        const call = await connected();
        port.renew({ ...harness.credential, expiresAt: harness.credential.expiresAt + 60_000 }, harness.iceServers);
        port.hold(call, true);
        await signals.until('sip.held', call);
        expect(signals.of('sip.ended', call)).toHaveLength(0);
        expect(signals.of('sip.lost')).toHaveLength(0);
      });

      it('registers at once with the new credential after a refusal', async () => {
        harness.refusesRegistration();
        start();
        await signals.until('sip.rejected');
        port.renew(harness.credential, harness.iceServers);
        await signals.until('sip.registered');
      });

      it('stops with every call ended, and says so last', async () => {
        await ready();
        const first = await connected(0);
        port.hold(first, true);
        await signals.until('sip.held', first);
        const second = await connected(1);
        await port.stop();
        await signals.until('sip.stopped');
        for (const call of [first, second]) {
          const ended = signals.of('sip.ended', call);
          expect(ended).toHaveLength(1);
          expect(ended[0]?.by).toBe('agent');
        }
        expect(signals.all.at(-1)?.type).toBe('sip.stopped');
      });

      it('stops when it was never started', async () => {
        await port.stop();
        expect(signals.of('sip.ended')).toHaveLength(0);
      });

      it('starts again after a stop', async () => {
        await ready();
        await port.stop();
        const from = signals.all.length;
        start();
        await signals.until('sip.registered', undefined, from);
      });
    });

    describe('outbound', () => {
      it('dials, rings, is answered and hung up here', async () => {
        await ready();
        const call = newCallId();
        port.dial(call, harness.far[0].target);
        expect((await signals.until('sip.dialing', call)).sipCallId).not.toBe('');
        await harness.far[0].rings();
        expect((await signals.until('sip.ringing', call)).earlyMedia).toBe(false);
        await harness.far[0].answers();
        await signals.until('sip.answered', call);
        port.hangUp(call);
        expect(await signals.until('sip.ended', call)).toMatchObject({ by: 'agent', code: 0 });
        expect(signals.types(call)).toEqual(['sip.dialing', 'sip.ringing', 'sip.answered', 'sip.ended']);
        await endedOnce(call);
      });

      it('tells of sound before the answer', async () => {
        await ready();
        const call = newCallId();
        port.dial(call, harness.far[0].target);
        await signals.until('sip.dialing', call);
        await harness.far[0].rings(true);
        expect((await signals.until('sip.ringing', call)).earlyMedia).toBe(true);
      });

      it('ends when the far side hangs up', async () => {
        await ready();
        const call = await connected();
        await harness.far[0].hangsUp();
        expect(await signals.until('sip.ended', call)).toMatchObject({ by: 'far-side', code: 0 });
        await endedOnce(call);
      });

      it.each([486, 480, 603, 404, 503])('ends with the code of a refusal: %i', async (code) => {
        await ready();
        const call = newCallId();
        port.dial(call, harness.far[0].target);
        await signals.until('sip.dialing', call);
        await harness.far[0].refuses(code);
        expect(await signals.until('sip.ended', call)).toMatchObject({ by: 'far-side', code });
        await endedOnce(call);
      });

      it('cancels a call that nobody answered yet', async () => {
        await ready();
        const call = newCallId();
        port.dial(call, harness.far[0].target);
        await signals.until('sip.dialing', call);
        await harness.far[0].rings();
        await signals.until('sip.ringing', call);
        port.hangUp(call);
        expect((await signals.until('sip.ended', call)).by).toBe('agent');
        await endedOnce(call);
        expect(signals.of('sip.answered', call)).toHaveLength(0);
      });

      it('ends a call that is hung up in the same breath as it is dialled', async () => {
        await ready();
        const call = newCallId();
        port.dial(call, harness.far[0].target);
        port.hangUp(call);
        expect((await signals.until('sip.ended', call)).by).toBe('agent');
        await endedOnce(call);
      });

      it('ends a call that is dialled while the port is not started', async () => {
        const call = newCallId();
        port.dial(call, harness.far[0].target);
        expect((await signals.until('sip.ended', call)).by).toBe('network');
        await endedOnce(call);
      });
    });

    describe('office', () => {
      it('picks up by a code, and ends at once where there is nothing to take', async () => {
        await ready();
        const call = newCallId();
        port.pickUp(call, '2001', harness.far[0].target);
        await signals.until('sip.dialing', call);
        await harness.far[0].answers();
        await signals.until('sip.answered', call);
        const none = newCallId();
        port.pickUp(none, '2001', null);
        expect((await signals.until('sip.ended', none)).by).toBe('network');
        await endedOnce(call, none);
      });

      it('tells all that is watched, in the order it was asked for, also while nothing is known', async () => {
        port.watch({ extensions: ['2002', '2001'], mailbox: false });
        await ready();
        port.watch({ extensions: ['2001', '2003'], mailbox: false });
        const unknown = (extension: string) => ({ extension, status: 'unknown', canTake: false });
        const last = async (): Promise<unknown> => {
          await signals.until('sip.watched');
          return signals.of('sip.watched').at(-1)?.watched;
        };
        await expect.poll(last).toMatchObject([unknown('2001'), unknown('2003')]);
      });

      it('mixes two calls, and lets them go', async () => {
        await ready();
        const first = await connected(0);
        const second = await connected(1);
        port.mix([
          { call: first, silenced: false },
          { call: second, silenced: true },
        ]);
        port.mix([]);
        await endedOnce(first, second);
      });
    });

    describe('inbound', () => {
      it('is invited, answers, and is hung up by the far side', async () => {
        await ready();
        const call = await invited();
        const told = signals.of('sip.invited', call)[0];
        expect(told?.sipCallId).not.toBe('');
        expect(told?.from.number).not.toBe('');
        port.answer(call);
        await signals.until('sip.answered', call);
        await harness.far[0].hangsUp();
        expect(await signals.until('sip.ended', call)).toMatchObject({ by: 'far-side', code: 0 });
        await endedOnce(call);
      });

      it.each([486, 603, 480] as const)('declines with %i', async (code) => {
        await ready();
        const call = await invited();
        port.decline(call, code);
        expect((await signals.until('sip.ended', call)).by).toBe('agent');
        await endedOnce(call);
      });

      it('sends it somewhere else', async () => {
        await ready();
        const call = await invited();
        port.redirect(call, harness.far[1].target);
        expect(await signals.until('sip.ended', call)).toMatchObject({ by: 'agent', code: 302 });
        await endedOnce(call);
      });

      it('refuses an unanswered call on hang-up', async () => {
        await ready();
        const call = await invited();
        port.hangUp(call);
        expect((await signals.until('sip.ended', call)).by).toBe('agent');
        await endedOnce(call);
      });

      it('ends when the caller gives up', async () => {
        await ready();
        const call = await invited();
        await harness.far[0].cancels();
        const ended = await signals.until('sip.ended', call);
        expect(ended.by).toBe('far-side');
        expect(ended.elsewhere).not.toBe(true);
        await endedOnce(call);
      });

      it('says that another device took the call', async () => {
        await ready();
        const call = await invited();
        await harness.far[0].cancels(true);
        expect((await signals.until('sip.ended', call)).elsewhere).toBe(true);
        await endedOnce(call);
      });
    });

    describe('during a call', () => {
      it('holds and resumes', async () => {
        await ready();
        const call = await connected();
        port.hold(call, true);
        await signals.until('sip.held', call);
        port.hold(call, false);
        await signals.until('sip.resumed', call);
        expect(signals.of('sip.hold-refused', call)).toHaveLength(0);
      });

      it('says that a hold was refused, and keeps the call', async () => {
        await ready();
        const call = await connected();
        harness.far[0].refusesNextHold();
        port.hold(call, true);
        expect((await signals.until('sip.hold-refused', call)).reason).not.toBe('');
        expect(signals.of('sip.held', call)).toHaveLength(0);
        expect(signals.of('sip.ended', call)).toHaveLength(0);
      });

      it('tells when the far side holds and resumes', async () => {
        await ready();
        const call = await connected();
        await harness.far[0].holds(true);
        await signals.until('sip.far-held', call);
        await harness.far[0].holds(false);
        await signals.until('sip.far-resumed', call);
      });

      it('keeps the call through mute', async () => {
        await ready();
        const call = await connected();
        port.mute(call, true);
        port.mute(call, false);
        port.hangUp(call);
        await signals.until('sip.ended', call);
        await endedOnce(call);
      });

      it('sends digits in order', async () => {
        await ready();
        const call = await connected();
        port.sendDigits(call, '12#');
        await expect.poll(() => harness.far[0].heardDigits(), { timeout: 5_000, interval: 20 }).toBe('12#');
        expect(signals.of('sip.digits-refused', call)).toHaveLength(0);
      });

      it('ends once when both sides hang up together', async () => {
        await ready();
        const call = await connected();
        const far = harness.far[0].hangsUp();
        port.hangUp(call);
        // One of the two may come too late to find a call: that is the point.
        await far.catch(() => undefined);
        await signals.until('sip.ended', call);
        await endedOnce(call);
      });
    });

    describe('transfer', () => {
      it('transfers blindly: tells it, then ends the call', async () => {
        await ready();
        const call = await connected();
        port.transfer(call, harness.far[1].target);
        await harness.far[0].acceptsTransfer();
        await signals.until('sip.transferred', call);
        await signals.until('sip.ended', call);
        const types = signals.types(call);
        expect(types.indexOf('sip.transferred')).toBeLessThan(types.indexOf('sip.ended'));
        await endedOnce(call);
      });

      it('gives the call back when the target refuses', async () => {
        await ready();
        const call = await connected();
        port.transfer(call, harness.far[1].target);
        await harness.far[0].refusesTransfer(486);
        expect((await signals.until('sip.transfer-refused', call)).reason).not.toBe('');
        expect(signals.of('sip.ended', call)).toHaveLength(0);
        port.hangUp(call);
        await signals.until('sip.ended', call);
        await endedOnce(call);
      });

      it('joins a held call with a consult call, and ends both', async () => {
        await ready();
        const first = await connected(0);
        port.hold(first, true);
        await signals.until('sip.held', first);
        const consult = await connected(1);
        port.transferAttended(first, consult);
        await harness.far[0].acceptsTransfer();
        await signals.until('sip.transferred', first);
        await signals.until('sip.ended', first);
        await signals.until('sip.ended', consult);
        expect(signals.of('sip.transferred')).toHaveLength(1);
        const types = signals.types(first);
        expect(types.indexOf('sip.transferred')).toBeLessThan(types.indexOf('sip.ended'));
        await endedOnce(first, consult);
      });

      it('gives both calls back when an attended transfer is refused', async () => {
        await ready();
        const first = await connected(0);
        port.hold(first, true);
        await signals.until('sip.held', first);
        const consult = await connected(1);
        port.transferAttended(first, consult);
        await harness.far[0].refusesTransfer(503);
        await signals.until('sip.transfer-refused', first);
        expect(signals.of('sip.ended')).toHaveLength(0);
      });
    });

    describe('going on in another page', () => {
      /** What is told last of what a successor must know. */
      const kept = (): { now: readonly KeptDialog[] } => {
        const told = { now: [] as readonly KeptDialog[] };
        port.onDialogs((dialogs) => {
          told.now = dialogs;
        });
        return told;
      };
      /** The next page takes these up; its signals are the ones that count from then on. */
      const takenUp = async (dialogs: readonly KeptDialog[]): Promise<void> => {
        port = await harness.successor();
        signals = new SignalLog(port, options.signalMs ?? 10_000);
        port.takeUp(JSON.parse(JSON.stringify(dialogs)));
        start();
      };

      it('tells what a successor must know of a call, as it changes, and nothing of one that is over', async () => {
        const told = kept();
        await ready();
        const call = await connected();
        await expect.poll(() => told.now).toMatchObject([{ call, stage: 'confirmed', direction: 'outbound' }]);
        expect(told.now).toMatchObject([{ number: harness.far[0].target, held: false, muted: false }]);
        port.hold(call, true);
        port.mute(call, true);
        await signals.until('sip.held', call);
        await expect.poll(() => told.now).toMatchObject([{ held: true, muted: true }]);
        port.hangUp(call);
        await signals.until('sip.ended', call);
        await expect.poll(() => told.now).toEqual([]);
      });

      it('hands a call over without a signal, and takes it up with all it can do', async () => {
        await ready();
        const call = await connected();
        const before = signals;
        const dialogs = await port.handOver();
        expect(dialogs).toMatchObject([{ call, stage: 'confirmed' }]);
        await takenUp(dialogs);
        await signals.until('sip.recovered', call);
        expect(signals.of('sip.recovery-tried', call).at(-1)?.worked).toBe(true);
        expect(before.of('sip.ended')).toEqual([]);
        expect(before.types(call).at(-1)).toBe('sip.answered');
        port.hold(call, true);
        await signals.until('sip.held', call);
        await harness.far[0].hangsUp();
        expect((await signals.until('sip.ended', call)).by).toBe('far-side');
        await endedOnce(call);
      });

      it('ends a call that was still being placed, and one that was hung up before there was a line', async () => {
        await ready();
        const up = await connected(0);
        const placed = newCallId();
        port.dial(placed, harness.far[1].target);
        await signals.until('sip.dialing', placed);
        const dialogs = await port.handOver();
        expect(dialogs.map(({ stage }) => stage).sort()).toEqual(['confirmed', 'inviting']);
        port = await harness.successor();
        signals = new SignalLog(port, options.signalMs ?? 10_000);
        port.takeUp(dialogs);
        port.hangUp(up);
        expect((await signals.until('sip.ended', up)).by).toBe('agent');
        start();
        await signals.until('sip.ended', placed);
        await endedOnce(up, placed);
      });
    });
  });
}
