/**
 * One agent's browser with HubSpot's pages in it, without a browser: every frame is the whole panel around HubSpot's own calling SDK, in a window
 * made by hand; frames share channels, locks, cookies and the journal as frames of one partition do. The page side is the sandbox's call
 * desk, asked as its pages ask it. Owns frames that come and die; SIP is a fake with pedals. Must never tidy up for a frame that was killed.
 */
import 'fake-indexeddb/auto';
import './sdk-scope.ts';
import { randomUUID } from 'node:crypto';
import type { CallId, DeviceId, PhoneEvent } from '@patchcord/call-protocol';
import { createHubSpotPanel } from '@patchcord/crm-adapters/panel';
import { type ClockPort, createPhone, joinSharedPhone, type SharedPhone } from '@patchcord/phone-engine';
import { FakeChannels, FakeLocks, FakeSip, FakeSound } from '@patchcord/phone-engine/testing';
import { signal } from '@preact/signals';
import { WebSocket } from 'ws';
import { type Journal, openJournal } from '../../packages/softphone-ui/src/journal.ts';
import type { LiveSocket } from '../../packages/softphone-ui/src/live-link.ts';
import type { MicrophonePermission } from '../../packages/softphone-ui/src/microphone-permission.ts';
import { createPanel, type Panel } from '../../packages/softphone-ui/src/panel.ts';
import { createRelayClient } from '../../packages/softphone-ui/src/relay-client.ts';
import { createSealedCalls } from '../../packages/softphone-ui/src/sealed-calls.ts';
import { createSessionHandover } from '../../packages/softphone-ui/src/session-handover.ts';
import { DpopKey } from '../dpop-key.ts';

export type FrameLocation = 'widget' | 'remote' | 'window';

/** The portal around the frames: what a page sends, and where its words go. */
export interface PortalSide {
  readonly hostUrl: string;
  readonly portalId: number;
  readonly userId: number;
  readonly ownerId: number;
  readonly usesCallingWindow: boolean;
  /** The engagement of the live inbound call, as a page that is loaded now gets it. */
  liveEngagement(): Promise<number | undefined>;
  /** Tells the portal one message of a frame. @returns what its page answers */
  hear(frame: BrowserFrame, message: Message): Promise<Heard>;
}
export interface Message {
  readonly type: string;
  readonly data?: unknown;
}
export interface Heard {
  readonly replies: readonly Message[];
  /** What becomes of the replies on their way. */
  readonly way: 'prompt' | 'never' | 'late' | 'twice' | 'turned';
}

export interface BrowserFrame {
  readonly page: string;
  readonly location: FrameLocation;
  readonly panel: Panel;
  readonly sip: FakeSip;
  readonly dead: boolean;
  /** The phone once the panel has joined it. */
  phone(): SharedPhone | null;
  /** A message of the page. */
  say(message: Message): void;
  /** Any message event at all, from anybody. */
  post(data: unknown, from?: { readonly origin?: string; readonly source?: unknown }): void;
  /**
   * The frame is gone in the middle of whatever it did: nothing of it runs on. What it was writing to its disk is written: here nothing could stop
   * the second half of it.
   */
  kill(): Promise<void>;
}

export interface HubSpotBrowserOptions {
  readonly relayUrl: string;
  /** The address this agent's requests come from. */
  readonly address: string;
  readonly name: string;
  readonly portal: PortalSide;
}

export class HubSpotBrowser {
  readonly #options: HubSpotBrowserOptions;
  readonly #channels = new FakeChannels();
  readonly #locks = new FakeLocks();
  readonly #key = new DpopKey();
  readonly #device = randomUUID() as DeviceId;
  readonly #cookies = new Map<string, string>();
  #journal: Journal | null = null;
  /** The pages hear in the order in which was said, whichever frame said it: messages between windows do not overtake each other by seconds. */
  #heard: Promise<unknown> = Promise.resolve();
  readonly frames = new Set<BrowserFrame>();

  constructor(options: HubSpotBrowserOptions) {
    this.#options = options;
  }

  /** The frame that has the line. */
  owner(): BrowserFrame | undefined {
    return [...this.frames].find((frame) => frame.phone()?.role() === 'owner');
  }

