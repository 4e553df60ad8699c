/** Which record a call belongs to: the search, the choice among several with their reasons, and what to do when nobody has the number. */
import type { CallState } from '@patchcord/phone-engine';
import { useSignal } from '@preact/signals';
import { sameRecord } from '../call-duties.ts';
import { Icon } from '../icon.tsx';
import type { SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';

export function RecordChoice({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  const changing = useSignal(false);
  const lookup = model.lookups.value.get(call.id);
  const { record, matches } = call;

  if (matches.length > 1 && (record === null || changing.value)) {
    return (
      <section class="choice" aria-label={texts.chooseTitle(matches.length)}>
        <p class="choice-title">{texts.chooseTitle(matches.length)}</p>
        <ul class="choice-list">
          {matches.map((match) => (
            <li key={`${match.record.object} ${match.record.id}`}>
              <button
                type="button"
                class="choice-item"
                aria-pressed={record !== null && sameRecord(record, match.record)}
                onClick={() => {
                  changing.value = false;
                  void model.chooseRecord(call.id, match.record);
                }}
              >
                <span class="choice-name">
                  <bdi>{match.record.name ?? match.record.object}</bdi>
                  <span class="choice-object">{match.record.object}</span>
                </span>
                <span class="choice-reason">
                  {match.detail !== undefined && (
                    <>
                      <bdi>{match.detail}</bdi>
                      {' · '}
                    </>
                  )}
                  {match.reason}
                </span>
              </button>
            </li>
          ))}
        </ul>
      </section>
    );
  }
  if (record !== null) {
    if (matches.length < 2) return null;
    return (
      <p class="quiet-line">
        <span>{record.object}</span>
        <button type="button" class="button-link" onClick={() => (changing.value = true)}>
          {texts.changeRecord}
        </button>
      </p>
    );
  }
  if (matches.length === 1) return null;
  if (lookup === 'searching') return <p class="quiet-line">{texts.searching}</p>;
  if (lookup === 'failed') return <p class="quiet-line">{texts.lookupFailed}</p>;
  const shown = model.recordShown.value;
  if (lookup !== 'none' && shown === null) return null;
  return (
    <p class="quiet-line">
      {lookup === 'none' && <span>{texts.notFound}</span>}
      {shown !== null && call.phase !== 'incoming' && (
        <button type="button" class="button-link" onClick={() => void model.chooseRecord(call.id, shown)}>
          <Icon name="open" size={14} />
          {texts.useShownRecord(shown.name ?? texts.shownRecordFallback)}
        </button>
      )}
    </p>
  );
}
