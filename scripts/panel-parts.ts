/**
 * Builds what the panel loads only when it is needed: the self-test, the screens behind the first, watching. Owns which modules go into which part
 * and how it comes by what the panel already has. A part imports nothing: the panel hands it what both use, so that there is one Preact and one
 * set of signals, and so that the panel is still minified as one whole.
 */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { panelWords, wordByWord } from './panel-words.ts';
import { noiseFilesAt, workletAt } from './panel-worklet.ts';
import { pureSchemas } from './pure-schemas.ts';
import type { ShortNames } from './short-names.ts';

interface PartPlan {
  readonly name: string;
  /** What of each CRM's panel goes into it; the panel says `import()` of one of these. */
  readonly entries: (host: string) => readonly string[];
  /** The modules in it, by their paths. Whatever else they import stays in the panel, and is lent. */
  readonly modules: RegExp;
  /**
   * What it takes from behind a package's door instead of borrowing it, because the panel would carry it for nobody else: import → module;
   * null: a copy of its own.
   */
  readonly behind?: Readonly<Record<string, string | null>>;
}

const ui = 'packages/softphone-ui/src';
const sip = 'packages/phone-engine/src/sip';
const noise = 'packages/phone-engine/src/noise';
/** CRMs with something of their own to look at. */
const checkedHosts = ['salesforce', 'hubspot'];

/** Loaded by another part, and lent nothing. */
export const noisePlan: PartPlan = {
  name: 'noise-suppression',
  entries: () => [`${noise}/index.ts`],
  modules: /\/phone-engine\/src\/noise\/(?!load\.ts$)[\w-]+\.ts$/,
  behind: { '@sapphi-red/web-noise-suppressor': null },
};

export const partPlans: readonly PartPlan[] = [
  noisePlan,
  {
    name: 'self-test',
    entries: (host) => [
      `${ui}/screens/self-test-screen.tsx`,
      ...(checkedHosts.includes(host) ? [`packages/crm-adapters/src/${host}/self-checks.ts`] : []),
    ],
    modules: /\/(?:self-(?:test|checks)[\w-]*|microphone-meter)\.tsx?$/,
  },
  {
    name: 'screens',
    entries: () => [`${ui}/later/later-screens.tsx`],
    modules:
      /\/softphone-ui\/src\/(?:later\/[\w-]+|microphone-meter)\.tsx?$|\/phone-engine\/src\/noise\/load\.ts$|\/call-protocol\/src\/listening\.ts$/,
    behind: {
      '@patchcord/phone-engine/audio': `${noise}/load.ts`,
      '@patchcord/call-protocol': 'packages/call-protocol/src/listening.ts',
      valibot: null,
    },
  },
  {
    name: 'watching',
    entries: () => [`${sip}/watching.ts`],
    modules: /\/phone-engine\/src\/sip\/(?:watching|subscription|dialog-info|message-summary)\.ts$/,
  },
  {
    name: 'taking-up',
    entries: () => [`${sip}/taking-up.ts`],
    modules:
      /\/phone-engine\/src\/sip\/(?:taking-up|recovery|resumed-call|resumed-session|lost-invite|gated-sound)\.ts$/,
  },
  {
    name: 'call-extras',
    entries: () => [`${sip}/call-extras.ts`],
    modules:
      /\/phone-engine\/src\/sip\/(?:call-extras|handing-over|transfer|transfer-request|sent-on|followed-transfer|feature-code|conference|call-digits|digit-sender|digits|key-tones|gated-sound)\.ts$/,
  },
  {
    name: 'transcription',
    entries: () => [`${ui}/transcription/transcription.tsx`],
    modules:
      /\/softphone-ui\/src\/transcription\/[\w-]+\.tsx?$|\/phone-engine\/src\/(?:sound-tap\/[\w-]+|call-recording|audio\/notice-tone)\.ts$/,
    behind: {
      '@patchcord/phone-engine': 'packages/phone-engine/src/call-recording.ts',
      '@patchcord/phone-engine/audio': 'packages/phone-engine/src/sound-tap/index.ts',
      '@patchcord/call-protocol': 'packages/call-protocol/src/sound-wire.ts',
      valibot: null,
    },
  },
];

/** Words: a part has its own, word by word, and lends none. */
const copied = /\/softphone-ui\/src\/lent-texts\.ts$|^panel-words$/;

interface Lent {
  /** Absolute path of the module. */
  readonly from: string;
  readonly name: string;
}

export interface PanelPart extends PartPlan {
  /** One ES module; its default export takes what is lent, in that order, and returns what the parts export. */
  readonly code: string;
  readonly lent: readonly Lent[];
  /** The modules in it, as esbuild names them. */
  readonly inputs: readonly string[];
}

export interface LoadedPart {
  readonly part: PanelPart;
  /** As the script says it that loads it. */
  readonly address: string;
}

/** Names of the files beside the scripts that are no script of a page. */
export interface PartFiles {
  readonly tapWorklet: string;
  readonly noiseWorklet: string;
  readonly rnnoise: string;
}

/**
 * Bundles a part for one CRM, not yet minified as a whole.
 * @param styles what only it says
 * @param files what it asks for by its name
 * @param inner the parts that it may load itself
 * @throws when it does not compile
 */
