/** The guide of the phone engine is true: every example in it runs, and nothing that the engine takes, shows or tells is missing. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as protocol from '@patchcord/call-protocol';
import * as engine from '@patchcord/phone-engine';
import * as testing from '@patchcord/phone-engine/testing';
import { describe, expect, it } from 'vitest';

const root = new URL('../../../', import.meta.url);
const guide = readFileSync(new URL('docs/phone-engine.md', root), 'utf8');
const sources = (...names: readonly string[]): string =>
  names.map((name) => readFileSync(new URL(`packages/phone-engine/src/${name}.ts`, root), 'utf8')).join('\n');

const blocks = [...guide.matchAll(/```js( setup)?\n(.*?)```/gs)].map(([, setup, code = '']) => ({
  setup: setup !== undefined,
  code,
  line: guide.slice(0, guide.indexOf(code)).split('\n').length,
}));
const setup = blocks.filter((block) => block.setup).map(({ code }) => code.replace(/^import .*$/gm, ''));
const lent = { assert, ...protocol, ...engine, ...testing };

const AsyncFunction = (async () => {}).constructor as new (
  ...code: readonly string[]
) => (...values: readonly unknown[]) => Promise<void>;

describe('the guide of the phone engine', () => {
  for (const { code, line } of blocks.filter((block) => !block.setup)) {
    it(`runs the example of line ${line}`, async () => {
      const run = new AsyncFunction(...Object.keys(lent), [...setup, code].join('\n'));
      await run(...Object.values(lent));
      expect(code).toContain('assert');
    });
  }

  it('imports in its first example what the others use, and nothing that is not there', () => {
    const imported = [...guide.matchAll(/^import \{ (.*) \} from/gm)].flatMap(([, names = '']) => names.split(', '));
    expect(imported.length).toBeGreaterThan(5);
    for (const name of imported) expect(Object.keys(lent)).toContain(name);
  });

  it('has an example for every command', () => {
    const commands = sources('state').split('export type Command')[1]?.split('export type SipSignal')[0] ?? '';
    const names = [...commands.matchAll(/type: '([^']+)'/g)].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThan(25);
    for (const name of names) expect(guide).toMatch(new RegExp(`^### ${name.replace('.', '\\.')}\\n`, 'm'));
  });

  it('names every state of the line and of a call', () => {
    const state = sources('state');
    const words = [
      ...(/readonly status: ('offline'[^;]*);/.exec(state)?.[1] ?? '').matchAll(/'([^']+)'/g),
      ...(/type CallPhase = ([^;]*);/.exec(state)?.[1] ?? '').matchAll(/'([^']+)'/g),
      ...(/readonly hold: ([^;]*);/.exec(state)?.[1] ?? '').matchAll(/'([^']+)'/g),
    ].map(([, word = '']) => word);
    expect(words.length).toBeGreaterThan(14);
    for (const word of words) expect(guide).toContain(`\`${word}\``);
  });

  it('names every event that the machine tells', () => {
    const machine = sources(
      ...['transition', 'call-begin', 'call-commands', 'call-conference', 'call-hold', 'call-inbound'],
      ...['call-recovery', 'call-signals', 'call-step', 'call-transfer'],
    );
    const told = new Set([...machine.matchAll(/emit\(\s*'([a-z.-]+)'/g)].map(([, name = '']) => name));
    expect(told.size).toBeGreaterThan(18);
    const recording = Object.keys(protocol.recordingEvents);
    for (const name of [...told, ...recording, 'agent.available', 'agent.unavailable'])
      expect(guide).toContain(`| \`${name}\` |`);
  });
});
