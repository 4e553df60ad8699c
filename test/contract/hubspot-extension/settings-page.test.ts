import {
  Alert,
  Button,
  Link,
  LoadingButton,
  LoadingSpinner,
  Select,
  StatusTag,
  TableRow,
  Text,
} from '@hubspot/ui-extensions';
import type { Renderer } from '@hubspot/ui-extensions/testing';
import type { ComponentType } from 'react';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { draw, extensionAt, give, type Reply, refusal, relayAnswers, relayOrigin, type Sent } from './card-world.ts';

const settingsPath = '/v1/hubspot/card/settings';
const changePath = '/v1/hubspot/card/settings/change';

const settings = (more: object = {}) => ({
  tenant: { name: 'Acme' },
  connection: { state: 'connected', text: 'Calls are logged in account 4242.' },
  you: { agent: 'Grace Hopper', extension: '1001', role: 'admin', mayChange: true },
  agents: [
    { name: 'Grace Hopper', extension: '1001', crmUserId: '901', signedIn: true, provider: 'ours' },
    { name: 'Alan Turing', extension: '1002', crmUserId: '902', signedIn: false, provider: 'other' },
    { name: 'Edsger Dijkstra', extension: '1003', crmUserId: null, signedIn: false, provider: 'unknown' },
  ],
  policies: [
    {
      id: 'screen-pop',
      title: 'Open the record',
      value: 'ring',
      text: '',
      options: [
        { value: 'ring', label: 'When it rings' },
        { value: 'answer', label: 'When it is answered' },
      ],
    },
    { id: 'card-calls', title: 'Calls on a card', value: 'All of a record', text: 'Set in the file.', options: [] },
  ],
  selfTest: [],
  ...more,
});
const findings = [
  { id: 'a', title: 'Calling settings', verdict: 'good', found: 'They are right.' },
  { id: 'b', title: 'Provider', verdict: 'bad', found: 'Alan calls with another app.', advice: 'Let Alan choose.' },
  { id: 'c', title: 'Seats', verdict: 'unsure', found: 'HubSpot does not say.' },
];

let SettingsPage: ComponentType;
beforeAll(async () => {
  SettingsPage = await extensionAt('app/settings/SettingsPage.tsx', 'SettingsPage');
});
afterEach(() => vi.unstubAllGlobals());

type Page = Renderer<'settings'>;
const titles = (page: Page) => page.findAll(Alert).map(({ props }) => props.title);
const tags = (page: Page) => page.findAll(StatusTag).map(({ text }) => text);
const shown = (page: Page) => page.waitFor(() => void page.findByTestId(LoadingButton, 'run'));

async function opened(
  replies: Record<string, Reply> = {},
  first: object = {},
): Promise<{ page: Page; sent: readonly Sent[] }> {
  const sent = relayAnswers({ [settingsPath]: () => settings(first), ...replies });
  const page = draw(SettingsPage, 'settings');
  await shown(page);
  return { page, sent };
}

describe('the settings page', () => {
  it('says what it waits for, then shows connection, own phone, agents and policies', async () => {
    const sent = relayAnswers({ [settingsPath]: () => settings() });
    const page = draw(SettingsPage, 'settings');
    expect(page.find(LoadingSpinner).props.label).toContain('phone service');
    await shown(page);
    expect(sent).toEqual([{ path: settingsPath, body: {}, timeout: 15_000 }]);
    expect(tags(page)).toEqual(['Connected', 'This phone', 'Another app', 'Not known']);
    expect(page.findByTestId(Text, 'connection').text).toBe('Calls are logged in account 4242.');
    expect(page.findAll(TableRow)).toHaveLength(4);
    expect(page.findByTestId(Text, 'provider-advice').text).toContain('Make and receive');
    expect(page.find(Link).props.href).toEqual({ url: `${relayOrigin}/docs`, external: true });
  });

  it.each<[string, Reply, string]>([
    ['nobody answers', () => Promise.reject(new Error('gone')), 'could not be reached'],
    ['the answer has another shape', () => settings({ agents: 'none' }), 'no answer that this card understands'],
    [
      'the connection is in no state we know',
      () => settings({ connection: {} }),
      'no answer that this card understands',
    ],
    ['a policy has no value', () => settings({ policies: [{ id: 'x', title: 'X' }] }), 'no answer that this card'],
    ['the relay refuses', () => Response.json(refusal('Ask Linus.'), { status: 403 }), 'Ask Linus.'],
  ])('says what to do when %s, and tries again on a click', async (_what, reply, said) => {
    let first = true;
    relayAnswers({
      [settingsPath]: (sent) => {
        if (!first) return settings();
        first = false;
        return reply(sent);
      },
    });
    const page = draw(SettingsPage, 'settings');
    await page.waitFor(() => expect(titles(page)).toEqual(['The settings could not be loaded']));
    expect(page.find(Alert).text).toContain(said);
    page.findByTestId(Button, 'load-again').trigger('onClick');
    await shown(page);
  });

  it('tells somebody without a phone whom to ask', async () => {
    const { page } = await opened(
      {},
      {
        you: { agent: null, extension: null, role: null, mayChange: false },
        agents: [],
        connection: { state: 'broken', text: 'HubSpot took the access back.' },
      },
    );
    expect(titles(page)).toEqual(['No phone is set up for you']);
    expect(tags(page)).toEqual(['Not connected']);
    expect(page.findAll(Text).map(({ text }) => text)).toContain(
      'Nobody has a phone yet. Add agents in the configuration of the phone service.',
    );
  });

  it('shows policies to others, and lets only an administrator change them', async () => {
    const { page, sent } = await opened(
      {},
      { you: { agent: 'Alan Turing', extension: '1002', role: 'agent', mayChange: false } },
    );
    expect(page.maybeFind(Select)).toBeNull();
    expect(`${page.getRootNode()}`).toMatch(/Open the record: [^W]*When it rings/);
    expect(sent).toHaveLength(1);
  });
});

