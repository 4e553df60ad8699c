/** Which record a call belongs to: the search, the choice among several with their reasons, and what to do when nobody has the number. */
import type { CallState } from '@patchcord/phone-engine';
import { useSignal } from '@preact/signals';
import { sameRecord } from '../call-duties.ts';
import { Icon } from '../icon.tsx';
import { isSubject } from '../related-records.ts';
import { nameOfCall, type SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';
import { rankedMatches, recordsAmong } from './ranked-matches.ts';

export function RecordChoice({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  const changing = useSignal(false);
  const lookup = model.lookups.value.get(call.id);
  const { record } = call;
  const inFront = model.recordShown.value;
  const records = recordsAmong(call.matches, model.profile.value.tenant.crm);
  const matches = rankedMatches(records, inFront);
  // What is no person is what a call is about, which is another choice.
  const shown = inFront === null || isSubject(inFront) || call.phase === 'incoming' ? null : inFront;
  const link = shown !== null && (record === null || !sameRecord(record, shown)) && (
    <button type="button" class="button-link" onClick={() => void model.chooseRecord(call.id, shown)}>
      <Icon name="open" size={14} />
      {texts.useShownRecord(shown.name ?? texts.shownRecordFallback)}
    </button>
  );

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
    if (matches.length < 2 && (link === false || call.phase !== 'ended')) return null;
    return (
      <p class="quiet-line">
        <span>{record.object}</span>
        {matches.length > 1 && (
          <button type="button" class="button-link" onClick={() => (changing.value = true)}>
            {texts.changeRecord}
          </button>
        )}
        {call.phase === 'ended' && link}
      </p>
    );
  }
  if (matches.length === 1) return null;
  const names = call.matches.filter((match) => !records.includes(match)).map((match) => match.record.name);
  const nobody = lookup === 'none' || names.length > 0;
  const alsoKnown = new Set(
    names.filter((name) => name !== undefined && name !== nameOfCall(call, model.numbers.value)),
  );
  if (lookup === 'searching') return <p class="quiet-line">{texts.searching}</p>;
  if (lookup === 'failed') return <p class="quiet-line">{texts.lookupFailed}</p>;
  if (!nobody && link === false) return null;
  return (
    <p class="quiet-line">
      {nobody && <span>{texts.notFound}</span>}
      {[...alsoKnown].map((name) => (
        <bdi key={name}>{name}</bdi>
      ))}
      {link}
    </p>
  );
}