  /** Loads the panel in a frame of this kind; its page greets it at once. */
  open(location: FrameLocation): BrowserFrame {
    const { portal, relayUrl } = this.#options;
    const life = { dead: false };
    const appending = new Set<Promise<unknown>>();
    const timers = new Set<NodeJS.Timeout>();
    const sockets = new Set<WebSocket>();
    const clock: ClockPort = {
      now: () => Date.now(),
      setTimeout: (run, ms) => {
        const timer = setTimeout(() => {
          timers.delete(timer);
          if (!life.dead) run();
        }, ms);
        timers.add(timer);
        return timer;
      },
      clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
    };
    const target = new EventTarget();
    /** HubSpot's SDK takes its window from the global scope, when it is made and when it hears a message. */
    const inScope = (work: () => void): void => {
      const scope = globalThis as unknown as Record<string, unknown>;
      const before = scope.window;
      scope.window = view;
      try {
        work();
      } finally {
        scope.window = before;
      }
    };
    const answer = async ({ replies, way }: Heard): Promise<void> => {
      const told = way === 'turned' ? [...replies].reverse() : replies;
      if (way === 'never') return;
      if (way === 'late') await new Promise((resolve) => setTimeout(resolve, 150));
      for (const reply of told) frame.say(reply);
      if (way === 'twice') for (const reply of told) frame.say(reply);
    };
    let answers: Promise<void> = Promise.resolve();
    const parent = {
      postMessage: (data: Message & { readonly messageId?: string }) => {
        if (life.dead) return;
        const message = structuredClone(data);
        if (message.type === 'SYNC_ACK') synced = true;
        const heard = this.#heard.then(() => portal.hear(frame, message));
        this.#heard = heard.catch(() => undefined);
        answers = answers.then(async () => answer(await heard)).catch(() => undefined);
      },
    };
    const view = Object.assign(new EventTarget(), {
      addEventListener: target.addEventListener.bind(target),
      removeEventListener: target.removeEventListener.bind(target),
      location: {
        href: `${relayUrl}/hubspot/`,
        origin: relayUrl,
        ancestorOrigins: [portal.hostUrl],
        search: '',
        pathname: '/hubspot/',
      },
      document: { referrer: `${portal.hostUrl}/`, visibilityState: 'visible' },
      open: () => null,
      setTimeout: clock.setTimeout,
      clearTimeout: clock.clearTimeout,
      parent,
    });
    let synced = false;
    let shared: SharedPhone | null = null;
    const sip = new FakeSip(randomUUID());
    // Whoever was at the other end is gone by the time a frame comes back: what is asked here is what becomes of the log.
    sip.recovers = 'refuse';
    const takeUp = sip.takeUp.bind(sip);
    sip.takeUp = (dialogs) => {
      takeUp(dialogs);
      for (const { call, stage } of dialogs) if (stage === 'invited') queueMicrotask(() => sip.failRecovery(call));
    };
    const sound = new FakeSound();
    const channels = this.#channels.frame();
    const openChannel = (name: string): BroadcastChannel => {
      const channel = channels.open(name);
      const post = channel.postMessage.bind(channel);
      channel.postMessage = (message: unknown) => {
        if (!life.dead) post(message);
      };
      return channel;
    };
    const locks = this.#locks.frame();
    const fetchAlive = async (input: string, init: RequestInit): Promise<Response> => {
      const response = await this.#fetch(input, init);
      // A page that is gone never learns what came back.
      return life.dead ? await new Promise<Response>(() => undefined) : response;
    };
    const host = createHubSpotPanel({
      window: view as unknown as Window,
      hostOrigins: [portal.hostUrl],
      audience: relayUrl,
    });
    const panel = createPanel({
      host,
      device: this.#device,
      clock,
      sound,
      hostOrigin: portal.hostUrl,
      openSignIn: () => Promise.resolve(null),
      relay: createRelayClient({
        origin: relayUrl,
        device: this.#device,
        clock,
        fetch: fetchAlive,
        openSocket: (url) => {
          const socket = new WebSocket(url, {
            origin: relayUrl,
            headers: { 'x-forwarded-for': this.#options.address },
          });
          // A browser's socket says no more once nobody listens; this one would throw.
          socket.on('error', () => undefined);
          sockets.add(socket);
          return socket as unknown as LiveSocket;
        },
        openKey: () =>
          Promise.resolve({
            proof: (method, url, token, now) => Promise.resolve(this.#key.proof({ method, url, token, now })),
          }),
        proveIdentity: () => host.proveIdentity(),
      }),
      openHandover: (audience) => createSessionHandover({ openChannel, name: audience, clock }),
      sealedCalls: (agent) => {
        const database = `${this.#options.name}:calls`;
        const sealed = createSealedCalls({ name: agent.id, database, now: () => clock.now() });
        return {
          ...sealed,
          write: (kept) => (life.dead ? Promise.resolve() : sealed.write(kept)),
          seen: (leaves) => (life.dead ? undefined : sealed.seen(leaves)),
        };
      },
      sharePhone: (name, sharing) => {
        shared = joinSharedPhone({
          ...sharing,
          name,
          createOwner: () => createPhone({ sip, clock, sound }),
          locks,
          openChannel,
          clock,
        });
        return shared;
      },
      openJournal: async (agent) => {
        const journal = await openJournal({
          name: `${this.#options.name}:${agent.id}`,
          source: `/tenants/${agent.tenant}/agents/${agent.id}/devices/${this.#device}`,
          now: () => clock.now(),
        });
        this.#journal = journal;
        const { append } = journal;
        return Object.assign(journal, {
          append: (event: PhoneEvent) => {
            if (life.dead) return new Promise<never>(() => undefined);
            const stored = append(event).finally(() => appending.delete(stored));
            appending.add(stored);
            return stored;
          },
        });
      },
      leftNotes: () => ({ keep: () => () => undefined, take: () => null }),
      missedMark: () => ({ read: () => 0, write: () => undefined }),
      microphone: signal<MicrophonePermission>('allowed'),
      ticker: { now: signal(clock.now()), watch: () => () => undefined },
    });
    const frame: BrowserFrame = {
      page: randomUUID(),
      location,
      panel,
      sip,
      get dead() {
        return life.dead;
      },
      phone: () => shared,
      say: (message) => {
        serial += 1;
        frame.post({ messageId: `host_${serial}`, ...message });
      },
      post: (data, from = {}) => {
        if (life.dead) return;
        const event = Object.assign(new Event('message'), {
          data: typeof data === 'object' && data !== null ? structuredClone(data) : data,
          origin: from.origin ?? portal.hostUrl,
          source: from.source ?? parent,
        });
        inScope(() => target.dispatchEvent(event));
      },
      kill: async () => {
        while (appending.size > 0) await Promise.allSettled(appending);
        life.dead = true;
        this.frames.delete(frame);
        channels.die();
        locks.die();
        for (const timer of timers) clearTimeout(timer);
        for (const socket of sockets) socket.terminate();
      },
    };
    let serial = 0;
    this.frames.add(frame);
    inScope(() => void panel.start());
    void (async () => {
      const engagementId = await portal.liveEngagement();
      const { hostUrl, portalId, userId, ownerId, usesCallingWindow } = portal;
      for (let tries = 0; tries < 300 && !synced && !life.dead; tries += 1) {
        frame.post({
          type: 'SYNC',
          messageId: 'host_sync',
          hostUrl,
          portalId,
          userId,
          ownerId,
          usesCallingWindow,
          iframeLocation: location,
          ...(engagementId === undefined ? {} : { engagementId }),
        });
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();
    return frame;
  }

  /** Calls that any frame shows. */
  calls(): readonly CallId[] {
    return [
      ...new Set(
        [...this.frames].flatMap(
          (frame) =>
            frame
              .phone()
              ?.state()
              .calls.map(({ id }) => id) ?? [],
        ),
      ),
    ];
  }

  /** How many events the relay has not acknowledged yet. */
  async untold(): Promise<number> {
    return (await this.#journal?.counts())?.waiting ?? 0;
  }

  async #fetch(input: string, init: RequestInit): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(input, {
      ...init,
      headers: {
        ...(init.headers as Record<string, string> | undefined),
        origin: this.#options.relayUrl,
        'x-forwarded-for': this.#options.address,
        ...(cookie === '' ? {} : { cookie }),
      },
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';');
      const at = pair.indexOf('=');
      if (/max-age=0\b/i.test(line)) this.#cookies.delete(pair.slice(0, at));
      else this.#cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
    return response;
  }
}