export async function buildPart(
  plan: PartPlan,
  host: string,
  short: ShortNames,
  styles: string,
  files: PartFiles,
  inner: readonly LoadedPart[],
): Promise<PanelPart> {
  const contents = plan.entries(host).map((path) => `export * from './${path}';`);
  const { outputFiles, metafile } = await build({
    stdin: { contents: contents.join('\n'), resolveDir: process.cwd() },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    write: false,
    metafile: true,
    logLevel: 'warning',
    ...short,
    mangleCache: { ...short.mangleCache },
    plugins: [
      loadedFrom(inner),
      borrowing(plan),
      panelWords,
      workletAt(files.tapWorklet),
      noiseFilesAt({ worklet: files.noiseWorklet, rnnoise: files.rnnoise }),
      pureSchemas,
    ],
  });
  const lent: Lent[] = [];
  const names: string[] = [];
  // What esbuild writes, minified: import{a as b,c}from"lent:…"; and at the end export{d as e};
  const body = (outputFiles[0]?.text ?? '')
    .replaceAll(/\bimport\s*\{([^}]*)\}\s*from\s*"lent:([^"]*)";/g, (_, list: string, from: string) => {
      for (const [name, local] of renamed(list)) {
        lent.push({ from, name });
        names.push(local);
      }
      return '';
    })
    .replace(
      /\bexport\s*\{([^}]*)\};\s*$/,
      (_, list: string) => `return{${renamed(list).map(([local, name]) => `${name}:${local}`)}}`,
    );
  if (/\blent:|\bexport\s*\{/.test(body))
    throw new Error(`The part "${plan.name}" for ${host} borrows in a way not known here.`);
  return {
    ...plan,
    code: `export default (${names.join(',')})=>{${wearing(styles)}${body}}`,
    lent,
    inputs: Object.keys(metafile.inputs).filter((path) => plan.modules.test(`/${path}`)),
  };
}

/** The page's policy lets a script bring a stylesheet, but no inline style. */
function wearing(styles: string): string {
  if (styles === '') return '';
  return `const styles=new CSSStyleSheet();styles.replaceSync(${JSON.stringify(styles)});document.adoptedStyleSheets=[...document.adoptedStyleSheets,styles];`;
}

/** `a as b, c` → [a, b], [c, c] */
function renamed(list: string): readonly (readonly [string, string])[] {
  return list.split(',').map((one) => {
    const [from = '', to = from] = one.trim().split(/\s+as\s+/);
    return [from, to];
  });
}

function borrowing({ modules, behind = {} }: PartPlan): Plugin {
  const asked = {};
  return {
    name: 'borrowing',
    setup(bundler) {
      bundler.onResolve({ filter: /.*/ }, async ({ path, importer, resolveDir, kind, pluginData }) => {
        if (kind === 'entry-point' || pluginData === asked) return undefined;
        const found = await bundler.resolve(path, { importer, resolveDir, kind, pluginData: asked });
        const own = Object.hasOwn(behind, path) ? behind[path] : undefined;
        if (own !== undefined) return { path: own === null ? found.path : resolve(own), sideEffects: false };
        if (found.errors.length > 0 || modules.test(found.path) || copied.test(found.path)) return found;
        return { path: `lent:${found.path}`, external: true };
      });
    },
  };
}

/**
 * Lets a panel load its parts where it says `import()` of one of their modules; `parts` is each with its address. A browser may keep a failed load
 * in mind for as long as the page lives, so that each new try has another address.
 */
export function loadedFrom(parts: readonly LoadedPart[]): Plugin {
  const loader = 'panel-part:';
  return {
    name: 'panel-parts',
    setup(bundler) {
      bundler.onResolve({ filter: new RegExp(`^${loader}`) }, ({ path }) => ({ path, namespace: loader }));
      for (const { part, address } of parts)
        bundler.onLoad({ filter: new RegExp(`^${loader}${part.name}$`), namespace: loader }, () => ({
          resolveDir: process.cwd(),
          contents: loaderOf(part, address),
        }));
      bundler.onLoad({ filter: /packages\/[\w-]+\/src\/.*\.tsx?$/ }, async ({ path }) => {
        const source = wordByWord(await readFile(path, 'utf8'));
        const asked = new Set<number>();
        const contents = source.replaceAll(/(?<!typeof )\bimport\('([^']+)'\)/g, (all, module: string) => {
          const number = parts.findIndex(({ part }) => part.modules.test(resolve(dirname(path), module)));
          if (number < 0) return all;
          asked.add(number);
          return `loadPart${number}()`;
        });
        if (asked.size === 0) return undefined;
        const loaders = [...asked].map(
          (n) => `import { load as loadPart${n} } from '${loader}${parts[n]?.part.name}';`,
        );
        return { contents: `${loaders.join('')}\n${contents}`, loader: path.endsWith('x') ? 'tsx' : 'ts' };
      });
    },
  };
}

function loaderOf({ lent }: PanelPart, address: string): string {
  const lines = lent.map(({ from, name }, n) => `import { ${name} as lent${n} } from ${JSON.stringify(from)};`);
  return `${lines.join('\n')}
    let from = ${JSON.stringify(address)}, part;
    export const load = () => part ??= import(from).then(
      (loaded) => loaded.default(${lent.map((_, n) => `lent${n}`)}),
      (error) => { part = undefined; from += '?'; throw error; },
    );`;
}
