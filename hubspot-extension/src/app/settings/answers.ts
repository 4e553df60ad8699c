/** Owns the shape of the relay's answer to the settings page. Checked before anybody draws it; what has another shape is null. */
import { asObject, listOf, textOr } from './relay.ts';

export interface Settings {
  readonly tenant: string;
  readonly connection: { readonly state: 'connected' | 'broken' | 'waiting'; readonly text: string };
  readonly you: {
    readonly agent: string | null;
    readonly extension: string | null;
    readonly role: string | null;
    readonly mayChange: boolean;
  };
  readonly agents: readonly AgentRow[];
  readonly policies: readonly Policy[];
  readonly selfTest: readonly Finding[];
}

export interface AgentRow {
  readonly name: string;
  readonly extension: string;
  readonly signedIn: boolean;
  /** Whether HubSpot sends this agent's calls to our phone. */
  readonly provider: 'ours' | 'other' | 'unknown';
}

export interface Policy {
  readonly id: string;
  readonly title: string;
  readonly value: string;
  readonly text: string;
  /** What may be chosen; empty where only the configuration file changes it. */
  readonly options: readonly { readonly value: string; readonly label: string }[];
}

export interface Finding {
  readonly id: string;
  readonly title: string;
  readonly verdict: 'good' | 'bad' | 'unsure';
  readonly found: string;
  readonly advice: string | null;
}

/** The answer of `card/settings` and of its change. */
export function readSettings(answer: unknown): Settings | null {
  const said = asObject(answer);
  const tenant = asObject(said.tenant);
  const connection = asObject(said.connection);
  const you = asObject(said.you);
  const { state } = connection;
  const agents = listOf(said.agents, readAgent);
  const policies = listOf(said.policies, readPolicy);
  const selfTest = listOf(said.selfTest, readFinding);
  if (state !== 'connected' && state !== 'broken' && state !== 'waiting') return null;
  if (agents === null || policies === null || selfTest === null || typeof tenant.name !== 'string') return null;
  return {
    tenant: tenant.name,
    connection: { state, text: textOr(connection.text, '') },
    you: {
      agent: textOr(you.agent, null),
      extension: textOr(you.extension, null),
      role: textOr(you.role, null),
      mayChange: you.mayChange === true,
    },
    agents,
    policies,
    selfTest,
  };
}

function readAgent(value: unknown): AgentRow | null {
  const { name, extension, signedIn, provider } = asObject(value);
  if (typeof name !== 'string') return null;
  return {
    name,
    extension: textOr(extension, ''),
    signedIn: signedIn === true,
    provider: provider === 'ours' || provider === 'other' ? provider : 'unknown',
  };
}

function readPolicy(policy: unknown): Policy | null {
  const { id, title, value, text, options } = asObject(policy);
  if (typeof id !== 'string' || typeof title !== 'string' || typeof value !== 'string') return null;
  return { id, title, value, text: textOr(text, ''), options: listOf(options, readOption) ?? [] };
}

function readOption(option: unknown): { readonly value: string; readonly label: string } | null {
  const { value, label } = asObject(option);
  return typeof value === 'string' ? { value, label: textOr(label, value) } : null;
}

function readFinding(value: unknown): Finding | null {
  const { id, title, verdict, found, advice } = asObject(value);
  if (typeof id !== 'string' || typeof title !== 'string') return null;
  if (verdict !== 'good' && verdict !== 'bad' && verdict !== 'unsure') return null;
  return { id, title, verdict, found: textOr(found, ''), advice: textOr(advice, null) };
}
