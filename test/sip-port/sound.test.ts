/** The real sound port in Chromium: why a microphone does not open, which device is used, what rings where. */

import type { Frame, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { levelAt } from '../../sandbox/src/switch/sound.ts';
import { startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from './phone-in-browser.ts';
import type { PhonePage } from './phone-page.ts';
import { ScriptedPbx } from './scripted-pbx.ts';
import { plugIn, plugInAgain, secondMicrophone, unplug } from './second-microphone.ts';

type Window = { readonly phonePage: PhonePage };

let server: PhonePageServer;
beforeAll(async () => {
  server = await servePhonePage();
});
afterAll(() => server.close());

/** What the sound port says when it is asked for the microphone in this frame. */
function microphoneError(frame: Frame): Promise<{ code: string; message: string } | null> {
  return frame.evaluate(async () => {
    try {
      (await (window as unknown as Window).phonePage.sound.microphone()).stop();
      return null;
    } catch (error) {
      const { code, message } = error as { code: string; message: string };
      return { code, message };
    }
  });
}

describe('a microphone that is refused', () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await startBrowser({ microphone: 'refused' });
  });
  afterAll(() => browser.close());

  it('by the browser: says where to allow it, and nobody is rung', async () => {
    const pbx = await ScriptedPbx.start();
    const phone = await PhoneInBrowser.open(await browser.newPage(), server);
    await phone.start(accountFor(pbx, '1001'), { username: 'u', password: 'p', expiresAt: 0 });
    await phone.next('sip.registered');
    const { call } = await phone.dial('2001');
    const { signal } = await phone.next('sip.ended', call);
    expect(signal).toMatchObject({ by: 'network', code: 0 });
    expect(signal.reason).toContain('allow the microphone');
    expect((await phone.sent()).some(({ text }) => text.startsWith('INVITE'))).toBe(false);

    await pbx.far[0].invites();
    const invited = await phone.next('sip.invited');
    await phone.answer(invited.signal.call);
    expect((await phone.next('sip.ended', invited.signal.call)).signal.reason).toContain('allow the microphone');
    await expect.poll(() => pbx.far[0].call.refusal).toBe(480);
    expect(await phone.errors()).toEqual([]);
    await phone.stop();
    await pbx.close();
  });
});

