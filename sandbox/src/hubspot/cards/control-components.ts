/** Owns how the components that a person uses look and answer: buttons, links, fields. Each tells the extension what HubSpot's would. */
import { h } from '../../page/dom.ts';
import { type Draw, type Props, plain, tell, words } from './drawn.ts';

const button =
  (mayLoad: boolean): Draw =>
  () => {
    const element = h('button', { type: 'button' });
    let now: Props = {};
    element.addEventListener('click', () => tell(now.onClick, { type: 'click' }));
    return {
      element,
      children: element,
      update: (props) => {
        now = props;
        const loading = mayLoad && props.loading === true;
        element.className = `uie button ${words(props.variant) || 'secondary'} size-${words(props.size) || 'md'}`;
        element.disabled = props.disabled === true || loading;
        element.setAttribute('aria-busy', `${loading}`);
      },
    };
  };

const link: Draw = () => {
  const element = h('a', { class: 'uie link', rel: 'noopener noreferrer' });
  return {
    element,
    children: element,
    update: ({ href }) => {
      const { url, external } = (typeof href === 'string' ? { url: href, external: false } : href) as {
        url: string;
        external?: boolean;
      };
      if (/^https?:/.test(url)) element.href = url;
      element.target = external === true ? '_blank' : '_self';
    },
  };
};

let fields = 0;

/** A field with its label, its description and what is wrong with it. */
function field<Control extends HTMLElement>(
  control: Control,
  listen: (now: () => Props) => void,
  show: (props: Props) => void,
): ReturnType<Draw> {
  fields += 1;
  // Not inside a <label>: a choice's options would become part of its name.
  const label = h('label', { class: 'label', for: `uie-field-${fields}` });
  const description = h('span', { class: 'description', id: `uie-description-${fields}` });
  const wrong = h('span', { class: 'wrong', role: 'alert' });
  control.id = `uie-field-${fields}`;
  control.setAttribute('aria-describedby', description.id);
  let now: Props = {};
  listen(() => now);
  return {
    element: h('div', { class: 'uie field' }, label, description, control, wrong),
    children: null,
    update: (props) => {
      now = props;
      label.textContent = `${words(props.label)}${props.required === true ? ' *' : ''}`;
      description.textContent = words(props.description);
      wrong.textContent = props.error === true ? words(props.validationMessage) : '';
      show(props);
    },
  };
}

const input: Draw = () => {
  const control = h('input', { type: 'text' });
  return field(
    control,
    (now) => {
      control.addEventListener('input', () => tell(now().onInput, control.value));
      control.addEventListener('change', () => tell(now().onChange, control.value));
    },
    (props) => {
      if (control.value !== words(props.value)) control.value = words(props.value);
      control.readOnly = props.readOnly === true;
      control.placeholder = words(props.placeholder);
    },
  );
};

const select: Draw = () => {
  const control = h('select', {});
  let shown = '';
  return field(
    control,
    (now) =>
      control.addEventListener('change', () => {
        const options = (now().options ?? []) as readonly { value: unknown }[];
        tell(now().onChange, options[control.selectedIndex]?.value);
      }),
    (props) => {
      const options = (props.options ?? []) as readonly { label: string; value: unknown }[];
      const wanted = JSON.stringify(options);
      if (shown !== wanted)
        control.replaceChildren(...options.map((option, index) => h('option', { value: index }, option.label)));
      shown = wanted;
      control.selectedIndex = options.findIndex(({ value }) => value === props.value);
      control.disabled = props.readOnly === true;
    },
  );
};

const two = (value: unknown): string => `${value ?? 0}`.padStart(2, '0');

interface Day {
  readonly year: number;
  /** From 0, as in HubSpot. */
  readonly month: number;
  readonly date: number;
}
const asDay = (day: unknown): string => {
  if (typeof day !== 'object' || day === null) return '';
  const { year, month, date } = day as Day;
  return `${year}-${two(month + 1)}-${two(date)}`;
};

const dateInput: Draw = () => {
  const control = h('input', { type: 'date' });
  return field(
    control,
    (now) =>
      control.addEventListener('change', () => {
        const [year, month, date] = control.value.split('-').map(Number);
        if (year !== undefined && month !== undefined && date !== undefined)
          tell(now().onChange, { year, month: month - 1, date, formattedDate: control.value });
      }),
    (props) => {
      control.value = asDay(props.value);
      control.min = asDay(props.min);
      control.max = asDay(props.max);
      control.readOnly = props.readOnly === true;
    },
  );
};

const timeInput: Draw = () => {
  const control = h('input', { type: 'time' });
  return field(
    control,
    (now) =>
      control.addEventListener('change', () => {
        const [hours, minutes] = control.value.split(':').map(Number);
        if (hours !== undefined && minutes !== undefined) tell(now().onChange, { hours, minutes });
      }),
    ({ value, readOnly }) => {
      const { hours, minutes } = (value ?? {}) as { hours?: number; minutes?: number };
      control.value = hours === undefined ? '' : `${two(hours)}:${two(minutes)}`;
      control.readOnly = readOnly === true;
    },
  );
};

export const controlComponents: Readonly<Record<string, Draw>> = {
  Button: button(false),
  ButtonRow: plain('div', 'button-row'),
  DateInput: dateInput,
  Input: input,
  Link: link,
  LoadingButton: button(true),
  Select: select,
  TimeInput: timeInput,
};
