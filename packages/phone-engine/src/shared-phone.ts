/**
 * One owner, many mirrors inside one storage partition: exactly one frame owns the line and the sound (Web Locks decide), the others show
 * its live state and send it commands (BroadcastChannel). Owns election and the deadlines of the channel; its wire is in `shared-wire.ts`,
 * who is foremost in `frame-list.ts`. Must never carry a secret over the channel. One file past the usual length, because both roles are
 * one life: a mirror becomes the owner with its commands still open.
 */
import type { PhoneEvent } from '@patchcord/call-protocol';
import { createFrameList } from './frame-list.ts';
import type { CommandResult, OwnedPhone, Phone } from './phone.ts';
import type { ClockPort } from './ports.ts';
import { fromWire, type SharedMessage, toWire } from './shared-wire.ts';
import { type Command, emptyPhone, type PhoneState } from './state.ts';

export { readCalls } from './shared-wire.ts';

/**
 * ```
 * joining → owner                  may own: waits for the line's lock, and mirrors meanwhile
 *         → mirror ⇄ ownerless     the second only where this frame may not own and nobody else does: there is no phone to show
 * ```
 */
export type PhoneRole = 'joining' | 'owner' | 'mirror' | 'ownerless';

export interface SharedPhone extends Phone {
  role(): PhoneRole;
  onRole(listener: (role: PhoneRole) => void): () => void;
  /**
   * The frame the agent looked at last, of those that can be seen, as the owner said last: while a look is on its way two frames may say true, or
   * none; without an owner none does.
   */
  isForemost(): boolean;
  /**
   * The same among the frames that may own the phone: what may be asked of the page once, this frame asks. Where one window alone may own, it is
   * that window, wherever the agent looks.
   */
  isOpener(): boolean;
  /** The page around this frame says that the agent looks at it: a frame of another origin has no focus of its own there. */
  lookedAt(): void;
  /** The owned phone when this frame is the owner. */
  owned(): OwnedPhone | null;
  /** Leaves. An owner ends its calls first; then another frame takes over. */
  close(): Promise<void>;
}

export interface SharedPhoneOptions {
  /** Who shares: one name per tenant and agent. */
  readonly name: string;
  /** Called when this frame becomes the owner. */
  readonly createOwner: () => OwnedPhone;
  /** False: this frame never asks for the phone, it shows and commands one that another frame owns. True when absent. */
  readonly mayOwn?: boolean;
  readonly locks: Pick<LockManager, 'request'>;
  readonly openChannel: (name: string) => BroadcastChannel;
  /** Focus and visibility of this frame; absent where there is no page. */
  readonly page?: Pick<Document, 'visibilityState' | 'addEventListener' | 'removeEventListener'> & {
    readonly defaultView?: Window | null;
  };
  /** The browser's own clock when absent. */
  readonly clock?: ClockPort;
  /** A listener threw, or the channel did: the phone goes on, somebody should know. */
  readonly onFault?: (fault: unknown) => void;
}

/** How long a mirror waits for the owner to answer a command. */
export const commandDeadlineMs = 2_000;
/** An owner that is there answers a frame that joins within this time. */
export const ownerAnswersMs = 1_000;

const browserClock: ClockPort = {
  now: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
};

interface Pending {
  readonly id: string;
  readonly command: Command;
  /** Epoch ms. */
  readonly until: number;
  readonly timer: unknown;
  readonly settle: (result: CommandResult) => void;
  /** Posted to an owner: it may have been carried out, so nobody else may do it again. */
  posted: boolean;
}

/**
 * Joins the phone that the frames of this partition share, or becomes its owner. Where the browser forbids locks or channels (strict privacy
 * settings) this frame is the owner, alone; one that may not own stays without a phone. A new owner starts with an offline phone and no calls.
 */
