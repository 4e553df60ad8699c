/**
 * A head's list of the frames that share its phone: which are alive, where, and which one the agent looked at last. Knows neither locks nor
 * channels; it is told of both.
 */
export interface FrameList {
  /**
   * A frame spoke. `lookedAt`: when the agent last looked at it (epoch ms), null when never; `visible`: its tab can be seen now; `mayOwn`: it
   * could hold the phone; `device`: another device that it is on, null where it is on this one.
   */
  saw(frame: string, lookedAt: number | null, visible: boolean, mayOwn: boolean, device?: string | null): void;
  gone(frame: string): void;
  has(frame: string): boolean;
  /** Of the frames that can be seen, or of all while none can, the one looked at last; the owner while nobody looked at any. */
  foremost(): string;
  /** The foremost itself where it could hold the phone; else the first of those beside it that could; else of all. */
  foremostOwner(): string;
  /** Those on this device. */
  here(): readonly {
    readonly frame: string;
    readonly at: number | null;
    readonly visible: boolean;
    readonly mayOwn: boolean;
  }[];
}

interface Look {
  readonly at: number | null;
  readonly visible: boolean;
  readonly mayOwn: boolean;
  readonly device: string | null;
}

/** @param onNewFrame called once for every other frame on this device, so that its end can be watched */
export function createFrameList(owner: string, onNewFrame: (frame: string) => void): FrameList {
  const unseen: Look = { at: null, visible: false, mayOwn: true, device: null };
  const looks = new Map<string, Look>([[owner, unseen]]);

  function first(counts: (look: Look) => boolean): string | null {
    let best: string | null = null;
    let bestLook = unseen;
    for (const [frame, look] of looks) {
      if (!counts(look)) continue;
      // In the same millisecond any one will do, as long as it is one.
      const order = compared(look, bestLook);
      if (best === null || order > 0 || (order === 0 && look.at !== null && frame > best)) {
        best = frame;
        bestLook = look;
      }
    }
    return best;
  }
  const foremost = (): string => first(() => true) ?? owner;

  return {
    saw(frame, lookedAt, visible, mayOwn, device = null) {
      const before = looks.get(frame);
      if (before === undefined && device === null) onNewFrame(frame);
      const earlier = before?.at ?? null;
      const at = lookedAt === null ? earlier : Math.max(lookedAt, earlier ?? lookedAt);
      looks.set(frame, { at, visible, mayOwn, device });
    },
    gone(frame) {
      looks.delete(frame);
    },
    has: (frame) => looks.has(frame),
    foremost,
    foremostOwner() {
      const device = looks.get(foremost())?.device ?? null;
      return first((look) => look.mayOwn && look.device === device) ?? first(({ mayOwn }) => mayOwn) ?? owner;
    },
    here: () => [...looks].flatMap(([frame, { device, ...look }]) => (device === null ? [{ frame, ...look }] : [])),
  };
}

/** Above 0: the first look comes before the other. */
function compared(one: Omit<Look, 'device'>, other: Omit<Look, 'device'>): number {
  if (one.visible !== other.visible) return one.visible ? 1 : -1;
  if (one.at === other.at) return 0;
  return (one.at ?? Number.NEGATIVE_INFINITY) - (other.at ?? Number.NEGATIVE_INFINITY);
}
