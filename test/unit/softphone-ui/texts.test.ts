import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { texts } from '../../../packages/softphone-ui/src/texts.ts';

const folder = new URL('../../../packages/softphone-ui/src/texts/', import.meta.url);

describe('the words of the panel', () => {
  it('are each there once: no screen’s file takes the place of another’s', async () => {
    const files = readdirSync(folder);
    const exports = await Promise.all(files.map((file) => import(new URL(file, folder).href)));
    const words = exports.flatMap((exported) => Object.values(exported).flatMap((part) => Object.keys(part as object)));
    expect(words.filter((word, at) => words.indexOf(word) !== at)).toEqual([]);
    expect(words.toSorted()).toEqual(Object.keys(texts).toSorted());
  });
});
