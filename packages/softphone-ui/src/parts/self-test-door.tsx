/** The way to the self-test and the place it appears in. Its screen is loaded here, because few people ever need it. */
import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Panel } from '../panel.ts';
import type { SelfTestScreen } from '../screens/self-test-screen.tsx';
import { texts } from '../texts.ts';

/** The end of the panel's address that opens it. */
const fragment = '#self-test';

export function SelfTestDoor({ panel }: { readonly panel: Panel }) {
  return (
    <button type="button" class="button" data-self-test onClick={() => (panel.selfTestOpen.value = true)}>
      {texts.selfTest.title}
    </button>
  );
}

/** Opens the self-test when the panel's address asks for it; until the returned function is called. */
export function openByAddress(view: Window | null, open: Signal<boolean>): () => void {
  const read = (): void => {
    if (view?.location.hash === fragment) open.value = true;
  };
  read();
  view?.addEventListener('hashchange', read);
  return () => view?.removeEventListener('hashchange', read);
}

export function SelfTestPlace({ panel }: { readonly panel: Panel }) {
  const loaded = useSignal<{ readonly Screen: typeof SelfTestScreen } | 'failed' | null>(null);
  function load(): void {
    loaded.value = null;
    import('../screens/self-test-screen.tsx').then(
      (part) => {
        loaded.value = { Screen: part.SelfTestScreen };
      },
      () => {
        loaded.value = 'failed';
      },
    );
  }
  useEffect(load, []);

  function close(): void {
    panel.selfTestOpen.value = false;
    if (location.hash === fragment) history.replaceState(history.state, '', location.pathname + location.search);
    // Back to where it was opened from, if that is still there.
    requestAnimationFrame(() => document.querySelector<HTMLElement>('[data-self-test]')?.focus());
  }

  const now = loaded.value;
  if (now !== null && now !== 'failed') return <now.Screen panel={panel} close={close} />;
  return (
    <div class="stage" role="status">
      <p class="stage-line">{now === null ? texts.selfTest.loading : texts.selfTest.notLoaded}</p>
      {now === 'failed' && (
        <div class="button-row">
          <button type="button" class="button" onClick={close}>
            {texts.close}
          </button>
          <button type="button" class="button button-primary" onClick={load}>
            {texts.tryAgain}
          </button>
        </div>
      )}
    </div>
  );
}
