/**
 * Our real panel half inside the sandbox's host page, over the script, and the page around it. One page per version; its frame is made anew for
 * every test.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { panelBench } from './panel-bench.ts';
import { panelOnPage } from './panel-on-page.ts';
import { panelTrust } from './panel-trust.ts';
import { eventually, type Rig } from './rig.ts';
import type { ScriptUnderTest } from './script-under-test.ts';

export function panelSuite(script: ScriptUnderTest, rig: () => Rig): void {
  describe.each(script.panelVersions)('the panel half over version %i', (version) => {
    const bench = panelBench(rig, version);
    panelTrust(bench);
    panelOnPage(bench);
  });

  describe('the host page around the phone', () => {
    beforeAll(async () => {
      await rig().serve(script.panelVersions.at(-1) ?? 66);
    });

    it('has no frame for a user without a call center', async () => {
      const casey = rig().sandbox.users.find((user) => user.callCenterId === null);
      const host = await rig().openHost(`?user=${casey?.username}`);
      await host.page.waitForSelector('.no-center');
      expect(await host.page.locator('iframe').count()).toBe(0);
      await host.page.close();
    });

    it('goes to the standby address when the phone does not report itself in time, and stays there', async () => {
      rig().front.phoneFiles.set('/standby/', ['text/html', '<!doctype html><title>Standby</title>']);
      const host = await rig().openHost('?standby=/standby/&timeout=50');
      await eventually(() => host.tell('onStandby')).toBe(true);
      await host.tell('recreateFrame');
      expect(await host.tell('onStandby')).toBe(true);
      await host.page.close();
    });

    it('does not go there once the phone has reported itself', async () => {
      const host = await rig().openHost('?standby=/standby/&timeout=20000');
      const adapter = await host.adapter();
      await adapter.start();
      await host.page.waitForSelector('.utility-item.ready');
      expect(await host.tell('onStandby')).toBe(false);
      await host.page.close();
    });
  });
}
