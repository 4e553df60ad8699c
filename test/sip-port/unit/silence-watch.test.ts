/** When missing sound is an alarm, and when it is only a far side that says nothing. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SilenceWatch } from '../../../packages/phone-engine/src/sip/silence-watch.ts';
import { FakeClock } from '../../../packages/phone-engine/src/testing/fake-clock.ts';

let clock: FakeClock;
let packets: number;
let flows: boolean;
let expected: boolean;
let alarms: number[];
let watch: SilenceWatch;

beforeEach(() => {
  clock = new FakeClock();
  packets = 0;
  flows = true;
  expected = true;
  alarms = [];
  watch = new SilenceWatch({
    clock,
    received: async () => packets,
    expected: () => expected,
    onSilence: () => alarms.push(clock.now()),
  });
});
afterEach(() => watch.stop());

/** Time passes in steps of a packet's length. */
async function passes(ms: number, flowing = flows): Promise<void> {
  flows = flowing;
  for (let passed = 0; passed < ms; passed += 20) {
    if (flows) packets += 1;
    clock.advance(20);
    // What looks at the packets does so in steps of its own.
    for (let turn = 0; turn < 4; turn += 1) await Promise.resolve();
  }
}
const speaks = (ms: number) => passes(ms, true);
const isSilent = (ms: number) => passes(ms, false);

describe('sound that came steadily and stays away', () => {
  it('is an alarm within a second, once', async () => {
    await speaks(10_000);
    const lastPacketAt = clock.now();
    await isSilent(1_000);
    expect(alarms).toHaveLength(1);
    expect((alarms[0] ?? 0) - lastPacketAt).toBeGreaterThanOrEqual(780);
    await isSilent(600_000);
    expect(alarms).toHaveLength(1);
  });

  it('is one sooner while something else says that the network changed', async () => {
    await speaks(10_000);
    watch.doubt();
    await isSilent(600);
    expect(alarms).toHaveLength(1);
  });

  it('is one again when it came back and went a second time', async () => {
    await speaks(5_000);
    await isSilent(1_000);
    await speaks(60_000);
    await isSilent(1_000);
    expect(alarms).toHaveLength(2);
  });

  it('is one three seconds after a hold, when the sound that was there before does not come back', async () => {
    await speaks(10_000);
    expected = false;
    await isSilent(60_000);
    expected = true;
    await isSilent(4_000);
    expect(alarms).toHaveLength(1);
  });

  it('is one after a sleep, though no timer saw the silence', async () => {
    await speaks(10_000);
    clock.sleep(600_000);
    await isSilent(1_000);
    expect(alarms).toHaveLength(1);
  });
});

describe('what is no alarm', () => {
  it('is a call on hold, whoever holds it, and the first moment after', async () => {
    await speaks(10_000);
    expected = false;
    await isSilent(60_000);
    expected = true;
    await isSilent(2_000);
    expect(alarms).toEqual([]);
    await speaks(3_000);
    await isSilent(1_000);
    expect(alarms).toHaveLength(1);
  });

  it('is a far side that never sent anything', async () => {
    await isSilent(60_000);
    expect(alarms).toEqual([]);
  });

  it('is sound that stutters, or comfort noise every 400 ms', async () => {
    for (let word = 0; word < 50; word += 1) {
      await speaks(20);
      await isSilent(380);
    }
    await speaks(3_000);
    await isSilent(560);
    await speaks(1_000);
    expect(alarms).toEqual([]);
  });

  it('is a look that came late', async () => {
    await speaks(5_000);
    clock.sleep(1_500);
    await speaks(1_000);
    expect(alarms).toEqual([]);
  });

  it('is anything after stop', async () => {
    await speaks(5_000);
    watch.stop();
    await isSilent(10_000);
    expect(alarms).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});

describe('a far side that sends nothing in its pauses', () => {
  it('costs one alarm, and then only for pauses twice as long as any before', async () => {
    for (let sentence = 0; sentence < 20; sentence += 1) {
      await speaks(4_000);
      await isSilent(1_400);
    }
    expect(alarms).toHaveLength(1);
    await speaks(4_000);
    await isSilent(2_600);
    expect(alarms).toHaveLength(1);
    await isSilent(2_000);
    expect(alarms).toHaveLength(2);
  });

  it('is taken for broken as quickly as any other again, after twenty seconds without a pause', async () => {
    await speaks(4_000);
    await isSilent(1_400);
    await speaks(25_000);
    await isSilent(1_000);
    expect(alarms).toHaveLength(2);
  });
});
