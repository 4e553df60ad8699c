/** Asking a wired Apex method again. */
export const refreshApex = jest.fn().mockResolvedValue(undefined);
