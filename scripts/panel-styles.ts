/**
 * Gives each part of the panel the styles that only it says: a rule goes with a part when every selector of it has a class that stands in that
 * part's modules and nowhere else. What anybody else may say stays in the panel's stylesheet. Must never change the order of rules that stay.
 */
import { readFileSync } from 'node:fs';
import { transform } from 'esbuild';

export interface PartStyles {
  /** What the panel begins with. */
  readonly start: string;
  /** By part. */
  readonly later: ReadonlyMap<string, string>;
}

/**
 * @param css the whole stylesheet, minified and without imports
 * @param files every source file that may say a class, by absolute path
 * @param partOf the part a file is in, undefined for the panel itself
 */
export async function partStyles(
  css: string,
  files: readonly string[],
  partOf: (path: string) => string | undefined,
): Promise<PartStyles> {
  const sayers = new Map<string, Set<string | undefined>>();
  /** Of classes that are put together, by their beginning: `is-${status}`. */
  const makers = new Map<string, Set<string | undefined>>();
  for (const path of files) {
    const part = partOf(path);
    const source = readFileSync(path, 'utf8');
    const note = (told: Map<string, Set<string | undefined>>, word: string) =>
      told.set(word, (told.get(word) ?? new Set()).add(part));
    for (const [word] of source.matchAll(/[\w-]+/g)) note(sayers, word);
    for (const [, beginning = ''] of source.matchAll(/([\w-]+)\$\{/g)) note(makers, beginning);
  }
  const homeOf = (selector: string): string | undefined => {
    for (const [, name = ''] of selector.matchAll(/\.(-?[a-zA-Z_][\w-]*)/g)) {
      const made = [...makers].filter(([beginning]) => name.startsWith(beginning)).flatMap(([, parts]) => [...parts]);
      const [part, ...others] = new Set([...(sayers.get(name) ?? []), ...made]);
      if (part !== undefined && others.length === 0) return part;
    }
    return undefined;
  };
  const later = new Map<string, string>();
  const split = (text: string): Map<string | undefined, string> => {
    const homes = new Map<string | undefined, string>();
    for (const { head, body } of rulesOf(text)) {
      const add = (home: string | undefined, rule: string) => homes.set(home, (homes.get(home) ?? '') + rule);
      if (head.startsWith('@media')) for (const [home, inner] of split(body)) add(home, `${head}{${inner}}`);
      else if (head.startsWith('@')) add(undefined, `${head}{${body}}`);
      else {
        // Commas inside :is() and :not() are left alone: such a rule stays.
        const all = new Set(/\(/.test(head) ? [undefined] : head.split(',').map(homeOf));
        const [home] = all;
        add(all.size === 1 ? home : undefined, `${head}{${body}}`);
      }
    }
    return homes;
  };
  const homes = split(css);
  for (const [home, text] of homes)
    if (home !== undefined) later.set(home, (await transform(text, { loader: 'css', minify: true })).code.trim());
  return { start: homes.get(undefined) ?? '', later };
}

/** The rules of a minified stylesheet, one level deep. @throws when the braces do not fit */
function rulesOf(css: string): readonly { readonly head: string; readonly body: string }[] {
  const rules = [];
  let from = 0;
  let open = 0;
  let depth = 0;
  for (const { 0: brace, index } of css.matchAll(/[{}]/g)) {
    if (brace === '{') {
      if (depth === 0) open = index;
      depth += 1;
      continue;
    }
    depth -= 1;
    if (depth > 0) continue;
    rules.push({ head: css.slice(from, open).trim(), body: css.slice(open + 1, index) });
    from = index + 1;
  }
  if (depth !== 0 || css.slice(from).trim() !== '')
    throw new Error('The stylesheet is one that is not known here: scripts/panel-styles.ts.');
  return rules;
}
