/**
 * Owns what is opened in front of the agent: one pop at a time, in order, and none over a form while the agent fills it in, whoever opened it.
 * Open CTI has no word for "the form is closed": it is taken as gone when the page shows another record or address, or after `longestFormMs`;
 * the same once more proves nothing, because a page that gets the focus tells it again. Must never open an address outside of Salesforce.
 */
import { errorCode, PatchcordError } from '@patchcord/call-protocol';
import type { PopTarget, PopWish } from '../panel-contract.ts';
import { settledOnce } from '../waiting.ts';
import type { OpenCtiPort } from './opencti.ts';
import { isId, objectOf } from './wire.ts';

/** A form that nobody was heard of for so long holds nobody back any more. */
const longestFormMs = 300_000;
/** So long after the pop the page may still tell of what was shown before the form. */
const formOpensMs = 1_500;

/** The field in which a new record of this object has its number. */
const numberFields: Readonly<Record<string, string>> = {
  Contact: 'Phone',
  Lead: 'Phone',
  Account: 'Phone',
  Case: 'SuppliedPhone',
};

export interface Pops {
  pop(target: PopTarget, wish?: PopWish): Promise<void>;
  /** The page shows something, as `onNavigationChange` says it. */
  navigated(payload: unknown): void;
  /** A form is open, as far as can be known. */
  isFilledIn(): boolean;
  /** Whoever waits is dropped. */
  stop(): void;
}

export function createPops(port: OpenCtiPort): Pops {
  let last: Promise<unknown> = Promise.resolve();
  let form: Form | null = null;
  /** What the page told of last, and the record that was popped and is not told of yet. */
  let addressLast = '';
  let shownLast = '';
  let poppedLast = '';
  let stopped = false;

  function formOpened(): Form {
    form?.gone();
    const over = settledOnce<void>();
    const timer = setTimeout(() => over.resolve(), longestFormMs);
    const mine: Form = {
      over: over.promise,
      gone() {
        clearTimeout(timer);
        if (form === mine) form = null;
        over.resolve();
      },
      openedAt: Date.now(),
      seen: false,
    };
    over.promise.then(mine.gone, () => {});
    form = mine;
    return mine;
  }

  async function open(target: PopTarget): Promise<void> {
    const answer = await port.ask('screenPop', paramsOf(target)).catch((error: unknown) => {
      // A page that is late opens it all the same.
      if (target.kind === 'new-record' && errorCode(error) === 'host.silent') formOpened();
      throw error;
    });
    if (!answer.ok)
      throw new PatchcordError(
        /not found|does not exist|invalid.*id|deleted/i.test(answer.reason) ? 'crm.not-found' : 'host.refused',
        `Salesforce did not open the ${words[target.kind]} (${answer.reason}).`,
      );
    if (target.kind === 'new-record') {
      formOpened();
      return;
    }
    form?.gone();
    if (target.kind === 'record') poppedLast = keyOf(target.record.id);
  }

  return {
    async pop(target, wish = {}) {
      // What can't be opened is said at once, not when its turn comes.
      paramsOf(target);
      const wanted = (): boolean => !stopped && (wish.wanted?.() ?? true);
      if (wish.byAgent === true) return wanted() ? open(target) : undefined;
      const mine = last.then(async () => {
        while (form !== null && wanted()) await form.over;
        if (wanted()) await open(target);
      });
      last = mine.catch(() => {});
      return mine;
    },
    navigated(payload) {
      const { url, recordId } = objectOf(payload);
      const address = typeof url === 'string' ? url : '';
      const moved = address !== '' && addressLast !== '' && address !== addressLast;
      if (address !== '') addressLast = address;
      // In a standard app the form is a page of its own, also one that the agent opened. A console tells nothing of it, only of what comes after.
      if (isForm(address)) {
        form ??= formOpened();
        form.seen = true;
        return;
      }
      const record = keyOf(recordId);
      // What was popped before the form may be told of only now.
      const late = record !== '' && record === poppedLast;
      if (late) poppedLast = '';
      const other = !late && record !== '' && record !== shownLast;
      const elsewhere = moved && !late && form !== null && Date.now() - form.openedAt > formOpensMs;
      if (other || elsewhere || (moved && form?.seen === true)) form?.gone();
      if (form === null || late) shownLast = record;
    },
    isFilledIn: () => form !== null,
    stop() {
      stopped = true;
      form?.gone();
    },
  };
}

interface Form {
  readonly gone: () => void;
  /** Settled when it is gone. */
  readonly over: Promise<void>;
  readonly openedAt: number;
  /** The page told of it. */
  seen: boolean;
}

/** The address of a page on which a record is written: `/lightning/o/Contact/new`, `/lightning/r/Contact/003…/edit`. */
function isForm(address: string): boolean {
  return /^[^?#]*\/(?:new|edit)\/?(?:[?#]|$)/.test(address);
}

const words: Readonly<Record<PopTarget['kind'], string>> = {
  record: 'record',
  search: 'search',
  'new-record': 'form of a new record',
  flow: 'flow',
  url: 'page',
};

/** What `screenPop` takes for a target. @throws PatchcordError what it would not take */
function paramsOf(target: PopTarget): { readonly type: string; readonly params: Readonly<Record<string, unknown>> } {
  const no = (reason: string, code: 'crm.not-found' | 'host.refused' = 'host.refused'): never => {
    throw new PatchcordError(code, reason);
  };
  switch (target.kind) {
    case 'record': {
      const { crm, id } = target.record;
      if (crm !== 'salesforce' || !isId(id)) return no('This record is not in Salesforce.', 'crm.not-found');
      return { type: 'sobject', params: { recordId: id } };
    }
    case 'search': {
      const text = target.text.trim().slice(0, 200);
      if (text.length < 3) return no('Salesforce searches for three characters and more.');
      return { type: 'search', params: { searchString: text } };
    }
    case 'new-record': {
      const { object, fields, number } = target;
      if (!isName(object)) return no(`Salesforce has no object "${object.slice(0, 80)}".`);
      const field = numberFields[object];
      // Beside `params` the script drops them without a word.
      const defaultFieldValues = {
        ...(field === undefined || number === undefined ? {} : { [field]: number }),
        ...fields,
      };
      return { type: 'newRecord', params: { entityName: object, defaultFieldValues } };
    }
    case 'flow': {
      if (!isName(target.name)) return no(`Salesforce has no flow "${target.name.slice(0, 80)}".`);
      const flowArgs = Object.entries(target.variables).map(([name, value]) => ({ name, type: 'String', value }));
      return { type: 'flow', params: { flowDevName: target.name, flowArgs } };
    }
    case 'url':
      // One "/" and no "\": neither another host nor a scheme. Browsers drop control characters, so that they could hide a second "/".
      if (!/^\/(?!\/)[^\\\p{C}\s]*$/u.test(target.url) || target.url.length > 2_000)
        return no('Only a page of this Salesforce can be opened: its address starts with one "/".');
      return { type: 'url', params: { url: target.url } };
  }
}

/** An id in its short form, by which the long one is told too; empty for what is no id. */
function keyOf(id: unknown): string {
  return isId(id) ? id.slice(0, 15) : '';
}

/** The API name of an object or a flow. */
function isName(name: string): boolean {
  return /^\w{1,80}$/.test(name);
}
