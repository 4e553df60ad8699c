/**
 * The renderer processes of one browser that this process started, found by a mark on its command line and ended as the kernel would end them. Owns
 * the reading of /proc; must never touch a process of anything else.
 */
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';

/** A switch no Chromium knows: whoever carries it is ours. A spare renderer would belong to no tab. */
export function markedArgs(): { readonly mark: string; readonly args: readonly string[] } {
  const mark = `--patchcord-chaos=${randomUUID()}`;
  return { mark, args: [mark, '--disable-features=SpareRendererForSitePerProcess'] };
}

/** Process ids of the renderers of the browser with this mark. */
export function renderersOf(mark: string): readonly number[] {
  const processes = readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      // A renderer writes its command line anew, with spaces.
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').split(/[\0 ]/);
      // The name may hold anything, brackets too: the parent is the second word after the last one.
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      return [{ id: Number(name), parent, command }];
    } catch {
      // It has just ended.
      return [];
    }
  });
  const browser = processes.find(({ command }) => command.includes(mark));
  if (browser === undefined) return [];
  const isOurs = (id: number): boolean => {
    if (id === browser.id) return true;
    const parent = processes.find((it) => it.id === id)?.parent;
    return parent !== undefined && parent > 1 && isOurs(parent);
  };
  return processes
    .filter(({ id, command }) => command.some((word) => word === '--type=renderer') && isOurs(id))
    .map(({ id }) => id);
}

/** Ends them without a word. */
export function killAll(ids: readonly number[]): void {
  for (const id of ids) {
    try {
      process.kill(id, 'SIGKILL');
    } catch {
      // It has just ended by itself.
    }
  }
}
