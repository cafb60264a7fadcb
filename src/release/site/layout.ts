import { html, Markup } from './html.ts';

export interface PageFrame {
  readonly title: string;
  readonly description: string;
  /** Path to the site's root, '' or '../'. */
  readonly root: string;
  readonly script: string;
  readonly heading: Markup;
  readonly body: Markup;
  readonly catalog: { readonly title: string; readonly serial: number; readonly signed: boolean };
}

/** An instrument's arc and arm: the mark in the corner. */
const MARK = new Markup(
  '<svg class="mark" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true"><path d="M4 22a15 15 0 0 0 24 0M16 4 4 22M16 4l12 18M16 4l3 21" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round"/><circle cx="16" cy="4.5" r="2.6" fill="currentColor"/></svg>',
);
const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Cpath d='M4 22a15 15 0 0 0 24 0M16 4 4 22M16 4l12 18M16 4l3 21' fill='none' stroke='%230b7285' stroke-width='3'/%3E%3C/svg%3E";

/** A whole page. It stands on its own: style and script lie beside it, and nothing is asked of another server. */
export function page(frame: PageFrame): string {
  const { root, catalog } = frame;
  return html`<!doctype html>
<html lang="en" class="no-script">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="${frame.description}">
<meta name="generator" content="sextant">
<title>${frame.title}</title>
<link rel="icon" href="${new Markup(ICON)}">
<link rel="stylesheet" href="${root}assets/site.css">
<script src="${root}assets/${frame.script}" defer></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top"><div class="wide">
<a class="home" href="${root}index.html">${MARK}<span>${catalog.title}</span></a>
<p class="state"><span>serial ${catalog.serial}</span> <span>${catalog.signed ? 'signed catalog' : 'catalog not signed'}</span></p>
</div></header>
<main id="main" class="wide" tabindex="-1">
${frame.heading}
${frame.body}
</main>
<footer><div class="wide">
<p>Made by <code>sextant site</code> from <a href="${root}sextant-catalog.json">sextant-catalog.json</a>. Kairos reads <a href="${root}releases.json">releases.json</a>. This page asks nothing of another server and keeps nothing.</p>
</div></footer>
</body>
</html>
`.text;
}
