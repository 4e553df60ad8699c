/** Ready to dial: the number field, the keypad, the call button. */
import { Icon } from '../icon.tsx';
import { CallerIdChoice } from '../parts/caller-id.tsx';
import { ForwardingLine } from '../parts/forwarding-line.tsx';
import { Keypad } from '../parts/keypad.tsx';
import { IfLoaded } from '../parts/later-place.tsx';
import { NumberField } from '../parts/number-field.tsx';
import type { SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';

export function KeypadScreen({ model }: { readonly model: SoftphoneModel }) {
  const press = (digit: string) => model.typeNumber(model.dialText.value + digit);
  return (
    <>
      <div class="dial-room">
        <ForwardingLine model={model} />
        <IfLoaded>{({ ToCallList }) => <ToCallList model={model} />}</IfLoaded>
        <form
          id="patchcord-dial"
          class="dial"
          onSubmit={(event) => {
            event.preventDefault();
            void model.dialTyped();
          }}
        >
          <NumberField model={model} label={texts.numberLabel} />
          <CallerIdChoice model={model} />
          <Keypad onPress={press} onHoldZero={() => press('+')} />
        </form>
      </div>
      <div class="dial-foot">
        <button type="submit" form="patchcord-dial" class="button button-call button-wide">
          <Icon name="call" />
          {texts.call}
        </button>
      </div>
    </>
  );
}
