/** Waits until what was started is done and drawn: promises and the component's own re-rendering. */
export const settled = () => new Promise((resolve) => setTimeout(resolve));
