/**
 * Takes the records a phone system sends: proves who sent them, reads them, finds the agent, has them stored. Owns the proofs and that nothing is
 * acknowledged that is not on disk. Must never let one unreadable record hold the others back, nor say which tenant exists.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { BlockList, isIPv6 } from 'node:net';
import {
  type AgentId,
  type CallReportData,
  errorCode,
  PatchcordError,
  type Pbx,
  type TenantId,
} from '@patchcord/call-protocol';
import { toE164 } from '@patchcord/crm-adapters/relay';
import type { CallReport } from '../call-log/call-report.ts';
import type { EventRecorder } from '../call-log/record-events.ts';
import type { TenantConfig } from '../config.ts';
import type { Log } from '../logging.ts';
import type { Metrics } from '../metrics.ts';
import type { Tenants } from '../tenants.ts';
import { readFreeSwitch } from './freeswitch.ts';
import { plainReader } from './plain.ts';
import type { CallRecordReader } from './reader.ts';

/** A shipper that was away for a day sends in batches. */
export const recordsAtOnce = 500;
const freshForMs = 300_000;

const readers: Readonly<Record<Pbx, CallRecordReader>> = {
  kamailio: plainReader('kamailio'),
  asterisk: plainReader('asterisk'),
  freeswitch: readFreeSwitch,
};

export interface RecordsTaken {
  /** On disk now: just stored, or known from before. */
  readonly stored: number;
  /** No agent has this extension. */
  readonly ignored: number;
  /** Can never be taken, and why. */
  readonly refused: readonly { readonly index: number; readonly message: string }[];
}

export type PbxRecords = NonNullable<NonNullable<TenantConfig['callRecords']>[Pbx]>;

export class CallRecordIntake {
  readonly #tenants: Tenants;
  readonly #recorder: EventRecorder;
  readonly #metrics: Metrics;
  readonly #log: Log;
  readonly #onReport: readonly ((report: CallReport) => void)[];

  constructor(options: {
    readonly tenants: Tenants;
    readonly recorder: EventRecorder;
    readonly metrics: Metrics;
    readonly log: Log;
    /** Hear every report of an agent's call, once it is stored. Must not throw. */
    readonly onReport: readonly ((report: CallReport) => void)[];
  }) {
    this.#tenants = options.tenants;
    this.#recorder = options.recorder;
    this.#metrics = options.metrics;
    this.#log = options.log;
    this.#onReport = options.onReport;
  }

