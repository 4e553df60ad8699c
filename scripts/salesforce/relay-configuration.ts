/** What of the relay's configuration an org determines: its id and origins, and an id for each agent. Holds no secret, changes nothing. */
import type { Org, OrgUser } from './org.ts';

/**
 * An id for each agent: what stands before the @ of the user name; for those who share that, the whole user name (no two users of Salesforce have
 * the same), so that the same people get the same ids whatever their order. A character that no id takes becomes "-".
 */
function agentIds(agents: readonly OrgUser[]): ReadonlyMap<string, string> {
  const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9._:@-]/g, '-');
  let open = [...new Map(agents.map((user) => [user.id, user])).values()];
  const ids = new Map<string, string>();
  const ways: readonly ((user: OrgUser) => string)[] = [
    ({ username }) => plain(username.split('@')[0] ?? ''),
    ({ username }) => plain(username),
    ({ id }) => id,
  ];
  for (const way of ways) {
    const count = Map.groupBy(open, way);
    for (const user of open) if (count.get(way(user))?.length === 1) ids.set(user.id, way(user));
    open = open.filter(({ id }) => !ids.has(id));
  }
  return ids;
}

/** The block to merge into a tenant, as JSON; what the org can't know stands in words. */
export function relayConfiguration(org: Org, agents: readonly OrgUser[], relayUser: string | undefined): string {
  const ids = agentIds(agents);
  return JSON.stringify(
    {
      hostOrigins: [org.lightningOrigin || 'https://YOUR-DOMAIN.lightning.force.com'],
      crm: {
        kind: 'salesforce',
        loginUrl: org.sandbox ? 'https://test.salesforce.com' : 'https://login.salesforce.com',
        clientId: 'the consumer key of the External Client App',
        privateKey: { file: '/etc/patchcord/secrets/salesforce.key' },
        username: relayUser ?? 'the integration user',
        orgId: org.id,
        assertionPublicKeys: [{ file: '/etc/patchcord/secrets/salesforce-org.crt' }],
      },
      agents: agents.map((user) => ({
        id: ids.get(user.id),
        name: user.name,
        extension: 'their extension',
        crmUserId: user.id,
      })),
    },
    null,
    2,
  );
}
