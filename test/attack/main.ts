/**
 * `npm run attack -- [S1 … S16] [--json]`: attacks the running system and counts what got through. Owns the list of attacks. They need real SIP
 * servers, so they run inside the network namespaces of the SIP lab.
 */
import { spawnSync } from 'node:child_process';
import { installSystemPackages } from '../../scripts/system-packages.ts';
import { runDrills } from '../drill.ts';

if (process.env.PATCHCORD_LAB === undefined) {
  installSystemPackages(console.error);
  const lab = ['test/sip-lab/run-in-lab.ts', '--', process.execPath, 'test/attack/main.ts', ...process.argv.slice(2)];
  process.exit(spawnSync(process.execPath, lab, { stdio: 'inherit' }).status ?? 1);
}
process.exit(await runDrills('attack', {}));
