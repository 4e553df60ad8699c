/**
 * One owner, many mirrors inside one storage partition: exactly one frame owns the line and the sound (Web Locks decide), the others show
 * its live state and send it commands (BroadcastChannel). Owns election and the channel's wire; must never carry a secret over the channel.
 */
import type { OwnedPhone, Phone } from './phone.ts';

export type PhoneRole = 'joining' | 'owner' | 'mirror';

export interface SharedPhone extends Phone {
  role(): PhoneRole;
  onRole(listener: (role: PhoneRole) => void): () => void;
  /** The frame the agent looked at last: the one that pops records. Exactly one frame of a partition says true. */
  isForemost(): boolean;
  /** The owned phone when this frame is the owner. */
  owned(): OwnedPhone | null;
  close(): Promise<void>;
}

export interface SharedPhoneOptions {
  /** Who shares: one name per tenant and agent. */
  readonly name: string;
  /** Called when this frame becomes the owner. */
  readonly createOwner: () => OwnedPhone;
  readonly locks: Pick<LockManager, 'request'>;
  readonly openChannel: (name: string) => BroadcastChannel;
  /** Focus of this frame; absent where there is no page. */
  readonly page?: Pick<Document, 'hasFocus' | 'addEventListener' | 'removeEventListener'> & {
    readonly defaultView?: Window | null;
  };
}
