/**
 * The smallest phone around our real panel half, in the browser: every frame hears every step of every call; the one that has the line tells its
 * host, and so do frames that must keep silent, for the test of it. Timers of a second and more are kept back until the test says so. Owns no
 * behaviour of the panel half.
 */
import { createHubSpotPanel } from '../../packages/crm-adapters/src/hubspot/panel.ts';
import type { HostCall } from '../../packages/crm-adapters/src/panel-contract.ts';

type Step = 'start' | 'answer' | 'transfer' | 'end' | 'complete';
interface Command {
  readonly step: Step;
  readonly call: HostCall;
}

const longMs = 1_000;
const kept = new Map<number, () => void>();
const startTimer = window.setTimeout.bind(window);
const stopTimer = window.clearTimeout.bind(window);
let next = -1;
Object.assign(window, {
  setTimeout: (run: () => void, ms = 0) => {
    if (ms < longMs) return startTimer(run, ms);
    kept.set(next, run);
    next -= 1;
    return next + 1;
  },
  clearTimeout: (timer: number) => (kept.delete(timer) ? undefined : stopTimer(timer)),
});

const heard = {
  dials: [] as unknown[],
  shown: [] as unknown[],
  hangUps: [] as unknown[],
  matches: [] as unknown[],
  logs: [] as unknown[],
  errors: [] as string[],
};
window.addEventListener('error', ({ message }) => heard.errors.push(message));
let strangers = 0;
const hostOrigin = new URLSearchParams(location.search).get('host') ?? '';
window.addEventListener('message', ({ origin }) => {
  if (origin !== hostOrigin) strangers += 1;
});

const host = createHubSpotPanel({ window, hostOrigins: [hostOrigin], audience: 'https://relay.example.com' });
host.onDialRequested((request) => heard.dials.push(request));
host.onRecordShown((record) => heard.shown.push(record));
host.onHangUpRequested(() => heard.hangUps.push('hang up'));
host.onMatchesFound((call, records) => heard.matches.push([call, records]));
host.onLogCreated?.((call, creation) => heard.logs.push([call, creation]));

const frames = new BroadcastChannel('phone');
const calls = new Map<string, Command>();
let role: 'owner' | 'mirror' = 'mirror';

function hear(command: Command): void {
  const { step, call } = command;
  calls.set(call.id, command);
  if (role !== 'owner' && host.holdsLine?.() !== 'never') return;
  if (step === 'start') host.callStarted(call);
  else if (step === 'answer') host.callAnswered(call);
  else if (step === 'transfer') host.callTransferred?.(call);
  else if (step === 'end') host.callEnded(call, 'answered');
  else host.callCompleted(call);
}
frames.addEventListener('message', ({ data }: MessageEvent<Command>) => hear(data));

/** Waits until this frame has the line, where it may; else says at once that it has not. */
function takeLine(): void {
  if (host.holdsLine?.() === 'never') return;
  void navigator.locks.request('line', () => {
    role = 'owner';
    // Until the frame is gone.
    return new Promise<never>(() => {});
  });
}

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
    role: () => role,
    strangers: () => strangers,
    /** A step of a call, from whichever frame the agent uses. */
    step: (step: Step, call: HostCall) => {
      frames.postMessage({ step, call });
      hear({ step, call });
    },
    knows: (call: string) => calls.get(call)?.step ?? null,
    timePasses: () => {
      for (const [timer, run] of [...kept]) if (kept.delete(timer)) run();
    },
  },
});

document.body.innerHTML = '<button id="open-window">Open the calling window</button>';
document.querySelector('#open-window')?.addEventListener('click', () => {
  host.openPhoneWindow?.();
});
void attempt(() => host.start()).then(() => takeLine());
