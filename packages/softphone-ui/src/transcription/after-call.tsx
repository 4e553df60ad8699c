/**
 * In the wrap-up: what a machine makes of the call, what rules heard or missed, and the transcript to look it up. Owns how that is shown. Must never
 * pass a machine's words off as a person's, nor choose an outcome by itself.
 */
import type { MachineSummary, TranscriptLine } from '@patchcord/call-protocol';
import type { CallState } from '@patchcord/phone-engine';
import { nameOfCall, type SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';
import type { Findings } from './findings.ts';
import { PhraseList } from './phrase-list.tsx';
import { Lines } from './transcript-lines.tsx';

export interface AfterCallProps {
  readonly model: SoftphoneModel;
  readonly call: CallState;
  readonly lines: readonly TranscriptLine[];
  readonly findings: Findings;
}

export function AfterCall({ model, call, lines, findings }: AfterCallProps) {
  const { summary } = findings;
  const name = nameOfCall(call, model.numbers.value);
  return (
    <div class="after-call-parts">
      {/* It is there before what it says, or nobody hears of it. */}
      <p class="unseen" role="status">
        {summary !== null && texts.summaryArrived}
      </p>
      {summary?.disposition !== undefined && <Suggestion model={model} call={call} value={summary.disposition.value} />}
      {summary !== null && <Summary name={name} summary={summary} />}
      <PhraseList name={name} findings={findings} />
      {lines.length > 0 && (
        <details class="after-words">
          <summary>{texts.transcriptTitle}</summary>
          <Lines name={name} lines={lines} spotted={findings.spotted} />
        </details>
      )}
    </div>
  );
}

/** One press takes it; until then nothing is chosen. */
function Suggestion({
  model,
  call,
  value,
}: {
  readonly model: SoftphoneModel;
  readonly call: CallState;
  readonly value: string;
}) {
  // The list may be another one than the model was asked with.
  const outcome = model.profile.value.dispositions.find((one) => one.value === value);
  if (outcome === undefined) return null;
  const taken = call.disposition === value;
  return (
    <p class="outcome-hint">
      <span>
        {texts.outcomeSuggested} <bdi class="outcome-hint-name">{outcome.label}</bdi>
      </span>
      {/* It stays where it is, and keeps the focus. */}
      <button
        type="button"
        class="button button-small"
        aria-disabled={taken}
        aria-label={(taken ? texts.outcomeTaken : texts.outcomeTake)(outcome.label)}
        onClick={() => {
          if (!taken) void model.setDisposition(call.id, value);
        }}
      >
        {taken ? texts.outcomeChosen : texts.outcomeChoose}
      </button>
    </p>
  );
}

function Summary({ name, summary: made }: { readonly name: string; readonly summary: MachineSummary }) {
  const { summary, actionItems, sentiment, model } = made;
  return (
    <section class="machine-summary" aria-label={texts.summaryTitle}>
      <h2 class="transcript-title">
        {texts.summaryTitle} <span class="machine-model">{model}</span>
      </h2>
      <p class="machine-text" dir="auto">
        {summary}
      </p>
      {actionItems.length > 0 && (
        <>
          <h3 class="machine-to-do">{texts.actionItems}</h3>
          <ul class="machine-items">
            {actionItems.map((item) => (
              <li key={item} dir="auto">
                {item}
              </li>
            ))}
          </ul>
        </>
      )}
      {sentiment !== 'neutral' && (
        <p class="machine-mood">{(sentiment === 'negative' ? texts.moodNegative : texts.moodPositive)(name)}</p>
      )}
    </section>
  );
}
