/**
 * Live transcription in this frame: the words of every call for the eye, and from the frame that holds the calls their sound to the relay. Loaded when
 * the first call is there and the profile wants it. Must hold nothing that a call needs.
 */
import type { CallId, Profile } from '@patchcord/call-protocol';
import type { CallState, ClockPort, SharedPhone, SoundPort } from '@patchcord/phone-engine';
import { createSoundTap } from '@patchcord/phone-engine/audio';
import { type ReadonlySignal, signal } from '@preact/signals';
import type { RelayClient } from '../relay-client.ts';
import type { SoftphoneModel } from '../softphone-model.ts';
import { createCallStreams } from './call-streams.ts';
import { createTranscriptLines } from './lines.ts';
import type { SoundService } from './sound-sender.ts';
import { TranscriptView } from './transcript-view.tsx';

export interface TranscriptionOptions {
  readonly phone: Pick<SharedPhone, 'state' | 'onState' | 'owned' | 'onRole'>;
  readonly model: SoftphoneModel;
  readonly relay: Pick<RelayClient, 'live' | 'socketTo'>;
  readonly profile: ReadonlySignal<Profile>;
  /** null: this frame has no sound, and never holds a call. */
  readonly sound: SoundPort | null;
  readonly clock: ClockPort;
  readonly random: () => number;
}

/** Goes on until the returned function is called. */
export function startTranscription(options: TranscriptionOptions): () => void {
  const { phone, model, relay, profile, sound, clock, random } = options;
  const lines = createTranscriptLines();
  const services = signal<ReadonlyMap<CallId, SoundService | 'deaf'>>(new Map());

  function onService(call: CallId, service: SoundService | 'deaf' | null): void {
    const next = new Map(services.value);
    if (service === null) next.delete(call);
    else next.set(call, service);
    services.value = next;
  }

  const streams =
    sound === null
      ? null
      : createCallStreams({
          ...{ phone, clock, random, onService },
          profile: () => profile.value,
          tap: createSoundTap({ sound }),
          relay: relay.socketTo('/v1/sound'),
          steadyMs: () => performance.now(),
        });
  const stops = [
    relay.live.onEvent(lines.heard),
    relay.live.onStatus((status) => {
      if (status === 'joined') streams?.nudge();
    }),
    profile.subscribe(() => streams?.follow()),
    phone.onState(({ calls }) => {
      lines.keep(calls.map(({ id }) => id));
      for (const id of services.value.keys()) if (!calls.some((call) => call.id === id)) onService(id, null);
    }),
  ];

  function Transcript({ call }: { readonly call: CallState }) {
    if (profile.value.transcription === 'off' || call.answeredAt === null) return null;
    const service = services.value.get(call.id) ?? null;
    return <TranscriptView model={model} call={call} lines={lines.of(call.id).value} service={service} />;
  }
  model.transcript.value = Transcript;

  return () => {
    model.transcript.value = null;
    for (const stop of stops) stop();
    streams?.stop();
  };
}
