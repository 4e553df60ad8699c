/** `npm run endurance -- [--json] [--calls N] [--seed N] [--short]`: many calls in one page, and what is left of them. Owns the command line. */
import { parseArgs } from 'node:util';
import { installSystemPackages } from '../../scripts/system-packages.ts';
import { startBrowser } from '../browser/chromium.ts';
import { servePhonePage } from '../sip-port/phone-in-browser.ts';
import { endure } from './endurance.ts';
import { ourTone } from './scenes.ts';

const help = `Usage: npm run endurance -- [--json] [--calls N] [--seed N] [--short]
Makes calls with every feature on the sandbox switch, in one page of Chromium, and counts peer connections, tracks, audio contexts and nodes, players,
listeners and timers back to where they were; the heap after 500 calls may be 10 % larger than after 50.
  --calls  how many (default 500)
  --short  the form that npm test runs: 40 calls, memory not judged
  --seed   repeat a run
  --json   one JSON object on standard output, nothing else`;

process.exit(await main());

async function main(): Promise<number> {
  let values: { json: boolean; short: boolean; help: boolean; seed?: string; calls?: string };
  try {
    ({ values } = parseArgs({
      options: {
        json: { type: 'boolean', default: false },
        short: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        seed: { type: 'string' },
        calls: { type: 'string' },
      },
    }));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${help}`);
    return 2;
  }
  if (values.help) {
    console.log(help);
    return 0;
  }
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  const calls = Number(values.calls ?? (values.short ? 40 : 500));
  if (!Number.isInteger(seed) || !Number.isInteger(calls) || calls < 1) {
    console.error(`--seed and --calls must be whole numbers.\n\n${help}`);
    return 2;
  }
  installSystemPackages(console.error);
  // Compiled code would be a third of the heap, and grows with what is run often: that is no leak.
  const extraArgs = ['--js-flags=--no-opt --no-maglev --no-sparkplug'];
  const [browser, server] = await Promise.all([startBrowser({ toneHz: ourTone, extraArgs }), servePhonePage()]);
  try {
    const result = await endure(browser, server, {
      seed,
      calls,
      short: values.short,
      say: (text) => console.error(text),
    });
    if (values.json) console.log(JSON.stringify({ run: 'endurance', ...result }));
    else {
      for (const failure of result.failures) console.log(`✘ ${failure}`);
      const growth = `heap ${result.heapGrowth < 0 ? '' : '+'}${(result.heapGrowth * 100).toFixed(1)} %`;
      console.log(`${result.calls} calls, ${result.failed} failed, ${growth}, seed ${seed}, ${result.seconds} s`);
    }
    return result.failed === 0 ? 0 : 1;
  } finally {
    await browser.close();
    await server.close();
  }
}
