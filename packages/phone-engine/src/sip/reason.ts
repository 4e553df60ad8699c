/** Owns the Reason header (RFC 3326): what an end is told with, and what is told to the far side. Pure. */

/** The text of a Reason header, for people. */
export function reasonText(header: string | undefined): string {
  return /text\s*=\s*"([^"]{1,120})"/i.exec(header ?? '')?.[1] ?? '';
}

/**
 * True when a CANCEL says that somebody else took the call: SIP cause 200 (RFC 3326 section 2), or Q.850 cause 26, non-selected user clearing.
 */
export function saysElsewhere(header: string | undefined): boolean {
  return /\bSIP\s*;[^,]*\bcause\s*=\s*200\b|\bQ\.850\s*;[^,]*\bcause\s*=\s*26\b|\bcompleted elsewhere\b/i.test(
    header?.slice(0, 1_000) ?? '',
  );
}

/** The header line that tells the far side why. @param text ours, without quotes */
export function reasonHeader(cause: number, text: string): string {
  return `Reason: SIP;cause=${cause};text="${text}"`;
}
