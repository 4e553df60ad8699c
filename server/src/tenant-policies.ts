/**
 * What is agreed for all agents of a customer, and what an administrator changed of it outside the configuration file: when records open, how long
 * a wrap-up lasts. Owns what may be changed, to what, and how it reads. The file's value counts again after a reset.
 */
import { PatchcordError, type Profile, type TenantId } from '@patchcord/call-protocol';
import * as v from 'valibot';
import type { TenantConfig } from './config.ts';
import type { PolicyOverride, PolicyStore } from './store/contract.ts';

type Policies = Pick<Profile, 'wrapUpSeconds' | 'screenPop'>;

/** What gives the file's value back. */
export const resetValue = 'reset';

/** One policy as an administrator sees it. */
export interface PolicyShown {
  readonly id: string;
  readonly title: string;
  readonly value: string;
  /** What it means. */
  readonly text: string;
  /** What may be chosen; empty where only the configuration file changes it. */
  readonly options: readonly { readonly value: string; readonly label: string }[];
}

interface Changeable {
  readonly id: string;
  readonly title: string;
  readonly schema: v.GenericSchema<string, string>;
  readonly labels: Readonly<Record<string, string>>;
  readonly labelOf: (value: string) => string;
  /** The value in force. */
  readonly of: (policies: Policies) => string;
  readonly put: (policies: Policies, value: string) => Policies;
}

const inboundLabels = {
  ring: 'The caller’s record opens when the phone rings',
  answer: 'The caller’s record opens when the call is answered',
  never: 'The caller’s record does not open by itself',
} as const;
const outboundLabels = {
  dial: 'The record opens when a number is dialled',
  answer: 'The record opens when somebody answers',
  never: 'The record does not open by itself',
} as const;
const wrapUpLabels = Object.fromEntries(
  [0, 15, 30, 60, 120, 300].map((seconds) => [`${seconds}`, secondsLabel(`${seconds}`)]),
);

const changeable: readonly Changeable[] = [
  {
    id: 'screen-pop.inbound',
    title: 'Inbound calls',
    schema: v.picklist(['ring', 'answer', 'never']),
    labels: inboundLabels,
    labelOf: (value) => inboundLabels[value as keyof typeof inboundLabels],
    of: ({ screenPop }) => screenPop.inbound,
    put: (policies, value) => ({ ...policies, screenPop: { ...policies.screenPop, inbound: value as 'ring' } }),
  },
  {
    id: 'screen-pop.outbound',
    title: 'Outbound calls',
    schema: v.picklist(['dial', 'answer', 'never']),
    labels: outboundLabels,
    labelOf: (value) => outboundLabels[value as keyof typeof outboundLabels],
    of: ({ screenPop }) => screenPop.outbound,
    put: (policies, value) => ({ ...policies, screenPop: { ...policies.screenPop, outbound: value as 'dial' } }),
  },
  {
    id: 'wrap-up-seconds',
    title: 'Time for the wrap-up',
    schema: v.pipe(
      v.string(),
      v.regex(/^\d{1,4}$/),
      v.check((seconds) => Number(seconds) <= 3_600),
    ),
    labels: wrapUpLabels,
    labelOf: secondsLabel,
    of: ({ wrapUpSeconds }) => `${wrapUpSeconds}`,
    put: (policies, value) => ({ ...policies, wrapUpSeconds: Number(value) }),
  },
];

/** What counts for a customer's agents now. @throws PatchcordError `store.unavailable` */
export async function policiesOf(store: PolicyStore, config: TenantConfig): Promise<Policies> {
  return inForce(config, await store.of(config.id as TenantId));
}

