/**
 * The place of a screen that is loaded when it is asked for. Owns the loading, once for all of them, and what is said until they are there. Must
 * never import statically what is loaded.
 */
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { texts } from '../texts.ts';

type Screens = typeof import('../later/later-screens.tsx');
/** A load that takes longer is told as failed. */
const loadMs = 20_000;
/** A computer that is never idle loads them all the same. */
const idleMs = 2_000;
const screens = signal<Screens | null>(null);
const missing = signal(false);
let loading = false;

/** Loads them, unless they are there or on their way. Never rejects: a failure shows in their place. */
export async function loadLaterScreens(): Promise<void> {
  if (loading || screens.value !== null) return;
  loading = true;
  missing.value = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, refuse) => {
    timer = setTimeout(refuse, loadMs);
  });
  try {
    screens.value = await Promise.race([import('../later/later-screens.tsx'), late]);
  } catch {
    missing.value = true;
  }
  clearTimeout(timer);
  loading = false;
}

/** For what a call can be without for a moment: nothing is in its place until it is there. */
export function IfLoaded({ children }: { readonly children: (screens: Screens) => ComponentChildren }) {
  return screens.value && <>{children(screens.value)}</>;
}

/** Loads them as soon as the browser has nothing else to do, so that nobody waits for them in a call; after two seconds in any case. */
export function fetchLaterScreens(): void {
  const idle = globalThis.requestIdleCallback ?? ((work: () => void) => setTimeout(work, 1_000));
  idle(() => void loadLaterScreens(), { timeout: idleMs });
}

export function LaterPlace({ children }: { readonly children: (screens: Screens) => ComponentChildren }) {
  useEffect(() => {
    void loadLaterScreens();
  }, []);
  if (screens.value !== null) return <>{children(screens.value)}</>;
  return (
    <div class="recent-note">
      <p role="status">{missing.value ? texts.partNotLoaded : texts.partLoading}</p>
      {missing.value && (
        <button type="button" class="button" onClick={() => void loadLaterScreens()}>
          {texts.tryAgain}
        </button>
      )}
    </div>
  );
}
