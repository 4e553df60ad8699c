/** What there is to call, on the phone at rest: what is due on top, the rest a click away. Takes no room while there is nothing. */
import type { ToCall } from '@patchcord/call-protocol';
import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { Icon } from '../icon.tsx';
import type { SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';
import { isDue, nameOfEntry } from '../to-call.ts';
import { laterTimes, whenWords } from './to-call-times.ts';

/** What is due shows itself, up to this many; more are a click away. */
const mostShown = 2;

export function ToCallList({ model }: { readonly model: SoftphoneModel }) {
  const { entries, now, undo } = model.toCall;
  const id = useId();
  const unfolded = useSignal(false);
  const all = entries.value;
  const done = undo.value;
  if (all.length === 0 && done === null) return null;
  const due = all.filter((entry) => isDue(entry, now.value));
  const shown = unfolded.value ? all : due.slice(0, mostShown);
  return (
    <section class="to-call" aria-label={texts.toCall}>
      {done !== null && (
        <p class="quiet-line">
          <span>
            {texts.doneWith} <bdi>{nameOfEntry(done)}</bdi>
          </span>
          <button type="button" class="button-link" onClick={() => void model.toCall.takeBack()}>
            {texts.undo}
          </button>
        </p>
      )}
      {all.length > 0 && (
        <button
          type="button"
          class="to-call-head"
          aria-expanded={unfolded.value}
          aria-controls={id}
          onClick={() => {
            unfolded.value = !unfolded.value;
          }}
        >
          {texts.toCallCount(all.length, due.length)}
        </button>
      )}
      <ul id={id}>
        {shown.map((entry) => (
          <Entry key={entry.id} model={model} entry={entry} now={now.value} />
        ))}
      </ul>
    </section>
  );
}

function Entry({
  model,
  entry,
  now,
}: {
  readonly model: SoftphoneModel;
  readonly entry: ToCall;
  readonly now: number;
}) {
  const id = useId();
  const open = useSignal(false);
  const name = nameOfEntry(entry);
  const due = isDue(entry, now);
  const when = whenWords(entry, now);
  return (
    <li class={open.value ? 'to-call-entry is-open' : 'to-call-entry'}>
      <span class="recent-words">
        <bdi class="recent-name">{name}</bdi>
        <span class="recent-facts digits">
          <span class={due ? 'is-due' : undefined}>{when}</span>
          {when !== '' && entry.note !== null && ' · '}
          <bdi>{entry.note}</bdi>
          {open.value && ` (${entry.askedBy})`}
        </span>
      </span>
      <button
        type="button"
        class="button-icon"
        aria-label={texts.doneOrLater(name)}
        title={texts.doneOrLater(name)}
        aria-expanded={open.value}
        aria-controls={id}
        onClick={() => {
          open.value = !open.value;
        }}
      >
        <Icon name="waiting" />
      </button>
      <button
        type="button"
        class="button-icon is-call"
        aria-label={texts.callBack(name)}
        title={texts.callBack(name)}
        onClick={() => void model.toCall.call(entry)}
      >
        <Icon name="call" />
      </button>
      <div id={id} class="to-call-more">
        {open.value && (
          <>
            <button type="button" class="button button-small" onClick={() => void model.toCall.done(entry)}>
              {texts.done}
            </button>
            <LaterButtons
              onChoose={(at) => {
                open.value = false;
                void model.toCall.postpone(entry, at);
              }}
            />
          </>
        )}
      </div>
    </li>
  );
}

/** When to call instead. */
export function LaterButtons({ onChoose }: { readonly onChoose: (at: number) => void }) {
  return (
    <>
      {laterTimes(Date.now()).map(({ label, at }) => (
        <button key={label} type="button" class="button button-small" onClick={() => onChoose(at)}>
          {label}
        </button>
      ))}
    </>
  );
}
