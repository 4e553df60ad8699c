/** Owns which calling provider each user of the portal chose, and how REST shows it (the HubSpot contract, section 1.9). */
import { notFound } from './records.ts';
import { inputsOf, notAllowed, type Owner, type RestCall, type RestResult } from './rest-call.ts';

export type ProviderChoice = 'ours' | 'hubspot' | 'none';

export interface Providers {
  of(userId: number): ProviderChoice;
  choose(userId: number, choice: ProviderChoice): void;
  /** `connection-statuses`; `path` is what follows it. */
  handle(call: RestCall, path: readonly string[]): RestResult;
}

export function createProviders(owners: readonly Owner[], app: { id: number; name: string }): Providers {
  const choices = new Map<number, ProviderChoice>(owners.map((owner) => [owner.userId, 'ours']));
  const of = (userId: number): ProviderChoice => choices.get(userId) ?? 'none';

  function shown(userId: number): unknown {
    const choice = of(userId);
    if (choice === 'none') return { userId, connected: false };
    const provider =
      choice === 'hubspot' ? { type: 'HUBSPOT' } : { type: 'THIRD_PARTY', appId: app.id, appName: app.name };
    return { userId, connected: true, provider };
  }

  return {
    of,
    choose: (userId, choice) => void choices.set(userId, choice),
    handle(call, path) {
      if (path.join('/') === 'batch/read' && call.method === 'POST') {
        const known = inputsOf(call.body, 100).filter((one) => choices.has(Number(one.id ?? one.userId)));
        return { status: 200, body: { results: known.map((one) => shown(Number(one.id ?? one.userId))) } };
      }
      if (call.method !== 'GET') throw notAllowed();
      if (path[0] === 'me') return { status: 200, body: shown(owners[0]?.userId ?? 0) };
      if (path[0] !== undefined && path[0] !== '') throw notFound();
      const asked = call.query.get('userId');
      const users = owners.map((owner) => owner.userId).filter((id) => asked === null || `${id}` === asked);
      return { status: 200, body: { results: users.map(shown) } };
    },
  };
}
