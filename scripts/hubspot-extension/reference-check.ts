/**
 * Owns whether the project's parts agree: entrypoints and what they import, addresses and who may be reached, scopes and who needs them, labels and fields.
 * HubSpot finds most of these only when a card is opened.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type CheckResult, componentOf, type Project, readProject, variablesOf, withVariables } from './project.ts';
import { cardScopes, usedScopes } from './project-shapes.ts';
import { isRecord } from './shape.ts';

/** The variable with the relay's address: the one place where it stands is a profile. */
const relayVariable = 'RELAY_URL';
/** The one module of a folder that may fetch. */
const fetchingModule = 'relay.ts';

/** Checks the project at `root` (absolute). */
export function checkExtensionReferences(root: string): CheckResult {
  const project = readProject(root);
  const sources = project.modules.map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }));
  const failures = [
    ...entrypoints(project),
    ...sources.flatMap(({ file, text }) => [...imports(project, file, text), ...addresses(project, file, text)]),
    ...copies(sources),
    ...project.profiles.flatMap((profile) => origins(project, variablesOf(profile))),
    ...scopes(project),
    ...labels(project),
  ];
  return { name: 'HubSpot references', detail: `${sources.length} modules`, failures };
}

function configs(project: Project, type: string) {
  return project.components
    .map(({ file, content }) => ({ file, ...componentOf(content) }))
    .filter((component) => component.type === type);
}

function entrypoints(project: Project): readonly string[] {
  return [...configs(project, 'card'), ...configs(project, 'settings')].flatMap(({ file, config }) => {
    const entry = `${config.entrypoint}`;
    const path = join(project.source, entry);
    if (!existsSync(path)) return [`${file}: ${entry} does not exist`];
    return [
      ...(dirname(path) === dirname(join(project.root, file))
        ? []
        : [`${file}: ${entry} must lie in the component's own folder`]),
      ...(readFileSync(path, 'utf8').includes('hubspot.extend')
        ? []
        : [`${file}: ${entry} never calls hubspot.extend, so that HubSpot would draw nothing`]),
    ];
  });
}

/** What a module names must be in its folder, or in the folder's package.json with an exact version: HubSpot installs that and nothing else. */
function imports(project: Project, file: string, text: string): readonly string[] {
  const manifest = join(dirname(join(project.root, file)), 'package.json');
  const { dependencies } = existsSync(manifest)
    ? (JSON.parse(readFileSync(manifest, 'utf8')) as { dependencies?: unknown })
    : {};
  const versions = isRecord(dependencies) ? dependencies : {};
  return [...text.matchAll(/\bfrom '([^']+)'|\bimport '([^']+)'|\bimport\('([^']+)'\)/g)].flatMap((match) => {
    const name = match[1] ?? match[2] ?? match[3] ?? '';
    if (name.startsWith('.')) {
      if (name.startsWith('./'))
        return existsSync(join(dirname(join(project.root, file)), name)) ? [] : [`${file}: ${name} does not exist`];
      return [`${file}: ${name} leaves the folder, which HubSpot does not build`];
    }
    const owner = name
      .split('/')
      .slice(0, name.startsWith('@') ? 2 : 1)
      .join('/');
    const version = versions[owner];
    if (version === undefined) return [`${file}: ${owner} is not in the package.json beside it`];
    return /^\d+\.\d+\.\d+$/.test(`${version}`)
      ? []
      : [`${file}: ${owner} needs an exact version in package.json, not "${version}"`];
  });
}

