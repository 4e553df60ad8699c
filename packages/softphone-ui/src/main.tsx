/**
 * The composition root: reads what the relay wrote on the page, builds the real parts around the host it is given and lets the panel run. Owns
 * which real thing stands behind each port, nothing else. The page says: `data-host-origins`, and `data-relay` when the relay has another
 * origin than the page. Each CRM's own entry is in `entries/`.
 */
import './panel.css';
import type { CreatePanelHost } from '@patchcord/crm-adapters/panel';
import { type ClockPort, createPhone, joinSharedPhone } from '@patchcord/phone-engine';
import { createSound } from '@patchcord/phone-engine/audio';
import { createSipPort, createWorkerClock } from '@patchcord/phone-engine/sip';
import { createMissedMark } from './call-history.ts';
import { createCallerIdMark } from './caller-id.ts';
import { readDevice } from './device.ts';
import { openJournal } from './journal.ts';
import { createForwardingMark } from './kept-forwarding.ts';
import { createLeftNotes } from './left-notes.ts';
import { createLineLease } from './line-lease.ts';
import { watchMicrophonePermission } from './microphone-permission.ts';
import { mountPanel } from './mount-panel.tsx';
import { createPanel, type PanelOptions } from './panel.ts';
import { playerAddress } from './player-address.ts';
import { createRelayClient } from './relay-client.ts';
import { createSealedCalls, sweepSealedCalls } from './sealed-calls.ts';
import { createSessionHandover } from './session-handover.ts';
import { openSessionKey } from './session-key.ts';
import { createSignInWindow } from './sign-in-window.ts';
import { createTicker } from './ticker.ts';

const clock: ClockPort = {
  now: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout> | undefined),
};
const storage = () => localStorage;
const openChannel = (name: string) => new BroadcastChannel(name);

/** Chromium and Safari say who frames us; elsewhere the page that led here does. */
function hostOriginOf(page: Window): string {
  const framing = page.location.ancestorOrigins?.[0];
  if (framing !== undefined) return framing;
  return URL.canParse(page.document.referrer) ? new URL(page.document.referrer).origin : page.location.origin;
}

/** Lets the panel run on this page, inside this host; `forHost` is what only this one needs. */
export function openPanel(createHost: CreatePanelHost, forHost: Pick<PanelOptions, 'startPageLink'> = {}): void {
  const page = document.documentElement.dataset;
  const relayOrigin = (page.relay ?? '') === '' ? location.origin : new URL(page.relay ?? '', location.href).origin;
  const host = createHost({
    window,
    hostOrigins: (page.hostOrigins ?? '').split(/\s+/).filter((origin) => origin !== ''),
    audience: relayOrigin,
  });
  void sweepSealedCalls(clock.now());
  const device = readDevice(storage);
  const sound = createSound(window);
  const relay = createRelayClient({
    origin: relayOrigin,
    device,
    clock,
    fetch: (input, init) => fetch(input, init),
    openSocket: (url) => new WebSocket(url),
    openKey: openSessionKey,
    proveIdentity: () => host.proveIdentity(),
  });
  const panel = createPanel({
    ...forHost,
    host,
    onlyPlays: location.hash.startsWith(playerAddress),
    device,
    clock,
    sound,
    openSignIn: createSignInWindow(window, relayOrigin),
    hostOrigin: hostOriginOf(window),
    relay,
    openHandover: (audience) => createSessionHandover({ openChannel, name: `${host.crm}:${audience}`, clock }),
    sharePhone: (name, sharing) =>
      joinSharedPhone({
        ...sharing,
        name,
        lease: createLineLease({ live: relay.live, device, clock: createWorkerClock() }),
        createOwner: () => createPhone({ sip: createSipPort({ sound }), clock, sound }),
        locks: navigator.locks,
        openChannel,
        page: document,
      }),
    openJournal: (agent) =>
      openJournal({
        name: `patchcord-journal:${agent.tenant}:${agent.id}`,
        source: `/tenants/${agent.tenant}/agents/${agent.id}/devices/${device}`,
        now: () => clock.now(),
      }),
    forwardingMark: (agent) => createForwardingMark(storage, `${agent.tenant}:${agent.id}`),
    callerIdMark: (agent) => createCallerIdMark(storage, `${agent.tenant}:${agent.id}`),
    missedMark: (agent) => createMissedMark(storage, `${agent.tenant}:${agent.id}`),
    sealedCalls: (agent) => createSealedCalls({ name: `${agent.tenant}:${agent.id}`, now: () => clock.now() }),
    leftNotes: (agent) =>
      createLeftNotes(window, () => sessionStorage, `patchcord-left-notes:${agent.tenant}:${agent.id}`),
    microphone: watchMicrophonePermission(document, navigator.permissions),
    ticker: createTicker(document),
    isHidden: () => document.visibilityState === 'hidden',
  });
  mountPanel(findPlace(), panel, { reload: () => location.reload() });
  window.addEventListener('online', () => panel.nudge());
  // No unload handler: it would keep the page out of the back-forward cache. A page that comes back from there has lost line and rank.
  window.addEventListener('pagehide', () => panel.leave());
  window.addEventListener('pageshow', ({ persisted }) => {
    if (persisted) location.reload();
  });
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') panel.nudge();
  });
  void panel.start();
}

function findPlace(): HTMLElement {
  const known = document.getElementById('patchcord');
  if (known !== null) return known;
  const place = document.createElement('div');
  place.id = 'patchcord';
  document.body.append(place);
  return place;
}
