/**
 * One call in the graph: its two tracks into one worklet, and the frames that come out of it. Owns nodes and silence; the tracks are the call's, which
 * never notices.
 */
import type { SoundFrame } from '@patchcord/call-protocol';
import type { CallFlow } from '../ports.ts';
import type { FrameClock } from './frame-clock.ts';
import { SilenceGate } from './silence-gate.ts';
import { tapFrame, tapFrames } from './tap-frame.ts';

interface Source {
  readonly of: MediaStreamTrack;
  readonly node: MediaStreamAudioSourceNode;
}

/** A frame that waits for the one after it, which may begin a word. */
interface Held {
  readonly heardMs: number;
  readonly agent: Int16Array;
  readonly farSide: Int16Array;
  agentOpen: boolean;
  farSideOpen: boolean;
}

export class Ear {
  readonly #context: AudioContext;
  readonly #node: AudioWorkletNode;
  readonly #flow: () => CallFlow;
  readonly #clock: FrameClock;
  readonly #callMs: () => number;
  readonly #hear: (frame: SoundFrame) => void;
  readonly #agentGate = new SilenceGate();
  readonly #farSideGate = new SilenceGate();
  #sent: Source | undefined;
  #heard: Source | undefined;
  #held: Held | undefined;

  constructor(
    context: AudioContext,
    flow: () => CallFlow,
    clock: FrameClock,
    callMs: () => number,
    hear: (frame: SoundFrame) => void,
  ) {
    this.#context = context;
    this.#flow = flow;
    this.#clock = clock;
    this.#callMs = callMs;
    this.#hear = hear;
    this.#node = new AudioWorkletNode(context, 'patchcord-tap', {
      ...{ numberOfInputs: 2, numberOfOutputs: 1, outputChannelCount: [1] },
      ...{ channelCount: 1, channelCountMode: 'explicit' },
    });
    const { port } = this.#node;
    for (let n = 0; n < tapFrames; n += 1) this.#giveBack(tapFrame().buffer);
    port.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => this.#take(data);
    // Nothing that could be heard comes out; but what leads nowhere need not be run.
    this.#node.connect(context.destination);
    this.follow();
  }

  /** The call may send or hear another track. */
  follow(): void {
    const { sent, heard } = this.#flow();
    this.#sent = this.#source(this.#sent, sent, 0);
    this.#heard = this.#source(this.#heard, heard, 1);
  }

  /** The audio stood still, or goes on. */
  stoodStill(): void {
    this.#clock.forget();
  }

  close(): void {
    const { port } = this.#node;
    port.onmessage = null;
    port.postMessage(null);
    port.close();
    this.#sent?.node.disconnect();
    this.#heard?.node.disconnect();
    this.#node.disconnect();
    this.#tell();
    this.#held = undefined;
  }

  #source(present: Source | undefined, track: MediaStreamTrack | null, input: number): Source | undefined {
    if (present?.of === (track ?? undefined)) return present;
    present?.node.disconnect();
    if (track === null) return undefined;
    const node = this.#context.createMediaStreamSource(new MediaStream([track]));
    node.connect(this.#node, 0, input);
    return { of: track, node };
  }

  #take(buffer: ArrayBuffer): void {
    const { time, levels, agent, farSide } = tapFrame(buffer);
    const one = this.#agentGate.hear(levels[0] ?? 0);
    const other = this.#farSideGate.hear(levels[1] ?? 0);
    if (this.#held) {
      this.#held.agentOpen ||= one.begins;
      this.#held.farSideOpen ||= other.begins;
    }
    this.#tell();
    this.#held = {
      heardMs: (time[0] ?? 0) * 1_000,
      agent: agent.slice(),
      farSide: farSide.slice(),
      agentOpen: one.open,
      farSideOpen: other.open,
    };
    this.#giveBack(buffer);
  }

  #tell(): void {
    if (!this.#held) return;
    const { heardMs, agentOpen, farSideOpen, agent, farSide } = this.#held;
    const silent = !agentOpen && !farSideOpen;
    const place = this.#clock.place(heardMs, this.#context.currentTime * 1_000, this.#callMs(), silent);
    this.#hear({ ...place, agent: agentOpen ? agent : null, farSide: farSideOpen ? farSide : null });
  }

  #giveBack(buffer: ArrayBuffer): void {
    this.#node.port.postMessage(buffer, [buffer]);
  }
}
