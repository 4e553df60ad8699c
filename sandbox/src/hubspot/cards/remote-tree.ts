/**
 * Owns keeping a place on the page like the tree an extension describes: remote-ui's receiver tells what changed, and only that is touched, so that a field
 * keeps its cursor. Must never draw a component nobody wrote: it says so in its place.
 */
import {
  createRemoteReceiver,
  type RemoteReceiver,
  type RemoteReceiverAttachable,
  type RemoteReceiverAttachableChild,
  type RemoteReceiverAttachableComponent,
} from '@remote-ui/core';
import { h } from '../../page/dom.ts';
import { controlComponents } from './control-components.ts';
import type { Draw } from './drawn.ts';
import { staticComponents } from './static-components.ts';

const drawings: Readonly<Record<string, Draw>> = { ...staticComponents, ...controlComponents };

interface Node {
  readonly dom: ChildNode;
  remove(): void;
}

/** Draws whatever the receiver gets into `place`, until `stop`. */
export function drawTree(place: HTMLElement): { readonly receive: RemoteReceiver['receive']; stop(): void } {
  const receiver = createRemoteReceiver();
  const nodes = new Map<string, Node>();
  const drawRoot = () => arrange(receiver, nodes, place, receiver.attached.root.children);
  const off = receiver.attached.subscribe(receiver.attached.root, drawRoot);
  return {
    receive: receiver.receive,
    stop: () => {
      off();
      for (const node of nodes.values()) node.remove();
    },
  };
}

/** Makes `parent` hold these children in this order; what stays where it is is not touched. */
function arrange(
  receiver: RemoteReceiver,
  nodes: Map<string, Node>,
  parent: HTMLElement,
  children: readonly RemoteReceiverAttachableChild[],
): void {
  const kept = new Set(children.map(({ id }) => id));
  for (const [id, node] of nodes) {
    if (kept.has(id)) continue;
    node.remove();
    nodes.delete(id);
  }
  let next: ChildNode | null = parent.firstChild;
  for (const child of children) {
    const node = nodes.get(child.id) ?? make(receiver, child);
    nodes.set(child.id, node);
    if (node.dom === next) next = next.nextSibling;
    else parent.insertBefore(node.dom, next);
  }
}

function make(receiver: RemoteReceiver, child: RemoteReceiverAttachableChild): Node {
  if (!isComponent(child)) {
    const dom = document.createTextNode(child.text);
    const off = receiver.attached.subscribe(child, ({ text }) => {
      dom.data = text;
    });
    return {
      dom,
      remove: () => {
        off();
        dom.remove();
      },
    };
  }
  const draw = drawings[child.type] ?? unknownComponent(child.type);
  const { element, children: slot, update } = draw();
  const nodes = new Map<string, Node>();
  const show = ({ props, children }: RemoteReceiverAttachableComponent) => {
    const { testId } = props as { testId?: string };
    if (testId !== undefined) element.dataset.testId = testId;
    update(props as Readonly<Record<string, unknown>>);
    if (slot !== null) arrange(receiver, nodes, slot, children);
  };
  show(child);
  const off = receiver.attached.subscribe(child, show);
  return {
    dom: element,
    remove: () => {
      off();
      for (const node of nodes.values()) node.remove();
      element.remove();
    },
  };
}

function isComponent(child: RemoteReceiverAttachable): child is RemoteReceiverAttachableComponent {
  return 'props' in child;
}

function unknownComponent(type: string): Draw {
  return () => {
    const inside = h('div', {});
    return {
      element: h('div', { class: 'uie not-drawn' }, `The sandbox does not draw ${type}.`, inside),
      children: inside,
      update: () => {},
    };
  };
}
