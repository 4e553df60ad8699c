/**
 * S3: a good credential where it does not belong: for another extension, from another tenant, for another realm, or an answer that was overheard
 * and is sent again. On every real PBX that credentials are issued to. Owns the attack; counts what was let in.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Credentials } from '@patchcord/call-protocol';
import type { Drill } from '../drill.ts';
import { type IssuingPbx, issuingKinds, startIssuingPbx } from '../sip-lab/issuing-pbx.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { type Credential, ephemeralCredential, WssClient } from '../sip-lab/wss-client.ts';

import { attackerAddress, layAttackerAddresses } from './s4-addresses.ts';

const md5 = (text: string) => createHash('md5').update(text).digest('hex');

export const drill: Drill = {
  about: 'credentials of another extension, tenant or realm, and answers sent twice, on every PBX',
  async run({ short, say }) {
    const rounds = short ? 2 : 25;
    layAttackerAddresses(labFromEnvironment(), 1);
    let tried = 0;
    let succeeded = 0;
    let honest = 0;
    for (const kind of issuingKinds) {
      say(`${rounds} rounds on ${kind}`);
      const pbx = await startIssuingPbx(kind, 2);
      try {
        const [ada, bob] = [await holder(pbx, 0), await holder(pbx, 1)];
        const attempt = async (work: (phone: WssClient) => Promise<number>, localAddress?: string): Promise<void> => {
          const phone = await WssClient.connect(pbx, localAddress === undefined ? {} : { localAddress });
          tried += 1;
          if ((await work(phone).finally(() => phone.close())) < 400) succeeded += 1;
        };
        const invite = async (phone: WssClient, from: string, credential: Credential): Promise<number> => {
          const { status } = await phone.request('INVITE', `sip:nobody@${pbx.domain}`, {
            from,
            to: 'nobody',
            credential,
          });
          // 404 would mean that the PBX looked for the number: it let the caller in.
          return status === 404 || status === 480 ? 200 : status;
        };
        for (let round = 0; round < rounds; round += 1) {
          // Another extension, with one's own name and with the other's.
          const named = { ...ada.credential, username: bob.credential.username };
          for (const credential of [ada.credential, named]) {
            await attempt(async (phone) => (await phone.register(bob.user, credential)).status);
            await attempt((phone) => invite(phone, bob.user, credential));
          }
          // Another tenant's: made with another secret, for another domain.
          const foreign = ephemeralCredential(randomBytes(32).toString('hex'), ada.user);
          await attempt(async (phone) => (await phone.register(ada.user, foreign)).status);
          await attempt((phone) => invite(phone, ada.user, foreign));
          // The right password in an answer for another realm.
          await attempt(async (phone) => {
            const challenge = await challenged(phone, pbx, ada.user);
            return send(phone, pbx, ada.user, answered(pbx, ada.credential, challenge, 'elsewhere.example.com'));
          });
          // An answer that was taken once, sent again by somebody elsewhere who overheard it.
          const first = await WssClient.connect(pbx);
          const overheard = answered(pbx, ada.credential, await challenged(first, pbx, ada.user), pbx.domain);
          if ((await send(first, pbx, ada.user, overheard)) === 200) honest += 1;
          await attempt((phone) => send(phone, pbx, ada.user, overheard), attackerAddress(0));
          await first.close();
        }
      } finally {
        await pbx.stop();
      }
    }
    return {
      // The honest ones prove that the answers sent again were good ones.
      passed: tried > 0 && succeeded === 0 && honest === rounds * issuingKinds.length,
      tried,
      succeeded,
      failed: tried - succeeded,
      honest,
    };
  },
};

async function holder(pbx: IssuingPbx, n: number): Promise<{ readonly user: string; readonly credential: Credential }> {
  const session = await pbx.relay.signIn(`a${n}`);
  const answer = await pbx.relay.fetch('/v1/credentials', { method: 'POST', token: session.token });
  const { sip } = (await answer.json()) as Credentials;
  return { user: sip.user ?? String(1200 + n), credential: sip };
}

/** REGISTER with these headers; the status. */
async function send(phone: WssClient, pbx: IssuingPbx, user: string, authorization: string): Promise<number> {
  const headers = [
    `Contact: <sip:${user}@attacker.invalid;transport=ws>;expires=60`,
    `Authorization: ${authorization}`,
  ];
  return (await phone.request('REGISTER', `sip:${pbx.domain}`, { from: user, to: user, headers })).status;
}

async function challenged(phone: WssClient, pbx: IssuingPbx, user: string): Promise<string> {
  const answer = await phone.request('REGISTER', `sip:${pbx.domain}`, { from: user, to: user });
  return answer.header('www-authenticate') ?? '';
}

function answered(pbx: IssuingPbx, { username, password }: Credential, challenge: string, realm: string): string {
  const value = (name: string): string => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1] ?? '';
  const [nonce, cnonce, uri] = [value('nonce'), randomBytes(6).toString('hex'), `sip:${pbx.domain}`];
  const opaque = value('opaque');
  const response = md5(
    `${md5(`${username}:${realm}:${password}`)}:${nonce}:00000001:${cnonce}:auth:${md5(`REGISTER:${uri}`)}`,
  );
  return (
    `Digest username="${username}", realm="${realm}", nonce="${nonce}", uri="${uri}", response="${response}", ` +
    `algorithm=MD5, qop=auth, nc=00000001, cnonce="${cnonce}"${opaque === '' ? '' : `, opaque="${opaque}"`}`
  );
}
