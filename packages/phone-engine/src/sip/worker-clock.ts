/**
 * Owns timers that keep time in a tab that nobody looks at. A hidden page's own timers fire once a second, after five minutes once a minute
 * (Chromium), which would find a dead line a minute late and miss a short registration; a worker's are left alone. Every timer is set twice, in the
 * page and in a worker, and the first to fire counts: where a policy forbids the worker or it dies, the page's own timers still do their work.
 * Must never run anything but the timers that were set.
 */
import type { ClockPort } from '../ports.ts';

/** Runs in the worker: `[id, ms]` sets a timer, `[id]` clears it, and its id comes back when it fires. */
const script = `const timers=new Map;onmessage=({data:[id,ms]})=>{clearTimeout(timers.get(id));timers.delete(id);if(ms!==undefined)timers.set(id,setTimeout(()=>{timers.delete(id);postMessage(id)},ms))}`;

interface Timer {
  readonly run: () => void;
  readonly own: ReturnType<typeof setTimeout>;
}

export interface WorkerClock extends ClockPort {
  /** Ends the worker; timers that are set still fire, by the page. */
  close(): void;
}

/** The system's clock. The worker starts with the first timer; the relay's policy for the panel allows it (`worker-src blob:`). */
export function createWorkerClock(): WorkerClock {
  const timers = new Map<number, Timer>();
  let worker: Worker | null | undefined;
  let last = 0;

  const fire = (id: number): void => {
    const timer = timers.get(id);
    if (!timer) return;
    clear(id);
    timer.run();
  };
  const clear = (id: number): void => {
    const timer = timers.get(id);
    if (!timer) return;
    timers.delete(id);
    clearTimeout(timer.own);
    worker?.postMessage([id]);
  };
  const close = (): void => {
    worker?.terminate();
    worker = null;
  };

  return {
    now: () => Date.now(),
    setTimeout(run, ms) {
      const id = ++last;
      worker ??= worker === undefined ? startWorker(fire, close) : null;
      timers.set(id, { run, own: setTimeout(() => fire(id), ms) });
      worker?.postMessage([id, ms]);
      return id;
    },
    clearTimeout: (handle) => clear(handle as number),
    close,
  };
}

function startWorker(fire: (id: number) => void, failed: () => void): Worker | null {
  if (typeof Worker !== 'function' || typeof URL.createObjectURL !== 'function') return null;
  try {
    const worker = new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })));
    worker.onmessage = ({ data }) => fire(data);
    worker.onerror = (event) => {
      event.preventDefault();
      failed();
    };
    return worker;
  } catch {
    return null;
  }
}
