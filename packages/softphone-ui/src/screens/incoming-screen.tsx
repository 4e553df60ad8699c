/** A call rings and nothing else is going on: who it is, and the two answers to it. Takes no focus. */
import type { CallState } from '@patchcord/phone-engine';
import { Icon } from '../icon.tsx';
import { CallPerson } from '../parts/call-person.tsx';
import { RecordChoice } from '../parts/record-choice.tsx';
import { RingingCall } from '../parts/ringing-call.tsx';
import type { SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';

export function IncomingScreen({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  return (
    <div class="incoming">
      <p class="incoming-title">{texts.incoming}</p>
      <div class="incoming-person">
        <CallPerson model={model} call={call} large />
        <RecordChoice model={model} call={call} />
        {call.trouble !== null && <p class="call-trouble">{call.trouble}</p>}
        <RingingCall model={model} call={call} />
      </div>
      <div class="foot button-row is-tall">
        <button type="button" class="button button-danger" onClick={() => void model.decline(call.id)}>
          <Icon name="hangUp" />
          {texts.decline}
        </button>
        <button type="button" class="button button-call" onClick={() => void model.answer(call.id)}>
          <Icon name="answer" />
          {texts.answer}
        </button>
      </div>
    </div>
  );
}