describe('sound', () => {
  let browser: TestBrowser;
  let page: Page;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    page = await browser.newPage();
    await page.goto(server.url);
  });
  afterEach(async () => {
    await page.evaluate(() => {
      try {
        localStorage.clear();
      } catch {
        // One test blocks storage itself.
      }
    });
    await page.close();
  });

  it('names the host page when it does not pass the microphone on', async () => {
    const { port } = new URL(server.url);
    await page.evaluate((src) => {
      const frame = document.createElement('iframe');
      frame.src = src;
      document.body.append(frame);
      return new Promise((resolve) => {
        frame.onload = resolve;
      });
    }, `http://localhost:${port}/`);
    const inner = page.frames().find((frame) => frame !== page.mainFrame());
    if (!inner) throw new Error('The inner frame did not load.');
    const error = await microphoneError(inner);
    expect(error?.code).toBe('media.denied');
    expect(error?.message).toContain('allow="microphone');
    expect(await microphoneError(page.mainFrame())).toBeNull();
  });

  it('says that there is no microphone, and that one is busy', async () => {
    const failWith = (name: string) =>
      page.evaluate((it) => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('x', it));
      }, name);
    await failWith('NotFoundError');
    expect((await microphoneError(page.mainFrame()))?.code).toBe('media.no-device');
    await failWith('NotReadableError');
    expect((await microphoneError(page.mainFrame()))?.message).toContain('another program');
  });

  it('opens the system microphone when the chosen one is gone', async () => {
    await page.evaluate(() => (window as unknown as Window).phonePage.sound.choose('microphone', 'unplugged'));
    expect(await microphoneError(page.mainFrame())).toBeNull();
  });

  it('lists devices and remembers the choice over a reload, also where storage is blocked', async () => {
    const devices = await page.evaluate(() => (window as unknown as Window).phonePage.sound.devices());
    expect(devices.microphones.length).toBeGreaterThan(1);
    expect(devices).toMatchObject({
      microphone: 'default',
      speaker: 'default',
      ringer: 'default',
      canChooseSpeaker: true,
    });
    const id = devices.speakers.at(-1)?.id ?? '';
    expect(id).not.toBe('default');
    await page.evaluate((it) => (window as unknown as Window).phonePage.sound.choose('ringer', it), id);
    await page.reload();
    const again = await page.evaluate(() => (window as unknown as Window).phonePage.sound.devices());
    expect(again.ringer).toBe(id);
    await page.addInitScript(() => {
      Object.defineProperty(window, 'localStorage', {
        get: () => {
          throw new DOMException('blocked', 'SecurityError');
        },
      });
    });
    await page.reload();
    const blocked = await page.evaluate(async (it) => {
      const { sound } = (window as unknown as Window).phonePage;
      const before = (await sound.devices()).ringer;
      await sound.choose('ringer', it);
      return { before, after: (await sound.devices()).ringer };
    }, id);
    expect(blocked).toEqual({ before: 'default', after: id });
  });

  it('rings through a player of its own, once, until told otherwise', async () => {
    const level = (hz: number) =>
      page.evaluate(async (frequency) => {
        const stream = document.querySelector('audio')?.srcObject as MediaStream;
        const context = new AudioContext();
        const analyser = context.createAnalyser();
        analyser.fftSize = 8_192;
        context.createMediaStreamSource(stream).connect(analyser);
        const bins = new Float32Array(analyser.frequencyBinCount);
        let loudest = Number.NEGATIVE_INFINITY;
        for (let look = 0; look < 40; look += 1) {
          await new Promise((resolve) => setTimeout(resolve, 50));
          analyser.getFloatFrequencyData(bins);
          loudest = Math.max(loudest, bins[Math.round((frequency * 8_192) / context.sampleRate)] ?? loudest);
        }
        await context.close();
        return loudest;
      }, hz);
    await page.evaluate(() => {
      const { sound } = (window as unknown as Window).phonePage;
      sound.setTone('ring');
      sound.setTone('ring');
    });
    expect(await page.locator('audio').count()).toBe(1);
    expect(await level(523)).toBeGreaterThan(-60);
    await page.evaluate(() => (window as unknown as Window).phonePage.sound.setTone('none'));
    expect(await level(523)).toBeLessThan(-90);
    expect(await page.evaluate(() => (window as unknown as Window).phonePage.pageErrors())).toEqual([]);
  });

  it('tells once the microphone was unplugged, and follows the system from then on', async () => {
    const told = await page.evaluate(async () => {
      const { sound } = (window as unknown as Window).phonePage;
      const track = await sound.microphone();
      let times = 0;
      sound.onMicrophoneChanged(() => {
        times += 1;
      });
      track.dispatchEvent(new Event('ended'));
      track.stop();
      return { times, microphone: (await sound.devices()).microphone };
    });
    expect(told).toEqual({ times: 1, microphone: 'default' });
  });

  it('beeps three times before a call answers itself, once', async () => {
    // The tone goes to the speaker: what the page's own context would play is drawn off on its way.
    const beeps = await page.evaluate(async () => {
      const connect = AudioNode.prototype.connect;
      const taps: AnalyserNode[] = [];
      AudioNode.prototype.connect = function (this: AudioNode, ...to: unknown[]) {
        if (to[0] === this.context.destination) {
          const tap = this.context.createAnalyser();
          tap.fftSize = 1_024;
          taps.push(tap);
          (connect as (to: AudioNode) => AudioNode).call(this, tap);
        }
        return connect.apply(this, to as [AudioParam]);
      } as typeof connect;
      const { sound } = (window as unknown as Window).phonePage;
      const begun = performance.now();
      sound.setTone('auto-answer');
      sound.setTone('auto-answer');
      const samples = new Float32Array(1_024);
      const edges: number[] = [];
      let loud = false;
      while (performance.now() - begun < 3_000) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        taps[0]?.getFloatTimeDomainData(samples);
        const now = Math.max(...samples) > 0.02;
        if (now !== loud) edges.push(performance.now() - begun);
        loud = now;
      }
      sound.setTone('none');
      return { taps: taps.length, edges };
    });
    expect(beeps.taps).toBe(1);
    // Three beeps: on and off three times, and nothing more in the seconds after.
    expect(beeps.edges).toHaveLength(6);
  });

  it('plays calls and rings on different devices, falls back to the system when one is unplugged, and returns', async () => {
    const seen = await page.evaluate(async () => {
      const { sound } = (window as unknown as Window).phonePage;
      const outputs = (await sound.devices()).speakers.map(({ id }) => id).filter((id) => id !== 'default');
      const [speaker = '', ringer = ''] = outputs;
      await sound.choose('speaker', speaker);
      await sound.choose('ringer', ringer);
      const context = new AudioContext();
      sound.play('call' as never, context.createMediaStreamDestination().stream);
      sound.setTone('ring');
      const sinks = () => [...document.querySelectorAll('audio')].map((player) => player.sinkId);
      const until = async (wanted: readonly string[]) => {
        for (let look = 0; look < 200 && String(sinks()) !== String(wanted); look += 1)
          await new Promise((resolve) => setTimeout(resolve, 20));
        return sinks();
      };
      const both = await until([speaker, ringer]);
      // Chromium's fake devices are never unplugged: this one refuses from here on, as a missing one does.
      const setSinkId = HTMLMediaElement.prototype.setSinkId;
      HTMLMediaElement.prototype.setSinkId = function (id) {
        return id === speaker ? Promise.reject(new DOMException('gone', 'NotFoundError')) : setSinkId.call(this, id);
      };
      navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
      const unplugged = await until(['', ringer]);
      HTMLMediaElement.prototype.setSinkId = setSinkId;
      navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
      const back = await until([speaker, ringer]);
      sound.setTone('none');
      sound.silence('call' as never);
      await context.close();
      return { speaker, ringer, both, unplugged, back };
    });
    const { speaker, ringer } = seen;
    expect(speaker).not.toBe(ringer);
    expect(seen).toMatchObject({
      both: [speaker, ringer],
      unplugged: ['', ringer],
      back: [speaker, ringer],
    });
  });
});

