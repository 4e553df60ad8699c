/**
 * A far end with a browser's sound: a page with a peer connection of its own and a tone instead of a microphone. Owns the media of that end only; the
 * scripted PBX carries its descriptions.
 */
import type { Page } from 'playwright-core';
import { Dialog } from '../../sandbox/src/switch/dialog.ts';
import { newTag } from '../../sandbox/src/switch/sip-endpoint.ts';
import { header, type SipRequest, type SipResponse, sequence } from '../../sandbox/src/switch/sip-message.ts';
import { type Heard, listenUntil, type TestBrowser } from '../browser/chromium.ts';
import type { ScriptedPbx } from './scripted-pbx.ts';

/** A line of an offer: its kind, and for sound whether this end speaks on it. */
export type OfferedLine = 'sound' | 'silence' | 'video';

interface FarPage {
  offer(lines: readonly OfferedLine[]): Promise<string>;
  accept(answer: string): Promise<void>;
  answer(offer: string): Promise<string>;
  codecs(): Promise<{ readonly sent: string[]; readonly received: string[] }>;
}

export class BrowserFarEnd {
  readonly #page: Page;

  private constructor(page: Page) {
    this.#page = page;
  }

  /** @param url a page on loopback, where peer connections are allowed */
  static async open(browser: TestBrowser, url: string, toneHz: number): Promise<BrowserFarEnd> {
    const page = await browser.newPage();
    await page.goto(url);
    await page.evaluate(speak, toneHz);
    return new BrowserFarEnd(page);
  }

  offer(lines: readonly OfferedLine[] = ['sound']): Promise<string> {
    return this.#page.evaluate((it) => (window as unknown as { far: FarPage }).far.offer(it), lines);
  }
  accept(answer: string): Promise<void> {
    return this.#page.evaluate((it) => (window as unknown as { far: FarPage }).far.accept(it), answer);
  }
  answer(offer: string): Promise<string> {
    return this.#page.evaluate((it) => (window as unknown as { far: FarPage }).far.answer(it), offer);
  }
  /** The codecs whose packets went and came. */
  codecs(): ReturnType<FarPage['codecs']> {
    return this.#page.evaluate(() => (window as unknown as { far: FarPage }).far.codecs());
  }
  hears(hz: number): Promise<Heard> {
    return listenUntil(this.#page.mainFrame(), `${hz} Hz at the far end`, (heard) => heard.amplitude(hz) > 0.01);
  }
  close(): Promise<void> {
    return this.#page.close();
  }
}

/** Calls the agent with this description. Resolves with the final response and, after a 200, with a way to hang up. */
export function inviteWith(
  pbx: ScriptedPbx,
  body: string,
): Promise<{ readonly response: SipResponse; request(method: string, body?: string): Promise<SipResponse> }> {
  const { flow, contact } = pbx.device;
  const sdp = { name: 'Content-Type', value: 'application/sdp' };
  const here = { name: 'Contact', value: `<sip:far@${pbx.address};transport=ws>` };
  const invite: SipRequest = {
    kind: 'request',
    method: 'INVITE',
    uri: contact,
    headers: [
      { name: 'From', value: `<sip:far@${pbx.domain}>;tag=${newTag()}` },
      { name: 'To', value: `<${contact}>` },
      { name: 'Call-ID', value: newTag() },
      { name: 'CSeq', value: '1 INVITE' },
      here,
      sdp,
    ],
    body,
  };
  return new Promise((resolve) => {
    pbx.send(flow, invite, (response) => {
      if (response.status < 200) return;
      const dialog = response.status < 300 ? Dialog.calling(invite, response, flow) : undefined;
      if (dialog) pbx.send(flow, dialog.request('ACK', [], '', sequence(invite).number), () => {});
      resolve({
        response,
        request: (method, content = '') =>
          new Promise((done, fail) => {
            if (!dialog) return fail(new Error('This call was refused.'));
            pbx.send(flow, dialog.request(method, content === '' ? [here] : [here, sdp], content), (answer) => {
              if (answer.status >= 200) done(answer);
            });
          }),
      });
    });
  });
}

/** The warning that goes with a refusal (RFC 3261 section 20.43), empty where there is none. */
export function warningOf(response: SipResponse): string {
  return header(response, 'Warning') ?? '';
}

/** Runs in the page. */
function speak(hz: number): void {
  const context = new AudioContext();
  const oscillator = context.createOscillator();
  oscillator.frequency.value = hz;
  const output = context.createMediaStreamDestination();
  const gain = context.createGain();
  // Quiet and far from the agent's tone: the echo canceller would take that away together with a loud one.
  gain.gain.value = 0.1;
  oscillator.connect(gain).connect(output);
  oscillator.start();
  const [voice] = output.stream.getAudioTracks();
  const player = new Audio();
  // Played aloud, the agent's tone would be taken for an echo and cancelled at the agent's microphone.
  player.muted = true;
  let connection: RTCPeerConnection | undefined;
  const open = () => {
    const made = new RTCPeerConnection();
    connection = made;
    // Without a player Chromium decodes nothing.
    made.addEventListener('track', (event) => {
      if (event.track.kind !== 'audio' || player.srcObject) return;
      player.srcObject = new MediaStream([event.track]);
      void player.play();
    });
    return made;
  };
  const gathered = async (made: RTCPeerConnection) => {
    while (made.iceGatheringState !== 'complete')
      await new Promise((resolve) => made.addEventListener('icegatheringstatechange', resolve, { once: true }));
    return made.localDescription?.sdp ?? '';
  };
  const far: FarPage = {
    async offer(lines) {
      const made = open();
      for (const line of lines)
        made.addTransceiver(line === 'sound' && voice ? voice : line === 'video' ? 'video' : 'audio');
      await made.setLocalDescription(await made.createOffer());
      return gathered(made);
    },
    async accept(answer) {
      await connection?.setRemoteDescription({ type: 'answer', sdp: answer });
    },
    async answer(offer) {
      const made = open();
      await made.setRemoteDescription({ type: 'offer', sdp: offer });
      if (voice) made.addTrack(voice);
      await made.setLocalDescription(await made.createAnswer());
      return gathered(made);
    },
    async codecs() {
      const stats = await connection?.getStats();
      const of = (type: string, counter: string) =>
        [...(stats?.values() ?? [])]
          .filter((report) => report.type === type && report.kind === 'audio' && report[counter] > 0)
          .map((report) => String(stats?.get(report.codecId)?.mimeType ?? '').replace('audio/', ''));
      return { sent: of('outbound-rtp', 'packetsSent'), received: of('inbound-rtp', 'packetsReceived') };
    },
  };
  Object.assign(window, { far });
}
