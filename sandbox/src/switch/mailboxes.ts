/**
 * The mailboxes: messages per extension with their sound, in memory. Owns what was left and whether it was heard;
 * must never know how a message comes in or is listened to (that is voicemail.ts).
 */
import { randomUUID } from 'node:crypto';

export type Message = {
  readonly id: string;
  readonly from: string;
  readonly name: string | undefined;
  /** Epoch milliseconds. */
  readonly at: number;
  /** 8 kHz, 16 bit. */
  readonly samples: Int16Array;
  fresh: boolean;
};

export type Summary = { fresh: number; old: number };

const MOST_MESSAGES = 50;

export class Mailboxes {
  readonly #boxes = new Map<string, Message[]>();
  readonly #onChanged: (extension: string, summary: Summary) => void;

  constructor(onChanged: (extension: string, summary: Summary) => void) {
    this.#onChanged = onChanged;
  }

  /** Oldest first. */
  messages(extension: string): readonly Message[] {
    return this.#boxes.get(extension) ?? [];
  }

  summary(extension: string): Summary {
    const messages = this.messages(extension);
    const fresh = messages.filter((message) => message.fresh).length;
    return { fresh, old: messages.length - fresh };
  }

  /** Keeps a message; the oldest gives way in a full box. */
  leave(extension: string, from: { number: string; name?: string | undefined }, samples: Int16Array): void {
    const box = this.#boxes.get(extension) ?? [];
    this.#boxes.set(extension, box);
    box.push({ id: randomUUID(), from: from.number, name: from.name, at: Date.now(), samples, fresh: true });
    if (box.length > MOST_MESSAGES) box.shift();
    this.#changed(extension);
  }

  markHeard(extension: string, message: Message): void {
    if (!message.fresh) return;
    message.fresh = false;
    this.#changed(extension);
  }

  delete(extension: string, message: Message): void {
    const box = this.#boxes.get(extension) ?? [];
    const index = box.indexOf(message);
    if (index < 0) return;
    box.splice(index, 1);
    this.#changed(extension);
  }

  #changed(extension: string): void {
    this.#onChanged(extension, this.summary(extension));
  }
}