describe('a microphone in a call', () => {
  let browser: TestBrowser;
  let pbx: ScriptedPbx;
  beforeAll(async () => {
    [browser, pbx] = await Promise.all([startBrowser({ toneHz: 440 }), ScriptedPbx.start()]);
  });
  afterAll(async () => {
    await browser?.close();
    await pbx?.close();
  });

  it('is changed with the mute kept, is unplugged, which brings the system one in, and is there again when plugged in', async () => {
    const phone = await PhoneInBrowser.open(await browser.newPage(), server);
    await plugIn(phone.page, 1_000);
    await phone.start(accountFor(pbx, '1001'), { username: 'u', password: 'p', expiresAt: 0 });
    await phone.next('sip.registered');
    const { call } = await phone.dial('2001');
    const theirs = await pbx.far[0].answers();
    await phone.next('sip.answered', call);
    const farHears = async (tones: readonly number[]) => {
      const heard = () => [440, 1_000].filter((hz) => levelAt(theirs.heard(200), hz) > 0.005);
      await expect.poll(heard, { timeout: 8_000, interval: 50 }).toEqual(tones);
    };
    const microphone = () =>
      phone.page.evaluate(async () => (await (window as unknown as Window).phonePage.sound.devices()).microphone);
    await farHears([440]);
    await phone.command('mute', call, true);
    await farHears([]);
    await phone.page.evaluate(
      (id) => (window as unknown as Window).phonePage.sound.choose('microphone', id),
      secondMicrophone,
    );
    const before = theirs.media.packetsReceived;
    await expect.poll(() => theirs.media.packetsReceived - before, { timeout: 4_000 }).toBeGreaterThan(20);
    await farHears([]);
    await phone.command('mute', call, false);
    await farHears([1_000]);
    expect(await microphone()).toBe(secondMicrophone);

    await unplug(phone.page);
    await farHears([440]);
    expect(await microphone()).toBe('default');
    await phone.command('mute', call, true);
    await plugInAgain(phone.page);
    expect(await microphone()).toBe(secondMicrophone);
    await farHears([]);
    await phone.command('mute', call, false);
    await farHears([1_000]);
    expect(await phone.errors()).toEqual([]);
    await phone.stop();
  });
});

describe('a page that nobody has touched', () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    // The later switch counts.
    browser = await startBrowser({ extraArgs: ['--autoplay-policy=document-user-activation-required'] });
  });
  afterAll(() => browser.close());

  it('plays what waits as soon as it is touched', async () => {
    const page = await browser.newPage();
    // Asking the page anything would count as a touch, so it tells by itself.
    const told: string[] = [];
    page.on('console', (message) => told.push(message.text()));
    await page.addInitScript(() =>
      addEventListener('load', () => {
        const { sound } = (window as unknown as Window).phonePage;
        sound.play('call' as never, new AudioContext().createMediaStreamDestination().stream);
        sound.setTone('ring');
        let last = '';
        setInterval(() => {
          const now = [...document.querySelectorAll('audio')].map(({ paused }) => (paused ? 'waits' : 'plays')).join();
          if (now !== last) console.info(now);
          last = now;
        }, 20);
      }),
    );
    await page.goto(server.url);
    await expect.poll(() => told.at(-1)).toBe('waits,waits');
    await page.mouse.click(5, 5);
    await expect.poll(() => told.at(-1)).toBe('plays,plays');
    expect(await page.evaluate(() => (window as unknown as Window).phonePage.pageErrors())).toEqual([]);
    await page.close();
  });
});
