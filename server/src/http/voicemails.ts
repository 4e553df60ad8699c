/**
 * Voicemails over HTTP: `POST /v1/voicemails/<tenant>/<pbx>` takes one from a phone system, `/v1/voicemails` is the signed-in agent's own mailbox,
 * `GET /v1/voicemail-files/<token>` is what a link of it plays. Owns who may hand over and who may listen; nothing is read from whom nobody knows.
 */
import { randomBytes } from 'node:crypto';
import { MIMEType } from 'node:util';
import {
  errorCode,
  type Match,
  PatchcordError,
  type TenantId,
  type Voicemail,
  VoicemailChangeSchema,
  type Voicemails as VoicemailList,
} from '@patchcord/call-protocol';
import { json, type Request, type RequestHandler, Router, raw } from 'express';
import { pbxRecords, proveRecords } from '../call-records/intake.ts';
import type { SessionOwner } from '../identity/sessions.ts';
import { UsedLinks } from '../recordings/link.ts';
import type { AuditEntry, StoredVoicemail } from '../store/contract.ts';
import { followVoicemailLink, voicemailLink } from '../voicemails/link.ts';
import { refused } from '../voicemails/message.ts';
import { tooMany } from './errors.ts';
import { read, withSession } from './guards.ts';
import type { RelayParts } from './parts.ts';
import { sendSound } from './send-sound.ts';

const uploads = /^\/v1\/voicemails\/[^/]+\/[^/]+\/?$/i;
/** What a form has around its sound: the message's words, boundaries. */
const formBytes = 200_000;
/** Parts of one form. To read hundreds of thousands of empty ones would hold up everybody for seconds. */
const mostParts = 20;
/** Callers that one list asks for, and how long it waits for all of them. */
const mostAsked = 30;
const matchesWithinMs = 1_500;

/** Whether a request may take as long as sound does. */
export function isVoicemailUpload(method: string, path: string): boolean {
  return method === 'POST' && uploads.test(path);
}

export function voicemailRoutes(parts: RelayParts): Router {
  const used = new UsedLinks();
  const nobodys = { secret: randomBytes(32).toString('base64url') };
  const { voicemails } = parts;

  const prove: RequestHandler = async (request, response, next) => {
    const { tenant, pbx } = request.params as { tenant: string; pbx: string };
    try {
      // The secret itself, no signature: that would be known to be wrong only after everything was read.
      const { authorization } = request.headers;
      const proof = { headers: { authorization }, body: Buffer.alloc(0), address: request.ip ?? '', now: parts.now() };
      proveRecords(pbxRecords(parts.tenants, tenant, pbx) ?? nobodys, proof);
    } catch (error) {
      response.set('connection', 'close');
      parts.metrics.refused.inc({ why: 'voicemails' });
      throw error;
    }
    if (!(await parts.limits.take('voicemails', tenant))) throw tooMany(60_000);
    next();
  };

  /** Whose mailbox a session opens. */
  const ownerOf = async (session: SessionOwner) => {
    if (!(await parts.limits.take('voicemail-boxes', `${session.tenant} ${session.agent}`))) throw tooMany(60_000);
    return parts.tenants.knownAgent(session.tenant, session.agent);
  };

  const note = ({ tenant, id }: StoredVoicemail, actor: string, act: AuditEntry['act']): void => {
    void parts.audit.note({ tenant, actor, act, subject: `voicemail:${id}`, at: parts.now() });
  };

  const change = async (session: SessionOwner, id: string, asked: unknown): Promise<Voicemail> => {
    const { tenant, agent } = await ownerOf(session);
    const { voicemail, before } = await voicemails.change(tenant.config, agent, id, read(VoicemailChangeSchema, asked));
    if ((voicemail.deletedAt === null) !== (before.deletedAt === null))
      note(
        voicemail,
        `agent:${session.agent}`,
        voicemail.deletedAt === null ? 'voicemail.restored' : 'voicemail.deleted',
      );
    return told(voicemail, await voicemails.textOf(voicemail), null);
  };

  return Router()
    .post(
      '/v1/voicemails/:tenant/:pbx',
      prove,
      raw({ type: 'multipart/form-data', limit: voicemails.largest + formBytes }),
      async (request, response) => {
        const { tenant: name, pbx } = request.params as { tenant: string; pbx: string };
        const tenant = parts.tenants.find(name);
        if (tenant === undefined)
          throw new PatchcordError('identity.required', 'The configuration has no such tenant.');
        try {
          const { message, sound } = await formOf(request, voicemails.largest);
          const { id, isNew } = await voicemails.take(tenant.config, pbx, message, sound);
          parts.metrics.voicemails.inc({ result: isNew ? 'stored' : 'known' });
          const [at, subject] = [parts.now(), `voicemail:${id}`];
          if (isNew)
            void parts.audit.note({
              ...{ tenant: name as TenantId, actor: `pbx:${pbx}`, act: 'voicemail.stored', subject, at },
              data: { bytes: sound.length },
            });
          response.status(isNew ? 201 : 200).json({ voicemail: id });
        } catch (error) {
          if (errorCode(error) === 'request.invalid') {
            parts.metrics.voicemails.inc({ result: 'refused' });
            parts.log.warn({ tenant: name, pbx, why: (error as Error).message }, 'a voicemail was refused');
          }
          throw error;
        }
      },
    )
    .get(
      '/v1/voicemails',
      withSession(parts, async (session, _request, response) => {
        const { tenant, agent } = await ownerOf(session);
        const list = await voicemails.list(tenant.config, agent);
        const callers = [...new Set(list.map(callerOf).filter((number) => number !== ''))].slice(0, mostAsked);
        const found = new Map<string, readonly Match[] | null>(
          await Promise.all(
            callers.map(
              async (number) =>
                [number, await parts.matchesInTime.within(matchesWithinMs, tenant, agent, number)] as const,
            ),
          ),
        );
        const answer: VoicemailList = {
          voicemails: await Promise.all(
            list.map(async (one) => told(one, await voicemails.textOf(one), found.get(callerOf(one)) ?? null)),
          ),
        };
        response.json(answer);
      }),
    )
    .get(
      '/v1/voicemails/:id/audio',
      withSession(parts, async (session, request, response) => {
        const { tenant, agent } = await ownerOf(session);
        const voicemail = await voicemails.find(tenant.config, agent, String(request.params.id));
        response.json(voicemailLink(parts, voicemail, `agent:${session.agent}`));
      }),
    )
    .patch(
      '/v1/voicemails/:id',
      json({ limit: '4kb' }),
      withSession(parts, async (session, request, response) => {
        response.json(await change(session, String(request.params.id), request.body));
      }),
    )
    .delete(
      '/v1/voicemails/:id',
      withSession(parts, async (session, request, response) => {
        response.json(await change(session, String(request.params.id), { deleted: true }));
      }),
    )
    .get('/v1/voicemail-files/:token', async (request, response) => {
      const token = String(request.params.token);
      const { voicemail, by, expiresAt } = await followVoicemailLink(parts, token);
      const { id, form, bytes, file } = voicemail;
      const opened = await voicemails.open(voicemail);
      try {
        await sendSound(
          {
            ...{ size: bytes, file, type: form === 'wav' ? 'audio/wav' : 'audio/mpeg', use: 'play' },
            name: `voicemail-${id}.${form}`,
            read: (from, to) => opened.read(from, to),
            heard: (fromTheBeginning) => {
              if (used.isFirst(token, expiresAt, parts.now()) || fromTheBeginning)
                note(voicemail, by, 'voicemail.opened');
            },
            failed: (error) =>
              parts.log.error({ err: error, voicemail: id }, 'a voicemail could not be sent to its end'),
          },
          request,
          response,
        );
      } finally {
        await opened.close();
      }
    });
}

