/**
 * How much memory a page's scripts hold, from a snapshot of its heap. Owns what counts: what scripts and the page made, not what the browser made of
 * the scripts, for it compiles on for hours.
 */
import type { CDPSession } from 'playwright-core';

/** V8's own format, as much of it as is read here. */
interface HeapSnapshot {
  readonly snapshot: {
    readonly meta: { readonly node_fields: readonly string[]; readonly node_types: readonly unknown[] };
  };
  /** One node after the other, each as many numbers as there are fields. */
  readonly nodes: readonly number[];
  readonly strings: readonly string[];
}

/** Bytes that are held now, without compiled code and what V8 notes beside it ("system / …"). */
export async function heldBytes(cdp: CDPSession): Promise<number> {
  const pieces: string[] = [];
  const take = ({ chunk }: { readonly chunk: string }) => void pieces.push(chunk);
  cdp.on('HeapProfiler.addHeapSnapshotChunk', take);
  await cdp.send('HeapProfiler.takeHeapSnapshot', { reportProgress: false });
  cdp.off('HeapProfiler.addHeapSnapshotChunk', take);
  return bytesOf(JSON.parse(pieces.join('')) as HeapSnapshot);
}

function bytesOf({ snapshot: { meta }, nodes, strings }: HeapSnapshot): number {
  const kinds = meta.node_types[0] as readonly string[];
  const [kind, name, size] = ['type', 'name', 'self_size'].map((field) => meta.node_fields.indexOf(field));
  let bytes = 0;
  for (let at = 0; at < nodes.length; at += meta.node_fields.length) {
    const field = (offset = 0): number => nodes[at + offset] ?? 0;
    if (kinds[field(kind)] !== 'code' && strings[field(name)]?.startsWith('system / ') === false) bytes += field(size);
  }
  return bytes;
}
