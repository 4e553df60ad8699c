/**
 * Runs the HubSpot card without HubSpot: the card's own source, Preact in React's place, and stand-ins for the HubSpot components it names.
 * Owns building and mounting; what HubSpot's server does with a request is the test's to say.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

export const extensionFolder = fileURLToPath(new URL('../../../hubspot-extension/', import.meta.url));

// Without types of its own; esbuild does not run inside vitest's jsdom environment, so the page is made here.
const { JSDOM } = createRequire(import.meta.url)('jsdom') as { JSDOM: new () => { readonly window: Window } };

export interface CardRequest {
  readonly method?: string;
  readonly timeout?: number;
  readonly body?: object;
}
export type HubSpotFetch = (url: string, request?: CardRequest) => Promise<Response>;

/** Each component the card may use, as the plainest element with the same meaning. A component that is not here fails the build. */
const components = `
  import { h, render } from 'preact';
  export const hubspot = {
    extend: (make) => render(make({}), document.body),
    fetch: (url, request) => globalThis.hubspotFetch(url, request),
  };
  export const Flex = ({ children }) => h('div', null, children);
  export const Text = ({ children }) => h('p', null, children);
  export const Heading = ({ children }) => h('h2', null, children);
  export const Alert = ({ title, variant, children }) => h('div', { role: 'alert', title, class: variant }, children);
  export const LoadingButton = ({ loading, onClick, children }) => h('button', { disabled: loading, onClick }, children);
`;

/** Bundles the card. Returns the script, and every file of the project that went into it. */
export async function buildCard(
  entrypoint: string,
): Promise<{ readonly script: string; readonly inputs: readonly string[] }> {
  const result = await build({
    entryPoints: [join(extensionFolder, 'src', entrypoint)],
    bundle: true,
    write: false,
    format: 'esm',
    jsx: 'automatic',
    metafile: true,
    logLevel: 'silent',
    alias: { react: 'preact/compat' },
    plugins: [
      {
        name: 'hubspot-stand-in',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^@hubspot\/ui-extensions$/ }, ({ path }) => ({ path, namespace: 'hubspot' }));
          onLoad({ filter: /.*/, namespace: 'hubspot' }, () => ({ contents: components, resolveDir: extensionFolder }));
        },
      },
    ],
  });
  return { script: result.outputFiles[0]?.text ?? '', inputs: Object.keys(result.metafile.inputs) };
}

/** Puts the card into a page of its own, which becomes `document`. */
export async function mountCard(script: string, fetch: HubSpotFetch): Promise<void> {
  Object.assign(globalThis, { document: new JSDOM().window.document, hubspotFetch: fetch });
  const folder = await mkdtemp(join(tmpdir(), 'patchcord-card-'));
  try {
    const file = join(folder, 'card.mjs');
    await writeFile(file, script);
    await import(/* @vite-ignore */ pathToFileURL(file).href);
  } finally {
    await rm(folder, { recursive: true });
  }
}
