/** A call rings and nothing else is going on: who it is, and the two answers to it. Takes no focus. */
import type { CallState } from '@patchcord/phone-engine';
import { Icon } from '../icon.tsx';
import { CallPerson } from '../parts/call-person.tsx';
import { stateWords } from '../parts/call-words.ts';
import { IfLoaded } from '../parts/later-place.tsx';
import { RingingCall } from '../parts/ringing-call.tsx';
import type { SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';

export function IncomingScreen({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  return (
    <div class="incoming">
      <p class="incoming-title">{stateWords(call)}</p>
      <div class="incoming-person">
        <CallPerson model={model} call={call} large />
        <IfLoaded>{({ RecordChoice }) => <RecordChoice model={model} call={call} />}</IfLoaded>
        {call.trouble !== null && <p class="call-trouble">{call.trouble}</p>}
        <RingingCall model={model} call={call} />
      </div>
      <div class="foot button-row is-tall">
        <button type="button" class="button button-danger" onClick={() => void model.decline(call.id)}>
          <Icon name="hangUp" />
          {texts.decline}
        </button>
        <button
          type="button"
          class="button button-call"
          aria-disabled={call.recovering}
          onClick={() => void model.answer(call.id)}
        >
          <Icon name="answer" />
          {texts.answer}
        </button>
      </div>
    </div>
  );
}
