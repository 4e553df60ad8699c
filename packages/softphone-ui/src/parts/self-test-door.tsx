/** The way to the self-test and the place it appears in. Owns when it is open: it never comes back by itself after something took its place. */
import type { Signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Panel } from '../panel.ts';
import { SelfTestScreen } from '../screens/self-test-screen.tsx';
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
  // A link is no word of the agent's: the microphone waits for it.
  const byAgent = location.hash !== fragment;
  useEffect(
    () => () => {
      panel.selfTestOpen.value = false;
      if (location.hash === fragment) history.replaceState(history.state, '', location.pathname + location.search);
    },
    [panel],
  );
  return (
    <SelfTestScreen
      panel={panel}
      byAgent={byAgent}
      close={() => {
        panel.selfTestOpen.value = false;
        // Back to where it was opened from, if that is still there.
        requestAnimationFrame(() => document.querySelector<HTMLElement>('[data-self-test]')?.focus());
      }}
    />
  );
}
