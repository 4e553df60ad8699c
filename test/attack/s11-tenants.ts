/**
 * S11: tenant isolation. Everybody tries every route there is, with everybody's ids; what comes back is held against the rule of the route and
 * searched for what belongs to the other customer. Live topics are tried the same way.
 */
import { randomUUID } from 'node:crypto';
import type { RelayMessage } from '@patchcord/call-protocol';
import type { Drill, DrillResult } from '../drill.ts';
import { answeredCall, envelopes } from '../unit/server/relay-in-test.ts';
import { accessRules } from './access-rules.ts';
import { seeded } from './card-samples.ts';
import { type Caller, startTwoTenants, type TwoTenants } from './two-tenants.ts';

export const drill: Drill = {
  about: 'tenants and roles: everybody tries every route and live topic with everybody’s ids',
  run: ({ seed, short, say }) => tryEverything({ seed, rounds: short ? 4 : 120, say }),
};

/** @param options.rounds How often each caller tries each route, each time with other ids */
export async function tryEverything(options: {
  readonly seed: number;
  readonly rounds: number;
  readonly say?: (text: string) => void;
}): Promise<DrillResult> {
  const random = seeded(options.seed);
  const stage = await startTwoTenants();
  const found: string[] = [];
  let tried = 0;
  let refusedRightly = 0;
  try {
    const unruled = stage.one.relay.routes
      .map(({ method, path }) => `${method} ${path}`)
      .filter((route) => accessRules[route] === undefined);
    for (const route of unruled) found.push(`${route} has no rule of who may use it`);
    for (let round = 0; round < options.rounds; round += 1) {
      for (const { method, path } of stage.one.relay.routes) {
        for (const caller of stage.callers) {
          // What somebody may do would change the stage for all who come after.
          if (method !== 'GET' && mayUse(caller, `${method} ${path}`)) continue;
          // A stream never ends; the topics are tried below.
          if (path === '/v1/live/events' && mayUse(caller, `${method} ${path}`)) continue;
          tried += 1;
          const address = fill(path, stage, random);
          const response = await caller.ask(method, address, method === 'GET' ? undefined : bodyFor(stage, random));
          const text = await response.text();
          const wrong = judge(caller, `${method} ${path}`, response.status, text, stage);
          if (wrong === null) refusedRightly += response.status >= 400 ? 1 : 0;
          else found.push(`${caller.name} at ${method} ${address}: ${response.status} ${wrong}`);
        }
      }
    }
    const live = await tryLive(stage);
    tried += live.tried;
    found.push(...live.leaks);
  } finally {
    await stage.close();
  }
  for (const one of found.slice(0, 20)) options.say?.(one);
  return {
    passed: found.length === 0 && tried > 0,
    tried,
    succeeded: found.length,
    refused: refusedRightly,
    routes: stage.one.relay.routes.length,
    ...(found[0] === undefined ? {} : { note: found[0] }),
  };
}

function mayUse(caller: Caller, route: string): boolean {
  const rule = accessRules[route];
  const order = ['agent', 'supervisor', 'admin'];
  if (rule === 'everyone' || rule === 'proof' || rule === 'metrics') return rule !== 'proof';
  if (rule === undefined) return false;
  if (caller.role === 'machine') return rule === 'admin';
  return order.indexOf(caller.role) >= order.indexOf(rule);
}

/** What is wrong with this answer; null when nothing is. */
function judge(caller: Caller, route: string, status: number, text: string, stage: TwoTenants): string | null {
  if (status >= 500 && !(status === 503 && / (?:\/t\/:tenant)?\/(?:salesforce|hubspot|page)\/$/.test(route)))
    return 'the relay failed';
  if (!mayUse(caller, route) && status < 400) return 'let in, against the rule of the route';
  const stranger = caller.tenant === 'globex' || (caller.tenant === null && caller.role === 'nobody');
  const leak = stranger
    ? stage.secretsOfAcme.find((secret) => text.includes(secret) && !route.includes(secret))
    : undefined;
  // Who names an id may read it back in a refusal; what belongs to the id is another matter.
  if (leak !== undefined && !(status >= 400 && /^[\w-]{36}$/.test(leak))) return `told of another customer: ${leak}`;
  return null;
}

