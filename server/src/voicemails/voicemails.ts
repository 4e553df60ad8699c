/**
 * Messages in agents' mailboxes: taken once, kept encrypted, told to whose mailbox it is, heard, deleted and brought back. Owns when one counts as
 * taken (its file is synced and whole, then its row), whose it is, and when it goes for good. Must never show an agent another's message.
 */
import {
  type AgentId,
  type CallId,
  PatchcordError,
  type TenantId,
  type VoicemailChange,
} from '@patchcord/call-protocol';
import { mailboxesOf } from '../agent-features.ts';
import { webhookEffects } from '../call-log/effects.ts';
import type { VoicemailSettings } from '../config/features.ts';
import type { AgentConfig, TenantConfig } from '../config.ts';
import type { LiveHub } from '../live/hub.ts';
import { relayEvent, toStoredEvent } from '../live/relay-event.ts';
import type { Log } from '../logging.ts';
import { type OpenSound, SealedSounds } from '../recordings/sealed-sounds.ts';
import type { SoundPlace } from '../recordings/sound-place.ts';
import type { Store, StoredVoicemail, VoicemailPlace } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import type { Vault } from '../vault.ts';
import { voicemailEffects, wordsFor } from './effects.ts';
import { type Message, readMessage, refused, voicemailId } from './message.ts';
import { SealedWords } from './sealed-words.ts';

const dayMs = 86_400_000;
const atOnce = 200;
/** Messages that one list shows, of all an agent's mailboxes. */
const mostListed = 200;

export interface VoicemailParts {
  readonly store: Pick<Store, 'calls' | 'voicemails' | 'keeping' | 'feed'>;
  readonly tenants: Pick<Tenants, 'find'>;
  readonly hub: Pick<LiveHub, 'tell'>;
  readonly vault: Pick<Vault, 'read' | 'put'>;
  readonly settings: VoicemailSettings;
  readonly place: SoundPlace;
  /** Told when something waits in the outbox. */
  readonly effectsWait: () => void;
  readonly log: Log;
  readonly now: () => number;
}

export class Voicemails {
  readonly #parts: VoicemailParts;
  readonly #sounds: SealedSounds;
  readonly #words: SealedWords;

