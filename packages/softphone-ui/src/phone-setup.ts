/** What the profile says, as the phone engine takes it: its account, its call rules, what it watches. Owns the filling-in of dial strings. */
import type { DeviceId, Profile } from '@patchcord/call-protocol';
import type { CallRules, SipAccount, Watching } from '@patchcord/phone-engine';

/** `user`: the address of record where the PBX knows each device as a user of its own; others call the agent by the extension all the same. */
export function accountOf(
  { agent, sip, media, features, iceTransportPolicy }: Profile,
  device: DeviceId,
  user: string | undefined,
): SipAccount {
  return {
    ...sip,
    ...media,
    extension: user ?? agent.extension,
    displayName: agent.name,
    instance: device,
    iceTransportPolicy,
    followTransfers: features.followTransfers,
  };
}

export function rulesOf({ features }: Profile): CallRules {
  const { mostCalls, callWaiting, busyCode, declineCode, autoAnswer, conference, doNotDisturb, forwarding } = features;
  return {
    ...{ mostCalls, callWaiting, busyCode, declineCode, autoAnswer },
    mostMembers: conference.mostMembers,
    codes: {
      doNotDisturb: doNotDisturb === 'by-phone' ? null : doNotDisturb,
      forwarding: forwarding === 'by-phone' ? null : forwarding,
    },
  };
}

export function watchingOf({ features, agent }: Profile): Watching {
  const colleagues = features.watch.map(({ extension }) => extension).filter((it) => it !== agent.extension);
  return {
    extensions: [...new Set<string>([...colleagues, ...(features.park?.slots ?? [])])],
    mailbox: features.voicemail?.watched === true,
  };
}

/** A dial string with the extension it is about. */
export const dialString = (text: string, extension: string): string => text.replaceAll('{extension}', extension);
