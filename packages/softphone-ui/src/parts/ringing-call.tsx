/** What can be done with a ringing call besides taking it: let it ring in silence, or send it somewhere else. */
import type { CallState } from '@patchcord/phone-engine';
import { useId } from 'preact/hooks';
import type { SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';

export function RingingCall({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  const id = useId();
  const deposit = model.features.value.voicemail?.deposit ?? null;
  const free = model.lamps.value.filter(({ isSlot, status }) => !isSlot && status === 'free');
  return (
    <>
      {call.answersAt !== null && <p class="call-trouble">{texts.autoAnswer}</p>}
      <div class="button-row is-slim">
        {deposit !== null && (
          <button type="button" class="button button-small" onClick={() => void model.redirect(call.id, deposit)}>
            {texts.toVoicemail}
          </button>
        )}
        <button
          type="button"
          class="button button-small"
          aria-disabled={call.ignored}
          onClick={() => void model.ignore(call.id)}
        >
          {texts.ignore}
        </button>
      </div>
      <details class="send-on">
        <summary>{texts.sendOn}</summary>
        <form
          class="send-on-form"
          onSubmit={(event) => {
            event.preventDefault();
            const to = new FormData(event.currentTarget).get('to');
            if (typeof to === 'string') void model.redirect(call.id, to);
          }}
        >
          <label class="unseen" for={id}>
            {texts.sendOnTo}
          </label>
          <input id={id} name="to" class="number-input digits" type="tel" list={`${id}-free`} autocomplete="off" />
          <datalist id={`${id}-free`}>
            {free.map(({ extension, name }) => (
              <option key={extension} value={extension}>
                {name}
              </option>
            ))}
          </datalist>
          <button type="submit" class="button button-small">
            {texts.send}
          </button>
        </form>
      </details>
    </>
  );
}
