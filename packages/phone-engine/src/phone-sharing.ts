/**
 * What a shared phone is to whoever uses it, and what it needs of its surroundings. Owns the words of both; the roles and how they change hands are
 * in `shared-phone.ts`.
 */
import type { LineLease } from './line-lease.ts';
import type { CommandResult, HandedOver, OwnedPhone, Phone } from './phone.ts';
import type { ClockPort } from './ports.ts';

/**
 * ```
 * joining → owner ⇄ mirror         may own: waits for the line's lock and its lease, and mirrors whoever has them
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
   * The same among the frames that may own the phone, those beside the foremost first: what may be asked of the page once, this frame asks. Where
   * one window alone may own, it is that window, wherever in its browser the agent looks.
   */
  isOpener(): boolean;
  /** The page around this frame says that the agent looks at it: a frame of another origin has no focus of its own there. */
  lookedAt(): void;
  /** The owned phone when this frame is the owner. */
  owned(): OwnedPhone | null;
  /** The other device that has the phone, in words; null where it is in this browser, or nobody knows. Told with role and state. */
  where(): string | null;
  /** This frame speaks for its browser: it owns, or it is the one that listens to the owner on another device for the frames beside it. */
  isHead(): boolean;
  /** "Use the phone here": the owner hands over, this frame goes on with its calls. Resolves when it has the phone, or with why not. */
  takeHere(): Promise<CommandResult>;
  /** What the owner before left with the lease, when it was on another device: {@link keep}'s word. Once. */
  inherited(): string | null;
  /** What another device must know to take the calls up, at most 48,000 characters; only the owner's counts. */
  keep(kept: string): void;
  /** Leaves. An owner ends its calls first; then another frame takes over. */
  close(): Promise<void>;
}

export interface SharedPhoneOptions {
  /** Who shares: one name per tenant and agent. */
  readonly name: string;
  /** Called when this frame becomes the owner, each time anew. */
  readonly createOwner: () => OwnedPhone;
  /** What an owner that gave the phone away must write down before the next one reads. Returns what {@link SharedPhone.keep} would be told. */
  readonly handedOver?: (handed: HandedOver) => Promise<string | null>;
  /**
   * Asked when this frame has become the owner: what the owner before left is being taken up, and until then the phone is not shown; it would be an
   * empty one. null or absent: it is shown at once.
   */
  readonly takingUp?: () => Promise<void> | null;
  /** Who decides between the devices; null or absent: there is no other. */
  readonly lease?: LineLease | null;
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
