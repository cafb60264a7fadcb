import fc from 'fast-check';
import { expect, test } from 'vitest';
import { escaped, html, jsonData, Markup } from '../../../src/release/site/html.ts';

test('values are text, whatever they hold; markup and lists of it are put in as they are', () => {
  const evil = `"><script>alert('x')</script>&amp;`;
  const made = html`<p title="${evil}">${evil}${[html`<b>${1}</b>`, 'a<b']}${undefined}${false}</p>`.text;
  const safe = '&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;amp;';
  expect(made).toBe(`<p title="${safe}">${safe}<b>1</b>a&lt;b</p>`);
  expect(html`${new Markup('<i>')}`.text).toBe('<i>');
});

test('no text gets out of an attribute, an element or the data of a script', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(escaped(text)).not.toMatch(/[<>"']/);
      const { text: data } = jsonData({ text });
      expect(data).not.toContain('<');
      expect(JSON.parse(data)).toEqual({ text });
    }),
  );
});
