/**
 * What listening along costs while a call is up: processor time of the page's main thread and of its whole process (the audio thread is in it), with
 * real sound both ways, against the same call alone.
 */
import type { CDPSession } from 'playwright-core';
import { startBrowser } from '../browser/chromium.ts';
import { accountFor, PhoneInBrowser } from '../sip-port/phone-in-browser.ts';
import { ScriptedPbx } from '../sip-port/scripted-pbx.ts';
import { SoundRelay } from '../sip-port/sound-relay.ts';
import { serveTapPage, tapIn } from '../sip-port/tap-in-browser.ts';
import { type Row, toRow } from './measurement.ts';

const spanMs = 10_000;
const settleMs = 2_000;
const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Spent {
  readonly thread: number;
  readonly process: number;
}

/** Milliseconds of processor time a second. */
export async function run(rounds: number): Promise<readonly Row[]> {
  const alone: Spent[] = [];
  const tapped: Spent[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const [without, with_] = await measured();
    alone.push(without);
    tapped.push(with_);
  }
  return (['thread', 'process'] as const).flatMap((what) => {
    const reference = { name: 'call alone', samples: alone.map((it) => it[what]) };
    const title = what === 'thread' ? 'main thread of the page' : 'process of the page';
    const row = (subject: string, samples: readonly number[]) =>
      toRow({ bench: 'tap', case: title, subject, unit: 'CPU ms a second', samples }, reference);
    return [
      row('call alone', reference.samples),
      row(
        'call with the tap on',
        tapped.map((it) => it[what]),
      ),
    ];
  });
}

async function measured(): Promise<readonly [Spent, Spent]> {
  const [browser, server, pbx, relay] = await Promise.all([
    startBrowser(),
    serveTapPage(),
    ScriptedPbx.start(),
    SoundRelay.start(),
  ]);
  try {
    const phone = await PhoneInBrowser.open(await browser.newPage(), server);
    const tap = tapIn(phone.page);
    await tap.bringMicrophone(440);
    await phone.start(accountFor(pbx, '1001'), { username: 'u', password: 'p', expiresAt: 0 });
    await phone.next('sip.registered');
    const { call } = await phone.dial('2001');
    await pbx.far[0].answers();
    const answeredAt = Math.round((await phone.next('sip.answered', call)).at);
    await tap.speak(true);
    const devtools = await browser.context.newCDPSession(phone.page);
    await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
    const alone = await span(devtools);
    await tap.begin(relay.url);
    await tap.calls([{ id: call, phase: 'active', hold: 'off', answeredAt }]);
    const tapped = await span(devtools);
    if (relay.of(call).length < spanMs / 200) throw new Error('The tap did not stream.');
    await tap.stop();
    await phone.stop();
    return [alone, tapped];
  } finally {
    await browser.close();
    await server.close();
    await pbx.close();
    await relay.goAway();
  }
}

async function span(devtools: CDPSession): Promise<Spent> {
  await rest(settleMs);
  const before = await read(devtools);
  await rest(spanMs);
  const after = await read(devtools);
  const perSecond = (name: 'ThreadTime' | 'ProcessTime') =>
    (((after.get(name) ?? Number.NaN) - (before.get(name) ?? Number.NaN)) * 1_000_000) / spanMs;
  return { thread: perSecond('ThreadTime'), process: perSecond('ProcessTime') };
}

async function read(devtools: CDPSession): Promise<ReadonlyMap<string, number>> {
  const { metrics } = (await devtools.send('Performance.getMetrics')) as {
    readonly metrics: readonly { readonly name: string; readonly value: number }[];
  };
  return new Map(metrics.map(({ name, value }) => [name, value]));
}
