/** A page with an `unload` handler is kept out of the back-forward cache, and it does not run in a crash: no part of ours may have one. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));
/** Everything that runs in a page: the panel and its engine, its hosts' halves, the sandbox' CRM pages. */
const folders = ['packages', 'force-app', 'hubspot-extension', 'sandbox/src'];
const handler = /\bonunload\b|['"`]unload['"`]/;

it('finds the handlers it looks for', () => {
  for (const text of [`addEventListener('unload', f)`, 'window.onunload = f', '<body onunload="f()">'])
    expect(text).toMatch(handler);
  expect(`addEventListener('pagehide', f); unload(); // the unload event`).not.toMatch(handler);
});

it('is in no source that runs in a page', () => {
  const sources = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.(?:tsx?|m?js|html|cmp|page)$/.test(path) && !/(?:^|\/)(?:node_modules|dist)\//.test(path))
      .map((path) => join(folder, path)),
  );
  expect(sources.length).toBeGreaterThan(200);
  expect(sources.filter((path) => handler.test(readFileSync(join(root, path), 'utf8')))).toEqual([]);
});
