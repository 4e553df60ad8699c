/**
 * One owner, many mirrors: exactly one frame of an agent owns the line and the sound, all others show its live state and send it commands. Inside
 * one storage partition the frames elect a head (`partition.ts`); across partitions, browsers and computers the heads ask for a lease
 * (`line-lease.ts`), and whoever does not get it mirrors the owner for the frames beside it (`remote-frames.ts`). Owns the roles and how they change
 * hands. Must never carry a secret over a channel. One file past the usual length, because all roles are one life: a mirror becomes the owner, and
 * an owner a mirror, with commands still open.
 */
import type { PhoneEvent } from '@patchcord/call-protocol';
import { createFrameList } from './frame-list.ts';
import {
  closed,
  framesApart,
  lost,
  noAnswer,
  noOwner,
  ownerLeft,
  relayAway,
  staysThere,
  takeLate,
} from './lost-reasons.ts';
import { createOpenCommands, type OpenCommand } from './open-commands.ts';
import { watchPage } from './page-looks.ts';
import { joinPartition } from './partition.ts';
import type { CommandResult, OwnedPhone } from './phone.ts';
import type { PhoneRole, SharedPhone, SharedPhoneOptions } from './phone-sharing.ts';
import type { ClockPort } from './ports.ts';
import { createDevices, fromBody, rollCallMs, toBody } from './remote-frames.ts';
import type { SharedMessage } from './shared-wire.ts';
import { emptyPhone, type PhoneState } from './state.ts';

export * from './phone-sharing.ts';
export { readCalls } from './shared-wire.ts';

/** How long a mirror waits for the owner to answer a command. */
export const commandDeadlineMs = 2_000;
/** An owner that is there answers a frame that joins within this time. */
export const ownerAnswersMs = 1_000;
/** A head that never heard of the lease waits this long, then it owns without: nobody else can be asked, and without the relay no line comes up. */
export const leaseAnswersMs = 5_000;
/** An owner that does not let go within this time is overtaken. */
export const letGoMs = 1_500;
/** Handing over across devices, from the click to the phone. */
export const takeDeadlineMs = 6_000;
/** Looks at several frames go to another device together. */
const looksTogetherMs = 20;
/** What an owner that lets go may take to write down what it had. */
const writeDownMs = 1_000;

const browserClock: ClockPort = {
  now: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
};

type StateMessage = Extract<SharedMessage, { type: 'state' }>;
type CommandMessage = Extract<SharedMessage, { type: 'command' }>;

/**
 * Joins the phone that the frames of this agent share, or becomes its owner. Where the browser forbids locks or channels (strict privacy
 * settings) this frame is the head of a partition of its own; one that may not own stays without a phone. A new owner starts with an offline
 * phone and no calls.
 */
