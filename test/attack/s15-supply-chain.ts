/**
 * S15: what we are made of. The lock file must name a hash and the registry for every package, no package may bring an install script we don't
 * know, and a bill of materials must come out of it. Known weaknesses are asked of the registry where it answers; where not, that is said.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Drill, DrillResult } from '../drill.ts';

export const drill: Drill = {
  about: 'packages: hashes, origin, install scripts, bill of materials, known weaknesses',
  run: async ({ short, say }) => inspectPackages({ asksRegistry: !short, say }),
};

/** `node` brings the pinned Node itself and is the only one that may run (package.json, "allowScripts"); the others are not run. */
const knownScripts = new Set(['node', 'esbuild', '@swc/core', 'core-js', 'core-js-pure']);

interface Locked {
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
  readonly inBundle?: boolean;
}

export function inspectPackages(options: {
  readonly asksRegistry: boolean;
  readonly say?: (text: string) => void;
}): DrillResult {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Locked> };
  const findings: string[] = [];
  let packages = 0;
  for (const [path, locked] of Object.entries(lock.packages)) {
    const name = path.split('node_modules/').at(-1) ?? path;
    // Our own workspaces.
    if (!path.includes('node_modules/') || locked.link === true || locked.inBundle === true) continue;
    packages += 1;
    if (!/^sha512-/.test(locked.integrity ?? '')) findings.push(`${name} has no SHA-512`);
    // The hash decides what is taken and the registry is the installer's: nothing may bring an address of its own.
    if (locked.resolved !== undefined) findings.push(`${name} comes from an address of its own`);
    if (locked.hasInstallScript === true && !knownScripts.has(name)) findings.push(`${name} brings an install script`);
  }
  const bill = spawnSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], {
    encoding: 'utf8',
    maxBuffer: 64 * 1_048_576,
  });
  let components = 0;
  try {
    components = (JSON.parse(bill.stdout) as { components: readonly unknown[] }).components.length;
  } catch {
    findings.push(`no bill of materials came out: ${bill.stderr.slice(0, 200)}`);
  }
  let audit = 'not asked';
  if (options.asksRegistry) {
    const asked = spawnSync('npm', ['audit', '--json'], {
      encoding: 'utf8',
      maxBuffer: 64 * 1_048_576,
      timeout: 60_000,
    });
    try {
      const { high = 0, critical = 0 } = (
        JSON.parse(asked.stdout) as { metadata: { vulnerabilities: { high?: number; critical?: number } } }
      ).metadata.vulnerabilities;
      audit = `high ${high}, critical ${critical}`;
      if (high + critical > 0) findings.push(`known weaknesses: ${audit}`);
    } catch {
      audit = 'the registry does not answer npm audit';
    }
  }
  for (const finding of findings) options.say?.(finding);
  return {
    passed: findings.length === 0 && packages > 0 && components > 0,
    tried: packages,
    succeeded: findings.length,
    components,
    audit,
    ...(findings[0] === undefined ? {} : { note: findings[0] }),
  };
}
