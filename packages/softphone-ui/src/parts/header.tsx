/** The head of the panel: whose phone, how the line is, whether calls may come, help. */
import { signal } from '@preact/signals';
import { Icon, Mark } from '../icon.tsx';
import type { SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';
import { LaterPlace } from './later-place.tsx';

export function Header({ model }: { readonly model: SoftphoneModel | null }) {
  return (
    <header class="header">
      <span class="brand">
        <Mark />
        <h1 class="brand-name">{texts.product}</h1>
      </span>
      {model !== null && <HeaderState model={model} />}
    </header>
  );
}

function HeaderState({ model }: { readonly model: SoftphoneModel }) {
  const { line, available } = model.phone.value;
  const ready = line.status === 'ready';
  return (
    <>
      {model.role.value === 'mirror' && model.elsewhere.value === null && (
        <span class="chip" title={texts.remoteHint}>
          {texts.remote}
        </span>
      )}
      {ready ? (
        <button
          type="button"
          role="switch"
          class="availability"
          aria-checked={available}
          aria-label={texts.availabilityLabel}
          title={texts.availabilityLabel}
          onClick={() => void model.setAvailable(!available)}
        >
          <span class="switch" aria-hidden="true" />
          <span class="availability-word">{available ? texts.available : texts.unavailable}</span>
        </button>
      ) : (
        <span class={`line-state is-${line.status}`} role="status">
          <span class="line-dot" aria-hidden="true" />
          {texts.line[line.status]}
        </span>
      )}
      <button
        type="button"
        class="button-icon"
        popovertarget="patchcord-help"
        aria-label={texts.help}
        title={texts.help}
      >
        <Icon name="help" />
      </button>
    </>
  );
}

/** Its words are loaded when somebody wants them. */
const helpOpen = signal(false);

export function HelpPopover() {
  return (
    <div
      id="patchcord-help"
      class="help"
      popover="auto"
      role="dialog"
      aria-label={texts.helpTitle}
      onToggle={({ newState }) => {
        helpOpen.value = newState === 'open';
      }}
    >
      <div class="help-head">
        <h2>{texts.helpTitle}</h2>
        <button
          type="button"
          class="button-icon"
          popovertarget="patchcord-help"
          popovertargetaction="hide"
          aria-label={texts.close}
        >
          <Icon name="close" />
        </button>
      </div>
      {helpOpen.value && <LaterPlace>{({ HelpWords }) => <HelpWords />}</LaterPlace>}
    </div>
  );
}
