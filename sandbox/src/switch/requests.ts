/**
 * The front desk: every request of a phone arrives here and is answered or handed to the registrar, the exchange or the
 * subscriptions. Owns what a request means outside a call; must never hold a call's state.
 */
import { AgentCall, type AgentCallPorts, ALLOWED } from './agent-call.ts';
import type { CredentialGate } from './credentials.ts';
import type { DialogId } from './dialog.ts';
import { isNamedBy } from './dialog-states.ts';
import type { Exchange } from './exchange.ts';
import type { FaultPanel } from './faults.ts';
import type { Registrar } from './registrar.ts';
import type { ServerTransaction } from './sip-endpoint.ts';
import {
  header,
  headerList,
  parseNameAddress,
  parseParams,
  parseUri,
  type SipRequest,
  sequence,
  splitOutside,
} from './sip-message.ts';
import { ALLOW_EVENTS, packageOf, type Subscriptions } from './subscriptions.ts';

export type RequestDeskPorts = {
  readonly domain: string;
  readonly address: string;
  readonly faults: FaultPanel;
  readonly gate: CredentialGate;
  readonly registrar: Registrar;
  readonly exchange: Exchange;
  readonly subscriptions: Subscriptions;
  readonly calls: AgentCallPorts;
};

const SUPPORTED_EXTENSIONS = ['replaces', 'outbound', 'gruu', 'path', 'timer', '100rel'];

export class RequestDesk {
  readonly #ports: RequestDeskPorts;
  #refusedInvites = 0;

  constructor(ports: RequestDeskPorts) {
    this.#ports = ports;
    ports.exchange.onRefer = (call, transaction) => this.#onRefer(call, transaction);
  }

  /** Answers it, or hands it to whom it concerns. */
  receive(transaction: ServerTransaction): void {
    const { request } = transaction;
    const toTag = parseNameAddress(header(request, 'To') ?? '').params.get('tag');
    if (toTag !== undefined) {
      this.#inDialog(transaction, toTag);
      return;
    }
    const unknown = headerList(request, 'Require').filter((tag) => !SUPPORTED_EXTENSIONS.includes(tag.toLowerCase()));
    if (unknown.length > 0 && request.method !== 'ACK') {
      transaction.respond(420, 'Bad Extension', {
        headers: [{ name: 'Unsupported', value: unknown.join(', ') }],
      });
      return;
    }
    switch (request.method) {
      case 'REGISTER':
        this.#onRegister(transaction);
        return;
      case 'INVITE':
        this.#onInvite(transaction);
        return;
      case 'OPTIONS':
        transaction.respond(200, 'OK', {
          headers: [
            { name: 'Allow', value: ALLOWED },
            { name: 'Accept', value: 'application/sdp' },
            { name: 'Supported', value: this.#ports.calls.temper.supported },
            ALLOW_EVENTS,
          ],
        });
        return;
      case 'ACK':
        return;
      case 'SUBSCRIBE':
        this.#onSubscribe(transaction);
        return;
      case 'REFER':
        transaction.respond(403, 'Only an answered call can be transferred');
        return;
      case 'BYE':
      case 'INFO':
      case 'NOTIFY':
      case 'UPDATE':
      case 'PRACK':
        transaction.respond(481, 'Call/Transaction Does Not Exist');
        return;
      default:
        transaction.respond(405, 'Method Not Allowed', { headers: [{ name: 'Allow', value: ALLOWED }] });
        return;
    }
  }

  #inDialog(transaction: ServerTransaction, localTag: string): void {
    const { request } = transaction;
    const id = {
      callId: header(request, 'Call-ID') ?? '',
      localTag,
      remoteTag: parseNameAddress(header(request, 'From') ?? '').params.get('tag') ?? '',
    };
    const call = this.#ports.exchange.findCall(id);
    if (call) {
      call.receive(transaction);
      return;
    }
    if (this.#ports.subscriptions.receive(transaction, id)) return;
    transaction.respond(481, 'Call/Transaction Does Not Exist');
  }

  /** The proven extension, or undefined after the challenge or refusal has gone out. */
  #proven(transaction: ServerTransaction): string | undefined {
    const verdict = this.#ports.gate.check(transaction.request, Date.now(), this.#ports.faults.current.anyFrom);
    if (verdict.ok) return verdict.extension;
    transaction.respond(verdict.status, verdict.reason, { headers: verdict.challenges });
    return undefined;
  }

