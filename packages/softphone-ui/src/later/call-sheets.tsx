/** The sheets of a call that dial or send it somewhere: transfer, second call, more. They lie where the note is. */
import type { CallState } from '@patchcord/phone-engine';
import { Icon } from '../icon.tsx';
import { CallerIdChoice } from '../parts/caller-id.tsx';
import { NumberField } from '../parts/number-field.tsx';
import { nameOfCall, type SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';
import { Lamps } from './lamps.tsx';
import { NoiseSwitch } from './voice-choices.tsx';

export function TransferSheet({
  model,
  call,
  full,
}: {
  readonly model: SoftphoneModel;
  readonly call: CallState;
  /** There is no room for a consultation. */
  readonly full: boolean;
}) {
  return (
    <form
      class="sheet"
      aria-label={texts.transferTitle(nameOfCall(call, model.numbers.value))}
      onSubmit={(event) => {
        event.preventDefault();
        // Enter asks first: the act that can be taken back.
        if (full) void model.transferTyped(call.id);
        else void model.consultTyped(call.id);
      }}
    >
      <NumberField model={model} label={texts.transferTo} labelShown takesFocus />
      <div class="button-row">
        <button type="button" class="button" onClick={() => void model.transferTyped(call.id)}>
          {texts.transferNow}
        </button>
        {!full && (
          <button type="submit" class="button button-primary">
            {texts.askFirst}
          </button>
        )}
      </div>
      <Lamps model={model} slots={false} transfers={call} />
    </form>
  );
}

/** What a call can be made of beside handing it to somebody. */
export function MoreSheet({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  const { park, moveTo, conference } = model.features.value;
  return (
    <section class="sheet" aria-label={texts.moreTitle}>
      {park !== null && (
        <button type="button" class="button button-wide" onClick={() => void model.park(call.id)}>
          <Icon name="park" size={18} />
          {texts.park}
        </button>
      )}
      {moveTo.map(({ number, label }) => (
        <button
          key={number}
          type="button"
          class="button button-wide"
          onClick={() => void model.moveTo(call.id, number)}
        >
          <Icon name="transfer" size={18} />
          {texts.moveTo(label)}
        </button>
      ))}
      {conference.room !== null && call.room === null && (
        <button type="button" class="button button-wide" onClick={() => void model.gather()}>
          <Icon name="conference" size={18} />
          {texts.toRoom}
        </button>
      )}
      <NoiseSwitch model={model} />
    </section>
  );
}

export function NewCallSheet({ model }: { readonly model: SoftphoneModel }) {
  return (
    <form
      class="sheet"
      aria-label={texts.newCallTitle}
      onSubmit={(event) => {
        event.preventDefault();
        void model.dialTyped();
      }}
    >
      <NumberField model={model} label={texts.newCallTitle} labelShown takesFocus />
      <CallerIdChoice model={model} />
      <p class="quiet">{texts.newCallAdvice}</p>
      <button type="submit" class="button button-call button-wide">
        <Icon name="call" />
        {texts.call}
      </button>
    </form>
  );
}
