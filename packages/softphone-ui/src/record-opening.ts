/**
 * Bringing records in front: at the agent's word, by the policy of screen-pop.ts, or for a pick in a frame that does not speak to the page. Owns
 * who of several frames opens and what is said when the host could not. Must never open over a record that is in front already, nor leave
 * the page while that would end a call.
 */
import type { CallId, PhoneEvent, Profile, RecordRef } from '@patchcord/call-protocol';
import type { PanelHost, PopTarget, PopWish } from '@patchcord/crm-adapters/panel';
import type { ClockPort, Command, CommandResult, SharedPhone } from '@patchcord/phone-engine';
import { type ReadonlySignal, signal } from '@preact/signals';
import { sameRecord } from './call-duties.ts';
import type { Notify } from './notices.ts';
import type { Numbers } from './numbers.ts';
import { startScreenPop } from './screen-pop.ts';
import { texts } from './texts.ts';

/** What screens see and do of it. */
export interface RecordFace {
  /** The record in front of the agent. */
  readonly recordShown: ReadonlySignal<RecordRef | null>;
  /** This frame can bring a record in front by itself. */
  readonly canOpenRecord: boolean;
  /** The record of a call can be brought in front, by this frame or by the one that holds the phone. */
  readonly canOpenCalls: boolean;
  showRecord(record: RecordRef | null): void;
  /** The agent says who the call is with; the record comes in front. */
  chooseRecord(call: CallId, record: RecordRef): Promise<void>;
  /** `call`: whose record it is. */
  openRecord(record: RecordRef, call?: CallId): Promise<void>;
}

export interface RecordOpening {
  readonly face: RecordFace;
  /** Nothing opens by itself any more. */
  stop(): void;
}

export interface RecordOpeningOptions {
  readonly phone: SharedPhone;
  readonly profile: ReadonlySignal<Profile>;
  readonly numbers: ReadonlySignal<Numbers>;
  readonly clock: ClockPort;
  readonly host: Pick<PanelHost, 'can' | 'pop'>;
  /** Beside a window that holds the phone alone, that window alone speaks to the page. */
  readonly hasPhoneWindow: boolean;
  /** A call is in progress here: leaving the page would end it. */
  readonly wouldEndCall: ReadonlySignal<boolean>;
  /** A record was opened for a call: worth an event. */
  readonly recordOpened: (call: CallId, record: RecordRef) => void;
  /** Tells the agent of a refusal. */
  readonly send: (command: Command) => Promise<CommandResult>;
  readonly notify: Notify;
}

/** Opens what calls and picks in other frames ask for, from now on: to be built when the model itself follows the phone. */
export function createRecordOpening(options: RecordOpeningOptions): RecordOpening {
  const { phone, host, hasPhoneWindow, send } = options;
  const shown = signal<RecordRef | null>(null);
  const pops = hasPhoneWindow ? [] : host.can.pops;
  /** Calls whose record is being picked in this frame. */
  const picking = new Set<CallId>();

  /** A record picked in a frame that never holds the phone: the one that does opens it, it alone speaks to the page. One that may opens its own. */
  function pickedElsewhere({ name, call, data }: PhoneEvent): void {
    if (name !== 'record.chosen' || data.by !== 'agent' || !phone.isOpener() || picking.has(call as CallId)) return;
    void openFor(call as CallId, { kind: 'record', record: data.record }, () => true);
  }

  async function open(target: PopTarget, wish: PopWish): Promise<boolean> {
    if (!pops.includes(target.kind)) return false;
    try {
      await host.pop(target, { ...wish, keepPage: options.wouldEndCall.value });
      return true;
    } catch (error) {
      const reason = error instanceof Error ? error.message : '';
      const record = target.kind === 'record' ? target.record : null;
      options.notify(
        'warning',
        record === null ? texts.notOpened(reason) : texts.recordNotOpened(record.name ?? record.object, reason),
      );
      return false;
    }
  }

  async function openFor(call: CallId, target: PopTarget, stillWanted: () => boolean): Promise<void> {
    let dropped = false;
    const wanted = (): boolean => {
      dropped = !stillWanted();
      return !dropped;
    };
    if ((await open(target, { wanted })) && !dropped && target.kind === 'record')
      options.recordOpened(call, target.record);
  }

  function openForAgent(record: RecordRef): Promise<boolean> {
    return open({ kind: 'record', record }, { byAgent: true });
  }

  const stopPicks = phone.onEvent(pickedElsewhere);
  const stopPops = startScreenPop({ ...options, shown, open: openFor });

  return {
    face: {
      recordShown: shown,
      canOpenRecord: pops.includes('record'),
      canOpenCalls: host.can.pops.includes('record'),
      showRecord(record) {
        shown.value = record;
      },
      async chooseRecord(call, record) {
        picking.add(call);
        const result = await send({ type: 'call.choose-record', call, record, by: 'agent' });
        picking.delete(call);
        const inFront = shown.value;
        // Opened again it might take an edit with it.
        if (!result.ok || (inFront !== null && sameRecord(inFront, record))) return;
        if (await openForAgent(record)) options.recordOpened(call, record);
      },
      async openRecord(record, call) {
        // Picked once more, the window opens it.
        if (hasPhoneWindow && call !== undefined) await send({ type: 'call.choose-record', call, record, by: 'agent' });
        else await openForAgent(record);
      },
    },
    stop() {
      stopPicks();
      stopPops();
    },
  };
}