  /** How this phone system of this tenant proves itself; undefined when it may not report. */
  settings(tenant: string, pbx: string): PbxRecords | undefined {
    return pbxRecords(this.#tenants, tenant, pbx);
  }

  /**
   * Stores what can be stored.
   * @throws PatchcordError `store.unavailable`: some may not have been taken, send all again; repeats are harmless
   */
  async take(tenant: TenantId, pbx: Pbx, records: readonly unknown[]): Promise<RecordsTaken> {
    const refused: { index: number; message: string }[] = [];
    let stored = 0;
    let ignored = 0;
    for (const [index, record] of records.entries()) {
      try {
        for (const data of readers[pbx](record)) {
          if (await this.#takeOne(tenant, data)) stored += 1;
          else ignored += 1;
        }
      } catch (error) {
        if (errorCode(error) !== 'request.invalid') throw error;
        refused.push({ index, message: (error as PatchcordError).message });
        this.#metrics.callReports.inc({ pbx, result: 'refused' });
      }
    }
    if (refused.length > 0)
      this.#log.warn({ tenant, pbx, refused: refused.length, why: refused[0]?.message }, 'call records were refused');
    return { stored, ignored, refused };
  }

  async #takeOne(tenantId: TenantId, data: CallReportData): Promise<boolean> {
    const { pbx } = data;
    const tenant = this.#tenants.find(tenantId)?.config;
    const agent = tenant === undefined ? undefined : agentOf(tenant, data);
    if (tenant === undefined || agent === undefined) {
      this.#metrics.callReports.inc({ pbx, result: 'ignored' });
      return false;
    }
    const e164 = toE164(data.farSide.number, tenant.country);
    const report: CallReport = {
      ...data,
      tenant: tenantId,
      extension: agent.extension,
      farSide: { ...data.farSide, ...(e164 === null ? {} : { e164 }) },
    };
    const isNew = await this.#recorder.takeReport(agent.id as AgentId, report);
    this.#metrics.callReports.inc({ pbx, result: isNew ? 'stored' : 'known' });
    if (isNew) for (const hear of this.#onReport) hear(report);
    return true;
  }
}

/** How a phone system of a tenant proves itself; undefined when it may tell nothing. */
export function pbxRecords(tenants: Pick<Tenants, 'find'>, tenant: string, pbx: string): PbxRecords | undefined {
  if (!Object.hasOwn(readers, pbx)) return undefined;
  return tenants.find(tenant)?.config.callRecords?.[pbx as Pbx];
}

/** By extension; a device of it may carry a mark behind, and what rings all of them (on Asterisk) a prefix. */
function agentOf(
  tenant: TenantConfig,
  { extension, device }: CallReportData,
): TenantConfig['agents'][number] | undefined {
  const named = (name: string | null | undefined) =>
    name == null ? undefined : tenant.agents.find((agent) => agent.extension === name);
  const { credential } = tenant.sip;
  const companion = credential.kind === 'asterisk-ari' ? credential.companionPrefix : '99';
  const short = (name: string): string | undefined => /^(?:\d+:)?([^-]+)(?:-[A-Za-z0-9]+)?$/.exec(name)?.[1];
  return (
    named(extension) ??
    named(device) ??
    named(short(extension)) ??
    (device === null ? undefined : named(short(device))) ??
    (extension.startsWith(companion) ? named(extension.slice(companion.length)) : undefined)
  );
}

/** What a request shows of who sent it. */
export interface RecordProof {
  /** Lower-case names, as Node gives them. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array;
  readonly address: string;
  readonly now: number;
}

/**
 * A signature (Standard Webhooks: HMAC-SHA256 over id, time and body), a bearer token, or a Basic password, and the source where it is fixed.
 * @throws PatchcordError `identity.required`
 */
export function proveRecords(settings: PbxRecords, proof: RecordProof): void {
  const secrets = [settings.secret, settings.previousSecret].filter((one) => one !== undefined);
  if (settings.from !== undefined && !comesFrom(settings.from, proof.address)) throw notProven();
  const signature = textHeader(proof.headers['webhook-signature']);
  if (signature !== null) {
    const id = textHeader(proof.headers['webhook-id']) ?? '';
    const time = textHeader(proof.headers['webhook-timestamp']) ?? '';
    const fresh = /^\d{9,12}$/.test(time) && Math.abs(proof.now - Number(time) * 1_000) <= freshForMs;
    const expected = secrets.map((secret) =>
      createHmac('sha256', keyOf(secret)).update(`${id}.${time}.`).update(proof.body).digest(),
    );
    const given = signature
      .split(' ')
      .flatMap((one) => (one.startsWith('v1,') ? [Buffer.from(one.slice(3), 'base64')] : []));
    const matches = expected.some((one) =>
      given.some((other) => other.length === one.length && timingSafeEqual(one, other)),
    );
    if (fresh && id !== '' && matches) return;
    throw notProven();
  }
  const [scheme = '', credential = ''] = (textHeader(proof.headers.authorization) ?? '').split(' ');
  const basic = scheme.toLowerCase() === 'basic' ? Buffer.from(credential, 'base64').toString('utf8') : '';
  const shown = scheme.toLowerCase() === 'bearer' ? credential : basic.slice(basic.indexOf(':') + 1);
  if (shown === '' || !secrets.map((secret) => same(shown, secret)).includes(true)) throw notProven();
}

function keyOf(secret: string): Buffer {
  return secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : Buffer.from(secret, 'utf8');
}

/** In constant time, whatever the lengths. */
function same(given: string, wanted: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(given), hash(wanted));
}

const named: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

function comesFrom(networks: readonly string[], address: string): boolean {
  const list = new BlockList();
  for (const network of networks.flatMap((one) => named[one] ?? [one])) {
    const [host = '', bits] = network.split('/');
    const family = isIPv6(host) ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(host, family);
    else list.addSubnet(host, Number(bits), family);
  }
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '');
  return list.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4');
}

function textHeader(value: string | readonly string[] | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function notProven(): PatchcordError {
  return new PatchcordError(
    'identity.required',
    'Call records need the secret of this phone system: as a bearer token, a Basic password or a signature not older than five minutes, from an address that may report.',
  );
}
