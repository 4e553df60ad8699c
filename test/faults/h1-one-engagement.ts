/**
 * H1: agents in HubSpot do everything at once: calls in and out, pages loaded anew, the calling window killed, HubSpot's page answering late, twice,
 * in another order or never, strangers talking. Counts what the portal holds at the end: one engagement a call, with its status and its record.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as rest } from 'node:timers/promises';
import type { CallId, CallLog, CallOutcome } from '@patchcord/call-protocol';
import { startHubSpotSandbox } from '@patchcord/sandbox';
import type { Drill, DrillResult } from '../drill.ts';
import { type RelayInTest, startRelayInTest, testConfig } from '../unit/server/relay-in-test.ts';
import { type BrowserFrame, type FrameLocation, HubSpotBrowser, type PortalSide } from './hubspot-browser.ts';
import { seeded, until } from './office.ts';

/** A desk that has more to tell after this, or a log that waits for longer, never comes to its end. */
const patienceMs = 300_000;

type Sandbox = Awaited<ReturnType<typeof startHubSpotSandbox>>;

/** What the harness knows of a call because it made it. */
interface Truth {
  readonly direction: 'inbound' | 'outbound';
  answered: boolean;
  /** Who must be on the engagement; null: nobody has the number. */
  readonly contact: string | null;
  /** A frame with the call was killed: how it ended is only known to nobody. */
  torn: boolean;
  trace: string[];
}

const layouts = ['window', 'elected', 'widget'] as const;

export const drill: Drill = {
  about:
    '10,000 random interleavings of HubSpot’s messages, the agent’s acts and reloads: exactly one engagement a call, right status, right record',
  async run({ seed, short, say }): Promise<DrillResult> {
    const rounds = short ? 1 : 5;
    const sum = { n: 0, calls: 0, missing: 0, doubled: 0, wrongStatus: 0, wrongRecord: 0, ghosts: 0, lint: 0 };
    let passed = true;
    // A portal of its own for each: the emulator looks through all its calls, and would be slower the longer it goes on.
    for (let round = 0; round < rounds; round += 1) {
      const result = await aRound({ agents: short ? 6 : 24, episodes: short ? 60 : 2_000, seed: seed + round, say });
      passed &&= result.passed;
      for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += result[key];
    }
    return { passed, ...sum };
  },
};

type Round = { readonly passed: boolean } & Readonly<
  Record<'n' | 'calls' | 'missing' | 'doubled' | 'wrongStatus' | 'wrongRecord' | 'ghosts' | 'lint', number>
>;

async function aRound(course: {
  readonly agents: number;
  readonly episodes: number;
  readonly seed: number;
  readonly say: (text: string) => void;
}): Promise<Round> {
  const { agents, episodes, seed, say } = course;
  const office = await openOffice(agents);
  try {
    const truths = new Map<CallId, Truth>();
    let done = 0;
    await Promise.all(
      Array.from({ length: agents }, async (_, index) => {
        const desk = new Desk(office, index, seeded(seed * 1_000 + index), truths);
        for (let episode = index; episode < episodes; episode += agents) {
          await desk.episode();
          done += 1;
          if (done % 500 === 0) say(`${done} interleavings, ${truths.size} calls`);
        }
        await desk.goHome();
      }),
    );
    await office.drained();
    return account(office, truths, episodes, say);
  } finally {
    await office.close();
  }
}

interface Office {
  readonly portal: Sandbox;
  readonly relay: RelayInTest;
  readonly people: readonly { readonly id: string; readonly number: string }[];
  drained(): Promise<void>;
  close(): Promise<void>;
}

