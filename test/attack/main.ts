/**
 * `npm run attack -- [S1 … S16] [--json]`: attacks the running system and counts what got through. Owns the list of attacks. They need real SIP
 * servers, so they run inside the network namespaces of the SIP lab.
 */
import { spawnSync } from 'node:child_process';
import { makeAsteriskRoot } from '../../scripts/asterisk-root.ts';
import { installSystemPackages } from '../../scripts/system-packages.ts';
import { runDrills } from '../drill.ts';

if (process.env.PATCHCORD_LAB === undefined) {
  installSystemPackages(console.error);
  makeAsteriskRoot(console.error);
  const lab = ['test/sip-lab/run-in-lab.ts', '--', process.execPath, 'test/attack/main.ts', ...process.argv.slice(2)];
  process.exit(spawnSync(process.execPath, lab, { stdio: 'inherit' }).status ?? 1);
}
process.exit(
  await runDrills('attack', {
    S1: () => import('./s1-revoked.ts'),
    S2: () => import('./s2-canaries.ts'),
    S3: () => import('./s3-foreign-credentials.ts'),
    S4: () => import('./s4-guessed-passwords.ts'),
    S5: () => import('./s5-toll-fraud.ts'),
    S6: () => import('./s6-fuzz.ts'),
    S7: () => import('./s7-webhooks.ts'),
    S8: () => import('./s8-framing.ts'),
    S9: () => import('./s9-stolen-tokens.ts'),
    S10: () => import('./s10-forged-identities.ts'),
    S11: () => import('./s11-tenants.ts'),
    S12: () => import('./s12-cards.ts'),
    S13: () => import('./s13-erasure.ts'),
    S14: () => import('./s14-turn-peers.ts'),
    S15: () => import('./s15-supply-chain.ts'),
    S16: () => import('./s16-asvs.ts'),
  }),
);
