import { activationFile, type FormValues, missing } from './form.ts';
import { copyText, element, scripted } from './page.ts';
import type { PageRelease } from './release-data.ts';

scripted();
const said = document.querySelector<HTMLElement>('#said');
for (const place of document.querySelectorAll<HTMLElement>('.copy')) addButton(place);
for (const place of document.querySelectorAll<HTMLElement>('[data-copy]')) addHashButton(place);
if (document.querySelector('#activation')) start();

function start(): void {
  const release = JSON.parse(element('#release').textContent ?? '') as PageRelease;
  const form = element<HTMLFormElement>('#activation');
  const [file, problem, size] = [element('#file'), element('#problem'), element('#file-size')];
  const buttons = [element<HTMLButtonElement>('#copy-file'), element<HTMLButtonElement>('#save-file')];
  let text = '';
  const address = form.elements.namedItem('url') as HTMLInputElement;
  if (address.value === '' && location.protocol.startsWith('http'))
    address.value = new URL(`${release.url}/`, new URL('../', location.href)).href.replace(/\/$/, '');
  const show = () => {
    const values = Object.fromEntries(new FormData(form)) as FormValues;
    for (const part of form.querySelectorAll<HTMLElement>('[data-for]'))
      part.hidden = part.dataset.for !== values.kind;
    const unfilled = missing(release, values);
    const wrong = unfilled ?? attempt(values);
    problem.classList.toggle('missing', unfilled !== undefined);
    problem.hidden = wrong === undefined;
    problem.textContent = wrong ?? '';
    for (const button of buttons) button.disabled = wrong !== undefined;
    if (wrong !== undefined) text = '';
    file.textContent = text;
    size.textContent = text === '' ? '' : `${(new Blob([text]).size / 1024).toFixed(1)} KiB`;
  };
  const attempt = (values: FormValues): string | undefined => {
    try {
      text = activationFile(release, values);
      return undefined;
    } catch (error) {
      const { message, details } = error as Error & { readonly details?: string };
      return details ?? message;
    }
  };
  form.addEventListener('input', show);
  form.addEventListener('submit', (event) => event.preventDefault());
  buttons[0]?.addEventListener('click', () => copy(text));
  buttons[1]?.addEventListener('click', () => save('90_sextant.yaml', text));
  show();
}

async function copy(text: string): Promise<void> {
  const done = await copyText(text);
  if (said) {
    said.textContent = '';
    // Said anew even when it is the same.
    setTimeout(() => {
      said.textContent = done ? 'Copied.' : 'The browser does not allow copying; select the text instead.';
    }, 50);
  }
}

function save(name: string, text: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/yaml' }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  if (said) said.textContent = `Saved as ${name}.`;
}

function addButton(place: HTMLElement): void {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = place.dataset.label ?? 'Copy';
  button.addEventListener('click', async () => {
    const done = await copyText(place.querySelector('code')?.textContent ?? '');
    flash(button, done ? 'Copied' : 'Not allowed');
  });
  place.append(button);
}

function addHashButton(place: HTMLElement): void {
  const text = place.textContent ?? '';
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'link';
  button.textContent = 'copy';
  button.setAttribute('aria-label', `Copy ${text.slice(0, 12)}...`);
  button.addEventListener('click', async () =>
    flash(button, (await copyText(text)) ? 'copied' : 'not allowed'),
  );
  place.after(' ', button);
}

function flash(button: HTMLButtonElement, text: string): void {
  const before = button.textContent;
  button.textContent = text;
  setTimeout(() => {
    button.textContent = before;
  }, 1500);
}
