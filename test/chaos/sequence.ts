/**
 * Plays one plan with one agent and judges what came of it: every call ended with one log that has the right times, nobody is left at the other end,
 * the phone was never registered twice, and no call was lost that outlives its page. Owns the rules and their words; must not know how a page or a
 * phone system is broken.
 */
import type { CrmPage, LoggedCall } from '../e2e/crm-pages.ts';
import { until } from '../e2e/telephony.ts';
import { type Agent, type Sight, words } from './agent.ts';
import { type Act, type Fault, type Plan, type Step, stepWord } from './plan.ts';
import type { ChaosSystem, FarCall, FarEnd } from './system.ts';

export const agentTone = 440;
/** 64 × T1, and a little. */
const unackedMs = 35_000;

/** A rule that was broken, in words. */
export class Broken extends Error {}

/** What is known of a call that this sequence began. */
interface Known {
  readonly far: FarEnd;
  readonly direction: 'inbound' | 'outbound';
  /** Somebody ended it on purpose, or handed it over: it need not be there any more. */
  let: boolean;
  /** A fault came before both sides had been seen connected: it may have been cancelled or missed with its page. */
  shaken: boolean;
  /** Its page or its connection went while it was being dialled, and nobody may have heard it ring. */
  unheard: boolean;
  /** Placed to ask somebody first: joined with the other it goes up in that one's log. */
  readonly consult?: true;
}

export interface Played {
  /** What was really done: steps that did not fit are left out. */
  readonly done: readonly string[];
  readonly calls: number;
}

export interface Stand {
  readonly agent: Omit<Agent, 'crm'> & { readonly crm: Pick<CrmPage, 'extension' | 'calls'> };
  readonly system: ChaosSystem;
  /** Stops the relay and starts it again. */
  restartRelay(): Promise<void>;
  /** Effects that the relay still owes to the CRM. */
  owed(): Promise<number>;
  /** Longest wait for anything to come right, ms; absent: as long as a busy computer may need. */
  readonly patienceMs?: number;
}

