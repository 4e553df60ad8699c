/**
 * The port to a speech-to-text service: one session hears one side of one call. Owns the shape only; `adapters/` has a file for each protocol,
 * `channel.ts` keeps a side of a call transcribed while sessions come and go. An adapter must never reconnect, buffer without bound, or say what
 * was heard in a log.
 */

export interface SpeechRequest {
  /** BCP 47, such as `en-US`. */
  readonly language: string;
  /** Names and words of the customer's, most important first. An adapter takes as many as its service does. */
  readonly vocabulary: readonly string[];
}

/**
 * What was heard. Times are ms of sound since the session began. Finals come in the order of their sound. A final without text says that there was
 * nothing in that stretch; a service need not say so.
 */
export interface Heard {
  /** Names the utterance within its session: a later one with the same name replaces the earlier. */
  readonly utterance: string;
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
  /** 0 to 1, where the service says so. */
  readonly confidence?: number;
  /** The words stay as they are. Told once for an utterance. */
  readonly final: boolean;
}

/**
 * Why a session is over. `finished`: it was asked to, and has told its last words. `expired`: it lived as long as the service lets it. `away`: the connection or the service
 * broke. `limited`: too many at once, or too much. `refused`: asking again is no use before somebody changes the configuration (key, funds, model).
 */
export interface SpeechEnd {
  readonly why: 'finished' | 'expired' | 'away' | 'limited' | 'refused';
  /** For a person; never a key, never what was said. */
  readonly message: string;
  readonly retryAfterMs?: number;
}

export interface SpeechListener {
  /** The service has answered and takes sound. Once, first. */
  opened?(): void;
  heard(words: Heard): void;
  /** Once, last. */
  ended(end: SpeechEnd): void;
}

export interface SpeechSession {
  /** Takes PCM16 little-endian, 16 kHz, mono. Sound that comes before the service answers is kept by the session, a second of it at most. */
  send(pcm: Uint8Array): void;
  /** What was sent and the service has not read, bytes. Whoever sends must look: the session does not refuse. */
  readonly waitingBytes: number;
  /** No more sound: `ended` follows once the last words were told, or after `withinMs` (then as `away`: words may be missing). */
  finish(withinMs: number): void;
  /** Ends at once; nothing is told any more. */
  drop(): void;
}

export interface SpeechToText {
  /** How much faster than it was spoken the service takes sound; 8 where nothing is said. */
  readonly fastest?: number;
  /** Never throws: what goes wrong is told by `ended`, later. */
  open(request: SpeechRequest, listener: SpeechListener): SpeechSession;
}
