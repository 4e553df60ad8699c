/**
 * From asking the relay for a credential to the PBX's 200 for the REGISTER made with it, on real PBXs; against a bare REGISTER on the same
 * connection with a credential that was there before.
 */
import type { Credentials } from '@patchcord/call-protocol';
import { issuingKinds, startIssuingPbx } from '../sip-lab/issuing-pbx.ts';
import { WssClient } from '../sip-lab/wss-client.ts';
import { type Row, toRow } from './measurement.ts';

const agents = 20;
/** Per round and agent; the relay gives one agent 60 credentials a minute. */
const mintsPerRound = 40;

export async function run(rounds: number): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const kind of issuingKinds) {
    const pbx = await startIssuingPbx(kind, agents);
    const bare: number[] = [];
    const minted: number[] = [];
    const registered: number[] = [];
    try {
      const phones = await Promise.all(
        Array.from({ length: agents }, async (_unused, n) => ({
          extension: String(1200 + n),
          session: await pbx.relay.signIn(`a${n}`),
          client: await WssClient.connect(pbx),
        })),
      );
      const fixed = await WssClient.connect(pbx);
      for (let n = 0; n < rounds * mintsPerRound; n += 1) {
        // Turn about, so that both see the same machine.
        const begun = performance.now();
        must((await fixed.register(pbx.fixed.user, pbx.fixed.credential)).status, 'a bare REGISTER');
        bare.push(performance.now() - begun);
        const phone = phones[n % agents];
        if (phone === undefined) continue;
        const asked = performance.now();
        const answer = await pbx.relay.fetch('/v1/credentials', { method: 'POST', token: phone.session.token });
        const { sip } = (await answer.json()) as Credentials;
        const given = performance.now();
        must(
          (await phone.client.register(sip.user ?? phone.extension, sip)).status,
          'a REGISTER with a new credential',
        );
        registered.push(performance.now() - asked);
        minted.push(given - asked);
      }
      await Promise.all([...phones.map(({ client }) => client.close()), fixed.close()]);
    } finally {
      await pbx.stop();
    }
    const against = { name: 'bare REGISTER', samples: bare };
    const row = (what: string, samples: readonly number[]): Row =>
      toRow({ bench: 'mint-register', case: what, subject: kind, unit: 'ms', samples }, against);
    rows.push(row('mint → REGISTER 200', registered), row('mint alone', minted), row('bare REGISTER', bare));
  }
  return rows;
}

function must(status: number, what: string): void {
  if (status !== 200) throw new Error(`${what} was answered ${status}.`);
}
