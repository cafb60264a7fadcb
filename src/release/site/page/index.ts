import { fits, type Query, queryHash, queryOf, type Row } from './filter.ts';
import { element, scripted } from './page.ts';

scripted();
const form = document.querySelector<HTMLFormElement>('form.filter');
if (form) start(form);

function start(fields: HTMLFormElement): void {
  const count = element('.count');
  const nothing = element('.nothing');
  const groups = [...document.querySelectorAll<HTMLElement>('.releases tbody')].map((body) => {
    const minor = (body.querySelector('.group th')?.textContent ?? '').replace('Kubernetes ', '');
    const rows = [...body.querySelectorAll<HTMLElement>('tr:not(.group)')];
    return { body, rows: rows.map((line) => ({ line, row: rowOf(line, minor) })) };
  });
  const control = (name: string) => fields.elements.namedItem(name) as HTMLInputElement | HTMLSelectElement;
  const yanked = control('yanked') as HTMLInputElement;
  const read = (): Query => ({
    text: control('q').value,
    distribution: control('distribution').value,
    minor: control('minor').value,
    architecture: control('architecture').value,
    yanked: yanked.checked,
  });
  const write = (query: Query) => {
    control('q').value = query.text;
    control('distribution').value = query.distribution;
    control('minor').value = query.minor;
    control('architecture').value = query.architecture;
    yanked.checked = query.yanked;
  };
  const show = () => {
    const query = read();
    let shown = 0;
    for (const { body, rows } of groups) {
      let here = 0;
      for (const { line, row } of rows) {
        const visible = fits(row, query);
        line.hidden = !visible;
        if (visible) here += 1;
      }
      body.hidden = here === 0;
      shown += here;
    }
    count.textContent = `${shown} ${shown === 1 ? 'release' : 'releases'}`;
    nothing.hidden = shown > 0;
    const hash = queryHash(query);
    history.replaceState(null, '', hash === '' ? location.pathname + location.search : `#${hash}`);
  };
  const from = () => {
    write(queryOf(location.hash));
    show();
  };
  fields.addEventListener('input', show);
  fields.addEventListener('submit', (event) => event.preventDefault());
  nothing.querySelector('button')?.addEventListener('click', () => {
    write(queryOf(''));
    show();
    control('q').focus();
  });
  addEventListener('hashchange', from);
  if (location.hash.includes('=')) from();
  else show();
}

/** Its columns: version, distribution, architectures, size, signed, added. */
function rowOf(line: HTMLElement, minor: string): Row {
  const cells = [...line.querySelectorAll('td')].map((cell) => (cell.textContent ?? '').trim());
  return {
    text: `${line.textContent ?? ''} ${minor}`,
    distribution: cells[1] ?? '',
    minor,
    architectures: (cells[2] ?? '').split(', '),
    yanked: line.classList.contains('yanked'),
  };
}
