/** After the call: what it was, the note, the outcome; saved as it is filled in, finished by the agent. */
import type { CallState } from '@patchcord/phone-engine';
import { useId } from 'preact/hooks';
import { CallPerson } from '../parts/call-person.tsx';
import { formatDuration } from '../parts/call-timer.tsx';
import { NoteField } from '../parts/note-field.tsx';
import { RecordChoice } from '../parts/record-choice.tsx';
import type { SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';

/** More outcomes than this are a list, not buttons. */
const mostPills = 6;

export function WrapUpScreen({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  const talked = call.answeredAt === null || call.endedAt === null ? 0 : call.endedAt - call.answeredAt;
  return (
    <form
      class="wrap-up"
      onSubmit={(event) => {
        event.preventDefault();
        void model.submitWrapUp(call);
      }}
    >
      <section class="call-card" aria-label={texts.wrapUpTitle}>
        <CallPerson model={model} call={call} />
        <p class="call-state">
          <span class="timer digits">{talked > 0 ? formatDuration(talked) : texts.neverAnswered}</span>
          <span class="call-words">{call.end?.reason}</span>
        </p>
        <RecordChoice model={model} call={call} />
      </section>
      <NoteField model={model} call={call} />
      <Dispositions model={model} call={call} />
      <div class="foot">
        <p class="foot-says" role="alert">
          {model.wrapUpProblem.value}
        </p>
        <div class="button-row is-uneven">
          <button type="button" class="button" onClick={() => model.postponeWrapUp(call.id)}>
            {texts.postpone}
          </button>
          <button type="submit" class="button button-primary">
            {texts.submitWrapUp}
          </button>
        </div>
      </div>
    </form>
  );
}

function Dispositions({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  const id = useId();
  const { dispositions, dispositionRequired } = model.profile.value;
  if (dispositions.length === 0) return null;
  const choose = (value: string) => void model.setDisposition(call.id, value);
  const label = (
    <>
      {texts.disposition}
      {dispositionRequired && <span class="field-needed"> ({texts.required})</span>}
    </>
  );
  return (
    <div class="dispositions">
      {dispositions.length > mostPills ? (
        <div class="field">
          <label class="field-label" for={id}>
            {label}
          </label>
          <select
            id={id}
            class="select"
            value={call.disposition ?? ''}
            onChange={(event) => choose(event.currentTarget.value)}
          >
            <option value="" disabled>
              {texts.dispositionNone}
            </option>
            {dispositions.map(({ value, label: name }) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </select>
        </div>
      ) : (
        <fieldset class="pills">
          <legend class="field-label">{label}</legend>
          {dispositions.map(({ value, label: name }) => (
            <label key={value} class="pill">
              <input
                type="radio"
                class="pill-input"
                name={id}
                value={value}
                checked={call.disposition === value}
                onChange={() => choose(value)}
              />
              <span class="pill-face">
                <bdi>{name}</bdi>
              </span>
            </label>
          ))}
        </fieldset>
      )}
    </div>
  );
}
