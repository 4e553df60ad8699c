import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hubSpotExtensionChecks } from '../../../scripts/hubspot-extension/checks.ts';
import { checkComponents } from '../../../scripts/hubspot-extension/component-check.ts';
import { checkExtensionReferences } from '../../../scripts/hubspot-extension/reference-check.ts';
import {
  checkExtensionBundles,
  checkExtensionLint,
  checkExtensionTypes,
} from '../../../scripts/hubspot-extension/source-check.ts';

const repository = fileURLToPath(new URL('../../../', import.meta.url));
let folder = '';
let root = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'patchcord-hubspot-checks-'));
  symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'));
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  root = join(folder, 'project');
  rmSync(root, { recursive: true, force: true });
  cpSync(join(repository, 'hubspot-extension'), root, { recursive: true });
});

/** Replaces a text of a file, which must be there. */
function edit(file: string, from: string, to: string): void {
  const before = readFileSync(join(root, file), 'utf8');
  expect(before).toContain(from);
  writeFileSync(join(root, file), before.replace(from, to));
}

/** How a file asks for a value of the profile. */
const asks = (name: string) => `\${${name}}`;
const card = 'src/app/cards/calls-card-hsmeta.json';
const app = 'src/app/app-hsmeta.json';
const action = 'src/app/workflow-actions/schedule-call-back-hsmeta.json';

it('finds nothing wrong with the project as it is', async () => {
  for await (const { name, failures } of hubSpotExtensionChecks(root)) expect(failures, name).toEqual([]);
}, 120_000);

describe('project files', () => {
  it.each([
    ['another platform version', 'hsproject.json', '"2026.03"', '"2024.1"', 'must be one of 2026.03'],
    ['a project without a name', 'hsproject.json', '"name": "patchcord",', '', '"name" is missing'],
    ['a key HubSpot does not know', card, '"type": "card"', '"type": "card", "colour": "red"', '"colour" is not known'],
    ['a uid with a blank', card, 'patchcord_calls_card', 'patchcord calls card', 'up to 64 letters'],
    ['a uid twice', card, 'patchcord_calls_card', 'patchcord_app', 'has the uid "patchcord_app" already'],
    ['a location that is none', card, 'crm.record.sidebar', 'crm.record.middle', 'must be one of crm.record.tab'],
    ['no object types', card, '["contacts", "companies", "deals", "tickets"]', '[]', 'needs at least 1'],
    ['an object type twice', card, '"tickets"]', '"tickets", "deals"]', 'stands there twice'],
    ['a second app', card, '"type": "card"', '"type": "app"', 'one app at most'],
    ['an unknown type', card, '"type": "card"', '"type": "carde"', '"type" must be one of'],
    ['a field without a type', action, '"type": "datetime", ', '', '"type" is missing'],
    [
      'an address of this machine',
      'src/hsprofile.production.json',
      'https://phone.example.com"',
      'http://localhost:8080"',
      'https origin',
    ],
    [
      'a value that no profile has',
      app,
      asks('SUPPORT_EMAIL'),
      asks('SUPPORT'),
      'SUPPORT} is not in src/hsprofile.production.json',
    ],
    ['JSON that is none', card, '{', '', 'no JSON'],
  ])('names %s', (_what, file, from, to, said) => {
    edit(file, from, to);
    expect(checkComponents(root).failures.join('\n')).toContain(said);
  });

  it('names a component in a folder where HubSpot skips it', () => {
    mkdirSync(join(root, 'src/app/cards/more'));
    renameSync(join(root, card), join(root, 'src/app/cards/more/calls-card-hsmeta.json'));
    expect(checkComponents(root).failures.join('\n')).toContain('must lie in app/cards itself');
  });

  it('names a project without an app', () => {
    rmSync(join(root, app));
    expect(checkComponents(root).failures.join('\n')).toContain('a project needs an app');
  });

  it('names a project whose profile is missing', () => {
    rmSync(join(root, 'src/hsprofile.production.json'));
    expect(checkComponents(root).failures.join('\n')).toContain('there is no hsprofile.<name>.json');
  });
});

