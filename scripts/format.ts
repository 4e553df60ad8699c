/** `npm run format`: biome writes everything it knows, prettier the Apex classes. Ends with the worse of the two results. */
import { spawnSync } from 'node:child_process';

const written = [
  ['node_modules/@biomejs/biome/bin/biome', 'check', '--write', '.'],
  ['node_modules/prettier/bin/prettier.cjs', '--write', '--log-level=warn', 'force-app/**/*.{cls,trigger}'],
].map((args) => spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1);
process.exitCode = Math.max(...written);