function addresses(project: Project, file: string, text: string): readonly string[] {
  const known = project.profiles.map(variablesOf);
  return [
    ...[...text.matchAll(/https?:\/\/[a-z0-9-]+\.[^\s'"`)]*/gi)].map(
      ([found]) => `${file}: the address ${found} belongs into an upload profile`,
    ),
    ...(text.includes('hubspot.fetch(') && basename(file) !== fetchingModule
      ? [`${file}: only ${fetchingModule} may fetch`]
      : []),
    ...[...text.matchAll(/variables\?\.([A-Z_]+)/g)].flatMap(([, name = '']) =>
      known.every((variables) => name in variables) ? [] : [`${file}: no upload profile has ${name}, or not every one`],
    ),
  ];
}

/** HubSpot builds each folder alone: what two of them share stands in both, and must be the same. */
function copies(sources: readonly { readonly file: string; readonly text: string }[]): readonly string[] {
  const shared = sources.filter(({ file }) => basename(file) === fetchingModule);
  return shared
    .filter(({ text }) => text !== shared[0]?.text)
    .map(({ file }) => `${file}: differs from ${shared[0]?.file}; both folders need the same`);
}

function origins(project: Project, variables: Readonly<Record<string, unknown>>): readonly string[] {
  const relay = variables[relayVariable];
  const app = configs(project, 'app')[0];
  const permitted = withVariables(app?.config.permittedUrls, variables);
  const lists = isRecord(permitted) ? permitted : {};
  const named = (list: unknown, url: unknown) => Array.isArray(list) && list.includes(url);
  return [
    ...(named(lists.fetch, relay)
      ? []
      : [`${app?.file}: permittedUrls.fetch lacks the relay ${relay}, so that every card fails`]),
    ...(named(lists.iframe, relay)
      ? []
      : [`${app?.file}: permittedUrls.iframe lacks the relay ${relay}, so that the phone stays blank`]),
    ...configs(project, 'workflow-action').flatMap(({ file, config }) => {
      const url = `${withVariables(config.actionUrl, variables)}`;
      return url.startsWith(`${relay}/`) ? [] : [`${file}: actionUrl ${url} is not on the relay ${relay}`];
    }),
  ];
}

function scopes(project: Project): readonly string[] {
  return configs(project, 'app').flatMap(({ file, config }) => {
    const auth = isRecord(config.auth) ? config.auth : {};
    const of = (name: string): readonly unknown[] => (Array.isArray(auth[name]) ? (auth[name] as unknown[]) : []);
    const all = [...of('requiredScopes'), ...of('optionalScopes'), ...of('conditionallyRequiredScopes')];
    return [
      ...all
        .filter((scope) => !(`${scope}` in usedScopes))
        .map((scope) => `${file}: nothing of ours uses the scope ${scope}`),
      ...all
        .filter((scope, index) => all.indexOf(scope) !== index)
        .map((scope) => `${file}: the scope ${scope} stands in two lists`),
      ...(config.distribution === 'marketplace' && auth.type !== 'oauth'
        ? [`${file}: an app of the marketplace needs OAuth`]
        : []),
      ...(auth.type === 'oauth' && !Array.isArray(auth.redirectUrls) ? [`${file}: OAuth needs redirectUrls`] : []),
      ...configs(project, 'card').flatMap((card) =>
        (Array.isArray(card.config.objectTypes) ? (card.config.objectTypes as unknown[]) : []).flatMap((type) => {
          const scope = cardScopes[`${type}`];
          if (scope === undefined) return [`${card.file}: we know no scope for cards on ${type}`];
          return all.includes(scope) ? [] : [`${card.file}: cards on ${type} need the scope ${scope} in ${file}`];
        }),
      ),
    ];
  });
}

function labels(project: Project): readonly string[] {
  return configs(project, 'workflow-action').flatMap(({ file, config }) => {
    const { en } = isRecord(config.labels) ? config.labels : {};
    const said = isRecord(en) ? en : {};
    const fields = (list: unknown) =>
      (Array.isArray(list) ? (list as unknown[]) : []).flatMap((field) => {
        const { typeDefinition } = isRecord(field) ? field : {};
        return isRecord(typeDefinition) ? [`${typeDefinition.name}`] : [];
      });
    const inputs = fields(config.inputFields);
    const outputs = fields(config.outputFields);
    const named = [...`${said.actionCardContent}`.matchAll(/\{\{\s*([^}\s]+)\s*\}\}/g)].map((match) => match[1] ?? '');
    return [
      ...bothWays(file, 'inputFieldLabels', said.inputFieldLabels, inputs),
      ...bothWays(file, 'inputFieldDescriptions', said.inputFieldDescriptions, inputs),
      ...bothWays(file, 'outputFieldLabels', said.outputFieldLabels, outputs),
      ...named
        .filter((name) => !inputs.includes(name))
        .map((name) => `${file}: actionCardContent names {{${name}}}, which is no input field`),
    ];
  });
}

function bothWays(file: string, list: string, labels: unknown, fields: readonly string[]): readonly string[] {
  const named = isRecord(labels) ? Object.keys(labels) : [];
  return [
    ...fields.filter((field) => !named.includes(field)).map((field) => `${file}: ${list} lacks ${field}`),
    ...named
      .filter((name) => !fields.includes(name))
      .map((name) => `${file}: ${list} names ${name}, which is no field`),
  ];
}
