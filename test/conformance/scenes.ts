/**
 * The calls of an office day, on the sandbox switch: each scene begins and ends with a phone that has no call. Owns what happens in a call; must never
 * leave a call behind, on either side, when it went well.
 */
import { type CallId, newCallId } from '@patchcord/call-protocol';
import type { Switch } from '../../sandbox/src/switch/index.ts';
import type { PhoneInBrowser } from '../sip-port/phone-in-browser.ts';
import type { PageCounters } from './counters.ts';

export interface Stage {
  readonly phone: PhoneInBrowser;
  readonly pbx: Switch;
  readonly counters: PageCounters;
}
export interface Scene {
  /** How many calls of the phone it takes. */
  readonly calls: number;
  run(stage: Stage): Promise<void>;
}

export const ourTone = 440;
const person = '+493023125001';
const other = '+493023125002';
const announcement = '+442079460123';
const busy = '+493023125486';
const neverAnswers = '+493023125408';
const patienceMs = 15_000;

/** @throws Error with `what` when it does not become true in time */
async function until(what: string, good: () => boolean | Promise<boolean>, withinMs = patienceMs): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await good())) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function connected({ phone }: Stage, target: string): Promise<CallId> {
  const { call } = await phone.dial(target);
  await phone.next('sip.answered', call, patienceMs);
  return call;
}
async function invited({ phone, pbx }: Stage, number = other) {
  const placed = await pbx.callAgent('1001', { callerNumber: number });
  const { signal } = await phone.next('sip.invited', undefined, patienceMs);
  return { call: signal.call, placed };
}
async function hangUp({ phone }: Stage, call: CallId): Promise<void> {
  await phone.command('hangUp', call);
  await phone.next('sip.ended', call, patienceMs);
}
/** Sound flows both ways: the switch hears the agent's tone, and the page has received something that is not silence. */
async function speaks({ pbx, counters }: Stage, number: string): Promise<void> {
  await until(`${number} hears the agent`, () => pbx.heard(number, 200).levelAt(ourTone) > 0.005);
  const before = await counters.energy();
  await until(`The agent hears ${number}`, async () => (await counters.energy()) > before);
}
async function held({ phone }: Stage, call: CallId): Promise<void> {
  await phone.command('hold', call, true);
  await phone.next('sip.held', call, patienceMs);
}

export const scenes = {
  outbound: {
    calls: 1,
    async run(stage) {
      const call = await connected(stage, person);
      await speaks(stage, person);
      await hangUp(stage, call);
    },
  },
  inbound: {
    calls: 1,
    async run(stage) {
      const { call, placed } = await invited(stage);
      await stage.phone.answer(call);
      await stage.phone.next('sip.answered', call, patienceMs);
      await speaks(stage, other);
      placed.hangUp();
      await stage.phone.next('sip.ended', call, patienceMs);
    },
  },
  hold: {
    calls: 1,
    async run(stage) {
      const call = await connected(stage, person);
      await held(stage, call);
      await stage.phone.command('hold', call, false);
      await stage.phone.next('sip.resumed', call, patienceMs);
      await speaks(stage, person);
      await hangUp(stage, call);
    },
  },
  'held by the far side': {
    calls: 1,
    async run(stage) {
      const call = await connected(stage, person);
      stage.pbx.hold(person, true);
      stage.pbx.hold(person, false);
      await stage.phone.command('mute', call, true);
      await stage.phone.command('mute', call, false);
      await speaks(stage, person);
      await hangUp(stage, call);
    },
  },
  digits: {
    calls: 1,
    async run(stage) {
      const call = await connected(stage, announcement);
      await stage.phone.command('sendDigits', call, '42#');
      await until('The keys arrive', () => stage.pbx.digits(announcement) === '42#');
      await hangUp(stage, call);
    },
  },
  conference: {
    calls: 2,
    async run(stage) {
      const first = await connected(stage, person);
      const second = await connected(stage, other);
      await stage.phone.command('mix', [
        { call: first, silenced: false },
        { call: second, silenced: false },
      ]);
      await until(`${other} hears ${person}`, () => stage.pbx.heard(other, 200).levelAt(600) > 0.005);
      await speaks(stage, person);
      await stage.phone.command('mix', []);
      await hangUp(stage, first);
      await hangUp(stage, second);
    },
  },
  'blind transfer': {
    calls: 1,
    async run(stage) {
      const call = await connected(stage, person);
      await stage.phone.command('transfer', call, other);
      await stage.phone.next('sip.transferred', call, patienceMs);
      await stage.phone.next('sip.ended', call, patienceMs);
      stage.pbx.hangUp(other);
    },
  },
  'attended transfer': {
    calls: 2,
    async run(stage) {
      const call = await connected(stage, person);
      await held(stage, call);
      const consult = await connected(stage, other);
      await stage.phone.command('transferAttended', call, consult);
      await stage.phone.next('sip.transferred', call, patienceMs);
      await stage.phone.next('sip.ended', undefined, patienceMs);
      await stage.phone.next('sip.ended', undefined, patienceMs);
      stage.pbx.hangUp(other);
    },
  },
  park: {
    calls: 2,
    async run(stage) {
      const call = await connected(stage, person);
      await stage.phone.command('transfer', call, '701');
      await stage.phone.next('sip.transferred', call, patienceMs);
      await stage.phone.next('sip.ended', call, patienceMs);
      const back = await connected(stage, '701');
      await speaks(stage, person);
      await hangUp(stage, back);
    },
  },
  pickup: {
    calls: 1,
    async run(stage) {
      const colleague = stage.pbx.colleague('2001');
      colleague.ringFrom(person, 'Erika Sommer');
      const call = newCallId();
      await stage.phone.command('pickUp', call, '2001', '**2001');
      await stage.phone.next('sip.answered', call, patienceMs);
      await hangUp(stage, call);
      colleague.hangUp();
    },
  },
  redirect: {
    calls: 1,
    async run(stage) {
      const { call, placed } = await invited(stage);
      await stage.phone.command('redirect', call, person);
      await stage.phone.next('sip.ended', call, patienceMs);
      placed.hangUp();
    },
  },
  declined: {
    calls: 1,
    async run(stage) {
      const { call } = await invited(stage);
      await stage.phone.command('decline', call, 486);
      await stage.phone.next('sip.ended', call, patienceMs);
    },
  },
  missed: {
    calls: 1,
    async run(stage) {
      const { call, placed } = await invited(stage);
      placed.hangUp();
      await stage.phone.next('sip.ended', call, patienceMs);
    },
  },
  busy: {
    calls: 1,
    async run(stage) {
      const { call } = await stage.phone.dial(busy);
      await stage.phone.next('sip.ended', call, patienceMs);
    },
  },
  cancelled: {
    calls: 1,
    async run(stage) {
      const { call } = await stage.phone.dial(neverAnswers);
      await stage.phone.next('sip.ringing', call, patienceMs);
      await hangUp(stage, call);
    },
  },
} satisfies Record<string, Scene>;
export type SceneName = keyof typeof scenes;
