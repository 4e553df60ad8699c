/**
 * Who watches what (RFC 6665): subscriptions to dialogs and to message counts, their refreshes and their NOTIFYs.
 * Owns every subscription until it ends; must never know how a state comes about: it asks `SubscriptionPorts`.
 */
import { contactOf, Dialog, type DialogId } from './dialog.ts';
import type { WatchedDialog } from './dialog-states.ts';
import { dialogInfo, messageSummary } from './event-bodies.ts';
import type { Faults } from './faults.ts';
import type { Summary } from './mailboxes.ts';
import type { Binding } from './registrar.ts';
import { type Flow, newTag, type ServerTransaction } from './sip-endpoint.ts';
import { header, parseUri, type SipHeader, type SipRequest, type SipResponse } from './sip-message.ts';

export type SubscriptionPorts = {
  readonly domain: string;
  readonly address: string;
  /** What follows the first full state of dialogs. */
  readonly dialogState: 'full' | 'partial';
  faults(): Readonly<Faults>;
  send(flow: Flow, request: SipRequest, onResponse: (response: SipResponse) => void): void;
  flowFor(target: string): Flow | undefined;
  /** Undefined: nobody has this number. */
  dialogs(number: string): WatchedDialog[] | undefined;
  messages(extension: string): Summary;
  onNotified(extension: string, event: string, resource: string, body: string): void;
};

type Subscription = {
  readonly owner: string;
  readonly event: 'dialog' | 'message-summary';
  readonly resource: string;
  readonly id: string | undefined;
  readonly dialog: Dialog;
  version: number;
  expiresAt: number;
  timer: NodeJS.Timeout | undefined;
  /** What the phone was told last, by dialog or as one text. */
  told: Map<string, string>;
  /** A NOTIFY could not leave: the phone's socket was gone. */
  owed: boolean;
};

const EVENTS = ['dialog', 'message-summary'] as const;
const DEFAULT_S = 3600;
export const ALLOW_EVENTS: SipHeader = { name: 'Allow-Events', value: EVENTS.join(', ') };

/** The event package of a SUBSCRIBE, when the switch knows it. */
export function packageOf(request: SipRequest): Subscription['event'] | undefined {
  const name = (header(request, 'Event') ?? '').split(';')[0]?.trim().toLowerCase();
  return EVENTS.find((event) => event === name);
}

export class Subscriptions {
  readonly #ports: SubscriptionPorts;
  readonly #all = new Set<Subscription>();

  constructor(ports: SubscriptionPorts) {
    this.#ports = ports;
  }

