/**
 * `npm run torture -- [--json] [--seed N] [--count N] [--from N] [--short]`: sends broken SIP to a registered phone with a call up and counts what
 * breaks. Owns the command line.
 */
import { parseArgs } from 'node:util';
import { installSystemPackages } from '../../scripts/system-packages.ts';
import { startBrowser } from '../browser/chromium.ts';
import { servePhonePage } from '../sip-port/phone-in-browser.ts';
import { torture } from './torture.ts';

const help = `Usage: npm run torture -- [--json] [--seed N] [--count N] [--from N] [--short]
Sends the messages of RFC 4475 and broken copies of everything a phone gets to a registered phone in Chromium that has a call with sound.
  --count  how many messages (default 50000)
  --short  the form that npm test runs: 1000
  --seed   repeat a run
  --from   the first case (default 0): repeat a part of a run
  What fails a run: a crash; no answer to OPTIONS in 10 s; an error nobody handled; 40 s without fresh sound either way; a heap (without the code that
  the browser compiles) that grew by more than a tenth between the 2000th message and the end, each 35 s after the last message (runs below
  5000 count from the 500th and do not wait: 3000 bytes for each message, which SIP transactions hold for half a minute); more than 20 listeners, an open
  peer connection, or more than 5 closed ones still in memory; no call or registration afterwards.
  --json   one JSON object on standard output, nothing else`;

process.exit(await main());

async function main(): Promise<number> {
  let values: { json: boolean; short: boolean; help: boolean; seed?: string; count?: string; from?: string };
  try {
    ({ values } = parseArgs({
      options: {
        json: { type: 'boolean', default: false },
        short: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        seed: { type: 'string' },
        count: { type: 'string' },
        from: { type: 'string' },
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
  const count = Number(values.count ?? (values.short ? 1_000 : 50_000));
  const from = Number(values.from ?? 0);
  if (![seed, count, from].every(Number.isInteger) || count < 1 || from < 0) {
    console.error(`--seed, --count and --from must be whole numbers.\n\n${help}`);
    return 2;
  }
  installSystemPackages(console.error);
  const [browser, server] = await Promise.all([startBrowser({ toneHz: 440 }), servePhonePage()]);
  try {
    const result = await torture(browser, server, { seed, count, from, say: (text) => console.error(text) });
    if (values.json) console.log(JSON.stringify({ run: 'torture', ...result }));
    else {
      for (const { what, messages } of result.failures) {
        console.log(`✘ ${what}`);
        for (const { kind, text } of messages) console.log(`  ${kind}:\n${text}`);
      }
      console.log(`${result.cases} messages, ${result.failed} failed, seed ${seed}, ${result.seconds} s`);
    }
    return result.failed === 0 ? 0 : 1;
  } finally {
    await browser.close();
    await server.close();
  }
}
