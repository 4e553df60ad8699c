/** `npm run build`: writes the panel's scripts (its self-test's too) and its stylesheet to dist/panel, for a relay that runs without the sources. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { buildPanel } from './panel-bundle.ts';

const { assets } = await buildPanel();
rmSync('dist/panel', { recursive: true, force: true });
mkdirSync('dist/panel', { recursive: true });
for (const asset of assets) {
  writeFileSync(`dist/panel/${asset.name}`, asset.body);
  console.log(`dist/panel/${asset.name}  ${(asset.gzipBytes / 1000).toFixed(1)} kB gzip`);
}
