/**
 * The way to the self-test and the place it appears in. Owns when it is open, and loads its screen only then: it never comes back by itself after
 * something took its place. Takes the focus when it opens, where the panel has it. Must never import statically what is loaded.
 */
import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { Icon } from '../icon.tsx';
import type { Panel } from '../panel.ts';
import { texts } from '../texts.ts';

/** The end of the panel's address that opens it. */
const fragment = '#self-test';
/** A load that takes longer is told as failed. */
const loadMs = 20_000;

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
  const screen = useSignal<typeof import('../screens/self-test-screen.tsx') | null>(null);
  const missing = useSignal(false);
  const head = useRef<HTMLHeadingElement>(null);
  async function load(): Promise<void> {
    missing.value = false;
    if (document.hasFocus()) head.current?.focus();
    const late = new Promise<never>((_, refuse) => panel.selfTestSubject.clock.setTimeout(refuse, loadMs));
    try {
      screen.value = await Promise.race([import('../screens/self-test-screen.tsx'), late]);
    } catch {
      missing.value = true;
    }
  }
  useEffect(() => {
    void load();
  }, []);
  function close(): void {
    panel.selfTestOpen.value = false;
    // Back to where it was opened from, if that is still there.
    requestAnimationFrame(() => document.querySelector<HTMLElement>('[data-self-test]')?.focus());
  }
  const Loaded = screen.value?.SelfTestScreen;
  return (
    <section
      class="self-test"
      aria-labelledby="patchcord-self-test"
      onKeyDown={(event) => {
        if (event.key === 'Escape') close();
      }}
    >
      <div class="help-head">
        <h2 class="stage-title" id="patchcord-self-test" tabIndex={-1} ref={head}>
          {texts.selfTest.title}
        </h2>
        <button type="button" class="button-icon" aria-label={texts.close} title={texts.close} onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      {Loaded === undefined ? (
        <>
          <p role="status">{missing.value ? texts.selfTest.notLoaded : texts.selfTest.loading}</p>
          {missing.value && (
            <button type="button" class="button" onClick={() => void load()}>
              {texts.tryAgain}
            </button>
          )}
        </>
      ) : (
        <Loaded panel={panel} byAgent={byAgent} />
      )}
    </section>
  );
}
