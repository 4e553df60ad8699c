/** A thousand addresses for an attacker, on the laboratory's own link. Owns 10.79.0.0/16 there, which goes with the namespaces. */
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabNetwork } from '../sip-lab/namespaces.ts';

export function attackerAddress(n: number): string {
  return `10.79.${Math.floor(n / 250)}.${(n % 250) + 1}`;
}

/** Gives this namespace the first `count` addresses, and the edge the way back. */
export function layAttackerAddresses(lab: LabNetwork, count: number): void {
  const batch = join(lab.folder, 'attacker-addresses');
  const lines = Array.from({ length: count }, (_unused, n) => `addr replace ${attackerAddress(n)}/32 dev eth0`);
  writeFileSync(batch, `${lines.join('\n')}\n`);
  execFileSync('ip', ['-batch', batch]);
  rmSync(batch);
  execFileSync('ip', ['-n', lab.edge.namespace, 'route', 'replace', '10.79.0.0/16', 'dev', 'br0']);
}
