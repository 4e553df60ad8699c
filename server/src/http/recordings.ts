/**
 * Recordings over HTTP: `PUT /v1/recordings/<tenant>/<pbx>/…` takes one from a phone system, `GET
 * /v1/recording-files/<token>` is what a link opens, `DELETE /v1/calls/<call id>/recording` deletes one with proof. Owns who may hand over
 * and who may delete (who may listen: `listening.ts`); must never hold a whole file.
 */
import { randomBytes } from 'node:crypto';
import { CallIdSchema, errorCode, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { json, type Request, type Response, Router } from 'express';
import * as v from 'valibot';
import { pbxRecords, proveRecords } from '../call-records/intake.ts';
import { deleteRecording } from '../recordings/deletion.ts';
import { keptOfEdge } from '../recordings/edge-rule.ts';
import { followLink, UsedLinks } from '../recordings/link.ts';
import type { CallName } from '../recordings/recorded-call.ts';
import type { Stretch } from '../recordings/stretches.ts';
import { type ChannelOrder, channelOrders } from '../recordings/wav.ts';
import type { StoredCall } from '../store/contract.ts';
import { read, withRole } from './guards.ts';
import type { RelayParts } from './parts.ts';
import { sendSound } from './send-sound.ts';

/** Why a recording goes: kept as its proof. */
const DeletionSchema = v.object({ reason: v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(300)) });

/** The two routes that take a recording, as the router reads them. */
const uploads = /^\/v1\/recordings\/[^/]+\/[^/]+\/(?:calls|sip)\/[^/]+\/?$/i;

/** Kamailio hears nothing itself: what comes by its name was recorded by the rtpengine beside it, whatever the rules are. */
const edge = 'kamailio';

/** Whether a request may take as long as sound does. */
export function isUpload(method: string, path: string): boolean {
  return method === 'PUT' && uploads.test(path);
}

export function recordingRoutes(parts: RelayParts): Router {
  const used = new UsedLinks();
  const nobodys = { secret: randomBytes(32).toString('base64url') };

  /** Takes the body for the call that `named` finds, from a phone system that may report this tenant's calls. */
  const take = async (request: Request, response: Response, named: (text: string) => CallName): Promise<void> => {
    const { tenant, pbx, call: name } = request.params as { tenant: string; pbx: string; call: string };
    const settings = pbxRecords(parts.tenants, tenant, pbx);
    try {
      // The secret itself, no signature: that would be known to be wrong only after everything was read.
      const { authorization } = request.headers;
      const proof = { headers: { authorization }, body: Buffer.alloc(0), address: request.ip ?? '', now: parts.now() };
      proveRecords(settings ?? nobodys, proof);
    } catch (error) {
      response.set('connection', 'close');
      parts.metrics.refused.inc({ why: 'recordings' });
      throw error;
    }
    const { recordings } = parts;
    if (Number(request.headers['content-length'] ?? 0) > recordings.largest) {
      response.set('connection', 'close');
      throw new PatchcordError(
        'request.invalid',
        `The recording is larger than ${recordings.largest / 1_000_000} MB ("recordings.largestMb"). It was not kept.`,
      );
    }
    const order = orderOf(request);
    const call = await recordings.callOf(tenant as TenantId, named(name));
    const kept = pbx === edge ? await keptOf(parts, call) : null;
    // A refusal is to be read by who sends: the rest of the body is let go by, not cut off.
    const body = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
    try {
      const { isNew, recording } = await recordings.take(call, order, body, 'phone-system', kept);
      parts.metrics.recordings.inc({ result: isNew ? 'stored' : 'known' });
      const { callId, channels, durationMs } = recording;
      if (isNew) {
        void parts.audit.note({
          tenant: recording.tenant,
          actor: `pbx:${pbx}`,
          act: 'recording.stored',
          subject: `call:${callId}`,
          data: { durationMs, channels },
          at: parts.now(),
        });
      }
      response.status(isNew ? 201 : 200).json({ callId, channels, durationMs });
    } catch (error) {
      if (errorCode(error) === 'request.invalid') {
        parts.metrics.recordings.inc({ result: 'refused' });
        parts.log.warn({ tenant, pbx, callId: call.callId, why: (error as Error).message }, 'a recording was refused');
      }
      throw error;
    }
  };

  return Router()
    .put('/v1/recordings/:tenant/:pbx/calls/:call', (request, response) =>
      take(request, response, (text) => {
        const callId = v.safeParse(CallIdSchema, text);
        if (!callId.success) throw new PatchcordError('request.invalid', 'The address must end in a call id: a UUID.');
        return { callId: callId.output };
      }),
    )
    .put('/v1/recordings/:tenant/:pbx/sip/:call', (request, response) =>
      take(request, response, (sipCallId) => {
        if (sipCallId.length > 255)
          throw new PatchcordError('request.invalid', 'A SIP Call-ID has at most 255 characters.');
        return { sipCallId };
      }),
    )
    .delete(
      '/v1/calls/:id/recording',
      json({ limit: '4kb' }),
      withRole(parts, 'supervisor', async (session, request, response) => {
        const callId = v.safeParse(CallIdSchema, request.params.id);
        if (!callId.success) throw new PatchcordError('call.unknown', 'There is no recording of such a call.');
        const { reason } = read(DeletionSchema, request.body);
        const by = { actor: `agent:${session.agent}`, reason };
        response.json(await deleteRecording(parts, session.tenant, callId.output, by));
      }),
    )
    .get('/v1/recording-files/:token', async (request, response) => {
      const token = String(request.params.token);
      const link = await followLink(parts, token);
      const opened = await parts.recordings.open(link.recording);
      const isFirst = (): boolean => used.isFirst(token, link.expiresAt, parts.now());
      try {
        const { recording, size } = opened;
        const { tenant, callId } = recording;
        await sendSound(
          {
            ...{ size, file: recording.file, type: 'audio/wav', name: `call-${callId}.wav`, use: link.use },
            read: (from, to) => opened.read(from, to),
            // Whatever part is heard first, and each time it is heard from its beginning: a player asks for the rest in many parts.
            heard: (fromTheBeginning) => {
              if (!isFirst() && !fromTheBeginning) return;
              const act = 'recording.opened';
              void parts.audit.note({ tenant, actor: link.by, act, subject: `call:${callId}`, at: parts.now() });
            },
            failed: (error) => parts.log.error({ err: error, callId }, 'a recording could not be sent to its end'),
          },
          request,
          response,
        );
      } finally {
        await opened.close();
      }
    });
}

/** What of the edge's recording of a call may be kept. @throws as `keptOfEdge`, and PatchcordError `store.unavailable` */
async function keptOf({ tenants, store, recordings, now }: RelayParts, call: StoredCall): Promise<readonly Stretch[]> {
  const config = tenants.find(call.tenant)?.config;
  if (config === undefined) throw new PatchcordError('call.unknown', 'There is no such customer any more.');
  const [parts, [known]] = await Promise.all([
    recordings.unfinished.of(call.tenant, call.callId),
    store.recordings.ofCalls(call.tenant, [call.callId]),
  ]);
  const found = { keptFromPhone: parts.length > 0, known: known ?? null };
  return keptOfEdge({ call, config, ...found, now: now() });
}

function orderOf(request: Request): ChannelOrder {
  const { channels } = request.query;
  const order = channelOrders.find((one) => one === channels);
  if (order === undefined) {
    throw new PatchcordError(
      'request.invalid',
      `Say whose voice is on which channel: ?channels= with one of ${channelOrders.join(' | ')}.`,
    );
  }
  return order;
}
