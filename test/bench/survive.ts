/**
 * Calls that outlive their page and their network: from the moment something is taken away to sound both ways again, beside the stock clients in
 * the same run. A round in which sound did not come back within the time it was watched counts as never (n counts the others).
 * Owns the order of the parts; each part owns its measuring.
 */
import type { Row } from './measurement.ts';
import { run as killedOwner } from './survive-killed.ts';
import { run as network } from './survive-network.ts';
import { run as reload } from './survive-reload.ts';

export async function run(rounds: number): Promise<readonly Row[]> {
  return [...(await reload(rounds)), ...(await killedOwner(rounds)), ...(await network(rounds))];
}
