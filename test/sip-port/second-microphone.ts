/**
 * A second microphone in a page, with a tone of its own, that can be unplugged and plugged in again: Chromium's fake ones all play the same file and
 * never go. Owns the page's list of devices; the sound port under test is the real one.
 */
import type { Page } from 'playwright-core';

/** The device id to choose. */
export const secondMicrophone = 'second';

interface Plug {
  plug(in_: boolean): void;
}

/** Plugs it in. Must come before the sound port is asked for it. */
export async function plugIn(page: Page, hz: number): Promise<void> {
  await page.evaluate(addMicrophone, [secondMicrophone, hz] as const);
}
export function unplug(page: Page): Promise<void> {
  return page.evaluate(() => (window as unknown as { secondMicrophone: Plug }).secondMicrophone.plug(false));
}
export function plugInAgain(page: Page): Promise<void> {
  return page.evaluate(() => (window as unknown as { secondMicrophone: Plug }).secondMicrophone.plug(true));
}

/** Runs in the page. */
function addMicrophone([id, hz]: readonly [string, number]): void {
  const devices = navigator.mediaDevices;
  const ask = devices.getUserMedia.bind(devices);
  const list = devices.enumerateDevices.bind(devices);
  const context = new AudioContext();
  const oscillator = context.createOscillator();
  oscillator.frequency.value = hz;
  const gain = context.createGain();
  gain.gain.value = 0.1;
  oscillator.connect(gain);
  oscillator.start();
  const given: MediaStreamTrack[] = [];
  let plugged = true;
  devices.getUserMedia = async (wanted) => {
    const { deviceId } = typeof wanted?.audio === 'object' ? wanted.audio : {};
    if (typeof deviceId !== 'object' || !('exact' in deviceId) || deviceId.exact !== id) return ask(wanted);
    if (!plugged) throw new DOMException('gone', 'OverconstrainedError');
    const output = context.createMediaStreamDestination();
    gain.connect(output);
    given.push(...output.stream.getTracks());
    return output.stream;
  };
  devices.enumerateDevices = async () => {
    const all = await list();
    const [like] = all.filter(({ kind }) => kind === 'audioinput');
    if (!plugged || !like) return all;
    const second = Object.create(like, {
      deviceId: { value: id },
      kind: { value: 'audioinput' },
      label: { value: id },
    });
    return [...all, second as MediaDeviceInfo];
  };
  const plug: Plug = {
    plug(in_) {
      plugged = in_;
      // As a browser does it: tracks of a device that went end by themselves.
      if (!in_)
        for (const track of given.splice(0)) {
          if (track.readyState === 'ended') continue;
          track.stop();
          track.dispatchEvent(new Event('ended'));
        }
      devices.dispatchEvent(new Event('devicechange'));
    },
  };
  Object.assign(window, { secondMicrophone: plug });
}
