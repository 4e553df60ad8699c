/**
 * The telephone number library as it was written: what it ships has every modern construct spelt out for browsers that no panel runs in, again in each
 * of its files. An esbuild plugin that puts the construct back. Must never change what the library does.
 */
import { readFile } from 'node:fs/promises';
import type { Plugin } from 'esbuild';

/** Name of a spelt-out construct → the construct. What only these called is left out by the bundler. */
const constructs: Readonly<Record<string, string>> = {
  _typeof: 'function _typeof(o) { return typeof o; }',
  _objectSpread: 'function _objectSpread(to, ...from) { return Object.assign(to, ...from); }',
  _classCallCheck: 'function _classCallCheck() {}',
  _createClass: `function _createClass(to, members) {
    for (const member of members ?? []) Object.defineProperty(to.prototype, member.key, { configurable: true, writable: true, ...member });
    return to;
  }`,
  _slicedToArray: 'function _slicedToArray(list) { return [...list]; }',
  _toConsumableArray: 'function _toConsumableArray(list) { return [...list]; }',
  _createForOfIteratorHelperLoose:
    'function _createForOfIteratorHelperLoose(list) { const each = list[Symbol.iterator](); return () => each.next(); }',
};
const parseError = `export default class ParseError extends Error {
  constructor(code) { super(code); this.name = 'ParseError'; }
}`;

export const leanNumbers: Plugin = {
  name: 'lean-numbers',
  setup(bundler) {
    bundler.onLoad({ filter: /node_modules\/libphonenumber-js\/es6\/.*\.js$/ }, async ({ path }) => {
      if (path.endsWith('/ParseError.js')) return { contents: parseError };
      const source = await readFile(path, 'utf8');
      return {
        contents: source.replaceAll(/^function (_\w+)\(.*\}$/gm, (all, name: string) => constructs[name] ?? all),
      };
    });
  },
};
