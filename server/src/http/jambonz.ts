/**
 * `POST /v1/jambonz/registrations`: jambonz hands us the digest of a REGISTER or INVITE, and we say whether it is right. The nonce is jambonz's own
 * and checked there. The answer is always 200 with a status in it, unless it is not jambonz who asks.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import { json, Router } from 'express';
import * as v from 'valibot';
import type { TenantConfig } from '../config.ts';
import { randomPassword } from '../credentials/digest.ts';
import { deviceOfDigest } from '../credentials/drivers/jambonz-hook.ts';
import { basic } from './freeswitch-directory.ts';
import { read, sameSecret } from './guards.ts';
import type { RelayParts } from './parts.ts';

const short = v.pipe(v.string(), v.maxLength(512));
const DigestSchema = v.object({
  method: short,
  realm: short,
  username: short,
  nonce: short,
  uri: short,
  response: short,
  algorithm: v.nullish(short),
  qop: v.nullish(short),
  nc: v.nullish(short),
  cnonce: v.nullish(short),
  expires: v.nullish(v.union([v.number(), short])),
});

type HookParts = Pick<RelayParts, 'tenants' | 'store' | 'metrics' | 'now'>;

export function jambonzRoutes(parts: HookParts): Router {
  return Router().post('/v1/jambonz/registrations', json({ limit: '16kb' }), async (request, response) => {
    const tenant = asking(parts, request.headers.authorization);
    const asked = read(DigestSchema, request.body);
    const refuse = (message: string): void => {
      parts.metrics.refused.inc({ why: 'jambonz' });
      response.json({ status: 'fail', message });
    };
    if (asked.realm.toLowerCase() !== tenant.sip.domain.toLowerCase()) return refuse('Another realm.');
    if ((asked.algorithm ?? 'MD5').toUpperCase() !== 'MD5') return refuse('Only MD5 is offered.');
    const { qop, nc, cnonce } = asked;
    const device = await deviceOfDigest({ tenant, store: parts.store.credentials, now: parts.now }, asked.username, {
      method: asked.method,
      uri: asked.uri,
      nonce: asked.nonce,
      response: asked.response,
      qop: qop ?? undefined,
      nc: nc ?? undefined,
      cnonce: cnonce ?? undefined,
    });
    if (device === null) return refuse('No such credential, or it has lapsed.');
    const wanted = Number(asked.expires ?? tenant.sip.registerSeconds);
    const longest = tenant.sip.registerSeconds;
    response.json({ status: 'ok', expires: wanted >= 0 && wanted < longest ? wanted : longest });
  });
}

/** Which tenant's jambonz this is, by HTTP Basic. */
function asking(parts: HookParts, authorization: string | undefined): TenantConfig {
  const { user, password } = basic(authorization);
  let found: TenantConfig | undefined;
  for (const { config } of parts.tenants.all()) {
    const { credential } = config.sip;
    const wanted =
      credential.kind === 'jambonz-hook' ? credential : { username: randomPassword(), password: randomPassword() };
    // Both always, and all of them: the time must not say how far a guess got.
    const fits = [sameSecret(user, wanted.username), sameSecret(password, wanted.password)];
    if (fits.every(Boolean)) found ??= config;
  }
  if (found === undefined) {
    parts.metrics.refused.inc({ why: 'jambonz' });
    throw new PatchcordError(
      'identity.required',
      'This needs HTTP Basic with user name and password of sip.credential.',
    );
  }
  return found;
}
