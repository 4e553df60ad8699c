/** Calls that are not in front: one on hold beside the current one, and ended ones whose wrap-up waits. */
import type { CallState } from '@patchcord/phone-engine';
import { Icon } from '../icon.tsx';
import { nameOfCall, type SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';
import { stateWords } from './call-words.ts';

export function BesideCalls({ model }: { readonly model: SoftphoneModel }) {
  const { beside } = model.layout.value;
  if (beside.length === 0) return null;
  return (
    <ul class="strips" aria-label={texts.besideLabel}>
      {beside.map((call) => (
        <BesideCall key={call.id} model={model} call={call} />
      ))}
    </ul>
  );
}

function BesideCall({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  const name = nameOfCall(call, model.numbers.value);
  const canSwap = call.hold === 'on' && !call.recovering;
  return (
    <li class="strip">
      <span class="strip-words">
        <bdi class="strip-name">{name}</bdi>
        <span class="strip-state">{stateWords(call)}</span>
      </span>
      {canSwap && model.features.value.conference.mostMembers > 1 && (
        <button
          type="button"
          class="button-icon"
          aria-label={texts.mergeWith(name)}
          title={texts.mergeWith(name)}
          onClick={() => void model.merge(call.id)}
        >
          <Icon name="conference" size={18} />
        </button>
      )}
      {canSwap && (
        <button
          type="button"
          class="button button-small"
          aria-label={texts.swapTo(name)}
          onClick={() => void model.swap(call.id)}
        >
          <Icon name="swap" size={16} />
          {texts.swap}
        </button>
      )}
      <HangUpOther model={model} call={call} name={name} />
    </li>
  );
}

export function UnfinishedCalls({ model }: { readonly model: SoftphoneModel }) {
  const { unfinished, screen } = model.layout.value;
  if (unfinished.length === 0 || screen.kind === 'call' || screen.kind === 'incoming') return null;
  return (
    <ul class="strips">
      {unfinished.map((call) => (
        <li key={call.id} class="strip">
          <button type="button" class="strip-button" onClick={() => model.resumeWrapUp(call.id)}>
            <Icon name="waiting" size={16} />
            {texts.wrapUpWaiting(nameOfCall(call, model.numbers.value))}
          </button>
        </li>
      ))}
    </ul>
  );
}

/** Ends a call that is not alone in front. */
export function HangUpOther({
  model,
  call,
  name,
}: {
  readonly model: SoftphoneModel;
  readonly call: CallState;
  readonly name: string;
}) {
  return (
    <button
      type="button"
      class="button-icon is-danger"
      aria-label={texts.hangUpOther(name)}
      title={texts.hangUpOther(name)}
      onClick={() => void model.hangUp(call.id)}
    >
      <Icon name="hangUp" size={18} />
    </button>
  );
}
