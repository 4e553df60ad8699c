/** `npm run faults -- [R1 … R9, H1] [--json]`: breaks relay and pages on purpose and counts what was lost or doubled. Owns the list of faults. */
import { installSystemPackages } from '../../scripts/system-packages.ts';
import { runDrills } from '../drill.ts';

installSystemPackages(console.error);
process.exit(
  await runDrills('fault', {
    R1: () => import('./r1-exactly-once.ts'),
    R2: () => import('./r2-zombies.ts'),
    R3: () => import('./r3-power-loss.ts'),
    R4: () => import('./r4-disk-trouble.ts'),
    R5: () => import('./r5-redis-away.ts'),
    R7: () => import('./r7-clock-jumps.ts'),
    R8: () => import('./r8-graceful-stop.ts'),
    R9: () => import('./r9-soak.ts'),
    H1: () => import('./h1-one-engagement.ts'),
  }),
);
