/** Who is on the far side: picture, name, number, second line. Names come from the CRM and may run either way, hence `<bdi>`. */
import type { CallState } from '@patchcord/phone-engine';
import { sameRecord } from '../call-duties.ts';
import { Icon } from '../icon.tsx';
import { nameOfCall, type SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';

/** Initials of a name, or a person's outline where there is none. */
function Avatar({ name, large = false }: { readonly name: string | null; readonly large?: boolean }) {
  const letters = name === null ? '' : initialsOf(name);
  return (
    <span class={large ? 'avatar avatar-large' : 'avatar'} aria-hidden="true">
      {letters === '' ? <Icon name="person" size={large ? 34 : 20} /> : letters}
    </span>
  );
}

export function CallPerson({
  model,
  call,
  large = false,
}: {
  readonly model: SoftphoneModel;
  readonly call: CallState;
  readonly large?: boolean;
}) {
  const numbers = model.numbers.value;
  const name = nameOfCall(call, numbers);
  const number = numbers.numberOf(call.farSide);
  const record = call.record;
  const match = record === null ? call.matches[0] : call.matches.find((other) => sameRecord(other.record, record));
  const detail = call.matches.length === 1 || record !== null ? match?.detail : undefined;
  return (
    <div class={large ? 'person person-large' : 'person'}>
      <Avatar name={name === number ? null : name} large={large} />
      <div class="person-words">
        <h2 class="person-name">
          <bdi>{name}</bdi>
        </h2>
        {detail !== undefined && (
          <p class="person-detail">
            <bdi>{detail}</bdi>
          </p>
        )}
        {number !== name && (
          <p class="person-number digits">
            <bdi>{number}</bdi>
          </p>
        )}
        {call.diverted !== null && (
          <p class="person-detail">{texts.divertedFrom(numbers.nameOf(call.diverted.from))}</p>
        )}
        {match?.doNotCall === true && <p class="person-verified is-failed">{texts.askedNotToBeCalled}</p>}
        {call.verified !== null && (
          <p class={`person-verified is-${call.verified}`}>
            <Icon name={call.verified === 'passed' ? 'check' : 'warning'} size={14} />
            {call.verified === 'passed' ? texts.verified : texts.notVerified}
          </p>
        )}
      </div>
      {!large && record !== null && model.canOpenCalls && (
        <button
          type="button"
          class="button-icon"
          aria-label={texts.openRecordOf(record.name ?? record.object)}
          title={texts.openRecordOf(record.name ?? record.object)}
          onClick={() => void model.openRecord(record, call.id)}
        >
          <Icon name="open" />
        </button>
      )}
    </div>
  );
}

function initialsOf(name: string): string {
  const words = name.split(/\s+/).filter((word) => /^\p{L}/u.test(word));
  const first = words[0];
  const last = words.length > 1 ? words.at(-1) : undefined;
  return `${first === undefined ? '' : [...first][0]}${last === undefined ? '' : [...last][0]}`.toUpperCase();
}
