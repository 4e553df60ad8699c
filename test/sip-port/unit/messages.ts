/** A SIP message as the readers of headers see it. Owns nothing else. */
import type { HeaderSource } from '../../../packages/phone-engine/src/sip/caller-headers.ts';

/** A message with these header lines. */
export function message(...lines: readonly (readonly [name: string, value: string])[]): HeaderSource {
  const of = (name: string) =>
    lines.filter(([it]) => it.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
  return { getHeader: (name) => of(name)[0], getHeaders: of };
}
