/** The names that `../bundle.ts` resolves, as far as the scripts beside this file use them. */
declare module 'c/patchcordBoard' {
  const component: import('lwc').Component;

  export { component as default };
}
declare module 'c/patchcordCallHistory' {
  const component: import('lwc').Component;

  export { component as default };
}
declare module 'c/patchcordLiveCall' {
  const component: import('lwc').Component;

  export { component as default };
}
declare module 'c/patchcordSetup' {
  const component: import('lwc').Component;

  export { component as default };
}
declare module 'lwc' {
  export type Component = new () => HTMLElement;
  export function createElement(tag: string, options: { is: Component }): HTMLElement;
}
