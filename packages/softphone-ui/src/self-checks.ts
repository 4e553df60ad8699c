/**
 * The phone's own half of the self-test: microphone, relay, sign-in, live connection, line. Owns what is looked at and how long; says what was
 * found and what to do. Must never show a token, open the microphone unasked, nor wait without an end.
 */
import { errorCode } from '@patchcord/call-protocol';
import type { PanelHost, SelfCheck, SelfCheckResult } from '@patchcord/crm-adapters/panel';
import type { ClockPort, PhoneState, SoundPort } from '@patchcord/phone-engine';
import type { ReadonlySignal } from '@preact/signals';
import { lentTexts } from './lent-texts.ts';
import type { LiveStatus } from './live-link.ts';
import { heardLevel, type Meter, measureEveryMs, type OpenMeter, openMicrophoneMeter } from './microphone-meter.ts';
import type { MicrophonePermission } from './microphone-permission.ts';
import type { RelayClient } from './relay-client.ts';
import { selfTestTexts } from './self-test-texts.ts';

/** The panel as the self-test sees it, whatever stage it is in. */
export interface SelfTestSubject {
  readonly host: Pick<PanelHost, 'crm' | 'selfChecks'>;
  readonly relay: Pick<RelayClient, 'probe' | 'session' | 'profile'> & {
    readonly live: Pick<RelayClient['live'], 'status' | 'onStatus'>;
  };
  readonly microphone: ReadonlySignal<MicrophonePermission>;
  readonly sound: Pick<SoundPort, 'microphone'> | null;
  /** Absent: the real one. */
  readonly openMeter: OpenMeter | undefined;
  readonly clock: ClockPort;
  /** Why the phone did not start, or null. */
  readonly startProblem: () => string | null;
  /** null before the phone works. */
  readonly phone: () => { readonly state: ReadonlySignal<PhoneState>; readonly held: 'here' | 'elsewhere' } | null;
  /** With which server the line is registered, as far as this frame heard of it. */
  readonly lineServer: () => string | null;
}

const say = selfTestTexts;
const good = (found: string): SelfCheckResult => ({ verdict: 'good', found });
const bad = (found: string, advice: string): SelfCheckResult => ({ verdict: 'bad', found, advice });
const unsure = (found: string, advice: string): SelfCheckResult => ({ verdict: 'unsure', found, advice });

/** The browser may be asking the agent meanwhile. */
const microphoneMs = 30_000;
const listenMs = 5_000;
/** Something that is just connecting gets this long. */
const patienceMs = 6_000;
/** The relay refuses a sign-in from a clock that is off by a minute. */
const clockAdriftMs = 20_000;
const clockAgreesMs = 3_000;

/**
 * Everything that can be looked at, host first, in the order in which one thing needs the other. `listen`: the microphone may be opened; else it
 * is looked at from outside.
 */
export async function selfChecksOf(subject: SelfTestSubject, listen: boolean): Promise<readonly SelfCheck[]> {
  const { host, clock } = subject;
  const ofHost = await (host.selfChecks?.() ?? Promise.resolve([])).catch(() => []);
  return [
    ...ofHost,
    { id: 'microphone', title: lentTexts.microphone, run: () => lookAtMicrophone(subject, listen) },
    { id: 'relay', title: say.relay, run: () => lookAtRelay(subject) },
    { id: 'sign-in', title: say.signIn, run: () => lookAtSignIn(subject) },
    { id: 'live', title: say.live, run: () => lookAtLive(subject.relay.live, clock) },
    { id: 'line', title: say.line, run: () => lookAtLine(subject) },
  ];
}

async function lookAtMicrophone(
  { microphone, sound, openMeter = openMicrophoneMeter, clock, host }: SelfTestSubject,
  listen: boolean,
): Promise<SelfCheckResult> {
  if (microphone.value === 'not-passed-on')
    return bad(
      say.microphonePolicy,
      host.crm === 'salesforce' ? say.microphoneTrustedUrl : lentTexts.microphonePolicyAdvice,
    );
  if (microphone.value === 'refused') return bad(say.microphoneRefused, say.microphoneAllow);
  if (sound === null) return unsure(say.microphoneNone, say.microphonePlug);
  if (!listen) return unsure(say.microphoneUnasked, say.microphoneRun);
  let late = false;
  const opening = sound.microphone();
  opening.then(
    (track) => late && track.stop(),
    () => undefined,
  );
  try {
    const track = await within(clock, microphoneMs, opening);
    if (track === null) {
      late = true;
      return unsure(say.microphoneAsking, say.microphoneAllow);
    }
    try {
      const level = await loudest(openMeter(track), clock);
      return level > heardLevel ? good(say.microphoneHeard(level)) : unsure(say.microphoneSilent, say.microphoneSpeak);
    } finally {
      track.stop();
    }
  } catch (error) {
    switch (errorCode(error)) {
      case 'media.denied':
        return bad(say.microphoneRefused, say.microphoneAllow);
      case 'media.no-device':
        return bad(say.microphoneNone, say.microphonePlug);
      default:
        return bad(say.microphoneFailed(wordsOf(error)), lentTexts.soundFailed);
    }
  }
}

