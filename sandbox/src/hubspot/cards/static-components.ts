/** Owns how the components that only show something look: layout, texts, tables, notes. Our own plain HTML; no line of HubSpot's. */
import { h } from '../../page/dom.ts';
import { type Draw, type Props, plain, words } from './drawn.ts';

const choice =
  (...names: string[]) =>
  (props: Props) =>
    names
      .map((name) =>
        props[name] === undefined || props[name] === false ? '' : `${name}-${words(props[name]) || 'yes'}`,
      )
      .filter((part) => part !== '')
      .join(' ');

const text: Draw = () => {
  const element = h('span', {});
  return {
    element,
    children: element,
    update: (props) => {
      const format = (props.format ?? {}) as Props;
      element.className =
        `uie text ${choice('variant', 'inline')(props)} weight-${words(format.fontWeight) || 'regular'} ${format.italic === true ? 'italic' : ''}`.trim();
    },
  };
};

const alert: Draw = () => {
  const title = h('strong', {});
  const body = h('div', { class: 'body' });
  const element = h('div', {}, title, body);
  return {
    element,
    children: body,
    update: (props) => {
      const variant = words(props.variant) || 'info';
      const urgent = variant === 'error' || variant === 'danger';
      element.className = `uie alert ${urgent ? 'error' : variant}`;
      element.setAttribute('role', urgent ? 'alert' : 'status');
      title.textContent = words(props.title);
    },
  };
};

const spinner: Draw = () => {
  const label = h('span', {});
  const element = h('div', { role: 'status' }, h('span', { class: 'turning', 'aria-hidden': 'true' }), label);
  return {
    element,
    children: null,
    update: (props) => {
      element.className = `uie spinner ${words(props.layout)}`;
      label.className = props.showLabel === true ? '' : 'for-readers';
      label.textContent = words(props.label);
    },
  };
};

const accordion: Draw = () => {
  const title = h('summary', {});
  const body = h('div', { class: 'body' });
  const element = h('details', { class: 'uie accordion' }, title, body);
  let first = true;
  return {
    element,
    children: body,
    update: (props) => {
      title.textContent = words(props.title);
      if (first && props.defaultOpen === true) element.open = true;
      if (typeof props.open === 'boolean') element.open = props.open;
      first = false;
    },
  };
};

const descriptionItem: Draw = () => {
  const label = h('dt', {});
  const body = h('dd', {});
  return {
    element: h('div', { class: 'uie description' }, label, body),
    children: body,
    update: (props) => {
      label.textContent = words(props.label);
    },
  };
};

export const staticComponents: Readonly<Record<string, Draw>> = {
  Accordion: accordion,
  Alert: alert,
  DescriptionList: plain('dl', 'descriptions', choice('direction')),
  DescriptionListItem: descriptionItem,
  Divider: () => ({ element: h('hr', { class: 'uie divider' }), children: null, update: () => {} }),
  Flex: plain('div', 'flex', choice('direction', 'gap', 'justify', 'align', 'wrap')),
  Heading: plain('h3', 'heading'),
  LoadingSpinner: spinner,
  StatusTag: plain('span', 'status-tag', choice('variant')),
  Table: plain('table', 'table', choice('density')),
  TableBody: plain('tbody', ''),
  TableCell: plain('td', ''),
  TableHead: plain('thead', ''),
  TableHeader: plain('th', ''),
  TableRow: plain('tr', ''),
  Text: text,
};
