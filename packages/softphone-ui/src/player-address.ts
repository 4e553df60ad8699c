/** The address of a page that is there for one recording, as links in a CRM have it: it plays, and never asks for anybody's line. */
export const playerAddress = '#recording=';