/** Plays it. @throws Broken with the rule that was broken */
export async function play(plan: Plan, stand: Stand, next: () => FarEnd): Promise<Played> {
  const { agent, system } = stand;
  const { extension } = agent.crm;
  const within = (ms: number): number => stand.patienceMs ?? ms;
  const begun = Date.now();
  const logsBefore = agent.crm.calls().length;
  const known: Known[] = [];
  const done: string[] = [];
  const pageFaults = new Set<Fault>(['reload', 'kill', 'other-tab', 'kill-beside-tab', 'other-device']);
  let pageWent = false;
  let muted = false;

  const farCalls = (): readonly FarCall[] => system.calls(extension, begun);
  const farCall = (it: Known): FarCall | undefined => farCalls().findLast(({ number }) => number === it.far.number);
  // One number is one call of a sequence: its log is found by it.
  const targets = new Set<string>();
  const isUsed = ({ number }: FarEnd): boolean => targets.has(number) || known.some(({ far }) => far.number === number);
  const isUp = (it: Known): boolean => farCall(it)?.state === 'answered';
  /** The calls that nobody has let go of. */
  const talking = (): readonly Known[] => known.filter((it) => !it.let && isUp(it));

  await settle();
  let at = 'the end';
  try {
    for (const step of plan.steps) {
      at = stepWord(step);
      const did = 'do' in step ? await act(step.do) : await fault(step.fault);
      if (!did) continue;
      done.push(at);
      if (step.hurry) continue;
      await arrived(step);
      await settle();
    }
    at = 'the end';
    await settle();
    await soundFlows();
    await finish();
  } catch (error) {
    throw error instanceof Broken ? new Broken(`${error.message} (played: ${done.join(' ')}; at ${at})`) : error;
  }
  return { done, calls: known.length };

  async function act(name: Act): Promise<boolean> {
    const { buttons } = await agent.sees();
    const has = (button: string): boolean => buttons.includes(button);
    switch (name) {
      case 'dial': {
        const second = has('New call');
        if (!second && !has('Call')) return false;
        const far = next();
        if (isUsed(far)) return false;
        known.push({ far, direction: 'outbound', let: false, shaken: false, unheard: false });
        const placed = second
          ? (await agent.presses('New call')) &&
            (await agent.fills('Second call', far.number)) &&
            (await agent.submits('Second call', 'Call'))
          : (await agent.fills('Number', far.number)) && (await agent.presses('Call'));
        // On a busy computer a click may count as late and have been one all the same.
        if (!placed && known.every((it) => it.far !== far || farCall(it) === undefined)) {
          known.pop();
          // With a call there, anything may have come between; with none an agent must be able to dial.
          if (known.length === 0)
            throw new Broken(`the agent can’t dial: the panel shows ${words(await agent.sees())}`);
          return false;
        }
        return true;
      }
      case 'ring': {
        if (known.filter((it) => !it.let).length >= 3) return false;
        const far = next();
        if (isUsed(far)) return false;
        try {
          await system.ring(far, extension);
        } catch {
          // Between two lines nobody is registered: the caller hears so, and tries another day.
          return false;
        }
        known.push({ far, direction: 'inbound', let: false, shaken: false, unheard: false });
        return true;
      }
      case 'answer':
        return known.some((it) => farCall(it)?.state === 'ringing') && (await agent.presses(/^Answer/));
      case 'decline': {
        const ringing = known.filter((it) => it.direction === 'inbound' && farCall(it)?.state === 'ringing');
        if (ringing.length !== 1 || !has('Decline') || !(await agent.presses('Decline'))) return false;
        for (const it of ringing) it.let = true;
        return true;
      }
      case 'caller-gives-up': {
        const ringing = known.find((it) => it.direction === 'inbound' && farCall(it)?.state === 'ringing');
        if (ringing === undefined) return false;
        ringing.let = true;
        await system.hangUp(ringing.far.number);
        return true;
      }
      case 'far-hangs-up': {
        const up = known.find(isUp);
        if (up === undefined) return false;
        up.let = true;
        await system.hangUp(up.far.number);
        return true;
      }
      case 'hang-up': {
        // Which of two is hung up depends on what was answered in between, a consult just placed included: with one there is no doubt.
        const up = talking();
        const others = known.some((it) => !it.let && !up.includes(it) && farCall(it)?.state !== 'ended');
        if (up.length !== 1 || others || !has('Hang up')) return false;
        for (const it of up) it.let = true;
        return agent.presses('Hang up');
      }
      case 'transfer': {
        const up = talking();
        if (up.length !== 1 || !has('Transfer')) return false;
        const target = next();
        if (isUsed(target)) return false;
        targets.add(target.number);
        if (!(await agent.presses('Transfer')) || !(await agent.fills('Transfer to', target.number))) return false;
        for (const it of up) it.let = true;
        return agent.presses('Transfer now');
      }
      case 'consult': {
        const up = talking();
        if (!system.joins || up.length !== 1 || !has('Transfer')) return false;
        const far = next();
        if (isUsed(far)) return false;
        known.push({ far, direction: 'outbound', let: false, shaken: false, unheard: false, consult: true });
        const placed =
          (await agent.presses('Transfer')) &&
          (await agent.fills('Transfer to', far.number)) &&
          (await agent.presses('Ask first'));
        if (!placed && known.every((it) => it.far !== far || farCall(it) === undefined)) {
          known.pop();
          return false;
        }
        return true;
      }
      case 'complete': {
        const up = talking();
        if (up.length !== 2 || !has('Complete transfer')) return false;
        for (const it of up) it.let = true;
        return agent.presses('Complete transfer');
      }
      case 'back': {
        const asked = known.find((it) => it.consult === true && !it.let);
        if (asked === undefined || !buttons.some((it) => it.startsWith('Back to '))) return false;
        asked.let = true;
        return agent.presses(/^Back to /);
      }
      case 'note':
        return agent.fills('Note', `Noted in sequence ${plan.index}`);
      case 'swap':
        return buttons.some((it) => it.startsWith('Swap to ')) && agent.presses(/^Swap to /);
      case 'merge':
        return buttons.some((it) => it.startsWith('Bring ')) && agent.presses(/^Bring .* into the call/);
      case 'mute':
      case 'unmute': {
        const name_ = name === 'mute' ? 'Mute' : 'Unmute';
        if (!has(name_) || !(await agent.presses(name_))) return false;
        muted = name === 'mute';
        return true;
      }
      case 'hold':
        return has('Hold') && agent.presses('Hold');
      case 'resume':
        return has('Resume') && agent.presses('Resume');
    }
  }

  async function fault(name: Fault): Promise<boolean> {
    const page = pageFaults.has(name);
    if (page) pageWent = true;
    for (const it of known.filter((one) => !isUp(one))) {
      it.shaken = true;
      it.unheard ||= name !== 'relay' && it.direction === 'outbound';
    }
    switch (name) {
      case 'reload':
        await agent.reload();
        break;
      case 'kill':
        await agent.killed();
        break;
      case 'other-tab':
        await agent.otherTab(false);
        break;
      case 'kill-beside-tab':
        await agent.otherTab(true);
        break;
      case 'other-device':
        await agent.otherDevice();
        break;
      case 'socket':
        await system.cut();
        break;
      case 'server':
        await system.away(800);
        break;
      case 'network':
        await agent.offline(1_200);
        break;
      case 'relay':
        await stand.restartRelay();
        break;
    }
    return true;
  }

  /** What was just asked for has reached the other end: a slow computer shows nothing yet, and looks as if it were at rest. */
  async function arrived(step: Step): Promise<void> {
    const last = known.at(-1);
    if (last === undefined || last.let || !('do' in step) || !['dial', 'ring', 'answer', 'consult'].includes(step.do))
      return;
    const there = (): true | undefined => {
      const state = farCall(last)?.state;
      return state === 'answered' || state === 'ended' || (step.do === 'ring' && state === 'ringing')
        ? true
        : undefined;
    };
    // What does not arrive is judged when all is at rest.
    await until('the call at the far end', there, within(8_000)).catch(() => undefined);
  }

  /** The phone comes to rest, and what should be there is there. */
  async function settle(): Promise<Sight> {
    let sight: Sight;
    try {
      sight = await agent.rests();
    } catch (error) {
      throw new Broken(error instanceof Error ? error.message : String(error));
    }
    // At rest in its one call the phone has heard the answer after all: from here on that call may not be lost.
    const [only, other] = talking();
    if (only !== undefined && other === undefined && sight.buttons.includes('Hang up')) only.unheard = false;
    for (const it of known) {
      const call = farCall(it);
      // What was answered unheard is hung up (docs/adr/0016): nobody talked.
      if (call?.state === 'ended' && call.answeredAt !== undefined && !it.let && !it.unheard && !call.transferred) {
        throw new Broken(`the call with ${it.far.number} was lost (${call.words})`);
      }
      if (call?.state === 'ended' && call.answeredAt === undefined && !it.let && !it.shaken) {
        throw new Broken(`the call with ${it.far.number} did not come up (${call.words})`);
      }
    }
    const registered = await system.registrations(extension);
    if (registered > 1) {
      // A phone that went without a word is dropped as soon as its socket is known to be dead.
      const one = async (): Promise<true | undefined> =>
        (await system.registrations(extension)) <= 1 ? true : undefined;
      await until('one registration', one, within(8_000)).catch(() => {
        throw new Broken(`${registered} phones are registered for one agent`);
      });
    }
    return sight;
  }

  /** Of one call that is up and neither held nor muted both sides are heard. */
  async function soundFlows(): Promise<void> {
    const up = talking();
    const [only] = up;
    const { buttons, text } = await agent.sees();
    if (only === undefined || up.length > 1 || muted || !buttons.includes('Hold') || text.includes('On hold')) return;
    const both = async (): Promise<true | undefined> =>
      (await system.hears(only.far.number, agentTone)) && (await agent.hears(only.far.toneHz)) ? true : undefined;
    await until('sound', both, within(10_000)).catch(async () => {
      const far = await system.hears(only.far.number, agentTone);
      const near = await agent.hears(only.far.toneHz);
      if (isUp(only))
        throw new Broken(`no sound with ${only.far.number}: the far end hears us ${far}, we hear it ${near}`);
    });
  }

  /** Everything is hung up and wrapped up, as an agent does at the end of the day. */
  async function finish(): Promise<void> {
    for (const it of known) {
      if (it.direction === 'inbound' && farCall(it)?.state === 'ringing') {
        it.let = true;
        await system.hangUp(it.far.number);
      }
    }
    for (let turn = 0; turn < 12; turn += 1) {
      const { buttons } = await settle();
      if (buttons.includes('Save and finish')) await agent.presses('Save and finish');
      else if (buttons.includes('Hang up')) {
        for (const it of known) it.let = true;
        await agent.presses('Hang up');
      } else if (buttons.includes('Call')) break;
    }
    const nobody = (): true | undefined => (farCalls().every(({ state }) => state === 'ended') ? true : undefined);
    const unheard = (): boolean =>
      !system.tellsTags && known.every((it) => it.unheard || farCall(it)?.state !== 'answered');
    const ended = until('the end of every call', nobody, within(12_000));
    // Who was called by a page that did not live to hear them ring, and answered before the next one could cancel: behind a proxy, which answers a CANCEL
    // itself, nobody here knows the tag that a BYE would need. They wait for an ACK as long as RFC 3261 section 13.3.1.4 lets them.
    const late = ended.catch((error) =>
      unheard() ? until('their own end', nobody, within(unackedMs)) : Promise.reject(error),
    );
    await late.catch(async () => {
      const ghosts = farCalls().filter(({ state }) => state !== 'ended');
      const left = ghosts.map(({ number, state }) => `${number} is ${state}`).join(', ');
      throw new Broken(`the agent is done, but ${left}; the panel shows ${words(await agent.sees())}`);
    });
    await logsAreRight();
  }

  async function logsAreRight(): Promise<void> {
    const logs = (): readonly LoggedCall[] => agent.crm.calls().slice(logsBefore);
    const wanted = known.map((it) => ({ it, call: farCall(it) }));
    // A page that went before it could say a word of a call nobody answered has no log of it.
    const must = wanted.filter(
      ({ it, call }) =>
        it.consult !== true && (call?.answeredAt !== undefined || (!pageWent && !it.shaken && call !== undefined)),
    );
    const whole = async (): Promise<true | undefined> =>
      logs().length >= must.length && (await stand.owed()) === 0 ? true : undefined;
    await until('the logs', whole, within(25_000)).catch(() => undefined);
    for (const { it, call } of wanted) {
      const mine = logs().filter((log) => [log.from, log.to].includes(it.far.number));
      const least = must.some((one) => one.it === it) ? 1 : 0;
      if (mine.length < least) throw new Broken(`the call with ${it.far.number} has no log`);
      if (mine.length > 1) throw new Broken(`the call with ${it.far.number} has ${mine.length} logs`);
      const [log] = mine;
      if (log === undefined || call?.answeredAt === undefined || call.endedAt === undefined || call.transferred)
        continue;
      // Answered, and heard by nobody.
      if (it.unheard && log.seconds === 0) continue;
      const seconds = (call.endedAt - call.answeredAt) / 1_000;
      if (Math.abs(log.seconds - seconds) > 2.5) {
        throw new Broken(
          `the log of the call with ${it.far.number} says ${log.seconds} s, it was ${seconds.toFixed(1)} s`,
        );
      }
      if (log.direction !== it.direction)
        throw new Broken(`the log of the call with ${it.far.number} is ${log.direction}`);
    }
  }
}

/** The plan as it is printed, and as it was played as far as that is known. */
export const planWords = (steps: readonly Step[]): string => steps.map(stepWord).join(' ');
