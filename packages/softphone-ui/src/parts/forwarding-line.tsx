/** Says that calls go somewhere else, for as long as they do; one click and they ring here again. */
import { Icon } from '../icon.tsx';
import type { SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';

export function ForwardingLine({ model }: { readonly model: SoftphoneModel }) {
  const { forwarding } = model.phone.value;
  if (forwarding === null) return null;
  const { to, when, afterSeconds } = forwarding;
  const name = to === model.features.value.voicemail?.deposit ? texts.toVoicemail : to;
  return (
    <p class="forwarding-line" role="status">
      <Icon name="transfer" size={16} />
      <span>
        {when === 'always'
          ? texts.forwardedAlways(name)
          : when === 'busy'
            ? texts.forwardedBusy(name)
            : texts.forwardedLate(name, afterSeconds)}
      </span>
      <button type="button" class="button-link" onClick={() => void model.forward(null)}>
        {texts.switchOff}
      </button>
    </p>
  );
}
