/**
 * What of an office phone one agent has: the tenant's settings with what is the agent's own. Owns how the two come together; pure. Must never
 * give an agent a caller ID or a mailbox that the configuration does not give them.
 */
import { ExtensionSchema, type Features } from '@patchcord/call-protocol';
import * as v from 'valibot';
import type { AgentConfig, TenantConfig } from './config.ts';

/** Colleagues one phone watches; each is a subscription at the phone system. */
const mostWatched = 100;

/** The features of an agent's profile. */
export function featuresOf(tenant: TenantConfig, agent: AgentConfig): Features {
  const { features } = tenant;
  const overrides = agent.features ?? {};
  const { conference, park, pickup, voicemail } = features;
  return {
    mostCalls: features.mostCalls,
    callWaiting: features.callWaiting,
    busyCode: features.busyCode,
    declineCode: features.declineCode,
    conference: { mostMembers: conference.mostMembers, room: own(conference.room, agent) },
    park: park === undefined ? null : { to: park.to ?? null, slots: park.slots },
    pickup: { directed: pickup.directed ?? null, group: pickup.group ?? null, byDialog: pickup.byDialog },
    forwarding: features.forwarding ?? null,
    doNotDisturb: features.doNotDisturb,
    autoAnswer: overrides.autoAnswer ?? features.autoAnswer,
    voicemail:
      voicemail === undefined
        ? null
        : {
            number: own(voicemail.number, agent),
            deposit: own(voicemail.deposit, agent),
            watched: voicemail.watched,
            listed: voicemail.listed,
          },
    callerIds: [...callerIdsOf(tenant, agent)],
    watch: watchedBy(tenant, agent),
    moveTo: (overrides.moveTo ?? features.moveTo).flatMap(({ number, label }) => {
      const dialled = own(number, agent);
      return dialled === null ? [] : [{ number: dialled, label }];
    }),
    followTransfers: features.followTransfers,
    doNotCall: features.doNotCall,
  };
}

/** Numbers that this agent's calls may show, the first one first. */
export function callerIdsOf(tenant: TenantConfig, agent: AgentConfig): TenantConfig['features']['callerIds'] {
  return agent.features?.callerIds ?? tenant.features.callerIds;
}

/** Mailboxes whose messages are this agent's to hear. */
export function mailboxesOf({ extension, features }: AgentConfig): readonly string[] {
  return features?.mailboxes ?? [extension];
}

/** With the agent's own extension in its place; null where nothing is set, or an extension in letters and signs can't be dialled. */
function own(dialled: string | undefined, { extension }: AgentConfig): string | null {
  if (dialled === undefined) return null;
  const filled = dialled.replaceAll('{extension}', () => extension);
  return /^[A-Za-z0-9*#+._-]{1,64}$/.test(filled) ? filled : null;
}

function watchedBy(tenant: TenantConfig, agent: AgentConfig): Features['watch'] {
  const watch = agent.features?.watch ?? tenant.features.watch;
  const nameOf = (extension: string): string =>
    tenant.agents.find((one) => one.extension === extension)?.name ?? extension;
  const wanted =
    watch === 'colleagues'
      ? tenant.agents.map(({ extension, name }) => ({ extension, name }))
      : watch.map((one) => (typeof one === 'string' ? { extension: one, name: nameOf(one) } : one));
  const seen = new Set<string>([agent.extension]);
  return wanted
    .flatMap(({ extension, name }) => {
      const checked = v.safeParse(ExtensionSchema, extension);
      if (!checked.success || seen.has(extension)) return [];
      seen.add(extension);
      return [{ extension: checked.output, name }];
    })
    .slice(0, mostWatched);
}
