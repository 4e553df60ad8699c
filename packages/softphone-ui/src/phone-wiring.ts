/**
 * What holds a working phone together: its events go to the journal and on to the relay, its line is supplied with credentials, the host
 * hears of it, the relay's news reach it. Owns what the panel knows about its surroundings (`Conditions`). Must never hold a credential
 * longer than handing it on.
 */
import type {
  Agent,
  CallId,
  Credentials,
  DeviceId,
  PhoneEvent,
  Profile,
  RecordRef,
  Session,
  WireEvent,
} from '@patchcord/call-protocol';
import type { LogCreation, PanelHost } from '@patchcord/crm-adapters/panel';
import type { ClockPort, HandedOver, OwnedPhone, SharedPhone, SoundPort } from '@patchcord/phone-engine';
import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { type CredentialKeeper, type CredentialTrouble, createCredentialKeeper } from './credential-keeper.ts';
import { createDialAsked } from './dial-asked.ts';
import { startHostBridge } from './host-bridge.ts';
import type { Journal, RefusedEvent } from './journal.ts';
import { createKeeping } from './keeping.ts';
import { type ForwardingMark, keepForwarding } from './kept-forwarding.ts';
import { watchOwnCalls } from './left-calls.ts';
import type { LiveStatus } from './live-link.ts';
import type { MicrophonePermission } from './microphone-permission.ts';
import type { PageLink, StartPageLink } from './page-link.ts';
import { accountOf, rulesOf, watchingOf } from './phone-setup.ts';
import { type Publishing, startPublishing } from './publishing.ts';
import type { RelayClient } from './relay-client.ts';
import type { SealedCalls } from './sealed-calls.ts';
import type { SessionHandover } from './session-handover.ts';
import type { SoftphoneModel } from './softphone-model.ts';
import { texts } from './texts.ts';
import { type Trouble, troublesOf } from './troubles.ts';

export interface PhoneWiring {
  readonly troubles: ReadonlySignal<readonly Trouble[]>;
  /** The network is back: what waits for its next attempt makes it now. */
  nudge(): void;
  /**
   * The page goes, or is put aside. Whoever answered a call that this phone is still placing would answer nobody: it is taken back. Of the others
   * nothing is said to the network: the next page takes them up.
   */
  leave(): void;
  /** The agent has read about the refused events. */
  forgetRefused(): Promise<void>;
  forgetUnlogged(): void;
  /** This frame gave the phone away: what the next owner must know is written down, and returned for the relay. */
  handedOver(handed: HandedOver): Promise<string | null>;
  /** What the owner before left is being taken up; null where this frame is no owner. */
  takingUp(): Promise<void> | null;
  stop(): void;
}

export interface PhoneWiringOptions {
  readonly phone: SharedPhone;
  readonly model: SoftphoneModel;
  readonly journal: Journal;
  readonly relay: RelayClient;
  readonly handover: SessionHandover;
  readonly sealedCalls: SealedCalls;
  /** Asked for before this frame knew whether it owns: the keeper's first, where it is used at all. */
  readonly firstCredentials?: Promise<Credentials | null> | null;
  /** Where the agent's forwarding is kept over a reload; null: nowhere. */
  readonly forwarding: ForwardingMark | null;
  readonly host: PanelHost;
  /** Absent: pages of this host have no message channel. */
  readonly startPageLink?: StartPageLink;
  readonly device: DeviceId;
  readonly profile: Signal<Profile>;
  readonly microphone: ReadonlySignal<MicrophonePermission>;
  readonly sound: SoundPort | null;
  readonly clock: ClockPort;
  readonly random: () => number;
  /** Nobody can see this page. Absent: it is always seen. */
  readonly isHidden?: () => boolean;
}

/** A relay that comes back this soon is not worth a banner. */
const relayGraceMs = 4_000;
/** The relay has stored the end of a call by then; its history has it. */
const historyDelayMs = 1_500;

