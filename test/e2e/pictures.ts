/**
 * `npm run pictures`: takes the pictures of the guides and the README from the running sandbox, each as an agent would see it; `-- hubspot` or
 * `-- salesforce` those of one. A picture that can't be taken fails the run, so that a guide never shows what the product no longer does.
 */
import { mkdirSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { takeHubSpotPictures } from './hubspot-pictures.ts';
import { takeSalesforcePictures } from './salesforce-pictures.ts';

const folder = process.env.PICTURES ?? 'docs/images';
const ways = { salesforce: takeSalesforcePictures, hubspot: takeHubSpotPictures };

const [wanted] = process.argv.slice(2);
if (wanted !== undefined && !Object.hasOwn(ways, wanted)) {
  console.error(`Usage: npm run pictures [-- ${Object.keys(ways).join(' | ')}]`);
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
for (const [name, takeThem] of Object.entries(ways)) {
  if (wanted === undefined || wanted === name) await takeThem(take);
}

async function take(page: Page, name: string, part?: string): Promise<void> {
  const path = `${folder}/${name}.png`;
  const size = page.viewportSize();
  // A part that is taller than the window would move while it is taken.
  if (part !== undefined && size !== null) await page.setViewportSize({ ...size, height: 2_000 });
  // What moves comes to rest: a picture in between looks like a mistake.
  await page.waitForTimeout(400);
  await (part === undefined ? page : page.locator(part).first()).screenshot({ path });
  if (part !== undefined && size !== null) await page.setViewportSize(size);
  console.log(path);
}
