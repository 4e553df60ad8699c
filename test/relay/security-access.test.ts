/** Who may use what, over every route the relay has. */
import { expect, it } from 'vitest';
import { accessRules } from '../attack/access-rules.ts';
import { tryEverything } from '../attack/s11-tenants.ts';
import { startTwoTenants } from '../attack/two-tenants.ts';

it('every route has a rule of who may use it, and a rule has its route [ASVS 8.1.1] [ASVS 8.2.1]', async () => {
  const stage = await startTwoTenants();
  try {
    const routes = stage.one.relay.routes.map(({ method, path }) => `${method} ${path}`);
    expect(routes.filter((route) => accessRules[route] === undefined)).toEqual([]);
    expect(Object.keys(accessRules).filter((route) => !routes.includes(route))).toEqual([]);
    // A plain read changes nothing: whatever does has another method.
    expect(routes.filter((route) => /^GET .*\/(?:revoke|retry|release|acknowledge|sessions)/.test(route))).toEqual([]);
  } finally {
    await stage.close();
  }
});

it('nobody gets anywhere without a session, with a made-up token or with a stolen one [ASVS 8.3.1] [ASVS 7.2.1]', async () => {
  const stage = await startTwoTenants();
  try {
    for (const { method, path } of stage.one.relay.routes) {
      const rule = accessRules[`${method} ${path}`];
      if (rule === 'everyone' || rule === 'metrics' || rule === 'proof') continue;
      for (const caller of stage.callers.filter(({ role }) => role === 'nobody')) {
        const response = await caller.ask(method, path.replace(/:\w+/g, 'acme'), method === 'GET' ? undefined : {});
        expect(`${caller.name} ${method} ${path} ${response.status}`).toMatch(/ 40[13]$/);
      }
    }
  } finally {
    await stage.close();
  }
});

it('no tenant and no agent reaches what is another’s, by any route or live topic [ASVS 8.2.2] [ASVS 8.4.1]', async () => {
  const result = await tryEverything({ seed: 11, rounds: 3 });
  expect(result).toMatchObject({ passed: true, succeeded: 0 });
  expect(result.tried).toBeGreaterThan(500);
});
