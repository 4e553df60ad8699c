/** Colleagues with what their phones do, and calls that wait in park slots: to call, to pick up. Owns only how they stand on the screen. */
import { Icon } from '../icon.tsx';
import type { SoftphoneModel } from '../softphone-model.ts';
import { Lamps } from './lamps.tsx';
import { words } from './words.ts';

export function ColleaguesScreen({ model }: { readonly model: SoftphoneModel }) {
  const lamps = model.lamps.value;
  const trouble = model.phone.value.featureTrouble;
  const { group } = model.features.value.pickup;
  const colleagues = lamps.some(({ isSlot }) => !isSlot);
  const slots = lamps.some(({ isSlot }) => isSlot);
  const silent = lamps.length > 0 && lamps.every(({ status }) => status === 'unknown');
  return (
    <div class="colleagues">
      {(trouble !== '' || silent) && (
        <p class="quiet-note" role="status">
          <Icon name="info" size={16} />
          <span>{trouble === '' ? words.statesUnknown : trouble}</span>
        </p>
      )}
      {group !== null && (
        <button
          type="button"
          class="button button-wide"
          title={words.groupPickUpAdvice}
          onClick={() => void model.pickUpGroup()}
        >
          <Icon name="answer" size={18} />
          {words.groupPickUp}
        </button>
      )}
      {colleagues && <h2 class="group-title">{words.colleagues}</h2>}
      <Lamps model={model} slots={false} />
      {slots && <h2 class="group-title">{words.slots}</h2>}
      <Lamps model={model} slots />
      {lamps.length === 0 && <p class="recent-note">{words.noWatch}</p>}
    </div>
  );
}
