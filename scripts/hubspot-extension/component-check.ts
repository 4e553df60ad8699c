/** Owns whether each of the project's JSON files has the shape, the place and the name that HubSpot asks for. */
import { dirname, join, relative } from 'node:path';
import {
  type CheckResult,
  componentOf,
  type Project,
  readProject,
  variablesIn,
  variablesOf,
  withVariables,
} from './project.ts';
import { components, profileShape, projectShape, uidPattern } from './project-shapes.ts';
import { object, text } from './shape.ts';

const anyValue = () => [];

/** Checks the project at `root` (absolute). */
export function checkComponents(root: string): CheckResult {
  const project = readProject(root);
  const { configuration, profiles } = project;
  const failures = [
    ...[configuration, ...profiles, ...project.components]
      .filter(({ content }) => content === undefined)
      .map(({ file }) => `${file}: is missing or no JSON`),
    ...(configuration.content === undefined ? [] : projectShape(configuration.content, configuration.file)),
    ...profiles.flatMap(({ file, content }) => (content === undefined ? [] : profileShape(content, file))),
    ...project.components.flatMap((component) => (component.content === undefined ? [] : shapeOf(project, component))),
    ...countsOf(project),
    ...variables(project),
  ];
  return { name: 'HubSpot project files', detail: `${project.components.length} components`, failures };
}

function shapeOf(project: Project, { file, content }: Project['components'][number]): readonly string[] {
  const filled = withVariables(content, variablesOf(project.profiles[0] ?? { file, content: {} }));
  const { type } = componentOf(content);
  const rule = typeof type === 'string' ? components[type] : undefined;
  if (rule === undefined) return [`${file}: "type" must be one of ${Object.keys(components).join(', ')}`];
  const folder = relative(project.source, dirname(join(project.root, file)));
  return [
    ...object({
      uid: text(uidPattern, 'up to 64 letters, digits, dots, underscores and hyphens'),
      type: anyValue,
      config: rule.config,
    })(filled, file),
    ...(folder === rule.folder ? [] : [`${file}: a ${type} must lie in ${rule.folder} itself, or HubSpot skips it`]),
  ];
}

function countsOf({ components: files }: Project): readonly string[] {
  const uids = files.map(({ content }) => componentOf(content).uid);
  const types = files.map(({ content }) => componentOf(content).type);
  const count = (type: string) => types.filter((other) => other === type).length;
  return [
    ...files
      .filter((_file, index) => uids[index] !== undefined && uids.indexOf(uids[index]) !== index)
      .map(({ file, content }) => `${file}: another component has the uid "${componentOf(content).uid}" already`),
    ...(count('app') === 0 ? ['app-hsmeta.json: a project needs an app'] : []),
    ...Object.entries(components)
      .filter(([type, { single }]) => single && count(type) > 1)
      .map(([type]) => `a project has one ${type} at most, this one has ${count(type)}`),
  ];
}

/** A value that a profile lacks stops the upload with that profile only: every profile needs all of them. */
function variables({ components: files, profiles }: Project): readonly string[] {
  const needed = files.flatMap(({ file, content }) => variablesIn(content).map((name) => ({ file, name })));
  if (needed.length > 0 && profiles.length === 0)
    return [`${needed[0]?.file}: takes values from an upload profile, and there is no hsprofile.<name>.json`];
  return profiles.flatMap((profile) =>
    needed
      .filter(({ name }) => !(name in variablesOf(profile)))
      .map(({ file, name }) => `${file}: \${${name}} is not in ${profile.file}`),
  );
}
