/** What a test wants an agent's phone to be told of a caller, as headers of the INVITE. Builds text and nothing else. */
import { addressOf } from './agent-invite.ts';
import { diversionHeaders } from './diversions.ts';
import type { SipHeader } from './sip-message.ts';
import type { CallAgentOptions } from './switch-api.ts';

/** An empty value means: no such header. */
export function callerHeaders(
  options: CallAgentOptions,
  extension: string,
  name: string | undefined,
  domain: string,
): SipHeader[] {
  const { verstat, asserted, diverted, callerNumber } = options;
  // STIR's verdict belongs to the number, inside the user part (3GPP TS 24.229 section 7.2A.20).
  const address = (number: string, display: string | undefined): string => {
    const plain = addressOf({ number, name: display }, domain);
    return verstat === undefined ? plain : plain.replace(/@([^@]*)>$/, `;verstat=${verstat}@$1;user=phone>`);
  };
  const headers: SipHeader[] = [];
  if (verstat !== undefined) headers.push({ name: 'From', value: address(callerNumber, name) });
  const shown = asserted ?? { number: callerNumber, ...(name === undefined ? {} : { name }) };
  if (asserted === null) headers.push({ name: 'P-Asserted-Identity', value: '' });
  else if (asserted || verstat !== undefined)
    headers.push({ name: 'P-Asserted-Identity', value: address(shown.number, shown.name) });
  headers.push(...diversionHeaders(domain, diverted ?? [], extension));
  return [...headers, ...Object.entries(options.headers ?? {}).map(([key, value]) => ({ name: key, value }))];
}
