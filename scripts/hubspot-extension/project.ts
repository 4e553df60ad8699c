/** Owns reading a HubSpot project from disk as HubSpot does: its configuration, upload profiles, component files with a profile's values put in, source. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { isRecord } from './shape.ts';

/** What one check found. `failures` are sentences with the file in front. */
export interface CheckResult {
  readonly name: string;
  readonly detail: string;
  readonly failures: readonly string[];
}

export interface JsonFile {
  /** From the project's root. */
  readonly file: string;
  /** Undefined when it is no JSON; that is a failure of its own. */
  readonly content: unknown;
}

export interface Project {
  readonly root: string;
  /** Absolute. */
  readonly source: string;
  readonly configuration: JsonFile;
  readonly profiles: readonly JsonFile[];
  /** Every `*-hsmeta.json`, wherever it lies. */
  readonly components: readonly JsonFile[];
  /** TypeScript below the source folder, from the project's root. */
  readonly modules: readonly string[];
}

/** Reads the project at `root` (absolute). Never throws for what stands in a file. */
export function readProject(root: string): Project {
  const configuration = readJson(root, 'hsproject.json');
  const srcDir = isRecord(configuration.content) ? configuration.content.srcDir : undefined;
  const source = join(root, typeof srcDir === 'string' ? srcDir : 'src');
  const files = existsSync(source)
    ? readdirSync(source, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
        .map((entry) => relative(root, join(entry.parentPath, entry.name)))
        .sort()
    : [];
  return {
    root,
    source,
    configuration,
    profiles: files
      .filter((file) => dirname(join(root, file)) === source && /\/hsprofile\.[^./]+\.json$/.test(`/${file}`))
      .map((file) => readJson(root, file)),
    components: files.filter((file) => file.endsWith('-hsmeta.json')).map((file) => readJson(root, file)),
    modules: files.filter((file) => /\.tsx?$/.test(file)),
  };
}

const inserted = /\$\{([^}]*)\}/g;

/** Names of the profile's values that a value asks for. */
export function variablesIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [...value.matchAll(inserted)].map((match) => match[1] ?? '');
  if (Array.isArray(value)) return value.flatMap(variablesIn);
  return isRecord(value) ? Object.values(value).flatMap(variablesIn) : [];
}

/** The value with a profile's values put in, as HubSpot does before it reads a component. */
export function withVariables(value: unknown, variables: Readonly<Record<string, unknown>>): unknown {
  if (typeof value === 'string') return value.replace(inserted, (whole, name: string) => `${variables[name] ?? whole}`);
  if (Array.isArray(value)) return value.map((part) => withVariables(part, variables));
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, withVariables(part, variables)]));
}

/** `variables` of a profile; empty when it has none. */
export function variablesOf(profile: JsonFile): Readonly<Record<string, unknown>> {
  const { variables } = isRecord(profile.content) ? profile.content : {};
  return isRecord(variables) ? variables : {};
}

/** The part of a component that HubSpot reads; empty objects where it is none. */
export function componentOf(content: unknown): {
  readonly uid: unknown;
  readonly type: unknown;
  readonly config: Readonly<Record<string, unknown>>;
} {
  const { uid, type, config } = isRecord(content) ? content : {};
  return { uid, type, config: isRecord(config) ? config : {} };
}

function readJson(root: string, file: string): JsonFile {
  try {
    return { file, content: JSON.parse(readFileSync(join(root, file), 'utf8')) as unknown };
  } catch {
    return { file, content: undefined };
  }
}
