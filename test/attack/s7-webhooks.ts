/**
 * S7: signed messages, in and out. What HubSpot signs (v3) and what we sign (Standard Webhooks) is forged in every way there is: another key,
 * an old or a future time, a changed body, address or method, a second delivery, a signature cut or doubled. Counts wrong decisions.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { PatchcordError } from '@patchcord/call-protocol';
import { verifyHubSpotSignature } from '@patchcord/crm-adapters/relay';
import { Webhook } from 'standardwebhooks';
import type { Drill, DrillResult } from '../drill.ts';
import { answeredCall, envelopes, startRelayInTest, testConfig, testTenant } from '../unit/server/relay-in-test.ts';
import { Mutations } from './mutations.ts';
import { startHttpReceiver } from './webhook-receiver.ts';

export const drill: Drill = {
  about: 'webhooks in and out: wrong key, old time, changed body, replay, rotation',
  run: ({ seed, short }) => forgeWebhooks(seed, short ? 300 : 20_000),
};

export async function forgeWebhooks(seed: number, count: number): Promise<DrillResult> {
  const mutations = new Mutations(seed);
  let tried = 0;
  let accepted = 0;
  let refusedGood = 0;
  const now = 1_790_000_000_000;
  const clientSecret = randomBytes(24).toString('hex');
  const base =
    'https://phone.example.com/v1/hubspot/pairing-codes?userId=42&portalId=1234567&userEmail=a%40b.example&appId=99';
  const sign = (method: string, url: string, body: string, at: string, secret: string): string =>
    createHmac('sha256', secret)
      .update(`${method}${decodeURIComponent(url)}${body}${at}`)
      .digest('base64');
  const decide = (
    method: string,
    url: string,
    body: string,
    at: string,
    signature: string,
    secret = clientSecret,
  ): boolean => {
    try {
      verifyHubSpotSignature({
        method,
        url,
        body: Buffer.from(body),
        headers: { 'x-hubspot-signature-v3': signature, 'x-hubspot-request-timestamp': at },
        clientSecret: secret,
        now,
      });
      return true;
    } catch (error) {
      if (error instanceof PatchcordError) return false;
      throw error;
    }
  };
  for (let index = 0; index < count; index += 1) {
    const body = JSON.stringify({ note: mutations.text().slice(0, 50) });
    const at = String(now - mutations.below(240_000));
    const good = sign('POST', base, body, at, clientSecret);
    tried += 1;
    if (!decide('POST', base, body, at, good)) refusedGood += 1;
    const forgeries: readonly (() => boolean)[] = [
      () => decide('POST', base, `${body} `, at, good),
      () => decide('GET', base, body, at, good),
      () => decide('POST', base.replace('userId=42', `userId=${43 + index}`), body, at, good),
      () => decide('POST', `${base}&userId=1`, body, at, sign('POST', `${base}&userId=1`, body, at, clientSecret)),
      () => decide('POST', base, body, String(Number(at) + 1), good),
      () => decide('POST', base, body, at, sign('POST', base, body, at, randomBytes(24).toString('hex'))),
      () =>
        decide(
          'POST',
          base,
          body,
          String(now - 301_000),
          sign('POST', base, body, String(now - 301_000), clientSecret),
        ),
      () =>
        decide(
          'POST',
          base,
          body,
          String(now + 301_000),
          sign('POST', base, body, String(now + 301_000), clientSecret),
        ),
      () => decide('POST', base, body, at, good.slice(0, -4)),
      () => decide('POST', base, body, at, ''),
      () => decide('POST', base, body, at, createHmac('sha256', clientSecret).update('').digest('base64')),
    ];
    tried += 1;
    if ((forgeries[index % forgeries.length] as () => boolean)()) accepted += 1;
  }

  // Out: a receiver that verifies by the book, first with the old key, then with the new one.
  const secretOf = (): string => `whsec_${randomBytes(32).toString('base64')}`;
  const [secret, previousSecret, foreign] = [secretOf(), secretOf(), secretOf()];
  const receiver = await startHttpReceiver();
  const one = await startRelayInTest(
    testConfig({
      tenants: [
        testTenant({
          webhooks: [{ url: receiver.url, secret, previousSecret, events: ['call.ended'], allowPrivate: true }],
        }),
      ],
    }),
  );
  try {
    const panel = await one.connect((await one.signIn()).token);
    panel.publish(...envelopes(crypto.randomUUID(), answeredCall));
    const { headers, body } = await receiver.next();
    const verify = (key: string, change: Readonly<Record<string, string>> = {}, text = body): boolean => {
      tried += 1;
      try {
        new Webhook(key).verify(text, { ...headers, ...change });
        return true;
      } catch {
        return false;
      }
    };
    for (const key of [secret, previousSecret]) if (!verify(key)) refusedGood += 1;
    if (verify(foreign)) accepted += 1;
    if (verify(secret, {}, `${body} `)) accepted += 1;
    if (verify(secret, { 'webhook-id': 'evt_other' })) accepted += 1;
    if (verify(secret, { 'webhook-timestamp': String(Math.floor(Date.now() / 1_000) - 601) })) accepted += 1;
  } finally {
    await one.closed();
    await receiver.close();
  }
  return { passed: accepted === 0 && refusedGood === 0, tried, succeeded: accepted, refusedGood };
}
