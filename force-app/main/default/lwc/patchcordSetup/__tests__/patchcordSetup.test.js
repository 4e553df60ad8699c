import check from '@salesforce/apex/PatchcordSetup.check';
import PatchcordSetup from 'c/patchcordSetup';
import { createElement } from 'lwc';
import { settled } from 'test/settled';

jest.mock('@salesforce/apex/PatchcordSetup.check', () => ({ default: jest.fn() }), { virtual: true });

const good = { what: 'certificate', state: 'good', text: 'The certificate signs.', remedy: '', users: [] };
const bad = {
  what: 'permissionSet',
  state: 'bad',
  text: '2 of 3 users of the call centre lack the permission set.',
  remedy: 'Setup > Permission Sets.',
  users: ['Robin Vale', 'Sam Berg'],
};
const unknown = {
  what: 'trustedUrl',
  state: 'unknown',
  text: 'Apex may not read Trusted URLs.',
  remedy: 'Setup > Trusted URLs.',
};

async function shown() {
  const element = createElement('c-patchcord-setup', { is: PatchcordSetup });
  document.body.append(element);
  await settled();
  return element;
}

const all = (element, selector) => [...element.shadowRoot.querySelectorAll(selector)];
const textsOf = (element, selector) => all(element, selector).map((one) => one.textContent);
const alertOf = (element) => element.shadowRoot.querySelector('[role="alert"]');

it('is looking until the answer is there', async () => {
  check.mockReturnValue(new Promise(() => {}));
  const element = await shown();
  expect(all(element, 'lightning-spinner')).toHaveLength(1);
  expect(all(element, '.summary')).toHaveLength(0);
  await expect(element).toBeAccessible();
});

it('says what is to be mended first, what to do, and whom it concerns', async () => {
  check.mockResolvedValue([good, unknown, bad]);
  const element = await shown();
  expect(textsOf(element, '.name')).toEqual(['Permission set', 'Trusted URL', 'Certificate']);
  expect(textsOf(element, '.state')).toEqual(['To mend', 'Not visible from here', 'Well']);
  expect(textsOf(element, '.remedy')).toEqual(['Setup > Permission Sets.', 'Setup > Trusted URLs.']);
  expect(textsOf(element, '.users li')).toEqual(['Robin Vale', 'Sam Berg']);
  expect(textsOf(element, '.summary')).toEqual(['1 thing to mend. 1 thing to look at yourself.']);
  await expect(element).toBeAccessible();
});

it('says that all is well, and looks again on request', async () => {
  check.mockResolvedValue([good]);
  const element = await shown();
  expect(textsOf(element, '.summary')).toEqual(['Everything that can be seen from here is well.']);
  expect(all(element, '.remedy')).toHaveLength(0);
  check.mockResolvedValue([bad]);
  element.shadowRoot.querySelector('.refresh').click();
  await settled();
  expect(check).toHaveBeenCalledTimes(2);
  expect(textsOf(element, '.summary')).toEqual(['1 thing to mend.']);
});

it('shows who is no admin why not, and tries again', async () => {
  check.mockRejectedValue({ body: { message: 'The check is for admins.' } });
  const element = await shown();
  expect(alertOf(element).textContent).toContain('The check is for admins.');
  expect(all(element, 'lightning-spinner')).toHaveLength(0);
  await expect(element).toBeAccessible();
  check.mockResolvedValue([good]);
  alertOf(element).querySelector('lightning-button').click();
  await settled();
  expect(alertOf(element)).toBeNull();
  expect(textsOf(element, '.name')).toEqual(['Certificate']);
});

it.each([[[]], [null]])('says so when nothing was looked at: %j', async (answer) => {
  check.mockResolvedValue(answer);
  const element = await shown();
  expect(textsOf(element, '.empty')).toHaveLength(1);
  await expect(element).toBeAccessible();
});

it('takes a state it does not know for one that cannot be judged', async () => {
  check.mockResolvedValue([{ what: 'network', state: 'green', text: 'Fine.', remedy: '' }]);
  const element = await shown();
  expect(textsOf(element, '.name')).toEqual(['network']);
  expect(textsOf(element, '.state')).toEqual(['Not visible from here']);
});
