/**
 * Owns what the page and an extension's worker say to each other. Functions cannot cross: each is kept where it was made and named by a number. Must never
 * carry anything that the extension could use to reach the page itself.
 */

/** What a card knows of where it stands; HubSpot's own names. */
export interface CardContext {
  readonly location: string;
  readonly user: {
    readonly id: number;
    readonly email: string;
    readonly firstName: string;
    readonly lastName: string;
    readonly locale?: string;
  };
  readonly portal: { readonly id: number; readonly timezone: string };
  readonly crm?: { readonly objectId: number; readonly objectTypeId: string };
  readonly extension: { readonly appId: number; readonly appName: string; readonly cardTitle: string };
  readonly variables: Readonly<Record<string, string>>;
}

/** What an extension asks of HubSpot, answered by the server. */
export type Question = 'fetch' | 'properties' | 'associations';

export type ToWorker =
  | { readonly type: 'start'; readonly bundle: string; readonly context: CardContext }
  /** The page calls a function of the extension: somebody clicked. */
  | { readonly type: 'call'; readonly id: number; readonly args: readonly unknown[] }
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly type: 'no-answer'; readonly id: number; readonly message: string };

export type FromWorker =
  /** One step of remote-ui. */
  | { readonly type: 'tree'; readonly step: number; readonly args: readonly unknown[] }
  | { readonly type: 'ask'; readonly id: number; readonly question: Question; readonly value: unknown }
  | { readonly type: 'action'; readonly name: string; readonly args: readonly unknown[] }
  | { readonly type: 'failed'; readonly message: string };

interface NamedFunction {
  readonly $function: number;
}

/** A copy with every function replaced by its number in `keep`. */
export function withoutFunctions(value: unknown, keep: (called: (...args: unknown[]) => unknown) => number): unknown {
  if (typeof value === 'function') {
    const named: NamedFunction = { $function: keep(value as (...args: unknown[]) => unknown) };
    return named;
  }
  return mapped(value, (part) => withoutFunctions(part, keep));
}

/** The other way: numbers become functions that send what they are called with. */
export function withFunctions(value: unknown, send: (id: number, args: readonly unknown[]) => void): unknown {
  if (typeof value === 'object' && value !== null && '$function' in value) {
    const { $function: id } = value as NamedFunction;
    return (...args: unknown[]) => send(id, args);
  }
  return mapped(value, (part) => withFunctions(part, send));
}

function mapped(value: unknown, change: (part: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(change);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, change(part)]));
}
