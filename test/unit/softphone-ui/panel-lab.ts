/**
 * The whole panel in Node on fakes: real model, real relay client, real journal and real shared phone; SIP, sound, host, relay and time are
 * fakes. Owns the wiring for tests; a browser of its own per lab, so that frames of one lab share channels, locks and storage.
 */
import 'fake-indexeddb/auto';
import type { CallId, DeviceId, Profile } from '@patchcord/call-protocol';
import {
  type CallState,
  createPhone,
  joinSharedPhone,
  type LineLease,
  type SharedPhone,
} from '@patchcord/phone-engine';
import { FakeChannels, FakeClock, FakeLocks, FakeSip, FakeSound } from '@patchcord/phone-engine/testing';
import { signal } from '@preact/signals';
import { onTestFinished } from 'vitest';
import { openJournal } from '../../../packages/softphone-ui/src/journal.ts';
import type { Kept } from '../../../packages/softphone-ui/src/kept-calls.ts';
import type { LeftNotes } from '../../../packages/softphone-ui/src/left-notes.ts';
import type { MicrophonePermission } from '../../../packages/softphone-ui/src/microphone-permission.ts';
import { startPageLink } from '../../../packages/softphone-ui/src/page-link.ts';
import { createPanel, type Panel } from '../../../packages/softphone-ui/src/panel.ts';
import { createRelayClient, type RelayClient } from '../../../packages/softphone-ui/src/relay-client.ts';
import { createSealedCalls, type SealedCalls } from '../../../packages/softphone-ui/src/sealed-calls.ts';
import { createSessionHandover } from '../../../packages/softphone-ui/src/session-handover.ts';
import type { SoftphoneModel } from '../../../packages/softphone-ui/src/softphone-model.ts';
import { FakeHost } from '../../panel/fake-host.ts';
import { FakeRelay, fakeSessionKey } from '../../panel/fake-relay.ts';
import { ada, profile, sharers } from '../../panel/sample-profile.ts';

export interface LabFrame {
  readonly panel: Panel;
  readonly host: FakeHost;
  readonly sip: FakeSip;
  readonly sound: FakeSound;
  readonly client: RelayClient;
  readonly phone: () => SharedPhone;
  readonly model: () => SoftphoneModel;
  /** The agent looks at this frame. */
  look(): void;
  /** Another tab is in front of it, until it is looked at. */
  hide(): void;
  /** The frame is gone, without a word: its locks are free, its channels silent. */
  die(): void;
}

export interface PanelLab {
  readonly relay: FakeRelay;
  readonly clock: FakeClock;
  readonly microphone: ReturnType<typeof signal<MicrophonePermission>>;
  /** What the frames keep of calls, for whoever owns next. */
  kept(): Promise<Kept>;
  /** The database with that, as the browser's tools show it. */
  readonly database: string;
  /**
   * Opens one more frame of the same browser; not started yet. `inFront`: its tab can be seen from the beginning. `onlyPlays`: it is there for a recording.
   */
  frame(inFront?: boolean, onlyPlays?: boolean): LabFrame;
}

export interface PanelLabOptions {
  readonly profile?: Partial<Profile>;
  /** Who decides between this browser and others. */
  readonly lease?: LineLease;
}

let labs = 0;

