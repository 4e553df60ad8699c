/**
 * What an agent does with calls beyond talking: conferences, parking, moving, sending on, picking up, forwarding. Owns which dial string of the
 * profile an act stands for; whether it may be done is the engine's, and its refusal a notice.
 */
import { type CallId, type Features, newCallId, type Party, type Profile } from '@patchcord/call-protocol';
import type {
  CallState,
  ClockPort,
  Command,
  CommandResult,
  Forwarding,
  PhoneState,
  Watched,
} from '@patchcord/phone-engine';
import { computed, type ReadonlySignal } from '@preact/signals';
import type { Notify } from './notices.ts';
import { dialString } from './phone-setup.ts';
import { texts } from './texts.ts';

/** A colleague, or a park slot, with what their phone does. */
export interface Lamp extends Watched {
  readonly name: string;
  readonly isSlot: boolean;
}

export interface OfficeFace {
  readonly features: ReadonlySignal<Features>;
  /** Colleagues first, then park slots. */
  readonly lamps: ReadonlySignal<readonly Lamp[]>;
  merge(call: CallId): Promise<void>;
  split(call: CallId): Promise<void>;
  toggleSilence(call: CallState): Promise<void>;
  /** Sends every connected call into the agent's room at the phone system. */
  gather(): Promise<void>;
  park(call: CallId): Promise<void>;
  /** The call goes on at another device of the agent. */
  moveTo(call: CallId, number: string): Promise<void>;
  transferTo(call: CallId, number: string): Promise<void>;
  cancelTransfer(call: CallId): Promise<void>;
  redirect(call: CallId, to: string): Promise<void>;
  ignore(call: CallId): Promise<void>;
  pickUp(lamp: Lamp): Promise<void>;
  pickUpGroup(): Promise<void>;
  /** null: calls ring here. Resolves whether the phone took it. */
  forward(forwarding: Forwarding | null): Promise<boolean>;
}

export interface OfficeOptions {
  readonly profile: ReadonlySignal<Profile>;
  readonly phone: ReadonlySignal<PhoneState>;
  readonly notify: Notify;
  readonly clock: ClockPort;
  send(command: Command): Promise<CommandResult>;
}

/** Two calls that did not change places by then stay as they are, ms. */
const swapMs = 10_000;

export function createOffice({ profile, phone, notify, clock, send }: OfficeOptions): OfficeFace {
  const features = computed(() => profile.value.features);
  const lamps = computed(() => {
    const { watch, park } = features.value;
    return phone.value.watched.map((watched): Lamp => {
      const isSlot = park?.slots.includes(watched.extension) === true;
      const name = watch.find(({ extension }) => extension === watched.extension)?.name;
      return { ...watched, isSlot, name: name ?? (isSlot ? texts.slotName(watched.extension) : watched.extension) };
    });
  });
  const act = async (command: Command): Promise<void> => void (await send(command));

  /** A slot where nothing waits; the first one, when none is watched. */
  function freeSlot(slots: readonly string[]): string | undefined {
    const taken = phone.value.watched.filter(({ status }) => status !== 'free' && status !== 'unknown');
    return slots.find((slot) => !taken.some(({ extension }) => extension === slot));
  }

  /** Whether one call is on hold and the other live, as soon as they are; false when that does not come. */
  function changedPlaces(held: CallId, live: CallId): Promise<boolean> {
    return new Promise((resolve) => {
      let done = false;
      const end = (well: boolean): void => {
        done = true;
        clock.clearTimeout(timer);
        resolve(well);
      };
      const timer = clock.setTimeout(() => end(false), swapMs);
      const stop = phone.subscribe(({ calls }) => {
        const find = (call: CallId) => calls.find(({ id, phase }) => id === call && phase === 'active');
        const [one, other] = [find(held), find(live)];
        if (done) queueMicrotask(() => stop());
        else if (one === undefined || other === undefined) end(false);
        else if (one.hold === 'on' && other.hold === 'off') end(true);
      });
    });
  }

  return {
    features,
    lamps,
    async merge(call) {
      const held = phone.value.calls.find(({ id }) => id === call);
      const live = phone.value.calls.find(({ phase, hold }) => phase === 'active' && hold === 'off');
      // A conference on hold comes back first, and takes the live call in once that one is on hold.
      if (held?.inConference !== true || live === undefined || live.inConference)
        await act({ type: 'call.merge', call });
      else if ((await send({ type: 'call.swap', call })).ok && (await changedPlaces(live.id, call)))
        await act({ type: 'call.merge', call: live.id });
    },
    split: (call) => act({ type: 'call.split', call }),
    toggleSilence: ({ id, silenced }) => act({ type: 'call.silence', call: id, silenced: !silenced }),
    async gather() {
      const { conference } = features.value;
      if (conference.room === null) return;
      const target = dialString(conference.room, profile.value.agent.extension);
      const calls = phone.value.calls.filter((call) => call.phase === 'active' && call.room === null);
      const farSide = { number: target, name: texts.roomName };
      await act({ type: 'call.gather', call: newCallId(), target, farSide, calls: calls.map(({ id }) => id) });
    },
    async park(call) {
      const { park } = features.value;
      const to = park?.to ?? freeSlot(park?.slots ?? []);
      if (to === undefined) notify('warning', texts.slotsFull);
      else await act({ type: 'call.transfer', call, to, purpose: 'park' });
    },
    moveTo: (call, to) => act({ type: 'call.transfer', call, to, purpose: 'move' }),
    transferTo: (call, to) => act({ type: 'call.transfer', call, to }),
    cancelTransfer: (call) => act({ type: 'call.cancel-transfer', call }),
    redirect: (call, to) => act({ type: 'call.redirect', call, to }),
    ignore: (call) => act({ type: 'call.ignore', call }),
    async pickUp({ extension, farSide, canTake, isSlot, name }) {
      const { pickup } = features.value;
      const caller: Party = farSide ?? { number: extension, name };
      // A parked call is taken back by dialling its slot.
      const code = isSlot ? extension : pickup.directed === null ? null : dialString(pickup.directed, extension);
      const byDialog = pickup.byDialog && canTake;
      if (code === null && !byDialog) notify('warning', texts.noPickUp);
      else if (byDialog && !isSlot)
        await act({ type: 'call.pick-up', call: newCallId(), extension, code, farSide: caller });
      else if (code !== null) await act({ type: 'call.dial', call: newCallId(), target: code, farSide: caller });
    },
    async pickUpGroup() {
      const { group } = features.value.pickup;
      if (group === null) return;
      await act({
        type: 'call.dial',
        call: newCallId(),
        target: group,
        farSide: { number: group, name: texts.groupPickUp },
      });
    },
    forward: async (forwarding) => (await send({ type: 'agent.forward', forwarding })).ok,
  };
}
