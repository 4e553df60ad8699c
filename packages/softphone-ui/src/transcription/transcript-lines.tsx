/**
 * The lines of a transcript, by time. Owns where the reader stands: it follows the newest line only from the end. Must never take the focus.
 */
import type { TranscriptLine } from '@patchcord/call-protocol';
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { formatDuration } from '../parts/call-timer.tsx';
import { texts } from '../texts.ts';
import type { Spotted } from './findings.ts';

/** From the end it counts as reading the newest, px. */
const nearEnd = 24;

export interface LinesProps {
  /** Of the far side. */
  readonly name: string;
  readonly lines: readonly TranscriptLine[];
  /** Phrases of rules, each marked where it was said. */
  readonly spotted: readonly Spotted[];
}

export function Lines({ name, lines, spotted }: LinesProps) {
  const place = useRef<HTMLOListElement>(null);
  const follows = useRef(true);
  const top = useRef(0);
  const { current: behind } = useRef(signal(false));
  const toEnd = (): void => {
    const list = place.current;
    if (list !== null) list.scrollTop = list.scrollHeight;
  };
  useEffect(() => {
    if (follows.current) toEnd();
    else behind.value = true;
  }, [lines, spotted]);
  return (
    <div class="transcript-body">
      <ol
        ref={place}
        class="transcript-lines"
        // It scrolls: a keyboard must reach it.
        // biome-ignore lint/a11y/noNoninteractiveTabindex: see above
        tabIndex={0}
        aria-label={texts.transcriptLines}
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
          // A line that came in the meantime is no reason to stay behind: only the agent goes up.
          if (scrollHeight - scrollTop - clientHeight < nearEnd) follows.current = true;
          else if (scrollTop < top.current) follows.current = false;
          if (follows.current) behind.value = false;
          top.current = scrollTop;
        }}
      >
        {lines.map((line) => (
          <Line
            key={`${line.speaker} ${line.line}`}
            name={name}
            line={line}
            spotted={spotted.filter((one) => one.speaker === line.speaker && one.line === line.line)}
          />
        ))}
      </ol>
      {behind.value && (
        <button
          type="button"
          class="button button-small transcript-newest"
          onClick={() => {
            follows.current = true;
            behind.value = false;
            toEnd();
          }}
        >
          {texts.transcriptNewest}
        </button>
      )}
    </div>
  );
}

function Line({
  name,
  line,
  spotted,
}: Pick<LinesProps, 'name' | 'spotted'> & {
  readonly line: TranscriptLine;
}) {
  const { gap, startMs, endMs, speaker, text, final } = line;
  if (gap !== undefined) {
    const length = formatDuration(endMs - startMs);
    return (
      <li class="transcript-gap">{gap === 'paused' ? texts.transcriptPaused(length) : texts.transcriptLost(length)}</li>
    );
  }
  return (
    <li class={`transcript-line is-by-${speaker}`}>
      <span class="transcript-by">
        <bdi>{speaker === 'agent' ? texts.transcriptAgent : name}</bdi>
        <span class="transcript-at digits">{formatDuration(startMs)}</span>
      </span>
      <span class={final ? 'transcript-text' : 'transcript-text is-partial'} dir="auto">
        {text}
      </span>
      {spotted.map(({ rule, label, severity, awaited }) => (
        <span key={rule} class={`spotted-mark is-${awaited === true ? 'kept' : severity}`}>
          <bdi>{label}</bdi>
        </span>
      ))}
    </li>
  );
}
