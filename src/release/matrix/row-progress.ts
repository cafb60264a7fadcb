import type { Progress, Step } from '../../support/progress.ts';
import type { MatrixView, Row } from './types.ts';

/** Progress of one release of many: the step that began last and still runs is the row's note. */
export function rowProgress(row: Row, view: MatrixView): Progress {
  const running: { name: string; note: string }[] = [];
  const show = () => {
    const last = running.at(-1);
    const note = last === undefined ? '' : `${last.name}${last.note === '' ? '' : `: ${last.note}`}`;
    if (note === row.note) return;
    row.note = note;
    view.changed(row);
  };
  return {
    step(name): Step {
      const state = { name, note: '' };
      running.push(state);
      show();
      const end = () => {
        const at = running.indexOf(state);
        if (at !== -1) running.splice(at, 1);
        show();
      };
      return {
        update({ bytes, total, note }) {
          if (bytes !== undefined && total !== undefined && total > 0) {
            state.note = `${Math.min(100, Math.floor((bytes * 100) / total))}%`;
          }
          if (note) state.note = note;
          show();
        },
        done: end,
        fail: end,
      };
    },
    say: (line) => view.said(row, line),
  };
}
