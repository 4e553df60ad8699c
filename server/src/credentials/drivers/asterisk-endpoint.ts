/**
 * What the endpoints that the relay pushes into Asterisk can do: the attributes of a device and of its companion, over which a tenant's own
 * settings go. Must never hold what makes an endpoint ours (aors, auth, mark, variables): those are the driver's.
 */
import type { CredentialSettings } from '../issuer.ts';

/** Attributes of a PJSIP endpoint by name. */
type Attributes = Readonly<Record<string, string>>;

/** In a setting's value it stands for the agent's extension. */
const placeOfExtension = '{extension}';
/** Of the device alone: the companion has the same addresses, and a message is told once. */
const ofDevice = ['mailboxes', 'mwi_subscribe_replaces_unsolicited'];

/**
 * @param tenant Names the pick-up group: the browsers of one tenant pick up each other's calls, and those of desk phones with the same group
 * @returns the device's endpoint, the companion's, and the mailboxes whose messages a device may subscribe to ('' for none)
 */
export function asteriskEndpoints(
  tenant: string,
  extension: string,
  callerId: string,
  settings: CredentialSettings<'asterisk-ari'>,
): { readonly device: Attributes; readonly companion: Attributes; readonly mailboxes: string } {
  const given = Object.fromEntries(
    Object.entries(settings.endpoint).map(([name, value]) => [name, value.replaceAll(placeOfExtension, extension)]),
  );
  const device: Attributes = {
    context: 'from-internal',
    transport: 'transport-wss',
    webrtc: 'yes',
    disallow: 'all',
    allow: 'opus,ulaw,alaw',
    direct_media: 'no',
    rtp_symmetric: 'yes',
    // Keys as RFC 4733, by INFO where the other end has no telephone-event.
    dtmf_mode: 'auto_info',
    // RFC 3262 with a phone that offers it, RFC 4028.
    '100rel': 'peer_supported',
    timers: 'yes',
    // Who is calling, and a change of that in a running call, without a new offer (RFC 3325, RFC 3311).
    send_pai: 'yes',
    connected_line_method: 'update',
    named_call_group: tenant,
    named_pickup_group: tenant,
    // Told unasked to a phone that doesn't subscribe, by subscription to one that does.
    mailboxes: `${extension}@default`,
    mwi_subscribe_replaces_unsolicited: 'yes',
    callerid: callerId,
    ...given,
  };
  const companion = Object.fromEntries(Object.entries(device).filter(([name]) => !ofDevice.includes(name)));
  return { device, companion, mailboxes: device.mailboxes ?? '' };
}
