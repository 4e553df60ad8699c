/** The handshake, and everybody who is not HubSpot. */
import { describe, expect, it } from 'vitest';
import { callOf, opened, rig, told, types } from './bench.ts';
import { eventually, phoneIn, portalId } from './rig.ts';

export function trustSuite(): void {
  describe('the handshake', () => {
    it('answers SYNC once, says INITIALIZED as things are, then who is signed in and takes calls', async () => {
      const { host, phone } = await opened();
      await phone.tell('showAvailability', { signedIn: true, available: true });
      await eventually(types).toEqual(['INITIALIZED', 'LOGGED_IN', 'USER_AVAILABLE']);
      expect(told('INITIALIZED')).toEqual([
        { isLoggedIn: false, isAvailable: false, sizeInfo: { width: 400, height: 650 } },
      ]);
      await host.greet();
      await host.page.waitForFunction('hostPage.syncs() > 3', undefined, { polling: 20 });
      expect(rig.account.said.filter(({ type }) => type === 'SYNC_ACK')).toHaveLength(1);
      expect(told('SYNC_ACK')[0]).toEqual({});
    });

    it('keeps back what the phone says before, in order', async () => {
      const host = await rig.openHost({ hold: true });
      const phone = await host.loaded();
      await phone.tell('showAvailability', { signedIn: true, available: true });
      for (const method of ['callStarted', 'callAnswered']) await phone.tell(method, callOf('a'));
      await phone.tell('callEnded', callOf('a'), 'answered');
      expect(await host.raw()).toEqual([]);
      await host.greet();
      await eventually(types).toEqual(['INITIALIZED', 'INCOMING_CALL', 'CALL_ANSWERED', 'CALL_ENDED']);
      expect(told('INITIALIZED')).toMatchObject([{ isLoggedIn: true, isAvailable: true }]);
    });
  });

  describe('a message that is not HubSpot’s', () => {
    const forged = `{ type: 'SYNC', messageId: 'evil', hostUrl: location.origin, portalId: 666, iframeLocation: 'window' }`;

    it('makes nothing of a hostile page that frames the phone', async () => {
      const page = await rig.openHostile(
        `<script>
        window.got = [];
        addEventListener('message', ({ data }) => got.push(data));
        addEventListener('load', () => {
          for (const hostUrl of [location.origin, 'HOST', undefined])
            frames[0].postMessage({ ...${forged}, hostUrl }, '*');
          frames[0].postMessage({ type: 'DIAL_NUMBER', messageId: 'x', data: { phoneNumber: '+19005550100' } }, '*');
          frames[0].postMessage(null, '*');
        });
      </script><iframe id="phone" src="PHONE" allow="microphone"></iframe>`,
      );
      const frame = await (await page.waitForSelector('#phone')).contentFrame();
      if (!frame) throw new Error('The phone has no frame.');
      await frame.waitForFunction('adapter.strangers() >= 5', undefined, { polling: 20 });
      const phone = phoneIn(frame);
      const starting = phone.tell('start');
      await phone.tell('showAvailability', { signedIn: true, available: true });
      await phone.step('start', callOf('a'));
      await phone.timePasses();
      expect(await starting).toMatchObject({ ok: false, code: 'host.silent' });
      expect(await phone.heard('dials')).toEqual([]);
      expect(await phone.heard('errors')).toEqual([]);
      // The phone's own message comes after whatever it might have said.
      await frame.evaluate('parent.postMessage("marker", "*")');
      await page.waitForFunction('got.includes("marker")', undefined, { polling: 20 });
      expect(await page.evaluate('got')).toEqual(['marker']);
      expect(rig.account.said).toEqual([]);
    });

    it('makes nothing of a sibling frame, before the greeting and after', async () => {
      const host = await rig.openHost({ hold: true });
      const phone = await host.loaded();
      await host.page.evaluate((src) => {
        const sibling = document.createElement('iframe');
        sibling.id = 'sibling';
        sibling.src = src;
        document.body.append(sibling);
      }, rig.hostileOrigin);
      const sibling = await (await host.page.waitForSelector('#sibling')).contentFrame();
      if (!sibling) throw new Error('The sibling has no frame.');
      await sibling.waitForURL(`${rig.hostileOrigin}/`);
      const shout = `for (const message of [${forged}, { ...${forged}, hostUrl: '${rig.hostOrigin}' },
      { type: 'END_CALL', messageId: 'x' }, { type: 'SET_WIDGET_URL', messageId: 'y', iFrameUrl: location.origin },
      { type: 'DIAL_NUMBER', messageId: 'z', data: { phoneNumber: '+19005550100' } }])
        parent.frames[0].postMessage(message, '*')`;
      await sibling.evaluate(shout);
      await eventually(() => phone.strangers()).toBe(5);
      expect(await host.raw()).toEqual([]);
      await host.greet();
      await eventually(types).toEqual(['INITIALIZED']);
      await sibling.evaluate(shout);
      await eventually(() => phone.strangers()).toBe(10);
      await phone.tell('callStarted', callOf('a'));
      await host.say('END_CALL');
      await eventually(() => phone.heard('hangUps')).toEqual(['hang up']);
      expect(await phone.heard('dials')).toEqual([]);
      expect(await phone.tell('audienceKey')).toEqual({ ok: true, value: `${portalId}:4201` });
      await eventually(types).toEqual(['INITIALIZED', 'INCOMING_CALL']);
    });

    it('is not thrown by null, texts and what no honest page sends, nor answers what it does not know', async () => {
      const { host, phone } = await opened();
      for (const message of [
        ...[null, 'SYNC', 7, [], {}, { type: 'DIAL_NUMBER' }, { messageId: 'a' }, { type: 7, messageId: 'a' }],
        ...['ERROR', 'UNLOADING', 'SYNC_ACK_FAILED', 'INITIALIZED', 'READY', 'FAILED', 'NEW_IN_2027', 'toString'].map(
          (type) => ({ type, messageId: 'a', data: { type: 'UNKNOWN_MESSAGE_TYPE' } }),
        ),
        ...['SET_CALL_STATE', 'INITIATE_CALL_ID_SUCCEEDED', 'DIAL_NUMBER', 'CREATE_ENGAGEMENT_SUCCEEDED'].flatMap(
          (type) => [
            { type, messageId: 'a' },
            { type, messageId: 'a', data: null },
            { type, messageId: 'a', data: 'text' },
          ],
        ),
      ])
        await host.post(message);
      await host.say('END_CALL');
      await eventually(() => phone.heard('hangUps')).toEqual(['hang up']);
      expect(await phone.heard('errors')).toEqual([]);
      expect(await phone.heard('dials')).toEqual([]);
      expect((await host.raw()).map((one) => (one as { type: string }).type)).toEqual(['SYNC_ACK', 'INITIALIZED']);
    });

    it('hears HubSpot though its ids begin like the SDK’s own', async () => {
      const { host, phone } = await opened();
      const [, initialized] = (await host.raw()) as { messageId: string }[];
      const instance = initialized?.messageId.split('_')[0];
      expect(instance).toMatch(/^\d+$/);
      await host.say('END_CALL', undefined, `${instance}_1`);
      await host.say('END_CALL', undefined, Number(instance));
      await eventually(() => phone.heard('hangUps')).toHaveLength(2);
    });
  });
}
