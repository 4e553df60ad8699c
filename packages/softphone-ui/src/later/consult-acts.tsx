/** What becomes of a consultation: back to the call it was for, or its far side goes there. */
import type { CallState } from '@patchcord/phone-engine';
import { Icon } from '../icon.tsx';
import { nameOfCall, type SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';

/** The consultation is in front; the call it is for waits on hold. */
export function ConsultActs({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  const first = model.phone.value.calls.find((other) => other.id === call.consultFor);
  if (first === undefined) return null;
  const name = nameOfCall(first, model.numbers.value);
  const joined = [call, first].every(({ phase, recovering }) => phase === 'active' && !recovering);
  return (
    <section class="consult" aria-label={texts.transferTitle(name)}>
      <p class="consult-words">{texts.consulting(name)}</p>
      <div class="button-row is-uneven">
        <button
          type="button"
          class="button"
          aria-label={texts.backTo(name)}
          title={texts.backTo(name)}
          onClick={() => void model.cancelConsult(call)}
        >
          {texts.back}
        </button>
        <button
          type="button"
          class="button button-primary"
          aria-disabled={!joined}
          onClick={() => {
            if (joined) void model.completeTransfer(call.id);
          }}
        >
          <Icon name="transfer" size={18} />
          {texts.completeTransfer}
        </button>
      </div>
    </section>
  );
}
