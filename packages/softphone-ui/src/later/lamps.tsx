/** Colleagues and park slots with what their phones do: call, pick up, or hand the call in front over to them. */
import type { CallState } from '@patchcord/phone-engine';
import { Icon } from '../icon.tsx';
import type { Lamp } from '../office.ts';
import type { SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';

/** `transfers`: the call to hand over; null where a click calls. */
export function Lamps({
  model,
  slots,
  transfers = null,
}: {
  readonly model: SoftphoneModel;
  readonly slots: boolean;
  readonly transfers?: CallState | null;
}) {
  const lamps = model.lamps.value.filter(({ isSlot }) => isSlot === slots);
  if (lamps.length === 0) return null;
  return (
    <ul class="lamps" aria-label={slots ? texts.slots : texts.colleagues}>
      {lamps.map((lamp) => (
        <li key={lamp.extension} class="lamp">
          <span class={`lamp-light is-${lamp.status}`} aria-hidden="true" />
          <span class="strip-words">
            <bdi class="strip-name">{lamp.name}</bdi>
            <span class="strip-state">{lampWords(model, lamp)}</span>
          </span>
          <LampActs model={model} lamp={lamp} transfers={transfers} />
        </li>
      ))}
    </ul>
  );
}

function LampActs({
  model,
  lamp,
  transfers,
}: {
  readonly model: SoftphoneModel;
  readonly lamp: Lamp;
  readonly transfers: CallState | null;
}) {
  const { name, extension, isSlot, status, canTake } = lamp;
  const { pickup } = model.features.value;
  if (transfers !== null)
    return (
      <button
        type="button"
        class="button button-small"
        aria-label={texts.transferToColleague(name)}
        onClick={() => void model.transferTo(transfers.id, extension)}
      >
        <Icon name="transfer" size={16} />
        {texts.transfer}
      </button>
    );
  const waits = isSlot && status !== 'free' && status !== 'unknown';
  const rings = !isSlot && status === 'ringing' && (pickup.directed !== null || (pickup.byDialog && canTake));
  if (waits || rings)
    return (
      <button
        type="button"
        class="button button-small button-call"
        aria-label={texts.pickUpFrom(name)}
        onClick={() => void model.pickUp(lamp)}
      >
        <Icon name="answer" size={16} />
        {texts.pickUp}
      </button>
    );
  if (isSlot) return null;
  return (
    <button
      type="button"
      class="button-icon is-call"
      aria-label={texts.callColleague(name)}
      title={texts.callColleague(name)}
      onClick={() => void model.dial(extension)}
    >
      <Icon name="call" size={18} />
    </button>
  );
}

function lampWords(model: SoftphoneModel, { status, farSide, isSlot, extension }: Lamp): string {
  const state = (isSlot ? texts.slotLamp : texts.lamp)[status];
  const known = status === 'free' || status === 'unknown' ? null : farSide;
  const who = known === null ? (isSlot ? '' : extension) : model.numbers.value.nameOf(known);
  return who === '' ? state : texts.lampWith(state, who);
}
