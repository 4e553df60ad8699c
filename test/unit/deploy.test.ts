/** What an operator is handed must fit the code: names in the dashboard and the alert rules, files in the container, the unit, the recipe. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RelayInTest, startRelayInTest } from './server/relay-in-test.ts';

let one: RelayInTest;
/** Name of a metric → names of its labels, as a relay tells them. */
const metrics = new Map<string, ReadonlySet<string>>();
/** Labels that Prometheus adds. */
const added = ['instance', 'job', 'le'];

beforeAll(async () => {
  one = await startRelayInTest();
  const source = [
    'server/src/metrics.ts',
    'server/src/live/live-metrics.ts',
    'server/src/sound/sound-metrics.ts',
    'server/src/alerts.ts',
    'server/src/brakes/brakes.ts',
  ]
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  const exposed = await (await one.fetch('/metrics')).text();
  for (const [, name = '', kind] of exposed.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    const labels =
      new RegExp(`name: '${name}',[\\s\\S]*?(?:labelNames: \\[([^\\]]*)\\]|\\}\\))`).exec(source)?.[1] ?? '';
    const known = new Set([...labels.matchAll(/'(\w+)'/g)].map(([, label = '']) => label));
    for (const one of kind === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name])
      metrics.set(one, known);
  }
}, 60_000);
afterAll(() => one.closed());

function expectKnown(query: string): void {
  const names = [...query.matchAll(/\b((?:patchcord|process)_\w+)(?:\{([^}]*)\})?/g)];
  if (!query.startsWith('up{')) expect(names, query).not.toEqual([]);
  for (const [, name = '', selector = ''] of names) {
    const labels = metrics.get(name);
    expect(labels, `${name} in: ${query}`).toBeDefined();
    for (const [, label = ''] of selector.matchAll(/(\w+)\s*(?:=~|!=|=)/g))
      expect([...(labels ?? []), ...added], query).toContain(label);
  }
  const all = new Set(names.flatMap(([, name = '']) => [...(metrics.get(name) ?? [])]));
  for (const [, list = ''] of query.matchAll(/\bby \(([^)]*)\)/g)) {
    for (const label of list.split(',').map((text) => text.trim())) expect([...all, ...added], query).toContain(label);
  }
}

describe('the dashboard and the alert rules', () => {
  it('ask for metrics and labels that the relay has', () => {
    const dashboard = JSON.parse(readFileSync('deploy/relay/grafana/patchcord-relay.json', 'utf8')) as {
      panels: readonly { targets: readonly { expr: string }[] }[];
    };
    const queries = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    const rules = [...readFileSync('deploy/relay/alerts.yml', 'utf8').matchAll(/^ +expr: (.+)$/gm)].map(
      ([, expr = '']) => expr,
    );
    expect(queries.length).toBeGreaterThan(20);
    expect(rules.length).toBeGreaterThan(10);
    for (const query of [...queries, ...rules]) expectKnown(query);
  });

  it('leave no metric of ours unseen', () => {
    const seen =
      readFileSync('deploy/relay/grafana/patchcord-relay.json', 'utf8') +
      readFileSync('docs/guides/watch-the-relay.md', 'utf8');
    const names = [...metrics.keys()].map((name) => name.replace(/_(?:bucket|count|sum)$/, ''));
    expect([...new Set(names)].filter((name) => name.startsWith('patchcord_') && !seen.includes(name))).toEqual([]);
  });
});

describe('the container file', () => {
  const text = readFileSync('deploy/relay/Containerfile', 'utf8');

  it('copies what exists, runs as nobody in particular and starts the relay', () => {
    for (const [, sources = ''] of text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)) {
      for (const source of sources.split(' ')) expect(existsSync(source), source).toBe(true);
    }
    expect(text).toContain('USER node');
    const command = JSON.parse(/^CMD (\[.+\])$/m.exec(text)?.[1] ?? '[]') as string[];
    expect(existsSync(command[1] ?? '')).toBe(true);
    expect(execFileSync(process.execPath, [command[1] ?? '', 'serve', '--help'], { encoding: 'utf8' })).toContain(
      '--panel',
    );
  });
});

describe('the systemd unit', () => {
  const file = 'deploy/relay/patchcord-relay.service';
  const unit = readFileSync(file, 'utf8');

  it('gives the relay nothing it does not need', () => {
    for (const line of [
      'DynamicUser=yes',
      'ProtectSystem=strict',
      'NoNewPrivileges=yes',
      'CapabilityBoundingSet=',
      'UMask=0077',
      'Restart=always',
    ]) {
      expect(unit).toContain(`\n${line}\n`);
    }
    const stop = Number(/TimeoutStopSec=(\d+)/.exec(unit)?.[1]);
    expect(stop).toBeGreaterThan(15);
    for (const [, path = ''] of unit.matchAll(/\/opt\/patchcord\/((?:server|deploy)\/\S+)/g))
      expect(existsSync(path), path).toBe(true);
  });

  it('is rated safe by systemd itself, where it is installed', () => {
    const rated = spawnSync('systemd-analyze', ['security', '--offline=yes', '--threshold=20', file], {
      encoding: 'utf8',
    });
    // No systemd on this machine: the test above is all there is.
    if (rated.error !== undefined) return;
    expect(rated.stdout + rated.stderr).toMatch(/Overall exposure level/);
    expect(Number(/Overall exposure level[^:]*: ([\d.]+)/.exec(rated.stdout)?.[1])).toBeLessThan(2);
  });
});

it('the tracing recipe loads nothing but the SDK, and nothing of the relay', () => {
  const recipe = readFileSync('deploy/relay/tracing.mjs', 'utf8');
  const imports = [...recipe.matchAll(/^import .* from '([^']+)';$/gm)].map(([, name = '']) => name);
  expect(imports).toEqual(['@opentelemetry/exporter-trace-otlp-http', '@opentelemetry/sdk-trace-node']);
});
