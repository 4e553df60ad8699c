/** After the call: what it was, the note, the outcome; saved as it is filled in, finished by the agent. */
import { type CallState, mostMoreTime } from '@patchcord/phone-engine';
import { useSignal } from '@preact/signals';
import { useEffect, useId, useRef } from 'preact/hooks';
import { Icon } from '../icon.tsx';
import { CallPerson } from '../parts/call-person.tsx';
import { formatDuration } from '../parts/call-timer.tsx';
import { nameOfCall, type SoftphoneModel } from '../softphone-model.ts';
import { timeWords } from '../to-call.ts';
import { wrapUpEndsAt } from '../wrap-up-clock.ts';
import { AboutChoice } from './about-choice.tsx';
import { NoteField } from './note-field.tsx';
import { RecordChoice } from './record-choice.tsx';
import { LaterButtons } from './to-call-list.tsx';
import { words } from './words.ts';

/** More outcomes than this are a list, not buttons. */
const mostPills = 6;

export function WrapUpScreen({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  const Transcript = model.transcript.value;
  const talked = call.answeredAt === null || call.endedAt === null ? 0 : call.endedAt - call.answeredAt;
  const wrong = problemOf(model, call);
  const problem = useId();
  const form = useRef<HTMLFormElement>(null);

  async function submit(): Promise<void> {
    await model.submitWrapUp(call);
    // What is missing is where the agent goes on.
    if (problemOf(model, call) !== null) form.current?.querySelector<HTMLElement>('[data-outcome]')?.focus();
  }

  return (
    <form
      ref={form}
      class="wrap-up"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <section class="call-card" aria-label={words.wrapUpTitle}>
        <CallPerson model={model} call={call} />
        <p class="call-state">
          <span class="timer digits">{talked > 0 ? formatDuration(talked) : words.neverAnswered}</span>
          <span class="call-words">{call.end?.reason}</span>
        </p>
        {wasCutOff(call) && (
          <button type="button" class="button button-small" onClick={() => void model.redial(call)}>
            <Icon name="call" size={16} />
            {words.callAgain}
          </button>
        )}
        <RecordChoice model={model} call={call} />
      </section>
      <NoteField model={model} call={call} />
      <Dispositions model={model} call={call} problem={problem} />
      {Transcript && <Transcript call={call} />}
      <AboutChoice model={model} call={call} />
      <CallLater model={model} call={call} />
      <div class="foot">
        <TimeLeft model={model} call={call} />
        <p class="foot-says" role="alert" id={problem}>
          {wrong}
        </p>
        <div class="button-row is-uneven">
          <button type="button" class="button" onClick={() => model.postponeWrapUp(call.id)}>
            {words.postpone}
          </button>
          <button type="submit" class="button button-primary">
            {words.submitWrapUp}
          </button>
        </div>
      </div>
    </form>
  );
}

/** Neither of the two ended it, or nobody waited for the answer: the agent may want to go on. */
function wasCutOff({ end, farSide }: CallState): boolean {
  return farSide.number !== '' && (end?.by === 'network' || end?.outcome === 'cancelled');
}

function problemOf({ wrapUpProblem }: SoftphoneModel, call: CallState): string | null {
  return wrapUpProblem.value?.call === call.id ? wrapUpProblem.value.text : null;
}

/** The one call-back to whom the call was with; the note goes along. */
function CallLater({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  const open = useSignal(false);
  const id = useId();
  const door = useRef<HTMLButtonElement>(null);
  const place = useRef<HTMLDivElement>(null);
  const shown = open.value;
  useEffect(() => {
    // The foot lies over what opens at the end.
    if (shown) place.current?.scrollIntoView({ block: 'center' });
  }, [shown]);
  const at = model.toCall.planned.value.get(call.id);
  if (call.farSide.number === '' && call.farSide.e164 === undefined) return null;
  return (
    <div class="quiet">
      <span role="status">{at !== undefined && words.callBackAt(timeWords(at, Date.now()))}</span>{' '}
      <button
        ref={door}
        type="button"
        class="button-link"
        aria-expanded={shown}
        aria-controls={id}
        onClick={() => {
          open.value = !shown;
        }}
      >
        {at === undefined ? words.callLater : words.callBackChange}
      </button>
      {at !== undefined && (
        <>
          {' · '}
          <button
            type="button"
            class="button-link"
            onClick={() => {
              door.current?.focus();
              void model.toCall.unplan(call.id);
            }}
          >
            {words.undo}
          </button>
        </>
      )}
      <div id={id} ref={place} class="to-call-more">
        {shown && (
          <LaterButtons
            onChoose={(time) => {
              door.current?.focus();
              open.value = false;
              const name = nameOfCall(call, model.numbers.value);
              void model.toCall.plan(call, time, name, model.noteOf(call));
            }}
          />
        )}
      </div>
    </div>
  );
}

/** How much time is left, where the tenant gives only so much. Announced by the panel at the start and near the end, not every second. */
function TimeLeft({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  const { ticker, profile } = model;
  useEffect(() => ticker.watch(), [ticker]);
  const endsAt = wrapUpEndsAt(call, profile.value.wrapUpSeconds);
  const left = endsAt === null ? 0 : endsAt - ticker.now.value;
  if (left <= 0) return null;
  return (
    <p class="time-left">
      <span>
        <span class="timer digits" role="timer" aria-live="off" aria-label={words.wrapUpTime}>
          {formatDuration(left + 999)}
        </span>{' '}
        {words.wrapUpTimeLeft}
      </span>
      {call.moreTime < mostMoreTime && (
        <button type="button" class="button button-small" onClick={() => void model.moreTime(call.id)}>
          {words.wrapUpMoreTime}
        </button>
      )}
    </p>
  );
}

function Dispositions({
  model,
  call,
  problem,
}: {
  readonly model: SoftphoneModel;
  readonly call: CallState;
  readonly problem: string;
}) {
  const id = useId();
  const described = problemOf(model, call) === null ? undefined : problem;
  const { dispositions, dispositionRequired } = model.profile.value;
  if (dispositions.length === 0) return null;
  const choose = (value: string) => void model.setDisposition(call.id, value);
  const label = (
    <>
      {words.disposition}
      {dispositionRequired && <span class="field-needed"> ({words.required})</span>}
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
            data-outcome
            aria-describedby={described}
            value={call.disposition ?? ''}
            onChange={(event) => choose(event.currentTarget.value)}
          >
            <option value="" disabled>
              {words.dispositionNone}
            </option>
            {dispositions.map(({ value, label: name }) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </select>
        </div>
      ) : (
        <fieldset class="pills" aria-describedby={described}>
          <legend class="field-label">{label}</legend>
          {dispositions.map(({ value, label: name }) => (
            <label key={value} class="pill">
              <input
                type="radio"
                class="pill-input"
                data-outcome
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
