/** The reader's end of `GET /v1/live/events`: reads an event stream, keeps its place, comes back. Owns the parsing. */
import type { Envelope } from '@patchcord/call-protocol';

export interface StreamEvent {
  readonly id: string;
  readonly event: Envelope;
  readonly seq: number | null;
}

export class EventStream {
  readonly events: StreamEvent[] = [];
  /** What the relay said when it ended the stream. */
  readonly ended: Promise<{ readonly code: number; readonly reason: string } | null>;
  /** Where to go on. */
  lastId = '';
  readonly #abort = new AbortController();
  #listeners: (() => void)[] = [];

  private constructor(response: Response, abort: AbortController) {
    this.#abort = abort;
    this.ended = this.#read(response);
  }

  /** @param headers Credentials, made anew for each opening */
  static async open(url: string, headers: Record<string, string>, lastEventId = ''): Promise<EventStream> {
    const abort = new AbortController();
    const response = await fetch(url, {
      headers: { ...headers, ...(lastEventId === '' ? {} : { 'last-event-id': lastEventId }) },
      signal: abort.signal,
    });
    if (response.status !== 200) throw new Error(`the stream answered ${response.status}: ${await response.text()}`);
    const stream = new EventStream(response, abort);
    await stream.until(() => stream.lastId !== '');
    return stream;
  }

  /** Resolves when the condition holds after a message; rejects when the stream ends before. */
  async until(holds: () => boolean): Promise<void> {
    let over = false;
    void this.ended.then(() => {
      over = true;
      this.#wake();
    });
    while (!holds()) {
      if (over) throw new Error('the stream ended');
      await new Promise<void>((resolve) => this.#listeners.push(resolve));
    }
  }

  close(): void {
    this.#abort.abort();
  }

  #wake(): void {
    for (const listener of this.#listeners.splice(0)) listener();
  }

  async #read(response: Response): Promise<{ readonly code: number; readonly reason: string } | null> {
    const decoder = new TextDecoder();
    let text = '';
    try {
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk as Uint8Array, { stream: true });
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const fields = new Map(
            text
              .slice(0, end)
              .split('\n')
              .map((line) => line.split(/: ?(.*)/s, 2) as [string, string]),
          );
          text = text.slice(end + 2);
          const data = fields.get('data');
          if (fields.get('event') === 'end') return JSON.parse(data ?? '') as { code: number; reason: string };
          const id = fields.get('id');
          if (id !== undefined) this.lastId = id;
          if (data !== undefined) {
            const { event, seq } = JSON.parse(data) as { event: Envelope; seq?: number };
            this.events.push({ id: id ?? '', event, seq: seq ?? null });
          }
          this.#wake();
        }
      }
    } catch {
      // Cut off, or closed by us.
    }
    return null;
  }
}
