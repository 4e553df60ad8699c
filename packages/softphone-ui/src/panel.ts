/**
 * The panel without its looks: from the handshake with the host page, over the sign-in, to a phone that works. Owns the stages of opening
 * and nothing of what comes after (`phone-wiring.ts`). Everything it touches comes in, so that it runs on fakes. Must never know a CRM.
 */
import {
  type Agent,
  type DeviceId,
  errorCode,
  type IdentityProof,
  PatchcordError,
  type Profile,
  type SignInWay,
} from '@patchcord/call-protocol';
import type { PanelHost } from '@patchcord/crm-adapters/panel';
import type { ClockPort, SharedPhone, SharedPhoneOptions, SoundPort } from '@patchcord/phone-engine';
import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { MissedMark } from './call-history.ts';
import type { CallerIdMark } from './caller-id.ts';
import type { Journal } from './journal.ts';
import { nothingKept } from './kept-calls.ts';
import type { ForwardingMark } from './kept-forwarding.ts';
import { giveBackNotes, type LeftNotes } from './left-notes.ts';
import type { OpenMeter } from './microphone-meter.ts';
import type { MicrophonePermission } from './microphone-permission.ts';
import type { StartPageLink } from './page-link.ts';
import { type PhoneWiring, recordOpened, wirePhone } from './phone-wiring.ts';
import type { RelayClient } from './relay-client.ts';
import type { SealedCalls } from './sealed-calls.ts';
import type { SelfTestSubject } from './self-checks.ts';
import { noHandover, type SessionHandover } from './session-handover.ts';
import type { OpenSignIn } from './sign-in-window.ts';
import { createSoftphoneModel, type SoftphoneModel } from './softphone-model.ts';
import { texts } from './texts.ts';
import type { Ticker } from './ticker.ts';
import type { Trouble } from './troubles.ts';

/**
 * ```
 * opening ─┬→ outside            the page around us is not the CRM, or refuses; one that is silent is asked again
 *          ├→ code → opening     only the agent can say who they are: by a pairing code, or at an identity provider
 *          ├→ halted             something that trying again by itself won't mend
 *          ├→ ready → left       stays until the agent signs out; troubles are banners from here on
 *          └→ player             a page for one recording: signed in, and no phone
 * ```
 */
export type Stage =
  | { readonly kind: 'opening'; readonly step: OpeningStep; readonly problem: string | null }
  | { readonly kind: 'outside'; readonly message: string }
  | { readonly kind: 'code' }
  | { readonly kind: 'left' }
  | { readonly kind: 'halted'; readonly message: string }
  | { readonly kind: 'ready'; readonly model: SoftphoneModel }
  | { readonly kind: 'player'; readonly model: PlayerModel };
/** What a page needs that only plays. */
export type PlayerModel = Pick<SoftphoneModel, 'read' | 'sound'>;
export type OpeningStep = 'host' | 'identity' | 'profile' | 'phone';

export interface Panel {
  readonly stage: ReadonlySignal<Stage>;
  readonly troubles: ReadonlySignal<readonly Trouble[]>;
  /** A code is being checked. */
  readonly codeBusy: ReadonlySignal<boolean>;
  readonly codeProblem: ReadonlySignal<string | null>;
  /** Begins, once. After `outside` and `halted` the page is loaded anew. */
  start(): Promise<void>;
  submitCode(code: string): Promise<void>;
  /** Ways beside a code; empty while they are not known. */
  readonly ways: ReadonlySignal<readonly SignInWay[]>;
  readonly crm: PanelHost['crm'];
  /** Signs in at an identity provider, in a window. Must be called while a click is handled. */
  signInBy(way: SignInWay): Promise<void>;
  /** The network is back: what waits for its next attempt makes it now. */
  nudge(): void;
  /** The page goes, or is put aside. */
  leave(): void;
  forgetRefused(): Promise<void>;
  forgetUnlogged(): void;
  /** Opens the window with the phone, where this frame needs one. Must be called while a click is handled. */
  openPhoneWindow(): void;
  /** Nobody is called when the window is there. */
  dropWait(): void;
  /** The self-test is in front. */
  readonly selfTestOpen: Signal<boolean>;
  /** What the self-test looks at. */
  readonly selfTestSubject: SelfTestSubject;
  close(): Promise<void>;
}