  constructor(parts: VoicemailParts) {
    this.#parts = parts;
    this.#words = new SealedWords(parts.vault);
    const { place, store, vault, log, now } = parts;
    this.#sounds = new SealedSounds({
      ...{ place, vault, log, now, what: 'voicemails', whose: 'message' },
      known: (files) => store.voicemails.known(files),
      deployment: () => store.feed.deployment(),
    });
  }

  /** The largest that is taken, bytes. */
  get largest(): number {
    return this.#parts.settings.largestMb * 1_000_000;
  }

  /**
   * Takes a message. The same one again is no failure.
   * @returns the id of the message, and whether it was new
   * @throws PatchcordError `request.invalid` for what is no message, or is for nobody's mailbox; `store.unavailable`: send it again
   */
  async take(
    tenant: TenantConfig,
    pbx: string,
    said: string,
    sound: Buffer,
  ): Promise<{ readonly id: string; readonly isNew: boolean }> {
    const { store, now, effectsWait } = this.#parts;
    const read = readMessage(said, sound, tenant.country);
    // A clock that is ahead must not keep a message on top of the list for ever.
    const message = { ...read, at: Math.min(read.at, now()) };
    const owners = ownersOf(tenant, message.mailbox);
    if (owners.length === 0) throw refused(`no agent has the mailbox "${message.mailbox}"`);
    const tenantId = tenant.id as TenantId;
    const id = voicemailId(tenantId, pbx, message);
    if ((await store.voicemails.find(tenantId, id)) !== null) return { id, isNew: false };
    const { file, salt, bytes } = await this.#sounds.write(tenantId, id, onePiece(sound));
    const { id: _own, conversation, ...rest } = message;
    const at = now();
    const event = this.#received(tenantId, id, message);
    // Whose it is as an event is told where it is one agent's; a shared mailbox is nobody's alone.
    const [owner, ...others] = owners;
    const stored = toStoredEvent(event, tenantId, (others.length === 0 ? owner?.id : '') as AgentId, at);
    // What the phone system wrote down itself needs nobody else.
    const writtenDown = message.text === null && wordsFor(tenant, owners) !== null;
    const payload = { voicemail: id, ...(conversation === null ? {} : { conversation }) };
    const effects = [...webhookEffects(tenant, [stored], at), ...voicemailEffects(tenantId, payload, writtenDown, at)];
    const kept: StoredVoicemail = {
      ...rest,
      ...{ id, tenant: tenantId, file, salt, bytes, heardAt: null, deletedAt: null, storedAt: at },
      wordsState: writtenDown ? 'waiting' : null,
      ...{ words: null, callId: null },
    };
    // Where the store does not answer the file stays: the row may be there after all, and else a sweep takes it.
    const isNew = await store.voicemails.add(kept, stored, effects);
    if (!isNew) {
      // A repeat that was faster has a file of its own.
      await this.#sounds.remove([file]);
      return { id, isNew };
    }
    await this.#sounds.owns().catch(() => false);
    for (const one of owners) this.#parts.hub.tell(tenantId, one.id as AgentId, event);
    effectsWait();
    return { id, isNew };
  }

  /** An agent's messages, newest first; deleted ones as long as they can be brought back. */
  list(tenant: TenantConfig, agent: AgentConfig): Promise<readonly StoredVoicemail[]> {
    return this.#parts.store.voicemails.of(tenant.id as TenantId, mailboxesOf(agent), {
      deletedAfter: this.#lastUndone(),
      limit: mostListed,
    });
  }

  /** @throws PatchcordError `call.unknown` when this agent has no such message (any more) */
  async find(tenant: TenantConfig, agent: AgentConfig, id: string): Promise<StoredVoicemail> {
    const found = await this.byId(tenant.id as TenantId, id);
    if (found === null || !mailboxesOf(agent).includes(found.mailbox)) {
      throw new PatchcordError(
        'call.unknown',
        'There is no such message in your mailbox (any more). Load the list again.',
      );
    }
    return found;
  }

  /** Of whatever mailbox; null when it is gone. */
  async byId(tenant: TenantId, id: string): Promise<StoredVoicemail | null> {
    const found = await this.#parts.store.voicemails.find(tenant, id.toLowerCase());
    return found?.deletedAt != null && found.deletedAt <= this.#lastUndone() ? null : found;
  }

  /** The message that was left in a call; null when there is none (any more), or its owner deleted it. */
  async inCall(tenant: TenantId, callId: CallId): Promise<StoredVoicemail | null> {
    const voicemail = (await this.#parts.store.calls.readCalls([callId])).get(callId)?.call.log?.voicemail;
    const found = voicemail === undefined ? null : await this.#parts.store.voicemails.find(tenant, voicemail.id);
    return found === null || found.deletedAt !== null ? null : found;
  }

  /**
   * Marks a message as heard, deletes it, or takes either back. Saying the same twice changes nothing.
   * @throws PatchcordError `call.unknown` when this agent has no such message (any more)
   */
  async change(
    tenant: TenantConfig,
    agent: AgentConfig,
    id: string,
    { heard, deleted }: VoicemailChange,
  ): Promise<{ readonly voicemail: StoredVoicemail; readonly before: StoredVoicemail }> {
    const { store, now } = this.#parts;
    const before = await this.find(tenant, agent, id);
    const since = (is: boolean | undefined, was: number | null) =>
      is === undefined || is === (was !== null) ? was : is ? now() : null;
    const heardAt = since(heard, before.heardAt);
    const deletedAt = since(deleted, before.deletedAt);
    const after = { ...before, heardAt, deletedAt };
    if (heardAt === before.heardAt && deletedAt === before.deletedAt) return { voicemail: before, before };
    if (!(await store.voicemails.change(before.tenant, before.id, { heardAt, deletedAt })))
      throw new PatchcordError('call.unknown', 'This message is gone. Load the list again.');
    this.tellChanged(tenant, before);
    return { voicemail: after, before };
  }

  /** Tells whose mailbox it is that something of a message is another now. */
  tellChanged(config: TenantConfig, { tenant, id, mailbox }: Pick<StoredVoicemail, 'tenant' | 'id' | 'mailbox'>): void {
    const { hub, now } = this.#parts;
    const changed = relayEvent(tenant, { name: 'voicemail.changed', at: now(), data: { voicemail: id } });
    for (const one of ownersOf(config, mailbox)) hub.tell(tenant, one.id as AgentId, changed);
  }

  /** What was said in it, where it was written down. @throws PatchcordError `store.unavailable` */
  async textOf(message: StoredVoicemail): Promise<string | null> {
    const { text, wordsState, words } = message;
    return text ?? (wordsState === 'ready' && words !== null ? await this.#words.open(message, words) : null);
  }

  /** The words of a message as its row may hold them. @throws PatchcordError `config.invalid` without an encryption key */
  seal(message: StoredVoicemail, text: string): Promise<string> {
    return this.#words.seal(message, text);
  }

  /** Opens its sound for reading. Whoever opens it closes it. @throws PatchcordError `store.unavailable` */
  open({ tenant, id, file, salt, bytes }: StoredVoicemail): Promise<OpenSound> {
    return this.#sounds.open({ tenant, of: id, file, salt, bytes });
  }

  /** What an operator has to put right before files are taken away again. */
  troubles(): readonly string[] {
    return this.#sounds.troubles();
  }

  /** Forgets what is too old or was deleted long enough ago, and not held, with its sound. Returns how many went. */
  async keepHouse(now: number): Promise<number> {
    const { settings, store, log } = this.#parts;
    const ours = await this.#sounds.owns();
    const before = { storedBefore: now - settings.days * dayMs, deletedBefore: now - settings.undoDays * dayMs };
    const held = new Set(
      (await store.keeping.holds()).flatMap(({ tenant, kind, subject }) =>
        kind === 'number' ? [`${tenant} ${subject}`] : [],
      ),
    );
    let gone = 0;
    let after: VoicemailPlace | null = null;
    for (;;) {
      const leaving: readonly StoredVoicemail[] = await store.voicemails.leaving(before, after, atOnce);
      after = leaving.at(-1) ?? null;
      if (after === null) break;
      const free = leaving.filter(({ tenant, e164 }) => e164 === null || !held.has(`${tenant} ${e164}`));
      await store.voicemails.forget(free.map(({ id }) => id));
      // In another database's place a file may be theirs as well, who still have the row.
      if (ours) await this.#sounds.remove(free.map(({ file }) => file));
      gone += free.length;
    }
    gone += await this.#sounds.sweep(now);
    if (gone > 0)
      log.info({ voicemails: gone }, 'voicemails were deleted: too old, deleted by their owner, or nobody’s');
    return gone;
  }

  #lastUndone(): number {
    return this.#parts.now() - this.#parts.settings.undoDays * dayMs;
  }

  #received(tenant: TenantId, id: string, { mailbox, number, e164, name, durationMs, at }: Message) {
    const from = { number, ...(e164 === null ? {} : { e164 }), ...(name === null ? {} : { name }) };
    return relayEvent(
      tenant,
      { name: 'voicemail.received', at, data: { voicemail: id, mailbox, from, durationMs } },
      `voicemail:${id}`,
    );
  }
}

/** Agents whose mailbox it is. */
export function ownersOf(tenant: TenantConfig, mailbox: string): readonly AgentConfig[] {
  return tenant.agents.filter((agent) => mailboxesOf(agent).includes(mailbox));
}

async function* onePiece(sound: Buffer): AsyncGenerator<Buffer> {
  yield sound;
}
