/** Somebody asked not to be called: who, why, and the agent's decision. Takes the focus, where the panel has it: it answers what the agent just did. */
import { useEffect, useId, useRef } from 'preact/hooks';
import type { CallQuestion } from '../may-call.ts';
import { texts } from '../texts.ts';

export function CallQuestionCard({ question }: { readonly question: CallQuestion }) {
  const id = useId();
  const dont = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (document.hasFocus()) dont.current?.focus();
  }, []);
  return (
    <section
      class="knocking call-question"
      role="alertdialog"
      aria-labelledby={`${id}-title`}
      aria-describedby={`${id}-why`}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        question.drop();
      }}
    >
      <p class="knocking-title" id={`${id}-title`}>
        {texts.checkBeforeCall}
      </p>
      <p id={`${id}-why`}>
        {!question.reason.includes(question.name) && <bdi class="strip-name">{question.name}</bdi>} {question.reason}
      </p>
      <div class="button-row">
        <button type="button" ref={dont} class="button" onClick={() => question.drop()}>
          {texts.dontCall}
        </button>
        <button type="button" class="button button-call" onClick={() => question.go()}>
          {texts.callAnyway}
        </button>
      </div>
    </section>
  );
}
