/**
 * The panel without its looks: from the handshake with the host page to a phone that works. Owns the stages of opening, the session, the
 * supply of credentials, and the wiring of phone, journal, relay and host. Everything it touches comes in, so that it runs on fakes. Must
 * never hold a credential longer than handing it on, nor know a CRM.
 */
import {
  type Agent,
  type CallId,
  type Credentials,
  type DeviceId,
  errorCode,
  type PhoneEvent,
  type Profile,
  type RecordRef,
  type Session,
  type WireEvent,
} from '@patchcord/call-protocol';
import type { PanelHost } from '@patchcord/crm-adapters/panel';
import type { ClockPort, OwnedPhone, SharedPhone, SipAccount, SoundPort } from '@patchcord/phone-engine';
import { computed, type ReadonlySignal, signal } from '@preact/signals';
import type { MissedMark } from './call-history.ts';
import { type CredentialKeeper, type CredentialTrouble, createCredentialKeeper } from './credential-keeper.ts';
import { startHostBridge } from './host-bridge.ts';
import type { Journal, RefusedEvent } from './journal.ts';
import type { LiveStatus } from './live-link.ts';
import type { MicrophonePermission } from './microphone-permission.ts';
import { type Publishing, startPublishing } from './publishing.ts';
import type { RelayClient } from './relay-client.ts';
import type { SessionHandover } from './session-handover.ts';
import { createSoftphoneModel, type SoftphoneModel } from './softphone-model.ts';
import { texts } from './texts.ts';
import type { Ticker } from './ticker.ts';
import { type Trouble, troublesOf } from './troubles.ts';

/**
 * ```
 * opening ─┬→ outside            the page around us is not the CRM, or does not answer
 *          ├→ code → opening     only a pairing code tells who the agent is
 *          ├→ halted             something that trying again by itself won't mend
 *          └→ ready              stays; troubles are banners from here on
 * ```
 */
export type Stage =
  | { readonly kind: 'opening'; readonly step: 'host' | 'identity' | 'profile' | 'phone'; readonly problem: string | null }
  | { readonly kind: 'outside'; readonly message: string }
  | { readonly kind: 'code' }
  | { readonly kind: 'halted'; readonly message: string }
  | { readonly kind: 'ready'; readonly model: SoftphoneModel };

export interface Panel {
  readonly stage: ReadonlySignal<Stage>;
  readonly troubles: ReadonlySignal<readonly Trouble[]>;
  readonly refused: ReadonlySignal<readonly RefusedEvent[]>;
  /** A code is being checked. */
  readonly codeBusy: ReadonlySignal<boolean>;
  readonly codeProblem: ReadonlySignal<string | null>;
  /** Begins, once. After `outside` and `halted` the page is loaded anew. */
  start(): Promise<void>;
  submitCode(code: string): Promise<void>;
  /** The network is back: what waits for its next attempt makes it now. */
  nudge(): void;
  forgetRefused(): Promise<void>;
  forgetUnlogged(): void;
  close(): Promise<void>;
}

export interface PanelOptions {
  readonly host: PanelHost;
  readonly relay: RelayClient;
  readonly handover: SessionHandover;
  readonly device: DeviceId;
  /** Joins the phone of one agent; `name` is the same in every frame of that agent. */
  readonly sharePhone: (name: string) => SharedPhone;
  readonly openJournal: (agent: Agent) => Promise<Journal>;
  readonly missedMark: (agent: Agent) => MissedMark;
  readonly microphone: ReadonlySignal<MicrophonePermission>;
  readonly sound: SoundPort | null;
  readonly clock: ClockPort;
  readonly ticker: Ticker;
  readonly random?: () => number;
}

/** A relay that comes back this soon is not worth a banner. */
const relayGraceMs = 4_000;
const longestRetryMs = 30_000;
/** The relay has stored the end of a call by then; its history has it. */
const historyDelayMs = 1_500;

