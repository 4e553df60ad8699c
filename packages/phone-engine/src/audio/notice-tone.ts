/**
 * The tone by which both sides of a call hear that it is recorded. Owns its sound and its beat: one for all calls, so that an agent in several hears it
 * once. Must never stand between an agent and the far side: where the browser's audio stands still, calls send what they sent before.
 */
import type { CallId } from '@patchcord/call-protocol';
import type { SentMixer, SoundPort } from '../ports.ts';

/** The beep that people know from recorded lines. */
const hz = 1_400;
const lastsSeconds = 0.25;
const everySeconds = 15;
/** -20 dBFS. */
const level = 0.1;
/** A tone that starts at full level clicks. */
const rampSeconds = 0.01;
/** Until the call sends through the mixer and whoever records it listens there: a tone that began before would have lost its beginning. */
const leadSeconds = 0.5;
/** Written into the audio's clock so far ahead: longer than a throttled timer's longest gap. */
const aheadSeconds = 90;

export interface NoticeTones {
  /** In these calls it is to be heard, and in no other. */
  only(calls: readonly CallId[]): void;
  close(): void;
}

interface Beat {
  readonly bus: GainNode;
  stop(): void;
}

/** A call's place in the graph. */
interface Place {
  readonly mixer: SentMixer;
  ear: MediaStreamAudioDestinationNode | null;
  source: MediaStreamAudioSourceNode | null;
}

/** Opens nothing before the first call. */
export function createNoticeTones(sound: Pick<SoundPort, 'mixSent'>): NoticeTones {
  const places = new Map<CallId, Place>();
  let beat: Beat | null = null;

  /** The audio stands still, or goes on. */
  function changed(): void {
    for (const [call, { mixer }] of places) sound.mixSent(call, mixer);
  }

  function beatIn(context: AudioContext): Beat {
    if (beat !== null) return beat;
    const bus = startBeat(context);
    context.addEventListener('statechange', changed);
    beat = {
      bus: bus.output,
      stop() {
        context.removeEventListener('statechange', changed);
        bus.stop();
      },
    };
    return beat;
  }

  function begin(call: CallId): void {
    const place: Place = { mixer: (track, context) => mixed(place, track, context), ear: null, source: null };
    places.set(call, place);
    sound.mixSent(call, place.mixer);
  }

  function mixed(place: Place, track: MediaStreamTrack, context: AudioContext): MediaStreamTrack {
    const { bus } = beatIn(context);
    if (context.state !== 'running') return track;
    if (place.ear === null) {
      place.ear = new MediaStreamAudioDestinationNode(context, { channelCount: 1, channelCountMode: 'explicit' });
      bus.connect(place.ear);
    }
    place.source?.disconnect();
    place.source = context.createMediaStreamSource(new MediaStream([track]));
    place.source.connect(place.ear);
    return place.ear.stream.getAudioTracks()[0] ?? track;
  }

  function end(call: CallId, { ear, source }: Place): void {
    places.delete(call);
    // First, so that the call never sends a track that is over.
    sound.mixSent(call, null);
    source?.disconnect();
    if (ear === null) return;
    beat?.bus.disconnect(ear);
    for (const track of ear.stream.getTracks()) track.stop();
  }

  function only(calls: readonly CallId[]): void {
    for (const [call, place] of [...places]) if (!calls.includes(call)) end(call, place);
    for (const call of calls) if (!places.has(call)) begin(call);
    if (places.size > 0) return;
    beat?.stop();
    beat = null;
  }

  return { only, close: () => only([]) };
}

/** The tone, again and again until it is stopped; the agent hears it from here. */
function startBeat(context: AudioContext): { readonly output: GainNode; stop(): void } {
  const output = context.createGain();
  output.gain.value = 0;
  output.connect(context.destination);
  const oscillator = context.createOscillator();
  oscillator.frequency.value = hz;
  oscillator.connect(output);
  oscillator.start();
  let next = context.currentTime + leadSeconds;
  const write = (): void => {
    for (; next < context.currentTime + aheadSeconds; next += everySeconds) {
      const { gain } = output;
      gain.setValueAtTime(0, next);
      gain.linearRampToValueAtTime(level, next + rampSeconds);
      gain.setValueAtTime(level, next + lastsSeconds - rampSeconds);
      gain.linearRampToValueAtTime(0, next + lastsSeconds);
    }
  };
  write();
  const timer = setInterval(write, (aheadSeconds * 1_000) / 3);
  return {
    output,
    stop() {
      clearInterval(timer);
      oscillator.stop();
      output.disconnect();
    },
  };
}
