/** What every component test has: the accessibility matcher, and a clean page and channel after each test. */
import { setup } from '@sa11y/jest';
import { forgetChannel } from 'lightning/messageService';

setup();

afterEach(() => {
  while (document.body.firstChild) document.body.firstChild.remove();
  forgetChannel();
  jest.clearAllMocks();
  jest.useRealTimers();
});
