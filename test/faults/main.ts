/** `npm run faults -- [R1 … R9] [--json]`: breaks the relay on purpose and counts what was lost or doubled. Owns the list of faults. */
import { installSystemPackages } from '../../scripts/system-packages.ts';
import { runDrills } from '../drill.ts';

installSystemPackages(console.error);
process.exit(await runDrills('fault', {}));