/** Listens until a voice is there, or the time is up. */
async function loudest(meter: Meter, clock: ClockPort): Promise<number> {
  let level = 0;
  for (let waited = 0; waited < listenMs && level <= heardLevel; waited += measureEveryMs) {
    await new Promise<void>((resolve) => clock.setTimeout(resolve, measureEveryMs));
    level = Math.max(level, meter.level());
  }
  meter.close();
  return level;
}

async function lookAtRelay({ relay, clock }: SelfTestSubject): Promise<SelfCheckResult> {
  const began = clock.now();
  try {
    const { aheadMs } = await relay.probe();
    const found = say.relayAnswers(clock.now() - began);
    if (aheadMs === null) return good(found);
    const off = Math.abs(aheadMs);
    const words = off < clockAgreesMs ? say.clocksAgree : say.clockOff(Math.round(off / 1_000), aheadMs > 0);
    return off < clockAdriftMs ? good(`${found} ${words}`) : bad(`${found} ${words}`, say.clockAdvice);
  } catch (error) {
    return bad(wordsOf(error), say.relayAdvice);
  }
}

async function lookAtSignIn({ relay, startProblem }: SelfTestSubject): Promise<SelfCheckResult> {
  if (relay.session() === null) return bad(startProblem() ?? say.signedOut, say.signInAdvice);
  try {
    const { agent, tenant } = await relay.profile();
    return good(say.signedIn(agent.name, tenant.name));
  } catch (error) {
    return bad(wordsOf(error), errorCode(error) === 'identity.required' ? say.signInAdvice : say.relayAdvice);
  }
}

async function lookAtLive(live: SelfTestSubject['relay']['live'], clock: ClockPort): Promise<SelfCheckResult> {
  if (live.status() === 'closed') return unsure(say.notYet, say.notYetAdvice);
  const status = await until<LiveStatus>(
    clock,
    (tell) => live.onStatus(tell),
    live.status(),
    (now) => now === 'joined',
  );
  return status === 'joined' ? good(say.liveJoined) : bad(say.liveAway, say.liveAdvice);
}

async function lookAtLine({ phone, lineServer, clock }: SelfTestSubject): Promise<SelfCheckResult> {
  const known = phone();
  if (known === null) return unsure(say.notYet, say.notYetAdvice);
  const { state, held } = known;
  const { line } = await until(
    clock,
    (tell) => state.subscribe(tell),
    state.value,
    ({ line: now }) => now.status === 'ready' || now.status === 'rejected',
  );
  switch (line.status) {
    case 'ready': {
      const server = lineServer();
      if (held === 'elsewhere') return good(say.lineElsewhere);
      return good(server === null ? say.lineReady : say.lineReadyAt(server));
    }
    case 'rejected':
      return bad(line.reason, say.lineRejectedAdvice);
    case 'offline':
      return bad(say.lineOffline, say.lineOfflineAdvice);
    default:
      return bad(line.reason === '' ? lentTexts.lineAwayTitle : line.reason, lentTexts.lineUnreachableAdvice);
  }
}

/** What is told last, at the latest when it is what is wanted. */
function until<T>(
  clock: ClockPort,
  listen: (tell: (value: T) => void) => () => void,
  now: T,
  wanted: (value: T) => boolean,
): Promise<T> {
  if (wanted(now)) return Promise.resolve(now);
  return new Promise((resolve) => {
    let last = now;
    let stop = (): void => undefined;
    const end = (): void => {
      clock.clearTimeout(timer);
      stop();
      resolve(last);
    };
    const timer = clock.setTimeout(end, patienceMs);
    stop = listen((value) => {
      last = value;
      if (wanted(value)) end();
    });
  });
}

/** The answer, or null when it does not come in time. */
async function within<T>(clock: ClockPort, ms: number, answer: Promise<T>): Promise<T | null> {
  let timer: unknown;
  const deadline = new Promise<null>((resolve) => {
    timer = clock.setTimeout(() => resolve(null), ms);
  });
  return await Promise.race([answer, deadline]).finally(() => clock.clearTimeout(timer));
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : say.noReason);
