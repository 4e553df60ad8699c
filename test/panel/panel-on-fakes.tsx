/**
 * A page with the real panel on fake surroundings: FakeSip, FakeSound, FakeHost, FakeRelay; the journal, locks and channels are the browser's
 * own. Tests drive it by keyboard from outside and step on the pedals through `window.lab`.
 */
import '../../packages/softphone-ui/src/panel.css';
import { type CallId, type Party, RecordingModeSchema } from '@patchcord/call-protocol';
import { type ClockPort, createPhone, joinSharedPhone } from '@patchcord/phone-engine';
import { createSound } from '@patchcord/phone-engine/audio';
import { FakeLeases, FakeSip, FakeSound } from '@patchcord/phone-engine/testing';
import { signal } from '@preact/signals';
import * as v from 'valibot';
import { createMissedMark } from '../../packages/softphone-ui/src/call-history.ts';
import { createCallerIdMark } from '../../packages/softphone-ui/src/caller-id.ts';
import { readDevice } from '../../packages/softphone-ui/src/device.ts';
import { openJournal } from '../../packages/softphone-ui/src/journal.ts';
import { createLeftNotes } from '../../packages/softphone-ui/src/left-notes.ts';
import {
  type MicrophonePermission,
  watchMicrophonePermission,
} from '../../packages/softphone-ui/src/microphone-permission.ts';
import { mountPanel } from '../../packages/softphone-ui/src/mount-panel.tsx';
import { createPanel } from '../../packages/softphone-ui/src/panel.ts';
import { playerAddress } from '../../packages/softphone-ui/src/player-address.ts';
import { createRelayClient } from '../../packages/softphone-ui/src/relay-client.ts';
import { createSealedCalls } from '../../packages/softphone-ui/src/sealed-calls.ts';
import { createSessionHandover } from '../../packages/softphone-ui/src/session-handover.ts';
import { createTicker } from '../../packages/softphone-ui/src/ticker.ts';
import { FakeHost } from './fake-host.ts';
import { FakeRelay, fakeSessionKey } from './fake-relay.ts';
import {
  ada,
  mailboxFeatures,
  messagesFor,
  officeFeatures,
  profile,
  recentCalls,
  relatedToAda,
  sharers,
} from './sample-profile.ts';

const clock: ClockPort = {
  now: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout> | undefined),
};

const asked = new URLSearchParams(location.search);
const sip = new FakeSip();
// What becomes of calls that the page before left.
const recovers = asked.get('recovers');
if (recovers === 'wait' || recovers === 'refuse') sip.recovers = recovers;
const sound = new FakeSound();
sound.plug(
  [
    { id: 'm1', label: 'Jabra Evolve2 65' },
    { id: 'm2', label: 'Built-in microphone' },
  ],
  [
    { id: 's1', label: 'Jabra Evolve2 65' },
    { id: 's2', label: 'Built-in speakers' },
  ],
);
const host = new FakeHost();
const relay = new FakeRelay({
  profile: {
    ...profile,
    ...(asked.has('office') ? { features: asked.has('mailbox') ? mailboxFeatures : officeFeatures } : {}),
    ...(asked.has('strong-noise') ? { media: { ...profile.media, noiseSuppression: 'rnnoise' as const } } : {}),
    dispositionRequired: asked.has('required'),
    wrapUpSeconds: Number(asked.get('wrap-up') ?? 0),
    transcription: asked.has('transcript') ? 'on' : 'off',
    recording: { ...profile.recording, mode: v.parse(RecordingModeSchema, asked.get('recording') ?? 'never') },
  },
  now: () => Date.now(),
});
relay.matches = [ada, ...sharers];
relay.related = { [ada.record.id]: relatedToAda };
relay.calls = recentCalls(Date.now());
relay.audioUrl = new URL('/message.wav', location.href).href;
if (asked.has('office')) relay.voicemails = messagesFor(Date.now());
const microphone = signal<MicrophonePermission>('allowed');
if (asked.has('code')) host.proof = null;
if (asked.has('remote')) {
  host.line = 'never';
  host.openPhoneWindow = () => window.open('/', 'phone', 'popup,width=360,height=560') !== null;
}
if (asked.has('outside'))
  host.refuseToStart('This page is not inside your CRM. Open the phone from the CRM’s phone bar.');
