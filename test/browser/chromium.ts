/**
 * Debian's Chromium for tests: real WebRTC, a fake microphone with a known tone, storage partitioned as in an agent's browser. Owns the
 * flags and the ear that listens to what a page plays; knows no page.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Frame, type Page } from 'playwright-core';
import { goertzel, rms, writeToneWav } from '../sip-lab/tone.ts';

export interface TestBrowser {
  readonly context: BrowserContext;
  newPage(): Promise<Page>;
  close(): Promise<void>;
}

export interface TestBrowserOptions {
  /** Frequency of the fake microphone. */
  readonly toneHz?: number;
  /** `refused`: the permission prompt is answered with no. Default: granted. */
  readonly microphone?: 'granted' | 'refused';
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly colorScheme?: 'light' | 'dark';
  /** Offer 127.0.0.1 for sound, where the sandbox switch is. Default true. */
  readonly loopbackMedia?: boolean;
  readonly extraArgs?: readonly string[];
}

export const wholeBrowser = '/usr/bin/chromium';
/**
 * The same engine without a browser's windows, at half the processor time: for pages alone. What an agent's browser does with sound, storage, rights
 * and its processes is tried in the whole one.
 */
export const headlessShell = '/usr/bin/chromium-headless-shell';

/** Starts a browser with its own profile folder. The defaults of the driver are left out: they switch storage partitioning off. */
export async function startBrowser(options: TestBrowserOptions = {}): Promise<TestBrowser> {
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-browser-'));
  const tone = join(folder, 'microphone.wav');
  writeToneWav(tone, { hz: options.toneHz ?? 440, seconds: 60, rate: 48_000 });
  const context = await chromium.launchPersistentContext(join(folder, 'profile'), {
    executablePath: wholeBrowser,
    ignoreDefaultArgs: true,
    viewport: options.viewport ?? { width: 1360, height: 860 },
    ...(options.colorScheme === undefined ? {} : { colorScheme: options.colorScheme }),
    ignoreHTTPSErrors: true,
    args: [
      '--headless',
      '--remote-debugging-pipe',
      `--user-data-dir=${join(folder, 'profile')}`,
      '--no-sandbox',
      '--no-first-run',
      '--no-default-browser-check',
      '--disable-gpu',
      '--disable-quic',
      '--disable-sync',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-default-apps',
      '--disable-extensions',
      '--disable-dev-shm-usage',
      '--disable-background-timer-throttling',
      '--disable-renderer-backgrounding',
      '--disable-backgrounding-occluded-windows',
      '--metrics-recording-only',
      '--ignore-certificate-errors',
      // Only where the far end is on loopback: elsewhere these addresses would only slow gathering down.
      ...(options.loopbackMedia === false ? [] : ['--allow-loopback-in-peer-connection']),
      '--autoplay-policy=no-user-gesture-required',
      options.microphone === 'refused' ? '--deny-permission-prompts' : '--use-fake-ui-for-media-stream',
      '--use-fake-device-for-media-stream',
      `--use-file-for-fake-audio-capture=${tone}`,
      ...(options.extraArgs ?? []),
      'about:blank',
    ],
  });
  await context.addInitScript(installEar);
  return {
    context,
    newPage: () => context.newPage(),
    async close() {
      await context.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Rate of the ear's samples and how many it keeps: a third of a second, 3 Hz apart. */
const earSamples = 16_384;

/** What a page receives right now. */
export interface Heard {
  readonly rms: number;
  /** Amplitude 0 to 1 of one frequency. */
  amplitude(hz: number): number;
  /** Sums over all open peer connections. */
  readonly packetsReceived: number;
  readonly packetsSent: number;
}

/** Listens to everything the frame's peer connections receive: the last third of a second. */
export async function listen(frame: Frame): Promise<Heard> {
  const { samples, rate, packets } = await frame.evaluate(async (size) => {
    const ear = (window as unknown as { patchcordEar: Ear }).patchcordEar;
    return { samples: [...ear.read(size)], rate: ear.rate, packets: await ear.packets() };
  }, earSamples);
  const sound = Float32Array.from(samples);
  return { ...packets, rms: rms(sound), amplitude: (hz) => goertzel(sound, rate, hz) };
}

/** Listens until `good` says so. @throws with what was heard last, when that does not happen within `withinMs` (default 8000). */
export async function listenUntil(
  frame: Frame,
  what: string,
  good: (heard: Heard) => boolean,
  withinMs = 8_000,
): Promise<Heard> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const heard = await listen(frame);
    if (good(heard)) return heard;
    if (Date.now() > deadline) {
      const levels = [440, 600, 850, 1200, 1700].map((hz) => `${hz} Hz ${heard.amplitude(hz).toFixed(4)}`).join(', ');
      throw new Error(
        `The page does not hear ${what}: rms ${heard.rms.toFixed(4)}, ${levels}, ${heard.packetsReceived} packets received.`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

interface Ear {
  readonly rate: number;
  read(size: number): Float32Array;
  packets(): Promise<{ packetsReceived: number; packetsSent: number }>;
}

/** Runs in every frame before its scripts: keeps hold of the peer connections and mixes what they receive into an analyser. */
function installEar(): void {
  if (typeof RTCPeerConnection === 'undefined') return;
  const connections = new Set<RTCPeerConnection>();
  let context: AudioContext | undefined;
  let analyser: AnalyserNode | undefined;
  const known = new Set<MediaStreamTrack>();
  const hear = (track: MediaStreamTrack): void => {
    // A resumed call announces its track again: heard twice, it would cancel itself out.
    if (known.has(track)) return;
    known.add(track);
    context ??= new AudioContext();
    if (analyser === undefined) {
      analyser = context.createAnalyser();
      analyser.fftSize = 16_384;
    }
    const source = context.createMediaStreamSource(new MediaStream([track]));
    source.connect(analyser);
    // A remote track stays alive when its connection closes: without this its last samples would be heard for ever.
    track.addEventListener('ended', () => source.disconnect());
  };
  const Native = RTCPeerConnection;
  class Tapped extends Native {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      connections.add(this);
      this.addEventListener('track', (event) => hear(event.track));
    }
  }
  window.RTCPeerConnection = Tapped;
  const ear = {
    get rate(): number {
      return context?.sampleRate ?? 48_000;
    },
    read(size: number): Float32Array {
      const samples = new Float32Array(size);
      analyser?.getFloatTimeDomainData(samples);
      return samples;
    },
    async packets() {
      let packetsReceived = 0;
      let packetsSent = 0;
      for (const connection of connections) {
        if (connection.connectionState === 'closed') continue;
        for (const report of (await connection.getStats()).values()) {
          if (report.type === 'inbound-rtp') packetsReceived += report.packetsReceived ?? 0;
          if (report.type === 'outbound-rtp') packetsSent += report.packetsSent ?? 0;
        }
      }
      return { packetsReceived, packetsSent };
    },
  };
  Object.defineProperty(window, 'patchcordEar', { value: ear });
}
