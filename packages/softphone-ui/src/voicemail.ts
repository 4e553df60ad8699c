/**
 * The agent's voicemail as the relay lists it, or, where only the phone system has it, how many messages wait there. Owns loading, what is
 * played, and the way back of a deletion. Must never play by itself, and must keep no sound and no link beyond the page.
 */
import { type Profile, type Voicemail, VoicemailAudioSchema } from '@patchcord/call-protocol';
import type { ClockPort, PhoneState } from '@patchcord/phone-engine';
import { computed, type ReadonlySignal, signal } from '@preact/signals';
import type { Notify } from './notices.ts';
import type { RelayClient } from './relay-client.ts';
import { texts } from './texts.ts';

export interface VoicemailBox {
  /** Newest first, without those that were deleted. */
  readonly messages: ReadonlySignal<readonly Voicemail[]>;
  readonly status: ReadonlySignal<'idle' | 'loading' | 'ready' | 'failed'>;
  readonly problem: ReadonlySignal<string>;
  /** Messages nobody has listened to. */
  readonly unheard: ReadonlySignal<number>;
  /** What was deleted last and can be brought back, for a moment. */
  readonly undo: ReadonlySignal<Voicemail | null>;
  /** The one whose player is open, with a link that plays it for some minutes. */
  readonly playing: ReadonlySignal<{ readonly id: string; readonly url: string } | null>;
  /** Loads the list, where the relay has one. */
  reload(): Promise<void>;
  /** Opens its player, or closes it. */
  play(message: Voicemail): Promise<void>;
  stop(): void;
  heard(message: Voicemail): Promise<void>;
  remove(message: Voicemail): Promise<void>;
  takeBack(): Promise<void>;
  close(): void;
}

export interface VoicemailOptions {
  readonly profile: ReadonlySignal<Profile>;
  readonly phone: ReadonlySignal<PhoneState>;
  readonly relay: Pick<RelayClient, 'voicemails' | 'changeVoicemail' | 'read'>;
  readonly clock: ClockPort;
  readonly notify: Notify;
}

const undoMs = 30_000;

/** Starts empty; `reload` fills it. */
export function createVoicemailBox({ profile, phone, relay, clock, notify }: VoicemailOptions): VoicemailBox {
  const all = signal<readonly Voicemail[]>([]);
  const status = signal<'idle' | 'loading' | 'ready' | 'failed'>('idle');
  const problem = signal('');
  const undo = signal<Voicemail | null>(null);
  const playing = signal<{ readonly id: string; readonly url: string } | null>(null);
  const messages = computed(() => all.value.filter(({ deletedAt }) => deletedAt === null));
  const isListed = (): boolean => profile.value.features.voicemail?.listed === true;
  let timer: unknown = null;
  let asked = 0;

  async function reload(): Promise<void> {
    if (!isListed()) return;
    const mine = ++asked;
    status.value = 'loading';
    try {
      const next = await relay.voicemails();
      if (mine !== asked) return;
      all.value = next;
      status.value = 'ready';
    } catch (error) {
      if (mine !== asked) return;
      problem.value = wordsOf(error);
      status.value = 'failed';
    }
  }

  /** Shown at once; what the relay then says counts. */
  async function change(message: Voicemail, part: { readonly heard?: boolean; readonly deleted?: boolean }) {
    const show = (next: Voicemail): void => {
      all.value = all.value.map((one) =>
        one.id === next.id ? { ...next, matches: next.matches ?? one.matches } : one,
      );
    };
    // A list that is under way still has it as it was.
    asked += 1;
    const { deleted, heard = message.heard } = part;
    show({ ...message, heard, deletedAt: deleted === true ? clock.now() : null });
    try {
      show(await relay.changeVoicemail(message.id, part));
      status.value = 'ready';
      return true;
    } catch (error) {
      show(message);
      notify('warning', wordsOf(error));
      void reload();
      return false;
    }
  }

  function stop(): void {
    playing.value = null;
  }

  return {
    messages,
    status,
    problem,
    unheard: computed(() => {
      if (isListed()) return messages.value.filter(({ heard }) => !heard).length;
      const mailbox = phone.value.mailbox;
      return mailbox === null ? 0 : Math.max(mailbox.newMessages, mailbox.waiting ? 1 : 0);
    }),
    undo,
    playing,
    reload,
    async play({ id }) {
      if (playing.value?.id === id) return stop();
      // Until the link is there: nothing else plays.
      playing.value = { id, url: '' };
      try {
        const { url } = await relay.read(`/v1/voicemails/${id}/audio`, VoicemailAudioSchema);
        if (playing.value?.id === id) playing.value = { id, url };
      } catch (error) {
        if (playing.value?.id === id) stop();
        notify('warning', wordsOf(error));
      }
    },
    stop,
    async heard(message) {
      if (!message.heard) await change(message, { heard: true });
    },
    async remove(message) {
      if (playing.value?.id === message.id) stop();
      undo.value = message;
      clock.clearTimeout(timer);
      timer = clock.setTimeout(() => {
        undo.value = null;
      }, undoMs);
      if (!(await change(message, { deleted: true }))) undo.value = null;
    },
    async takeBack() {
      const message = undo.value;
      undo.value = null;
      if (message !== null) await change(message, { deleted: false });
    },
    close() {
      clock.clearTimeout(timer);
    },
  };
}

const wordsOf = (error: unknown): string =>
  error instanceof Error && error.message !== '' ? error.message : texts.relayUnreachable;
