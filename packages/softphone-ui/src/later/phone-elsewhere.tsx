/** Where the phone is when it is not in this frame, and the way to have it here. Shows nothing in the frame that has it. */
import type { SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';

export function PhoneElsewhere({ model }: { readonly model: SoftphoneModel }) {
  const place = model.elsewhere.value;
  if (place === null) return null;
  return (
    <p class="elsewhere">
      <span class="elsewhere-place">{place === '' ? texts.phoneInWindow : texts.phoneOn(place)}</span>
      {!model.hasPhoneWindow && (
        <button
          type="button"
          class="button-link"
          disabled={model.fetching.value}
          title={texts.useHereHint}
          onClick={() => void model.takeHere()}
        >
          {model.fetching.value ? texts.fetchingPhone : texts.useHere}
        </button>
      )}
    </p>
  );
}