export function openLab(options: PanelLabOptions = {}): PanelLab {
  labs += 1;
  const storageName = `journal-${labs}-${process.pid}`;
  const clock = new FakeClock();
  const relay = new FakeRelay({ profile: { ...profile, ...options.profile }, now: () => clock.now() });
  relay.matches = [ada, ...sharers];
  const left: LeftNotes = { keep: () => () => undefined, take: () => null };
  const channels = new FakeChannels();
  const locks = new FakeLocks();
  const microphone = signal<MicrophonePermission>('allowed');
  const device = crypto.randomUUID() as DeviceId;
  const database = `calls-${labs}-${process.pid}`;
  const sealedFor = (name: string): SealedCalls => createSealedCalls({ name, database, now: () => clock.now() });

  function frame(inFront = false, onlyPlays = false): LabFrame {
    const host = new FakeHost();
    const sip = new FakeSip();
    const sound = new FakeSound();
    const view = new EventTarget();
    const page = Object.assign(new EventTarget(), {
      visibilityState: inFront ? 'visible' : 'hidden',
      defaultView: view as Window,
    });
    let shared: SharedPhone | null = null;
    const own = channels.frame();
    const ownLocks = locks.frame();
    let dead = false;
    let behind = false;
    const client = createRelayClient({
      origin: 'https://relay.example.test',
      device,
      clock,
      random: () => 0.5,
      fetch: relay.fetch,
      openSocket: relay.openSocket,
      openKey: () => Promise.resolve(fakeSessionKey),
      proveIdentity: () => host.proveIdentity(),
    });
    const panel = createPanel({
      startPageLink,
      onlyPlays,
      host,
      device,
      clock,
      sound,
      random: () => 0.5,
      hostOrigin: 'https://crm.example.test',
      openSignIn: () => Promise.resolve({ kind: 'sign-in', claim: relay.claim, verifier: 'verifier' }),
      relay: client,
      openHandover: (name) => createSessionHandover({ openChannel: own.open, name, clock }),
      sharePhone: (name, sharing) => {
        shared = joinSharedPhone({
          ...sharing,
          name,
          lease: options.lease ?? null,
          createOwner: () => createPhone({ sip, clock, sound }),
          locks: ownLocks,
          openChannel: own.open,
          page: page as unknown as Document,
          clock,
        });
        return shared;
      },
      openJournal: (agent) =>
        openJournal({ name: `${storageName}:${agent.id}`, source: `/devices/${device}`, now: () => clock.now() }),
      leftNotes: () => left,
      sealedCalls: (agent) => {
        const sealed = sealedFor(agent.id);
        return {
          ...sealed,
          // The page of a dead frame writes nothing any more.
          write: (kept) => (dead ? Promise.resolve() : sealed.write(kept)),
          seen: (leaves) => (dead ? undefined : sealed.seen(leaves)),
        };
      },
      missedMark: () => ({ read: () => 0, write: () => undefined }),
      microphone,
      isHidden: () => behind,
      ticker: { now: signal(clock.now()), watch: () => () => undefined },
    });
    onTestFinished(() => panel.close());
    return {
      panel,
      host,
      sip,
      sound,
      client,
      phone() {
        if (shared === null) throw new Error('this frame has not joined the phone');
        return shared;
      },
      model() {
        const stage = panel.stage.value;
        if (stage.kind !== 'ready') throw new Error(`this panel is ${stage.kind}`);
        return stage.model;
      },
      hide() {
        behind = true;
      },
      look() {
        if (behind) {
          behind = false;
          panel.nudge();
        }
        page.visibilityState = 'visible';
        view.dispatchEvent(new Event('focus'));
        page.dispatchEvent(new Event('visibilitychange'));
      },
      die() {
        dead = true;
        own.die();
        ownLocks.die();
      },
    };
  }

  return { relay, clock, microphone, kept: () => sealedFor(profile.agent.id).read(), database, frame };
}

/** Starts a frame and waits until its line is ready; the only frame's is. `before`: what is different with it. */
export async function openReady(
  lab: PanelLab,
  inFront = false,
  before: (frame: LabFrame) => void = () => undefined,
): Promise<LabFrame> {
  const frame = lab.frame(inFront);
  before(frame);
  const started = frame.panel.start();
  await passTime(lab, () => frame.panel.stage.value.kind === 'ready');
  await started;
  frame.look();
  await until(() => frame.model().phone.value.line.status === 'ready');
  await until(() => lab.relay.joined > 0);
  return frame;
}

/** Waits for a condition, moving no clock: what is under way arrives. @throws when it never comes. */
export async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 50_000; turn += 1) {
    if (condition()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('what was waited for did not happen');
}

/** Lets everything under way arrive, when nothing particular can be waited for. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 4; round += 1) {
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    // What is sealed meanwhile is sealed by a thread, in its own time: threads take their work in the order in which it came.
    await Promise.all(Array.from({ length: 16 }, () => crypto.subtle.digest('SHA-256', new Uint8Array(1))));
  }
}

/** Waits for a condition while fake time passes in small steps. */
export async function passTime(lab: PanelLab, condition: () => boolean, stepMs = 100): Promise<void> {
  for (let turn = 0; turn < 600; turn += 1) {
    if (condition()) return;
    await new Promise((resolve) => setImmediate(resolve));
    lab.clock.advance(stepMs);
  }
  throw new Error('what was waited for did not happen, however much time passed');
}

/** The only call of a phone. */
export function onlyCall(frame: LabFrame): CallState {
  const { calls } = frame.model().phone.value;
  const call = calls[0];
  if (call === undefined || calls.length !== 1) throw new Error(`there are ${calls.length} calls`);
  return call;
}

/** An inbound call that was answered. */
export async function talk(frame: LabFrame, number: string = ada.number): Promise<CallId> {
  const call = frame.sip.invite({ number });
  await until(() => frame.model().phone.value.calls.some((other) => other.id === call));
  await frame.model().answer(call);
  await until(() => frame.model().phone.value.calls.some((other) => other.id === call && other.phase === 'active'));
  return call;
}

export { ada, sharers };
