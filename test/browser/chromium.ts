/**
 * Debian's Chromium for tests: real WebRTC, a fake microphone with a known tone, storage partitioned as in an agent's browser. Owns the
 * flags and the ear that listens to what a page plays; knows no page.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Frame, type Page } from 'playwright-core';
import { writeTone } from '../sip-lab/tone.ts';

export interface TestBrowser {
  readonly context: BrowserContext;
  newPage(): Promise<Page>;
  close(): Promise<void>;
}

export interface TestBrowserOptions {
  /** Frequency of the fake microphone. */
  readonly toneHz?: number;
  /** `refused`: no microphone permission; `prompted`: nobody answers the prompt. Default: granted. */
  readonly microphone?: 'granted' | 'refused';
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly colorScheme?: 'light' | 'dark';
  readonly extraArgs?: readonly string[];
}

/** Starts a browser with its own profile folder. The defaults of the driver are left out: they switch storage partitioning off. */
export async function startBrowser(options: TestBrowserOptions = {}): Promise<TestBrowser> {
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-browser-'));
  const tone = join(folder, 'microphone.wav');
  writeTone(tone, { hz: options.toneHz ?? 440, seconds: 60, rate: 48_000 });
  const context = await chromium.launchPersistentContext(join(folder, 'profile'), {
    executablePath: '/usr/bin/chromium',
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
      '--allow-loopback-in-peer-connection',
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
  /** Goertzel amplitude by frequency, 0…1. */
  readonly levels: Readonly<Record<number, number>>;
  /** Sums over all peer connections, to see whether anything flows at all. */
  readonly packetsReceived: number;
  readonly packetsSent: number;
  /** Energy of the microphone as sent, to see that hold and mute silence it. */
  readonly liveConnections: number;
}

/** Listens to everything the frame's peer connections receive. */
export async function listen(frame: Frame, frequencies: readonly number[]): Promise<Heard> {
  return frame.evaluate(
    async ([hzs, size]) => {
      const ear = (window as unknown as { patchcordEar: Ear }).patchcordEar;
      const samples = ear.read(size);
      const rms = Math.sqrt(samples.reduce((sum, s) => sum + s * s, 0) / samples.length);
      const levels: Record<number, number> = {};
      for (const hz of hzs) {
        const w = (2 * Math.PI * hz) / ear.rate;
        let s1 = 0;
        let s2 = 0;
        for (const [index, sample] of samples.entries()) {
          const windowed = sample * (0.5 - 0.5 * Math.cos((2 * Math.PI * index) / (samples.length - 1)));
          const s0 = windowed + 2 * Math.cos(w) * s1 - s2;
          s2 = s1;
          s1 = s0;
        }
        levels[hz] = (4 * Math.sqrt(Math.max(0, s1 * s1 + s2 * s2 - 2 * Math.cos(w) * s1 * s2))) / samples.length;
      }
      const packets = await ear.packets();
      return { rms, levels, ...packets };
    },
    [[...frequencies], earSamples] as const,
  );
}

interface Ear {
  readonly rate: number;
  read(size: number): Float32Array;
  packets(): Promise<{ packetsReceived: number; packetsSent: number; liveConnections: number }>;
}

/** Runs in every frame before its scripts: keeps hold of the peer connections and mixes what they receive into an analyser. */
function installEar(): void {
  if (typeof RTCPeerConnection === 'undefined') return;
  const connections = new Set<RTCPeerConnection>();
  let context: AudioContext | undefined;
  let analyser: AnalyserNode | undefined;
  const hear = (track: MediaStreamTrack): void => {
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
      let liveConnections = 0;
      for (const connection of connections) {
        if (connection.connectionState === 'closed') continue;
        liveConnections += 1;
        for (const report of (await connection.getStats()).values()) {
          if (report.type === 'inbound-rtp') packetsReceived += report.packetsReceived ?? 0;
          if (report.type === 'outbound-rtp') packetsSent += report.packetsSent ?? 0;
        }
      }
      return { packetsReceived, packetsSent, liveConnections };
    },
  };
  Object.defineProperty(window, 'patchcordEar', { value: ear });
}
