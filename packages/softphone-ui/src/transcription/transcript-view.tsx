/**
 * What is being said, beside the call: both sides line by line, what is missing, and whether words come at all. It stays where the agent reads, and
 * follows the newest line only from the end. Must never take the focus, nor read every word aloud.
 */
import type { TranscriptLine } from '@patchcord/call-protocol';
import type { CallState } from '@patchcord/phone-engine';
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { Icon } from '../icon.tsx';
import { formatDuration } from '../parts/call-timer.tsx';
import { nameOfCall, type SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';
import type { SoundService } from './sound-sender.ts';

/** From the end it counts as reading the newest, px. */
const nearEnd = 24;
/** What is read aloud waits for what comes close after it, ms. */
const aloudMs = 5_000;
const mostAloud = 240;

export interface TranscriptViewProps {
  readonly model: SoftphoneModel;
  readonly call: CallState;
  readonly lines: readonly TranscriptLine[];
  /** null: another frame listens, or nobody has begun. */
  readonly service: SoundService | 'deaf' | null;
}

export function TranscriptView({ model, call, lines, service }: TranscriptViewProps) {
  const name = nameOfCall(call, model.numbers.value);
  const paused = call.soundPaused === true;
  const words = paused ? texts.transcriptPausedNote : serviceWords(service);
  return (
    <section class="transcript-view" aria-label={texts.transcriptTitle}>
      <div class="transcript-head">
        <h2 class="transcript-title">{texts.transcriptTitle}</h2>
        <button
          type="button"
          class={paused ? 'button button-small transcript-pause is-paused' : 'button button-small transcript-pause'}
          title={paused ? texts.transcriptResumeHint : texts.transcriptPauseHint}
          onClick={() => void model.pauseSound(call.id, !paused)}
        >
          <Icon name={paused ? 'resume' : 'hold'} size={16} />
          {paused ? texts.transcriptResume : texts.transcriptPause}
        </button>
      </div>
      <p class={paused ? 'transcript-state is-paused' : 'transcript-state'} role="status">
        {words}
      </p>
      <Lines name={name} lines={lines} />
      <ReadAloud name={name} lines={lines} />
    </section>
  );
}

function serviceWords(service: TranscriptViewProps['service']): string {
  if (service === null) return '';
  if (service === 'deaf') return texts.transcriptDeaf;
  switch (service.state) {
    case 'there':
      return '';
    case 'connecting':
      return texts.transcriptConnecting;
    case 'away':
      return texts.transcriptAway(service.message);
    case 'refused':
      return texts.transcriptRefused(service.message);
    case 'over':
      return texts.transcriptOver;
  }
}

function Lines({ name, lines }: { readonly name: string; readonly lines: readonly TranscriptLine[] }) {
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
  }, [lines]);
  if (lines.length === 0) return <p class="transcript-empty">{texts.transcriptEmpty}</p>;
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
          <Line key={`${line.speaker} ${line.line}`} name={name} line={line} />
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

function Line({ name, line }: { readonly name: string; readonly line: TranscriptLine }) {
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
    </li>
  );
}

/** The far side's settled lines, together and not too often: an agent who reads by ear is on the phone at the same time. */
function ReadAloud({ name, lines }: { readonly name: string; readonly lines: readonly TranscriptLine[] }) {
  const { current: aloud } = useRef(signal(''));
  const read = useRef(new Set<number>());
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const newest = useRef(lines);
  newest.current = lines;
  useEffect(() => {
    if (timer.current !== undefined || unread(lines, read.current).length === 0) return;
    timer.current = setTimeout(() => {
      timer.current = undefined;
      const fresh = unread(newest.current, read.current);
      for (const { line } of fresh) read.current.add(line);
      const text = fresh.map((one) => one.text).join(' ');
      aloud.value = texts.transcriptSaid(name, text.length > mostAloud ? `…${text.slice(-mostAloud)}` : text);
    }, aloudMs);
  }, [lines]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return (
    <div class="unseen" aria-live="polite">
      {aloud.value}
    </div>
  );
}

function unread(lines: readonly TranscriptLine[], read: ReadonlySet<number>): readonly TranscriptLine[] {
  return lines.filter(
    ({ speaker, final, gap, line }) => speaker === 'far-side' && final && gap === undefined && !read.has(line),
  );
}
