/**
 * Statements that are worked out once and run ever after with other values: building one and turning it into SQL costs more than SQLite takes
 * to run it. Owns where the values go. Knows no table; the form of a statement must not depend on its values.
 */
import type { Compilable, CompiledQuery, Kysely } from 'kysely';
import type { BatchStatement } from './database.ts';
import type { Tables } from './tables.ts';

/** Stands where a value will be. */
class Place {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

export interface Prepared<V, R> {
  /** The rows it gives. */
  rows(values: V): Promise<R[]>;
  /** As part of a batch. */
  with(values: V, options?: { readonly mustChange?: boolean }): BatchStatement;
}

/**
 * Prepares a statement with its first use.
 * @param build Is given a stand-in for each value of `V`, which goes where a value goes, whole
 */
export function prepared<V extends object, R = unknown>(
  db: Kysely<Tables>,
  build: (places: V) => Compilable<R>,
): Prepared<V, R> {
  let template: CompiledQuery<R> | undefined;
  const compiled = (values: V): CompiledQuery<R> => {
    template ??= build(
      new Proxy({} as V, { get: (_target, name) => (typeof name === 'string' ? new Place(name) : undefined) }),
    ).compile();
    return {
      ...template,
      parameters: template.parameters.map((parameter) =>
        parameter instanceof Place ? (values as Record<string, unknown>)[parameter.name] : parameter,
      ),
    };
  };
  return {
    rows: async (values) => (await db.executeQuery(compiled(values))).rows,
    with: (values, { mustChange = false } = {}) => ({
      query: { compile: () => compiled(values) },
      ...(mustChange ? { mustChange } : {}),
    }),
  };
}

/** The same for a statement that many share: prepared once for each database. */
export function preparedFor<V extends object, R = unknown>(
  build: (db: Kysely<Tables>, places: V) => Compilable<R>,
): (db: Kysely<Tables>) => Prepared<V, R> {
  const known = new WeakMap<Kysely<Tables>, Prepared<V, R>>();
  return (db) => {
    const found = known.get(db) ?? prepared(db, (places: V) => build(db, places));
    known.set(db, found);
    return found;
  };
}
