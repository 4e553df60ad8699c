/**
 * What a tenant's phone system takes for its own: numbers and codes that lead to nobody outside. Owns how they follow from `features` and
 * `brakes.internalNumbers`, and how dialled text is compared with them. Must never take a code that may have an outside number behind it for one
 * that leads inside: forwarding is how stolen calls leave a house unseen.
 */
import type { AgentConfig, TenantConfig } from '../config.ts';

/** Lists in the form in which they are sent to an edge. */
export interface OwnNumbers {
  /** Dialled just so. */
  readonly exact: readonly string[];
  /** `<characters in all>.<code>`: a code with the digits of an extension behind it. */
  readonly behind: readonly string[];
  /** Codes that send the calls of a phone to the number behind them: what is judged is that number. */
  readonly forwards: readonly string[];
}

/** Longer digits could be a number of the outside. */
const mostDigits = 6;
const longestCode = 8;

/**
 * What is dialled inside, by the configuration.
 * @param agent whose own `moveTo` and `watch` stand in place of the tenant's; absent: nobody's
 * @param internalDigits how many digits an extension has
 * @returns undefined when that is nothing beyond what every phone may dial: the rules are then the same as without
 */
export function ownNumbersOf(
  { features, brakes }: TenantConfig,
  agent: AgentConfig | undefined,
  internalDigits: readonly number[],
): OwnNumbers | undefined {
  const { conference, park, pickup, forwarding, doNotDisturb, voicemail } = features;
  const watch = agent?.features?.watch ?? features.watch;
  const codes = [forwarding, doNotDisturb].flatMap((one) => (typeof one === 'object' ? [one] : []));
  const dialled = [
    ...[conference.room, park?.to, pickup.directed, pickup.group, voicemail?.number, voicemail?.deposit],
    ...(park?.slots ?? []),
    ...codes.flatMap(({ on, off }) => [on, off]),
    ...(agent?.features?.moveTo ?? features.moveTo).map(({ number }) => number),
    ...(watch === 'colleagues' ? [] : watch.map((one) => (typeof one === 'string' ? one : one.extension))),
    ...brakes.internalNumbers,
  ].filter((one) => one !== undefined);
  const forwards = dialled.flatMap((one) => /^([*#][\d*#]*)\{number\}#?$/.exec(one)?.[1] ?? []);
  const exact = dialled.filter(
    (one) =>
      (/^\d+$/.test(one) && one.length <= mostDigits && !internalDigits.includes(one.length)) ||
      (/^[*#][\d*#]*$/.test(one) &&
        (one.length > freeCodeLength || forwards.some((code) => leadsOn(code, one) !== null))),
  );
  const behind = dialled.flatMap((one) => {
    const code = /^([\d*#]+)\{extension\}$/.exec(one)?.[1];
    if (code === undefined || code.length > longestCode) return [];
    if (forwards.some((one) => inOneWay(code, one))) return [];
    const isDigits = /^\d/.test(code);
    // It may as well be the way out of the house, and what follows a number there.
    if (isDigits && brakes.outsideLine !== undefined && inOneWay(code, brakes.outsideLine)) return [];
    return internalDigits.flatMap((digits) => {
      const length = code.length + digits;
      return (isDigits ? length > mostDigits : length <= freeCodeLength) ? [] : [`${length}.${code}`];
    });
  });
  const usable = forwards.filter((code) => code.length <= longestCode);
  if (exact.length + behind.length + usable.length === 0) return undefined;
  return { exact: sorted(exact), behind: sorted(behind), forwards: sorted(usable) };
}

/** Service codes of this many characters and less are free: no number fits into them. */
export const freeCodeLength = 6;

/** Whether this, without separators, is dialled inside. */
export function isOwn(own: OwnNumbers | undefined, text: string): boolean {
  if (own === undefined) return false;
  const long = `${text.length}.${text}`;
  return own.exact.includes(text) || own.behind.some((one) => long.startsWith(one));
}

/** What stands behind the longest forwarding code that this begins with; null where there is none, or nothing behind it. */
export function forwardedTo(own: OwnNumbers | undefined, text: string): string | null {
  const longestFirst = [...(own?.forwards ?? [])].sort((a, b) => b.length - a.length);
  for (const code of longestFirst) {
    const target = leadsOn(code, text);
    if (target !== null) return target;
  }
  return null;
}

function leadsOn(code: string, text: string): string | null {
  const target = text.startsWith(code) ? text.slice(code.length) : '';
  return target === '' || target === '#' ? null : target;
}

function inOneWay(one: string, other: string): boolean {
  return one.startsWith(other) || other.startsWith(one);
}

function sorted(list: readonly string[]): readonly string[] {
  return [...new Set(list)].sort();
}