/** Builds the panel; nothing happens before `start`. */
export function createPanel(options: PanelOptions): Panel {
  const { host, relay, handover, clock, random = Math.random } = options;
  const stage = signal<Stage>({ kind: 'opening', step: 'host', problem: null });
  const profile = signal<Profile | null>(null);
  const relayShown = signal<LiveStatus>('closed');
  const credential = signal<CredentialTrouble | null>(null);
  const revoked = signal<string | null>(null);
  const codeNeeded = signal(false);
  const codeBusy = signal(false);
  const codeProblem = signal<string | null>(null);
  const journalState = signal({ waiting: 0, refused: 0, durable: true });
  const refused = signal<readonly RefusedEvent[]>([]);
  const unlogged = signal<string | null>(null);
  const stops: (() => void)[] = [];
  let journal: Journal | null = null;
  let shared: SharedPhone | null = null;
  let keeper: CredentialKeeper | null = null;
  let publishing: Publishing | null = null;
  let wakeRetry: (() => void) | null = null;
  let closed = false;

  const troubles = computed<readonly Trouble[]>(() => {
    const now = stage.value;
    if (now.kind !== 'ready') return [];
    return troublesOf({
      line: now.model.phone.value.line,
      relay: relayShown.value,
      microphone: options.microphone.value,
      credential: credential.value,
      revoked: revoked.value,
      codeNeeded: codeNeeded.value,
      journal: journalState.value,
      refused: refused.value,
      unlogged: unlogged.value,
    });
  });

  function opening(step: Extract<Stage, { kind: 'opening' }>['step'], problem: string | null = null): void {
    stage.value = { kind: 'opening', step, problem };
  }

  /** Tries until it works; a failure that trying again won't mend is thrown. Waiting shows the reason and listens to `nudge`. */
  async function insist<T>(step: 'identity' | 'profile', work: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; failures += 1) {
      try {
        return await work();
      } catch (error) {
        if (closed || !isRetryable(error)) throw error;
        opening(step, messageOf(error));
        const wait = Math.min(longestRetryMs, 1_000 * 2 ** Math.min(failures, 6)) * (0.5 + random() / 2);
        await new Promise<void>((resolve) => {
          const timer = clock.setTimeout(resolve, wait);
          wakeRetry = () => {
            clock.clearTimeout(timer);
            resolve();
          };
        });
        wakeRetry = null;
      }
    }
  }

  async function start(): Promise<void> {
    opening('host');
    try {
      await host.start();
    } catch (error) {
      stage.value = { kind: 'outside', message: messageOf(error) };
      return;
    }
    opening('identity');
    const handed = await handover.ask();
    if (handed !== null) {
      relay.adopt(handed);
      return await enter();
    }
    try {
      const proof = await insist('identity', () => host.proveIdentity());
      if (proof === null) return askForCode();
      await insist('identity', () => relay.signIn(proof));
    } catch (error) {
      stage.value = { kind: 'halted', message: messageOf(error) };
      return;
    }
    await enter();
  }

  function askForCode(): void {
    stage.value = { kind: 'code' };
  }

  async function submitCode(code: string): Promise<void> {
    const typed = code.trim();
    if (codeBusy.value) return;
    if (typed === '') {
      codeProblem.value = texts.codeEmpty;
      return;
    }
    codeBusy.value = true;
    codeProblem.value = null;
    try {
      await relay.signIn({ kind: 'pairing-code', code: typed });
    } catch (error) {
      codeProblem.value = messageOf(error);
      return;
    } finally {
      codeBusy.value = false;
    }
    if (stage.value.kind === 'code') await enter();
  }

  /** Signed in: everything an agent needs, then the phone. */
  async function enter(): Promise<void> {
    opening('profile');
    let loaded: Profile;
    try {
      loaded = await insist('profile', relay.profile);
    } catch (error) {
      if (errorCode(error) === 'identity.required') return askForCode();
      stage.value = { kind: 'halted', message: messageOf(error) };
      return;
    }
    profile.value = loaded;
    opening('phone');
    const { agent } = loaded;
    const opened = await options.openJournal(agent);
    const joined = options.sharePhone(`${loaded.tenant.id}:${agent.id}`);
    journal = opened;
    shared = joined;
    const model = createSoftphoneModel({
      phone: joined,
      profile: profile as ReadonlySignal<Profile>,
      relay,
      host,
      sound: options.sound,
      clock,
      ticker: options.ticker,
      missedMark: options.missedMark(agent),
      recordOpened: (call, record) => void opened.append(recordOpened(call, record, clock.now())),
    });
    wire(model, joined, opened);
    stage.value = { kind: 'ready', model };
    void model.history.reload();
  }

  function wire(model: SoftphoneModel, phone: SharedPhone, events: Journal): void {
    stops.push(
      phone.onEvent((event) => void events.append(event)),
      events.onChanged(() => void readJournal(events)),
      phone.onState(({ line }) => lineChanged(line.status)),
      phone.onRole(() => roleChanged(phone, events)),
      relay.live.onStatus((status) => relayChanged(status, model)),
      relay.live.onEvent((event) => relayEvent(event, model, phone)),
      relay.onSession((session) => sessionChanged(session)),
      handover.onOffered((session) => {
        // Another frame signed in: this one need not ask.
        if (codeNeeded.value) relay.adopt(session);
      }),
      phone.onEvent((event) => {
        if (event.name === 'call.ended') clock.setTimeout(() => void model.history.reload(), historyDelayMs);
      }),
      startHostBridge({
        host,
        phone,
        numbers: () => model.numbers.value,
        dial: (request) => void model.dialFromHost(request),
        hangUp: () => void model.hangUpForemost(),
        recordShown: model.showRecord,
        matchesFound: model.duties.addFromHost,
      }),
      () => model.close(),
    );
    handover.offer(relay.session());
    relay.live.open();
    void readJournal(events);
    roleChanged(phone, events);
  }

  async function readJournal(events: Journal): Promise<void> {
    const counts = await events.counts();
    const now = journalState.value;
    if (now.waiting !== counts.waiting || now.refused !== counts.refused || now.durable !== events.durable)
      journalState.value = { ...counts, durable: events.durable };
    if (counts.refused !== refused.value.length) refused.value = await events.refused();
  }

  /** The owner supplies the line and sends the journal; a mirror does neither. */
  function roleChanged(phone: SharedPhone, events: Journal): void {
    const owned = phone.owned();
    if (owned === null) {
      keeper?.stop();
      publishing?.stop();
      keeper = null;
      publishing = null;
      credential.value = null;
      return;
    }
    publishing ??= startPublishing({ journal: events, live: relay.live, clock });
    if (keeper !== null) return;
    keeper = createCredentialKeeper({
      fetch: relay.credentials,
      apply: (credentials, first) => supply(owned, credentials, first),
      trouble: (trouble) => {
        credential.value = trouble;
        if (trouble?.code === 'credential.revoked') revoke(trouble.message, phone);
      },
      clock,
      random,
    });
    keeper.start();
  }

  function supply(owned: OwnedPhone, { sip, iceServers }: Credentials, first: boolean): void {
    const servers = iceServers.map(({ urls, username, credential: secret }) => ({
      urls,
      ...(username === undefined ? {} : { username }),
      ...(secret === undefined ? {} : { credential: secret }),
    }));
    if (!first) return owned.renew(sip, servers);
    if (profile.value === null) return;
    owned.setAccount(accountOf(profile.value, options.device), sip, servers);
    void owned.send({ type: 'line.connect' });
  }

  let lineStatus = 'offline';
  function lineChanged(status: string): void {
    if (status === lineStatus) return;
    lineStatus = status;
    if (status === 'rejected') keeper?.rejected();
    if (status === 'ready') keeper?.accepted();
  }

  let grace: unknown = null;
  function relayChanged(status: LiveStatus, model: SoftphoneModel): void {
    if (status === 'joined') {
      if (grace !== null) clock.clearTimeout(grace);
      grace = null;
      relayShown.value = 'joined';
      model.duties.retry();
      keeper?.nudge();
      if (model.history.status.value === 'failed') void model.history.reload();
    } else if (status !== 'closed' && relayShown.value !== 'away') {
      grace ??= clock.setTimeout(() => {
        relayShown.value = 'away';
      }, relayGraceMs);
    }
  }

  function relayEvent(event: WireEvent, model: SoftphoneModel, phone: SharedPhone): void {
    switch (event.name) {
      case 'log.saved':
        if (event.call !== undefined) host.logSaved({ id: event.call }, event.data.logId);
        void model.history.reload();
        return;
      case 'log.failed':
        if (!event.data.retrying) unlogged.value = texts.unloggedAdvice(event.data.reason);
        void model.history.reload();
        return;
      case 'profile.changed':
        void reloadProfile();
        return;
      case 'credential.revoked':
        revoke(event.data.reason, phone);
        return;
      default:
    }
  }

  async function reloadProfile(): Promise<void> {
    try {
      profile.value = await relay.profile();
    } catch {
      // The profile at hand stays good; the relay tells of the next change again.
    }
  }

  function revoke(reason: string, phone: SharedPhone): void {
    revoked.value = reason;
    keeper?.stop();
    keeper = null;
    if (phone.role() === 'owner') void phone.send({ type: 'line.disconnect' });
  }

  function sessionChanged(session: Session | null): void {
    codeNeeded.value = session === null;
    handover.offer(session);
    if (session === null) return;
    relay.live.nudge();
    keeper?.nudge();
  }

  stops.push(
    handover.onOffered((session) => {
      // Another frame signed in while this one asks for a code.
      if (stage.value.kind !== 'code') return;
      relay.adopt(session);
      void enter();
    }),
  );

  return {
    stage,
    troubles,
    refused,
    codeBusy,
    codeProblem,
    start,
    submitCode,
    nudge() {
      wakeRetry?.();
      relay.live.nudge();
      keeper?.nudge();
    },
    async forgetRefused() {
      for (const { envelope } of refused.value) await journal?.forget(envelope.id);
    },
    forgetUnlogged() {
      unlogged.value = null;
    },
    async close() {
      closed = true;
      wakeRetry?.();
      for (const stop of stops) stop();
      keeper?.stop();
      publishing?.stop();
      if (grace !== null) clock.clearTimeout(grace);
      handover.close();
      relay.close();
      host.stop();
      await shared?.close();
      journal?.close();
    },
  };
}

function accountOf({ agent, sip, iceTransportPolicy }: Profile, device: DeviceId): SipAccount {
  return {
    domain: sip.domain,
    servers: sip.servers,
    extension: agent.extension,
    displayName: agent.name,
    registerSeconds: sip.registerSeconds,
    instance: device,
    candidates: sip.candidates,
    iceTransportPolicy,
  };
}

function recordOpened(call: CallId, record: RecordRef, at: number): PhoneEvent {
  return { name: 'record.opened', at, call, data: { record } };
}

function messageOf(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : texts.relayUnreachable;
}

function isRetryable(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'retryable' in error && error.retryable === true;
}

