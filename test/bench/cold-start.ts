/** From starting the process with an empty data folder to the first minted credential in hand, sign-in included; against a bare node:http process. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { DpopKey } from '../dpop-key.ts';
import { clusterRelay, tenantOf } from '../relay/cluster-relay.ts';
import { type Row, toRow } from './measurement.ts';

export async function run(rounds: number): Promise<readonly Row[]> {
  const samples: { bare: number[]; serving: number[]; minted: number[] } = { bare: [], serving: [], minted: [] };
  for (let round = 0; round < rounds; round += 1) {
    samples.bare.push(await bareStart());
    const relay = await clusterRelay({ tenants: [tenantOf(1)] });
    try {
      const from = performance.now();
      await relay.start();
      samples.serving.push(performance.now() - from);
      const key = new DpopKey();
      const { token } = await relay.signIn('agent-0', key, crypto.randomUUID());
      const answer = await relay.request('/v1/credentials', { method: 'POST', token, key });
      if (answer.status !== 201) throw new Error(`the mint answered ${answer.status}`);
      await answer.json();
      samples.minted.push(performance.now() - from);
    } finally {
      await relay.remove();
    }
  }
  const reference = { name: 'node:http answers', samples: samples.bare };
  const row = (subject: string, of: readonly number[]): Row =>
    toRow({ bench: 'cold-start', case: 'empty folder, SQLite', subject, unit: 'ms', samples: of }, reference);
  return [
    row('node:http answers', samples.bare),
    row('relay answers', samples.serving),
    row('relay: first mint', samples.minted),
  ];
}

async function bareStart(): Promise<number> {
  const from = performance.now();
  const child = fork(fileURLToPath(new URL('./bare-http.mjs', import.meta.url)));
  try {
    const port = await new Promise<number>((resolve, reject) => {
      child.once('message', (message) => resolve(message as number));
      child.once('error', reject);
    });
    await (await fetch(`http://127.0.0.1:${port}/`)).text();
    return performance.now() - from;
  } finally {
    child.kill();
  }
}
