/** Trouble and notices, above everything else. A banner stays while its cause stays; a notice is read and goes. */
import { useSignal } from '@preact/signals';
import { Icon } from '../icon.tsx';
import type { Panel } from '../panel.ts';
import type { SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';
import type { Trouble } from '../troubles.ts';
import { CodeForm } from './code-form.tsx';

export function Banners({ panel, reload }: { readonly panel: Panel; readonly reload: () => void }) {
  const troubles = panel.troubles.value;
  if (troubles.length === 0) return null;
  return (
    <section class="banners" aria-label={texts.troublesLabel}>
      {troubles.map((trouble) => (
        <Banner key={trouble.key} trouble={trouble} panel={panel} reload={reload} />
      ))}
    </section>
  );
}

function Banner({
  trouble,
  panel,
  reload,
}: {
  readonly trouble: Trouble;
  readonly panel: Panel;
  readonly reload: () => void;
}) {
  const asking = useSignal(false);
  const { act } = trouble;
  return (
    <div class={`banner is-${trouble.tone}`} role="status">
      <Icon name={trouble.tone === 'info' ? 'info' : 'warning'} size={18} />
      <div class="banner-words">
        <p class="banner-title">{trouble.title}</p>
        {trouble.advice !== '' && <p class="banner-advice">{trouble.advice}</p>}
        {act === 'sign-in' && !asking.value && (
          <button type="button" class="button-link" onClick={() => (asking.value = true)}>
            {texts.signInAgain}
          </button>
        )}
        {act === 'sign-in' && asking.value && <CodeForm panel={panel} />}
        {(act === 'open-window' || act === 'drop-wait') && (
          <button
            key={act}
            type="button"
            class="button-link"
            onClick={() => (act === 'drop-wait' ? panel.dropWait() : panel.openPhoneWindow())}
          >
            {act === 'drop-wait' ? texts.dropWait : texts.openPhoneWindow}
          </button>
        )}
        {act === 'reload' && (
          <button type="button" class="button-link" onClick={reload}>
            {texts.reloadPage}
          </button>
        )}
      </div>
      {(act === 'forget-refused' || act === 'forget-unlogged') && (
        <button
          type="button"
          class="button-icon"
          aria-label={texts.dismiss}
          title={texts.dismiss}
          onClick={() => (act === 'forget-refused' ? void panel.forgetRefused() : panel.forgetUnlogged())}
        >
          <Icon name="close" size={18} />
        </button>
      )}
    </div>
  );
}

export function NoticeLine({ model }: { readonly model: SoftphoneModel }) {
  const notice = model.notice.value;
  return (
    <div class="notice-place" role="status">
      {notice !== null && (
        <p key={notice.id} class={`notice is-${notice.tone}`}>
          <Icon name={notice.tone === 'warning' ? 'warning' : 'info'} size={18} />
          <span class="notice-text">{notice.text}</span>
          <button
            type="button"
            class="button-icon"
            aria-label={texts.dismiss}
            title={texts.dismiss}
            onClick={() => model.dismissNotice()}
          >
            <Icon name="close" size={18} />
          </button>
        </p>
      )}
    </div>
  );
}
