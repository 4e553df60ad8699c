/** What every component test has: the accessibility matcher, and a clean page and channel after each test. */
import { webcrypto } from 'node:crypto';
import { setup } from '@sa11y/jest';
import { forgetChannel } from 'lightning/messageService';

setup();
// Every browser has it; the one of the tests does not.
if (typeof globalThis.crypto?.randomUUID !== 'function')
  Object.defineProperty(globalThis, 'crypto', { value: webcrypto, configurable: true });

afterEach(() => {
  while (document.body.firstChild) document.body.firstChild.remove();
  forgetChannel();
  jest.clearAllMocks();
  jest.useRealTimers();
});
