/**
 * What is watched without knowing that it is: the store, the CRM adapters, the recorder. Owns timing their methods and giving each its span,
 * so that none of them counts or traces by itself. Must never change an argument, an answer or an error.
 */
import { errorCode } from '@patchcord/call-protocol';
import type { CrmRelay } from '@patchcord/crm-adapters/relay';
import type { EventRecorder } from './call-log/record-events.ts';
import type { CredentialIssuer } from './credentials/issuer.ts';
import type { Metrics } from './metrics.ts';
import type { Change, LeasedEffect, Store } from './store/contract.ts';
import { inSpan, noteSpan } from './tracing.ts';

type Method = (...args: never[]) => unknown;
/** Runs one method of what is watched. */
type Around = (method: string, args: readonly unknown[], run: () => Promise<unknown>) => Promise<unknown>;

/** What readiness wants to know of the worker that delivers. */
export interface OutboxWatch {
  /** When it last looked for work, epoch ms; null when it has not yet. */
  lastLookAt: number | null;
}

/** The store with its every method timed; commits and waits in the outbox are spans of their calls. */
export function observedStore(store: Store, metrics: Metrics, watch: OutboxWatch, now: () => number): Store {
  const timed =
    (matter: string): Around =>
    async (method, args, run) => {
      const operation = `${matter}.${method}`;
      const work = () => settled(run, metrics.store.startTimer({ operation }));
      if (operation === 'calls.commit') {
        const callId = (args[0] as Change).calls[0]?.callId;
        return callId === undefined ? work() : inSpan('store commit', { callId }, work);
      }
      if (operation !== 'outbox.claim') return work();
      watch.lastLookAt = now();
      const effects = (await work()) as readonly LeasedEffect[];
      for (const { callId, createdAt, kind, attempts } of effects) {
        const attributes = { 'patchcord.effect': kind, 'patchcord.attempt': attempts };
        if (callId !== null) noteSpan('outbox wait', { callId, attributes }, createdAt, now());
      }
      return effects;
    };
  const matters = Object.entries(store)
    .filter(([, value]) => typeof value === 'object' && value !== null)
    .map(([matter, value]) => [matter, watched(value as object, timed(matter))]);
  return { ...store, ...(Object.fromEntries(matters) as Partial<Store>) };
}

/** A tenant's CRM: every answer counted by what kind it was, every write a span that goes on in the CRM's own. */
export function observedCrm(crm: CrmRelay, tenant: string, metrics: Metrics): CrmRelay {
  const around: Around = (operation, args, run) => {
    const attributes = { 'patchcord.crm': crm.crm, 'patchcord.tenant': tenant };
    const timed = () => settled(run, metrics.crm.startTimer({ crm: crm.crm, operation }));
    return inSpan(`crm ${operation}`, { callId: callIdIn(args[0]), attributes, kind: 'client' }, timed);
  };
  // A link is made up, not asked for.
  return watched(crm, around, new Set(['linkTo']));
}

/** The recorder: what a panel publishes at once is one span, of the first call in it. */
export function observedRecorder(recorder: EventRecorder): EventRecorder {
  const publish = recorder.publish.bind(recorder);
  recorder.publish = (publisher, inputs) =>
    inSpan(
      'events taken',
      {
        callId: callIdIn(inputs.find((input) => callIdIn(input) !== undefined)),
        attributes: { 'patchcord.tenant': publisher.tenant, 'patchcord.events': inputs.length },
      },
      () => publish(publisher, inputs),
    );
  return recorder;
}

/** A PBX driver: every answer of its control port counted. */
export function observedIssuer(issuer: CredentialIssuer, metrics: Pick<Metrics, 'pbx'>): CredentialIssuer {
  return watched(issuer, (operation, _args, run) =>
    settled(run, ({ result }) => metrics.pbx.inc({ pbx: issuer.kind, operation, result })),
  );
}

/** Stands in front of `target`: its methods run inside `around`, but for the synchronous ones; everything else is the target's own. */
function watched<T extends object>(target: T, around: Around, synchronous: ReadonlySet<string> = new Set()): T {
  const inFront = new Map<string, Method>();
  return new Proxy(target, {
    get(_target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function' || typeof name !== 'string') return value;
      if (synchronous.has(name)) return value.bind(target) as Method;
      const known = inFront.get(name);
      if (known !== undefined) return known;
      // Looked up when it is called: what stands in its place then is what runs.
      const method: Method = (...args) =>
        around(name, args, async () => (Reflect.get(target, name, target) as Method).apply(target, args));
      inFront.set(name, method);
      return method;
    },
  });
}

/** Runs, and says in one word how it ended: `ok` or the code of the error. */
async function settled(run: () => Promise<unknown>, stop: (labels: { result: string }) => void): Promise<unknown> {
  try {
    const answer = await run();
    stop({ result: 'ok' });
    return answer;
  } catch (error) {
    stop({ result: errorCode(error) });
    throw error;
  }
}

/** The call something is about: a log, one of several, an envelope. What comes from outside is not followed any deeper. */
function callIdIn(value: unknown): string | undefined {
  const [first] = Array.isArray(value) ? value : [value];
  if (typeof first !== 'object' || first === null) return undefined;
  const { log } = first as { readonly log?: unknown };
  const { callId, subject } = (typeof log === 'object' && log !== null ? log : first) as {
    readonly callId?: unknown;
    readonly subject?: unknown;
  };
  if (typeof callId === 'string') return callId;
  return typeof subject === 'string' ? subject : undefined;
}
