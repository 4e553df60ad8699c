/**
 * One microphone with RNNoise behind it: the track that comes out, and the graph that makes it. Owns the graph, its context and the microphone that was
 * given to it, until the track is stopped. The sound goes past RNNoise, as late as through it, until RNNoise is known to give sound, and again when it
 * fails: what comes out never falls silent because of it.
 */
import { RnnoiseWorkletNode } from '@sapphi-red/web-noise-suppressor';
import { keepAwake } from '../audio/awake.ts';
import { noiseWorkletAddress } from './addresses.ts';
import { NoiseJudge } from './noise-verdict.ts';

/** The only rate that RNNoise knows, Hz. */
const rate = 48_000;
/** Samples by which RNNoise and the collecting of its frames are late; the way past it is as long, so that a change is not heard. */
const delaySamples = 992;
const fadeSeconds = 0.02;
/** A microphone that was just opened gives silence at first; after so many reports it is one that is silent. */
const openingReports = 3;
/** A context that no gesture has allowed yet does not run. */
const runsMs = 1_500;
/** Looks at whether reports still come; a busy page must not be taken for a dead thread. */
const lookMs = 1_000;
const missesMost = 3;

/** Why there is no suppression any more. `stopped`: the browser does not let sound run, or stopped it. */
export type GraphTrouble = 'silent' | 'overload' | 'stopped';

/**
 * Lets a microphone through RNNoise.
 * @param microphone from here on its own: it ends with the track that is returned
 * @param tell called once at most, after the track was returned; the track goes on with the sound as it was
 * @returns a track that gives sound already; or why not, and then the microphone is still the caller's
 */
export async function suppressedMicrophone(
  microphone: MediaStreamTrack,
  rnnoise: ArrayBuffer,
  tell: (trouble: GraphTrouble) => void,
): Promise<MediaStreamTrack | GraphTrouble> {
  let context: AudioContext | undefined;
  try {
    context = new AudioContext({ sampleRate: rate });
    // Firefox takes no microphone of another rate; it says so here.
    const source = context.createMediaStreamSource(new MediaStream([microphone]));
    await context.audioWorklet.addModule(noiseWorkletAddress());
    const graph = new Graph(context, source, rnnoise, tell);
    if (await graph.gives()) return graph.track(microphone);
    graph.close();
  } catch {
    void context?.close().catch(() => {});
  }
  return 'stopped';
}

class Graph {
  readonly #context: AudioContext;
  readonly #source: MediaStreamAudioSourceNode;
  readonly #rnnoise: RnnoiseWorkletNode;
  readonly #past: GainNode;
  readonly #through: GainNode;
  readonly #watch: AudioWorkletNode;
  readonly #output: MediaStreamAudioDestinationNode;
  readonly #judge = new NoiseJudge();
  readonly #looks: ReturnType<typeof setInterval>;
  #tell: ((trouble: GraphTrouble) => void) | undefined;
  #onSound: (() => void) | undefined;
  #reports = 0;
  #seen = 0;
  #misses = 0;

  constructor(
    context: AudioContext,
    source: MediaStreamAudioSourceNode,
    rnnoise: ArrayBuffer,
    tell: (trouble: GraphTrouble) => void,
  ) {
    this.#context = context;
    this.#source = source;
    this.#tell = tell;
    const mono = { channelCount: 1, channelCountMode: 'explicit' } as const;
    this.#output = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    this.#rnnoise = Object.assign(new RnnoiseWorkletNode(context, { maxChannels: 1, wasmBinary: rnnoise }), mono);
    this.#past = new GainNode(context, mono);
    this.#through = new GainNode(context, { ...mono, gain: 0 });
    const late = new DelayNode(context, { ...mono, delayTime: delaySamples / rate });
    this.#watch = new AudioWorkletNode(context, 'patchcord-noise-watch', {
      ...mono,
      ...{ numberOfInputs: 2, numberOfOutputs: 1, outputChannelCount: [1] },
    });
    source.connect(late).connect(this.#past).connect(this.#output);
    source.connect(this.#rnnoise).connect(this.#through).connect(this.#output);
    late.connect(this.#watch, 0, 0);
    this.#rnnoise.connect(this.#watch, 0, 1);
    // Nothing comes out of it; but what leads nowhere need not be run.
    this.#watch.connect(this.#output);
    keepAwake(context);
    this.#watch.port.onmessage = ({ data }: MessageEvent<readonly [number, number, number, number]>) =>
      this.#hear(data);
    this.#rnnoise.onprocessorerror = () => this.#fails('silent');
    context.onstatechange = () => this.#judge.stoodStill();
    this.#looks = setInterval(() => this.#look(), lookMs);
    void context.resume().catch(() => {});
  }

  /** Resolves whether sound runs. */
  gives(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, runsMs, false);
      this.#onSound = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  /** What comes out; `microphone` ends with it. */
  track(microphone: MediaStreamTrack): MediaStreamTrack {
    const [track] = this.#output.stream.getAudioTracks() as [MediaStreamTrack];
    const stop = track.stop.bind(track);
    track.stop = () => {
      stop();
      microphone.stop();
      this.close();
    };
    // The device went: whoever has this track must know.
    microphone.addEventListener('ended', () => track.dispatchEvent(new Event('ended')), { once: true });
    return track;
  }

  close(): void {
    this.#tell = undefined;
    clearInterval(this.#looks);
    this.#source.disconnect();
    this.#watch.port.onmessage = null;
    this.#watch.port.postMessage(null);
    this.#rnnoise.destroy();
    this.#context.onstatechange = null;
    void this.#context.close().catch(() => {});
  }

  #hear([dry, wet, wallMs, audioMs]: readonly [number, number, number, number]): void {
    this.#reports += 1;
    if (dry > 0 || this.#reports >= openingReports) this.#onSound?.();
    const verdict = this.#judge.hear({ dry, wet, wallMs, audioMs });
    if (verdict === 'begin') this.#fade(true);
    else if (verdict) this.#fails(verdict);
  }

  #look(): void {
    this.#misses = this.#reports === this.#seen ? this.#misses + 1 : 0;
    this.#seen = this.#reports;
    if (this.#context.state !== 'running') void this.#context.resume().catch(() => {});
    if (this.#misses === missesMost) this.#fails('stopped');
  }

  #fails(trouble: GraphTrouble): void {
    const tell = this.#tell;
    this.#tell = undefined;
    if (!tell) return;
    this.#fade(false);
    tell(trouble);
  }

  #fade(through: boolean): void {
    const now = this.#context.currentTime;
    for (const [{ gain }, to] of [
      [this.#through, through ? 1 : 0],
      [this.#past, through ? 0 : 1],
    ] as const) {
      gain.setValueAtTime(gain.value, now);
      gain.linearRampToValueAtTime(to, now + fadeSeconds);
    }
  }
}
