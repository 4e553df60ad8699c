/** `npm run build`: writes the panel's scripts (its self-test's too) and its stylesheet to dist/panel, for a relay that runs without the sources. */
import { buildPanel, writePanel } from './panel-bundle.ts';

const bundle = await buildPanel();
writePanel(bundle, 'dist/panel');
for (const { name, gzipBytes } of bundle.assets) {
  console.log(`dist/panel/${name}  ${(gzipBytes / 1000).toFixed(1)} kB gzip`);
}
