/** Commands of this frame that have no answer yet, each with its deadline. Owns the waiting; must never carry a command out. */
import type { CommandResult } from './phone.ts';
import type { ClockPort } from './ports.ts';
import type { Command } from './state.ts';

export interface OpenCommand {
  readonly id: string;
  readonly command: Command;
  /** The sender gives up then, epoch ms. */
  readonly until: number;
  /** Told to an owner: it may have been carried out, so nobody else may do it again. */
  posted: boolean;
}

export interface OpenCommands {
  /** Resolves with the answer, or with `late` when none came within `ms`. */
  open(command: Command, ms: number, late: CommandResult, begun: (it: OpenCommand) => void): Promise<CommandResult>;
  all(): readonly OpenCommand[];
  settle(id: string, result: CommandResult): void;
}

/** None is open at first. */
export function createOpenCommands(clock: ClockPort): OpenCommands {
  const waiting = new Map<
    string,
    { readonly it: OpenCommand; readonly timer: unknown; readonly done: (result: CommandResult) => void }
  >();

  function settle(id: string, result: CommandResult): void {
    const one = waiting.get(id);
    if (one === undefined) return;
    waiting.delete(id);
    clock.clearTimeout(one.timer);
    one.done(result);
  }

  return {
    open: (command, ms, late, begun) =>
      new Promise((done) => {
        const it: OpenCommand = { id: crypto.randomUUID(), command, until: clock.now() + ms, posted: false };
        waiting.set(it.id, { it, done, timer: clock.setTimeout(() => settle(it.id, late), ms) });
        begun(it);
      }),
    all: () => [...waiting.values()].map(({ it }) => it),
    settle,
  };
}
