/**
 * The app's page in HubSpot's settings, signed by HubSpot: whether the account is connected, who has a phone, what is agreed, and a self-test. Owns
 * who may change something there: agents with the role admin. Must never show a secret, nor another customer's agents.
 */
import { type AgentId, errorCode, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import type { SetUpFinding } from '@patchcord/crm-adapters/relay';
import { type Request, Router } from 'express';
import * as v from 'valibot';
import { isConnectedByPage } from '../config/crm.ts';
import { relayEvent } from '../live/relay-event.ts';
import { changePolicy, shownPolicies } from '../tenant-policies.ts';
import type { Tenant } from '../tenants.ts';
import { tooMany } from './errors.ts';
import { read } from './guards.ts';
import { type CardRequest, cardRequest, signedBody } from './hubspot-signed.ts';
import type { RelayParts } from './parts.ts';
import { RepeatedRequests } from './repeated-requests.ts';

const SettingsSchema = v.object({ run: v.optional(v.boolean(), false) });
const ChangeSchema = v.object({
  id: v.pipe(v.string(), v.maxLength(64)),
  value: v.pipe(v.union([v.string(), v.number()]), v.transform(String), v.maxLength(64)),
});

/** What a self-test found is good for that long; asked sooner it is the same. */
const testAgainMs = 10_000;
/** Between us and HubSpot; more and signatures are refused soon. */
const clockAdriftMs = 60_000;

interface Tested {
  readonly at: number;
  readonly findings: Promise<readonly SetUpFinding[]>;
}

export function hubSpotSettingsRoutes(parts: RelayParts): Router {
  const repeated = new RepeatedRequests(parts.now);
  const tested = new Map<string, Tested>();
  const mayAsk = async (card: CardRequest): Promise<void> => {
    if (!(await parts.limits.take('cards', `${card.tenant.config.id} ${card.userId}`))) throw tooMany(60_000);
  };
  const test = (tenant: Tenant, request: Request): Promise<readonly SetUpFinding[]> => {
    const before = tested.get(tenant.config.id);
    if (before !== undefined && parts.now() - before.at < testAgainMs) return before.findings;
    const findings = selfTest(parts, tenant, Number(request.headers['x-hubspot-request-timestamp']));
    tested.set(tenant.config.id, { at: parts.now(), findings });
    return findings;
  };
  const settings = async (card: CardRequest): Promise<object> => {
    const last = tested.get(card.tenant.config.id);
    return await settingsOf(parts, card, (await last?.findings) ?? []);
  };

  const router = Router();
  router.post('/v1/hubspot/card/settings', signedBody, async (request, response) => {
    const card = await cardRequest(parts, request);
    await mayAsk(card);
    if (read(SettingsSchema, card.body ?? {}).run) await test(card.tenant, request);
    response.json(await settings(card));
  });
  router.post('/v1/hubspot/card/settings/change', signedBody, async (request, response) => {
    const card = await cardRequest(parts, request);
    await mayAsk(card);
    await repeated.once(card.signature, () => change(parts, card));
    response.json(await settings(card));
  });
  return router;
}

async function change(parts: RelayParts, { tenant: { config }, agent, body }: CardRequest): Promise<void> {
  const tenant = config.id as TenantId;
  const actor = agent === null ? 'stranger' : `agent:${agent.id}`;
  if (agent?.role !== 'admin') {
    await parts.audit.note({
      tenant,
      actor,
      act: 'role.refused',
      data: { role: 'admin', route: 'hubspot settings' },
      at: parts.now(),
    });
    throw new PatchcordError(
      'identity.refused',
      'This is for agents with the role "admin". Ask your administrator for it.',
    );
  }
  const { id, value } = read(ChangeSchema, body);
  await changePolicy(parts.store.policies, config, { id, value, by: agent.name, at: parts.now() });
  await parts.audit.note({
    tenant,
    actor,
    act: 'policy.changed',
    subject: `policy:${id}`,
    data: { value },
    at: parts.now(),
  });
  for (const one of config.agents) {
    const event = relayEvent(tenant, { name: 'profile.changed', at: parts.now(), data: {} });
    parts.hub.tell(tenant, one.id as AgentId, event);
  }
}

async function settingsOf(
  parts: RelayParts,
  { tenant, agent }: CardRequest,
  findings: readonly SetUpFinding[],
): Promise<object> {
  const { config } = tenant;
  const { connection, apps } = await connectionOf(parts, tenant);
  const agents = await Promise.all(
    config.agents.map(async ({ id, name, extension, crmUserId }) => ({
      name,
      extension,
      crmUserId,
      signedIn: await parts.hub.hasPhone(config.id as TenantId, id as AgentId),
      provider: apps?.get(crmUserId) ?? 'unknown',
    })),
  );
  return {
    tenant: { name: config.name },
    connection,
    you: {
      agent: agent?.name ?? null,
      extension: agent?.extension ?? null,
      role: agent?.role ?? null,
      mayChange: agent?.role === 'admin',
    },
    agents,
    policies: await shownPolicies(parts.store.policies, config),
    selfTest: findings,
  };
}

/** Whether HubSpot takes the app's token, and with which app its users call; null where it does not say that. */
async function connectionOf(
  parts: RelayParts,
  { config, crm }: Tenant,
): Promise<{
  readonly connection: { readonly state: 'connected' | 'broken' | 'waiting'; readonly text: string };
  readonly apps: ReadonlyMap<string, 'ours' | 'other'> | null;
}> {
  const tenant = config.id as TenantId;
  if (isConnectedByPage(config.crm) && (await parts.store.vault.find(tenant, 'hubspot-tokens')) === null) {
    const text =
      'Nobody has connected this account yet. An administrator of the phone service does, by its connect page.';
    return { connection: { state: 'waiting', text }, apps: null };
  }
  let apps: ReadonlyMap<string, 'ours' | 'other'> | null = null;
  try {
    apps = (await crm.callingApps?.()) ?? null;
  } catch (error) {
    // What the app may not ask says nothing against the connection.
    if (!['crm.invalid', 'crm.not-found', 'crm.rate-limited'].includes(errorCode(error))) {
      const text =
        errorCode(error) === 'internal' ? 'HubSpot answered something that can’t be read.' : (error as Error).message;
      return { connection: { state: 'broken', text }, apps };
    }
  }
  const alerts = await parts.store.alerts.list(tenant, { limit: 20, open: true });
  const notice = alerts.find(({ kind }) => kind === 'crm.notice')?.message ?? '';
  return { connection: { state: 'connected', text: notice }, apps };
}

/** @param signedAt When HubSpot says it sent the request, epoch ms */
async function selfTest(
  parts: RelayParts,
  { config, crm }: Tenant,
  signedAt: number,
): Promise<readonly SetUpFinding[]> {
  const people = config.agents.map(({ crmUserId, name }) => ({ crmUserId, name }));
  const ofCrm = (await crm.checkSetUp?.(people)) ?? [];
  return [
    ...ofCrm,
    addressFinding(parts.publicUrl()),
    framingFinding(config.hostOrigins),
    clockFinding(parts.now() - signedAt),
  ];
}

function addressFinding(url: string): SetUpFinding {
  const id = 'address';
  const title = 'HubSpot and browsers reach the phone service';
  if (url.startsWith('https:')) return { id, title, verdict: 'good', found: `Its address is ${url}.` };
  return {
    id,
    title,
    verdict: 'bad',
    found: `Its address is ${url}, without encryption.`,
    advice: 'Give the phone service a certificate and set PUBLIC_URL to its https address.',
  };
}

function framingFinding(origins: readonly string[]): SetUpFinding {
  const id = 'framing';
  const title = 'HubSpot’s pages may show the phone';
  const found = origins.filter((origin) => /^https:\/\/(?:app(?:-[a-z0-9]+)?|\*)\.hubspot\.com$/.test(origin));
  if (found.length > 0) return { id, title, verdict: 'good', found: `Allowed: ${found.join(', ')}.` };
  return {
    id,
    title,
    verdict: 'unsure',
    found: `Allowed: ${origins.join(', ')}.`,
    advice:
      'Add the origin in which your agents open HubSpot, like https://app.hubspot.com or https://app-eu1.hubspot.com, to "hostOrigins".',
  };
}

function clockFinding(aheadMs: number): SetUpFinding {
  const id = 'clock';
  const title = 'The clock of the phone service is right';
  const seconds = Math.round(Math.abs(aheadMs) / 1_000);
  if (Math.abs(aheadMs) < clockAdriftMs)
    return { id, title, verdict: 'good', found: `It is within ${Math.max(1, seconds)} s of HubSpot’s.` };
  return {
    id,
    title,
    verdict: 'bad',
    found: `It is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} HubSpot’s, or the request took that long.`,
    advice: 'Set the clock of the server by NTP: HubSpot’s signatures are refused when it is five minutes off.',
  };
}
