/**
 * Live transcription and recording in this frame: the words of every call and what is made of them for the eye, whether it is recorded, and from the
 * frame that holds the calls their sound to the relay. Loaded when the first call is there and the profile wants either. Must hold nothing that a call
 * needs.
 */
import type { CallId, Profile, WireEvent } from '@patchcord/call-protocol';
import type { CallState, ClockPort, Command, SharedPhone, SoundPort } from '@patchcord/phone-engine';
import { createNoticeTones, createSoundTap } from '@patchcord/phone-engine/audio';
import { type ReadonlySignal, signal } from '@preact/signals';
import { readEvent } from '../live-link.ts';
import type { RelayClient } from '../relay-client.ts';
import type { SoftphoneModel } from '../softphone-model.ts';
import { AfterCall } from './after-call.tsx';
import { createCallStreams } from './call-streams.ts';
import { createCallFindings } from './findings.ts';
import { createTranscriptLines } from './lines.ts';
import { RecordingBar, showsRecording } from './recording-bar.tsx';
import { followRecordingRules } from './recording-rules.ts';
import type { SoundRecorder, SoundService } from './sound-sender.ts';
import { TranscriptView } from './transcript-view.tsx';

export interface TranscriptionOptions {
  readonly phone: Pick<SharedPhone, 'state' | 'onState' | 'owned' | 'onRole' | 'send'>;
  readonly model: SoftphoneModel;
  readonly relay: Pick<RelayClient, 'live' | 'socketTo' | 'callEvents'>;
  readonly profile: ReadonlySignal<Profile>;
  /** null: this frame has no sound, and never holds a call. */
  readonly sound: SoundPort | null;
  readonly clock: ClockPort;
  readonly random: () => number;
}

/** How long the sound waits for the link that its words come over. */
const toldWithinMs = 5_000;

/** Goes on until the returned function is called. */
export function startTranscription(options: TranscriptionOptions): () => void {
  const { phone, model, relay, profile, sound, clock, random } = options;
  const lines = createTranscriptLines();
  const findings = createCallFindings();
  const services = signal<ReadonlyMap<CallId, SoundService | 'deaf'>>(new Map());
  const recorders = signal<ReadonlyMap<CallId, SoundRecorder>>(new Map());
  const notices = sound === null ? null : createNoticeTones(sound);

  function onService(call: CallId, service: SoundService | 'deaf' | null): void {
    services.value = withEntry(services.value, call, service);
    if (service === null) recorders.value = withEntry(recorders.value, call, null);
  }

  /** Both sides hear that they are recorded, for as long as they are. */
  function tellOfRecording(): void {
    const told = phone.owned() !== null && profile.value.recording.notice === 'tone';
    const recorded = told ? phone.state().calls.filter(isHeardAndRecorded) : [];
    notices?.only(recorded.map(({ id }) => id));
  }

  async function act(command: Command): Promise<void> {
    const result = await phone.send(command);
    if (!result.ok) model.notify('warning', result.reason);
  }

  function heard(event: WireEvent): void {
    // A supervisor's frame is told of everybody's calls.
    if (!phone.state().calls.some(({ id }) => id === event.call)) return;
    lines.heard(event);
    findings.heard(event);
  }

  /** What was found while this page was not there to hear of it: it was loaded anew, or cut off. */
  async function catchUp(call: CallId): Promise<void> {
    let after = 0;
    for (let more = true; more; ) {
      const page = await relay.callEvents(call, after);
      for (const { seq, event } of page.events) {
        after = seq;
        const told = /\.(?:phrase|call\.summarised)\./.test(event.type) ? readEvent(event) : null;
        if (told !== null) heard(told);
      }
      more = page.more && page.events.length > 0;
    }
  }

  function catchUpAll(): void {
    // The relay is away again, or knows the call no more: the next connection asks once more.
    for (const { id, answeredAt } of phone.state().calls) if (answeredAt !== null) catchUp(id).catch(() => {});
  }

  /**
   * Lines are told once: this page must be there to hear them before the relay gets the sound that it missed. Asked where the relay has answered, so the
   * link comes or there is no way for it; for that one nothing is held up.
   */
  function whenTold(): Promise<void> | null {
    if (relay.live.status() === 'joined') return null;
    relay.live.nudge();
    return new Promise((resolve) => {
      const done = () => {
        clock.clearTimeout(timer);
        stop();
        resolve();
      };
      const stop = relay.live.onStatus((status) => {
        if (status === 'joined') done();
      });
      const timer = clock.setTimeout(done, toldWithinMs);
    });
  }

  const rules = followRecordingRules({ phone, profile: () => profile.value });
  const streams =
    sound === null
      ? null
      : createCallStreams({
          ...{ phone, clock, random, onService },
          onRecorder: (call, recorder) => {
            recorders.value = withEntry(recorders.value, call, recorder);
          },
          profile: () => profile.value,
          tap: createSoundTap({ sound }),
          relay: relay.socketTo('/v1/sound'),
          ready: whenTold,
          steadyMs: () => performance.now(),
        });
  const stops = [
    relay.live.onEvent(heard),
    relay.live.onStatus((status) => {
      if (status !== 'joined') return;
      streams?.nudge();
      catchUpAll();
    }),
    profile.subscribe(() => {
      rules.follow();
      streams?.follow();
      tellOfRecording();
    }),
    phone.onRole(tellOfRecording),
    phone.onState(({ calls }) => {
      tellOfRecording();
      const there = calls.map(({ id }) => id);
      lines.keep(there);
      findings.keep(there);
      for (const id of services.value.keys()) if (!calls.some((call) => call.id === id)) onService(id, null);
    }),
  ];

  function Transcript({ call, recording = false }: { readonly call: CallState; readonly recording?: boolean }) {
    const { id, phase, answeredAt } = call;
    if (answeredAt === null) return null;
    const service = services.value.get(id) ?? null;
    if (recording) {
      if (!showsRecording(call)) return null;
      const recorder = recorders.value.get(id) ?? null;
      return <RecordingBar {...{ call, service, recorder }} ticker={model.ticker} act={(it) => void act(it)} />;
    }
    const known = { model, call, lines: lines.of(id).value, findings: findings.of(id).value };
    if (phase === 'ended') return <AfterCall {...known} />;
    if (profile.value.transcription === 'off') return null;
    return <TranscriptView {...known} service={service} />;
  }
  model.transcript.value = Transcript;
  if (relay.live.status() === 'joined') catchUpAll();

  return () => {
    model.transcript.value = null;
    for (const stop of stops) stop();
    rules.stop();
    notices?.close();
    streams?.stop();
  };
}

/** null: without it. */
function withEntry<T>(map: ReadonlyMap<CallId, T>, call: CallId, value: T | null): ReadonlyMap<CallId, T> {
  const next = new Map(map);
  if (value === null) next.delete(call);
  else next.set(call, value);
  return next;
}

function isHeardAndRecorded({ phase, hold, recovering, recording, soundPaused }: CallState): boolean {
  return phase === 'active' && hold === 'off' && !recovering && recording === 'on' && soundPaused !== true;
}
