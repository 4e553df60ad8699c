/** Owns the names of what the host page does wrong on command; `browser/host-wire.ts` carries them out. */

/**
 * What the host page can do to one method of the wire; `on` is the method's name. It answers late (`delayMs`), when the page is told to
 * (`host-held`), never, twice, from a wrong origin, with another API version, with each documented error code, with an error as a bare text or
 * under the key `error`; `host-reload` makes the frame anew and delivers the answer to the new page's call of the same number.
 */
export const hostFaults = [
  'host-late',
  'host-held',
  'host-never',
  'host-twice',
  'host-wrong-origin',
  'host-other-version',
  'host-reload',
  'host-error',
  'host-invalid-param',
  'host-server-error',
  'host-container-error',
  'host-error-text',
  'host-error-singular',
] as const;
