/** Which of the agent's numbers the far side sees, for the calls that follow. Takes no room where there is nothing to choose. */
import { useId } from 'preact/hooks';
import type { SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';

export function CallerIdChoice({ model }: { readonly model: SoftphoneModel }) {
  const id = useId();
  const { callerIds } = model.features.value;
  if (callerIds.length === 0) return null;
  return (
    <div class="caller-id">
      <label class="quiet" for={id}>
        {texts.callerId}
      </label>
      <select
        id={id}
        value={model.callerId.value ?? ''}
        onChange={(event) => model.chooseCallerId(event.currentTarget.value || null)}
      >
        <option value="">{texts.callerIdDefault}</option>
        {callerIds.map(({ number, label }) => (
          <option key={number} value={number}>
            {label === '' ? number : `${label} · ${number}`}
          </option>
        ))}
      </select>
    </div>
  );
}