export interface PanelOptions {
  readonly host: PanelHost;
  /** This page is there for a recording: it must not take the line from another one, nor send what that one wrote down. */
  readonly onlyPlays?: boolean;
  /** Only for a host whose pages have a message channel: the others need not carry it. */
  readonly startPageLink?: StartPageLink;
  readonly relay: RelayClient;
  /** Joins the frames that are for the same audience; never called for a host that names none. */
  readonly openHandover: (audience: string) => SessionHandover;
  readonly openSignIn: OpenSignIn;
  /** Whose page is around us, as far as it can be known; only chooses which ways to sign in are shown. */
  readonly hostOrigin: string;
  readonly device: DeviceId;
  /** Joins the phone of one agent; `name` is the same in every frame of that agent. */
  readonly sharePhone: (name: string, sharing: PhoneSharing) => SharedPhone;
  readonly openJournal: (agent: Agent) => Promise<Journal>;
  readonly missedMark: (agent: Agent) => MissedMark;
  /** Absent: the choice is not kept. */
  readonly callerIdMark?: (agent: Agent) => CallerIdMark;
  readonly forwardingMark?: (agent: Agent) => ForwardingMark;
  /** What was being typed when the page went. */
  readonly leftNotes: (agent: Agent) => LeftNotes;
  /** The owner's calls, for the next owner; absent: nothing is kept. */
  readonly sealedCalls?: (agent: Agent) => SealedCalls;
  readonly microphone: ReadonlySignal<MicrophonePermission>;
  readonly sound: SoundPort | null;
  readonly openMeter?: OpenMeter;
  readonly clock: ClockPort;
  readonly ticker: Ticker;
  readonly random?: () => number;
  /** Nobody can see this page. Absent: it is always seen. */
  readonly isHidden?: () => boolean;
}

/** What the panel says to a phone that is shared. */
export type PhoneSharing = Pick<SharedPhoneOptions, 'mayOwn' | 'handedOver' | 'takingUp'>;

const noSealedCalls: SealedCalls = {
  lasts: () => false,
  read: () => Promise.resolve(nothingKept),
  write: () => Promise.resolve(),
  seen: () => undefined,
  clear: () => Promise.resolve(),
};
const firstRetryMs = 1_000;
const longestRetryMs = 30_000;

