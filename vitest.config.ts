/**
 * Test projects. `unit` needs nothing but Node; the others need what `scripts/system-packages.ts` installs. `lab` runs inside the network
 * namespaces that `test/sip-lab/run-in-lab.ts` makes. Real servers and real sound: one file at a time, so that tests don't starve each other.
 */
import { defineConfig } from 'vitest/config';

const serial = { fileParallelism: false, pool: 'forks' as const, testTimeout: 120_000, hookTimeout: 120_000 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'test/unit/**/*.test.ts',
            'test/unit/**/*.test.tsx',
            'test/contract/**/*.test.ts',
            'test/sip-lab/tone.test.ts',
            'test/sip-port/unit/**/*.test.ts',
          ],
          testTimeout: 30_000,
          hookTimeout: 30_000,
          // Nothing here waits for a sound or a server: every core may work.
          maxWorkers: '100%',
        },
      },
      {
        test: {
          name: 'store',
          include: ['test/store/**/*.test.ts', 'test/faults/**/*.test.ts', 'test/relay/**/*.test.ts'],
          exclude: ['**/*.lab.test.ts'],
          ...serial,
        },
      },
      {
        test: {
          name: 'browser',
          include: [
            'test/sandbox/**/*.test.ts',
            'test/opencti/**/*.test.ts',
            'test/hubspot/**/*.test.ts',
            'test/sip-port/**/*.test.ts',
            'test/conformance/**/*.test.ts',
            'test/e2e/**/*.sandbox.test.ts',
          ],
          exclude: ['**/*.lab.test.ts', 'test/sip-port/unit/**'],
          ...serial,
        },
      },
      {
        test: {
          name: 'panel',
          include: ['test/panel/**/*.test.ts'],
          exclude: ['**/*.lab.test.ts'],
          ...serial,
        },
      },
      { test: { name: 'lab', include: ['test/sip-lab/lab.test.ts', 'test/**/*.lab.test.ts'], ...serial } },
    ],
  },
});
