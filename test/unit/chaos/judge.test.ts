/** The judge of the chaos run finds each thing that it is there to find. A phone in a few lines stands for the panel, and does one thing wrong. */
import { describe, expect, it } from 'vitest';
import type { Plan } from '../../chaos/plan.ts';
import { Broken, play, type Stand } from '../../chaos/sequence.ts';
import type { FarCall } from '../../chaos/system.ts';

type Wrong =
  | 'nothing'
  | 'loses the call on reload'
  | 'leaves the far end'
  | 'logs nothing'
  | 'logs twice'
  | 'logs other times'
  | 'registers twice'
  | 'is silent'
  | 'never rests';

const farEnd = { number: '+12025550100', toneHz: 600 };
const plan: Plan = {
  index: 0,
  steps: [
    { do: 'dial', hurry: false },
    { fault: 'reload', hurry: false },
    { do: 'note', hurry: false },
  ],
};

function standWith(wrong: Wrong): Stand {
  const calls: { -readonly [K in keyof FarCall]: FarCall[K] }[] = [];
  const logs: ReturnType<Stand['agent']['crm']['calls']>[number][] = [];
  let wrapUp = false;
  const up = () => calls.find(({ state }) => state === 'answered');
  const end = (words: string): void => {
    const call = up();
    if (call === undefined) return;
    Object.assign(call, { state: 'ended', endedAt: Date.now(), words });
    const seconds = wrong === 'logs other times' ? 60 : 0;
    const log = {
      direction: 'outbound',
      from: '101',
      to: call.number,
      seconds,
      result: '',
      text: '',
      record: null,
      owner: '',
    };
    for (let n = wrong === 'logs nothing' ? 0 : wrong === 'logs twice' ? 2 : 1; n > 0; n -= 1)
      logs.push(log as (typeof logs)[number]);
    wrapUp = true;
  };
  const sees = async () => {
    const buttons = wrapUp ? ['Save and finish'] : up() ? ['Hang up', 'Hold', 'Mute'] : ['Call'];
    return { buttons, text: 'PatchcordAvailable' };
  };
  const nothing = async (): Promise<void> => undefined;
  return {
    agent: {
      crm: { extension: '101', calls: () => logs },
      open: nothing,
      close: nothing,
      sees,
      async rests() {
        if (wrong === 'never rests') throw new Error('the phone does not come to rest; it shows: Ending…');
        return await sees();
      },
      async presses(name) {
        if (name === 'Call') {
          const it = {
            number: farEnd.number,
            direction: 'outbound',
            state: 'answered',
            answeredAt: Date.now(),
          } as const;
          calls.push({ ...it, transferred: false, words: '' });
        } else if (name === 'Hang up') {
          if (wrong === 'leaves the far end') wrapUp = true;
          else end('agent');
        } else if (name === 'Save and finish') {
          wrapUp = false;
          if (wrong === 'leaves the far end')
            calls.push(...calls.splice(0).map((it) => ({ ...it, state: 'answered' as const })));
        }
        return true;
      },
      fills: async () => true,
      submits: async () => true,
      hears: async () => wrong !== 'is silent',
      async reload() {
        if (wrong === 'loses the call on reload') end('switch 481');
      },
      killed: nothing,
      otherTab: nothing,
      otherDevice: nothing,
      offline: nothing,
    },
    system: {
      telephony: { domain: '', servers: [], credentialSecret: '', callAgent: nothing },
      farEnds: [farEnd],
      joins: false,
      tellsTags: true,
      ring: nothing,
      hangUp: nothing,
      calls: () => calls,
      registrations: async () => (wrong === 'registers twice' ? 2 : 1),
      hears: async () => true,
      cut: nothing,
      away: nothing,
      close: nothing,
    },
    restartRelay: nothing,
    owed: async () => 0,
    patienceMs: 50,
  };
}

const judged = (wrong: Wrong): Promise<unknown> => play(plan, standWith(wrong), () => farEnd);

describe('the judge of a chaos run', () => {
  it('finds nothing where nothing is wrong, and says what was played', async () => {
    expect(await judged('nothing')).toEqual({ done: ['dial', 'RELOAD', 'note'], calls: 1 });
  });

  it.each<[Wrong, RegExp]>([
    ['loses the call on reload', /the call with \+12025550100 was lost \(switch 481\)/],
    ['leaves the far end', /the agent is done, but \+12025550100 is answered/],
    ['logs nothing', /has no log/],
    ['logs twice', /has 2 logs/],
    ['logs other times', /says 60 s, it was 0\.0 s/],
    ['registers twice', /2 phones are registered/],
    ['is silent', /no sound with \+12025550100: the far end hears us true, we hear it false/],
    ['never rests', /does not come to rest/],
  ])('finds a phone that %s', async (wrong, words) => {
    const found: unknown = await judged(wrong).catch((error: unknown) => error);
    expect(found).toBeInstanceOf(Broken);
    expect(found).toMatchObject({ message: expect.stringMatching(words) });
  });
});
