/** Asks for a pairing code. The code is shown as typed: it works once and lives for minutes. */
import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import type { Panel } from '../panel.ts';
import { texts } from '../texts.ts';

/** `second`: there is a better way to sign in. */
export function CodeForm({ panel, second = false }: { readonly panel: Panel; readonly second?: boolean }) {
  const id = useId();
  const code = useSignal('');
  const problem = panel.codeProblem.value;
  const busy = panel.codeBusy.value;
  return (
    <form
      class="code-form"
      onSubmit={(event) => {
        event.preventDefault();
        void panel.submitCode(code.value);
      }}
    >
      <label class="field-label" for={id}>
        {texts.codeLabel}
      </label>
      <input
        id={id}
        class="text-input code-input digits"
        type="text"
        autocomplete="one-time-code"
        autocapitalize="characters"
        spellcheck={false}
        maxLength={32}
        value={code.value}
        aria-invalid={problem !== null}
        aria-describedby={`${id}-problem`}
        onInput={(event) => {
          code.value = event.currentTarget.value;
        }}
      />
      <p id={`${id}-problem`} class="number-says is-problem" role="status">
        {problem}
      </p>
      {/* Disabled buttons lose the focus: a busy one stays and does nothing. */}
      <button type="submit" class={`button button-wide${second ? '' : ' button-primary'}`} aria-disabled={busy}>
        {busy ? texts.codeBusy : texts.codeSubmit}
      </button>
    </form>
  );
}
