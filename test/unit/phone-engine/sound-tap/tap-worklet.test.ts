/** The script of the audio thread: what goes out of it. What it hears is tried in a browser. */
import { expect, it, vi } from 'vitest';

interface Processor {
  process(inputs: readonly (readonly Float32Array[])[], outputs: readonly (readonly Float32Array[])[]): boolean;
}

it('lets out what nobody can hear, but never nothing at all: a silent context loses the sound card', async () => {
  const registered: (new () => Processor)[] = [];
  vi.stubGlobal('sampleRate', 48_000);
  vi.stubGlobal('currentTime', 0);
  vi.stubGlobal(
    'AudioWorkletProcessor',
    class {
      readonly port = { onmessage: null, postMessage: () => {} };
    },
  );
  vi.stubGlobal('registerProcessor', (_: string, processor: new () => Processor) => registered.push(processor));
  await import('../../../../packages/phone-engine/src/sound-tap/tap-worklet.ts');
  const [Tap] = registered;
  if (Tap === undefined) throw new Error('Nothing was registered.');
  const loud = new Float32Array(128).fill(0.5);
  const out = new Float32Array(128);
  expect(new Tap().process([[loud], []], [[out]])).toBe(true);
  for (const sample of out) {
    expect(sample).not.toBe(0);
    // Less than half a step of 16 bit.
    expect(Math.abs(sample)).toBeLessThan(1 / 65_536);
  }
  vi.unstubAllGlobals();
});