/** The policies for an administrator's eyes. @throws PatchcordError `store.unavailable` */
export async function shownPolicies(store: PolicyStore, config: TenantConfig): Promise<readonly PolicyShown[]> {
  const overrides = await store.of(config.id as TenantId);
  const now = inForce(config, overrides);
  const shown = changeable.map((policy): PolicyShown => {
    const { id, title, labelOf } = policy;
    const value = policy.of(now);
    const filed = policy.of(config);
    const override = overrides.find((one) => one.policy === id && v.is(policy.schema, one.value));
    const choices = { ...policy.labels, [filed]: labelOf(filed), [value]: labelOf(value) };
    const options = Object.entries(choices).map(([choice, label]) => ({ value: choice, label }));
    const back = { value: resetValue, label: `As in the configuration: ${labelOf(filed)}` };
    return {
      id,
      title,
      value,
      text: override === undefined ? '' : `Changed by ${override.changedBy}. In the configuration: ${labelOf(filed)}.`,
      options: override === undefined ? options : [...options, back],
    };
  });
  const { known, several, unknown } = now.screenPop;
  const fixed = (id: string, title: string, value: string, text: string): PolicyShown => ({
    id,
    title,
    value,
    text,
    options: [],
  });
  return [
    ...shown,
    fixed('screen-pop.known', 'One record is known', targetLabel(known), ''),
    fixed(
      'screen-pop.several',
      'Several records match',
      several.open === 'choice' ? 'The agent chooses in the phone' : 'The CRM’s search opens',
      '',
    ),
    fixed('screen-pop.unknown', 'Nobody has the number', targetLabel(unknown), ''),
    ...(config.crm.kind === 'hubspot'
      ? [
          fixed(
            'logs-made-by',
            'Who makes the logs of calls',
            config.crm.logsMadeBy === 'page'
              ? 'HubSpot’s page, and the phone service goes on in them'
              : 'The phone service',
            'Either way one call has one log, and the phone service writes it.',
          ),
          fixed(
            'card-calls',
            'Calls on a record’s card',
            config.crm.cardCalls === 'all' ? 'All calls with the record' : 'Each agent sees their own',
            '',
          ),
          fixed(
            'card-recordings',
            'Recordings and words on a card',
            config.crm.cardRecordings === 'all' ? 'Every agent' : 'Whoever had the call, and supervisors',
            '',
          ),
        ]
      : []),
  ];
}

/**
 * Changes a policy, or gives the file's value back.
 * @throws PatchcordError `request.invalid` for what is no policy or no value of it
 */
export async function changePolicy(
  store: PolicyStore,
  config: TenantConfig,
  change: { readonly id: string; readonly value: string; readonly by: string; readonly at: number },
): Promise<void> {
  const policy = changeable.find(({ id }) => id === change.id);
  const tenant = config.id as TenantId;
  if (policy === undefined) {
    throw new PatchcordError('request.invalid', 'This is changed in the configuration of the phone service, not here.');
  }
  if (change.value === resetValue) {
    await store.reset(tenant, policy.id);
    return;
  }
  if (!v.is(policy.schema, change.value)) {
    throw new PatchcordError('request.invalid', `"${policy.title}" does not take this value. Choose one of the list.`);
  }
  await store.put(tenant, { policy: policy.id, value: change.value, changedBy: change.by, changedAt: change.at });
}

/** An override that means nothing to this version is left out. */
function inForce({ wrapUpSeconds, screenPop }: TenantConfig, overrides: readonly PolicyOverride[]): Policies {
  let policies: Policies = { wrapUpSeconds, screenPop };
  for (const { policy: id, value } of overrides) {
    const policy = changeable.find((one) => one.id === id);
    if (policy !== undefined && v.is(policy.schema, value)) policies = policy.put(policies, value);
  }
  return policies;
}

function secondsLabel(seconds: string): string {
  if (seconds === '0') return 'As long as the agent likes';
  return Number(seconds) % 60 === 0 ? `${Number(seconds) / 60} min` : `${seconds} seconds`;
}

function targetLabel(target: Policies['screenPop']['known'] | Policies['screenPop']['unknown']): string {
  switch (target.open) {
    case 'record':
      return 'Its page opens';
    case 'nothing':
      return 'Nothing opens';
    case 'search':
      return 'The CRM’s search opens';
    case 'new-record':
      return `The form of a new record opens (${target.object})`;
    case 'flow':
      return `The flow ${target.name} starts`;
    case 'url':
      return 'A page of the CRM opens';
  }
}
