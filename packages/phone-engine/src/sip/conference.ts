/**
 * Owns the conference that is mixed in this browser: every member hears the agent and all other members, and never itself.
 * Must never take the agent's voice from a member when mixing is not possible, and leave nothing behind: no node, no track, no context.
 */
import { keepAwake } from '../audio/awake.ts';

/** What a conference needs of one call. */
export interface Member {
  /** What the far side sends, also while it sends nothing; undefined before there is any. */
  readonly farVoice: MediaStreamTrack | undefined;
  /** The agent's microphone as this call has it, muted or not. */
  readonly microphone: MediaStreamTrack | undefined;
  readonly held: boolean;
  readonly closed: boolean;
  /** Told whenever one of these has changed; undefined when the conference is over. */
  watch(changed: (() => void) | undefined): void;
  /** What the far side hears; undefined: the microphone alone. */
  mix(track: MediaStreamTrack | undefined): void;
  /** The agent does not hear the far side. */
  silence(on: boolean): void;
}

export interface SeatedMember {
  readonly member: Member;
  /** Heard by nobody; hears everyone. */
  readonly silenced: boolean;
}

/** A member's place in the graph. */
interface Seat {
  silenced: boolean;
  readonly ear: MediaStreamAudioDestinationNode;
  voice: Source | undefined;
  microphone: Source | undefined;
}

interface Source {
  readonly of: MediaStreamTrack;
  readonly node: MediaStreamAudioSourceNode;
  readonly player: HTMLAudioElement | undefined;
}

const gestures = ['pointerdown', 'keydown'] as const;

export class Conference {
  readonly #newContext: () => AudioContext;
  readonly #seats = new Map<Member, Seat>();
  #context: AudioContext | undefined;

  /** @param newContext called once for each conference; may throw where the browser has no sound */
  constructor(newContext: () => AudioContext) {
    this.#newContext = newContext;
  }

  /** Who is in it from now on. Members that are over are left out; none at all ends it. */
  seat(members: readonly SeatedMember[]): void {
    const wanted = new Map(
      members.filter(({ member }) => !member.closed).map(({ member, silenced }) => [member, silenced]),
    );
    for (const [member, seat] of [...this.#seats]) if (!wanted.has(member)) this.#leave(member, seat);
    const context = wanted.size === 0 ? this.#close() : this.#open();
    if (!context) return;
    for (const [member, silenced] of wanted) {
      const seat = this.#seats.get(member) ?? this.#join(member, context);
      seat.silenced = silenced;
      member.silence(silenced);
    }
    this.#connect(context);
  }

  #open(): AudioContext | undefined {
    if (this.#context) return this.#context;
    try {
      const context = this.#newContext();
      this.#context = context;
      keepAwake(context);
      context.addEventListener('statechange', this.#onState);
      for (const gesture of gestures) globalThis.addEventListener?.(gesture, this.#resume, { capture: true });
      this.#resume();
      return context;
    } catch {
      return undefined;
    }
  }

  #close(): undefined {
    const context = this.#context;
    this.#context = undefined;
    if (!context) return undefined;
    context.removeEventListener('statechange', this.#onState);
    for (const gesture of gestures) globalThis.removeEventListener?.(gesture, this.#resume, { capture: true });
    void context.close().catch(() => {});
    return undefined;
  }

  /** A phone call to the same device, or a page that was never clicked, stops a context; the agent's voice then goes on without the mix. */
  readonly #onState = (): void => {
    this.#resume();
    for (const [member, seat] of this.#seats) this.#send(member, seat);
  };

  readonly #resume = (): void => {
    if (this.#context && this.#context.state !== 'running') void this.#context.resume().catch(() => {});
  };

  #join(member: Member, context: AudioContext): Seat {
    const seat: Seat = {
      silenced: false,
      ear: context.createMediaStreamDestination(),
      voice: undefined,
      microphone: undefined,
    };
    this.#seats.set(member, seat);
    member.watch(() => {
      if (member.closed) {
        this.#leave(member, seat);
        if (this.#seats.size === 0) this.#close();
      }
      if (this.#context) this.#connect(this.#context);
    });
    return seat;
  }

  #leave(member: Member, seat: Seat): void {
    this.#seats.delete(member);
    member.watch(undefined);
    member.mix(undefined);
    if (seat.silenced) member.silence(false);
    release(seat.voice);
    release(seat.microphone);
    for (const track of seat.ear.stream.getTracks()) track.stop();
  }

  /** Draws all lines anew: who speaks to whom. */
  #connect(context: AudioContext): void {
    for (const [member, seat] of this.#seats) {
      seat.voice = source(context, seat.voice, member.farVoice, true);
      seat.microphone = source(context, seat.microphone, member.microphone, false);
      seat.voice?.node.disconnect();
      seat.microphone?.node.disconnect();
    }
    for (const [member, seat] of this.#seats) {
      seat.microphone?.node.connect(seat.ear);
      for (const [other, { ear }] of this.#seats) {
        // What a PBX plays on a held call is not for the others.
        if (other !== member && !seat.silenced && !member.held) seat.voice?.node.connect(ear);
      }
      this.#send(member, seat);
    }
  }

  #send(member: Member, seat: Seat): void {
    member.mix(this.#context?.state === 'running' ? seat.ear.stream.getAudioTracks()[0] : undefined);
  }
}

/** The node for this track: the one there is, or a new one when the track is another. */
function source(
  context: AudioContext,
  present: Source | undefined,
  track: MediaStreamTrack | undefined,
  far: boolean,
): Source | undefined {
  if (present?.of === track) return present;
  release(present);
  if (!track) return undefined;
  const stream = new MediaStream([track]);
  let player: HTMLAudioElement | undefined;
  if (far) {
    // Chromium lets no sound of a far side into a graph unless an element plays it as well.
    player = new Audio();
    player.muted = true;
    player.srcObject = stream;
    player.play().catch(() => {});
  }
  return { of: track, node: context.createMediaStreamSource(stream), player };
}

function release(present: Source | undefined): void {
  present?.node.disconnect();
  if (present?.player) present.player.srcObject = null;
}
