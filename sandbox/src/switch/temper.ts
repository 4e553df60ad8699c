/**
 * Whose manners the switch has: its own, or those of a telephone system that treats a lost connection worse.
 * Holds what differs, as facts that the other files obey in the one place each comment names; must never act by itself.
 * FreeSWITCH 1.10.12 and Asterisk 22/23 were watched at work; nothing here is read from their code.
 */
import type { Faults } from './faults.ts';

export type TemperName = 'own' | 'freeswitch' | 'asterisk';

export type Temper = {
  /** What every message calls its sender; absent: nothing (endpoint). */
  readonly product: { readonly name: 'Server' | 'User-Agent'; readonly value: string } | undefined;
  /** The Supported header of calls, OPTIONS and, without `outbound`, of REGISTER (agent's call, requests, registrar). */
  readonly supported: string;
  /** Devices have an address that outlives their connection: RFC 5626 and RFC 5627 (registrar). */
  readonly outbound: boolean;
  /**
   * Which connection the switch's own requests inside a call take (agent's call). `device`: where the device is registered
   * now; `invited`: where the last INVITE of the call came from; `first`: where the call began, for ever.
   */
  readonly requestsGo: 'device' | 'invited' | 'first';
  /** A phone that registers on a new connection while a call rings gets the INVITE again (reach). */
  readonly ringsOn: boolean;
  /** From, To and Contact name the machine and the number, as a back-to-back user agent on UDP would (agent's call). */
  readonly namesItself: boolean;
  /** A changed certificate in a re-INVITE is answered, and its handshake is not (agent's call). */
  readonly keepsHandshake: boolean;
  /**
   * Replaces finds any answered dialog whoever asks, a call without one is a new call to the Request-URI, and an application
   * ends where it is replaced (requests, exchange).
   */
  readonly replacesLoosely: boolean;
  /** A REFER is told of as done and the agent let go before anybody was asked (requests, exchange). */
  readonly transfersBlindly: boolean;
  /** A dialog that ended answers INFO with 200 and BYE with 481 (agent's call). */
  readonly answersFromTheGrave: boolean;
  /** What is always so, whatever a test sets beside it (faults). */
  readonly faults: Readonly<Faults>;
};

const TEMPERS: Record<TemperName, Temper> = {
  own: {
    product: undefined,
    supported: 'replaces, outbound, timer, 100rel',
    outbound: true,
    requestsGo: 'device',
    ringsOn: true,
    namesItself: false,
    keepsHandshake: false,
    replacesLoosely: false,
    transfersBlindly: false,
    answersFromTheGrave: false,
    faults: {},
  },
  freeswitch: {
    product: { name: 'User-Agent', value: 'FreeSWITCH-mod_sofia/1.10.12-release~64bit' },
    supported: 'timer, path, replaces',
    outbound: false,
    requestsGo: 'first',
    ringsOn: false,
    namesItself: true,
    keepsHandshake: false,
    replacesLoosely: true,
    transfersBlindly: true,
    answersFromTheGrave: true,
    faults: { anyFrom: true, subscriptions: 'silent', unsolicitedMwi: true },
  },
  asterisk: {
    product: { name: 'Server', value: 'Asterisk PBX 22.10.1' },
    supported: '100rel, timer, replaces, norefersub, histinfo',
    outbound: false,
    requestsGo: 'invited',
    ringsOn: false,
    namesItself: false,
    keepsHandshake: true,
    replacesLoosely: false,
    transfersBlindly: false,
    answersFromTheGrave: false,
    faults: {},
  },
};

export function temperOf(name: TemperName | undefined): Temper {
  return TEMPERS[name ?? 'own'];
}
