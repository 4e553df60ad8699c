/**
 * Between the phone and the components of its host's page, over the page's message channel: news go out, wishes come in. Owns what the page may
 * know and do, by the profile's `pageCommands`. Whoever speaks on the channel is unknown: a wish never dials by itself unless the profile
 * allows it, and a page that floods is refused.
 */
import type { PageCall, PageCommand, Profile, WireEvent } from '@patchcord/call-protocol';
import type { DialRequest, PageChannel } from '@patchcord/crm-adapters/panel';
import type { CallState, ClockPort, Command, SharedPhone } from '@patchcord/phone-engine';
import type { Granted } from './dialling.ts';
import { hostState } from './host-bridge.ts';
import type { Numbers } from './numbers.ts';
import { isRecord } from './record-evidence.ts';
import { nameOfCall } from './softphone-model.ts';
import { texts } from './texts.ts';

export interface PageLinkOptions {
  readonly channel: PageChannel;
  readonly phone: Pick<SharedPhone, 'state' | 'onState' | 'send'>;
  readonly profile: () => Profile;
  readonly numbers: () => Numbers;
  /** Dials as a click on the page does; `ask`: only puts the number before the agent. */
  readonly dial: (request: DialRequest, ask: boolean) => Promise<Granted>;
  readonly clock: ClockPort;
}

export interface PageLink {
  /** A line of a transcript, or a phrase that was heard in it, came from the relay. */
  heard(event: WireEvent): void;
  /** The profile changed: what the page may do can have. */
  profileChanged(): void;
  stop(): void;
}

export type StartPageLink = (options: PageLinkOptions) => PageLink;

/** The state is told this often at most, ms. */
const everyMs = 100;
/** More wishes than that within the time are no person's. */
const mostCommands = 20;
const floodMs = 10_000;
/** Calls whose transcript is passed on. */
const rememberedCalls = 50;

/** Connects both until `stop`. */
export function startPageLink(options: PageLinkOptions): PageLink {
  const { channel, phone, clock } = options;
  const mine = new Set<string>();
  let commands: readonly number[] = [];
  let told = '';
  let toldAt = Number.NEGATIVE_INFINITY;
  let timer: unknown = null;
  /** Somebody asked for the state, changed or not. */
  let again = false;
  let flooded = false;

  function tellState(): void {
    const state = phone.state();
    const { agent, pageCommands } = options.profile();
    const news = {
      type: 'state',
      phone: hostState(state, options.numbers()).kind,
      available: state.available && state.line.status === 'ready',
      agent: agent.name,
      calls: state.calls.map((call) => pageCall(call, options.numbers())),
      allowed: (['dial', 'answer', 'control'] as const).filter((what) => pageCommands[what] !== 'refuse'),
    } as const;
    const text = JSON.stringify(news);
    if (text === told && !again) return;
    again = false;
    told = text;
    toldAt = clock.now();
    channel.publish({ ...news, at: toldAt });
  }

  /** At once when it was quiet, else when the time is up, and then the newest. */
  function changed(): void {
    for (const { id } of phone.state().calls) mine.add(id);
    while (mine.size > rememberedCalls) mine.delete([...mine][0] ?? '');
    if (timer !== null) return;
    const wait = toldAt + everyMs - clock.now();
    if (wait <= 0) {
      tellState();
      return;
    }
    timer = clock.setTimeout(() => {
      timer = null;
      tellState();
    }, wait);
  }

  function isFlood(): boolean {
    const now = clock.now();
    commands = commands.filter((at) => now - at < floodMs);
    if (commands.length >= mostCommands) return true;
    commands = [...commands, now];
    return false;
  }

  /** What becomes of a wish; null: nothing is said, because the page floods and has been told so. */
  async function grant(command: PageCommand): Promise<Granted | null> {
    if (command.command === 'sync') {
      again = true;
      changed();
      return granted;
    }
    const refusedBefore = flooded;
    flooded = isFlood();
    if (flooded) return refusedBefore ? null : refused(texts.pageFloods);
    const { pageCommands } = options.profile();
    switch (command.command) {
      case 'dial':
        if (pageCommands.dial === 'refuse') return refused(texts.pageMayNot);
        return options.dial(dialRequest(command, options.profile()), pageCommands.dial === 'ask');
      case 'answer':
      // It opens the microphone as well.
      case 'unmute':
        if (pageCommands.answer === 'refuse') return refused(texts.pageMayNot);
        break;
      default:
        if (pageCommands.control === 'refuse') return refused(texts.pageMayNot);
    }
    const call = phone.state().calls.find(({ id }) => id === command.call);
    if (call === undefined) return refused(texts.pageCallUnknown);
    const result = await phone.send(phoneCommand(command, call));
    return result.ok ? granted : refused(result.reason);
  }

  const stops = [
    phone.onState(changed),
    channel.onCommand((command) => {
      void grant(command).then((result) => {
        if (result !== null) channel.publish({ type: 'result', id: command.id, ...result });
      });
    }),
  ];
  changed();

  return {
    heard(event) {
      const { call } = event;
      if (call === undefined || !mine.has(call)) return;
      if (event.name === 'transcript.partial' || event.name === 'transcript.final')
        channel.publish({ type: 'transcript', call, ...event.data });
      if (event.name === 'phrase.spotted') channel.publish({ type: 'phrase', call, ...event.data });
    },
    profileChanged: changed,
    stop() {
      for (const stop of stops) stop();
      if (timer !== null) clock.clearTimeout(timer);
    },
  };
}

const granted: Granted = { ok: true, reason: '' };
const refused = (reason: string): Granted => ({ ok: false, reason });

/** The record is of the same CRM as the page; a wish names no other. */
function dialRequest(
  { number, recordId = '', object = '', name }: Extract<PageCommand, { command: 'dial' }>,
  { tenant }: Profile,
): DialRequest {
  // A record that can't be one would keep the call out of the CRM.
  if (!/^\w{1,18}$/.test(recordId) || !/^\w{1,80}$/.test(object)) return { number };
  return { number, record: { crm: tenant.crm, object, id: recordId, ...(name ? { name } : {}) } };
}

type CallCommand = Exclude<PageCommand, { command: 'sync' | 'dial' }>;

function phoneCommand({ command }: CallCommand, { id: call }: CallState): Command {
  switch (command) {
    case 'mute':
    case 'unmute':
      return { type: 'call.mute', call, muted: command === 'mute' };
    case 'answer':
    case 'hold':
    case 'resume':
    case 'hang-up':
      return { type: `call.${command}`, call };
  }
}

/** One call as the page may know it. */
function pageCall(call: CallState, numbers: Numbers): PageCall {
  return {
    id: call.id,
    direction: call.direction,
    phase: call.phase,
    number: call.farSide.e164 ?? numbers.toE164(call.farSide.number) ?? call.farSide.number,
    name: nameOfCall(call, numbers),
    recordId: call.record?.id ?? '',
    object: call.record?.object ?? '',
    startedAt: call.startedAt,
    answeredAt: call.answeredAt ?? 0,
    endedAt: call.endedAt ?? 0,
    held: call.hold === 'on' || call.hold === 'placing',
    muted: call.muted,
    matches: call.record === null ? call.matches.filter(isRecord).length : 0,
  };
}
