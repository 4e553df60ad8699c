/** What whoever has the sound of one side of a call gets of `channel.ts`. */
import type { SpeechRequest, SpeechToText } from './speech-to-text.ts';

/** One line of one side. Times are ms from the answer of the call; `line` counts within the channel. */
export interface ChannelLine {
  readonly line: number;
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly confidence?: number;
  readonly final: boolean;
}

export interface ChannelOptions {
  readonly service: SpeechToText;
  readonly request: SpeechRequest;
  /** The number of the first line: those before were told by an earlier relay. */
  readonly firstLine: number;
  readonly onLine: (line: ChannelLine) => void;
  /** A change only. */
  readonly onService: (state: 'there' | 'away' | 'refused', message: string) => void;
  readonly now: () => number;
  readonly random: () => number;
}

/** One side of a call, transcribed. It never waits and never throws: a service that is slow or away costs words, not the call. */
export interface Channel {
  /** PCM16 little-endian, 16 kHz, of `atMs` of the call. Stretches come in order; what lies between two of them was silence. */
  hear(pcm: Uint8Array, atMs: number): void;
  /** Sound before this (ms of the call) is needed no more: its words are final, or it holds none. */
  readonly settledMs: number;
  /** What was heard from `atMs` on must not be told: a pause began. What the service still says of it is dropped, and the session with it. */
  forget(atMs: number): void;
  /** Resolves when the last words were told, or after `withinMs`. */
  finish(withinMs: number): Promise<void>;
  drop(): void;
}