export function joinSharedPhone(options: SharedPhoneOptions): SharedPhone {
  const { clock = browserClock, mayOwn = true, lease = null } = options;
  const me: string = crypto.randomUUID();
  const stateListeners = new Set<(state: PhoneState) => void>();
  const eventListeners = new Set<(event: PhoneEvent) => void>();
  const roleListeners = new Set<(role: PhoneRole) => void>();
  const commands = createOpenCommands(clock);
  const devices = createDevices();
  const timers = new Map<string, unknown>();
  /** This frame holds the lock that says it is alive: before that, an owner that looked for it would not find it. */
  let present = false;
  /** This frame has its partition's lock: it owns, or speaks for the frames beside it. */
  let head = false;
  let role: PhoneRole = 'joining';
  let mirrored = emptyPhone;
  let owned: OwnedPhone | null = null;
  /** It has not been shown yet: what the owner before left is just being taken up. */
  let unshown: OwnedPhone | null = null;
  let stopOwning: readonly (() => void)[] = [];
  let frames = createFrameList(me, () => undefined);
  /** The head of this partition, as this frame last heard of one. */
  let headId: string | null = null;
  /** The device that owns, where it is another; only a head knows. */
  let remote: string | null = null;
  let where: string | null = null;
  /** The highest that was heard of, 0: none. */
  let epoch = 0;
  /** The lease was this device's before it was another's. */
  let granted = false;
  let inherited: string | null = null;
  /** The owner's clock minus this one's; null until it spoke. */
  let ahead: number | null = null;
  let stopLease: (() => void) | null = null;
  let foremost: string | null = null;
  let opener: string | null = null;
  /** Why there is nobody to command, for a person. */
  let nobody = noOwner;
  /** The owner on another device is to be asked for its state. */
  let asking = false;
  let taking: { readonly id: string; readonly result: Promise<CommandResult>; settle(it: CommandResult): void } | null =
    null;
  let closing: Promise<void> | null = null;

  const fault = (error: unknown): void => {
    try {
      options.onFault?.(error);
    } catch {
      // Who reports faults has one: nobody is left to tell.
    }
  };
  function tell<T>(listeners: ReadonlySet<(value: T) => void>, value: T): void {
    for (const listener of [...listeners]) {
      try {
        listener(value);
      } catch (error) {
        fault(error);
      }
    }
  }
  function stopTimer(name: string): void {
    clock.clearTimeout(timers.get(name));
    timers.delete(name);
  }
  function after(ms: number, name: string, run: () => void): void {
    stopTimer(name);
    timers.set(
      name,
      clock.setTimeout(() => {
        timers.delete(name);
        run();
      }, ms),
    );
  }
  function setRole(next: PhoneRole): void {
    if (role === next) return;
    role = next;
    tell(roleListeners, role);
  }

  // --- the head

  function elected(): boolean {
    if (closing !== null) return false;
    // The phone was beside this frame: the lease is this device's, and nobody waits for what the relay says.
    const goesOn = headId !== null && where === null;
    const elsewhere = where !== null;
    head = true;
    headId = me;
    frames = createFrameList(me, (frame) =>
      partition.watch(frame, () => {
        frames.gone(frame);
        framesChanged(false);
      }),
    );
    frames.saw(me, looks.focusedAt(), looks.isVisible(), true);
    if (lease === null || goesOn) {
      if (!becomeOwner()) return resigned();
    }
    if (lease === null) return true;
    stopLease = lease.listen({ yours, elsewhere: ownedElsewhere, free, said, away });
    lease.ask(taking !== null);
    if (owned === null && !elsewhere) after(leaseAnswersMs, 'lease', () => ownOrResign());
    return true;
  }

  /** Always false. */
  function resigned(): boolean {
    head = false;
    headId = null;
    stopLease?.();
    stopLease = null;
    stopTimer('lease');
    stopTimer('looks');
    stopTimer('roll call');
    stopTimer('take back');
    return false;
  }

  function ownOrResign(): void {
    if (owned !== null || !head || closing !== null || becomeOwner()) return;
    lease?.leave();
    resigned();
    partition.resign();
  }

  function deposed(): void {
    resigned();
    void handOver();
  }

  function yours(given: number, kept: string | null): void {
    if (given < epoch) return;
    const news = given > epoch;
    const wasElsewhere = remote !== null;
    epoch = given;
    granted = true;
    remote = null;
    where = null;
    stopTimer('lease');
    if (owned === null) {
      inherited = kept;
      ownOrResign();
    } else if (news) postState();
    // The device that had it may have told of its frames already, when nobody owned.
    if (wasElsewhere && owned !== null) sayTo({ type: 'who' });
  }

  function ownedElsewhere(place: string, device: string, given: number): void {
    if (given < epoch) return;
    stopTimer('lease');
    if (owned !== null && !granted && owned.state().calls.some(({ phase }) => phase !== 'ended')) {
      // It began without being able to ask: what goes on here goes on.
      lease?.ask(true);
      return;
    }
    epoch = given;
    granted = false;
    remote = device;
    where = place;
    ahead = null;
    taking?.settle(lost(staysThere(place)));
    if (owned !== null) {
      void handOver().then((kept) => {
        if (kept !== null) lease?.keep(kept);
        lease?.leave();
      });
    } else {
      after(ownerAnswersMs, 'lease', () => {
        setRole('mirror');
        tell(stateListeners, mirrored);
        postState();
      });
    }
    sayLooks(true);
  }

  function free(given: number): void {
    epoch = Math.max(epoch, given);
    lease?.ask(false);
  }

  function away(): void {
    if (owned === null) taking?.settle(lost(relayAway));
  }

  function said(device: string, body: string): void {
    const message = fromBody(body);
    if (message === null || closing !== null) return;
    switch (message.type) {
      case 'looks':
        if (owned !== null) sawDevice(device, message);
        break;
      case 'command':
        if (owned !== null) void carryOut(message, owned, sayTo);
        else sayTo({ type: 'result', to: message.from, id: message.id, result: lost(ownerLeft) });
        break;
      case 'state':
        if ((message.epoch ?? 0) > epoch && owned !== null) lease?.ask(false);
        if (device === remote && owned === null && (message.epoch ?? 0) >= epoch) followRemote(message);
        break;
      case 'result':
        if (device === remote) answer(message.to, message.id, message.result);
        break;
      case 'who':
        if (device === remote) sayLooks(ahead === null);
        break;
    }
  }

  function sayTo(message: SharedMessage): boolean {
    const body = toBody(message);
    return body !== null && lease?.say(body) === true;
  }

  // --- the owner's side

  /** False when there is nothing to own with; another frame may do better. */
  function becomeOwner(): boolean {
    if (closing !== null) return false;
    let phone: OwnedPhone;
    try {
      phone = options.createOwner();
    } catch (error) {
      fault(error);
      return false;
    }
    owned = phone;
    where = null;
    stopTimer('take back');
    stopOwning = [
      phone.onState((state) => {
        if (unshown === null) tell(stateListeners, state);
        postState();
      }),
      phone.onEvent((event) => tell(eventListeners, event)),
    ];
    foremost = me;
    opener = me;
    unshown = phone;
    setRole('owner');
    const show = (): void => {
      if (unshown !== phone) return;
      unshown = null;
      tell(stateListeners, phone.state());
      postState();
    };
    const inheriting = options.takingUp?.() ?? null;
    if (inheriting === null) show();
    else void inheriting.then(show, show);
    for (const it of commands.all()) {
      if (it.posted) commands.settle(it.id, lost(ownerLeft));
      else void phone.send(it.command).then((result) => commands.settle(it.id, result));
    }
    taking?.settle({ ok: true });
    return true;
  }

  /** Lets go at once. Resolves to what the next owner must know, when it is written down, or when that takes too long. */
  async function handOver(): Promise<string | null> {
    const phone = owned;
    if (phone === null) return null;
    owned = null;
    unshown = null;
    for (const stop of stopOwning) stop();
    stopTimer('roll call');
    for (const frame of devices.clear()) frames.gone(frame);
    mirrored = phone.state();
    foremost = null;
    opener = null;
    const letGo = phone.handOver();
    setRole('mirror');
    tell(stateListeners, mirrored);
    if (head) postState();
    const written = letGo.then((handed) => options.handedOver?.(handed) ?? null);
    const late = new Promise<null>((resolve) => after(writeDownMs, 'write down', () => resolve(null)));
    try {
      return await Promise.race([written, late]);
    } catch (error) {
      fault(error);
      return null;
    } finally {
      stopTimer('write down');
    }
  }

  function postState(): void {
    if (unshown !== null) return;
    if (owned !== null) lookAgain();
    const message: SharedMessage = {
      type: 'state',
      from: me,
      state: owned?.state() ?? mirrored,
      foremost: foremost ?? nobodysId,
      opener: opener ?? nobodysId,
      epoch,
      where,
      at: clock.now(),
    };
    partition.post(message);
    if (owned !== null && !devices.isEmpty()) sayTo(message);
  }

  /** Whether another frame is foremost than before. */
  function lookAgain(): boolean {
    const before = [foremost, opener];
    foremost = frames.foremost();
    opener = frames.foremostOwner();
    return foremost !== before[0] || opener !== before[1];
  }

  /** @param asks somebody has no state yet */
  function framesChanged(asks: boolean): void {
    if (owned !== null) {
      if (lookAgain() || asks) postState();
    } else if (head) {
      if (asks && role !== 'joining') postState();
      sayLooks(false);
    }
  }

  /** A frame of this partition spoke. */
  function sawFrame(message: Extract<SharedMessage, { type: 'hello' | 'focus' }>): void {
    if (!head) return;
    const at = message.type === 'hello' ? message.focusedAt : message.at;
    frames.saw(message.from, at, message.visible !== false, message.mayOwn !== false);
    framesChanged(message.type === 'hello' && message.knows !== me);
  }

  /** The head of another partition told of its frames. */
  function sawDevice(device: string, message: Extract<SharedMessage, { type: 'looks' }>): void {
    const own = new Set(frames.here().map(({ frame }) => frame));
    const looks = message.frames.filter(({ frame }) => !own.has(frame));
    for (const frame of devices.told(device, looks)) frames.gone(frame);
    for (const { frame, at, visible, mayOwn: couldOwn } of looks)
      frames.saw(frame, at === null ? null : Math.min(at, clock.now()), visible, couldOwn, device);
    framesChanged(message.asks);
    if (!devices.isEmpty() && !timers.has('roll call')) after(rollCallMs, 'roll call', callRoll);
  }

  /** A device whose connection broke does not say so; what its frames were looked at counts no more. */
  function callRoll(): void {
    for (const frame of devices.rollCall()) frames.gone(frame);
    framesChanged(false);
    if (devices.isEmpty()) return;
    sayTo({ type: 'who' });
    after(rollCallMs, 'roll call', callRoll);
  }

  async function carryOut(
    message: CommandMessage,
    phone: OwnedPhone,
    reply: (message: SharedMessage) => void,
  ): Promise<void> {
    // Nobody waits for it any more; a call must not start behind the agent's back.
    if (clock.now() > message.until) return;
    const result = await phone.send(message.command);
    reply({ type: 'result', to: message.from, id: message.id, result });
  }

  /** Another frame beside this one takes the rank. It is stolen once this has been answered; if nobody does, it was not meant so. */
  async function stepDown(from: string, id: string): Promise<void> {
    const had = owned !== null;
    await handOver();
    partition.post({ type: 'result', to: from, id, result: { ok: true } });
    if (had && head) after(2 * letGoMs, 'take back', () => ownOrResign());
  }

  // --- the mirror's side

  /** The head of this partition spoke. */
  function followHead(message: StateMessage): void {
    if ((message.epoch ?? 0) < epoch) {
      // It slept through a hand-over: whoever owns now tells it so.
      if (head) postState();
      return;
    }
    if (head) {
      if ((message.epoch ?? 0) > epoch && owned !== null) deposedBy(message);
      return;
    }
    epoch = message.epoch ?? 0;
    const newHead = headId !== message.from;
    headId = message.from;
    where = message.where ?? null;
    if (newHead) {
      // What the head before was asked and did not answer is lost with it.
      for (const it of commands.all()) if (it.posted) commands.settle(it.id, lost(ownerLeft));
      if (!mayOwn) watchHead(message.from);
      // A new one does not know its mirrors yet.
      announce();
    }
    follow(message);
  }

  /** The lock went to another frame without a word to this one. */
  function deposedBy(message: StateMessage): void {
    resigned();
    void handOver();
    followHead(message);
  }

  function followRemote(message: StateMessage): void {
    stopTimer('lease');
    epoch = message.epoch ?? epoch;
    const before = ahead;
    const now = (message.at ?? clock.now()) - clock.now();
    // What took longer on its way is further off.
    ahead = Math.max(ahead ?? now, now);
    follow(message);
    postState();
    if (before === null) sayLooks(false);
  }

  function follow(message: StateMessage): void {
    foremost = message.foremost;
    opener = message.opener ?? foremost;
    mirrored = message.state;
    setRole('mirror');
    tell(stateListeners, mirrored);
    for (const it of commands.all()) if (!it.posted) postCommand(it);
  }

  /** Who may own hears of the head's end by the line's lock; who may not, by the lock that says that it is alive. */
  function watchHead(id: string): void {
    partition.watch(id, () => {
      if (headId === id) nobodyOwns();
    });
  }

  function nobodyOwns(): void {
    if (closing !== null) return;
    headId = null;
    where = null;
    foremost = null;
    opener = null;
    mirrored = emptyPhone;
    for (const it of commands.all()) commands.settle(it.id, lost(it.posted ? ownerLeft : nobody));
    setRole('ownerless');
    tell(stateListeners, mirrored);
  }

  function postCommand(it: OpenCommand): void {
    it.posted = true;
    const message: CommandMessage = { type: 'command', from: me, id: it.id, until: it.until, command: it.command };
    if (head) forward(message);
    else partition.post(message);
  }

  /** To the owner on another device, by its clock. */
  function forward(message: CommandMessage): void {
    if (!sayTo({ ...message, until: message.until + (ahead ?? 0) })) answer(message.from, message.id, lost(relayAway));
  }

  function answer(to: string, id: string, result: CommandResult): void {
    if (to === me) commands.settle(id, result);
    else partition.post({ type: 'result', to, id, result });
  }

  /** Tells the owner on another device which frames there are here, and which of them is looked at. */
  function sayLooks(asks: boolean): void {
    if (remote === null || owned !== null) return;
    asking ||= asks;
    after(looksTogetherMs, 'looks', () => {
      const seen = frames.here().slice(-300);
      const inOwnersTime = (at: number | null): number | null => (at === null || ahead === null ? null : at + ahead);
      sayTo({
        type: 'looks',
        from: me,
        frames: seen.map((it) => ({ ...it, at: inOwnersTime(it.at) })),
        asks: asking,
      });
      asking = false;
    });
  }

  // --- all

  function receive(message: SharedMessage): void {
    switch (message.type) {
      case 'hello':
      case 'focus':
        sawFrame(message);
        break;
      case 'command':
        if (owned !== null) void carryOut(message, owned, partition.post);
        else if (head) forward(message);
        break;
      case 'state':
        followHead(message);
        break;
      case 'take':
        if (head) void stepDown(message.from, message.id);
        break;
      case 'result':
        if (message.to !== me) break;
        if (message.id === taking?.id) overtake();
        else commands.settle(message.id, message.result);
        break;
    }
  }

  function tellLook(at: number, visible: boolean): void {
    const look = { type: 'focus', from: me, at, visible, mayOwn } as const;
    if (head) sawFrame(look);
    else if (present) partition.post(look);
  }

  /** The other devices need not wait for the next roll call. */
  function sayGone(): void {
    if (remote !== null && owned === null) sayTo({ type: 'looks', from: me, frames: [], asks: false });
  }

  function announce(): void {
    if (present)
      partition.post({
        type: 'hello',
        from: me,
        focusedAt: looks.focusedAt(),
        visible: looks.isVisible(),
        mayOwn,
        ...(headId === null ? {} : { knows: headId }),
      });
  }

  /** Nothing says for certain that nobody is there; an owner that answers late is followed all the same. */
  function awaitOwner(): void {
    if (closing !== null) return;
    after(ownerAnswersMs, 'owner', () => {
      if (role === 'joining') nobodyOwns();
    });
  }

  function forbidden(error: unknown): void {
    fault(error);
    if (owned !== null || head) return;
    partition.goApart();
    if (mayOwn) {
      if (!elected()) nobodyOwns();
      return;
    }
    // An owner could not be told from a dead one, and would be alone itself: better none than one that may be gone.
    nobody = framesApart;
    nobodyOwns();
  }

  function overtake(): void {
    stopTimer('overtake');
    partition.seize();
  }

  function take(): Promise<CommandResult> {
    const id = crypto.randomUUID();
    let done: (result: CommandResult) => void = () => undefined;
    const result = new Promise<CommandResult>((resolve) => {
      done = resolve;
    });
    taking = {
      id,
      result,
      settle(it) {
        taking = null;
        stopTimer('overtake');
        stopTimer('take');
        done(it);
      },
    };
    after(takeDeadlineMs, 'take', () => taking?.settle(lost(takeLate)));
    if (head) lease?.ask(true);
    else {
      partition.post({ type: 'take', from: me, id });
      after(letGoMs, 'overtake', overtake);
    }
    return result;
  }

  const looks = watchPage({
    page: options.page,
    clock,
    looked: tellLook,
    isForemost: () => foremost === me,
    left: sayGone,
  });
  const partition = joinPartition({
    name: options.name,
    me,
    mayLead: mayOwn,
    locks: options.locks,
    openChannel: options.openChannel,
    heard: (message) => {
      if (closing === null) receive(message);
    },
    present() {
      present = true;
      announce();
      if (!mayOwn) awaitOwner();
    },
    elected,
    deposed,
    forbidden,
    fault,
  });

  return {
    state: () => owned?.state() ?? mirrored,
    onState: (listener) => subscribe(stateListeners, listener),
    onEvent: (listener) => subscribe(eventListeners, listener),
    onRole: (listener) => subscribe(roleListeners, listener),
    role: () => role,
    isForemost: () => foremost === me,
    isOpener: () => opener === me,
    lookedAt: looks.lookedAt,
    owned: () => owned,
    where: () => where,
    isHead: () => head,
    inherited() {
      const kept = inherited;
      inherited = null;
      return kept;
    },
    keep(kept) {
      if (owned !== null) lease?.keep(kept);
    },
    takeHere() {
      if (closing !== null) return Promise.resolve(lost(closed));
      if (owned !== null) return Promise.resolve({ ok: true });
      if (!mayOwn) return Promise.resolve(lost(nobody));
      return taking?.result ?? take();
    },
    send(command) {
      if (closing !== null) return Promise.resolve(lost(closed));
      if (owned !== null) return owned.send(command);
      if (role === 'ownerless') return Promise.resolve(lost(nobody));
      return commands.open(command, commandDeadlineMs, lost(noAnswer), (it) => {
        // While joining nobody knows yet who will carry it out.
        if (role === 'mirror') postCommand(it);
      });
    },
    close() {
      closing ??= (async () => {
        looks.stop();
        for (const name of [...timers.keys()]) stopTimer(name);
        for (const { id } of commands.all()) commands.settle(id, lost(closed));
        taking?.settle(lost(closed));
        sayGone();
        const wasOwner = owned !== null;
        await owned?.close();
        if (wasOwner) lease?.leave();
        stopLease?.();
        partition.leave();
      })();
      return closing;
    },
  };
}

function subscribe<T>(listeners: Set<(value: T) => void>, listener: (value: T) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const nobodysId = 'nobody';