/** As the agent's panel is told of it. */
function told(one: StoredVoicemail, text: string | null, matches: readonly Match[] | null): Voicemail {
  const { id, number, e164, name, at, durationMs, heardAt, deletedAt, wordsState } = one;
  const noText = wordsState === 'failed' ? (one.words ?? '') : wordsState;
  return {
    id,
    from: { number, ...(e164 === null ? {} : { e164 }), ...(name === null ? {} : { name }) },
    ...{ at, durationMs, heard: heardAt !== null, deletedAt, text },
    ...(text !== null || noText === null ? {} : { noText: noText === 'ready' ? 'none' : noText }),
    ...(matches === null ? {} : { matches: [...matches] }),
  };
}

function callerOf({ e164, number }: StoredVoicemail): string {
  return e164 ?? number;
}

/** @throws PatchcordError `request.invalid` for what is no such form */
async function formOf(
  request: Request,
  largest: number,
): Promise<{ readonly message: string; readonly sound: Buffer }> {
  const body: unknown = request.body;
  if (!Buffer.isBuffer(body))
    throw refused('it must be a form (multipart/form-data) with the parts "message" and "sound"');
  let form: FormData;
  const headers = { 'content-type': request.headers['content-type'] ?? '' };
  if (partsOf(body, headers['content-type']) > mostParts) throw refused(`its form has more than ${mostParts} parts`);
  try {
    form = await new Response(new Uint8Array(body), { headers }).formData();
  } catch {
    throw refused('its form can’t be read');
  }
  const [message, sound] = [form.get('message'), form.get('sound')];
  if (message === null || sound === null || typeof sound === 'string')
    throw refused('it needs a part "message" with JSON and a part "sound" with a file');
  if (sound.size > largest) throw refused(`it is larger than ${largest / 1_000_000} MB ("voicemails.largestMb")`);
  return {
    message: typeof message === 'string' ? message : await message.text(),
    sound: Buffer.from(await sound.arrayBuffer()),
  };
}

/** How many parts a form has, counted no further than what is too many. */
function partsOf(body: Buffer, contentType: string): number {
  let boundary: string;
  try {
    boundary = `--${new MIMEType(contentType).params.get('boundary') ?? ''}`;
  } catch {
    throw refused('its form can’t be read');
  }
  let parts = 0;
  for (let at = body.indexOf(boundary); at !== -1 && parts <= mostParts; at = body.indexOf(boundary, at + 1))
    parts += 1;
  return parts;
}
