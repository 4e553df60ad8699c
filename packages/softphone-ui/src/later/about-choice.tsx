/**
 * What a call is about: open cases and deals of whom it is with, and what the agent has open. A suggestion is a click away and never taken
 * by itself. In the wrap-up the choice is open; during the call it is folded into one line.
 */
import type { RecordRef } from '@patchcord/call-protocol';
import type { CallState } from '@patchcord/phone-engine';
import { useSignal } from '@preact/signals';
import { useEffect, useId } from 'preact/hooks';
import { sameRecord } from '../call-duties.ts';
import { Icon } from '../icon.tsx';
import { type RelatedList, shownSubject } from '../related-records.ts';
import type { SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';
import { askableRecord, offersFor } from './about-offers.ts';

const nameOf = ({ name, object, id }: RecordRef): string => name ?? `${object} ${id}`;

export function AboutChoice({
  model,
  call,
  folded = false,
}: {
  readonly model: SoftphoneModel;
  readonly call: CallState;
  readonly folded?: boolean;
}) {
  const id = useId();
  const unfolded = useSignal(!folded);
  const open = unfolded.value;
  const asked = askableRecord(call);
  useAsking(model, open ? asked : null);
  const shown = model.recordShown.value;
  const inFront = shownSubject(call, shown);
  const { about } = call;
  if (asked === null && inFront === null && about === null) return null;
  const list = asked === null ? [] : model.related.of(asked);
  return (
    <div class="about">
      {folded && (
        <p class="quiet-line">
          {about !== null && (
            <span>
              {texts.about}: <bdi class="about-name">{nameOf(about)}</bdi>
            </span>
          )}
          {about === null && inFront !== null && (
            <button type="button" class="button-link" onClick={() => void model.associate(call.id, inFront)}>
              {texts.aboutThis(nameOf(inFront))}
            </button>
          )}
          <button
            type="button"
            class="button-link"
            aria-expanded={open}
            aria-controls={id}
            onClick={() => {
              unfolded.value = !open;
            }}
          >
            {about === null ? texts.aboutChoose : texts.changeRecord}
            {about !== null && <span class="unseen"> {texts.aboutChange}</span>}
          </button>
        </p>
      )}
      <div id={id}>{open && <Offers model={model} call={call} list={list} asked={asked} titled={!folded} />}</div>
    </div>
  );
}

function Offers({
  model,
  call,
  list,
  asked,
  titled,
}: {
  readonly model: SoftphoneModel;
  readonly call: CallState;
  readonly list: RelatedList | null;
  readonly asked: RecordRef | null;
  readonly titled: boolean;
}) {
  const name = useId();
  const offers = offersFor(call, model.recordShown.value, list);
  const { about } = call;
  return (
    <fieldset class="about-group">
      <legend class={titled ? 'field-label' : 'unseen'}>{texts.about}</legend>
      {(offers.length > 0 || about !== null) && (
        <div class="about-list">
          {offers.map(({ record, detail, reason }) => (
            <div key={`${record.object} ${record.id}`} class="about-item">
              <label class="about-label">
                <input
                  type="radio"
                  class="about-input"
                  name={name}
                  checked={about !== null && sameRecord(about, record)}
                  onChange={() => void model.associate(call.id, record)}
                />
                <span class="about-words">
                  <span class="choice-name">
                    <bdi>{nameOf(record)}</bdi>
                    <span class="choice-object">{record.object}</span>
                  </span>
                  <span class="choice-reason">
                    {detail !== undefined && (
                      <>
                        <bdi>{detail}</bdi>
                        {' · '}
                      </>
                    )}
                    {reason}
                  </span>
                </span>
              </label>
              {model.canOpenRecord && about !== null && sameRecord(about, record) && (
                <button
                  type="button"
                  class="button-icon"
                  aria-label={texts.openRecordOf(nameOf(record))}
                  title={texts.openRecordOf(nameOf(record))}
                  onClick={() => void model.openRecord(record)}
                >
                  <Icon name="open" size={18} />
                </button>
              )}
            </div>
          ))}
          <div class="about-item">
            <label class="about-label">
              <input
                type="radio"
                class="about-input"
                name={name}
                checked={about === null}
                onChange={() => void model.associate(call.id, null)}
              />
              <span class="about-words">{texts.aboutNothing}</span>
            </label>
          </div>
        </div>
      )}
      <p class="quiet-line">
        <span
          role="status"
          class={list !== null && list.length > 0 && list !== 'failed' && list !== 'loading' ? 'unseen' : ''}
        >
          {saysOf(list, asked)}
        </span>
        {list === 'failed' && asked !== null && (
          <button type="button" class="button-link" onClick={() => void model.related.ask(asked, true)}>
            {texts.tryAgain}
          </button>
        )}
      </p>
    </fieldset>
  );
}

function saysOf(list: RelatedList | null, asked: RecordRef | null): string {
  if (asked === null) return '';
  if (list === null || list === 'loading') return texts.aboutLoading;
  if (list === 'failed') return texts.aboutFailed;
  return list.length === 0 ? texts.aboutNone(nameOf(asked)) : texts.aboutFound(list.length);
}

/** Of all tabs only those that are looked at ask: each of them shows the same call. */
function useAsking(model: SoftphoneModel, record: RecordRef | null): void {
  const key = record === null ? '' : `${record.crm} ${record.object} ${record.id}`;
  // The record is its key: in a mirror the object is a new one with every state.
  useEffect(() => {
    if (record === null) return;
    const ask = (): void => {
      if (document.visibilityState === 'visible') void model.related.ask(record);
    };
    ask();
    document.addEventListener('visibilitychange', ask);
    return () => document.removeEventListener('visibilitychange', ask);
  }, [model, key]);
}
