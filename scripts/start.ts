/**
 * `npm start`: the working phone in both CRM sandboxes, with nothing configured. Prints where to look, opens the first page when there is a
 * desktop, and ends cleanly on Ctrl+C.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { parseArgs } from 'node:util';
import { demoCallers, officeFeatures, startSwitch } from '@patchcord/sandbox';
import { extensions, openStage } from './stage.ts';

const { values } = parseArgs({
  options: {
    'no-open': { type: 'boolean', default: false },
    port: { type: 'string', default: '8080' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'Usage: npm start [-- --port 8080] [-- --no-open]\nStarts the sandbox: relay, panel, two CRM pages, a plain page and a switch on five ports from --port on.',
  );
  process.exit(0);
}
const first = Number(values.port);
if (!Number.isInteger(first) || first < 1 || first > 65_530) {
  console.error(`--port must be a number from 1 to 65530, not "${values.port}".`);
  process.exit(2);
}

const base = await freeRange(first);
const credentialSecret = randomBytes(32).toString('base64url');
const telephone = await startSwitch({
  port: base + 4,
  domain: 'sandbox.patchcord.test',
  credentialSecret,
  callers: demoCallers,
  voicemailAfterMs: 25_000,
  colleaguesStepMs: 7_000,
});
// Somebody has called before: the mailboxes are not empty when they are looked at first.
for (const { robin } of Object.values(extensions))
  telephone.voicemail(robin).leave({ number: '+14155550103', name: 'Mina Sato' }, 600, 4_000);
const stage = await openStage({
  demoCalls: true,
  ports: { relay: base, salesforce: base + 1, hubspot: base + 2, page: base + 3 },
  telephony: {
    domain: telephone.domain,
    servers: [telephone.url],
    features: officeFeatures,
    credentialSecret,
    async callAgent(extension, from) {
      await telephone.callAgent(extension, {
        callerNumber: from.from,
        ...(from.name === undefined ? {} : { callerName: from.name }),
        ringSeconds: 30,
      });
    },
  },
});

console.log(`
  Patchcord sandbox. Everything runs on this machine; the CRM pages are stand-ins and say so.

    Salesforce page   ${stage.salesforce.url}
    HubSpot page      ${stage.hubspot.url}
    Your own page     ${stage.page.url}

  Allow the microphone, then click a number on a record, or press "Call me".
  HubSpot opens a calling window for its calls: click a number there, then "Sign in with HubSpot" in the window.
  Your own page: ${(await stage.relay().createPairingCode('page-sandbox', 'robin')).code} is a pairing code for Robin, good for five minutes.

  Numbers of the house: 2001 to 2004 are colleagues, *97 your mailbox, 700 parks, *43 is an echo, 600 a queue.

  Stop with Ctrl+C.
`);
if (!values['no-open']) openInBrowser(stage.salesforce.url);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void (async () => {
      await stage.close();
      await telephone.close();
      // WebRTC peers that met a vanished browser keep timers; nothing of them is needed any more.
      process.exit(0);
    })();
  });
}

/** The first port from which five in a row are free, so that a second sandbox finds its own. */
async function freeRange(from: number): Promise<number> {
  for (let base = from; base < from + 500; base += 10) {
    const free = await Promise.all([0, 1, 2, 3, 4].map((offset) => isFree(base + offset)));
    if (free.every(Boolean)) return base;
  }
  throw new Error(`No five free ports in a row from ${from} on. Name another start: npm start -- --port 9080`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function openInBrowser(url: string): void {
  const [command, ...args] =
    process.platform === 'darwin'
      ? ['open', url]
      : process.platform === 'win32'
        ? ['cmd', '/c', 'start', '', url]
        : ['xdg-open', url];
  const hasDesktop =
    process.platform !== 'linux' || process.env.DISPLAY !== undefined || process.env.WAYLAND_DISPLAY !== undefined;
  if (!hasDesktop || process.env.CI !== undefined || command === undefined) return;
  const child = spawn(command, args, { stdio: 'ignore', detached: true });
  child.on('error', () => console.log(`Open ${url} in your browser.`));
  child.unref();
}
