/** Owns the HTML around a sandbox page: one script, one style sheet, and what the page must know before it runs. */

export function pageHtml(options: { title: string; setup: unknown }): string {
  // Inside a script element only "</" can end it early.
  const setup = JSON.stringify(options.setup).replaceAll('</', '<\\/');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${options.title}</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' fill='%23f0b429'/%3E%3Cpath d='M2 14 14 2M-2 10 10-2M6 18 18 6' stroke='%232a2419' stroke-width='2.500'/%3E%3C/svg%3E">
<link rel="stylesheet" href="/page.css">
</head>
<body>
<script type="application/json" id="setup">${setup}</script>
<script src="/page.js"></script>
</body>
</html>
`;
}
