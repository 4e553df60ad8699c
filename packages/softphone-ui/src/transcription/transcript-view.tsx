/**
 * What is being said, beside the call: both sides line by line, what rules heard in it, what is missing, and whether words come at all. Owns what is
 * read aloud of that, and when. Must never take the focus, nor read every word aloud.
 */
import type { TranscriptLine } from '@patchcord/call-protocol';
import type { CallState } from '@patchcord/phone-engine';
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Icon } from '../icon.tsx';
import { nameOfCall, type SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';
import type { Findings, Spotted } from './findings.ts';
import { PhraseList } from './phrase-list.tsx';
import { Countdown } from './recording-bar.tsx';
import type { SoundService } from './sound-sender.ts';
import { Lines } from './transcript-lines.tsx';

/** A connection that takes longer is told of, ms. */
const connectingMs = 2_000;
/** What is read aloud waits for what comes close after it, ms. */
const aloudMs = 5_000;
const mostAloud = 240;
/** Beside the call; the rest stands at its lines. */
const mostPhrases = 3;

export interface TranscriptViewProps {
  readonly model: SoftphoneModel;
  readonly call: CallState;
  readonly lines: readonly TranscriptLine[];
  readonly findings: Findings;
  /** null: another frame listens, or nobody has begun. */
  readonly service: SoundService | 'deaf' | null;
}

export function TranscriptView({ model, call, lines, findings, service }: TranscriptViewProps) {
  const name = nameOfCall(call, model.numbers.value);
  const paused = call.soundPaused === true;
  // What no words come of can't be paused, but a pause can always be ended.
  const over = isOver(service);
  const words = paused && !over ? texts.transcriptPausedNote : serviceWords(service);
  return (
    <section class="transcript-view" aria-label={texts.transcriptTitle}>
      <div class="transcript-head">
        <h2 class="transcript-title">{texts.transcriptTitle}</h2>
        {call.recording !== 'on' && (paused || !over) && (
          <button
            type="button"
            class={paused ? 'button button-small transcript-pause is-paused' : 'button button-small transcript-pause'}
            title={paused ? texts.transcriptResumeHint : texts.transcriptPauseHint}
            onClick={() => void model.pauseSound(call.id, !paused)}
          >
            <Icon name={paused ? 'resume' : 'hold'} size={16} />
            {paused ? texts.transcriptResume : texts.transcriptPause}
          </button>
        )}
      </div>
      <p class={paused ? 'transcript-state is-paused' : 'transcript-state'} role="status">
        {words}
      </p>
      {paused && call.recording !== 'on' && call.soundResumesAt != null && (
        <p class="transcript-state is-paused">
          <Countdown ticker={model.ticker} until={call.soundResumesAt} words={texts.transcriptEndsIn} />
        </p>
      )}
      <PhraseList name={name} findings={findings} most={mostPhrases} />
      {lines.length > 0 ? (
        <Lines name={name} lines={lines} spotted={findings.spotted} />
      ) : (
        !over && <p class="transcript-empty">{texts.transcriptEmpty}</p>
      )}
      <ReadAloud name={name} lines={lines} />
      <HeardAloud name={name} spotted={findings.spotted} />
    </section>
  );
}

/** No word of this call comes any more, or ever. */
function isOver(service: TranscriptViewProps['service']): boolean {
  return service === 'deaf' || service?.state === 'over' || service?.state === 'refused';
}

function serviceWords(service: TranscriptViewProps['service']): ComponentChildren {
  if (service === null) return '';
  if (service === 'deaf') return texts.transcriptDeaf;
  switch (service.state) {
    case 'there':
      return '';
    case 'connecting':
      return <Connecting />;
    case 'away':
      return texts.transcriptAway(service.message);
    case 'refused':
      return texts.transcriptRefused(service.message);
    case 'over':
      return texts.transcriptOver;
  }
}

/** What is over within a moment, as at the beginning of every call, is not worth a word. */
function Connecting() {
  const { current: shown } = useRef(signal(false));
  useEffect(() => {
    const timer = setTimeout(() => {
      shown.value = true;
    }, connectingMs);
    return () => clearTimeout(timer);
  }, [shown]);
  return <>{shown.value && texts.transcriptConnecting}</>;
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

/** What was heard just now, at once: an agent is to act on it while the call lasts. */
function HeardAloud({ name, spotted }: { readonly name: string; readonly spotted: readonly Spotted[] }) {
  const seen = useRef(spotted);
  const { current: aloud } = useRef(signal(''));
  useEffect(() => {
    const fresh = spotted.filter((one) => !seen.current.includes(one));
    seen.current = spotted;
    if (fresh.length === 0) return;
    const whoOf = ({ speaker }: Spotted) => (speaker === 'agent' ? texts.transcriptAgent : name);
    aloud.value = fresh.map((one) => texts.phraseAloud(one.label, whoOf(one))).join('. ');
  }, [spotted]);
  return (
    <div class="unseen" role="status">
      {aloud.value}
    </div>
  );
}