function fill(path: string, stage: TwoTenants, random: () => number): string {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const filled = path.replace(/:(\w+)/g, (_all, name: string) =>
    encodeURIComponent(
      pick([...(stage.idsOfAcme[name] ?? []), ...(random() < 0.3 ? ['globex', 'globex-agent', randomUUID()] : [])]),
    ),
  );
  const query = pick([
    '',
    '?tenant=acme',
    `?tenant=acme&agent=acme-agent&limit=10`,
    '?number=%2B14155550101',
    '?tenant=globex&tenant=acme',
    '?after=0',
  ]);
  return filled + query;
}

function bodyFor(stage: TwoTenants, random: () => number): unknown {
  const bodies: readonly unknown[] = [
    { tenant: 'acme' },
    { tenant: 'acme', agent: 'acme-agent' },
    { id: `crm.log ${stage.callId}` },
    { reason: 'because' },
    {},
    { tenant: ['acme'], agent: { id: 'acme-agent' } },
  ];
  return bodies[Math.floor(random() * bodies.length)];
}

/** Sockets of the other customer, and of a colleague, while acme has a call: they hear of their own matters only. */
async function tryLive(stage: TwoTenants): Promise<{ readonly tried: number; readonly leaks: readonly string[] }> {
  const leaks: string[] = [];
  const heard = new Map<string, string[]>();
  const strangers = ['globex-agent', 'globex-supervisor', 'globex-admin', 'acme-agent2'];
  const ada = await stage.connect('acme-agent');
  const sockets = await Promise.all(
    strangers.map(async (name) => {
      const panel = await stage.connect(name);
      const messages: string[] = [];
      heard.set(name, messages);
      panel.socket.on('message', (raw) => messages.push(raw.toString()));
      return panel;
    }),
  );
  const streams = new AbortController();
  for (const name of strangers) {
    const caller = stage.callers.find((one) => one.name === name);
    const response = await caller?.ask('GET', '/v1/live/events');
    const reader = response?.body?.getReader();
    const messages = heard.get(name) ?? [];
    streams.signal.addEventListener('abort', () => void reader?.cancel().catch(() => {}));
    const read = async (): Promise<void> => {
      for (;;) {
        const part = await reader?.read();
        if (part === undefined || part.done) return;
        messages.push(Buffer.from(part.value).toString());
      }
    };
    read().catch(() => {});
  }
  // The line of acme-agent: what it keeps and says is told to nobody else, whatever they ask for.
  const kept = `kept-${randomUUID()}`;
  ada.send({ type: 'line.ask', epoch: null, take: false });
  const { epoch } = await ada.next<Extract<RelayMessage, { readonly type: 'line.yours' }>>(
    ({ type }) => type === 'line.yours',
  );
  ada.send({ type: 'line.keep', epoch, kept });
  ada.send({ type: 'frames.say', body: kept });
  for (const panel of sockets) {
    panel.send({ type: 'line.leave', epoch });
    panel.send({ type: 'line.keep', epoch, kept: 'not mine' });
    panel.send({ type: 'line.ask', epoch, take: true });
    await panel.next(({ type }) => type === 'line.yours');
  }
  ada.send({ type: 'frames.say', body: kept });
  ada.send({ type: 'line.ask', epoch, take: false });
  await ada.next((message) => message.type === 'line.yours' && message.epoch === epoch);
  const callId = randomUUID();
  ada.publish(...envelopes(callId, answeredCall));
  await ada.event('log.saved');
  // A call of each stranger's own comes after: when they have heard of it, they have heard of all before.
  for (const [index, panel] of sockets.entries()) {
    const own = randomUUID();
    panel.publish(...envelopes(own, answeredCall));
    await panel.event('log.saved');
    const messages = heard.get(strangers[index] ?? '') ?? [];
    if (messages.some((text) => text.includes(kept)))
      leaks.push(`${strangers[index]} was told of the line of acme-agent`);
    if (messages.some((text) => text.includes(callId))) leaks.push(`${strangers[index]} heard of a call of acme-agent`);
    // A refusal to speak of somebody else's call.
    panel.publish(...envelopes(callId, [{ name: 'wrap-up.submitted', data: { note: 'taken over' } }], 50));
    await panel.next((message) => message.type === 'refused');
  }
  streams.abort();
  for (const panel of [ada, ...sockets]) panel.socket.terminate();
  return { tried: strangers.length * 4, leaks };
}