async function openOffice(agents: number): Promise<Office> {
  const many = { perTenSeconds: 10_000_000, searchesPerSecond: 1_000_000 };
  const portal = await startHubSpotSandbox({
    panelUrl: 'http://127.0.0.1:1/hubspot/',
    relayUrl: 'http://127.0.0.1:1',
    clientSecret: 'a-client-secret-for-this-test',
    appId: 99,
    rateLimits: many,
    searchDelayMs: 200,
  });
  const people = Array.from({ length: 200 }, (_, n) => {
    const number = `+1415555${String(2_000 + n)}`;
    const { id } = portal.portal.create('contacts', { firstname: 'Person', lastname: `${n}`, phone: number });
    return { id, number };
  });
  const relay = await startRelayInTest(
    testConfig({
      trustProxy: 1,
      tenants: [
        {
          id: 'globex',
          name: 'Globex',
          country: 'US',
          hostOrigins: [new URL(portal.url).origin],
          sip: {
            domain: 'globex.example.com',
            servers: ['wss://sip.example.com'],
            credential: { kind: 'kamailio-ephemeral', secret: 'a-sip-secret-that-only-tests-know-0001' },
          },
          crm: {
            kind: 'hubspot',
            apiUrl: portal.apiUrl,
            portalId: portal.portalId,
            appId: 99,
            clientId: portal.oauth.clientId,
            clientSecret: portal.oauth.clientSecret,
            refreshToken: portal.oauth.refreshToken,
            pageLogGraceMs: 1_000,
            limits: { requests: 1_000_000, perMs: 1_000, searchesPerSecond: 1_000_000, atOnce: 50 },
          },
          agents: Array.from({ length: agents }, (_, index) => ({
            id: `agent-${index}`,
            name: `Agent ${index}`,
            extension: String(1_000 + index),
            crmUserId: String((portal.owners[0]?.userId ?? 1) + index),
          })),
        },
      ],
    }),
    { configuredCrm: true },
  );
  return {
    portal,
    relay,
    people,
    async drained() {
      let quiet = 0;
      const isQuiet = async (): Promise<boolean> => {
        const metrics = await (await relay.fetch('/metrics')).text();
        const waiting = /^patchcord_outbox_effects\{kind="crm\.log",state="waiting"\} (\d+)/m.exec(metrics)?.[1];
        quiet = waiting === undefined || waiting === '0' ? quiet + 1 : 0;
        return quiet >= 40;
      };
      await until('every log is written', isQuiet, patienceMs);
    },
    async close() {
      await relay.closed();
      await portal.close();
    },
  };
}

/** One agent at work. */
class Desk {
  readonly #office: Office;
  readonly #random: () => number;
  readonly #truths: Map<CallId, Truth>;
  readonly #browser: HubSpotBrowser;
  readonly #agent: string;
  readonly #layout: (typeof layouts)[number];
  #clickedAt = 0;
  /** Frames on their way out, and what is loaded in their place. */
  readonly #dying = new Set<Promise<void>>();
  /** What HubSpot's page does to the next answers. */
  #way: 'prompt' | 'never' | 'late' | 'twice' | 'turned' | 'failed' = 'prompt';

