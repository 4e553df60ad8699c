/**
 * Streams the sound of the calls that this frame holds, where somebody makes words of it or it is recorded: one stream a call, to its end, and none of
 * anybody else's. Owns when one begins, pauses and ends, and what of it is recorded. Must never let a sound out that was made while the agent had it
 * paused, nor one that nobody wants.
 */
import type { CallId, Profile } from '@patchcord/call-protocol';
import type { CallState, ClockPort, SharedPhone } from '@patchcord/phone-engine';
import type { SoundTap, TappedCall } from '@patchcord/phone-engine/audio';
import type { RelaySocket } from '../relay-client.ts';
import { createSoundSender, type SoundRecorder, type SoundSender, type SoundService } from './sound-sender.ts';

export interface CallStreamsOptions {
  readonly phone: Pick<SharedPhone, 'state' | 'onState' | 'owned' | 'onRole'>;
  readonly profile: () => Profile;
  readonly tap: SoundTap;
  readonly relay: RelaySocket;
  readonly clock: ClockPort;
  readonly random: () => number;
  /** Milliseconds that never jump. */
  readonly steadyMs: () => number;
  /** What must be there before the relay gets sound; null: it is. Never rejects. */
  readonly ready: () => Promise<void> | null;
  readonly onService: (call: CallId, service: SoundService | 'deaf' | null) => void;
  readonly onRecorder: (call: CallId, recorder: SoundRecorder) => void;
}

export interface CallStreams {
  /** The profile may be another one. */
  follow(): void;
  /** The relay is there again. */
  nudge(): void;
  stop(): void;
}

interface Stream {
  readonly sender: SoundSender;
  readonly tapped: TappedCall;
  readonly callMs: () => number;
  paused: boolean;
  recorded: boolean;
  /** Somebody hears it: else nothing goes out. */
  wanted: boolean;
  /** What was made before is nobody's, ms of the call. */
  from: number;
}

const frameMs = 100;

/** Follows the phone until `stop`. */
export function createCallStreams(options: CallStreamsOptions): CallStreams {
  const { phone, tap, clock } = options;
  const streams = new Map<CallId, Stream>();

  function follow(): void {
    const { transcription, recording } = options.profile();
    const transcribed = transcription === 'on';
    const mine = phone.owned() !== null && (transcribed || recording.mode !== 'never');
    const { calls } = phone.state();
    for (const [id, stream] of streams) {
      const call = calls.find((it) => it.id === id);
      if (mine && call !== undefined && isUp(call)) continue;
      close(id, stream, mine || call === undefined || !isUp(call));
    }
    if (mine && calls.some(({ phase }) => phase !== 'ended')) tap.prepare();
    else tap.rest();
    if (!mine) return;
    for (const call of calls) {
      const wanted = transcribed || call.recording === 'on';
      const stream = isUp(call) ? (streams.get(call.id) ?? (wanted ? begin(call) : undefined)) : undefined;
      if (stream === undefined) continue;
      record(stream, call);
      listen(stream, wanted);
      pause(stream, call.soundPaused === true);
    }
  }

  function record(stream: Stream, { recording, recordedFromMs = 0 }: CallState): void {
    const recorded = recording === 'on';
    if (stream.recorded === recorded) return;
    stream.recorded = recorded;
    if (recorded) stream.sender.record(recordedFromMs);
    else stream.sender.recordNoMore(stream.callMs());
  }

  /** A recording that was stopped may begin again: the stream stays, and carries nothing meanwhile. */
  function listen(stream: Stream, wanted: boolean): void {
    if (stream.wanted === wanted) return;
    stream.wanted = wanted;
    if (wanted) stream.from = stream.callMs();
  }

  function begin({ id, answeredAt }: CallState): Stream {
    const agoMs = clock.now() - (answeredAt ?? clock.now());
    const begunMs = options.steadyMs();
    let aheadMs = 0;
    const callMs = () => Math.max(0, agoMs + options.steadyMs() - begunMs) + aheadMs;
    const sender = createSoundSender({
      call: id,
      relay: options.relay,
      clock,
      random: options.random,
      ready: options.ready,
      next: () => Math.floor(callMs() / frameMs),
      onService: (service) => options.onService(id, service),
      onRecorder: (recorder) => options.onRecorder(id, recorder),
      onAhead(frames) {
        aheadMs += frames * frameMs;
        tapped.clockMoved();
      },
    });
    const tapped = tap.listen(
      id,
      callMs,
      (frame) => {
        const stream = streams.get(id);
        if (stream?.paused === false && stream.wanted && frame.startMs >= stream.from) sender.hear(frame);
      },
      () => options.onService(id, 'deaf'),
    );
    const stream: Stream = { sender, tapped, callMs, paused: false, recorded: false, wanted: true, from: 0 };
    streams.set(id, stream);
    return stream;
  }

  function pause(stream: Stream, paused: boolean): void {
    if (stream.paused === paused) return;
    const now = stream.callMs();
    // First, so that nothing that is on its way slips through.
    stream.paused = paused;
    // What the frame then holds may have been made a moment before.
    stream.from = paused ? stream.from : now + frameMs;
    stream.sender.pause(paused ? now : null);
  }

  function close(id: CallId, { sender, tapped }: Stream, over: boolean): void {
    tapped.stop();
    streams.delete(id);
    if (over) sender.end();
    else sender.drop();
    if (!over) options.onService(id, null);
  }

  const stops = [phone.onState(follow), phone.onRole(follow)];
  follow();

  return {
    follow,
    nudge() {
      for (const { sender } of streams.values()) sender.nudge();
    },
    stop() {
      for (const stop of stops) stop();
      for (const [id, stream] of streams) close(id, stream, false);
      tap.close();
    },
  };
}

/** Somebody is, or was a moment ago, at the other end. */
function isUp({ phase, answeredAt }: CallState): boolean {
  return answeredAt !== null && phase !== 'ended';
}