  /** Live ones, for tests. */
  list(): { extension: string; event: string; resource: string; expiresAt: number }[] {
    return [...this.#all].map(({ owner, event, resource, expiresAt }) => ({
      extension: owner,
      event,
      resource,
      expiresAt,
    }));
  }

  /** A SUBSCRIBE outside a dialog, of a proven extension. */
  subscribe(transaction: ServerTransaction, owner: string): void {
    const { request, flow } = transaction;
    const event = packageOf(request);
    if (event === undefined) {
      this.refuse(transaction);
      return;
    }
    const resource = parseUri(request.uri).user || owner;
    const refusal = this.#refusal(event, resource, owner);
    if (refusal) {
      transaction.respond(...refusal);
      return;
    }
    const id = /;\s*id=([^;]+)/i.exec(header(request, 'Event') ?? '')?.[1]?.trim();
    const subscription: Subscription = {
      owner,
      event,
      resource,
      id,
      dialog: Dialog.answering(request, transaction.localTag, flow),
      version: 0,
      expiresAt: 0,
      timer: undefined,
      told: new Map(),
      owed: false,
    };
    const seconds = secondsOf(request);
    this.#accept(transaction, seconds);
    if (this.#ports.faults().subscriptions === 'silent') return;
    if (this.#ports.faults().subscriptions === 'terminated') this.#notify(subscription, 'deactivated', true);
    else this.#keep(subscription, seconds);
  }

  /** 489 with the packages that there are. */
  refuse(transaction: ServerTransaction): void {
    transaction.respond(489, 'Bad Event', { headers: [ALLOW_EVENTS] });
  }

  /** A request inside a subscription: a refresh, or its end. False when no subscription has this dialog. */
  receive(transaction: ServerTransaction, id: DialogId): boolean {
    const { request, flow } = transaction;
    const found = [...this.#all].find(
      ({ dialog }) =>
        dialog.id.callId === id.callId && dialog.id.localTag === id.localTag && dialog.id.remoteTag === id.remoteTag,
    );
    if (!found) return false;
    if (request.method !== 'SUBSCRIBE') transaction.respond(405, 'Method Not Allowed');
    else if (!found.dialog.receive(request, flow)) transaction.respond(500, 'CSeq out of order');
    else {
      // A refresh may bring a new Contact (RFC 6665 section 4.4.1).
      found.dialog.remoteTarget = contactOf(request) ?? found.dialog.remoteTarget;
      const seconds = secondsOf(request);
      this.#accept(transaction, seconds);
      this.#keep(found, seconds);
    }
    return true;
  }

  /** Something somewhere has changed: whoever watches it is told, and nobody is told twice. */
  refresh(): void {
    for (const subscription of this.#all) this.#notify(subscription, undefined, false);
  }

  /** A phone is back on a new socket: it gets what it missed, and unsolicited message counts where those are on. */
  registered(binding: Binding): void {
    for (const subscription of this.#all)
      if (subscription.owed && subscription.owner === binding.extension) this.#notify(subscription, undefined, true);
    if (this.#ports.faults().unsolicitedMwi) this.tellMessages([binding]);
  }

  /** Message counts without a subscription, as some switches send them to every device. */
  tellMessages(bindings: readonly Binding[]): void {
    for (const { extension, contact, flow } of bindings) {
      const address = `<sip:${extension}@${this.#ports.domain}>`;
      const body = messageSummary(extension, this.#ports.domain, this.#ports.messages(extension));
      const request: SipRequest = {
        kind: 'request',
        method: 'NOTIFY',
        uri: contact,
        headers: [
          { name: 'From', value: `${address};tag=${newTag()}` },
          { name: 'To', value: address },
          { name: 'Call-ID', value: newTag() },
          { name: 'CSeq', value: '1 NOTIFY' },
          { name: 'Event', value: 'message-summary' },
          { name: 'Subscription-State', value: 'terminated;reason=timeout' },
          this.#contact(),
          { name: 'Content-Type', value: 'application/simple-message-summary' },
        ],
        body,
      };
      this.#ports.send(flow, request, () => undefined);
      this.#ports.onNotified(extension, 'message-summary', extension, body);
    }
  }

  /**
   * Ends subscriptions from this side. `reason` as in RFC 6665 section 4.1.3: `deactivated`, `probation;retry-after=5`,
   * `rejected`, `giveup`, `noresource`, `timeout`.
   */
  end(reason: string, extension?: string): void {
    for (const subscription of [...this.#all])
      if (extension === undefined || subscription.owner === extension) this.#end(subscription, reason);
  }

  /** Forgets everything without a word. */
  close(): void {
    for (const { timer } of this.#all) clearTimeout(timer);
    this.#all.clear();
  }

  #refusal(event: Subscription['event'], resource: string, owner: string): [number, string] | undefined {
    const refused = this.#ports.faults().refuseSubscribe;
    if (refused) return [refused.status, refused.reason];
    if (event === 'message-summary' && resource !== owner) return [403, 'The mailbox of another extension'];
    if (event === 'dialog' && this.#ports.dialogs(resource) === undefined) return [404, 'Not Found'];
    return undefined;
  }

  #accept(transaction: ServerTransaction, seconds: number): void {
    const silent = this.#ports.faults().subscriptions === 'silent';
    transaction.respond(silent ? 202 : 200, silent ? 'Accepted' : 'OK', {
      headers: [{ name: 'Expires', value: String(seconds) }, this.#contact(), ALLOW_EVENTS],
    });
  }

  #keep(subscription: Subscription, seconds: number): void {
    clearTimeout(subscription.timer);
    subscription.expiresAt = Date.now() + seconds * 1000;
    if (seconds === 0) {
      this.#end(subscription, 'timeout');
      return;
    }
    subscription.timer = setTimeout(() => this.#end(subscription, 'timeout'), seconds * 1000);
    subscription.timer.unref();
    this.#all.add(subscription);
    // Every SUBSCRIBE is answered by the whole state (RFC 6665 section 4.2.1).
    subscription.told.clear();
    this.#notify(subscription, undefined, true);
  }

  #end(subscription: Subscription, reason: string): void {
    clearTimeout(subscription.timer);
    this.#all.delete(subscription);
    this.#notify(subscription, reason, true);
  }

  #notify(subscription: Subscription, ended: string | undefined, whole: boolean): void {
    const { dialog, owner, event, resource, id } = subscription;
    const flow = dialog.flow.open ? dialog.flow : this.#ports.flowFor(dialog.remoteTarget);
    subscription.owed = flow === undefined;
    if (!flow) return;
    const body = event === 'dialog' ? this.#dialogBody(subscription, whole) : this.#countBody(subscription, whole);
    if (body === undefined) return;
    dialog.flow = flow;
    const left = Math.max(0, Math.round((subscription.expiresAt - Date.now()) / 1000));
    const type = event === 'dialog' ? 'application/dialog-info+xml' : 'application/simple-message-summary';
    const notify = dialog.request(
      'NOTIFY',
      [
        { name: 'Event', value: id === undefined ? event : `${event};id=${id}` },
        {
          name: 'Subscription-State',
          value: ended === undefined ? `active;expires=${left}` : `terminated;reason=${ended}`,
        },
        this.#contact(),
        { name: 'Content-Type', value: type },
      ],
      body,
    );
    this.#ports.send(flow, notify, ({ status }) => {
      // The phone knows no such subscription any more. A lost socket says 408; then the state is owed.
      if (status === 481 || status === 489) this.#drop(subscription);
      else if (status === 408) subscription.owed = true;
    });
    this.#ports.onNotified(owner, event, resource, body);
  }

  #drop(subscription: Subscription): void {
    clearTimeout(subscription.timer);
    this.#all.delete(subscription);
  }

  #dialogBody(subscription: Subscription, whole: boolean): string | undefined {
    const { resource, told } = subscription;
    const now = this.#ports.dialogs(resource) ?? [];
    const texts = new Map(now.map((dialog) => [dialog.id, JSON.stringify(dialog)]));
    const changed = now.filter((dialog) => told.get(dialog.id) !== texts.get(dialog.id));
    const gone = [...told].flatMap(([id, text]) => (texts.has(id) ? [] : [terminated(text)]));
    if (!whole && changed.length === 0 && gone.length === 0) return undefined;
    subscription.told = texts;
    const partial = !whole && this.#ports.dialogState === 'partial';
    const version = subscription.version++;
    return dialogInfo(
      resource,
      this.#ports.domain,
      partial ? [...changed, ...gone] : [...now, ...gone],
      version,
      partial ? 'partial' : 'full',
    );
  }

  #countBody(subscription: Subscription, whole: boolean): string | undefined {
    const text = messageSummary(subscription.resource, this.#ports.domain, this.#ports.messages(subscription.resource));
    if (!whole && subscription.told.get('') === text) return undefined;
    subscription.told = new Map([['', text]]);
    return text;
  }

  #contact(): SipHeader {
    return { name: 'Contact', value: `<sip:switch@${this.#ports.address};transport=ws>` };
  }
}

function secondsOf(request: SipRequest): number {
  const asked = Number(header(request, 'Expires') ?? DEFAULT_S);
  return Number.isFinite(asked) ? Math.max(0, Math.min(asked, DEFAULT_S)) : DEFAULT_S;
}

/** A dialog that was told of last time and is gone now. */
function terminated(text: string): WatchedDialog {
  return { ...(JSON.parse(text) as WatchedDialog), state: 'terminated' };
}
