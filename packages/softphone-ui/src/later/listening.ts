/**
 * The recording that is open in this frame: which call's, what the relay says of it, and how it is heard. Owns asking for it, and for a fresh link when
 * the old one has ended. Must keep no sound and no link beyond the page, and never play by itself.
 */
import { type Listening, ListeningSchema, type SpokenWords, SpokenWordsSchema } from '@patchcord/call-protocol';
import { type ReadonlySignal, signal } from '@preact/signals';
import { playerAddress } from '../player-address.ts';
import type { SoftphoneModel } from '../softphone-model.ts';
import { words } from './words.ts';

export type Ready = Extract<Listening, { readonly state: 'ready' }>;

/** What there is instead of a player. */
export type ListeningState =
  | { readonly kind: 'loading' }
  | { readonly kind: 'making' }
  | { readonly kind: 'refused' | 'broken'; readonly message: string }
  | { readonly kind: 'ready'; readonly recording: Ready };

export interface OpenListening {
  readonly callId: string;
  readonly state: ReadonlySignal<ListeningState>;
  /** What was said; empty where nothing was kept. */
  readonly lines: ReadonlySignal<SpokenWords['lines']>;
  /** Asks anew. */
  load(): Promise<void>;
  /** The same sound with another link; null where there is none any more, and `state` says why. */
  afresh(): Promise<Ready | null>;
  close(): void;
}

const makingMs = 5_000;

const listening = signal<OpenListening | null>(null);
export const openListening: ReadonlySignal<OpenListening | null> = listening;

/** Opens the player of a call's recording. */
export function listenTo(model: Pick<SoftphoneModel, 'read'>, callId: string): void {
  closeListening();
  listening.value = createListening(model.read, callId);
}

export function closeListening(): void {
  listening.value?.close();
  listening.value = null;
}

/** The call whose recording this page's address names; null: none. */
export function namedRecording(): string | null {
  const { hash } = location;
  const callId = hash.startsWith(playerAddress) ? hash.slice(playerAddress.length) : '';
  return /^[0-9a-f-]{36}$/i.test(callId) ? callId : null;
}

/**
 * Opens the recording that this page's address names, as a link in the CRM does; until the returned function is called.
 * @param shown Called first, each time. A phone shows its place and forgets the address: loaded anew it must be a phone again.
 */
export function openRecordingByAddress(model: Pick<SoftphoneModel, 'read'>, shown?: () => void): () => void {
  const look = (): void => {
    const callId = namedRecording();
    if (callId === null) return;
    shown?.();
    if (listening.value?.callId !== callId) listenTo(model, callId);
  };
  look();
  addEventListener('hashchange', look);
  return () => removeEventListener('hashchange', look);
}

function createListening(read: SoftphoneModel['read'], callId: string): OpenListening {
  const state = signal<ListeningState>({ kind: 'loading' });
  const lines = signal<SpokenWords['lines']>([]);
  const path = `/v1/calls/${callId}`;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isClosed = false;

  async function ask(): Promise<Ready | null> {
    try {
      const said = await read(`${path}/recording`, ListeningSchema);
      if (isClosed) return null;
      if (said.state === 'ready') return said;
      state.value = { kind: 'making' };
      timer = setTimeout(() => void load(), makingMs);
    } catch (error) {
      const { code = '', message = words.soundGone } = error as { code?: string; message?: string };
      // Deleted, or not for this agent: trying again changes nothing.
      const isFinal = code === 'recording.deleted' || code === 'call.unknown';
      if (!isClosed) state.value = { kind: isFinal ? 'refused' : 'broken', message };
    }
    return null;
  }

  async function load(): Promise<void> {
    clearTimeout(timer);
    if (state.value.kind !== 'making') state.value = { kind: 'loading' };
    const recording = await ask();
    if (recording === null) return;
    state.value = { kind: 'ready', recording };
    // The sound is there without its words, too.
    const said = await read(`${path}/transcript`, SpokenWordsSchema).catch(() => null);
    if (said !== null && !isClosed) lines.value = said.lines;
  }

  void load();
  return {
    callId,
    state,
    lines,
    load,
    afresh: ask,
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