  constructor(office: Office, index: number, random: () => number, truths: Map<CallId, Truth>) {
    this.#office = office;
    this.#random = random;
    this.#truths = truths;
    this.#agent = `agent-${index}`;
    this.#layout = layouts[index % layouts.length] ?? 'window';
    this.#browser = new HubSpotBrowser({
      relayUrl: office.relay.relay.url,
      address: `10.9.${Math.floor(index / 250)}.${(index % 250) + 1}`,
      name: `h1-${randomUUID()}`,
      portal: this.#portal(index),
    });
  }

  /** A call, and everything that may come in between. */
  async episode(): Promise<void> {
    const owner = await this.#atWork();
    const inbound = this.#layout !== 'widget' && this.#chance(0.5);
    const known = this.#chance(0.8);
    const person = this.#pick(this.#office.people);
    const number = known ? person.number : `+1628555${String(1_000 + Math.floor(this.#random() * 9_000))}`;
    const contact = known ? person.id : null;
    if (this.#chance(0.4)) this.#way = this.#pick(['never', 'late', 'twice', 'turned', 'failed'] as const);
    if (inbound) {
      const id = owner.sip.invite({ number });
      this.#truths.set(id, { direction: 'inbound', answered: false, contact, torn: false, trace: ['invited'] });
    } else await this.#dial(owner, number, contact);
    const steps = 2 + Math.floor(this.#random() * 8);
    for (let step = 0; step < steps; step += 1) {
      await rest(this.#random() * 12);
      this.#anything();
    }
    await this.#wrapUp();
  }

  /** The day is over: everything open is closed in the way an agent would. */
  async goHome(): Promise<void> {
    this.#way = 'prompt';
    // A kill of the last episode may take the frame that has the line yet.
    while (this.#dying.size > 0) await Promise.all(this.#dying);
    await this.#wrapUp();
    // HubSpot's page may still owe an answer; then what the journal holds is sent, by the frame that has the line.
    await rest(500);
    const isTold = async (): Promise<boolean> => {
      await this.#wrapUp();
      return (await this.#browser.untold()) === 0;
    };
    await until(`${this.#agent} told the relay everything`, isTold, patienceMs);
    for (const frame of [...this.#browser.frames]) {
      await frame.panel.close();
      await frame.kill();
    }
  }

  #portal(index: number): PortalSide {
    const { portal } = this.#office;
    const owner = portal.owners[index % portal.owners.length];
    const usesCallingWindow = this.#layout === 'window';
    return {
      hostUrl: new URL(portal.url).origin,
      portalId: portal.portalId,
      userId: (portal.owners[0]?.userId ?? 1) + index,
      ownerId: Number(owner?.id ?? 1),
      usesCallingWindow,
      liveEngagement: () => Promise.resolve(undefined),
      hear: async (frame, message) => {
        const { toNumber } = (message.data ?? {}) as { toNumber?: unknown };
        const dialled = this.#office.people.find(({ number }) => number === toNumber);
        const answers = ['OUTGOING_CALL_STARTED', 'INCOMING_CALL', 'CALL_COMPLETED'].includes(message.type);
        const way = answers ? this.#way : 'prompt';
        if (answers) this.#way = 'prompt';
        if (way === 'failed') portal.faults.add({ fault: 'host-error', on: message.type, times: 1 });
        const response = await fetch(new URL('/sandbox/host', portal.url), {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({
            page: frame.page,
            user: owner?.userId,
            location: frame.location,
            usesCallingWindow,
            ...(dialled === undefined ? {} : { dialed: { type: 'contacts', id: dialled.id } }),
            message,
          }),
        });
        const heard = (await response.json()) as { replies?: readonly { type: string; data?: unknown }[] };
        return { replies: heard.replies ?? [], way: way === 'failed' ? 'prompt' : way };
      },
    };
  }

  /** There is a frame with the line, and the line is ready. */
  async #atWork(): Promise<BrowserFrame> {
    const wanted: FrameLocation =
      this.#layout === 'window' ? 'window' : this.#layout === 'elected' ? 'remote' : 'widget';
    for (let tries = 0; tries < 400; tries += 1) {
      const frames = [...this.#browser.frames];
      if (!frames.some(({ location }) => location === wanted)) this.#browser.open(wanted);
      if (this.#layout === 'window' && frames.filter(({ location }) => location === 'remote').length < 2)
        this.#browser.open('remote');
      if (this.#layout === 'elected' && frames.length < 3) this.#browser.open('remote');
      for (const { panel } of frames) {
        if (panel.stage.value.kind !== 'code' || panel.codeBusy.value) continue;
        const { code } = await this.#office.relay.relay.createPairingCode('globex', this.#agent);
        await panel.submitCode(code);
      }
      const owner = this.#browser.owner();
      if (owner?.panel.stage.value.kind === 'ready' && owner.phone()?.state().line.status === 'ready') return owner;
      await rest(25);
    }
    const stages = [...this.#browser.frames].map(
      ({ location, panel, phone }) =>
        `${location}: ${JSON.stringify(panel.stage.value).slice(0, 200)} ${phone()?.role() ?? '-'}`,
    );
    throw new Error(`${this.#agent} has no line: ${stages.join(', ')}`);
  }

  async #dial(owner: BrowserFrame, number: string, contact: string | null): Promise<void> {
    this.#meet();
    const dial = {
      type: 'DIAL_NUMBER',
      data: {
        phoneNumber: number,
        objectId: Number(contact ?? 0),
        objectType: 'CONTACT',
        countryCode: 'US',
        startTimestamp: Date.now(),
        ...(contact === null ? {} : { calleeInfo: { calleeId: Number(contact), calleeObjectTypeId: '0-1' } }),
      },
    };
    const others = [...this.#browser.frames].filter(
      (frame) => frame !== owner && frame.panel.stage.value.kind === 'ready',
    );
    const told = this.#chance(0.3) ? [owner, ...others] : [this.#chance(0.3) && others[0] ? others[0] : owner];
    // A second click within two seconds is the same click: an agent who is that fast types.
    if (this.#clickedAt > Date.now() - 2_100 && this.#chance(0.5)) {
      const { stage } = this.#pick([owner, ...others]).panel;
      if (stage.value.kind === 'ready') void stage.value.model.dial(number);
    } else {
      await rest(Math.max(0, this.#clickedAt + 2_100 - Date.now()));
      this.#clickedAt = Date.now();
      for (const frame of told) frame.say(dial);
      if (this.#chance(0.3)) for (const frame of told) frame.say(dial);
    }
    for (let tries = 0; tries < 100 && !this.#meet(); tries += 1) await rest(5);
  }

  /** Takes down calls that show for the first time: what was clicked shows when the machine comes to it. @returns whether there was one */
  #meet(): boolean {
    const fresh = this.#browser.calls().filter((id) => !this.#truths.has(id));
    for (const id of fresh)
      this.#truths.set(id, {
        direction: 'outbound',
        answered: false,
        contact: this.#personOf(id),
        torn: false,
        trace: ['dialled'],
      });
    return fresh.length > 0;
  }

  /** Whose number was dialled: on a busy machine a call of the click before may only show now. */
  #personOf(id: CallId): string | null {
    const calls = [...this.#browser.frames].flatMap((frame) => frame.phone()?.state().calls ?? []);
    const number = calls.find((call) => call.id === id)?.farSide.e164;
    return this.#office.people.find((person) => person.number === number)?.id ?? null;
  }

  /** One thing that happens: at the far side, at the agent's hand, on HubSpot's page, to a frame. */
  #anything(): void {
    const frames = [...this.#browser.frames];
    const any = this.#pick(frames);
    // Nobody is there: the page is being loaded.
    if (any === undefined) return;
    const owner = this.#browser.owner();
    const call = owner
      ?.phone()
      ?.state()
      .calls.find(({ phase }) => phase !== 'ended');
    const truth = call === undefined ? undefined : this.#truths.get(call.id);
    const act =
      (what: string, work: () => void): (() => void) =>
      () => {
        truth?.trace.push(what);
        work();
      };
    const far = (what: string, work: (sip: BrowserFrame['sip'], id: CallId) => void) =>
      act(what, () => {
        if (owner === undefined || call === undefined) return;
        try {
          work(owner.sip, call.id);
        } catch {
          // The call is past that.
        }
      });
    const send = (type: 'call.answer' | 'call.hang-up' | 'call.decline') =>
      act(`${type} by ${any.location}`, () => {
        if (call !== undefined) void any.phone()?.send({ type, call: call.id } as never);
      });
    const kill = (frame: BrowserFrame | undefined, again: boolean) =>
      act(`${frame?.location} ${again ? 'loaded anew' : 'killed'}${frame === owner ? ' (owner)' : ''}`, () => {
        if (frame === undefined) return;
        this.#meet();
        if (frame === owner) for (const { id } of frame.phone()?.state().calls ?? []) this.#tear(id);
        const gone = frame.kill().then(() => {
          if (again) this.#browser.open(frame.location);
          this.#dying.delete(gone);
        });
        this.#dying.add(gone);
      });
    const things: readonly (readonly [number, () => void])[] = [
      [3, far('far side rings', (sip, id) => sip.ring(id))],
      [4, far('far side answers', (sip, id) => sip.answered(id))],
      [2, far('far side hangs up', (sip, id) => sip.end(id))],
      [1, far('far side busy', (sip, id) => sip.end(id, { code: 486, reason: 'Busy Here' }))],
      [5, send('call.answer')],
      [2, send('call.hang-up')],
      [1, send('call.decline')],
      [1, act('END_CALL', () => any.say({ type: 'END_CALL' }))],
      [
        1,
        act('VISIBILITY_CHANGED', () =>
          any.say({ type: 'VISIBILITY_CHANGED', data: { isMinimized: true, isHidden: true } }),
        ),
      ],
      [
        1,
        () =>
          any.post(
            this.#pick([null, 'SYNC', 7, { type: 'ERROR', messageId: 'x' }, { type: 'UNLOADING', messageId: 'y' }]),
          ),
      ],
      [
        1,
        () =>
          any.post(
            { type: 'SYNC', messageId: 'evil', hostUrl: 'https://evil.example' },
            { origin: 'https://evil.example' },
          ),
      ],
      [1, kill(this.#pick(frames.filter((frame) => frame !== owner)) ?? undefined, true)],
      [1, kill(owner, true)],
      [0.5, kill(owner, false)],
    ];
    let at = this.#random() * things.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, work] of things) {
      at -= weight;
      if (at > 0) continue;
      work();
      break;
    }
    this.#note();
  }

  /** What the calls are by now. */
  #note(): void {
    this.#meet();
    for (const frame of this.#browser.frames)
      for (const { id, answeredAt } of frame.phone()?.state().calls ?? []) {
        const truth = this.#truths.get(id);
        if (truth !== undefined && answeredAt !== null) truth.answered = true;
      }
  }

  #tear(id: CallId): void {
    const truth = this.#truths.get(id);
    if (truth !== undefined) truth.torn = true;
  }

  /** Every call is ended and its wrap-up submitted. */
  async #wrapUp(): Promise<void> {
    for (let tries = 0; tries < 400; tries += 1) {
      const owner = await this.#atWork();
      this.#note();
      const calls = owner.phone()?.state().calls ?? [];
      if (calls.length === 0) return;
      for (const { id, phase } of calls) {
        if (phase === 'ended') await owner.phone()?.send({ type: 'call.submit-wrap-up', call: id });
        else
          await owner
            .phone()
            ?.send({ type: phase === 'incoming' ? 'call.decline' : 'call.hang-up', call: id } as never);
      }
      await rest(10);
    }
    throw new Error(`${this.#agent} cannot end a call`);
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)] as T;
  }
}

const statusOf: Readonly<Record<CallOutcome, readonly string[]>> = {
  answered: ['COMPLETED'],
  missed: ['MISSED', 'NO_ANSWER'],
  declined: ['CANCELED'],
  busy: ['BUSY'],
  'no-answer': ['NO_ANSWER'],
  cancelled: ['CANCELED'],
  failed: ['FAILED'],
  'answered-elsewhere': ['CANCELED'],
};

async function account(
  { portal, relay }: Office,
  truths: ReadonlyMap<CallId, Truth>,
  episodes: number,
  say: (text: string) => void,
): Promise<Round> {
  const counts = { missing: 0, doubled: 0, wrongStatus: 0, wrongRecord: 0, ghosts: 0, lint: portal.lint().length };
  const complain = (what: keyof typeof counts, id: string, more: string): void => {
    counts[what] += 1;
    if (counts[what] <= 5)
      say(
        `${what}: ${id} ${more} [${truths.get(id as CallId)?.trace.join(', ') ?? ''}] told: ${told.get(id)?.join(' ')}`,
      );
  };
  for (const finding of portal.lint().slice(0, 5)) {
    const call = /[\w-]{36}/.exec(finding.text)?.[0] ?? '';
    const said = portal.hostMessages().filter(({ message }) => JSON.stringify(message).includes(call));
    const heard = said.map(({ page, message }) => `${page.slice(0, 4)} ${message.type}`).join(', ');
    say(
      `lint: ${finding.rule}: ${finding.text} [${truths.get(call as CallId)?.trace.join(', ') ?? ''}] said: ${heard}`,
    );
  }
  const database = new DatabaseSync(join(relay.folder, 'patchcord.sqlite'), { readOnly: true });
  const logs = new Map(
    database
      .prepare('select call_id, log, log_state, log_reason from calls')
      .all()
      .map((row) => [
        String(row.call_id),
        {
          log: JSON.parse(String(row.log)) as CallLog | null,
          where: `${row.log_state} ${row.log_reason ?? ''}`,
        },
      ]),
  );
  const told = new Map<string, string[]>();
  for (const row of database
    .prepare('select call_id, envelope from events where call_id is not null order by rowid')
    .all()) {
    const { type, data } = JSON.parse(String(row.envelope)) as { type: string; data?: { outcome?: string } };
    const name = type.replace(/^dev\.patchcord\.|\.v1$/g, '');
    told.set(String(row.call_id), [...(told.get(String(row.call_id)) ?? []), `${name}${data?.outcome ?? ''}`]);
  }
  database.close();
  const byCall = new Map<string, string[]>();
  for (const { id, properties } of portal.records.calls) {
    const key = properties.patchcord_call_id || properties.hs_call_external_id || '';
    byCall.set(key, [...(byCall.get(key) ?? []), id]);
  }
  for (const [id, truth] of truths) {
    const found = byCall.get(id) ?? [];
    const { log = null, where = 'unknown to the relay' } = logs.get(id) ?? {};
    if (found.length === 0 && log !== null)
      complain('missing', id, `${truth.direction}, its log: ${where}, ${log.outcome}, ended ${log.endedAt}`);
    if (found.length > 1) complain('doubled', id, found.join(' '));
    const [engagement] = found;
    if (engagement === undefined || found.length > 1) continue;
    const properties = portal.portal.get('calls', engagement)?.properties ?? {};
    const status = properties.hs_call_status ?? '';
    const outcome = log?.outcome ?? null;
    if (
      outcome === null ||
      !statusOf[outcome].includes(status) ||
      (!truth.torn && truth.answered !== (outcome === 'answered'))
    )
      complain('wrongStatus', id, `${status}, ${outcome}, answered: ${truth.answered}`);
    const contacts = portal.records.associations
      .filter((one) => one.fromType === 'calls' && one.fromId === engagement && one.toType === 'contacts')
      .map((one) => one.toId);
    if (truth.contact === null ? contacts.length > 0 : contacts.length !== 1 || contacts[0] !== truth.contact)
      complain('wrongRecord', id, `on ${contacts.join(' ') || 'nobody'}, not on ${truth.contact}`);
  }
  for (const [id, found] of byCall) if (!truths.has(id as CallId)) complain('ghosts', id, found.join(' '));
  const wrong = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return { passed: wrong === 0 && truths.size > episodes * 0.8, n: episodes, calls: truths.size, ...counts };
}
