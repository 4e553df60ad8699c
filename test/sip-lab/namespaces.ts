/**
 * Owns the network of the SIP laboratory: three private network namespaces joined by one bridge, made and removed as a whole.
 * Must never touch an address, route or namespace that it did not make; the machine's own network stays as it is.
 *
 *   agent 10.77.0.10 ──┐
 *                      ├── bridge in edge 10.77.0.1 ──(dropped without a word)── 192.0.2.0/24
 *   far 10.77.0.20-24 ─┘           │
 *   agent 10.78.0.10 ──────────────┘ a second uplink, without an address until `useUplink` gives it one
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a process inside the laboratory needs to know about it; travels as JSON in the PATCHCORD_LAB environment variable. */
export interface LabNetwork {
  /** Kamailio, rtpengine and coturn run here. */
  readonly edge: { readonly namespace: string; readonly address: string };
  /** The test runner, the relay, the CRM pages and Chromium run here. */
  readonly agent: { readonly namespace: string; readonly address: string; readonly secondAddress: string };
  /** Plain SIP phones run here, one address each. */
  readonly far: { readonly namespace: string; readonly addresses: readonly string[] };
  /** The subnet that holds both agents and phones, in CIDR form. */
  readonly subnet: string;
  /** The part of the subnet that plain SIP phones may use, in CIDR form (covers the far addresses only). */
  readonly farSubnet: string;
  /** Everything temporary goes here; removed with the network. */
  readonly folder: string;
  /** Packets to here vanish behind the edge; for servers that never answer. */
  readonly blackHole: { readonly subnet: string; readonly address: string };
}

export const labVariable = 'PATCHCORD_LAB';

const prefix = 'patchcord';
const namespaceFolder = '/run/netns';
/** The edge's address on the agent's second uplink. */
const secondGateway = '10.78.0.1';

/**
 * Makes the three namespaces, links and routes. Removes the remains of laboratories whose process is gone first.
 * Throws when the process may not make namespaces (needs root or CAP_SYS_ADMIN + CAP_NET_ADMIN).
 */
export function createLabNetwork(): LabNetwork {
  removeStaleNetworks();
  const id = `${prefix}-${process.pid}-${startTimeOf(process.pid) ?? 0}-${randomBytes(3).toString('hex')}`;
  const lab: LabNetwork = {
    folder: join(tmpdir(), id),
    edge: { namespace: `${id}-edge`, address: '10.77.0.1' },
    agent: { namespace: `${id}-agent`, address: '10.77.0.10', secondAddress: '10.78.0.10' },
    far: { namespace: `${id}-far`, addresses: [20, 21, 22, 23, 24].map((last) => `10.77.0.${last}`) },
    subnet: '10.77.0.0/24',
    farSubnet: '10.77.0.16/28',
    blackHole: { subnet: '192.0.2.0/24', address: '192.0.2.1' },
  };
  try {
    mkdirSync(lab.folder, { mode: 0o700 });
    build(lab);
  } catch (cause) {
    removeLabNetwork(lab);
    throw new Error(
      'The SIP laboratory could not make its network namespaces. It needs root and the iproute2 package (`ip netns add`).',
      { cause },
    );
  }
  return lab;
}

/** Ends what still runs inside the three namespaces, removes them and the folder. Safe to call twice. */
export function removeLabNetwork(lab: LabNetwork): void {
  for (const name of [lab.edge.namespace, lab.far.namespace, lab.agent.namespace]) removeNamespace(name);
  rmSync(lab.folder, { recursive: true, force: true });
}

/** The laboratory this process runs in. Throws a plain message when it was started outside of one. */
export function labFromEnvironment(environment: NodeJS.ProcessEnv = process.env): LabNetwork {
  const text = environment[labVariable];
  if (text === undefined || text === '')
    throw new Error(
      'This test needs the SIP laboratory. Start it inside: node test/sip-lab/run-in-lab.ts -- npx vitest run <file>',
    );
  return JSON.parse(text) as LabNetwork;
}

/** True when this process was started inside a laboratory. */
export function insideLab(environment: NodeJS.ProcessEnv = process.env): boolean {
  return Boolean(environment[labVariable]);
}

export type Uplink = 'first' | 'second';

/**
 * The agent's computer leaves one network for the other, as a laptop does between a cable and Wi-Fi: the address and route of the one it leaves are gone,
 * packets to it vanish without a word, and nothing closes what was connected. Only inside the laboratory.
 * @param between called while the computer is on no network at all
 */
