/** A call that rings while something else is on screen: a card above, with the two things to do about it. Takes no focus. */
import type { CallState } from '@patchcord/phone-engine';
import { Icon } from '../icon.tsx';
import type { SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';
import { CallPerson } from './call-person.tsx';
import { RingingCall } from './ringing-call.tsx';

export function KnockingCall({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  const { calls, waiting } = model.phone.value;
  const answering = waiting?.act === 'answer' && waiting.call === call.id;
  const holds = calls.some((other) => other.phase === 'active' && other.hold !== 'on');
  return (
    <section class="knocking" aria-label={texts.incoming}>
      <p class="knocking-title">{answering ? texts.answerWaits : holds ? texts.incomingHolds : texts.incoming}</p>
      <CallPerson model={model} call={call} />
      {call.trouble !== null && <p class="call-trouble">{call.trouble}</p>}
      <RingingCall model={model} call={call} />
      <div class="button-row">
        <button type="button" class="button button-danger" onClick={() => void model.decline(call.id)}>
          <Icon name="hangUp" />
          {texts.decline}
        </button>
        <button
          type="button"
          class="button button-call"
          aria-disabled={answering}
          onClick={() => void model.answer(call.id)}
        >
          <Icon name="answer" />
          {texts.answer}
        </button>
      </div>
    </section>
  );
}
