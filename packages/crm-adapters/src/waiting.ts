/**
 * Owns waiting in an adapter: nobody waits for ever, nothing settles twice, every listener hears. Works in the panel and in the relay. Must never cancel work (who can, passes a signal itself);
 * what comes after the deadline is dropped.
 */
import type { PatchcordError } from '@patchcord/call-protocol';

/**
 * Settles like `promise`, or rejects with `late()` after `ms` milliseconds.
 */
export function withDeadline<T>(promise: Promise<T>, ms: number, late: () => PatchcordError): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** A promise with its handles, settled once by whoever is first; later calls do nothing. */
export function settledOnce<T>(): {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
} {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // A rejection may come before anyone waits; whoever waits later still gets it.
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** A set of listeners behind the `on…` functions of a host. One that throws does not keep the others from hearing. */
export function listeners<A extends readonly unknown[]>(): {
  readonly add: (listener: (...heard: A) => void) => () => void;
  readonly tell: (...heard: A) => void;
  readonly clear: () => void;
} {
  const all = new Set<(...heard: A) => void>();
  return {
    add(listener) {
      all.add(listener);
      return () => {
        all.delete(listener);
      };
    },
    tell(...heard) {
      for (const listener of [...all]) {
        try {
          listener(...heard);
        } catch (error) {
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    },
    clear: () => all.clear(),
  };
}

/** Listeners of a value that has a present state: who comes late is told it at once (in a microtask), and no value is told twice in a row. */
export function listenersOfState<T>(same: (one: T, other: T) => boolean): {
  readonly add: (listener: (value: T) => void) => () => void;
  readonly tell: (value: T) => void;
  readonly clear: () => void;
} {
  const all = listeners<readonly [T]>();
  let known: { readonly value: T } | null = null;
  return {
    add(listener) {
      let here = true;
      const remove = all.add(listener);
      if (known !== null) {
        const { value } = known;
        queueMicrotask(() => {
          if (here && known?.value === value) listener(value);
        });
      }
      return () => {
        here = false;
        remove();
      };
    },
    tell(value) {
      if (known !== null && same(known.value, value)) return;
      known = { value };
      all.tell(value);
    },
    clear: all.clear,
  };
}
