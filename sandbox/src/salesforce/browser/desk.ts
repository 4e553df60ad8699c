/** Owns what the methods of the wire can do to the page: the seam between them and what draws. */
import type { FlowVariable } from './flow-panel.ts';
import type { OrgRecord, OrgState, PageSetup } from './org-state.ts';

/** The page, as the methods see it. */
export interface Desk {
  readonly setup: PageSetup;
  state(): OrgState;
  shown(): OrgRecord | undefined;
  url(): string;
  open(id: string): void;
  search(term: string): void;
  /** A path of the org: a record's opens it, any other leaves the record. */
  goTo(path: string): void;
  /** Opens the form of a new record; one that is open already is replaced, with what was typed into it. */
  newRecord(entity: string, defaults: Readonly<Record<string, unknown>>): void;
  flow(name: string, variables: readonly FlowVariable[]): void;
  clickToDial(enabled: boolean): void;
  panel: {
    visible(): boolean;
    show(visible: boolean): void;
    size(change: { width?: number; height?: number }): void;
    item(change: { label?: string; icon?: string }): void;
    title(change: { label?: string; icon?: string }): void;
    ready(): void;
  };
  refresh(): Promise<void>;
  /** Every subscriber of the page hears it, and the panel its own channel. */
  published(channel: string, message: unknown): void;
}