describe('changing a policy', () => {
  it('sends it once for a double click, and shows what the relay made of it', async () => {
    const { page, sent } = await opened({
      [changePath]: ({ body }) =>
        settings({ policies: [{ ...settings().policies[0], value: body.value, text: 'Changed by Grace.' }] }),
    });
    const choice = page.findByTestId(Select, 'screen-pop');
    give(choice, 'onChange', 'answer');
    give(choice, 'onChange', 'answer');
    await page.waitFor(() => expect(page.findByTestId(Select, 'screen-pop').props.value).toBe('answer'));
    expect(`${page.getRootNode()}`).toContain('Changed by Grace.');
    expect(sent.slice(1)).toEqual([{ path: changePath, body: { id: 'screen-pop', value: 'answer' }, timeout: 15_000 }]);
  });

  it('says why it was refused, and keeps the old value', async () => {
    const { page } = await opened({
      [changePath]: () => Response.json(refusal('Only an admin may.'), { status: 403 }),
    });
    give(page.findByTestId(Select, 'screen-pop'), 'onChange', 'answer');
    await page.waitFor(() => expect(titles(page)[0]).toBe('That did not work'));
    expect(page.find(Alert).text).toBe('Only an admin may.');
    expect(page.findByTestId(Select, 'screen-pop').props.value).toBe('ring');
  });
});

describe('the self-test', () => {
  it('says that it has not run, runs once for a double click, and shows what was found and what to do', async () => {
    let reply: (value: unknown) => void = () => {};
    const { page, sent } = await opened({
      [settingsPath]: ({ body }) =>
        body.run === true
          ? new Promise((resolve) => {
              reply = resolve;
            })
          : settings(),
    });
    expect(`${page.getRootNode()}`).toContain('It has not run yet');
    const run = page.findByTestId(LoadingButton, 'run');
    run.trigger('onClick');
    run.trigger('onClick');
    await page.waitFor(() => expect(page.findByTestId(LoadingButton, 'run').props.loading).toBe(true));
    expect(page.findByTestId(Select, 'screen-pop').props.readOnly).toBe(true);
    reply(settings({ selfTest: findings }));
    await page.waitFor(() => expect(titles(page)).toEqual(['1 thing is not right, 1 thing is not sure']));
    expect(tags(page).slice(-3)).toEqual(['Good', 'Not right', 'Not sure']);
    expect(`${page.getRootNode()}`).toContain('What to do: Let Alan choose.');
    expect(sent.slice(1).map(({ body }) => body)).toEqual([{ run: true }]);
  });

  it('says so when nothing is wrong', async () => {
    const { page } = await opened({}, { selfTest: findings.slice(0, 1) });
    expect(titles(page)).toEqual(['Nothing is wrong']);
  });

  it('keeps the page when the run fails', async () => {
    const { page } = await opened({
      [settingsPath]: ({ body }) => (body.run === true ? Promise.reject(new Error('gone')) : settings()),
    });
    page.findByTestId(LoadingButton, 'run').trigger('onClick');
    await page.waitFor(() => expect(titles(page)).toEqual(['That did not work']));
    expect(page.findAll(TableRow)).toHaveLength(4);
  });
});
