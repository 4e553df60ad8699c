/** What was said in a recording, beside its sound. */
import { useEffect, useRef } from 'preact/hooks';
import { formatDuration } from '../parts/call-timer.tsx';
import type { OpenListening } from './listening.ts';
import { words } from './words.ts';

/** The line that is being said is marked and kept in sight; a click goes there. */
export function SpokenWords({
  listening,
  names,
  atMs,
  seek,
}: {
  readonly listening: OpenListening;
  readonly names: Readonly<Record<'agent' | 'far-side', string>>;
  readonly atMs: number;
  readonly seek: (ms: number) => void;
}) {
  const list = useRef<HTMLOListElement>(null);
  const lines = listening.lines.value;
  let current = -1;
  for (const [index, { startMs }] of lines.entries()) if (startMs <= atMs) current = index;
  useEffect(() => {
    const line = list.current?.children[current];
    if (list.current === null || !(line instanceof HTMLElement)) return;
    // Within its own list: the page stays where the agent has it.
    list.current.scrollTop = line.offsetTop - list.current.offsetTop - list.current.clientHeight / 3;
  }, [current]);
  if (lines.length === 0) return null;
  return (
    <ol ref={list} class="player-lines" aria-label={words.said}>
      {lines.map(({ speaker, text, startMs }, index) => (
        <li key={`${speaker} ${startMs}`}>
          <button
            type="button"
            class={index === current ? 'player-line is-current' : 'player-line'}
            aria-current={index === current ? 'true' : undefined}
            onClick={() => seek(startMs)}
          >
            <span class="player-who">
              {names[speaker]} <span class="digits">{formatDuration(startMs)}</span>
            </span>
            <span dir="auto">{text}</span>
          </button>
        </li>
      ))}
    </ol>
  );
}
