/** The members of the conference in front, or of the room: who hears whom, and what can be done about each. */
import { type CallState, membersOf } from '@patchcord/phone-engine';
import { Icon } from '../icon.tsx';
import { HangUpOther } from '../parts/call-strips.tsx';
import { stateWords } from '../parts/call-words.ts';
import { nameOfCall, type SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';

export function ConferenceMembers({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  if (call.room !== null && call.room.members.length > 0) {
    const names = call.room.members.map((member) => model.numbers.value.nameOf(member)).join(', ');
    return <p class="quiet-line">{texts.inRoom(names)}</p>;
  }
  if (!call.inConference) return null;
  const members = membersOf(model.phone.value);
  return (
    <section class="members" aria-label={texts.conference}>
      <h2 class="members-title">
        {texts.conference}
        <span class="quiet">{texts.conferenceOf(members.length)}</span>
      </h2>
      <ul class="strips">
        {members.map((member) => (
          <Member key={member.id} model={model} call={member} />
        ))}
      </ul>
    </section>
  );
}

function Member({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  const name = nameOfCall(call, model.numbers.value);
  const silence = call.silenced ? texts.unsilence(name) : texts.silence(name);
  return (
    <li class="strip">
      <span class="strip-words">
        <bdi class="strip-name">{name}</bdi>
        <span class="strip-state">{call.silenced ? texts.silenced : stateWords(call)}</span>
      </span>
      <button
        type="button"
        class={call.silenced ? 'button-icon is-on' : 'button-icon'}
        aria-label={silence}
        aria-pressed={call.silenced}
        title={silence}
        onClick={() => void model.toggleSilence(call)}
      >
        <Icon name={call.silenced ? 'muted' : 'mute'} size={18} />
      </button>
      <button
        type="button"
        class="button-icon"
        aria-label={texts.splitOff(name)}
        title={texts.splitOff(name)}
        onClick={() => void model.split(call.id)}
      >
        <Icon name="hold" size={18} />
      </button>
      <HangUpOther model={model} call={call} name={name} />
    </li>
  );
}
