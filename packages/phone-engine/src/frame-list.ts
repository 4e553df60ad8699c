/**
 * The owner's list of the frames that share its phone: which are alive, and which one the agent looked at last. Knows neither locks nor
 * channels; it is told of both.
 */
export interface FrameList {
  /**
   * A frame spoke. `lookedAt`: when the agent last looked at it (epoch ms), null when never; `visible`: its tab can be seen now; `mayOwn`: it
   * could hold the phone.
   */
  saw(frame: string, lookedAt: number | null, visible: boolean, mayOwn: boolean): void;
  gone(frame: string): void;
  /** Of the frames that can be seen, or of all while none can, the one looked at last; the owner while nobody looked at any. */
  foremost(): string;
  /** The same among those that could hold the phone. */
  foremostOwner(): string;
}

interface Look {
  readonly at: number | null;
  readonly visible: boolean;
  readonly mayOwn: boolean;
}

/** @param onNewFrame called once for every other frame, so that its end can be watched */
export function createFrameList(owner: string, onNewFrame: (frame: string) => void): FrameList {
  const unseen: Look = { at: null, visible: false, mayOwn: true };
  const looks = new Map<string, Look>([[owner, unseen]]);

  function first(counts: (look: Look) => boolean): string {
    let best = owner;
    let bestLook = looks.get(owner) ?? unseen;
    for (const [frame, look] of looks) {
      if (!counts(look)) continue;
      // In the same millisecond any one will do, as long as it is one.
      const order = compared(look, bestLook);
      if (order > 0 || (order === 0 && look.at !== null && frame > best)) {
        best = frame;
        bestLook = look;
      }
    }
    return best;
  }

  return {
    saw(frame, lookedAt, visible, mayOwn) {
      const before = looks.get(frame);
      if (before === undefined) onNewFrame(frame);
      const earlier = before?.at ?? null;
      const at = lookedAt === null ? earlier : Math.max(lookedAt, earlier ?? lookedAt);
      looks.set(frame, { at, visible, mayOwn });
    },
    gone(frame) {
      looks.delete(frame);
    },
    foremost: () => first(() => true),
    foremostOwner: () => first(({ mayOwn }) => mayOwn),
  };
}

/** Above 0: the first look comes before the other. */
function compared(one: Look, other: Look): number {
  if (one.visible !== other.visible) return one.visible ? 1 : -1;
  if (one.at === other.at) return 0;
  return (one.at ?? Number.NEGATIVE_INFINITY) - (other.at ?? Number.NEGATIVE_INFINITY);
}