export async function useUplink(lab: LabNetwork, uplink: Uplink, between?: () => Promise<void>): Promise<void> {
  const { agent, edge } = lab;
  const second = uplink === 'second';
  const [device, other] = second ? ['eth1', 'eth0'] : ['eth0', 'eth1'];
  const inAgent = (...args: string[]) => ip('-n', agent.namespace, ...args);
  // Flushed, not only set down: Chromium goes on offering an address that an idle interface keeps.
  inAgent('addr', 'flush', 'dev', other);
  inAgent('link', 'set', other, 'down');
  if (between) await between();
  inAgent('addr', 'replace', `${second ? agent.secondAddress : agent.address}/24`, 'dev', device);
  inAgent('link', 'set', device, 'up');
  // By way of the edge also to the network that was left: it is the same company's, from outside.
  inAgent('route', 'replace', 'default', 'via', second ? secondGateway : edge.address);
}

/** The command line that runs `command` inside a namespace of the laboratory. */
export function inNamespace(namespace: string, command: readonly string[]): [string, ...string[]] {
  return ['ip', 'netns', 'exec', namespace, ...command];
}

function build(lab: LabNetwork): void {
  const { edge, agent, far } = lab;
  for (const { namespace } of [edge, agent, far]) {
    ip('netns', 'add', namespace);
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
    // Router advertisements and link-local addresses would add ICE candidates that no test asks for.
    for (const scope of ['all', 'default']) sysctl(namespace, `net.ipv6.conf.${scope}.disable_ipv6=1`);
  }
  const inEdge = (...args: string[]) => ip('-n', edge.namespace, ...args);
  inEdge('link', 'add', 'br0', 'type', 'bridge');
  inEdge('link', 'set', 'br0', 'up');
  inEdge('addr', 'add', `${edge.address}/24`, 'dev', 'br0');
  for (const [port, peer] of [
    ['to-agent', agent.namespace],
    ['to-far', far.namespace],
  ] as const) {
    inEdge('link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', peer);
    inEdge('link', 'set', port, 'master', 'br0', 'up');
  }
  for (const [namespace, addresses] of [
    [agent.namespace, [agent.address]],
    [far.namespace, far.addresses],
  ] as const) {
    for (const address of addresses) ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    ip('-n', namespace, 'link', 'set', 'eth0', 'up');
    ip('-n', namespace, 'route', 'add', 'default', 'via', edge.address);
  }
  inEdge('link', 'add', 'to-agent-2', 'type', 'veth', 'peer', 'name', 'eth1', 'netns', agent.namespace);
  inEdge('addr', 'add', `${secondGateway}/24`, 'dev', 'to-agent-2');
  inEdge('link', 'set', 'to-agent-2', 'up');
  sysctl(edge.namespace, 'net.ipv4.ip_forward=1');
  // A blackhole route drops forwarded packets without an ICMP answer: what a firewall does to a browser's STUN.
  inEdge('route', 'add', 'blackhole', lab.blackHole.subnet);
}

function removeStaleNetworks(): void {
  for (const name of namespaceNames()) {
    const owner = /^patchcord-(\d+)-(\d+)-[0-9a-f]{6}-(?:edge|agent|far)$/.exec(name);
    if (!owner) continue;
    // The start time tells a living owner from an unrelated process that was given the same number later.
    if (startTimeOf(Number(owner[1])) === Number(owner[2])) continue;
    removeNamespace(name);
    rmSync(join(tmpdir(), name.replace(/-[a-z]+$/, '')), { recursive: true, force: true });
  }
}

function removeNamespace(name: string): void {
  if (!namespaceNames().includes(name)) return;
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const pids = pidsIn(name);
    if (pids.length === 0) break;
    for (const pid of pids) endProcess(pid, signal);
    const deadline = Date.now() + 1500;
    while (pidsIn(name).length > 0 && Date.now() < deadline) sleepBriefly();
  }
  try {
    ip('netns', 'del', name);
  } catch {
    // Somebody else removed it between the look and the act; gone is gone.
  }
}

function namespaceNames(): string[] {
  try {
    return readdirSync(namespaceFolder);
  } catch {
    return [];
  }
}

function pidsIn(namespace: string): number[] {
  try {
    return ip('netns', 'pids', namespace)
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 1 && pid !== process.pid);
  } catch {
    return [];
  }
}

function endProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Already gone.
  }
}

/** Start time in clock ticks since boot (field 22 of /proc/pid/stat), or undefined when there is no such process. */
function startTimeOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is a name in parentheses that may hold spaces, so count from behind it.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  } catch {
    return undefined;
  }
}

function sysctl(namespace: string, setting: string): void {
  ip('netns', 'exec', namespace, 'sysctl', '-qw', setting);
}

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function sleepBriefly(): void {
  // Removal also runs in signal handlers, where nothing can be awaited.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
}
