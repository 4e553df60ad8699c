/**
 * Owns the shape of what the SIP port tells about itself. Whoever writes an entry keeps out credentials, SDP, dialog ids (a Call-ID with its tags
 * lets a stranger take over the call) and full numbers.
 */
export type SipLog = (
  level: 'info' | 'warn',
  event: string,
  detail?: Readonly<Record<string, string | number | boolean>>,
) => void;
