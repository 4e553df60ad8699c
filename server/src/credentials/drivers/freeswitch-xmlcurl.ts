/**
 * FreeSWITCH asks us (mod_xml_curl, `bindings="directory"`): a device is the user `<extension>-<device>`, known only as long as its credential
 * lives. Nothing is pushed. Withdrawing is answering "not found", and flushing the registration over the event socket, since until it runs out
 * calls would still go there. The answers themselves are in `http/freeswitch-directory.ts`.
 */
import { type AgentId, type DeviceId, PatchcordError } from '@patchcord/call-protocol';
import type { IssuedCredential } from '../../store/contract.ts';
import { ha1, randomPassword, shortName } from '../digest.ts';
import { withEventSocket } from '../event-socket.ts';
import {
  type AgentLine,
  type CredentialIssuer,
  type CredentialSettings,
  type IssuerParts,
  longestRegistrationMs,
} from '../issuer.ts';

export function freeswitchXmlcurl(
  { tenant, store, now }: IssuerParts,
  settings: CredentialSettings<'freeswitch-xmlcurl'>,
): CredentialIssuer {
  const { domain } = tenant.sip;
  const { eventSocket } = settings;
  const ends = tenant.sip.revocation.calls === 'end';

  const userOf = (extension: string, agent: AgentId, device: DeviceId): string =>
    `${extension}-${shortName(`${tenant.id} ${agent} ${device}`, 12)}`;

  const contactOf = (user: string): string => `sofia_contact */${addressOf(user)}`;
  /** @throws PatchcordError `config.invalid` when FreeSWITCH would read something else */
  const addressOf = (user: string): string => {
    const who = `${user}@${domain}`;
    // Without an argument FreeSWITCH flushes everybody; with a space in it, somebody else.
    if (/^[A-Za-z0-9_.+~-]{1,80}@[A-Za-z0-9.-]{1,255}$/.test(who)) return who;
    throw new PatchcordError(
      'config.invalid',
      'An extension or the SIP domain has signs that the event socket of FreeSWITCH would misread. Use letters, digits, ".", "-", "_" only.',
    );
  };

  const flush = async (users: ReadonlySet<string>): Promise<void> => {
    if (eventSocket === undefined || users.size === 0) return;
    await withEventSocket(eventSocket, async (api) => {
      for (const user of users) {
        await api(`sofia profile ${eventSocket.profile} flush_inbound_reg ${addressOf(user)}`);
        if (ends) await killChannels(api, user);
      }
    });
  };
  const take = async (line: AgentLine, device: DeviceId | null): Promise<void> => {
    const given = await store.issuedTo(tenant.id, line.agent, now() - longestRegistrationMs);
    // A user is one device for good, so one that lives has been renewed since: somebody who may sign in again keeps line and calls.
    const users = given.filter(
      (one) =>
        one.kind === 'freeswitch-xmlcurl' &&
        (device === null || one.device === device) &&
        (one.revokedAt !== null || one.expiresAt <= now()),
    );
    await flush(new Set(users.map((one) => one.username)));
  };

  return {
    kind: 'freeswitch-xmlcurl',
    notesLast: true,
    revocable: true,
    limits:
      eventSocket === undefined
        ? `Without sip.credential.eventSocket FreeSWITCH can't be told: it refuses the next REGISTER and call, but calls still reach a revoked browser until its registration runs out, ${tenant.sip.registerSeconds} seconds at most, and a running call goes on.`
        : null,

    async issue(device) {
      const at = now();
      const username = userOf(device.extension, device.agent, device.id);
      const password = randomPassword();
      const issued: IssuedCredential = {
        tenant: tenant.id,
        agent: device.agent,
        device: device.id,
        username,
        kind: 'freeswitch-xmlcurl',
        extension: device.extension,
        user: username,
        ha1: ha1(username, domain, password),
        issuedAt: at,
        expiresAt: at + settings.ttlSeconds * 1_000,
        revokedAt: null,
      };
      // FreeSWITCH takes one `a1-hash` per user, and the user is the address of record: the new one replaces the old.
      if (!(await store.renewIssued(issued)))
        throw new PatchcordError(
          'internal',
          'Two devices came to the same SIP user name. Try again from another browser.',
        );
      return { username, user: username, password, expiresAt: issued.expiresAt };
    },

    revoke: take,
    revokeAgent: (line) => take(line, null),
    ...(eventSocket === undefined
      ? {}
      : {
          endCalls: ({ agent, extension }: AgentLine, device: DeviceId) => {
            const user = userOf(extension, agent, device);
            // With a space in it FreeSWITCH would look for something else.
            if (!/^[A-Za-z0-9_.+~-]{1,80}$/.test(user)) return Promise.resolve(0);
            return withEventSocket(eventSocket, (api) => killChannels(api, user));
          },
          isRegistered: ({ agent, extension }: AgentLine, device: DeviceId) =>
            withEventSocket(eventSocket, async (api) =>
              hasContact(await api(contactOf(userOf(extension, agent, device)))),
            ),
        }),

    async reconcile() {
      // Nothing of ours is kept there but registrations; those of what was withdrawn since the last look are flushed again.
      const gone = await store.revokedCredentials(tenant.id, now());
      const users = gone.filter((one) => one.kind === 'freeswitch-xmlcurl').map((one) => one.username);
      await flush(new Set(users));
      return { removed: eventSocket === undefined ? 0 : users.length, restored: 0 };
    },
  };
}

/**
 * Whether an answer of `sofia_contact` is somewhere to call.
 * @throws PatchcordError `sip.refused` when it is neither that nor the word for nobody
 */
function hasContact(answer: string): boolean {
  if (answer.startsWith('error/user_not_registered')) return false;
  if (answer.includes('sofia/')) return true;
  throw new PatchcordError(
    'sip.refused',
    'FreeSWITCH did not say whether a phone is registered. Is mod_sofia loaded?',
    {
      retryable: true,
    },
  );
}

/** Ends every channel of a user; how many there were. */
async function killChannels(api: (command: string) => Promise<string>, user: string): Promise<number> {
  const channels = channelsIn(await api(`show channels like ${user} as json`));
  for (const uuid of channels) await api(`uuid_kill ${uuid}`);
  return channels.length;
}

/** The channel ids in the answer of `show channels … as json`. */
function channelsIn(answer: string): readonly string[] {
  const found = new Set<string>();
  for (const [, uuid = ''] of answer.matchAll(/"uuid"\s*:\s*"([0-9a-f-]{36})"/gi)) found.add(uuid);
  return [...found];
}
