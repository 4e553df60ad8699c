/**
 * Whether the call is recorded, beside whom it is with: what the far side is to be asked, a pause and how long it still lasts, and why nothing is kept.
 * The rules are the phone's; this shows them. Must never take the focus, nor read a countdown aloud.
 */
import type { CallState, Command } from '@patchcord/phone-engine';
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Icon, type IconName } from '../icon.tsx';
import { formatDuration } from '../parts/call-timer.tsx';
import { texts } from '../texts.ts';
import type { Ticker } from '../ticker.ts';
import type { SoundRecorder, SoundService } from './sound-sender.ts';

export interface RecordingBarProps {
  readonly call: CallState;
  readonly ticker: Ticker;
  /** null: another frame sends the sound, or nobody has begun. */
  readonly service: SoundService | 'deaf' | null;
  readonly recorder: SoundRecorder | null;
  readonly act: (command: Command) => void;
}

/** Whether there is anything to say of it. */
export function showsRecording({ answeredAt, phase, recording, recordingRule }: CallState): boolean {
  if (answeredAt === null || phase === 'ended' || recordingRule === undefined) return false;
  return recordingRule.mode !== 'never' || recording !== undefined;
}

export function RecordingBar({ call, ticker, service, recorder, act }: RecordingBarProps) {
  const { id, recording = 'off', recordingRule, soundPaused = false, soundResumesAt = null } = call;
  const mode = recordingRule?.mode;
  const consent = (given: boolean) => act({ type: 'call.consent', call: id, given });
  const record = (on: boolean) => act({ type: 'call.record', call: id, on });
  if (recording === 'asking') {
    return (
      <Bar tone="asks" words={texts.recordingAsk}>
        <Act icon="check" label={texts.consentGiven} act={() => consent(true)} />
        <Act icon="close" label={texts.consentRefused} act={() => consent(false)} />
      </Bar>
    );
  }
  if (recording === 'refused') {
    return (
      <Bar tone="off" words={texts.recordingRefused}>
        <Act icon="check" label={texts.consentAfterAll} act={() => consent(true)} />
      </Bar>
    );
  }
  if (recording === 'off') {
    if (mode === 'never') return <Bar tone="off" words={texts.recordingNever} />;
    return (
      <Bar tone="off" words={texts.recordingOff}>
        <Act icon="record" label={texts.recordingStart} act={() => record(true)} />
      </Bar>
    );
  }
  const trouble = soundPaused ? null : troubleOf(service, recorder);
  return (
    <Bar
      tone={soundPaused ? 'paused' : trouble === null ? 'on' : 'trouble'}
      words={soundPaused ? texts.recordingPaused : (trouble ?? texts.recordingOn)}
      timer={
        soundPaused &&
        soundResumesAt !== null && <Countdown ticker={ticker} until={soundResumesAt} words={texts.recordingEndsIn} />
      }
    >
      <Act
        key="pause"
        icon={soundPaused ? 'resume' : 'hold'}
        label={soundPaused ? texts.recordingResume : texts.recordingPause}
        hint={soundPaused ? texts.recordingResumeHint : texts.recordingPauseHint}
        act={() => act({ type: 'call.pause-sound', call: id, paused: !soundPaused })}
      />
      {mode !== 'always' && <Act icon="stop" label={texts.recordingStop} act={() => record(false)} />}
    </Bar>
  );
}

type Tone = 'asks' | 'on' | 'paused' | 'off' | 'trouble';

function Bar({
  tone,
  words,
  timer,
  children,
}: {
  readonly tone: Tone;
  readonly words: string;
  readonly timer?: ComponentChildren;
  readonly children?: ComponentChildren;
}) {
  // What a live region has from its beginning is not read aloud.
  const { current: said } = useRef(signal(''));
  useEffect(() => {
    said.value = words;
  }, [said, words]);
  return (
    <section class={`recording-bar is-${tone}`} aria-label={texts.recordingTitle}>
      <span class="recording-dot" aria-hidden="true" />
      <p class="recording-words">
        <span role="status">{said.value}</span>
        {timer}
      </p>
      {children !== undefined && <span class="recording-acts">{children}</span>}
    </section>
  );
}

function Act({
  icon,
  label,
  hint,
  act,
}: {
  readonly icon: IconName | 'record' | 'stop';
  readonly label: string;
  readonly hint?: string;
  readonly act: () => void;
}) {
  return (
    <button type="button" class="button button-small" title={hint} onClick={act}>
      {icon === 'record' || icon === 'stop' ? (
        <span class={`recording-sign is-${icon}`} aria-hidden="true" />
      ) : (
        <Icon name={icon} size={16} />
      )}
      {label}
    </button>
  );
}

/** What the frame that sends the sound knows of it; null while all is well. */
function troubleOf(service: RecordingBarProps['service'], recorder: SoundRecorder | null): string | null {
  if (service === 'deaf') return texts.recordingDeaf;
  if (service?.state === 'over') return texts.recordingOver;
  if (recorder?.state === 'refused') return texts.recorderRefused(recorder.message);
  if (service?.state === 'connecting') return texts.recordingWaits;
  return recorder?.state === 'away' ? texts.recorderAway(recorder.message) : null;
}

/** Until the pause ends by itself. A timer is not a live region: it would be read every second. */
export function Countdown({
  ticker,
  until,
  words,
}: {
  readonly ticker: Ticker;
  readonly until: number;
  readonly words: (left: string) => string;
}) {
  useEffect(() => ticker.watch(), [ticker]);
  // The hand may be a second late when a pause begins. It ends with the phone's clock, not with ours: until then there is a moment left.
  const left = Math.max(1_000, until - Math.max(ticker.now.value, Date.now()) + 999);
  return (
    <span class="recording-timer digits" role="timer" aria-live="off">
      {words(formatDuration(left))}
    </span>
  );
}
