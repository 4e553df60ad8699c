/** The number field: type, paste, take back. Says underneath what will be dialled, or why it can't be. */
import { useId, useLayoutEffect, useRef } from 'preact/hooks';
import { Icon } from '../icon.tsx';
import type { SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';

export function NumberField({
  model,
  label,
  labelShown = false,
  takesFocus = false,
}: {
  readonly model: SoftphoneModel;
  readonly label: string;
  readonly labelShown?: boolean;
  /** The agent opened this field to type into it. Not so when the page around the panel has the focus. */
  readonly takesFocus?: boolean;
}) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    const page = input.current?.ownerDocument;
    if (takesFocus && page?.hasFocus() && page.activeElement !== page.body) input.current?.focus();
  }, [takesFocus]);
  const text = model.dialText.value;
  const problem = model.dialProblem.value;
  return (
    <div class="number">
      <label class={labelShown ? 'field-label' : 'unseen'} for={id}>
        {label}
      </label>
      <div class="number-box">
        <input
          ref={input}
          id={id}
          class="number-input digits"
          type="tel"
          inputMode="tel"
          autocomplete="off"
          spellcheck={false}
          enterKeyHint="go"
          placeholder={texts.numberPlaceholder}
          value={text}
          aria-invalid={problem !== null}
          aria-describedby={`${id}-says`}
          onInput={(event) => model.typeNumber(event.currentTarget.value)}
        />
        {text !== '' && (
          <button
            type="button"
            class="button-icon"
            aria-label={texts.deleteDigit}
            title={texts.deleteDigit}
            onClick={() => model.typeNumber([...text].slice(0, -1).join(''))}
          >
            <Icon name="delete" />
          </button>
        )}
      </div>
      <p id={`${id}-says`} class={problem === null ? 'number-says' : 'number-says is-problem'} role="status">
        {problem ?? preview(model, text)}
      </p>
    </div>
  );
}

/** What would be dialled, once it is clear; while typing, an unfinished number is nobody's mistake. */
function preview(model: SoftphoneModel, text: string): string {
  if (text === '') return '';
  const number = model.numbers.value.read(text);
  if (!number.ok) return '';
  return number.afterAnswer === ''
    ? texts.numberWillDial(number.display)
    : texts.numberThenDigits(number.display, number.afterAnswer);
}
