/**
 * The owner's list of the frames that share its phone: which are alive, and which one the agent looked at last. Knows neither locks nor
 * channels; it is told of both.
 */
export interface FrameList {
  /** A frame spoke. `focusedAt`: when the agent last looked at it (epoch ms), null when never. */
  saw(frame: string, focusedAt: number | null): void;
  gone(frame: string): void;
  /** The frame looked at last; the owner while nobody looked at any. */
  foremost(): string;
}

/** @param onNewFrame called once for every other frame, so that its end can be watched */
export function createFrameList(owner: string, onNewFrame: (frame: string) => void): FrameList {
  const looked = new Map<string, number | null>([[owner, null]]);
  return {
    saw(frame, focusedAt) {
      const before = looked.get(frame);
      if (before === undefined) onNewFrame(frame);
      looked.set(frame, focusedAt === null ? (before ?? null) : Math.max(focusedAt, before ?? focusedAt));
    },
    gone(frame) {
      looked.delete(frame);
    },
    foremost() {
      let best = owner;
      let bestAt = looked.get(owner) ?? Number.NEGATIVE_INFINITY;
      for (const [frame, at] of looked) {
        // In the same millisecond any one will do, as long as it is one.
        if (at !== null && (at > bestAt || (at === bestAt && frame > best))) {
          best = frame;
          bestAt = at;
        }
      }
      return best;
    },
  };
}