/** Builds the panel; nothing happens before `start`. */
export function createPanel(options: PanelOptions): Panel {
  const { host, relay, clock, random = Math.random } = options;
  const stage = signal<Stage>({ kind: 'opening', step: 'host', problem: null });
  const wiring = signal<PhoneWiring | null>(null);
  const codeBusy = signal(false);
  const codeProblem = signal<string | null>(null);
  const ways = signal<readonly SignInWay[]>([]);
  let lineServer: string | null = null;
  let handover = noHandover;
  let sealedCalls = noSealedCalls;
  let ending: (() => Promise<void>) | null = null;
  let wakeRetry: (() => void) | null = null;
  let closed = false;

  function opening(step: OpeningStep, problem: string | null = null): void {
    stage.value = { kind: 'opening', step, problem };
  }

  function halt(error: unknown): void {
    stage.value = { kind: 'halted', message: messageOf(error) };
  }

  /** Tries until it works; a failure that trying again won't mend is thrown. Waiting shows the reason and listens to `nudge`. */
  async function insist<T>(step: OpeningStep, work: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; failures += 1) {
      try {
        return await work();
      } catch (error) {
        if (closed || !isRetryable(error)) throw error;
        opening(step, messageOf(error));
        await rest(Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(failures, 6)) * (0.5 + random() / 2));
      }
    }
  }

  async function rest(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = clock.setTimeout(resolve, ms);
      wakeRetry = () => {
        clock.clearTimeout(timer);
        resolve();
      };
    });
    wakeRetry = null;
  }

  async function start(): Promise<void> {
    opening('host');
    try {
      // A page that is slow to start answers later; one that is not the CRM never will.
      await insist('host', () => host.start());
    } catch (error) {
      stage.value = { kind: 'outside', message: messageOf(error) };
      return;
    }
    joinHandover();
    opening('identity');
    try {
      // What this page had before it was loaded anew; where the host proves every agent itself there is nothing to go on with.
      if (await insist('identity', () => relay.resume())) {
        await enter();
        return;
      }
      const proof = await insist('identity', () => host.proveIdentity());
      if (proof !== null) await insist('identity', () => relay.signIn(proof));
      else if (!(await signInByOthers())) {
        askAgent();
        return;
      }
    } catch (error) {
      if (errorCode(error) === 'host.refused') await askAgentInstead(error);
      else halt(error);
      return;
    }
    await enter();
  }

  /** The CRM does not vouch for its agents (no Apex class, say); an identity provider may. Without one, what the CRM said is all there is to say. */
  async function askAgentInstead(refusal: unknown): Promise<void> {
    const found = await relay.signInWays(host.crm, options.hostOrigin).catch(() => []);
    if (found.length === 0) {
      halt(refusal);
      return;
    }
    ways.value = found;
    stage.value = { kind: 'code' };
  }

  /** Only now the host has said whom its page is for. */
  function joinHandover(): void {
    const audience = host.audienceKey?.() ?? null;
    if (closed) return;
    relay.begin(audience === null ? null : `${host.crm}:${audience}`);
    if (audience === null) return;
    handover = options.openHandover(audience);
    handover.onOffered((session) => {
      // Another frame signed in while this one asks for a code.
      if (stage.value.kind === 'code' && relay.adopt(session)) void enter();
    });
  }

  /** Only the agent can say who they are. What ways there are beside a code is shown when it is known; a relay that can't say has none. */
  function askAgent(): void {
    stage.value = { kind: 'code' };
    relay.signInWays(host.crm, options.hostOrigin).then(
      (found) => {
        ways.value = found;
      },
      () => undefined,
    );
  }

  async function signInBy(way: SignInWay): Promise<void> {
    if (codeBusy.value) return;
    const proving = options.openSignIn(way.path);
    await signedInWith(async () => {
      const proof = await proving;
      if (proof !== null) return proof;
      throw new PatchcordError('identity.refused', texts.signInClosed);
    });
  }

  /** A frame of this agent that is signed in already vouches for this one. */
  async function signInByOthers(): Promise<boolean> {
    const handed = await handover.ask();
    return handed !== null && relay.adopt(handed);
  }

  async function submitCode(code: string): Promise<void> {
    const typed = code.trim();
    if (codeBusy.value) return;
    if (typed === '') {
      codeProblem.value = texts.codeEmpty;
      return;
    }
    await signedInWith(() => Promise.resolve({ kind: 'pairing-code', code: typed }));
  }

  async function signedInWith(prove: () => Promise<IdentityProof>): Promise<void> {
    codeBusy.value = true;
    codeProblem.value = null;
    try {
      await relay.signIn(await prove());
    } catch (error) {
      codeProblem.value = messageOf(error);
      return;
    } finally {
      codeBusy.value = false;
    }
    if (stage.value.kind === 'code') await enter();
  }

  /** The agent leaves: the session ends at the relay, the phone here. */
  async function signOut(): Promise<void> {
    try {
      await relay.signOut();
    } finally {
      await close();
      // Who signs out leaves nothing of their calls behind.
      await sealedCalls.clear();
      stage.value = { kind: 'left' };
    }
  }

  async function close(): Promise<void> {
    closed = true;
    wakeRetry?.();
    handover.close();
    await ending?.();
    ending = null;
    relay.close();
    host.stop();
  }

  /** Signed in, for as long as other frames of this agent are: whoever renews the session tells the others. */
  function play(): void {
    const stops = [
      relay.onSession((session) => {
        handover.offer(session);
        if (session !== null) return;
        for (const stop of stops) stop();
        askAgent();
      }),
      handover.onOffered(relay.adopt),
    ];
    handover.offer(relay.session());
    stage.value = { kind: 'player', model: { read: relay.read, sound: options.sound } };
  }

  /** Signed in: everything an agent needs, then the phone. What does not need the profile is under way while that is. */
  async function enter(): Promise<void> {
    if (options.onlyPlays === true) return play();
    opening('profile');
    const mayOwn = host.holdsLine?.() !== 'never';
    const { ahead, firstCredentials, opened } = goAhead(mayOwn);
    let loaded: Profile;
    try {
      loaded = await insist('profile', relay.profile);
    } catch (error) {
      void opened?.then((journal) => journal.close());
      if (errorCode(error) === 'identity.required') askAgent();
      else halt(error);
      return;
    }
    opening('phone');
    const { agent } = loaded;
    const profile = signal(loaded);
    sealedCalls = ahead ?? options.sealedCalls?.(agent) ?? noSealedCalls;
    const journal = await (opened ?? options.openJournal(agent));
    const phone = options.sharePhone(`${loaded.tenant.id}:${agent.id}`, {
      mayOwn,
      handedOver: async (handed) => (await wiring.value?.handedOver(handed)) ?? null,
      takingUp: () => wiring.value?.takingUp() ?? null,
    });
    const model = createSoftphoneModel({
      phone,
      profile,
      relay,
      host,
      sound: options.sound,
      clock,
      ticker: options.ticker,
      missedMark: options.missedMark(agent),
      callerIdMark: options.callerIdMark?.(agent) ?? null,
      keepsCalls: sealedCalls.lasts,
      signOut: host.can.proveIdentity ? null : signOut,
      recordOpened: (call, record) => void journal.append(recordOpened(call, record, clock.now())),
    });
    phone.onEvent((event) => {
      if (event.name === 'line.ready') lineServer = event.data.server ?? null;
    });
    const forwarding = options.forwardingMark?.(agent) ?? null;
    const wired = wirePhone({
      ...options,
      ...{ forwarding, handover, sealedCalls, firstCredentials, random, phone, model, journal, profile },
    });
    wiring.value = wired;
    const left = options.leftNotes(agent);
    giveBackNotes(left, phone, model.writeNote, journal);
    const stopKeeping = left.keep(model.unsavedNotes);
    ending = async () => {
      stopKeeping();
      wired.stop();
      model.close();
      await phone.close();
      journal.close();
    };
    stage.value = { kind: 'ready', model };
    void model.history.reload();
  }

  /** Who the agent is says the session. Where a call waits to be taken up every millisecond is silence for the far side. */
  function goAhead(mayOwn: boolean) {
    const agent = relay.session()?.agent;
    if (agent === undefined) return { ahead: null, firstCredentials: null, opened: null };
    relay.live.open();
    const ahead = options.sealedCalls?.(agent) ?? noSealedCalls;
    const opened = options.openJournal(agent);
    const firstCredentials = mayOwn
      ? // Nobody's page went: the owner is there, and this frame mirrors it.
        ahead.read().then(({ leaves, dialogs }) => (leaves && dialogs.length > 0 ? relay.credentials() : null))
      : null;
    firstCredentials?.catch(() => undefined);
    return { ahead, firstCredentials, opened };
  }

  return {
    stage,
    troubles: computed(() => wiring.value?.troubles.value ?? []),
    codeBusy,
    codeProblem,
    start,
    submitCode,
    ways,
    crm: host.crm,
    signInBy,
    nudge() {
      wakeRetry?.();
      wiring.value?.nudge();
    },
    leave: () => wiring.value?.leave(),
    forgetRefused: async () => wiring.value?.forgetRefused(),
    forgetUnlogged: () => wiring.value?.forgetUnlogged(),
    openPhoneWindow() {
      if (stage.value.kind === 'ready') stage.value.model.openPhoneWindow();
    },
    dropWait() {
      if (stage.value.kind === 'ready') stage.value.model.dropWait();
    },
    selfTestOpen: signal(false),
    selfTestSubject: {
      host,
      relay,
      microphone: options.microphone,
      sound: options.sound,
      openMeter: options.openMeter,
      clock,
      startProblem: () => {
        const { value } = stage;
        return value.kind === 'opening' ? value.problem : 'message' in value ? value.message : null;
      },
      phone: () =>
        stage.value.kind === 'ready'
          ? { state: stage.value.model.phone, held: stage.value.model.role.value === 'mirror' ? 'elsewhere' : 'here' }
          : null,
      lineServer: () => lineServer,
    },
    close,
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : texts.relayUnreachable;
}

function isRetryable(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'retryable' in error && error.retryable === true;
}
