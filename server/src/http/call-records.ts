/**
 * `POST /v1/call-records/:tenant/:pbx`: what phone systems tell of calls. 2xx means stored. Owns the limits and how the body is read: as JSON
 * whatever its content type says, since FreeSWITCH calls it a form; a query such as `?uuid=a_…` is not looked at.
 */
import { randomBytes } from 'node:crypto';
import { PatchcordError, type Pbx, type TenantId } from '@patchcord/call-protocol';
import { Router, raw } from 'express';
import { CallRecordIntake, proveRecords, recordsAtOnce } from '../call-records/intake.ts';
import type { RelayParts } from './parts.ts';

export function callRecordRoutes(parts: RelayParts): Router {
  const intake = new CallRecordIntake({
    tenants: parts.tenants,
    recorder: parts.recorder,
    metrics: parts.metrics,
    log: parts.log,
    onReport: [
      (report) => {
        parts.brakes
          .hear(report)
          .catch((error: unknown) => parts.log.error({ err: error }, 'the brakes did not hear a report'));
      },
    ],
  });
  const nobodys = { secret: randomBytes(32).toString('base64url') };
  return Router().post(
    '/v1/call-records/:tenant/:pbx',
    raw({ type: () => true, limit: '1mb' }),
    async (request, response, next) => {
      const { tenant, pbx } = request.params as { tenant: string; pbx: string };
      const settings = intake.settings(tenant, pbx);
      const body: Buffer = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      try {
        // Who may not report hears the same from every tenant and phone system, there or not.
        proveRecords(settings ?? nobodys, {
          headers: request.headers,
          body,
          address: request.ip ?? '',
          now: parts.now(),
        });
      } catch (error) {
        parts.metrics.refused.inc({ why: 'call-records' });
        throw error;
      }
      if (settings === undefined) {
        next('router');
        return;
      }
      const read = readBody(body);
      const records = Array.isArray(read) ? (read as readonly unknown[]) : [read];
      if (records.length > recordsAtOnce) {
        throw new PatchcordError(
          'request.invalid',
          `At most ${recordsAtOnce} call records at once; send the rest afterwards.`,
        );
      }
      const taken = await intake.take(tenant as TenantId, pbx as Pbx, records);
      const [first] = taken.refused;
      // One record alone that can't be read: its sender must hear of it, FreeSWITCH then keeps it on disk.
      if (first !== undefined && !Array.isArray(read)) throw new PatchcordError('request.invalid', first.message);
      response.json(taken);
    },
  );
}

function readBody(body: Buffer): unknown {
  const text = body.toString('utf8');
  // With `encode` on, mod_json_cdr sends a form: cdr=<percent-encoded JSON>.
  const json = text.startsWith('cdr=') ? formValue(text) : text;
  try {
    return JSON.parse(json);
  } catch {
    throw new PatchcordError('request.invalid', 'Call records must be JSON: one record, or a list of them.');
  }
}

function formValue(text: string): string {
  return new URLSearchParams(text).get('cdr') ?? '';
}