export function joinSharedPhone(options: SharedPhoneOptions): SharedPhone {
  const { clock = browserClock, mayOwn = true } = options;
  const me: string = crypto.randomUUID();
  const lockName = `patchcord:${options.name}`;
  const stateListeners = new Set<(state: PhoneState) => void>();
  const eventListeners = new Set<(event: PhoneEvent) => void>();
  const roleListeners = new Set<(role: PhoneRole) => void>();
  const pending = new Map<string, Pending>();
  const leaving = new AbortController();
  /** This frame holds the lock that says it is alive: before that, an owner that looked for it would not find it. */
  let present = false;
  let role: PhoneRole = 'joining';
  let mirrored = emptyPhone;
  let owned: OwnedPhone | null = null;
  let frames = createFrameList(me, () => undefined);
  let channel: BroadcastChannel | null = null;
  let ownerId: string | null = null;
  let foremost: string | null = null;
  let opener: string | null = null;
  /** Why there is nobody to command, for a person. */
  let nobody = noOwner;
  let awaiting: unknown = null;
  let focusedAt: number | null = null;
  let release: (() => void) | null = null;
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

  function post(message: SharedMessage): void {
    try {
      channel?.postMessage(toWire(message));
    } catch (error) {
      fault(error);
    }
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
    ownerId = me;
    phone.onState((state) => {
      tell(stateListeners, state);
      postState(phone);
    });
    phone.onEvent((event) => tell(eventListeners, event));
    frames = createFrameList(me, (frame) => watchFrame(phone, frame));
    frames.saw(me, focusedAt, isVisible(), true);
    foremost = me;
    opener = me;
    setRole('owner');
    tell(stateListeners, phone.state());
    postState(phone);
    for (const it of [...pending.values()]) {
      if (it.posted) settle(it.id, lost(ownerLeft));
      else void phone.send(it.command).then((result) => settle(it.id, result));
    }
    return true;
  }

  function postState(phone: OwnedPhone): void {
    foremost = frames.foremost();
    opener = frames.foremostOwner();
    post({ type: 'state', from: me, state: phone.state(), foremost, opener });
  }

  function sawFrame(phone: OwnedPhone, frame: string, at: number | null, visible: boolean, couldOwn: boolean): void {
    frames.saw(frame, at, visible, couldOwn);
    postState(phone);
  }

  /** Each frame holds a lock of its own for life: getting it means that the frame is gone. */
  function watchFrame(phone: OwnedPhone, frame: string): void {
    ignoringAbort(
      options.locks.request(`${lockName}:${frame}`, { signal: leaving.signal }, () => {
        frames.gone(frame);
        postState(phone);
      }),
    );
  }

  async function carryOut(message: Extract<SharedMessage, { type: 'command' }>, phone: OwnedPhone): Promise<void> {
    // Nobody waits for it any more; a call must not start behind the agent's back.
    if (clock.now() > message.until) return;
    const result = await phone.send(message.command);
    post({ type: 'result', to: message.from, id: message.id, result });
  }

  // --- the mirror's side

  function followOwner(message: Extract<SharedMessage, { type: 'state' }>): void {
    const newOwner = ownerId !== message.from;
    ownerId = message.from;
    foremost = message.foremost;
    opener = message.opener ?? foremost;
    mirrored = message.state;
    if (newOwner) {
      // What the old owner was asked and did not answer is lost with it.
      for (const it of [...pending.values()]) if (it.posted) settle(it.id, lost(ownerLeft));
      if (!mayOwn) watchOwner(message.from);
      // A new owner does not know its mirrors yet.
      announce();
    }
    setRole('mirror');
    tell(stateListeners, mirrored);
    for (const it of pending.values()) if (!it.posted) postCommand(it);
  }

  /** Who may own hears of the owner's end by the line's lock; who may not, by the lock that says that the owner is alive. */
  function watchOwner(owner: string): void {
    ignoringAbort(
      options.locks.request(`${lockName}:${owner}`, { signal: leaving.signal }, () => {
        if (ownerId === owner) nobodyOwns();
      }),
    );
  }

  function nobodyOwns(): void {
    if (closing !== null) return;
    ownerId = null;
    foremost = null;
    opener = null;
    mirrored = emptyPhone;
    for (const it of [...pending.values()]) settle(it.id, lost(it.posted ? ownerLeft : nobody));
    setRole('ownerless');
    tell(stateListeners, mirrored);
  }

  /** Nothing says for certain that nobody is there; an owner that answers late is followed all the same. */
  function awaitOwner(): void {
    if (closing !== null) return;
    awaiting = clock.setTimeout(() => {
      if (role === 'joining') nobodyOwns();
    }, ownerAnswersMs);
  }

  function postCommand(it: Pending): void {
    it.posted = true;
    post({ type: 'command', from: me, id: it.id, until: it.until, command: it.command });
  }

  function settle(id: string, result: CommandResult): void {
    const it = pending.get(id);
    if (it === undefined) return;
    pending.delete(id);
    clock.clearTimeout(it.timer);
    it.settle(result);
  }

  // --- both

  function announce(): void {
    if (present) post({ type: 'hello', from: me, focusedAt, visible: isVisible(), mayOwn });
  }

  function setRole(next: PhoneRole): void {
    if (role === next) return;
    role = next;
    tell(roleListeners, role);
  }

  function receive(data: unknown): void {
    const message = fromWire(data);
    if (message === null || closing !== null) return;
    switch (message.type) {
      case 'hello':
        if (owned !== null)
          sawFrame(owned, message.from, message.focusedAt, message.visible !== false, message.mayOwn !== false);
        break;
      case 'focus':
        if (owned !== null)
          sawFrame(owned, message.from, message.at, message.visible !== false, message.mayOwn !== false);
        break;
      case 'command':
        if (owned !== null) void carryOut(message, owned);
        break;
      case 'state':
        if (owned === null) followOwner(message);
        break;
      case 'result':
        if (message.to === me) settle(message.id, message.result);
        break;
    }
  }

  function isVisible(): boolean {
    return options.page?.visibilityState !== 'hidden';
  }

  /** The agent works in the page around this frame: being seen counts, not being clicked into. */
  function lookedAt(): void {
    if (!isVisible()) return;
    focusedAt = clock.now();
    tellLook(focusedAt);
  }

  function tellLook(at: number): void {
    if (owned !== null) sawFrame(owned, me, at, isVisible(), true);
    else if (present) post({ type: 'focus', from: me, at, visible: isVisible(), mayOwn });
  }

  function onVisible(): void {
    if (isVisible()) lookedAt();
    else if (focusedAt !== null) tellLook(focusedAt);
  }

  function join(): void {
    try {
      channel = options.openChannel(lockName);
      channel.onmessage = (event) => receive(event.data);
      const life = new Promise<void>((resolve) => {
        release = resolve;
      });
      const living = options.locks.request(`${lockName}:${me}`, () => {
        present = true;
        announce();
        if (!mayOwn) awaitOwner();
        return life;
      });
      if (!mayOwn) {
        living.catch((error: unknown) => standApart(error));
        return;
      }
      ignoringAbort(living);
      options.locks
        .request(lockName, { signal: leaving.signal }, () => (becomeOwner() ? life : undefined))
        .catch((error: unknown) => {
          if (leaving.signal.aborted) return;
          fault(error);
          if (owned === null) aloneWithoutChannel();
        });
    } catch (error) {
      // Later, as a lock would be granted: whoever joins has time to listen.
      queueMicrotask(() => {
        if (!mayOwn) standApart(error);
        else {
          fault(error);
          aloneWithoutChannel();
        }
      });
    }
  }

  /** An owner could not be told from a dead one, and would be alone itself: better none than one that may be gone. */
  function standApart(error: unknown): void {
    fault(error);
    closeChannel();
    nobody = framesApart;
    nobodyOwns();
  }

  function aloneWithoutChannel(): void {
    closeChannel();
    becomeOwner();
  }

  function closeChannel(): void {
    if (channel === null) return;
    channel.onmessage = null;
    channel.close();
    channel = null;
  }

  if (options.page !== undefined && isVisible()) focusedAt = clock.now();
  options.page?.defaultView?.addEventListener('focus', lookedAt);
  options.page?.addEventListener('visibilitychange', onVisible);
  join();

  return {
    state: () => owned?.state() ?? mirrored,
    onState: (listener) => subscribe(stateListeners, listener),
    onEvent: (listener) => subscribe(eventListeners, listener),
    onRole: (listener) => subscribe(roleListeners, listener),
    role: () => role,
    isForemost: () => foremost === me,
    isOpener: () => opener === me,
    lookedAt,
    owned: () => owned,
    send(command) {
      if (closing !== null) return Promise.resolve(lost('This phone was closed. Open it again.'));
      if (owned !== null) return owned.send(command);
      if (role === 'ownerless') return Promise.resolve(lost(nobody));
      return new Promise((resolve) => {
        const id = crypto.randomUUID();
        const timer = clock.setTimeout(
          () => settle(id, lost('The window that holds the phone does not answer. Look for it, or reload this page.')),
          commandDeadlineMs,
        );
        const it: Pending = {
          id,
          command,
          until: clock.now() + commandDeadlineMs,
          timer,
          settle: resolve,
          posted: false,
        };
        pending.set(id, it);
        // While joining nobody knows yet who will carry it out.
        if (role === 'mirror') postCommand(it);
      });
    },
    close() {
      closing ??= (async () => {
        options.page?.defaultView?.removeEventListener('focus', lookedAt);
        options.page?.removeEventListener('visibilitychange', onVisible);
        leaving.abort();
        clock.clearTimeout(awaiting);
        for (const id of [...pending.keys()]) settle(id, lost('This phone was closed. Open it again.'));
        await owned?.close();
        release?.();
        closeChannel();
      })();
      return closing;
    },
  };
}

function subscribe<T>(listeners: Set<(value: T) => void>, listener: (value: T) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const lost = (reason: string): CommandResult => ({ ok: false, code: 'line.not-ready', reason });
const ownerLeft = 'The window that held the phone was closed. Try again.';
const noOwner = 'The phone window is not open. Open it, then try again.';
const framesApart =
  'This browser keeps the frames of the phone apart, so that this one can’t reach the phone window. Use the phone in its own window, or allow this site to keep data.';

/** A request that is taken back, or refused where locks are forbidden, changes nothing here: the main lock decides. */
function ignoringAbort(request: Promise<unknown>): void {
  request.catch(() => undefined);
}