/** Wires everything until `stop`. */
export function wirePhone(options: PhoneWiringOptions): PhoneWiring {
  const { phone, model, journal, relay, handover, host, profile, clock } = options;
  const relayShown = signal<LiveStatus>('closed');
  const credential = signal<CredentialTrouble | null>(null);
  const revoked = signal<string | null>(null);
  const codeNeeded = signal(false);
  const stranger = signal<Agent | null>(null);
  const journalState = signal({ waiting: 0, refused: 0, durable: true });
  const refused = signal<readonly RefusedEvent[]>([]);
  const unlogged = signal<string | null>(null);
  let keeper: CredentialKeeper | null = null;
  let publishing: Publishing | null = null;
  /** Ends the sending of what an earlier owner in this browser left. */
  let stopRest: (() => void) | null = null;
  let firstCredentials = options.firstCredentials ?? null;
  let stopWatchingCalls: (() => void) | null = null;
  let lineStatus = 'offline';
  let grace: unknown = null;
  let historyTimer: unknown = null;
  let stopped = false;
  let transcribing = false;

  /** To be loaded as soon as somebody can see them: of fifty tabs one asks the relay, not all. */
  const stale = new Set<'history' | 'toCall' | 'voicemail'>();
  function reload(list: 'history' | 'toCall' | 'voicemail'): void {
    if (options.isHidden?.() === true) stale.add(list);
    else void model[list].reload();
  }

  const troubles = computed(() =>
    troublesOf({
      line: model.phone.value.line,
      relay: relayShown.value,
      microphone: options.microphone.value,
      credential: credential.value,
      revoked: revoked.value,
      codeNeeded: codeNeeded.value,
      stranger: stranger.value,
      agent: profile.value.agent,
      window: model.windowNews.value,
      journal: journalState.value,
      refused: refused.value,
      unlogged: unlogged.value,
    }),
  );

  async function readJournal(): Promise<void> {
    const counts = await journal.counts();
    const now = journalState.value;
    if (now.waiting !== counts.waiting || now.refused !== counts.refused || now.durable !== journal.durable)
      journalState.value = { ...counts, durable: journal.durable };
    if (counts.refused !== refused.value.length) refused.value = await journal.refused();
  }

  /** The owner supplies the line and sends the journal; a mirror does neither. */
  function roleChanged(): void {
    const owned = phone.owned();
    stopRest?.();
    if (owned === null) {
      keeper?.stop();
      publishing?.stop();
      keeper = null;
      publishing = null;
      if (phone.role() === 'mirror' && phone.isHead()) sendRest();
      stopWatchingCalls?.();
      stopWatchingCalls = null;
      keeping.letGo();
      credential.value = null;
      return;
    }
    const taking = keeping.takeUp(owned);
    if (publishing === null) {
      stopWatchingCalls = watchOwnCalls(phone, journal, clock, () => keeping.seen(false));
      publishing = startPublishing({ journal, live: relay.live, clock });
    }
    if (keeper !== null || revoked.value !== null) return;
    keeper = createCredentialKeeper({
      async fetch() {
        const first = firstCredentials;
        firstCredentials = null;
        return (await first) ?? (await relay.credentials());
      },
      // The line finds its calls there.
      apply: (credentials, first) =>
        void taking.then(() => {
          if (phone.owned() === owned && !stopped) supply(owned, credentials, first);
        }),
      trouble: (trouble) => {
        credential.value = trouble;
        if (trouble?.code === 'credential.revoked') revoke(trouble.message);
      },
      clock,
      random: options.random,
    });
    keeper.start();
  }

  /** The owner is on another device, with a journal of its own: what is left in this one nobody else sends. */
  function sendRest(): void {
    let sending: Publishing | null = null;
    async function look(): Promise<void> {
      const { waiting } = await journal.counts();
      if (stopRest !== stop) return;
      if (waiting === 0) stop();
      else sending ??= startPublishing({ journal, live: relay.live, clock });
    }
    const stopLooking = journal.onChanged(() => void look());
    function stop(): void {
      stopLooking();
      sending?.stop();
      stopRest = null;
    }
    stopRest = stop;
    void look();
  }

  function supply(owned: OwnedPhone, { sip, iceServers }: Credentials, first: boolean): void {
    const servers = iceServers.map(({ urls, username, credential: secret }) => ({
      urls,
      ...(username === undefined ? {} : { username }),
      ...(secret === undefined ? {} : { credential: secret }),
    }));
    if (!first) {
      owned.renew(sip, servers);
      return;
    }
    setUp(owned);
    owned.setAccount(accountOf(profile.value, options.device, sip.user), sip, servers);
    void owned.send({ type: 'line.connect' });
  }

  /** What may change while the line is up; the account waits for the next sign-in. */
  function setUp(owned: OwnedPhone): void {
    owned.setRules(rulesOf(profile.value));
    owned.watch(watchingOf(profile.value));
  }

  function lineChanged(status: string): void {
    if (status === lineStatus) return;
    lineStatus = status;
    if (status === 'rejected') keeper?.rejected();
    if (status === 'ready') keeper?.accepted();
  }

  /** Loaded for the first call; a load that fails is tried again with the next change. */
  function transcribe(): void {
    const { transcription, recording } = profile.value;
    if (transcribing || phone.state().calls.length === 0) return;
    if (transcription === 'off' && recording.mode === 'never') return;
    transcribing = true;
    import('./transcription/transcription.tsx').then(
      ({ startTranscription }) => {
        if (!stopped) stops.push(startTranscription(options));
      },
      () => {
        transcribing = false;
      },
    );
  }

  function stopGrace(): void {
    if (grace !== null) clock.clearTimeout(grace);
    grace = null;
  }

  function relayChanged(status: LiveStatus): void {
    if (status === 'joined') {
      stopGrace();
      relayShown.value = 'joined';
      model.duties.retry();
      reload('toCall');
      reload('voicemail');
      keeper?.nudge();
      if (model.history.status.value === 'failed') reload('history');
    } else if (status !== 'closed' && relayShown.value !== 'away') {
      grace ??= clock.setTimeout(() => {
        relayShown.value = 'away';
      }, relayGraceMs);
    }
  }

  function relayEvent(event: WireEvent): void {
    pageLink?.heard(event);
    switch (event.name) {
      case 'log.saved':
        if (event.call !== undefined) host.logSaved({ id: event.call }, event.data.logId);
        reload('history');
        return;
      case 'log.failed':
        if (!event.data.retrying) unlogged.value = texts.unloggedAdvice(event.data.reason);
        reload('history');
        return;
      case 'dial.asked':
        dialAsked(event.data);
        return;
      case 'to-call.changed':
        reload('toCall');
        return;
      case 'voicemail.received':
        model.notify('info', texts.newVoicemail(model.numbers.value.nameOf(event.data.from)));
        reload('voicemail');
        return;
      case 'voicemail.changed':
        reload('voicemail');
        return;
      case 'profile.changed':
        void reloadProfile();
        return;
      case 'credential.revoked':
        revoke(event.data.reason);
        return;
      default:
    }
  }

  async function reloadProfile(): Promise<void> {
    try {
      profile.value = await relay.profile();
      pageLink?.profileChanged();
      reload('voicemail');
      const owned = phone.owned();
      if (owned !== null) setUp(owned);
    } catch {
      // The profile at hand stays good; the relay tells of the next change again.
    }
  }

  function revoke(reason: string): void {
    revoked.value = reason;
    keeping.end();
    keeper?.stop();
    keeper = null;
    if (phone.role() === 'owner') void phone.send({ type: 'line.disconnect' });
  }

  function sessionChanged(session: Session | null): void {
    codeNeeded.value = session === null;
    handover.offer(session);
    if (session === null) return;
    stranger.value = null;
    relay.live.nudge();
    keeper?.nudge();
  }

  function reloadHistorySoon(ended: number): void {
    if (ended === 0 || stopped) return;
    clock.clearTimeout(historyTimer);
    historyTimer = clock.setTimeout(() => reload('history'), historyDelayMs);
  }

  function phoneEvent(event: PhoneEvent): void {
    void journal.append(event);
    if (event.name === 'call.ended') reloadHistorySoon(1);
    keeping.happened(event);
  }

  const dialAsked = createDialAsked({ phone, claim: relay.claimDial, dial: model.dialFromHost, clock });

  function logMade(call: CallId, creation: LogCreation): void {
    const at = clock.now();
    if ('logId' in creation)
      void journal.append({ name: 'log.created', at, call, data: { logId: creation.logId.slice(0, 80) } });
    else {
      const data = { reason: creation.reason.slice(0, 500), certain: creation.certain };
      void journal.append({ name: 'log.not-created', at, call, data });
    }
  }

  const pageLink: PageLink | null =
    host.channel === undefined || options.startPageLink === undefined
      ? null
      : options.startPageLink({
          channel: host.channel,
          phone,
          profile: () => profile.value,
          numbers: () => model.numbers.value,
          dial: model.dialFromHost,
          clock,
        });

  const keeping = createKeeping({
    device: options.device,
    phone,
    journal,
    clock,
    sealed: options.sealedCalls,
    takeOver: (calls, resumable) => bridge.takeOver(calls, resumable),
    keep: () => bridge.keep(),
    ended: reloadHistorySoon,
    notify: model.notify,
  });
  const stopEvents = phone.onEvent(phoneEvent);
  const stopRole = phone.onRole(roleChanged);
  const bridge = startHostBridge({
    host,
    phone,
    numbers: () => model.numbers.value,
    nearNumber: () => profile.value.agent.extension,
    dial: (request) => void model.dialFromHost(request),
    hangUp: () => void model.hangUpForemost(),
    recordShown: model.showRecord,
    matchesFound: model.duties.addFromHost,
    logCreator: relay.logCreator,
    logMade,
    keep: keeping.keep,
  });
  const stops = [
    ...(options.forwarding === null
      ? []
      : [keepForwarding(phone, options.forwarding, () => profile.value.features.forwarding !== null)]),
    stopEvents,
    stopRole,
    bridge.stop,
    phone.onState(({ line }) => {
      lineChanged(line.status);
      transcribe();
    }),
    journal.onChanged(() => void readJournal()),
    relay.live.onStatus(relayChanged),
    relay.live.onEvent(relayEvent),
    relay.onSession(sessionChanged),
    relay.onStranger((agent) => {
      stranger.value = agent;
    }),
    handover.onOffered((session) => {
      // Another frame signed in or renewed: this one need not.
      relay.adopt(session);
    }),
  ];
  handover.offer(relay.session());
  relay.live.open();
  // It was opened while the profile was still on its way.
  if (relay.live.status() === 'joined') relayChanged('joined');
  void readJournal();
  roleChanged();

  return {
    troubles,
    nudge() {
      relay.live.nudge();
      keeper?.nudge();
      for (const list of stale) reload(list);
      if (options.isHidden?.() !== true) stale.clear();
    },
    leave() {
      for (const { id, phase } of phone.owned()?.state().calls ?? [])
        if (phase === 'dialing' || phase === 'ringing') void phone.send({ type: 'call.hang-up', call: id });
      keeping.seen(true);
    },
    async forgetRefused() {
      for (const { envelope } of refused.value) await journal.forget(envelope.id);
    },
    forgetUnlogged() {
      unlogged.value = null;
    },
    handedOver: keeping.handedOver,
    takingUp: keeping.takingUp,
    stop() {
      stopped = true;
      clock.clearTimeout(historyTimer);
      for (const stop of stops) stop();
      pageLink?.stop();
      keeper?.stop();
      publishing?.stop();
      stopRest?.();
      stopWatchingCalls?.();
      keeping.stop();
      stopGrace();
    },
  };
}

/** The event of a record that was brought in front of the agent for a call. */
export function recordOpened(call: CallId, record: RecordRef, at: number): PhoneEvent {
  return { name: 'record.opened', at, call, data: { record } };
}