if (asked.has('away')) relay.away = true;
if (asked.has('halted'))
  relay.failures.set('/v1/sessions', {
    status: 403,
    code: 'identity.refused',
    message: 'Salesforce says you are Maria Santos, but nobody gave her a phone. Ask your admin to add an extension.',
  });

/** The phone is on another computer, which gives it away when it is asked to. */
const leases = new FakeLeases();
if (asked.has('elsewhere')) {
  const desk = leases.device('desk', 'Chrome on Windows');
  const ignore = () => undefined;
  desk.listen({ yours: ignore, elsewhere: () => desk.leave(), free: ignore, said: ignore, away: ignore });
  desk.ask(false);
}

const device = readDevice(() => localStorage);
const panel = createPanel({
  onlyPlays: location.hash.startsWith(playerAddress),
  host,
  device,
  clock,
  sound: asked.has('real-sound') ? createSound(window) : sound,
  relay: createRelayClient({
    origin: location.origin,
    device,
    clock,
    fetch: relay.fetch,
    openSocket: relay.openSocket,
    openKey: () => Promise.resolve(fakeSessionKey),
    proveIdentity: () => host.proveIdentity(),
  }),
  hostOrigin: location.origin,
  openSignIn: () => Promise.resolve({ kind: 'sign-in', claim: relay.claim, verifier: 'verifier' }),
  openHandover: (name) =>
    createSessionHandover({ openChannel: (channel) => new BroadcastChannel(channel), name, clock }),
  sharePhone: (name, sharing) =>
    joinSharedPhone({
      ...sharing,
      name,
      lease: asked.has('elsewhere') ? leases.device('here') : null,
      createOwner: () => createPhone({ sip, clock, sound }),
      locks: navigator.locks,
      openChannel: (channel) => new BroadcastChannel(channel),
      page: document,
    }),
  openJournal: (agent) =>
    openJournal({
      name: `patchcord-journal:${agent.tenant}:${agent.id}`,
      source: `/tenants/${agent.tenant}/agents/${agent.id}/devices/${device}`,
      now: () => clock.now(),
    }),
  sealedCalls: (agent) => createSealedCalls({ name: agent.id, now: () => clock.now() }),
  leftNotes: (agent) => createLeftNotes(window, () => sessionStorage, `left-notes:${agent.id}`),
  callerIdMark: (agent) => createCallerIdMark(() => localStorage, `${agent.tenant}:${agent.id}`),
  missedMark: (agent) => createMissedMark(() => localStorage, `${agent.tenant}:${agent.id}`),
  microphone: asked.has('real-sound') ? watchMicrophonePermission(document, navigator.permissions) : microphone,
  ...(asked.has('real-sound')
    ? {}
    : { openMeter: () => ({ level: () => (asked.has('quiet') ? 3 : 43), close: () => undefined }) }),
  ticker: createTicker(document),
});

const lab = {
  sip,
  sound,
  host,
  relay,
  panel,
  invite: (from?: Party, options?: Parameters<FakeSip['invite']>[1]): CallId => sip.invite(from, options),
  setMicrophone: (permission: MicrophonePermission) => {
    microphone.value = permission;
  },
};
export type Lab = typeof lab;
declare global {
  interface Window {
    lab: Lab;
  }
}
window.lab = lab;

const place = document.getElementById('patchcord');
if (place !== null) mountPanel(place, panel, { reload: () => location.reload() });
window.addEventListener('pagehide', () => panel.leave());
void panel.start();
