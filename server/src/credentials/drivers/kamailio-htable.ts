/**
 * A credential per device pushed into the memory of the Kamailio edge, which forgets it by itself when it lapses: HA1, expiry and extension
 * under a name of its own. Withdrawing it is deleting it. Needs the edge with WITH_PUSHED_CREDENTIALS.
 */

import { PatchcordError } from '@patchcord/call-protocol';
import { endCallsNamed, endCallsOf } from '../../brakes/edge-rules.ts';
import type { IssuedCredential } from '../../store/contract.ts';
import { ha1, randomName, randomPassword } from '../digest.ts';
import type { AgentLine, CredentialIssuer, CredentialSettings, IssuerParts } from '../issuer.ts';
import {
  callEdge,
  type EdgeControl,
  edgeControl,
  forgetDevice,
  forgetExtension,
  hasDevice,
  limitsOfEdge,
} from '../kamailio.ts';

/** How long a withdrawn name stays denied after it lapsed: a connection that registered with it may still be open. */
const denySeconds = 86_400;

export function kamailioHtable(
  { tenant, store, now }: IssuerParts,
  settings: CredentialSettings<'kamailio-htable'>,
): CredentialIssuer {
  const configured = edgeControl(tenant);
  if (configured === null)
    throw new PatchcordError('config.invalid', 'sip.revocation.kamailioRpcUrl is missing; set it.');
  const edge: EdgeControl = configured;

  const push = async (one: IssuedCredential): Promise<void> => {
    const expires = Math.floor(one.expiresAt / 1_000);
    const seconds = expires - Math.floor(now() / 1_000);
    if (seconds > 0)
      await callEdge(edge, 'htable.setxs', ['pushed', one.username, `${one.ha1}:${expires}:${one.extension}`, seconds]);
  };
  const withdraw = async (names: readonly string[]): Promise<void> => {
    for (const name of names) {
      // Denied first: in its dialogs a connection is known by this name alone.
      await callEdge(edge, 'htable.setxs', ['denied', name, '1', denySeconds]);
      await callEdge(edge, 'htable.delete', ['pushed', name], /not found|no such|unexist/i);
    }
  };
  const withdrawn = async (line: AgentLine): Promise<readonly IssuedCredential[]> =>
    (await store.issuedTo(tenant.id, line.agent, now())).filter((one) => one.revokedAt !== null);

  return {
    kind: 'kamailio-htable',
    revocable: true,
    limits: limitsOfEdge(tenant),

    async issue(device) {
      const at = now();
      const password = randomPassword();
      const username = `${device.extension}-${randomName(16)}`;
      const issued: IssuedCredential = {
        tenant: tenant.id,
        agent: device.agent,
        device: device.id,
        username,
        kind: 'kamailio-htable',
        extension: device.extension,
        user: null,
        ha1: ha1(username, tenant.sip.domain, password),
        issuedAt: at,
        // Whole seconds: the edge counts in them.
        expiresAt: (Math.floor(at / 1_000) + settings.ttlSeconds) * 1_000,
        revokedAt: null,
      };
      await store.addIssued(issued);
      await push(issued);
      return { username, password, expiresAt: issued.expiresAt };
    },

    async revoke(line, device) {
      const names = (await withdrawn(line)).filter((one) => one.device === device).map((one) => one.username);
      await withdraw(names);
      await forgetDevice(edge, line.extension, device);
    },

    async revokeAgent(line) {
      await withdraw((await withdrawn(line)).map((one) => one.username));
      await forgetExtension(edge, line.extension);
      if (tenant.sip.revocation.calls === 'end') await endCallsOf(edge, line.extension);
    },

    endCalls: (_line, _device, sipCallIds) => endCallsNamed(edge, sipCallIds),
    isRegistered: ({ extension }, device) => hasDevice(edge, extension, device),

    async reconcile() {
      const at = now();
      const live = (await store.liveOfTenant(tenant.id, at)).filter((one) => one.kind === 'kamailio-htable');
      // Nothing but a restart loses them all, and with them this mark; so one question is enough.
      const mark = `~${tenant.id}`;
      const remembers = (await callEdge(edge, 'htable.get', ['denied', mark], /exist|not found|unable/i)) !== null;
      if (!remembers) {
        for (const one of live) await push(one);
        await callEdge(edge, 'htable.setxs', ['denied', mark, '1', denySeconds]);
      }
      // Only what this tenant withdrew: the edge may serve others too.
      const gone = (await store.revokedCredentials(tenant.id, at)).filter((one) => one.kind === 'kamailio-htable');
      await withdraw(gone.map((one) => one.username));
      return { removed: gone.length, restored: remembers ? 0 : live.length };
    },
  };
}
