/** Kamailio and rtpengine with two baresip phones as the telephone system of a chaos run. Owns the way into the laboratory. */
import { spawnSync } from 'node:child_process';
import { type LabTelephony, startLabTelephony } from '../e2e/lab-telephony.ts';
import type { PhoneEvent } from '../sip-lab/far-phone.ts';
import type { ChaosSystem, FarCall } from './system.ts';

/** Runs the same command inside the laboratory's network. @returns its exit code */
export function runInLab(command: readonly string[]): number {
  const args = ['test/sip-lab/run-in-lab.ts', '--', process.execPath, ...command];
  return spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1;
}

export async function labSystem(): Promise<ChaosSystem> {
  const telephony: LabTelephony = await startLabTelephony();
  const { edge, first, second } = telephony;
  const ends = [first, second];
  const endOf = (number: string) => {
    const end = ends.find((it) => it.number === number);
    if (end === undefined) throw new Error(`No phone of the laboratory has the number ${number}.`);
    return end;
  };
  return {
    telephony,
    farEnds: ends,
    joins: false,
    tellsTags: false,
    async ring(from, extension) {
      await telephony.call(endOf(from.number), extension);
    },
    hangUp: (number) => endOf(number).hangUp(),
    calls: (_extension, since) => ends.flatMap(({ number }) => callsOf(number, telephony.phone(number).events, since)),
    async registrations(extension) {
      // Nobody at all is an error there.
      const found = await edge.rpc('ul.lookup', 'location', extension).catch(() => null);
      return JSON.stringify(found).split('"Contact":').length - 1;
    },
    hears: async (number, hz) => telephony.phone(number).heard(500).amplitude(hz) > 0.01,
    cut: () => edge.restartKamailio(),
    async away(ms) {
      await edge.stopKamailio();
      await new Promise((resolve) => setTimeout(resolve, ms));
      await edge.startKamailio();
    },
    close: () => telephony.close(),
  };
}

/** What the phone lived, as calls. */
function callsOf(number: string, events: readonly PhoneEvent[], since: number): readonly FarCall[] {
  const calls: { -readonly [K in keyof FarCall]: FarCall[K] }[] = [];
  for (const { at, kind, detail } of events) {
    if (at < since) continue;
    const last = calls.at(-1);
    if (kind === 'dialing' || kind === 'incoming') {
      const direction = kind === 'dialing' ? 'inbound' : 'outbound';
      calls.push({ number, direction, state: 'ringing', transferred: false, words: 'ringing' });
    } else if (last === undefined) continue;
    else if (kind === 'established') Object.assign(last, { state: 'answered', answeredAt: last.answeredAt ?? at });
    else if (kind === 'closed') Object.assign(last, { state: 'ended', endedAt: at, words: detail || 'closed' });
    else if (kind === 'transfer') last.transferred = true;
  }
  return calls;
}
