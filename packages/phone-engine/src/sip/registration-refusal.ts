/** Owns what a refused REGISTER means for the line, and how it is said to people. Pure. */

/** 401 and 403 (and a challenge nobody can answer) stay refusals until the credential changes; everything else may pass. */
export function isFinal(code: number): boolean {
  return code === 401 || code === 403 || code === 407;
}

export function refusalText(code: number, phrase: string): string {
  if (code === 403) return `The PBX refuses this credential (403 ${phrase}).`;
  if (code === 401 || code === 407)
    return `The PBX does not accept the credential, or asks for a digest algorithm other than MD5 and SHA-256 (${code}).`;
  return `The PBX refused the registration (${code} ${phrase}).`;
}
