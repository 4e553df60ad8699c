/**
 * Owns the design system's look inside components: every shadow root on the page takes the one style sheet, and nothing outside them does,
 * so that the sandbox's own page keeps its look. Must be the first import: the engine remembers how roots are attached.
 */

const sheet = new CSSStyleSheet();

void fetch('/slds/slds.css')
  .then((response) => response.text())
  // Its variables hang on the document's root, which a sheet of a shadow root does not see.
  .then((css) => sheet.replace(css.replaceAll(':root', ':host')))
  .catch((error: unknown) => console.error('sandbox: the design system did not load', error));

const attach = Element.prototype.attachShadow;
Element.prototype.attachShadow = function attachStyled(this: Element, init: ShadowRootInit): ShadowRoot {
  const root = attach.call(this, init);
  root.adoptedStyleSheets = [sheet];
  return root;
};
