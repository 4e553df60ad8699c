/** Where calls go instead of ringing here, to be set. Owns what is typed until it is used; the phone says whether a number will do. */
import type { Forwarding } from '@patchcord/phone-engine';
import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import type { SoftphoneModel } from '../softphone-model.ts';
import { words } from './words.ts';

type When = 'off' | Forwarding['when'];
const labels: Readonly<Record<When, string>> = {
  off: words.forwardOff,
  always: words.forwardAlways,
  busy: words.forwardBusy,
  'no-answer': words.forwardNoAnswer,
};
/** Before that nobody could have answered, and after it callers are gone. */
const seconds = { least: 5, most: 120, usual: 20 };

export function ForwardingGroup({ model }: { readonly model: SoftphoneModel }) {
  const id = useId();
  const { forwarding } = model.phone.value;
  const deposit = model.features.value.voicemail?.deposit ?? null;
  const when = useSignal<When>(forwarding?.when ?? 'off');
  const toMailbox = useSignal(deposit !== null && (forwarding === null || forwarding.to === deposit));
  const said = useSignal<{ readonly text: string; readonly problem: boolean } | null>(null);
  const number = forwarding === null || forwarding.to === deposit ? '' : forwarding.to;

  async function use(form: FormData): Promise<void> {
    const wish = wishOf(form);
    if (typeof wish === 'string') {
      said.value = { text: wish, problem: true };
      return;
    }
    said.value = (await model.forward(wish)) ? { text: words.forwardSaved, problem: false } : null;
  }

  /** What the form asks for, or what is wrong with it. */
  function wishOf(form: FormData): Forwarding | null | string {
    if (when.value === 'off') return null;
    const afterSeconds = Number(form.get('after') ?? seconds.usual);
    if (!Number.isInteger(afterSeconds) || afterSeconds < seconds.least || afterSeconds > seconds.most)
      return words.forwardSecondsWrong;
    if (toMailbox.value && deposit !== null) return { to: deposit, when: when.value, afterSeconds };
    const read = model.numbers.value.read(String(form.get('to') ?? ''));
    return read.ok ? { to: read.target, when: when.value, afterSeconds } : read.reason;
  }

  return (
    <form
      class="group"
      aria-labelledby={`${id}-title`}
      onSubmit={(event) => {
        event.preventDefault();
        void use(new FormData(event.currentTarget));
      }}
    >
      <h2 class="group-title" id={`${id}-title`}>
        {words.forwardingTitle}
      </h2>
      <div class="field">
        <label class="field-label" for={`${id}-when`}>
          {words.forwardWhen}
        </label>
        <select
          id={`${id}-when`}
          class="select"
          value={when.value}
          onChange={(event) => {
            when.value = event.currentTarget.value as When;
            said.value = null;
            if (when.value === 'off') void use(new FormData());
          }}
        >
          {(Object.keys(labels) as When[]).map((kind) => (
            <option key={kind} value={kind}>
              {labels[kind]}
            </option>
          ))}
        </select>
      </div>
      {when.value !== 'off' && (
        <>
          {deposit !== null && (
            <div class="field">
              <label class="field-label" for={`${id}-kind`}>
                {words.forwardTo}
              </label>
              <select
                id={`${id}-kind`}
                class="select"
                value={toMailbox.value ? 'mailbox' : 'number'}
                onChange={(event) => {
                  toMailbox.value = event.currentTarget.value === 'mailbox';
                }}
              >
                <option value="mailbox">{words.toVoicemail}</option>
                <option value="number">{words.forwardNumber}</option>
              </select>
            </div>
          )}
          {!(toMailbox.value && deposit !== null) && (
            <div class="field">
              <label class="field-label" for={`${id}-to`}>
                {words.forwardNumberLabel}
              </label>
              <input
                id={`${id}-to`}
                name="to"
                class="text-input digits"
                type="tel"
                autocomplete="off"
                maxLength={64}
                defaultValue={number}
              />
            </div>
          )}
          {when.value === 'no-answer' && (
            <div class="field">
              <label class="field-label" for={`${id}-after`}>
                {words.forwardAfter}
              </label>
              <input
                id={`${id}-after`}
                name="after"
                class="text-input digits"
                type="number"
                min={seconds.least}
                max={seconds.most}
                defaultValue={String(forwarding?.when === 'no-answer' ? forwarding.afterSeconds : seconds.usual)}
              />
            </div>
          )}
          {when.value !== 'always' && <p class="quiet">{words.forwardHere}</p>}
          <button type="submit" class="button button-wide">
            {words.forwardSave}
          </button>
        </>
      )}
      <p class={said.value?.problem === true ? 'number-says is-problem' : 'number-says'} role="status">
        {said.value?.text ?? ''}
      </p>
    </form>
  );
}