describe('references', () => {
  it.each([
    ['an entrypoint that is not there', card, 'CallsCard.tsx', 'NoCard.tsx', '/app/cards/NoCard.tsx does not exist'],
    [
      'an entrypoint of another folder',
      card,
      'cards/CallsCard.tsx',
      'settings/SettingsPage.tsx',
      "component's own folder",
    ],
    [
      'an entry that draws nothing',
      'src/app/cards/CallsCard.tsx',
      'hubspot.extend',
      'String',
      'never calls hubspot.extend',
    ],
    [
      'an import that leaves the folder',
      'src/app/settings/SelfTest.tsx',
      './answers.ts',
      '../cards/answers.ts',
      'leaves the folder',
    ],
    [
      'an import of a package that is not installed',
      'src/app/cards/CallNow.tsx',
      "from 'react'",
      "from 'preact'",
      'preact is not in',
    ],
    ['a version that may change', 'src/app/cards/package.json', '"18.3.1"', '"^18.3.1"', 'needs an exact version'],
    [
      'an address in the source',
      'src/app/cards/CallNow.tsx',
      'Nothing was dialled.',
      'See https://help.example.com.',
      'belongs into an upload profile',
    ],
    [
      'a part that fetches by itself',
      'src/app/cards/CallNow.tsx',
      'busy.current = true',
      "hubspot.fetch('x')",
      'only relay.ts may fetch',
    ],
    ['copies that differ', 'src/app/settings/relay.ts', '15_000', '20_000', 'both folders need the same'],
    [
      'a relay that cards may not fetch',
      app,
      `"fetch": ["${asks('RELAY_URL')}"]`,
      '"fetch": []',
      'so that every card fails',
    ],
    ['a relay that HubSpot may not frame', app, `"iframe": ["${asks('RELAY_URL')}"]`, '"iframe": []', 'stays blank'],
    [
      'an action on another server',
      action,
      `${asks('RELAY_URL')}/v1`,
      'https://other.example.com/v1',
      'is not on the relay',
    ],
    [
      'a scope that nothing needs',
      app,
      '"tickets",',
      '"tickets", "content",',
      'nothing of ours uses the scope content',
    ],
    ['a card without its scope', app, '"crm.objects.deals.read",', '', 'cards on deals need the scope'],
    ['a field without a label', action, '"in_hours": "Hours from now",', '', 'inputFieldLabels lacks in_hours'],
    [
      'a label of no field',
      action,
      '"why": "Why not"',
      '"why": "Why not", "how": "How"',
      'names how, which is no field',
    ],
    ['a summary of no field', action, '{{owner}}', '{{agent}}', 'which is no input field'],
  ])('names %s', (_what, file, from, to, said) => {
    edit(file, from, to);
    expect(checkExtensionReferences(root).failures.join('\n')).toContain(said);
  });
});

describe('source', () => {
  it.each([
    ['an HTML element', '<Flex direction="column" gap="small">', '<div>', 'no-html-elements'],
    ['a fetch of the browser', 'if (busy.current) return;', 'await fetch("/x");', 'no-native-http'],
    ['storage', 'if (busy.current) return;', 'localStorage.clear();', 'no-browser-storage'],
    ['the page', 'if (busy.current) return;', 'document.title = "";', 'no-dom-access'],
    ['output on the console', 'if (busy.current) return;', 'console.log(1);', 'no-console'],
  ])('names %s, by HubSpot’s own rules', async (_what, from, to, rule) => {
    edit('src/app/cards/CallNow.tsx', from, to);
    if (to === '<div>') edit('src/app/cards/CallNow.tsx', '</Flex>', '</div>');
    expect((await checkExtensionLint(root)).failures.join('\n')).toContain(rule);
  });

  it('names a property that HubSpot’s component does not have', async () => {
    edit('src/app/cards/CallNow.tsx', 'variant="microcopy"', 'variant="tiny"');
    expect((await checkExtensionTypes(root)).failures.join('\n')).toContain('"tiny"');
  }, 120_000);

  it('names what does not build', async () => {
    edit('src/app/cards/CallNow.tsx', './wish.ts', './nowhere.ts');
    expect((await checkExtensionBundles(root)).failures.join('\n')).toContain('nowhere.ts');
  });

  it('names a module that has no business in a card', async () => {
    edit('src/app/cards/CallNow.tsx', 'busy.current = true', 'busy.current = isValid("x")');
    edit(
      'src/app/cards/CallNow.tsx',
      'import ',
      "import { isValidNumber as isValid } from 'libphonenumber-js';\nimport ",
    );
    const failures = (await checkExtensionBundles(root)).failures.join('\n');
    expect(failures).toContain("neither its own nor HubSpot's nor React's");
    expect(failures).toContain('at most');
  });
});