  #onRegister(transaction: ServerTransaction): void {
    const refusal = this.#ports.faults.current.refuseRegister;
    if (refusal) {
      transaction.respond(refusal.status, refusal.reason);
      return;
    }
    const extension = this.#proven(transaction);
    if (extension !== undefined) this.#ports.registrar.register(transaction, extension);
  }

  #onSubscribe(transaction: ServerTransaction): void {
    // An unknown package is refused to anybody: what there is to watch is no secret, who does what is.
    if (packageOf(transaction.request) === undefined) {
      this.#ports.subscriptions.refuse(transaction);
      return;
    }
    const extension = this.#proven(transaction);
    if (extension !== undefined) this.#ports.subscriptions.subscribe(transaction, extension);
  }

  #onInvite(transaction: ServerTransaction): void {
    const extension = this.#proven(transaction);
    if (extension === undefined) return;
    const refusal = this.#ports.faults.current.refuseInvite;
    if (refusal && this.#refusedInvites < (refusal.times ?? Number.POSITIVE_INFINITY)) {
      this.#refusedInvites += 1;
      transaction.respond(refusal.status, refusal.reason);
      return;
    }
    if (!refusal) this.#refusedInvites = 0;
    const { request } = transaction;
    const tooShort = this.#intervalTooSmall(request);
    if (tooShort !== undefined) {
      transaction.respond(422, 'Session Interval Too Small', {
        headers: [{ name: 'Min-SE', value: String(tooShort) }],
      });
      return;
    }
    const name = parseNameAddress(header(request, 'From') ?? '').display;
    const make = (): AgentCall =>
      AgentCall.placedBy(extension, name === '' ? undefined : name, transaction, this.#ports.calls);
    const replaces = header(request, 'Replaces');
    if (replaces !== undefined && !this.#asNewCall(replaces)) {
      this.#onReplaces(transaction, replaces, extension, make);
      return;
    }
    const target = parseUri(request.uri);
    if (
      target.scheme !== 'tel' &&
      target.host !== this.#ports.domain &&
      `${target.host}:${target.port}` !== this.#ports.address
    ) {
      transaction.respond(404, 'Domain is not served here');
      return;
    }
    const preferred = headerList(request, 'P-Preferred-Identity')[0] ?? header(request, 'From') ?? '';
    const shown = parseUri(parseNameAddress(preferred).uri).user;
    this.#ports.exchange.place(make(), target.user, shown === extension ? undefined : shown);
  }

  /** Where Replaces is taken loosely, one that names no talk is an ordinary call to the Request-URI. */
  #asNewCall(replaces: string): boolean {
    if (!this.#ports.calls.temper.replacesLoosely) return false;
    const old = this.#ports.exchange.findNamed(replacedDialog(replaces));
    return !old?.live;
  }

  /** RFC 3891: an early dialog is picked up by anybody of the house, a talk is moved by its own agent. */
  #onReplaces(transaction: ServerTransaction, value: string, extension: string, make: () => AgentCall): void {
    const { exchange } = this.#ports;
    const id = replacedDialog(value);
    const earlyOnly = /;\s*early-only/i.test(value);
    const refuse = (status: number, reason: string): void => transaction.respond(status, reason);
    const colleague = exchange.plan.colleagues.all().find((entry) => entry.call && isNamedBy(entry.call, id));
    const atColleague = colleague && exchange.plan.fromColleague(colleague);
    if (atColleague) {
      exchange.pickUp(make(), atColleague);
      return;
    }
    if (colleague) {
      earlyOnly ? refuse(486, 'Busy Here') : refuse(403, 'Only the agent of a call may replace it');
      return;
    }
    const old = exchange.findNamed(id);
    if (!old) {
      refuse(481, 'Call/Transaction Does Not Exist');
      return;
    }
    if (!old.live) {
      refuse(603, 'Decline');
      return;
    }
    if (!old.answered) {
      // Its own agent's phone began it and nobody has answered: there is nothing to pick up (section 3).
      if (old.placed) {
        refuse(481, 'Call/Transaction Does Not Exist');
        return;
      }
      exchange.pickUp(make(), old);
      return;
    }
    if (earlyOnly) {
      refuse(486, 'Busy Here');
      return;
    }
    if (old.number !== extension && !this.#ports.calls.temper.replacesLoosely) {
      refuse(403, 'Only the agent of a call may replace it');
      return;
    }
    void exchange.replace(old, make());
  }

  /** The Min-SE that a request falls short of (RFC 4028 section 9). */
  #intervalTooSmall(request: SipRequest): number | undefined {
    const timer = this.#ports.faults.current.sessionTimer;
    const asked = Number.parseInt(header(request, 'Session-Expires') ?? '', 10);
    const least = timer?.leastSeconds ?? 90;
    return timer && asked < least ? least : undefined;
  }

  #onRefer(call: AgentCall, transaction: ServerTransaction): void {
    const { request } = transaction;
    const targets = headerList(request, 'Refer-To');
    const only = targets[0];
    if (only === undefined || targets.length > 1) {
      transaction.respond(400, 'Refer-To must name exactly one target');
      return;
    }
    const target = parseUri(parseNameAddress(only).uri);
    const party = this.#ports.exchange.transferable(call);
    if (!party) {
      transaction.respond(491, 'Request Pending');
      return;
    }
    // RFC 4488: the agent may decline to be told.
    const silent = header(request, 'Refer-Sub')?.toLowerCase() === 'false';
    transaction.respond(202, 'Accepted', {
      headers: [
        { name: 'Contact', value: `<sip:switch@${this.#ports.address};transport=ws>` },
        ...(silent ? [{ name: 'Refer-Sub', value: 'false' }] : []),
      ],
    });
    const tell = (line: string, final: boolean): void => {
      if (!silent)
        call.notify(sequence(request).number, line, final ? 'terminated;reason=noresource' : 'active;expires=60');
    };
    const { transfersBlindly } = this.#ports.calls.temper;
    if (transfersBlindly) tell('200 OK', true);
    else tell('100 Trying', false);
    const replaces = target.headers.get('replaces');
    if (replaces !== undefined) {
      const consult = this.#ports.exchange.findCall(replacedDialog(replaces));
      const joined = consult && this.#ports.exchange.transferBetween(call, consult, () => tell('200 OK', true));
      if (!joined) tell('481 Call/Transaction Does Not Exist', true);
      return;
    }
    if (transfersBlindly) {
      const nothing = (): void => undefined;
      const hooks = { onRinging: nothing, onAnswered: nothing, onRefused: nothing };
      this.#ports.exchange.transferTo(call, party, target.user, hooks);
      return;
    }
    this.#ports.exchange.transferTo(call, party, target.user, {
      onRinging: () => tell('180 Ringing', false),
      onAnswered: () => tell('200 OK', true),
      onRefused: (status, reason) => tell(`${status} ${reason}`, true),
    });
  }
}

/** RFC 3891: tags are named from the point of view of whoever receives the Replaces, which is the switch. */
function replacedDialog(value: string): DialogId {
  const [callId = '', ...pieces] = splitOutside(value, ';');
  const params = parseParams(pieces);
  return { callId, localTag: params.get('to-tag') ?? '', remoteTag: params.get('from-tag') ?? '' };
}
