/** What the panel's bundler leaves out or writes anew: the engine asks for nothing of it, and what is left does the same as before. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import parsePhoneNumber, { type MetadataJson, validatePhoneNumberLength } from 'libphonenumber-js/core';
import metadata from 'libphonenumber-js/min/metadata';
import { expect, it } from 'vitest';
import { leanCallingSdk } from '../../../scripts/lean-calling-sdk.ts';
import { leanNumbers } from '../../../scripts/lean-numbers.ts';
import { settled, sipJsParts } from '../../../scripts/sip-js-parts.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

async function bundled(contents: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    logLevel: 'silent',
    plugins: [sipJsParts, leanNumbers, leanCallingSdk],
  });
  return outputFiles[0]?.text ?? '';
}

it('the engine sets nothing of sip.js that the bundler takes for settled', () => {
  const folder = `${root}packages/phone-engine/src/sip/`;
  const set = readdirSync(folder)
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => readFileSync(folder + name, 'utf8').split('\n'))
    .flatMap((line) => {
      const [, name = '', value = ''] = /\b(\w+): (\w+)/.exec(line) ?? [];
      return settled.has(name) && !line.includes('sip.ringing') && settled.get(name) !== value ? [line.trim()] : [];
    });
  expect(set).toEqual([]);
});

it('the number library means the same written shorter', async () => {
  const text = await bundled(
    "export { default as parse, validatePhoneNumberLength as length } from 'libphonenumber-js/core';",
  );
  const lean = (await import(`data:text/javascript;base64,${Buffer.from(text).toString('base64')}`)) as {
    parse: typeof parsePhoneNumber;
    length: typeof validatePhoneNumberLength;
  };
  const plan = metadata as unknown as MetadataJson;
  const numbers = [
    '+14155552671',
    '02079460018',
    '+442079460018',
    '0171 1234567',
    '+49',
    '1',
    '+999123456',
    '+390612345678',
    '+1415555267112345',
    '8 800 555-35-35',
    '+883510000000091',
    'abc',
    '',
    '+33 1 23 45 67 89 ext. 12',
  ];
  for (const number of numbers)
    for (const defaultCountry of ['US', 'GB', 'DE', 'RU', undefined] as const) {
      const told = (parse: typeof parsePhoneNumber, length: typeof validatePhoneNumberLength) => {
        const options = defaultCountry ? { defaultCountry, extract: false } : { extract: false };
        const parsed = parse(number, options, plan);
        return [
          ...[parsed?.number, parsed?.country, parsed?.nationalNumber, parsed?.isValid(), parsed?.isPossible()],
          ...[parsed?.formatNational(), parsed?.formatInternational(), parsed?.getURI(), parsed?.ext],
          length(number, defaultCountry ? { defaultCountry } : {}, plan),
        ];
      };
      expect(told(lean.parse, lean.length)).toEqual(told(parsePhoneNumber, validatePhoneNumberLength));
    }
});

it('a part of sip.js or of the calling SDK that is left out says so when it is asked for', async () => {
  const text = await bundled(`import { UserAgentCore } from 'sip.js/lib/core/user-agent-core/user-agent-core.js';
    export const subscribe = () => UserAgentCore.prototype.subscribe();
    export { Session } from 'sip.js/lib/api/session.js';`);
  const { subscribe, Session } = (await import(
    `data:text/javascript;base64,${Buffer.from(text).toString('base64')}`
  )) as { subscribe: () => void; Session: { prototype: { refer: () => void } } };
  expect(subscribe).toThrow('does without this part');
  expect(() => Session.prototype.refer()).toThrow('does without this part');
});
