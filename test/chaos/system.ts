/**
 * The telephone system of a chaos run, as the judge sees it: who can be called, who is in a call, who is registered, and what can be broken. Owns
 * the sandbox switch in this place; knows no page and no CRM.
 */
import { randomBytes } from 'node:crypto';
import { startSwitch } from '@patchcord/sandbox';
import type { Telephony } from '../../scripts/stage.ts';

export interface FarEnd {
  readonly number: string;
  readonly toneHz: number;
}

/** A call as the far end lived it. */
export interface FarCall {
  readonly number: string;
  readonly direction: 'inbound' | 'outbound';
  readonly state: 'ringing' | 'answered' | 'ended';
  /** Epoch ms; absent while, or because, nobody answered. */
  readonly answeredAt?: number;
  readonly endedAt?: number;
  /** Nobody of this agent is in it any more: it was handed over. */
  readonly transferred: boolean;
  /** How it ended, for a person. */
  readonly words: string;
}

export interface ChaosSystem {
  readonly telephony: Telephony;
  /** Far ends that answer by themselves; a sequence takes those that are free. */
  readonly farEnds: readonly FarEnd[];
  /** Far ends of two calls can be joined, and it is known afterwards what became of them. */
  readonly joins: boolean;
  /** Whoever is called answers a CANCEL, with the tag of the dialog: a proxy in between answers with one of its own. */
  readonly tellsTags: boolean;
  /** Rings the extension. Resolves once it rings, and throws where nobody is registered. */
  ring(from: FarEnd, extension: string): Promise<void>;
  /** The far end gives up or hangs up; nothing when it is in no call. */
  hangUp(number: string): Promise<void>;
  /** Calls with this extension since `since` (epoch ms), oldest first. */
  calls(extension: string, since: number): readonly FarCall[];
  /** How many phones are registered for the extension. */
  registrations(extension: string): Promise<number>;
  /** Whether the far end hears this tone now. */
  hears(number: string, hz: number): Promise<boolean>;
  /** Cuts every WebSocket. */
  cut(): Promise<void>;
  /** Cuts them and lets nobody in for `ms`. */
  away(ms: number): Promise<void>;
  close(): Promise<void>;
}

const tones = [600, 850, 1_200, 1_700] as const;

/** A switch of its own for one agent's sequences. */
export async function switchSystem(): Promise<ChaosSystem> {
  const credentialSecret = randomBytes(32).toString('base64url');
  // The range that is kept for fiction: a hundred numbers.
  const farEnds = Array.from({ length: 96 }, (_, n) => ({
    number: `+120255501${String(n).padStart(2, '0')}`,
    toneHz: tones[n % tones.length] ?? 600,
  }));
  const board = await startSwitch({
    domain: 'sandbox.patchcord.test',
    credentialSecret,
    callers: farEnds.map((it, n) => ({ ...it, name: `Far end ${n}`, kind: 'person', answerAfterMs: 300 })),
    sound: 'tones',
    iceAddresses: ['127.0.0.1'],
  });
  return {
    telephony: {
      domain: board.domain,
      servers: [board.url],
      credentialSecret,
      callAgent: async (extension, { from }) => void (await board.callAgent(extension, { callerNumber: from })),
    },
    farEnds,
    joins: true,
    tellsTags: true,
    async ring(from, extension) {
      await board.callAgent(extension, { callerNumber: from.number, toneHz: from.toneHz, ringSeconds: 60 });
    },
    async hangUp(number) {
      if (board.calls().some((it) => it.number === number && it.state !== 'ended')) board.hangUp(number);
    },
    calls: (extension, since) =>
      board.calls().flatMap((it) =>
        it.startedAt < since ||
        (it.extension !== undefined && it.extension !== extension) ||
        it.direction === 'transferred'
          ? []
          : [
              {
                number: it.number,
                direction: it.direction,
                state: it.state,
                ...(it.answeredAt === undefined ? {} : { answeredAt: it.answeredAt }),
                ...(it.endedAt === undefined ? {} : { endedAt: it.endedAt }),
                transferred: it.transferredTo !== undefined,
                words:
                  it.ended === undefined
                    ? it.state
                    : `${it.ended.by} ${it.ended.status ?? ''} ${it.ended.reason ?? ''}`,
              },
            ],
      ),
    registrations: async (extension) => board.registered().filter((it) => it.extension === extension).length,
    async hears(number, hz) {
      try {
        return board.heard(number).levelAt(hz) > 0.01;
      } catch {
        return false;
      }
    },
    async cut() {
      board.dropSockets();
    },
    async away(ms) {
      board.faults.set({ refuseSockets: true });
      board.dropSockets();
      await new Promise((resolve) => setTimeout(resolve, ms));
      board.faults.set({ refuseSockets: undefined });
    },
    close: () => board.close(),
  };
}
