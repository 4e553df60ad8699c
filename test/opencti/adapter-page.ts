/**
 * The smallest adapter page around our real panel half: it makes the host, keeps what its listeners hear and lets a test call it. Owns no
 * behaviour of the phone. Long timers are kept back until the test says that the time has passed, so that no test waits for a deadline.
 */
import { createSalesforcePanel } from '../../packages/crm-adapters/src/salesforce/panel.ts';

type Run = () => void;

/** Deadlines are seconds, everything else in the panel half is shorter. */
const longMs = 1_000;
const kept = new Map<number, Run>();
const startTimer = window.setTimeout.bind(window);
const stopTimer = window.clearTimeout.bind(window);
let next = -1;
Object.assign(window, {
  setTimeout: (run: Run, ms = 0) => {
    if (ms < longMs) return startTimer(run, ms);
    kept.set(next, run);
    next -= 1;
    return next + 1;
  },
  clearTimeout: (timer: number) => (kept.delete(timer) ? undefined : stopTimer(timer)),
});

const host = createSalesforcePanel({
  window,
  hostOrigins: [window.location.origin.replace('phone.example.com', 'acme.lightning.force.com')],
  audience: 'https://relay.example.com/?tenant=a&more=b+c',
});
const heard: Record<'dials' | 'shown' | 'commands', unknown[]> = { dials: [], shown: [], commands: [] };
host.onDialRequested((request) => heard.dials.push(request));
host.onRecordShown((record) => heard.shown.push(record));
host.channel?.onCommand((command) => heard.commands.push(command));

let strangers = 0;
window.addEventListener('message', (event) => {
  if (event.origin === 'null') strangers += 1;
});

/** What a call of the host came to, in a form that leaves the page. */
async function attempt(run: () => unknown): Promise<unknown> {
  try {
    return { ok: true, value: await run() };
  } catch (error) {
    const { code, message } = error as { code?: unknown; message?: unknown };
    return { ok: false, code: `${code}`, message: `${message}` };
  }
}

Object.assign(window, {
  adapter: {
    host,
    heard,
    attempt,
    /** Messages from an origin that is no page's. */
    strangers: () => strangers,
    /** All deadlines that are running now have passed. */
    timePasses: () => {
      for (const [timer, run] of [...kept]) if (kept.delete(timer)) run();
    },
  },
});
