/** The agent's note on a call: saved while typing, at once when the field is left. */
import type { CallState } from '@patchcord/phone-engine';
import { useId } from 'preact/hooks';
import type { SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';

/** A third of what one event may carry, in characters: letters of many scripts take three bytes each. */
const longestNote = 16_000;

export function NoteField({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  const id = useId();
  const text = model.noteOf(call);
  return (
    <div class="note">
      <div class="note-head">
        <label class="field-label" for={id}>
          {texts.note}
        </label>
        {text !== '' && <span class="note-state">{model.noteIsSaved(call) ? texts.noteSaved : texts.noteSaving}</span>}
      </div>
      <textarea
        id={id}
        class="note-text"
        data-note={call.id}
        rows={3}
        maxLength={longestNote}
        placeholder={texts.notePlaceholder}
        value={text}
        onInput={(event) => model.writeNote(call.id, event.currentTarget.value)}
        onBlur={() => void model.flushNote(call.id)}
      />
    </div>
  );
}
